"""The server's side of the process that owns its engines: starts it, calls it, and notices its end."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, BinaryIO, Protocol, cast

from codegemma_lsp.engines import protocol
from codegemma_lsp.engines.asked_lines import sent_text
from codegemma_lsp.engines.generation import as_generation, stop_failed
from codegemma_lsp.engines.protocol import (
    EngineError,
    EngineFailed,
    Finish,
    Generation,
    LoadCancelled,
    OnFailure,
    OnProgress,
    Priority,
    Progress,
    Request,
    Usage,
)
from codegemma_lsp.engines.whereabouts import Whereabouts, own_process
from codegemma_lsp.engines.worker import frames
from codegemma_lsp.engines.worker.messages import (
    TO_PROCESS,
    TO_SERVER,
    Answered,
    Asked,
    Cancel,
    Close,
    Failed,
    Generate,
    Generated,
    Load,
    Loaded,
    Loading,
    Ping,
    ToProcess,
    Unread,
    Verdict,
    Written,
)
from codegemma_lsp.engines.worker.tokenizer import SentTokenizer, sent
from codegemma_lsp.prompt import Prompt
from codegemma_lsp.settings import Settings

log = logging.getLogger(__name__)

_LOOK_S = 0.2
"""The number of seconds after which a load checks whether it was given up, and a process whether it still answers."""
_SILENT_S = 15.0
"""The number of seconds without a sign of life, while it is asked something, after which a process counts as hung."""
HUNG = f"gave no sign of life for {_SILENT_S:.0f} seconds and was ended"
_MOST_RESUMED = 3
"""The number of times that a generation is continued which a shared process has cancelled, because this server was too
slow to answer it."""
_CLOSED = "The engine was closed before it could answer."
_PATIENCE_S = 5.0
"""The number of seconds that a process has to close an engine, to give up a load, or to end."""
_ERRORS = {
    error.__name__: error
    for error in vars(protocol).values()
    if isinstance(error, type) and issubclass(error, EngineError)
}


class Link(Protocol):
    """How a server reaches the process of its engines."""

    @property
    def pid(self) -> int: ...

    @property
    def to_process(self) -> BinaryIO: ...

    @property
    def from_process(self) -> BinaryIO: ...

    @property
    def is_greeted(self) -> bool:
        """Returns whether the process has answered already, so that it has begun."""
        ...

    def hang_up(self) -> None:
        """Tells the process that nothing more is sent. Raises ``OSError`` if it has left."""
        ...

    def leave(self) -> None:
        """Cuts the link, and ends a process that has no other server."""
        ...

    def kill(self) -> None:
        """Ends a process that hangs."""
        ...

    def failure(self, has_hung: bool) -> EngineFailed:
        """Waits until the process has ended or the link is cut, and returns a sentence that says how."""
        ...

    def whereabouts(self) -> Whereabouts:
        """Returns what is known of the process. It may block."""
        ...


class ChildLink:
    """A process of the server's own. ``reason`` is a sentence that says why it shares none, or ""."""

    is_greeted = False

    def __init__(self, reason: str = "") -> None:
        self._reason = reason
        # -P: the folder in which the server was started may be a workspace, and is no place to import from.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "codegemma_lsp.engines.worker.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "GGML_NO_BACKTRACE": "1"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.pid = self._process.pid
        self.to_process = cast(BinaryIO, self._process.stdin)
        self.from_process = cast(BinaryIO, self._process.stdout)

    def hang_up(self) -> None:
        self.to_process.close()

    def leave(self) -> None:
        self._process.kill()

    def kill(self) -> None:
        self._process.kill()

    def failure(self, has_hung: bool) -> EngineFailed:
        code = self._process.wait()
        return EngineFailed(f"The engine's process {HUNG if has_hung else _how(code)}; it starts again.")

    def whereabouts(self) -> Whereabouts:
        return own_process(self.pid, self._reason)


