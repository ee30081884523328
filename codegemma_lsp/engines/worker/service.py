"""Answers the calls of one server, in the process that owns its engines."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeAlias

from codegemma_lsp.engines.protocol import (
    EngineError,
    EngineFailed,
    Generation,
    LoadCancelled,
    OnProgress,
    Priority,
    Progress,
    Request,
)
from codegemma_lsp.engines.scheduler import ScheduledEngine
from codegemma_lsp.engines.worker.messages import (
    Answered,
    Asked,
    Cancel,
    Close,
    Encode,
    Failed,
    Generate,
    Generated,
    Load,
    Loaded,
    Loading,
    MarkupSegment,
    Ping,
    SentPrompt,
    State,
    TextSegment,
    ToProcess,
    ToServer,
    Unread,
    Verdict,
    Written,
)
from codegemma_lsp.prompt import Markup, Prompt, Segment, Text
from codegemma_lsp.settings import Settings

log = logging.getLogger(__name__)

_CLOSED = "The engine was closed before it could answer."

_Result: TypeAlias = Loaded | Generated | tuple[tuple[int, ...], ...] | int | None


class Engines(Protocol):
    """Where a ``Worker`` gets its engines from. Any thread may call it."""

    def take(self, settings: Settings, on_progress: OnProgress) -> ScheduledEngine:
        """Returns a loaded engine. Raises what ``engines.load`` does."""
        ...

    def give_back(self, engine: ScheduledEngine) -> None:
        """Takes an engine that its worker needs no more."""
        ...

    def begin(self, engine: ScheduledEngine) -> None:
        """Takes note that a generation was asked for."""
        ...

    def end(self, engine: ScheduledEngine, outcome: Generation | Exception) -> None:
        """Takes note of the outcome of a generation."""
        ...


class Worker:
    """Answers the calls of one server. Its engines have the number of the call that loaded each.

    Calls are read in one thread. What takes time runs in others: a load and a closing in one each, generations in their
    engine's, and counting tokens in one for all. A server that does not answer within ``patience_s`` seconds whether a
    generation is to end has all its generations cancelled; None waits for ever. Requests of workers with different
    numbers take turns.
    """

    def __init__(
        self, send: Callable[[ToServer], None], engines: Engines, *, patience_s: float | None = None, number: int = 0
    ) -> None:
        self._send, self._engines_of, self._patience_s, self._number = send, engines, patience_s, number
        self._engines: dict[int, ScheduledEngine] = {}
        self._given_up: dict[int, threading.Event] = {}
        """The loads that have not ended, by the number of their call."""
        self._running: dict[int, _Running] = {}
        self._counts: queue.SimpleQueue[Encode | Unread | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        """Held while an engine is kept and while the worker closes, so that each engine is given back."""
        self._is_closed = False
        self.engine_ms = 0.0
        """The milliseconds for which engines have worked on its generations."""
        threading.Thread(target=self._count, name="codegemma-tokens", daemon=True).start()

    def take(self, message: ToProcess) -> None:
        """Begins what a message asks for."""
        match message:
            case Verdict():
                if (running := self._running.get(message.call)) is not None:
                    running.verdicts.put((message.stop, message.given_up))
            case Cancel():
                self._cancel(message.call)
            case Ping():
                self._send(Answered(call=message.call, result=None))
            case Encode() | Unread():
                self._counts.put(message)
            case Generate():
                self._generate(message)
            case Load():
                self._given_up[message.call] = threading.Event()
                self._answer_in_thread(message.call, lambda: self._load(message))
            case Close():
                self._answer_in_thread(message.call, lambda: self._close(message.engine))

    def close(self) -> None:
        """Cancels what runs and gives the engines back, because the server has left."""
        with self._lock:
            self._is_closed = True
        for given_up in list(self._given_up.values()):
            given_up.set()
        self._abandon()
        self._counts.put(None)
        for number in list(self._engines):
            self._close(number)

    def _cancel(self, call: int) -> None:
        if (running := self._running.get(call)) is not None:
            running.cancelled.set()
        elif (given_up := self._given_up.get(call)) is not None:
            given_up.set()

    def _abandon(self, engine: int | None = None) -> None:
        """Cancels the generations of an engine, or all, without asking the server about them any more."""
        for running in list(self._running.values()):
            if engine is None or running.engine == engine:
                running.abandon()

    def _answer_in_thread(self, call: int, work: Callable[[], _Result]) -> None:
        threading.Thread(target=self._answer, args=(call, work), daemon=True).start()

    def _answer(self, call: int, work: Callable[[], _Result]) -> None:
        try:
            self._send(Answered(call=call, result=work()))
        except Exception as error:
            self._send(_failed(call, error))

    def _load(self, message: Load) -> Loaded:
        call, given_up = message.call, self._given_up[message.call]
        last = -1

        def on_progress(share: float) -> bool:
            nonlocal last
            if int(100 * share) > last:
                last = int(100 * share)
                self._send(Loading(call=call, share=share))
            return not given_up.is_set()

        try:
            engine = self._engines_of.take(Settings.model_validate(message.settings), on_progress)
        finally:
            del self._given_up[call]
        with self._lock:
            if not self._is_closed:
                self._engines[call] = engine
                return _loaded(engine)
        self._engines_of.give_back(engine)
        raise LoadCancelled("Loading was given up.")

    def _close(self, number: int) -> None:
        if (engine := self._engines.pop(number, None)) is not None:
            self._abandon(number)
            self._engines_of.give_back(engine)

    def _engine(self, number: int) -> ScheduledEngine:
        try:
            return self._engines[number]
        except KeyError:
            raise EngineFailed(_CLOSED) from None

    def _count(self) -> None:
        while (message := self._counts.get()) is not None:
            self._answer(message.call, lambda message=message: self._counted(message))  # type: ignore[misc]

    def _counted(self, message: Encode | Unread) -> _Result:
        engine = self._engine(message.engine)
        if isinstance(message, Unread):
            return engine.unread(_prompt(message.prompt))
        encode = engine.tokenizer.encode_markup if message.markup else engine.tokenizer.encode
        return tuple(tuple(encode(text)) for text in message.texts)

    def _generate(self, message: Generate) -> None:
        try:
            engine = self._engine(message.engine)
            self._submit(message, engine)
        except EngineFailed as error:
            self._running.pop(message.call, None)
            self._send(_failed(message.call, error))

    def _submit(self, message: Generate, engine: ScheduledEngine) -> None:
        call = message.call
        running = self._running[call] = _Running(message, self._send, self._patience_s, self._abandon)

        def done(outcome: Generation | Exception) -> None:
            self._running.pop(call, None)
            if isinstance(outcome, Generation):
                self.engine_ms += outcome.usage.prefill_ms + outcome.usage.decode_ms
            self._engines_of.end(engine, outcome)
            if message.engine not in self._engines:
                outcome = EngineFailed(_CLOSED)
            self._answer(call, lambda: running.generated(outcome, engine))

        request = Request(
            prompt=_prompt(message.prompt),
            max_tokens=message.max_tokens,
            sampling=message.sampling,
            priority=Priority(message.priority),
            on_text=running.on_text if message.watched else None,
            given_up=running.given_up if message.may_be_given_up else None,
            drafts=message.drafts,
            hint=message.hint,
            progress=running.progress,
        )
        self._engines_of.begin(engine)
        try:
            engine.submit(request, done, running.cancelled, self._number)
        except EngineFailed as error:
            self._engines_of.end(engine, error)
            raise


class _Running:
    """A generation that asks the server after each token. ``on_silence`` is called if it does not answer in time."""

    def __init__(
        self,
        message: Generate,
        send: Callable[[ToServer], None],
        patience_s: float | None,
        on_silence: Callable[[], None],
    ) -> None:
        begun = message.begun
        self.engine = message.engine
        self.cancelled = threading.Event()
        self.verdicts: queue.SimpleQueue[tuple[bool, bool]] = queue.SimpleQueue()
        """For each text that was told, whether the generation ends there, and whether its request is given up."""
        self._is_given_up: bool | None = None
        """What the server has said of it since the last token, which spares asking it a second time for each."""
        self._call, self._send, self._patience_s, self._on_silence = message.call, send, patience_s, on_silence
        self._is_abandoned = False
        self.progress = Progress(
            tokens=list(begun.tokens), logprobs=list(begun.logprobs), ends=list(begun.ends), text=begun.text
        )
        self._told = replace(self.progress, tokens=[*begun.tokens], logprobs=[*begun.logprobs], ends=[*begun.ends])

    def abandon(self) -> None:
        """Cancels it, also while it waits for an answer, and asks no more."""
        self._is_abandoned = True
        self.cancelled.set()
        self.verdicts.put((True, True))

    def on_text(self, _: str) -> bool:
        return self._ask(given_up=False)

    def given_up(self) -> bool:
        known, self._is_given_up = self._is_given_up, None
        return self._ask(given_up=True) if known is None or self._is_abandoned else known

    def _ask(self, *, given_up: bool) -> bool:
        """An abandoned generation is cancelled and not complete."""
        if not self._is_abandoned:
            self._send(Asked(call=self._call, given_up=given_up, written=self._written()))
            try:
                stop, is_given_up = self.verdicts.get(timeout=self._patience_s)
            except queue.Empty:
                log.warning("a window does not answer; its requests are cancelled")
                self._on_silence()
            else:
                if not self._is_abandoned:
                    self._is_given_up = None if given_up else is_given_up
                    return stop
        return given_up

    def _written(self) -> Written:
        """Returns what was generated since it was asked for last."""
        now, told = self.progress, self._told
        new = Written(
            tokens=tuple(now.tokens[len(told.tokens) :]),
            logprobs=tuple(now.logprobs[len(told.logprobs) :]),
            ends=tuple(now.ends[len(told.ends) :]),
            text=now.text[len(told.text) :],
        )
        told.tokens += new.tokens
        told.logprobs += new.logprobs
        told.ends += new.ends
        told.text = now.text
        return new

    def generated(self, outcome: Generation | Exception, engine: ScheduledEngine) -> Generated:
        if isinstance(outcome, Exception):
            raise outcome
        return Generated(
            written=self._written(),
            finish=outcome.finish,
            is_done=self.progress.finish is not None,
            usage=outcome.usage,
            state=_state(engine),
        )


def _prompt(sent: SentPrompt) -> Prompt:
    segments: list[Segment] = []
    for segment in sent.segments:
        if isinstance(segment, TextSegment):
            segments.append(Text(segment.text, ""))
        elif isinstance(segment, MarkupSegment):
            segments.append(Markup(segment.text))
        else:
            segments.append(segment.special)
    return Prompt(segments=tuple(segments), tokens=sent.tokens, forced_prefix=bytes.fromhex(sent.forced_prefix))


def _state(engine: ScheduledEngine) -> State:
    return State(usage=engine.usage, threads=engine.threads, prefill_speed=engine.prefill_speed)


def _loaded(engine: ScheduledEngine) -> Loaded:
    vocabulary = engine.tokenizer
    family = vocabulary.family
    return Loaded(
        name=engine.name,
        context_tokens=engine.context_tokens,
        chat_template=engine.chat_template,
        state=_state(engine),
        family=family.name,
        family_texts=dict(family.texts),
        family_ids=dict(family.ids),
        begins_with_bos=vocabulary.begins_with_bos,
        goes_by_line=vocabulary.goes_by_line,
        pieces=b"".join(vocabulary.pieces).decode("latin-1"),
        lengths=tuple(map(len, vocabulary.pieces)),
        specials=vocabulary.specials,
        names=vocabulary.names,
    )


def _failed(call: int, error: Exception) -> Failed:
    if isinstance(error, EngineError):
        return Failed(call=call, error=type(error).__name__, message=str(error))
    log.debug("a call failed", exc_info=error)
    message = f"The engine failed ({type(error).__name__}: {error}); see the server's log."
    return Failed(call=call, error=EngineError.__name__, message=message)
