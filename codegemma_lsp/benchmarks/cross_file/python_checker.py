"""Checks Python with pylint, as CrossCodeEval does (Ding et al. 2023, arXiv:2310.11248, section 2.2)."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codegemma_lsp.benchmarks.cross_file.faults import Checker, Fault, Need, output_of
from codegemma_lsp.benchmarks.infilling.tasks import BadTasks
from codegemma_lsp.syntax import imported, parse

_RULES = ("no-member", "not-callable", "unexpected-keyword-arg", "too-many-function-args", "no-value-for-parameter")
_MEMBER = re.compile(r"^(?:Instance of|Class|Module) '([\w.]+)' has no '(\w+)' member")


def stubbed(text: str, package: str) -> str:
    """Returns a Python text whose imports from its own package are replaced by empty classes, or by objects if the
    names are those of functions. Lines keep their numbers."""
    lines = text.split("\n")
    syntax = parse(text, "python", most=len(text) + 1)
    for one in imported(syntax):
        if one.module.startswith(".") or one.module.split(".")[0] == package:
            names = [name.local for name in one.names] or ([one.local] if one.local and "." not in one.local else [])
            _replace_import(lines, one.module, "; ".join(_stub(name) for name in names))
    return "\n".join(lines)


def _stub(name: str) -> str:
    return f"{name} = type('{name}', (), {{}})" if name[:1].isupper() else f"{name} = object()"


def _replace_import(lines: list[str], module: str, stubs: str) -> None:
    """Replaces the first import of a module by stubs."""
    pattern = re.compile(rf"^(\s*)(?:from\s+{re.escape(module)}\s+import\b|import\s+{re.escape(module)}\b)")
    for number, line in enumerate(lines):
        match = pattern.match(line)
        if match is None:
            continue
        end = number
        if "(" in line and ")" not in line:
            end = next((at for at in range(number, len(lines)) if ")" in lines[at]), number)
        while lines[end].rstrip().endswith("\\") and end + 1 < len(lines):
            end += 1
        lines[number : end + 1] = [match[1] + (stubs or "pass"), *[""] * (end - number)]
        return


def _check(copy: Path, root: Path, paths: Sequence[str]) -> list[Fault]:
    command = [sys.executable, "-I", "-m", "pylint", "--disable=all", f"--enable={','.join(_RULES)}"]
    options = ["--output-format=json2", "--ignored-modules=", "--persistent=n", "--rcfile=/dev/null", "--jobs=1"]
    path = f"import sys; sys.path.insert(0, {str(copy.parent)!r})"
    done = output_of([*command, *options, f"--init-hook={path}", *paths], copy)
    try:
        messages = json.loads(done.stdout)["messages"]
    except (ValueError, KeyError):
        reason = done.stderr.strip().split("\n")[-1] or "it said nothing"
        raise BadTasks(f"pylint could not check {root.name} ({reason}); install it with the extra eval.") from None
    return [_fault(message, copy, root) for message in messages]


def _fault(message: dict[str, Any], copy: Path, root: Path) -> Fault:
    path = Path(message["path"])
    shown = path.relative_to(copy).as_posix() if path.is_absolute() else path.as_posix()
    line = message["line"] - 1
    return Fault(path=shown, line=line, rule=message["symbol"], need=_need(message, shown, line, root))


def _need(message: dict[str, Any], path: str, line: int, root: Path) -> Need | None:
    text = (root / path).read_text("utf-8").split("\n")[line]
    match = _MEMBER.match(message["message"])
    if match is not None:
        column = text.find(f".{match[2]}", message["column"])
        owner, member = match[1], match[2]
        return Need(path=path, line=line, column=column + 1, owner=owner, member=member) if column >= 0 else None
    name = re.match(r"[\w.]+", text[message["column"] :])
    if name is None or not text.startswith("(", message["column"] + len(name[0])):
        return None
    return Need(path=path, line=line, column=message["column"] + len(name[0]) + 1, owner=name[0])


PYTHON = Checker(suffixes=frozenset({".py"}), stubbed=stubbed, check=_check)