class EngineProcess:
    """The process of one server's engines. It is reached with the first engine and left with the last one, so that
    their memory is given back. Any thread may call it. By default, it is a child of the server."""

    def __init__(self, connect: Callable[[], Link] = ChildLink) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._connection: _Connection | None = None
        self._engines = 0

    def load(
        self, settings: Settings, on_progress: OnProgress = lambda _: True, on_failure: OnFailure = lambda _: None
    ) -> ProcessEngine:
        """Loads a model as ``engines.load`` does. It blocks, so call it in a thread. ``on_failure`` is called in
        another thread if the process ends before the engine is closed. Raises ``ModelNotFound``,
        ``ModelUnusable``, ``LoadCancelled``, and ``EngineFailed`` if the model ends the process."""
        connection = self._enter()
        try:
            number, loaded = connection.load(settings, on_progress)
        except BaseException:
            self._leave(connection)
            raise
        return ProcessEngine(connection, number, loaded, on_failure, lambda: self._leave(connection))

    @property
    def id(self) -> int | None:
        """Returns the process's id, or None if there is no process."""
        link = self._link
        return link.pid if link is not None else None

    def whereabouts(self) -> Whereabouts | None:
        """Returns where the engines run, or None if there is no process. It may block."""
        link = self._link
        return link.whereabouts() if link is not None else None

    @property
    def _link(self) -> Link | None:
        connection = self._connection
        return connection.link if connection is not None and connection.end is None else None

    def _enter(self) -> _Connection:
        with self._lock:
            if self._connection is None or self._connection.end is not None:
                self._connection, self._engines = _Connection(self._connect()), 0
            self._engines += 1
            return self._connection

    def _leave(self, connection: _Connection) -> None:
        with self._lock:
            if connection is not self._connection:
                return
            self._engines -= 1
            if self._engines:
                return
            self._connection = None
        connection.stop()


