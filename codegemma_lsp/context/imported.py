"""Pieces of other files: what the names that a file imports are, where the workspace has their source."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import TypeAlias

from codegemma_lsp.prompt import Text
from codegemma_lsp.syntax import definition, find_language, imported, parse

ReadFile: TypeAlias = Callable[[str], str | None]
"""The text of a file by its path in the workspace, with ``/``; None where there is none that may be shown."""

REASON = "imported from another file"
_SCRIPT_ENDINGS = ("", ".ts", ".tsx", ".js", ".jsx", ".mjs", "/index.ts", "/index.js")
_MAX_FILES = 8


def imported_definitions(text: str, path: str, language: str, read: ReadFile) -> tuple[Text, ...]:
    """For each file that this one imports from, its path and outlines of the names that are imported: the file whose
    import stands last comes last, so that it is dropped last where there is no room."""
    found: list[Text] = []
    for module in imported(parse(text, language)):
        for target, names in targets(module.module, module.names, path):
            source = read(target)
            if source is None or target == path:
                continue
            other = find_language("", target)
            syntax = parse(source, other.name if other is not None else "")
            outlines = [outline for name in names if (outline := definition(syntax, name))]
            if outlines:
                found.append(Text("\n".join([target, *outlines, ""]), REASON))
            break
    return tuple(found[-_MAX_FILES:])


def targets(module: str, names: tuple[str, ...], path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The files that an import may mean, likeliest first, each with the names to look for in it."""
    folder = posixpath.dirname(path)
    if not path.endswith((".py", ".pyi")):
        if module.startswith("."):
            base = posixpath.normpath(posixpath.join(folder, module))
            yield from ((base + ending, names) for ending in _SCRIPT_ENDINGS)
        return
    level = len(module) - len(module.lstrip("."))
    inner = module.lstrip(".").replace(".", "/")
    for _ in range(level - 1):
        folder = posixpath.dirname(folder)
    roots = [folder] if level else ["", "src", *_parents(folder)]
    for root in dict.fromkeys(roots):
        base = posixpath.join(root, inner) if inner else root
        yield f"{base}.py", names
        yield f"{base}/__init__.py", names


def _parents(folder: str) -> Iterator[str]:
    while folder:
        yield folder
        folder = posixpath.dirname(folder)
