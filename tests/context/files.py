"""Files in memory, as sources of context see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from codegemma_lsp.context import CursorInFile
from codegemma_lsp.syntax import language_name


@dataclass(frozen=True)
class InMemory:
    """Files by their path."""

    texts: Mapping[str, str]

    def read(self, path: str) -> str | None:
        return self.texts.get(path)

    def exists(self, path: str) -> bool:
        return path in self.texts

    def folder(self, path: str) -> tuple[str, ...]:
        start = f"{path}/" if path else ""
        inner = [name.removeprefix(start) for name in self.texts if name.startswith(start)]
        return tuple(sorted({name.split("/")[0] + "/" * ("/" in name) for name in inner}))


def cursor_in(path: str, marked: str) -> CursorInFile:
    """The cursor at the mark ``<CURSOR>`` of a file's text."""
    offset = marked.index("<CURSOR>")
    text = marked.replace("<CURSOR>", "")
    return CursorInFile(path=path, language=language_name("", path), text=text, offset=offset)
