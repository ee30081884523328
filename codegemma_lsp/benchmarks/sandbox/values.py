"""Copies literals from one process to another as JSON. A test of a program thereby sees values, and no objects of the
program, which could say that they equal anything."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

_LONGEST = 100_000
"""The number of values of an iterator that are copied."""


class Other:
    """A value that is no literal. It equals nothing but itself."""


def encoded(value: object) -> Any:
    """Returns a JSON value for a literal, for what holds literals, or for an iterator, which is used up. A value of a
    subclass counts as one of the type itself."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    for kind, parts in _WRITERS.items():
        if isinstance(value, kind):
            return [kind.__name__, *parts(value)]
    return ["Other"]


def decoded(value: Any) -> Any:
    """Returns what ``encoded`` was given, or ``Other``. Raises ``LookupError``, ``TypeError`` or ``ValueError`` if the
    value is none of its results."""
    if value is None or isinstance(value, bool | str):
        return value
    kind, *parts = value
    return _READERS[kind](parts)


def _each(values: Iterable[object]) -> list[Any]:
    return [encoded(one) for one in values]


_WRITERS: dict[type, Callable[[Any], list[Any]]] = {
    int: lambda value: [hex(value)],
    float: lambda value: [value.hex()],
    complex: lambda value: [value.real.hex(), value.imag.hex()],
    bytes: lambda value: [value.hex()],
    bytearray: lambda value: [value.hex()],
    range: lambda value: [value.start, value.stop, value.step],
    deque: _each,
    list: _each,
    tuple: _each,
    set: _each,
    frozenset: _each,
    dict: lambda value: [[encoded(key), encoded(one)] for key, one in value.items()],
    Iterator: lambda value: _each(islice(value, _LONGEST)),
}
_READERS: dict[str, Callable[[list[Any]], Any]] = {
    "int": lambda parts: int(parts[0], 16),
    "float": lambda parts: float.fromhex(parts[0]),
    "complex": lambda parts: complex(float.fromhex(parts[0]), float.fromhex(parts[1])),
    "bytes": lambda parts: bytes.fromhex(parts[0]),
    "bytearray": lambda parts: bytearray.fromhex(parts[0]),
    "range": lambda parts: range(*map(int, parts)),
    "deque": lambda parts: deque(decoded(one) for one in parts),
    "Iterator": lambda parts: iter([decoded(one) for one in parts]),
    "list": lambda parts: [decoded(one) for one in parts],
    "tuple": lambda parts: tuple(decoded(one) for one in parts),
    "set": lambda parts: {decoded(one) for one in parts},
    "frozenset": lambda parts: frozenset(decoded(one) for one in parts),
    "dict": lambda parts: {decoded(key): decoded(one) for key, one in parts},
    "Other": lambda parts: Other(),
}
