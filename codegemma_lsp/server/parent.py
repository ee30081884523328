"""Ends the server when the editor that started it has ended without a word, as LSP asks of servers (``processId``)."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

_EVERY_S = 2.0
_SYNCHRONIZE, _STILL_RUNNING = 0x0010_0000, 0x102
"""The Windows access right to wait for a process, and the answer of a wait that has timed out."""


def watch(process_id: int | None, on_gone: Callable[[], None], every_s: float = _EVERY_S) -> None:
    """Calls ``on_gone`` in a thread of its own once the process has ended.

    A process that is not there at first is not watched: an editor outside of the server's container names one that
    nobody here knows.
    """
    if process_id is None or process_id <= 0 or not is_running(process_id):
        return

    def wait() -> None:
        while is_running(process_id):
            time.sleep(every_s)
        on_gone()

    threading.Thread(target=wait, name="codegemma-parent", daemon=True).start()


def is_running(process_id: int) -> bool:
    """Returns whether there is such a process."""
    if sys.platform == "win32":
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(_SYNCHRONIZE, False, process_id)
        if not handle:
            return False
        running = ctypes.windll.kernel32.WaitForSingleObject(handle, 0) == _STILL_RUNNING
        ctypes.windll.kernel32.CloseHandle(handle)
        return bool(running)
    try:
        os.kill(process_id, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True