class _Connection:
    """A link to one process, from its beginning to its end. ``end`` says how it ended, once it has."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.end: EngineFailed | None = None
        self._has_hung = self._is_left = False
        self._numbers = itertools.count()
        self._waiting: dict[int, Future[Any]] = {}
        self._shares: dict[int, float] = {}
        self._listeners: dict[int, Callable[[Asked], None]] = {}
        self.on_failure: dict[int, OnFailure] = {}
        """Called when the process ends, by the engines that are loaded in it."""
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._outgoing: queue.SimpleQueue[ToProcess | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._has_begun = threading.Event()
        """Set when the process has sent something. Starting it can take long."""
        if link.is_greeted:
            self._has_begun.set()
        for work in (self._write, self._read, self._watch):
            threading.Thread(target=work, name=f"codegemma-engines{work.__name__}", daemon=True).start()

    def call(
        self, message: Callable[[int], ToProcess], listener: Callable[[Asked], None] | None = None
    ) -> tuple[int, Future[Any]]:
        """Sends the message that is made with the call's number. Returns that number and the answer, which raises
        ``EngineError``. ``listener`` is called in the reading thread and must return soon."""
        number, answer = next(self._numbers), Future[Any]()
        answer.set_running_or_notify_cancel()  # what was asked is answered, whoever still waits for it
        with self._lock:
            if self.end is not None:
                answer.set_exception(self.end)
                return number, answer
            self._waiting[number] = answer
            if listener is not None:
                self._listeners[number] = listener
        self.send(message(number))
        return number, answer

    def awaits(self, call: int) -> bool:
        """Returns whether a call has not been answered yet."""
        return call in self._waiting

    def send(self, message: ToProcess) -> None:
        """Sends without waiting."""
        self._outgoing.put(message)

    def send_now(self, message: ToProcess) -> None:
        """Sends in the calling thread, which may have to wait. It may overtake what was sent without waiting."""
        data = TO_PROCESS.dump_json(message)
        with self._writing, suppress(OSError, ValueError):  # the process has left, which the reading thread notices
            frames.write(self.link.to_process, data)

    def load(self, settings: Settings, on_progress: OnProgress) -> tuple[int, Loaded]:
        number, answer = self.call(lambda call: Load(call=call, settings=settings.model_dump(mode="json")))
        while True:
            with suppress(TimeoutError):
                return number, cast(Loaded, answer.result(_LOOK_S))
            if not on_progress(self._shares.get(number, 0.0)):
                self._give_up(number, answer)
                raise LoadCancelled("Loading was given up.")

    def _give_up(self, number: int, answer: Future[Any]) -> None:
        """Cancels a load. Some models take no notice, and then take the process with them."""
        self.send(Cancel(call=number))
        try:
            answer.result(_PATIENCE_S)
        except TimeoutError:
            self.link.leave()
        except EngineError:
            return
        else:
            self.call(lambda call: Close(call=call, engine=number))

    def stop(self) -> None:
        """Leaves the process, which ends if no other server needs it."""
        self._is_left = True
        self._outgoing.put(None)
        if not self._ended.wait(_PATIENCE_S):
            self.link.leave()
            self._ended.wait(_PATIENCE_S)

    def _write(self) -> None:
        with suppress(OSError, ValueError):
            while (message := self._outgoing.get()) is not None:
                data = TO_PROCESS.dump_json(message)
                with self._writing:
                    frames.write(self.link.to_process, data)
        with self._writing, suppress(OSError):
            self.link.hang_up()

    def _read(self) -> None:
        """Leaves a process that sends what is no message, because nothing after that can be understood."""
        try:
            self._take_messages()
        except OSError as error:
            log.debug("the engine's process has left (%s)", type(error).__name__)
            self.link.leave()
        except Exception as error:
            log.error("the engine's process sent what is no message (%s)", type(error).__name__)
            self.link.leave()
        self._conclude()

    def _take_messages(self) -> None:
        while (frame := frames.read(self.link.from_process)) is not None:
            self._has_begun.set()
            message = TO_SERVER.validate_json(frame)
            if isinstance(message, Loading):
                self._shares[message.call] = message.share
            elif isinstance(message, Asked):
                self._listeners[message.call](message)
            else:
                self._settle(message)

    def _settle(self, message: Answered | Failed) -> None:
        with self._lock:
            answer = self._waiting.pop(message.call)
            self._shares.pop(message.call, None)
            self._listeners.pop(message.call, None)
        if isinstance(message, Failed):
            answer.set_exception(_ERRORS.get(message.error, EngineError)(message.message))
        else:
            answer.set_result(message.result)

    def _conclude(self) -> None:
        """Fails what still waits, after the process has ended."""
        error = self.link.failure(self._has_hung)
        if self._is_left:
            error = EngineFailed(_CLOSED)
        self.link.from_process.close()
        with self._lock:
            self.end = error
            left = list(self._waiting.values())
            self._waiting.clear()
            self._listeners.clear()
        self._outgoing.put(None)
        self._ended.set()
        for answer in left:
            answer.set_exception(error)
        for on_failure in list(self.on_failure.values()):
            on_failure(error)

    def _watch(self) -> None:
        """Ends a process that is asked something and shows no sign of life."""
        while not self._ended.wait(1.0):
            if not (self._waiting and self._has_begun.is_set()):
                continue
            _, sign = self.call(lambda call: Ping(call=call))
            try:
                sign.result(_SILENT_S)
            except TimeoutError:
                self._has_hung = True
                self.link.kill()
            except EngineError:
                return


class ProcessEngine:
    """An ``Engine`` in another process. Its answers are those of an engine in this one, token by token."""

    def __init__(
        self,
        connection: _Connection,
        number: int,
        loaded: Loaded,
        on_failure: OnFailure,
        on_closed: Callable[[], None],
    ) -> None:
        self._connection, self._number, self._on_closed = connection, number, on_closed
        self.name = loaded.name
        self.context_tokens = loaded.context_tokens
        self.chat_template = loaded.chat_template
        self._state = loaded.state
        self.tokenizer = SentTokenizer(loaded, number, lambda message: connection.call(message)[1].result())
        self._is_closed = False
        self._running: dict[int, Future[Any]] = {}
        """The generations that have not ended, by the identity of their progress."""
        self._failed: dict[int, EngineError] = {}
        """Why the ends of generations could not be told, by the same."""
        self._given_up: set[int] = set()
        """The generations that ended because their request was given up, by the same."""
        self._asked: queue.SimpleQueue[tuple[Asked, Request, Progress] | None] = queue.SimpleQueue()
        connection.on_failure[number] = on_failure
        threading.Thread(target=self._decide, name=f"codegemma-{self.name}", daemon=True).start()

    @property
    def usage(self) -> Usage:
        return self._state.usage

    @property
    def threads(self) -> int:
        return self._state.threads

    @property
    def prefill_speed(self) -> float:
        return self._state.prefill_speed

    @property
    def idle(self) -> bool:
        return not self._running

    def unread(self, prompt: Prompt) -> int:
        given = sent(prompt)
        _, answer = self._connection.call(lambda call: Unread(call=call, engine=self._number, prompt=given))
        return int(answer.result())

    async def generate(self, request: Request) -> Generation:
        progress = request.progress if request.progress is not None else Progress()
        # A generation that was cancelled a moment ago may still add to its progress.
        while (before := self._running.get(id(progress))) is not None:
            await asyncio.wait([asyncio.wrap_future(before)])
        if progress.finish is not None:
            return as_generation(progress, progress.finish, Usage())
        if self._is_closed:
            raise EngineFailed(_CLOSED)
        generated = await self._generated(request, progress)
        for _ in range(_MOST_RESUMED):
            if not self._was_cut_short(request, progress, generated):
                break
            generated = await self._generated(request, progress)
        return as_generation(progress, generated.finish, generated.usage)

    def _was_cut_short(self, request: Request, progress: Progress, generated: Generated) -> bool:
        """Returns whether a generation was cancelled that is still wanted, and that gives way to none."""
        is_cut = generated.finish is Finish.CANCELLED and request.priority <= Priority.CHAT
        return is_cut and not self._is_closed and id(progress) not in self._given_up

    async def _generated(self, request: Request, progress: Progress) -> Generated:
        self._given_up.discard(id(progress))
        number, answer = self._begin(request, progress)
        try:
            generated: Generated = await asyncio.wrap_future(answer)
        except asyncio.CancelledError:
            self._connection.send(Cancel(call=number))
            raise
        finally:
            failure = self._failed.pop(id(progress), None)
        if failure is not None:
            raise failure
        return generated

    def _begin(self, request: Request, progress: Progress) -> tuple[int, Future[Any]]:
        prompt, engine = sent(request.prompt), self._number
        begun = Written(
            tokens=tuple(progress.tokens),
            logprobs=tuple(progress.logprobs),
            ends=tuple(progress.ends),
            text=progress.text,
        )
        number, answer = self._connection.call(
            lambda call: Generate(
                call=call,
                engine=engine,
                prompt=prompt,
                max_tokens=request.max_tokens,
                sampling=request.sampling,
                priority=request.priority,
                drafts=request.drafts,
                hint=sent_text(request.hint),
                begun=begun,
                watched=request.on_text is not None,
                may_be_given_up=request.given_up is not None,
            ),
            lambda asked: self._take(asked, request, progress),
        )
        self._running[id(progress)] = answer
        answer.add_done_callback(lambda done: self._ended(progress, done))
        return number, answer

    def _take(self, asked: Asked, request: Request, progress: Progress) -> None:
        """Adds what was generated, in the reading thread, so that it keeps its order with the end of a generation that
        did not wait for the answer."""
        _add(progress, asked.written)
        self._asked.put((asked, request, progress))

    def _ended(self, progress: Progress, answer: Future[Any]) -> None:
        if answer.exception() is None:
            generated: Generated = answer.result()
            _add(progress, generated.written)
            progress.finish = generated.finish if generated.is_done else None
            self._state = generated.state
        self._running.pop(id(progress), None)

    def _decide(self) -> None:
        """Answers what the process asks after each token, in a thread of its own, because it takes its time."""
        while (one := self._asked.get()) is not None:
            asked, request, progress = one
            if not self._connection.awaits(asked.call):
                continue
            try:
                stop = _stops(asked, request, progress)
                given_up = not stop and _is_given_up(request)
            except Exception as error:
                log.debug("a stop rule failed", exc_info=error)
                self._failed[id(progress)] = stop_failed(error)
                stop, given_up = True, False
            if asked.given_up:
                stop = given_up = stop or given_up
            if given_up:
                self._given_up.add(id(progress))
            self._connection.send_now(Verdict(call=asked.call, stop=stop, given_up=given_up))

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._connection.on_failure.pop(self._number, None)
        _, answer = self._connection.call(lambda call: Close(call=call, engine=self._number))
        try:
            answer.result(_PATIENCE_S)
        except TimeoutError:
            self._connection.link.leave()
        except EngineError as error:
            log.debug("closing: %s", error)
        self._asked.put(None)
        self._on_closed()


def _stops(asked: Asked, request: Request, progress: Progress) -> bool:
    return not asked.given_up and request.on_text is not None and request.on_text(progress.text)


def _is_given_up(request: Request) -> bool:
    return request.given_up is not None and request.given_up()


def _add(progress: Progress, written: Written) -> None:
    progress.tokens += written.tokens
    progress.logprobs += written.logprobs
    progress.ends += written.ends
    progress.text += written.text


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
