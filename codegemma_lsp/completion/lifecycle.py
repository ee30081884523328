"""When a stream begins, continues and ends, as one table of phases and events, without a clock and without an engine.

A stream is one generation that outlives the request that began it, for as long as the typed text agrees with what it
generates::

               asked                    shown
    IDLE ──────────────▶ AWAITED ───────────────▶ GROWING
      ▲                   │   ▲                      │
      │        abandoned  │   │ asked          asked │ (what is shown is used up)
      │                   ▼   │                      │
      │                 LINGERING                    │
      └──────────────────────────────────────────────┘
        finished · typed otherwise · timed out · closed
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TypeAlias


class Phase(Enum):
    """The phase of a document's stream.

    In ``AWAITED``, a request waits for the stream. In ``GROWING``, all requests have been answered from what was
    generated so far. In ``LINGERING``, the last request was cancelled, and the next change may still agree with the
    stream.
    """

    IDLE = auto()
    AWAITED = auto()
    GROWING = auto()
    LINGERING = auto()


class Event(Enum):
    """What happens to a document and its stream.

    ``ASKED`` is a request that the stream may answer, and ``ASKED_ELSEWHERE`` is one that it cannot answer. ``SHOWN``
    means that the last waiting request was answered while the stream continues, and ``ABANDONED`` that it was cancelled
    instead.
    """

    ASKED = auto()
    ASKED_ELSEWHERE = auto()
    SHOWN = auto()
    ABANDONED = auto()
    TYPED_ALONG = auto()
    TYPED_OTHERWISE = auto()
    TIMED_OUT = auto()
    FINISHED = auto()
    CLOSED = auto()


class Action(Enum):
    """What the owner of the stream must do, in the order of the step."""

    STOP_TIMER = auto()
    END = auto()
    START = auto()
    START_TIMER = auto()


Step: TypeAlias = tuple[Phase, tuple[Action, ...]]

_TRANSITIONS: dict[tuple[Phase, Event], Step] = {
    (Phase.IDLE, Event.ASKED): (Phase.AWAITED, (Action.START,)),
    (Phase.IDLE, Event.ASKED_ELSEWHERE): (Phase.AWAITED, (Action.START,)),
    (Phase.AWAITED, Event.ASKED_ELSEWHERE): (Phase.AWAITED, (Action.END, Action.START)),
    (Phase.AWAITED, Event.SHOWN): (Phase.GROWING, ()),
    (Phase.AWAITED, Event.ABANDONED): (Phase.LINGERING, (Action.START_TIMER,)),
    (Phase.AWAITED, Event.TYPED_OTHERWISE): (Phase.IDLE, (Action.END,)),
    (Phase.AWAITED, Event.FINISHED): (Phase.IDLE, ()),
    (Phase.AWAITED, Event.CLOSED): (Phase.IDLE, (Action.END,)),
    (Phase.GROWING, Event.ASKED): (Phase.AWAITED, ()),
    (Phase.GROWING, Event.ASKED_ELSEWHERE): (Phase.AWAITED, (Action.END, Action.START)),
    (Phase.GROWING, Event.TYPED_OTHERWISE): (Phase.IDLE, (Action.END,)),
    (Phase.GROWING, Event.FINISHED): (Phase.IDLE, ()),
    (Phase.GROWING, Event.CLOSED): (Phase.IDLE, (Action.END,)),
    (Phase.LINGERING, Event.ASKED): (Phase.AWAITED, (Action.STOP_TIMER,)),
    (Phase.LINGERING, Event.ASKED_ELSEWHERE): (Phase.AWAITED, (Action.STOP_TIMER, Action.END, Action.START)),
    (Phase.LINGERING, Event.TYPED_ALONG): (Phase.LINGERING, (Action.STOP_TIMER, Action.START_TIMER)),
    (Phase.LINGERING, Event.TYPED_OTHERWISE): (Phase.IDLE, (Action.STOP_TIMER, Action.END)),
    (Phase.LINGERING, Event.TIMED_OUT): (Phase.IDLE, (Action.END,)),
    (Phase.LINGERING, Event.FINISHED): (Phase.IDLE, (Action.STOP_TIMER,)),
    (Phase.LINGERING, Event.CLOSED): (Phase.IDLE, (Action.STOP_TIMER, Action.END)),
}


def step(phase: Phase, event: Event) -> Step:
    """Returns the phase and the actions that follow an event. An event that has no meaning in a phase changes
    nothing."""
    return _TRANSITIONS.get((phase, event), (phase, ()))
