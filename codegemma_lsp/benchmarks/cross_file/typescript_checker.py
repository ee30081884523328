"""Checks TypeScript with its own compiler, as CrossCodeEval does (Ding et al. 2023, arXiv:2310.11248, section 2.2)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from codegemma_lsp.benchmarks.cross_file.faults import Checker, Fault, Need, output_of
from codegemma_lsp.benchmarks.infilling.tasks import BadTasks
from codegemma_lsp.syntax import imported, parse

_OPTIONS = (
    "--noEmit",
    "--pretty",
    "false",
    "--skipLibCheck",
    "--target",
    "esnext",
    "--module",
    "esnext",
    "--moduleResolution",
    "bundler",
    "--allowImportingTsExtensions",
    "--jsx",
    "preserve",
)
_NO_MEMBER, _NOT_CALLABLE, _ARGUMENTS = "TS2339", "TS2349", "TS2554"
_MESSAGE = re.compile(r"^(.+?)\((\d+),(\d+)\): error (TS\d+): (.*)$")
_MEMBER = re.compile(r"Property '(\w+)' does not exist on type '(?:typeof )?([\w.]*)")
_IMPORT = r"^[ \t]*import\b[^;'\"]*['\"]{module}['\"][^\n;]*;?"


def stubbed(text: str, package: str) -> str:
    """Returns a TypeScript text whose imports of its own modules are replaced by empty classes, or by objects if the
    names begin with a small letter. Lines keep their numbers."""
    for one in imported(parse(text, "typescript", most=len(text) + 1)):
        if not one.exported and (one.module.startswith((".", "~/", "@/")) or one.module == package):
            names = [*(name.local for name in one.names), *([one.local] if one.local else [])]
            text = _replace_import(text, one.module, "; ".join(map(_stub, names)))
    return text


def _stub(name: str) -> str:
    return f"class {name} {{}}" if name[:1].isupper() else f"const {name} = {{}}"


def _replace_import(text: str, module: str, stubs: str) -> str:
    """Replaces the first import of a module by stubs."""
    pattern = _IMPORT.format(module=re.escape(module))
    return re.sub(pattern, lambda found: stubs + "\n" * found[0].count("\n"), text, count=1, flags=re.MULTILINE)


def _check(copy: Path, root: Path, paths: Sequence[str]) -> list[Fault]:
    compiler = shutil.which("tsc")
    if compiler is None:
        raise BadTasks("tsc cannot be found; install it with npm install --global typescript, or add it to PATH.")
    done = output_of([compiler, *_OPTIONS, *paths], copy)
    if done.returncode and not _MESSAGE.search(done.stdout.split("\n", 1)[0]):
        raise BadTasks(f"tsc could not check {root.name} ({(done.stdout + done.stderr).strip()[:200]}).")
    matches = (_MESSAGE.match(line) for line in done.stdout.split("\n"))
    wanted = frozenset(paths)
    return [_fault(match, root) for match in matches if match is not None and match[1] in wanted]


def _fault(message: re.Match[str], root: Path) -> Fault:
    path, line, rule = message[1], int(message[2]) - 1, message[4]
    text = (root / path).read_text("utf-8").split("\n")[line]
    column = _code_points(text, int(message[3]) - 1)
    return Fault(path=path, line=line, rule=rule, need=_need(path, line, text, column, rule, message[5]))


def _need(path: str, line: int, text: str, column: int, rule: str, said: str) -> Need | None:
    before, after = text[:column], text[column:]
    if rule == _NO_MEMBER and (member := _MEMBER.match(said)) and after.startswith(member[1]):
        owner = member[2] if member[2][:1].isupper() else _name_before(before)
        return Need(path=path, line=line, column=column, owner=owner, member=member[1]) if owner else None
    if rule == _NOT_CALLABLE and (name := re.match(r"([\w.]+)(?:<[^()]*>)?\(", after)):
        return Need(path=path, line=line, column=column + name.end(), owner=name[1])
    if rule == _ARGUMENTS and (name := re.search(r"([\w.]+)(?:<[^()]*>)?\($", before)):
        return Need(path=path, line=line, column=column, owner=name[1])
    return None


def _name_before(text: str) -> str:
    """Returns the name before a dot, as in ``till.`` or ``till?.``."""
    name = re.search(r"(\w+)[!?]?\.$", text)
    return name[1] if name is not None else ""


def _code_points(text: str, units: int) -> int:
    """Returns the number of code points of the first UTF-16 units of a text."""
    return len(text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore"))


TYPESCRIPT = Checker(suffixes=frozenset({".ts", ".tsx"}), stubbed=stubbed, check=_check)
