"""What the door counts, in the text format of Prometheus."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping

_NAME = "codegemma_lsp"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts requests by path and status, and tokens. ``waiting`` counts the requests for a model that have
    begun and not ended. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._tokens: Counter[str] = Counter()
        self.waiting = 0

    def request(self, path: str, status: int) -> None:
        with self._lock:
            self._requests[path, status] += 1

    def tokens(self, **counts: int) -> None:
        """Adds tokens that were read, found in the cache, and generated."""
        with self._lock:
            self._tokens.update(counts)

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """Returns all metrics. ``gauges`` has further ones, with what each means."""
        with self._lock:
            requests, tokens = dict(self._requests), dict(self._tokens)
        lines = [
            *_head("requests_total", "counter", "Requests by path and status."),
            *(
                f'{_NAME}_requests_total{{path="{path}",status="{status}"}} {count}'
                for (path, status), count in sorted(requests.items())
            ),
            *_head("tokens_total", "counter", "Tokens that were read, found in the cache, and generated."),
            *(
                f'{_NAME}_tokens_total{{kind="{kind}"}} {tokens.get(kind, 0)}'
                for kind in ("read", "cached", "generated")
            ),
        ]
        for name, (about, value) in {
            "waiting": ("Requests for a model that have not ended.", self.waiting),
            **gauges,
        }.items():
            lines += [*_head(name, "gauge", about), f"{_NAME}_{name} {value:g}"]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP {_NAME}_{name} {about}"
    yield f"# TYPE {_NAME}_{name} {kind}"
