"""Which models ended the host, kept in its folder, so that no window has one loaded again and again."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from pathlib import Path

from codegemma_lsp.files import replace_whole

log = logging.getLogger(__name__)

MOST_ENDS = 3
"""The number of times in a row that a model may end the host. After that it is not loaded any more."""
_KEPT = 50
"""The number of models that are remembered."""


class Record:
    """Counts, for each model, how often the host ended while it loaded the model or generated with it. One answer
    clears a model's count. Any thread may call it."""

    def __init__(self, path: Path) -> None:
        """Reads the file, in which a host that was ended has left what it was busy with."""
        self._path, self._lock = path, threading.Lock()
        self._busy: Counter[str] = Counter()
        self._ends = _read(path)
        self._write()

    def ends(self, model: str) -> int:
        """Returns how often in a row a model has ended the host."""
        return self._ends.get(model, 0)

    def begin(self, model: str) -> None:
        """Takes note that a model begins to be loaded, or to generate."""
        with self._lock:
            self._busy[model] += 1
            self._write()

    def finish(self, model: str, times: int = 1) -> None:
        """Takes note that what was begun so many times has not ended the host."""
        with self._lock:
            self._busy[model] -= times
            self._write()

    def clear(self, model: str) -> None:
        """Takes note that a model has answered."""
        with self._lock:
            if self._ends.pop(model, 0):
                self._write()

    def leave(self) -> None:
        """Takes note that the host ends by itself, whatever it is busy with."""
        with self._lock:
            self._busy.clear()
            self._write()

    def _write(self) -> None:
        """A record that cannot be written costs the count, but no answer."""
        content = {"busy": sorted(+self._busy), "ends": self._ends}
        try:
            replace_whole(self._path, json.dumps(content).encode())
        except OSError as error:
            log.warning("the record of models cannot be written (%s)", error.strerror)


def _read(path: Path) -> dict[str, int]:
    """Returns the counts, with those models counted once more with which the last host was busy."""
    try:
        content = json.loads(path.read_text("utf-8"))
        ends = {str(model): int(count) for model, count in content["ends"].items()}
        busy = [str(model) for model in content["busy"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    for model in busy:
        ends[model] = ends.pop(model, 0) + 1  # the latest are last
    return dict(list(ends.items())[-_KEPT:])
