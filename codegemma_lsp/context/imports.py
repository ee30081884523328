"""Pieces of other files: what the names that a file imports are, where the workspace has their source."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import TypeAlias

from codegemma_lsp.prompt import OtherFile
from codegemma_lsp.syntax import definition, imported, language_name, parse

ReadFile: TypeAlias = Callable[[str], str | None]
"""The text of a file by its path in the workspace, with ``/``; None where there is none that may be shown."""

REASON = "imported from another file"
_SCRIPTS = (".ts", ".tsx", ".js", ".jsx", ".mts", ".mjs")
_SCRIPT_ENDINGS = ("", *_SCRIPTS, *(f"/index{ending}" for ending in _SCRIPTS))
_MAX_FILES = 8

Target: TypeAlias = tuple[str, tuple[str, ...]]
"""A file that an import may mean, and the names to look for in it."""


def imported_definitions(text: str, path: str, language: str, read: ReadFile) -> tuple[OtherFile, ...]:
    """For each file that this one imports from, outlines of the names that are imported, the file that is
    named last at the end: it is the last to be dropped where there is no room.

    Names that another file only passes on, and modules imported whole, are not followed.
    """
    wanted: dict[str, dict[str, None]] = {}
    for module in imported(parse(text, language)):
        for candidates in targets(module.module, module.names, path):
            found = next(((t, names) for t, names in candidates if t != path and read(t) is not None), None)
            if found is not None:
                wanted.setdefault(found[0], {}).update(dict.fromkeys(found[1]))
    pieces = (_piece(target, tuple(names), read) for target, names in wanted.items())
    return tuple(piece for piece in pieces if piece is not None)[-_MAX_FILES:]


def _piece(target: str, names: tuple[str, ...], read: ReadFile) -> OtherFile | None:
    syntax = parse(read(target) or "", language_name("", target))
    outlines = [outline for name in names if (outline := definition(syntax, name))]
    return OtherFile(target, "\n".join([*outlines, ""]), REASON) if outlines else None


def targets(module: str, names: tuple[str, ...], path: str) -> Iterator[list[Target]]:
    """What an import may mean: for each thing imported, files within the workspace, likeliest first."""
    folder = posixpath.dirname(path)
    if not path.endswith((".py", ".pyi")):
        if module.startswith("."):
            base = posixpath.normpath(posixpath.join(folder, module))
            # TypeScript names the file that it will be compiled to.
            bases = [base, base.removesuffix(".js")] if base.endswith(".js") else [base]
            endings = [(posixpath.normpath(b + ending), names) for b in bases for ending in _SCRIPT_ENDINGS]
            yield [target for target in endings if _inside(target[0])]
        return
    bases = _python_bases(module, folder)
    yield [(f"{base}{ending}", names) for base in bases for ending in (".py", "/__init__.py") if _inside(base)]


def _python_bases(module: str, folder: str) -> list[str]:
    """Paths without an ending that a Python module may be at; none above the workspace."""
    level = len(module) - len(module.lstrip("."))
    inner = module.lstrip(".").replace(".", "/")
    for _ in range(level - 1):
        if not folder:
            return []
        folder = posixpath.dirname(folder)
    roots = [folder] if level else ["", "src", *_parents(folder)]
    return [posixpath.join(root, inner).rstrip("/") for root in dict.fromkeys(roots)]


def _inside(path: str) -> bool:
    return bool(path) and not path.startswith(("/", ".."))


def _parents(folder: str) -> Iterator[str]:
    while folder:
        yield folder
        folder = posixpath.dirname(folder)
