"""The program that owns the engines of one server: python -m codegemma_lsp.engines.worker.process

It reads calls from stdin and answers on stdout, and ends when its input does. Whatever a library prints goes to
stderr.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO, TypeAlias

from codegemma_lsp import engines
from codegemma_lsp.engines.priority_gate import PriorityGate
from codegemma_lsp.engines.protocol import (
    EngineError,
    EngineFailed,
    Generation,
    Priority,
    Progress,
    Request,
)
from codegemma_lsp.engines.scheduler import ScheduledEngine
from codegemma_lsp.engines.worker import frames
from codegemma_lsp.engines.worker.messages import (
    TO_PROCESS,
    TO_SERVER,
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

_SWITCH_S = 0.001
"""The maximum number of seconds for which the engine's thread may keep calls from being read."""

_Result: TypeAlias = Loaded | Generated | tuple[tuple[int, ...], ...] | int | None


class Worker:
    """The engines of this process, by the number of the call that loaded each.

    Calls are read in one thread. What takes time runs in others: a load and a closing in one each, generations in their
    engine's, and counting tokens in one for all.
    """

    def __init__(self, send: Callable[[ToServer], None]) -> None:
        self._send = send
        self._gate = PriorityGate()
        self._engines: dict[int, ScheduledEngine] = {}
        self._cancelled: dict[int, threading.Event] = {}
        self._verdicts: dict[int, queue.SimpleQueue[bool]] = {}
        self._counts: queue.SimpleQueue[Encode | Unread] = queue.SimpleQueue()
        threading.Thread(target=self._count, name="codegemma-tokens", daemon=True).start()

    def take(self, message: ToProcess) -> None:
        """Begins what a message asks for."""
        match message:
            case Verdict():
                if (verdicts := self._verdicts.get(message.call)) is not None:
                    verdicts.put(message.stop)
            case Cancel():
                if (cancelled := self._cancelled.get(message.call)) is not None:
                    cancelled.set()
            case Ping():
                self._send(Answered(call=message.call, result=None))
            case Encode() | Unread():
                self._counts.put(message)
            case Generate():
                self._generate(message)
            case Load():
                self._cancelled[message.call] = threading.Event()
                threading.Thread(target=self._answer, args=(message.call, lambda: self._load(message))).start()
            case Close():
                threading.Thread(target=self._answer, args=(message.call, lambda: self._close(message))).start()

    def _answer(self, call: int, work: Callable[[], _Result]) -> None:
        try:
            self._send(Answered(call=call, result=work()))
        except Exception as error:
            self._send(_failed(call, error))

    def _load(self, message: Load) -> Loaded:
        call, cancelled = message.call, self._cancelled[message.call]
        last = -1

        def on_progress(share: float) -> bool:
            nonlocal last
            if int(100 * share) > last:
                last = int(100 * share)
                self._send(Loading(call=call, share=share))
            return not cancelled.is_set()

        try:
            engine = engines.load(Settings.model_validate(message.settings), on_progress, gate=self._gate)
        finally:
            del self._cancelled[call]
        assert isinstance(engine, ScheduledEngine)
        self._engines[call] = engine
        return _loaded(engine)

    def _close(self, message: Close) -> None:
        if (engine := self._engines.pop(message.engine, None)) is not None:
            engine.close()

    def _engine(self, number: int) -> ScheduledEngine:
        try:
            return self._engines[number]
        except KeyError:
            raise EngineFailed("The engine was closed before it could answer.") from None

    def _count(self) -> None:
        while True:
            message = self._counts.get()
            self._answer(message.call, lambda message=message: self._counted(message))  # type: ignore[misc]

    def _counted(self, message: Encode | Unread) -> _Result:
        engine = self._engine(message.engine)
        if isinstance(message, Unread):
            return engine.unread(_prompt(message.prompt))
        encode = engine.tokenizer.encode_markup if message.markup else engine.tokenizer.encode
        return tuple(tuple(encode(text)) for text in message.texts)

    def _generate(self, message: Generate) -> None:
        call = message.call
        verdicts: queue.SimpleQueue[bool] = queue.SimpleQueue()
        running = _Running(call, message.begun, self._send, verdicts)
        self._verdicts[call], self._cancelled[call] = verdicts, threading.Event()

        def done(outcome: Generation | Exception) -> None:
            del self._verdicts[call], self._cancelled[call]
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
        try:
            engine = self._engine(message.engine)
            engine.submit(request, done, self._cancelled[call])
        except EngineFailed as error:
            del self._verdicts[call], self._cancelled[call]
            self._send(_failed(call, error))


class _Running:
    """A generation that asks the server after each token."""

    def __init__(
        self, call: int, begun: Written, send: Callable[[ToServer], None], verdicts: queue.SimpleQueue[bool]
    ) -> None:
        self._call, self._send, self._verdicts = call, send, verdicts
        self.progress = Progress(
            tokens=list(begun.tokens), logprobs=list(begun.logprobs), ends=list(begun.ends), text=begun.text
        )
        self._told = replace(self.progress, tokens=[*begun.tokens], logprobs=[*begun.logprobs], ends=[*begun.ends])

    def on_text(self, _: str) -> bool:
        return self._ask(given_up=False)

    def given_up(self) -> bool:
        return self._ask(given_up=True)

    def _ask(self, *, given_up: bool) -> bool:
        self._send(Asked(call=self._call, given_up=given_up, written=self._written()))
        return self._verdicts.get()

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


def _sender(pipe: BinaryIO) -> Callable[[ToServer], None]:
    """Returns how any thread sends a message. One that nobody reads any more is dropped: this process is about to
    end."""
    door = threading.Lock()

    def send(message: ToServer) -> None:
        data = TO_SERVER.dump_json(message)
        with door:
            try:
                frames.write(pipe, data)
            except (OSError, ValueError):
                log.debug("the server has left")

    return send


def main() -> None:
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in a terminal also reaches the server, which decides
    sys.setswitchinterval(_SWITCH_S)
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    worker = Worker(_sender(out))
    while (message := frames.read(sys.stdin.buffer)) is not None:
        worker.take(TO_PROCESS.validate_json(message))
    os._exit(0)  # a model that is loading or writing is not waited for


if __name__ == "__main__":
    main()
