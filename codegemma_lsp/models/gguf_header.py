"""What the header of a GGUF file says of a model, read without loading it.

The package ``gguf`` reads whole vocabularies into objects first, which takes seconds, and only training installs it.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from codegemma_lsp.models.store import MAGIC

_KEY = b".context_length"
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""The bytes of a value by the number of its type."""
_WHOLE_NUMBERS = {4: "<I", 5: "<i", 10: "<Q", 11: "<q"}
_TEXT, _LIST = 8, 9
_MOST_KEYS = 10_000
_LONGEST_KEY = 65_535


def trained_tokens(path: Path) -> int | None:
    """Returns the number of tokens of context that a model was trained with, or None if its file does not say."""
    try:
        age = path.stat().st_mtime_ns
    except OSError:
        return None
    return _trained_tokens(path, age)


@lru_cache(maxsize=64)
def _trained_tokens(path: Path, _: int) -> int | None:
    try:
        with path.open("rb") as file:
            return _found(file)
    except (OSError, ValueError, OverflowError, struct.error):
        return None


def _found(file: BinaryIO) -> int | None:
    """Raises ``ValueError`` and ``struct.error`` for what is no GGUF file."""
    if file.read(len(MAGIC)) != MAGIC:
        return None
    _, _, keys = _unpacked(file, "<IQQ")
    for _ in range(min(keys, _MOST_KEYS)):
        key = file.read(min(_number(file, "<Q"), _LONGEST_KEY))
        kind = _number(file, "<I")
        if key.endswith(_KEY) and kind in _WHOLE_NUMBERS:
            return _number(file, _WHOLE_NUMBERS[kind])
        _skip(file, kind)
    return None


def _skip(file: BinaryIO, kind: int) -> None:
    if kind == _TEXT:
        file.seek(_number(file, "<Q"), 1)
    elif kind == _LIST:
        inner, count = _unpacked(file, "<IQ")
        if inner != _TEXT:
            file.seek(count * _size(inner), 1)
            return
        for _ in range(count):
            _skip(file, inner)
    else:
        file.seek(_size(kind), 1)


def _size(kind: int) -> int:
    if kind not in _SIZES:
        raise ValueError(kind)
    return _SIZES[kind]


def _number(file: BinaryIO, shape: str) -> int:
    (number,) = _unpacked(file, shape)
    return number


def _unpacked(file: BinaryIO, shape: str) -> tuple[int, ...]:
    return struct.unpack(shape, file.read(struct.calcsize(shape)))
