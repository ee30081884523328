"""Where the engines of a server run, and how much memory their process holds."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PATIENCE_S = 5.0
"""The number of seconds that ``ps`` has to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """The process of a server's engines. ``memory`` is in bytes, or None if it is not known. ``windows`` counts the
    windows that use it, or is 0 if it is not shared, of which ``reason`` is a sentence that says why, or ""."""

    process: int
    memory: int | None
    windows: int = 0
    reason: str = ""

    @property
    def sentence(self) -> str:
        """What is shown to the user."""
        held = "" if self.memory is None else f" and holds {self.memory / 1e6:,.0f} MB of memory"
        if not self.windows:
            return f"The model runs in process {self.process} of this window{held}. {self.reason}".rstrip()
        users = "windows share, now this one alone," if self.windows == 1 else f"{self.windows} windows share"
        return f"The model runs in process {self.process}, which {users}{held}."


def own_process(process: int, reason: str) -> Whereabouts:
    """Returns what is known of a process that only one server uses. It may block."""
    return Whereabouts(process=process, memory=memory_of(process), reason=reason)


def memory_of(process: int) -> int | None:
    """Returns the bytes of memory that a process holds, or None if the system does not tell. It may block."""
    with suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    if sys.platform == "win32":
        return None
    command = ["ps", "-o", "rss=", "-p", str(process)]
    with suppress(OSError, ValueError, subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
        return 1024 * int(done.stdout)
    return None
