"""The imports of new code, which go to those of the file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from codegemma_lsp.chat.code import LONGEST_PARSED
from codegemma_lsp.document import Edit, Span
from codegemma_lsp.syntax import Imported, Statement, Syntax, head_end, imported, parse, statements
from codegemma_lsp.text import line_end

_PACKAGE = re.compile(r"package\b")
"""Matches the line that says which package a file is of, which grammars' imports include."""
_FUTURE = re.compile(r"from\s+__future__\b")
_PATHS = re.compile(r'"([^"\n]+)"')
_WORDS = re.compile(r"\w+")
_BY_NAME = frozenset({"python", "javascript", "typescript", "typescriptreact"})
"""Languages of which the imported names are known."""


def imports_apart(text: str, code: str, language: str) -> tuple[Edit, str]:
    """Returns the edit of a text that adds the imports of new code, which is empty if the text has them, and the code
    without its imports.

    They go below the first imports of the text, or to its head, below comments, a docstring and directives.
    """
    new, old = _parsed(code, language), _parsed(text, language)
    wanted = [one for one in statements(new) if one.is_import]
    rest = code
    for one in reversed(wanted):
        rest = rest[: one.span.start] + rest[one.span.end :].lstrip("\n")
    given = (code[one.span.start : one.span.end] for one in wanted)
    lines = [line for one in given if not _PACKAGE.match(one) for line in _missing(one, old, language)]
    return _added(old, list(dict.fromkeys(lines))), rest.strip("\n")


def _parsed(text: str, language: str) -> Syntax:
    return parse(text, language, most=LONGEST_PARSED)


def _missing(line: str, old: Syntax, language: str) -> list[str]:
    """Returns what of an import a text lacks, as imports."""
    there = [old.text[one.span.start : one.span.end] for one in statements(old) if one.is_import]
    if _plain(line) in map(_plain, there):
        return []
    if language == "go":
        known = {path for one in there for path in _PATHS.findall(one)}
        return [f'import "{path}"' for path in _PATHS.findall(line) if path not in known]
    if language in _BY_NAME:
        return _missing_names(line, imported(_parsed(line, language)), imported(old))
    if language == "rust":
        known = {word for one in there for word in _WORDS.findall(one)}
        return [] if set(_WORDS.findall(line)[-1:]) <= known and there else [line]
    return [line]


def _missing_names(line: str, wanted: Sequence[Imported], known: Sequence[Imported]) -> list[str]:
    """Returns an import, what of it is missing, or nothing."""
    if len(wanted) != 1:
        return [line]
    (one,) = wanted
    same = [other for other in known if other.module == one.module and not other.exported]
    if not one.names:
        return [] if any(not other.names and other.local == one.local for other in same) else [line]
    names = {name for other in same for name in other.names}
    missing = [name for name in one.names if name not in names]
    if len(missing) == len(one.names) or not line.lstrip().startswith("import"):
        return [line] if missing else []
    if any(name.original == "default" for name in missing):
        return [line]
    shown = (n.original if n.original == n.local else f"{n.original} as {n.local}" for n in missing)
    return [f'import {{ {", ".join(shown)} }} from "{one.module}";'] if missing else []


def _plain(line: str) -> str:
    return " ".join(line.split()).rstrip(";")


def _added(old: Syntax, lines: Sequence[str]) -> Edit:
    if not lines:
        return Edit(Span(0, 0), "")
    text = old.text
    there = _first_imports([one for one in statements(old) if not _PACKAGE.match(text, one.span.start)])
    future = [line for line in lines if _FUTURE.match(line)]
    others = [line for line in lines if line not in future]
    if future and there:
        return Edit(Span(there[0].span.start, there[0].span.start), "".join(f"{line}\n" for line in [*future, *others]))
    new = "\n".join([*future, *others])
    if there:
        end = line_end(text, there[-1].span.end)
        return Edit(Span(end, end), f"\n{new}")
    at = head_end(old)
    before = "\n" if at else ""
    after = "\n" if not text[at:] or text[at:].startswith("\n") else "\n\n"
    return Edit(Span(at, at), f"{before}{new}{after}")


def _first_imports(found: Sequence[Statement]) -> list[Statement]:
    """Returns the imports at the head of a file, up to the first other statement after them."""
    first = next((at for at, one in enumerate(found) if one.is_import), None)
    if first is None:
        return []
    after = next((at for at, one in enumerate(found) if at > first and not one.is_import), len(found))
    return list(found[first:after])
