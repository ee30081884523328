"""An engine for models that run on a server with OpenAI's interface, such as llama-server, Ollama, vLLM or LM Studio.

One thread with an event loop of its own speaks to the server, because ``on_text`` takes its time, and because a pool of
connections belongs to one loop. What the server cannot do is left out: healing, drafts, and waiting for other engines.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace

import httpx2

from codegemma_lsp.engines.backends.openai_address import parse_address
from codegemma_lsp.engines.backends.openai_chat import Echo, turns_of
from codegemma_lsp.engines.backends.openai_server import (
    SILENT_S,
    About,
    Breaker,
    Kind,
    Server,
    broken,
    failure,
    look,
    may_pass,
    not_json,
    refusal,
)
from codegemma_lsp.engines.backends.openai_tokens import (
    ESTIMATED_BYTES,
    EstimatingTokenizer,
    ServerTokenizer,
    tokenizer,
)
from codegemma_lsp.engines.backends.openai_wire import Asked, Piece, first_end, piece_of, request_of, stops, write
from codegemma_lsp.engines.generation import as_generation, stop_failed
from codegemma_lsp.engines.protocol import (
    EngineFailed,
    Finish,
    Generation,
    LoadCancelled,
    OnProgress,
    Priority,
    Progress,
    PromptTooLong,
    Request,
    ServerFailed,
    Usage,
    total,
)
from codegemma_lsp.engines.selection import is_for_chat
from codegemma_lsp.prompt import BY_NAME, PLAIN, InfillFormat, Prompt, Text, family_by_name, unmistakable
from codegemma_lsp.settings import Settings

log = logging.getLogger(__name__)

_RETRIES = 2
_PAUSE_S = 0.2
_PATIENCE_S = 5.0
"""The number of seconds that requests have to end when the engine closes."""
_KNOWN_FOR_S = 10.0
"""The number of seconds without an answer after which the server may have been started with another model."""
_CLOSED = "The engine was closed before it could answer."
_jitter = random.SystemRandom()


@dataclass(slots=True, kw_only=True)
class _Job:
    """A running request. ``gave_way`` says that it was cancelled for a more urgent one."""

    request: Request
    progress: Progress
    task: asyncio.Task[Generation]
    asked_at: float = field(default_factory=time.perf_counter)
    began: bool = False
    gave_way: bool = False
    usage: Usage = field(default_factory=Usage)
    echo: Echo = field(default_factory=lambda: Echo(""))


class OpenAIEngine:
    """An ``Engine`` on a server. Closing the connection is how a request is cancelled."""

    threads = 0
    prefill_speed = 0.0

    def __init__(self, settings: Settings, on_progress: OnProgress = lambda _: True) -> None:
        """Asks the server what it is. It blocks, so call it in a thread. Raises ``ModelNotFound``, ``ModelUnusable``,
        ``LoadCancelled``, ``ServerFailed``."""
        self._address = parse_address(settings.model, allow_plain_http=settings.allow_plain_http)
        self._server = Server(self._address)
        try:
            self._about = look(self._server)
            if not on_progress(0.5):
                raise LoadCancelled("Loading was given up.")
            self.tokenizer = _tokenizer(self._server, self._about, settings.infill_format)
        except BaseException:
            self._server.close()
            raise
        self.name = self._about.model
        renders = self._about.kind is Kind.LLAMA_SERVER
        self.chat_template = self._about.chat_template if renders else PLAIN
        chat_tokens = self._about.chat_context_tokens if is_for_chat(settings) else 0
        most = chat_tokens or self._about.context_tokens or settings.context_tokens
        self.context_tokens = min(settings.context_tokens, most)
        self.usage = Usage()
        self._seen_at = time.monotonic()
        self._ends = unmistakable(self.tokenizer.family)
        self.breaker = Breaker()
        self._jobs: list[_Job] = []
        self._lock = threading.Lock()
        self._is_closed = False
        self._loop = asyncio.new_event_loop()
        self._client = httpx2.AsyncClient(**self._server.options(SILENT_S))
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"codegemma-{self.name}", daemon=True)
        self._thread.start()

    def unread(self, prompt: Prompt) -> int:
        """Returns 0, because the server does not tell what is in its cache."""
        return 0

    @property
    def idle(self) -> bool:
        return not self._jobs

    async def generate(self, request: Request) -> Generation:
        """Returns the answer to a request. Cancelling closes the connection. Raises ``PromptTooLong``,
        ``ModelUnusable``, ``ModelNotFound``, ``ServerFailed``, ``EngineFailed``."""
        answer = self._begin(request)
        try:
            return await asyncio.wrap_future(answer)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._is_closed and task is not None and not task.cancelling():
                raise EngineFailed(_CLOSED) from None
            raise

    def _begin(self, request: Request) -> Future[Generation]:
        with self._lock:
            if self._is_closed:
                raise EngineFailed(_CLOSED)
            return asyncio.run_coroutine_threadsafe(self._run(request), self._loop)

    def close(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            ended = asyncio.run_coroutine_threadsafe(self._shut_down(), self._loop)
        with suppress(TimeoutError):
            ended.result(_PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_S)
        if not self._thread.is_alive():
            self._loop.close()
        self._server.close()

    async def _shut_down(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._client.aclose()
        await self._loop.shutdown_default_executor()

    async def _run(self, request: Request) -> Generation:
        task = asyncio.current_task()
        assert task is not None
        progress = request.progress if request.progress is not None else Progress()
        await self._writer_of(progress)
        if progress.finish is not None:
            return as_generation(progress, progress.finish, Usage())
        job = _Job(request=request, progress=progress, task=task)
        for other in self._jobs:
            if other.request.priority > max(request.priority, Priority.CHAT) and not other.gave_way:
                other.gave_way = True
                other.task.cancel()
        self._jobs.append(job)
        try:
            finish = await self._attempts(job)
            progress.finish = finish if finish is not Finish.CANCELLED else None
        except asyncio.CancelledError:
            if self._is_closed or not job.gave_way:
                raise
            task.uncancel()
            finish = Finish.CANCELLED
        finally:
            self._jobs.remove(job)
            self.usage = total((self.usage, job.usage))
        return as_generation(progress, finish, job.usage)

    async def _writer_of(self, progress: Progress) -> None:
        """Waits for the end of a request with the same progress that was cancelled a moment ago."""
        while before := [job.task for job in self._jobs if job.progress is progress]:
            await asyncio.wait(before)

    async def _attempts(self, job: _Job) -> Finish:
        """Asks again after a failure that may pass, as long as nothing was answered."""
        self.breaker.check()
        await self._look_again()
        asked = await self._asked(job)
        url, body = request_of(self._about, self._address, asked)
        for attempt in range(_RETRIES + 1):
            try:
                return await self._stream(job, url, body)
            except _Refused as error:
                reason: ServerFailed = error.reason
                if job.began or not error.may_pass or attempt == _RETRIES:
                    break
            await asyncio.sleep(_PAUSE_S * 2**attempt * _jitter.uniform(0.5, 1.5))
        self.breaker.failed()
        raise reason

    async def _look_again(self) -> None:
        """Raises ``EngineFailed`` if the server has come back with another model, whose token ids mean other texts."""
        is_by_tokens = isinstance(self.tokenizer, ServerTokenizer)
        if not is_by_tokens or time.monotonic() - self._seen_at < _KNOWN_FOR_S:
            return
        about = await asyncio.to_thread(look, self._server)
        if about != self._about:
            raise EngineFailed(f"The server runs {about.model} in another way than before, so it is asked again.")
        self._seen_at = time.monotonic()

    async def _asked(self, job: _Job) -> Asked:
        """Returns what is sent: the prompt, and what was generated before the request was cancelled."""
        request, progress = job.request, job.progress
        more = request.prompt.forced_prefix.decode("utf-8", "replace") + progress.text
        segments = (*request.prompt.segments, *((Text(more, "the answer so far"),) if more else ()))
        whole = replace(request.prompt, segments=segments)
        turns = turns_of(whole, self.tokenizer.spelled)
        prompt: list[int] | str = "" if turns else await asyncio.to_thread(self.tokenizer.prompt, whole)
        estimated = request.prompt.tokens + -(-len(more.encode()) // ESTIMATED_BYTES)
        tokens = len(prompt) if isinstance(prompt, list) else estimated
        job.echo = Echo(turns.begun if turns else "")
        room = self.context_tokens - tokens
        if room < 1:
            raise PromptTooLong(
                f"The prompt has {tokens} tokens and the model's context {self.context_tokens}; shorten it, or raise"
                " contextTokens."
            )
        job.usage = Usage(prompt_tokens=tokens)
        left = request.max_tokens - len(progress.tokens)
        return Asked(
            prompt=prompt,
            turns=turns,
            max_tokens=min(max(0, left), room),
            sampling=request.sampling,
            context_tokens=self.context_tokens,
            stops=() if request.priority is Priority.CHAT else stops(self.tokenizer.family),
        )

    async def _stream(self, job: _Job, url: str, body: dict[str, object]) -> Finish:
        """Raises ``_Refused`` for failures of the server, and other ``EngineError``."""
        try:
            async with self._client.stream("POST", url, json=body) as response:
                if response.status_code >= 300:
                    text = (await response.aread()).decode("utf-8", "replace")
                    reason = refusal(response.status_code, text, self._address)
                    if isinstance(reason, ServerFailed):
                        raise _Refused(reason, may_pass(response.status_code))
                    self.breaker.succeeded()
                    raise reason
                if response.headers.get("content-type", "").startswith("text/html"):
                    raise not_json(self._address)
                return await self._read(job, response)
        except httpx2.HTTPError as error:
            took_long = isinstance(error, httpx2.ReadTimeout)
            self._seen_at = -_KNOWN_FOR_S
            raise _Refused(failure(error, self._address), not took_long) from None

    async def _read(self, job: _Job, response: httpx2.Response) -> Finish:
        finish: Finish | None = None
        async for line in _lines(response):
            try:
                piece = piece_of(line, self._address)
            except ServerFailed as error:
                raise _Refused(error, True) from None
            if piece is None:
                continue
            self._took(job, piece)
            piece = replace(piece, text=job.echo.new(piece.text))
            if not job.request.max_tokens:
                finish = piece.finish or finish
                continue
            if finish is None:
                finish = self._add(job, piece)
                if finish is not None and finish is not piece.finish:
                    return finish  # the server would go on
        if finish is None:
            raise _Refused(broken(self._address), True)
        return finish

    def _took(self, job: _Job, piece: Piece) -> None:
        """Counts the tokens and the time of a piece of the answer."""
        now = time.perf_counter()
        self._seen_at = time.monotonic()
        if not job.began:
            job.began = True
            self.breaker.succeeded()
            job.usage = replace(
                job.usage,
                prefill_ms=1000 * (now - job.asked_at),
                prefill_tokens=job.usage.prompt_tokens,
            )
        cached = min(piece.cached or job.usage.cached_tokens, job.usage.prompt_tokens)
        job.usage = replace(
            job.usage,
            cached_tokens=cached,
            prefill_tokens=job.usage.prompt_tokens - cached,
            decode_ms=1000 * (now - job.asked_at) - job.usage.prefill_ms,
        )

    def _add(self, job: _Job, piece: Piece) -> Finish | None:
        """Adds a piece to what was generated. Returns why this ends the generation, or None if it does not."""
        request, progress = job.request, job.progress
        if request.given_up is not None and request.given_up():
            return Finish.CANCELLED
        if not piece.text:
            return piece.finish
        write(progress, piece)
        job.usage = replace(job.usage, completion_tokens=job.usage.completion_tokens + max(1, len(piece.tokens)))
        ends = self._ends if request.priority is not Priority.CHAT else ()
        if (end := first_end(progress.text, ends)) >= 0:
            progress.text = progress.text[:end]
            progress.ends = [min(one, end) for one in progress.ends]
            return Finish.STOP_TOKEN
        try:
            if request.on_text is not None and request.on_text(progress.text):
                return Finish.ON_TEXT
        except Exception as error:
            log.debug("a stop rule failed", exc_info=error)
            raise stop_failed(error) from error
        return piece.finish


def found(settings: Settings) -> About:
    """Returns what the server of a ``model`` setting says of itself. Raises ``ModelNotFound``, ``ModelUnusable``,
    ``ServerFailed``."""
    server = Server(parse_address(settings.model, allow_plain_http=settings.allow_plain_http))
    try:
        return look(server)
    finally:
        server.close()


async def _lines(response: httpx2.Response) -> AsyncIterator[str]:
    """Yields the lines of a stream. ``aiter_lines`` cuts at U+0085 and U+2028 too, which may stand within JSON."""
    rest = ""
    async for text in response.aiter_text():
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield line.removesuffix("\r")
    if rest:
        yield rest


class _Refused(Exception):
    """The server failed, for a ``reason`` that the user is told if it does not pass."""

    def __init__(self, reason: ServerFailed, passes: bool) -> None:
        super().__init__(str(reason))
        self.reason, self.may_pass = reason, passes


def _tokenizer(server: Server, about: About, infill: InfillFormat) -> ServerTokenizer | EstimatingTokenizer:
    family = family_by_name(about.model) if infill is InfillFormat.AUTO else BY_NAME[infill.value]
    return tokenizer(server, about, family)
