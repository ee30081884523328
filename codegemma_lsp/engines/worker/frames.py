"""Messages on a pipe: the length of a message in bytes as four bytes, most significant first, and then the message."""

from __future__ import annotations

import struct
from typing import BinaryIO

_LENGTH = struct.Struct(">I")


def framed(message: bytes) -> bytes:
    """Returns a message as it is written."""
    return _LENGTH.pack(len(message)) + message


def write(pipe: BinaryIO, message: bytes) -> None:
    """Raises ``OSError`` or ``ValueError`` if the other side has left or the pipe is closed."""
    pipe.write(framed(message))
    pipe.flush()


def read(pipe: BinaryIO) -> bytes | None:
    """Returns the next message, or None if the other side has left."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(head)
    message = pipe.read(size)
    return message if len(message) == size else None
