"""Counts what became of suggestions, follows what was accepted, and hands the counts to a thread that writes them."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

from codegemma_lsp.completion import Origin, Outcome, Query, Silence
from codegemma_lsp.document import Change, Document
from codegemma_lsp.session.moments import Offered
from codegemma_lsp.usage import Count, Followed, Store, What, follow, kept, new_characters, with_changes

log = logging.getLogger(__name__)

CHECKS = ((30.0, What.FOLLOWED_30S, What.KEPT_30S), (600.0, What.FOLLOWED_10MIN, What.KEPT_10MIN))
"""The numbers of seconds after an acceptance at which its characters are counted."""
_WRITE_S = 10.0
"""The number of seconds for which counts are collected before they are written."""
_MOST_FOLLOWED = 64
_NAME = re.compile(r"[\w.+#-]{1,40}")
_FINER = 1.1
"""The factor between two latencies that are told apart."""
_REASONS = frozenset(
    {
        "the model is unsure",
        "the model has nothing to add",
        "nothing to suggest here",
        "nothing was left that fits the code around the cursor",
        *(why.value for why in Silence),
    }
)
"""The reasons that are counted as they are. Others may name a file."""
_OUTDATED = frozenset(
    {"a newer request took its place", "a more urgent request took its place", "the text has changed"}
)
"""The reasons of answers that nobody waits for any more, which are not counted."""


@dataclass(slots=True)
class _Following:
    followed: Followed
    language: str
    model: str


class Usage:
    """The counts of a session, on the event loop. Writing is done in a thread.

    ``documents`` are the open ones by URI. ``is_on`` says whether anything is counted, and ``model`` names the model
    that completes.
    """

    def __init__(
        self, store: Store, documents: Mapping[str, Document], is_on: Callable[[], bool], model: Callable[[], str]
    ) -> None:
        self._store, self._documents, self._is_on, self._model = store, documents, is_on, model
        self._counts: Counter[tuple[str, str, str, What, str]] = Counter()
        self._following: dict[str, list[_Following]] = {}
        self._shown: dict[str, Offered] = {}
        self._partly: dict[str, int] = {}
        """How much of a suggestion was accepted in parts so far, in code points, by its id."""
        self._writer = ThreadPoolExecutor(1, "codegemma-usage")
        self._timer: asyncio.TimerHandle | None = None

    def completed(self, query: Query, outcome: Outcome) -> None:
        """Counts an outcome: what is shown and how long it took, or why nothing is shown."""
        language = query.document.language
        self._add(What.PREFILL_TOKENS, language, outcome.usage.prefill_tokens)
        self._add(What.COMPLETION_TOKENS, language, outcome.usage.completion_tokens)
        if outcome.suggestion is None and outcome.reason in _OUTDATED:
            return
        if outcome.suggestion is None:
            reason = outcome.reason if outcome.reason in _REASONS else "another reason"
            self._add(What.SILENT, language, detail=reason)
            return
        if "total" in outcome.ms and outcome.origin in (Origin.MODEL, Origin.REUSE):
            self._add(What.LATENCY, language, detail=str(rounded(outcome.ms["total"])))
        now, before = Offered(query, outcome.suggestion), self._shown.get(query.document.uri)
        if before is None or not is_same_showing(before, now):
            self._add(What.SHOWN, language)
        self._shown[query.document.uri] = now

    def accepted(self, offered: Offered, document: Document) -> None:
        """Counts a suggestion that is in the document as a whole, also if parts of it were accepted before."""
        done = self._partly.pop(offered.suggestion.id, 0)
        self._add(What.ACCEPTED, document.language)
        self._take(offered, document, done, len(offered.suggestion.text))

    def partially_accepted(self, offered: Offered, document: Document, units: int) -> None:
        """Counts the first ``units`` UTF-16 units of a suggestion, which are in the document."""
        text, item = offered.suggestion.text, offered.suggestion.id
        length = len(text.encode("utf-16-le")[: 2 * max(0, units)].decode("utf-16-le", "ignore"))
        done = max(self._partly.get(item, 0), offered.query.offset - offered.suggestion.span.start)
        if length <= done:
            return
        if item not in self._partly:
            self._add(What.PARTIALLY_ACCEPTED, document.language)
        self._partly[item] = length
        while len(self._partly) > _MOST_FOLLOWED:
            del self._partly[next(iter(self._partly))]
        self._take(offered, document, done, length)

    def rejected(self, offered: Offered) -> None:
        """Counts a suggestion that the user dismissed."""
        self._add(What.REJECTED, offered.query.document.language)

    def _take(self, offered: Offered, document: Document, start: int, end: int) -> None:
        suggestion = offered.suggestion
        is_whole, at = end == len(suggestion.text), suggestion.span.start
        span = suggestion.span
        replaced = offered.query.document.text[span.start : span.end] if is_whole and not start else ""
        text = suggestion.text[start:end]
        self._add(What.ACCEPTED_CHARACTERS, document.language, max(0, len(text) - len(replaced)))
        followed = follow(document.text, at + start, text, replaced)
        if followed is not None and self._is_on():
            one = _Following(followed, document.language, self._model())
            self._following.setdefault(document.uri, []).append(one)
            del self._following[document.uri][:-_MOST_FOLLOWED]
            for seconds, of, still in CHECKS:
                asyncio.get_running_loop().call_later(seconds, self._check, document.uri, one, of, still)

    def changed(self, document: Document, changes: Sequence[Change]) -> None:
        """Carries along what is followed."""
        for one in self._following.get(document.uri, ()):
            one.followed = with_changes(one.followed, changes)

    def close(self, uri: str) -> None:
        """Ends following. What is not known is not counted."""
        self._following.pop(uri, None)
        self._shown.pop(uri, None)

    def _check(self, uri: str, one: _Following, of: What, still: What) -> None:
        document = self._documents.get(uri)
        if document is None or not any(one is other for other in self._following.get(uri, ())):
            return
        self._count((one.language, one.model), of, new_characters(one.followed))
        self._count((one.language, one.model), still, kept(one.followed, document.text))
        if of is CHECKS[-1][1]:
            self._following[uri] = [other for other in self._following[uri] if other is not one]

    def _add(self, what: What, language: str, amount: int = 1, detail: str = "") -> None:
        self._count((language, self._model()), what, amount, detail)

    def _count(self, about: tuple[str, str], what: What, amount: int, detail: str = "") -> None:
        if not amount or not self._is_on():
            return
        language, model = (one if _NAME.fullmatch(one) else "other" for one in about)
        self._counts[date.today().isoformat(), language, model, what, detail] += amount
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_WRITE_S, self.write)

    def write(self) -> None:
        """Hands what was counted to the thread that writes it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if counts := self._taken():
            self._writer.submit(_write, self._store, counts)

    def _taken(self) -> list[Count]:
        counts, self._counts = self._counts, Counter()
        return [
            Count(day=day, language=language, model=model, what=what, detail=detail, amount=amount)
            for (day, language, model, what, detail), amount in counts.items()
        ]

    async def shut_down(self) -> None:
        """Writes what was counted. Nothing is followed any more."""
        self._following.clear()
        self.write()
        await asyncio.to_thread(self._writer.shutdown)

    def close_now(self) -> None:
        """Does what ``shut_down`` does when no event loop runs any more."""
        if counts := self._taken():
            _write(self._store, counts)


def _write(store: Store, counts: Sequence[Count]) -> None:
    try:
        store.add(counts)
    except (OSError, sqlite3.Error) as error:
        log.warning("what became of suggestions cannot be written to %s (%s)", store.path, error)


def is_same_showing(before: Offered, now: Offered) -> bool:
    """Returns whether a suggestion is the one before, of which a part was typed, or which has grown."""
    start, end = before.query.offset, now.query.offset
    if not now.query.document.text.startswith(before.query.document.text[:start]) or end < start:
        return False
    first, second = _behind(before, start), now.query.document.text[start:end] + _behind(now, end)
    return first.startswith(second) or second.startswith(first)


def _behind(offered: Offered, offset: int) -> str:
    """Returns what a suggestion adds behind the cursor."""
    return offered.suggestion.text[offset - offered.suggestion.span.start :]


def rounded(ms: float) -> int:
    """Returns a number of milliseconds as one of a few that lie about 10% apart, so that a day has few of them."""
    return round(_FINER ** round(math.log(max(1.0, ms), _FINER)))
