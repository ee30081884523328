"""Finds the lines of a project that need other files of it, as CrossCodeEval does.

Ding et al. 2023 (arXiv:2310.11248), section 2.2: imports of the project's own modules are replaced by empty classes,
and a static checker (pylint) is run. Lines that fail now and did not fail before use something of another file.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codegemma_lsp.benchmarks.infilling.tasks import BadTasks
from codegemma_lsp.syntax import imported, parse

_CHECKS = ("no-member", "not-callable", "unexpected-keyword-arg", "too-many-function-args", "no-value-for-parameter")
_MEMBER = re.compile(r"^(?:Instance of|Class|Module) '([\w.]+)' has no '(\w+)' member")
_PATIENCE_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A place in a file at which something of another file is used.

    ``line`` and ``column`` are counted from 0, in code points. ``owner`` is the imported class or module as the file
    names it. ``member`` is the member that is used, or "" for a call of ``owner`` itself.
    """

    path: str
    line: int
    column: int
    owner: str
    member: str = ""


def needs(root: Path, paths: Sequence[str]) -> list[Need]:
    """Returns the places in files of a project that need another file of it, in order. Raises ``BadTasks``."""
    with tempfile.TemporaryDirectory(prefix="codegemma-eval-") as folder:
        copy = Path(folder, root.name)
        shutil.copytree(root, copy, ignore=shutil.ignore_patterns("*.pyc", "__pycache__", ".git", ".venv"))
        before = {_key(message) for message in _checked(copy, paths)}
        for path in paths:
            file = copy / path
            file.write_text(stubbed(file.read_text("utf-8"), root.name), "utf-8")
        after = _checked(copy, paths)
        return [need for message in after if _key(message) not in before and (need := _need(message, copy, root))]


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


def _checked(folder: Path, paths: Sequence[str]) -> list[dict[str, Any]]:
    """Returns pylint's messages about files of a folder. The files are not run."""
    command = [sys.executable, "-I", "-m", "pylint", "--disable=all", f"--enable={','.join(_CHECKS)}"]
    options = ["--output-format=json2", "--ignored-modules=", "--persistent=n", "--rcfile=/dev/null", "--jobs=1"]
    path = f"import sys; sys.path.insert(0, {str(folder.parent)!r})"
    try:
        done = subprocess.run(
            [*command, *options, f"--init-hook={path}", *paths],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        return list(json.loads(done.stdout)["messages"])
    except subprocess.TimeoutExpired:
        raise BadTasks(f"Checking {folder.name} takes longer than {_PATIENCE_S} s; name a smaller project.") from None
    except (ValueError, KeyError):
        reason = done.stderr.strip().split("\n")[-1] or "it said nothing"
        raise BadTasks(f"pylint could not check {folder.name} ({reason}); install it with the extra eval.") from None


def _key(message: dict[str, Any]) -> tuple[str, int, str]:
    return message["path"], message["line"], message["symbol"]


def _need(message: dict[str, Any], copy: Path, root: Path) -> Need | None:
    path = Path(message["path"])
    shown = path.relative_to(copy).as_posix() if path.is_absolute() else path.as_posix()
    line = message["line"] - 1
    text = (root / shown).read_text("utf-8").split("\n")[line]
    match = _MEMBER.match(message["message"])
    if match is not None:
        column = text.find(f".{match[2]}", message["column"])
        owner, member = match[1], match[2]
        return Need(path=shown, line=line, column=column + 1, owner=owner, member=member) if column >= 0 else None
    name = re.match(r"[\w.]+", text[message["column"] :])
    if name is None or not text.startswith("(", message["column"] + len(name[0])):
        return None
    return Need(path=shown, line=line, column=message["column"] + len(name[0]) + 1, owner=name[0])
