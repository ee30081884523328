"""What a trial is: cases without end, each drawn from a seed, which pass or fail with one line."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias


class Failed(Exception):
    """The product has done what it must not do. ``str()`` is one line."""


class LeftOut(Exception):
    """A trial cannot run on this machine. ``str()`` is one line that says why."""


Case: TypeAlias = Callable[[random.Random], Awaitable[int]]
"""One case: returns how many of the trial's units it has checked. Raises ``Failed``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One attack.

    ``prepared`` gives its cases, and a folder of its own to it; it is entered again after a failure, and may itself
    raise ``Failed`` when it ends, and ``LeftOut`` when it begins. ``weight`` is the trial's part of the time.
    ``case_s`` is the number of seconds after which a case counts as hung.
    """

    name: str
    about: str
    unit: str
    weight: float
    prepared: Callable[[Path], AbstractAsyncContextManager[Case]]
    case_s: float = 60.0


def check(is_fine: bool, problem: str) -> None:
    """Raises ``Failed`` with the problem unless all is fine."""
    if not is_fine:
        raise Failed(problem)


def shown(value: object, most: int = 300) -> str:
    """Returns a value on one line of limited length."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"
