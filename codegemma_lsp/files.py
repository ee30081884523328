"""Files that are written: whole or not at all, and whether they can be, looked at before an hour's work."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path


class BadOutput(Exception):
    """Nothing can be written there; ``str()`` is a sentence that says what to do."""


def check_writable(*paths: Path | None) -> None:
    """Raises ``BadOutput``."""
    for path in paths:
        if path is not None and not path.absolute().parent.is_dir():
            raise BadOutput(f"There is no folder {path.absolute().parent}; make it first, or name another file.")
        if path is not None and path.is_dir():
            raise BadOutput(f"{path} is a folder; name a file.")


def check_picture(path: Path | None, extra: str) -> None:
    """Raises ``BadOutput`` where matplotlib is missing, which ``extra`` brings, or cannot write such a file."""
    if path is None:
        return
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        raise BadOutput(f"The package matplotlib is missing; pip install 'codegemma-lsp[{extra}]' brings it.") from None
    if path.suffix.removeprefix(".") not in FigureCanvasBase.get_supported_filetypes():
        raise BadOutput(f"A plot cannot be written as {path.name}; name a file that ends in .png, .svg or .pdf.")


def replace_whole(target: Path, content: bytes) -> None:
    """Puts ``content`` in a file's place in one step; permissions stay, a new file may be read by everybody. Raises
    ``OSError``, with the file as it was."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, name)
        else:
            Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
