"""Computes the figures of the typist's sessions with pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from itertools import pairwise
from statistics import median
from typing import Any

from codegemma_lsp.benchmarks.statistics import percentile_or_none
from codegemma_lsp.benchmarks.typing.replay import Counters
from codegemma_lsp.benchmarks.typing.typist import PAUSE_MS, Amount, TypedSession, right_part

COLD_KEYS = 10
"""The number of keys after which the waits for a system's first answer count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypistFigures:
    """The figures of one session. A key is one press, and an acceptance is one too.

    ``saved_share`` is the share of characters that acceptances wrote. ``right_share`` is the share of keys before which
    a right suggestion was on the screen, without the first key. ``wrong_per_100_keys`` counts each suggestion that was
    wrong when it appeared once. Pauses are those of ``pause_waits``, in milliseconds. ``answered_pauses_share`` is the
    share of them with a suggestion before they ended, and ``quiet_pauses_share`` that of those which were answered with
    nothing. The waits of these do not count, because they depend on the next keys. Tokens and processor seconds are all
    that the server used.
    """

    keys: float
    characters: float
    saved_share: float
    right_share: float
    wrong_per_100_keys: float
    pauses: float
    pause_p50_ms: float | None
    pause_p95_ms: float | None
    answered_pauses_share: float | None
    quiet_pauses_share: float | None
    accepted_whole: float
    accepted_lines: float
    accepted_words: float
    prefill_tokens_per_key: float
    completion_tokens_per_key: float
    cpu_s_per_100_keys: float
    rss_mb: float

    def as_json(self) -> dict[str, Any]:
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


class PauseEnd(StrEnum):
    """How a pause ended: with a suggestion in it, with the answer that there is none, or with neither."""

    SUGGESTION = "suggestion"
    NOTHING = "nothing"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Pause:
    """The milliseconds from a pause's start to the next suggestion, and how the pause ended."""

    wait_ms: float
    end: PauseEnd


def pause_waits(session: TypedSession) -> list[Pause]:
    """Returns the pauses, which are gaps of at least ``PAUSE_MS`` between two keys.

    A pause is left out if the rest of a suggestion is still on the screen, because then nothing is awaited. It is also
    left out among the first ``COLD_KEYS`` keys before the session's first answer, because the opening of files is
    measured separately.

    A pause waits for the next suggestion that was not on the screen before. If it ends without one, the wait continues
    during typing, but not beyond the last key.
    """
    presses, found = session.presses, []
    for number, (press, following) in enumerate(pairwise(presses)):
        answered = session.answered_at is not None and session.answered_at <= press.at
        warm = answered or number >= COLD_KEYS
        if following.gap_ms < PAUSE_MS or press.shown_after or not warm:
            continue
        comes = (shown.since for shown in session.appearances if shown.since >= press.at)
        came = min(comes, default=presses[-1].at)
        nothing = session.nothing_at.get(number, following.at) < following.at
        end = PauseEnd.SUGGESTION if came < following.at else PauseEnd.NOTHING if nothing else PauseEnd.LATE
        found.append(Pause(1000 * (min(came, presses[-1].at) - press.at), end))
    return found


def figures(session: TypedSession, used: Counters) -> TypistFigures:
    """Returns the figures of a session. ``used`` is what the system used during it."""
    presses, task = session.presses, session.task
    keys = max(1, len(presses))
    saved = sum(len(press.text) for press in presses if press.accepted is not None)
    accepted = Counter(press.accepted for press in presses)
    judged = [shown for shown in session.appearances if task.rest(shown.offset)]
    wrong = sum(right_part(shown, task) is None for shown in judged)
    pauses = pause_waits(session)
    ends = Counter(pause.end for pause in pauses)
    waits = [pause.wait_ms for pause in pauses if pause.end is not PauseEnd.NOTHING]
    return TypistFigures(
        keys=len(presses),
        characters=len(task.typed),
        saved_share=saved / max(1, len(task.typed)),
        right_share=sum(press.right_before for press in presses[1:]) / max(1, keys - 1),
        wrong_per_100_keys=100 * wrong / keys,
        pauses=len(pauses),
        pause_p50_ms=percentile_or_none(waits, 50),
        pause_p95_ms=percentile_or_none(waits, 95),
        answered_pauses_share=ends[PauseEnd.SUGGESTION] / len(pauses) if pauses else None,
        quiet_pauses_share=ends[PauseEnd.NOTHING] / len(pauses) if pauses else None,
        accepted_whole=accepted[Amount.WHOLE],
        accepted_lines=accepted[Amount.LINE],
        accepted_words=accepted[Amount.WORD],
        prefill_tokens_per_key=used.prefill_tokens / keys,
        completion_tokens_per_key=used.completion_tokens / keys,
        cpu_s_per_100_keys=100 * used.cpu_s / keys,
        rss_mb=used.rss_mb,
    )


def medians(sessions: Sequence[TypistFigures]) -> TypistFigures:
    """Returns the median of each figure over the sessions that have it. Raises ``ValueError`` if there are no
    sessions."""
    if not sessions:
        raise ValueError("There are no medians of no sessions.")
    by_name = {field.name: [getattr(session, field.name) for session in sessions] for field in fields(TypistFigures)}
    return TypistFigures(**{name: median_or_none(values) for name, values in by_name.items()})  # type: ignore[arg-type]


def median_or_none(values: Sequence[float | None]) -> float | None:
    """Returns the median of the values that are not None, or None."""
    there = [value for value in values if value is not None]
    return float(median(there)) if there else None
