"""Reads the files named on the command line as documents, and writes them back whole or not at all."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from codegemma_lsp.document import Document, display_path
from codegemma_lsp.files import create_whole, replace_whole
from codegemma_lsp.syntax import language_name

_BOM = b"\xef\xbb\xbf"


class BadPosition(ValueError):
    """A text that is no position in a file, or a position that the file does not have."""


class UnreadableFile(Exception):
    """A file that does not exist or is not text."""


class NotWritten(Exception):
    """A file that could not be written and is unchanged. ``str()`` is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file's document, and the bytes from which it was read."""

    path: Path
    document: Document
    raw: bytes


def read(path: Path) -> File:
    """Returns a file with its document. Raises ``UnreadableFile``."""
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise UnreadableFile(f"There is no file {path}.") from None
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"{path} is not UTF-8 (byte {error.start + 1} is no text); convert it, or choose another file."
        ) from None
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read ({error.strerror}).") from None
    language = language_name("", path.name) or "plaintext"
    return File(path=path, document=Document(uri=path.resolve().as_uri(), text=text, language=language), raw=raw)


def standard_input() -> str:
    """Returns all text on standard input. Raises ``UnreadableFile``."""
    if sys.stdin is None:
        raise UnreadableFile("There is no standard input; pipe a text into the command.")
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"Standard input is not UTF-8 (byte {error.start + 1} is no text); convert it first."
        ) from None
    except OSError as error:
        raise UnreadableFile(f"Standard input cannot be read ({error.strerror}).") from None


def shown_path(path: Path, folder: Path) -> str:
    """Returns a path as the model and the user see it, after links are resolved."""
    return display_path(path.resolve(), [folder])


def write(path: Path, text: str, expected: bytes | None) -> None:
    """Replaces a file's text in one step. A byte order mark, permissions and links stay.

    ``expected`` are the bytes that the file must have now, or None if it must not exist. Raises ``NotWritten``.
    """
    target = path.resolve()
    try:
        if expected is None:
            target.parent.mkdir(parents=True, exist_ok=True)
            create_whole(target, text.encode())
            return
        if target.read_bytes() != expected:
            raise NotWritten(f"{path} has changed meanwhile, so it was left alone; do it again.")
        replace_whole(target, (_BOM if expected.startswith(_BOM) else b"") + text.encode())
    except OSError as error:
        raise NotWritten(f"{path} cannot be written ({error.strerror}); it is as it was.") from None
