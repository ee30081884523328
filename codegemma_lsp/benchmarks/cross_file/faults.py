"""What a static checker says of a file, and what all checkers have in common."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from codegemma_lsp.benchmarks.infilling.tasks import BadTasks

_PATIENCE_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A place in a file at which something of another file is used.

    ``line`` and ``column`` are counted from 0, in code points. ``owner`` is the imported class or module as the file
    names it. ``member`` is the member that is used, or "" for a call of ``owner`` itself.
    """

    path: str
    line: int
    column: int
    owner: str
    member: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A line of a file, counted from 0, that a checker's rule refuses. ``need`` is what is missing, if that can be
    told."""

    path: str
    line: int
    rule: str
    need: Need | None


Check: TypeAlias = Callable[[Path, Path, Sequence[str]], list[Fault]]
"""Returns what is wrong in files of a copy of a project, of which the second folder is the original. The files are not
run. Raises ``BadTasks``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checker:
    """A static checker of files with certain suffixes.

    ``stubbed`` returns a text whose imports from its own package, which it is given too, are replaced by empty
    definitions on the same lines.
    """

    suffixes: frozenset[str]
    stubbed: Callable[[str, str], str]
    check: Check


def output_of(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a checker in a folder. Raises ``BadTasks`` if it takes too long."""
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        raise BadTasks(f"Checking {folder.name} takes longer than {_PATIENCE_S} s; name a smaller project.") from None
