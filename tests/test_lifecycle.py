"""A stream's life: every order of what may happen to a document, and the few orders that tell the story."""

from __future__ import annotations

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from codegemma_lsp.completion.lifecycle import Action, Event, Phase, step


def lived(*events: Event) -> tuple[Phase, list[Action]]:
    """The phase after some events, and all that was done."""
    phase, done = Phase.IDLE, list[Action]()
    for event in events:
        phase, actions = step(phase, event)
        done += actions
    return phase, done


def test_typing_along_keeps_the_one_stream() -> None:
    phase, done = lived(
        Event.ASKED, Event.TYPED_ALONG, Event.ABANDONED, Event.ASKED, Event.SHOWN, Event.TYPED_ALONG, Event.FINISHED
    )
    assert phase is Phase.IDLE
    assert [action for action in done if action in (Action.START, Action.END)] == [Action.START]


def test_typing_otherwise_ends_it_at_once() -> None:
    assert lived(Event.ASKED, Event.SHOWN, Event.TYPED_OTHERWISE) == (Phase.IDLE, [Action.START, Action.END])


def test_a_request_elsewhere_begins_anew() -> None:
    assert lived(Event.ASKED, Event.ASKED_ELSEWHERE) == (Phase.AWAITED, [Action.START, Action.END, Action.START])


def test_what_nobody_asks_for_any_more_ends_by_itself() -> None:
    assert lived(Event.ASKED, Event.ABANDONED, Event.TIMED_OUT) == (
        Phase.IDLE,
        [Action.START, Action.START_TIMER, Action.END],
    )


class Life(RuleBasedStateMachine):
    """The owner of a stream, as far as the table sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.phase, self.streams, self.timers, self.waiting = Phase.IDLE, 0, 0, False

    def on(self, event: Event) -> None:
        self.phase, actions = step(self.phase, event)
        for action in actions:
            self.streams += {Action.START: 1, Action.END: -1}.get(action, 0)
            self.timers += {Action.START_TIMER: 1, Action.STOP_TIMER: -1}.get(action, 0)
        if event in (Event.FINISHED,) and self.streams:
            self.streams -= 1

    @rule()
    def asked(self) -> None:
        self.on(Event.ASKED)
        self.waiting = True

    @rule()
    def asked_elsewhere(self) -> None:
        self.on(Event.ASKED_ELSEWHERE)
        self.waiting = True

    @precondition(lambda self: self.waiting)
    @rule()
    def shown(self) -> None:
        self.on(Event.SHOWN)
        self.waiting = False

    @precondition(lambda self: self.waiting)
    @rule()
    def abandoned(self) -> None:
        self.on(Event.ABANDONED)
        self.waiting = False

    @rule()
    def typed_along(self) -> None:
        self.on(Event.TYPED_ALONG)

    @rule()
    def typed_otherwise(self) -> None:
        self.on(Event.TYPED_OTHERWISE)
        self.waiting = False

    @precondition(lambda self: self.timers)
    @rule()
    def timed_out(self) -> None:
        self.timers -= 1
        self.on(Event.TIMED_OUT)

    @precondition(lambda self: self.streams)
    @rule()
    def finished(self) -> None:
        self.on(Event.FINISHED)
        self.waiting = False

    @rule()
    def closed(self) -> None:
        self.on(Event.CLOSED)
        self.waiting = False

    @invariant()
    def at_most_one_stream_runs_and_none_when_idle(self) -> None:
        assert self.streams == (0 if self.phase is Phase.IDLE else 1)

    @invariant()
    def a_timer_runs_while_it_lingers_and_only_then(self) -> None:
        assert self.timers == (1 if self.phase is Phase.LINGERING else 0)

    @invariant()
    def who_waits_has_a_stream(self) -> None:
        assert not self.waiting or self.phase is Phase.AWAITED


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
