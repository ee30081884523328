"""Files named on the command line: read as documents, and written back whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from codegemma_lsp.document import Document
from codegemma_lsp.files import replace_whole
from codegemma_lsp.syntax import language_name

_BOM = b"\xef\xbb\xbf"


class BadPlace(ValueError):
    """Not a place in a file, or one that the file does not have."""


class UnreadableFile(Exception):
    """A file that is no text."""


class NotWritten(Exception):
    """A file that could not be written, and is as it was; ``str()`` is one sentence."""


@dataclass(frozen=True, slots=True)
class File:
    """A file's document, and the bytes that it was read from."""

    path: Path
    document: Document
    raw: bytes


def read(path: Path) -> File:
    """Raises ``BadPlace`` and ``UnreadableFile``."""
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise BadPlace(f"There is no file {path}.") from None
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"{path} is not UTF-8 (byte {error.start + 1} is no text); convert it, or choose another file."
        ) from None
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read ({error.strerror}).") from None
    language = language_name("", path.name) or "plaintext"
    return File(path, Document(path.resolve().as_uri(), text, language), raw)


def shown_path(path: Path, folder: Path) -> str:
    """A path as the model and the user see it: relative to ``folder`` where it is below it, else the name."""
    resolved = path.resolve()
    return resolved.relative_to(folder).as_posix() if resolved.is_relative_to(folder) else resolved.name


def write(path: Path, text: str, expected: bytes | None) -> None:
    """Replaces a file's text in one step; a byte order mark, permissions and links stay. ``expected`` are the bytes
    that it must have now, None where it must not exist. Raises ``NotWritten``."""
    target = path.resolve()
    try:
        if expected is None:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as new:
                new.write(text.encode())
            return
        if target.read_bytes() != expected:
            raise NotWritten(f"{path} has changed meanwhile, so it was left alone; do it again.")
        replace_whole(target, (_BOM if expected.startswith(_BOM) else b"") + text.encode())
    except OSError as error:
        raise NotWritten(f"{path} cannot be written ({error.strerror}); it is as it was.") from None
