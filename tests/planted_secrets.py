"""Secrets that no prompt may have, and the lines of code in which they stand."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator

_DIGITS_AND_LETTERS = string.ascii_letters + string.digits
_Kind = Callable[[random.Random], tuple[str, str]]
_KINDS: tuple[_Kind, ...] = (
    lambda rng: ('password = "{}"', drawn(rng, 12)),
    lambda rng: ('"api_key": "{}",', drawn(rng, 24)),
    lambda rng: ("export SECRET_KEY='{}'", drawn(rng, 32)),
    lambda rng: ('aws = "{}"', f"AKIA{drawn(rng, 16, string.ascii_uppercase + string.digits)}"),
    lambda rng: ("token: {}", f"ghp_{drawn(rng, 36)}"),
    lambda rng: ('stripe.api_key = "{}"', f"sk_live_{drawn(rng, 24)}"),
    lambda rng: ('db = "postgres://shop:{}@db.internal/shop"', drawn(rng, 10)),
    lambda rng: (
        'SLACK = "{}"',
        f"xoxb-{drawn(rng, 12, string.digits)}-{drawn(rng, 12, string.digits)}-{drawn(rng, 24)}",
    ),
)
IN_PYTHON = (0, 3, 5, 6, 7)
"""The kinds whose lines are statements of Python."""


def drawn(rng: random.Random, size: int, of: str = _DIGITS_AND_LETTERS) -> str:
    """Random characters."""
    return "".join(rng.choice(of) for _ in range(size))


def secret(rng: random.Random, kind: int) -> tuple[str, str]:
    """A line with a secret of a kind, which is taken modulo their number, and the secret."""
    line, text = _KINDS[kind % len(_KINDS)](rng)
    return line.format(text), text


def planted(count: int, seed: int = 5) -> Iterator[tuple[str, str]]:
    """Yields lines of code with a secret, and the secret, one kind after the other."""
    rng = random.Random(seed)
    for number in range(count):
        yield secret(rng, number)
