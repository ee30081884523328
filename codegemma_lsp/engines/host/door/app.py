"""The paths of the door."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from codegemma_lsp.engines import protocol
from codegemma_lsp.engines.host.door import bodies, events, metrics
from codegemma_lsp.engines.host.door.lending import Lender
from codegemma_lsp.engines.host.door.loading import Loads
from codegemma_lsp.engines.host.door.running import Added, Running
from codegemma_lsp.engines.host.pool import Pool
from codegemma_lsp.engines.protocol import (
    EngineError,
    EngineFailed,
    ModelNotFound,
    ModelUnusable,
    Priority,
    PromptTooLong,
)
from codegemma_lsp.engines.scheduler import ScheduledEngine
from codegemma_lsp.prompt import ChatImpossible, ChatTooLong, Markup, Message, Prompt, Role, Special, build_chat

log = logging.getLogger(__name__)

_MOST_BYTES = 2_000_000
_BODY_S = 30.0
"""The number of seconds in which a body must have come."""
_MOST_WAITING = 32
_LONGEST_TOKEN = 128
"""The number of characters that no token has. A prompt of more for each token of the context cannot fit."""
_SOURCES = itertools.count(1_000_000)
"""The numbers by which requests take turns with those of windows, which are smaller."""
_TOO_LONG = "exceed_context_size"
_OUT_OF_TURN = (
    "This model wants one system message at most, and then the user's and the assistant's messages in turn, the user's"
    " first; join those that follow each other."
)
_STATUSES: Mapping[type[EngineError], tuple[int, str]] = {
    PromptTooLong: (400, _TOO_LONG),
    ModelNotFound: (404, "model_not_found"),
    ModelUnusable: (422, "model_unusable"),
    EngineFailed: (503, "engine_failed"),
}

T = TypeVar("T")
_B = TypeVar("_B", bound=BaseModel)


class _Refused(Exception):
    """A request that is answered with a status and a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class _Left(Exception):
    """The client has left."""


@dataclass(kw_only=True)
class Door:
    """What the paths need. ``gauges`` returns the metrics of the host."""

    pool: Pool
    lender: Lender
    gauges: Callable[[], Mapping[str, tuple[str, float]]]
    metrics: metrics.Metrics = field(default_factory=metrics.Metrics)

    def __post_init__(self) -> None:
        self._loads = Loads(self.lender, _MOST_WAITING)

    def app(self) -> Starlette:
        """Returns the application, which lets everybody in."""
        routes = [
            Route("/v1/completions", self._answers(self.completions), methods=["POST"]),
            Route("/v1/chat/completions", self._answers(self.chat), methods=["POST"]),
            Route("/v1/models", self._answers(self.models)),
            Route("/tokenize", self._answers(self.tokenize), methods=["POST"]),
            Route("/detokenize", self._answers(self.detokenize), methods=["POST"]),
            Route("/health", self._answers(self.health)),
            Route("/metrics", self._answers(self.measured)),
        ]
        return Starlette(routes=routes)

    def _answers(self, handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Turns what a handler raises into an answer."""

        async def endpoint(request: Request) -> Response:
            try:
                return await handle(request)
            except (_Left, ClientDisconnect):
                return Response(status_code=499)
            except Exception as error:
                return _failure(error)

        return endpoint

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def models(self, _: Request) -> Response:
        served = await asyncio.to_thread(self.lender.models)
        return JSONResponse({"object": "list", "data": [events.model(one) for one in served]})

    async def measured(self, _: Request) -> Response:
        gauges = await asyncio.to_thread(self.gauges)
        return Response(self.metrics.text(gauges), media_type=metrics.CONTENT_TYPE)

    async def tokenize(self, request: Request) -> Response:
        body = await _body(request, bodies.Tokenize)
        return await _unless_left(request, self._tokenized(body))

    async def _tokenized(self, body: bodies.Tokenize) -> Response:
        with _Waiting(self.metrics):
            async with self._loads.engine(body.model) as engine:
                _check_length(body.prompt, engine)
                text, vocabulary = Markup(body.prompt), engine.tokenizer
                begins = body.add_special_tokens and vocabulary.begins_with_bos
                segments = (Special.BOS, text) if begins else (text,)
                ids = await asyncio.to_thread(vocabulary.tokens, Prompt(segments=segments, tokens=0))
                return JSONResponse({"tokens": ids, "count": len(ids), "max_model_len": engine.context_tokens})

    async def detokenize(self, request: Request) -> Response:
        body = await _body(request, bodies.Detokenize)
        return await _unless_left(request, self._detokenized(body))

    async def _detokenized(self, body: bodies.Detokenize) -> Response:
        with _Waiting(self.metrics):
            async with self._loads.engine(body.model) as engine:
                _check_ids(body.tokens, engine)
                text = b"".join(map(engine.tokenizer.piece, body.tokens)).decode("utf-8", "replace")
                return JSONResponse({"prompt": text})

    async def completions(self, request: Request) -> Response:
        body = await _body(request, bodies.Completion)
        shape = events.Shape(model=body.model, is_chat=False, has_logprobs=body.logprobs is not None)
        limit = 16 if body.max_tokens is None else body.max_tokens
        return await self._generation(request, body, shape, lambda engine: (_prompt(body.prompt, engine), limit))

    async def chat(self, request: Request) -> Response:
        body = await _body(request, bodies.Chat)
        shape = events.Shape(model=body.model, is_chat=True)
        return await self._generation(request, body, shape, lambda engine: _chat_prompt(body, engine))

    async def _generation(
        self,
        request: Request,
        body: bodies.Completion | bodies.Chat,
        shape: events.Shape,
        prompt_of: Callable[[ScheduledEngine], tuple[Prompt, int]],
    ) -> Response:
        """Answers with a generation, which ends when the client leaves."""
        pieces = self._pieces(body, shape, prompt_of)
        if not body.stream:
            async with aclosing(pieces):
                return Response(await _unless_left(request, anext(pieces)), media_type="application/json")
        first = await _unless_left(request, anext(pieces))  # what goes wrong before it has a status of its own
        return StreamingResponse(_from(first, pieces), media_type="text/event-stream")

    async def _pieces(
        self,
        body: bodies.Completion | bodies.Chat,
        shape: events.Shape,
        prompt_of: Callable[[ScheduledEngine], tuple[Prompt, int]],
    ) -> AsyncGenerator[bytes]:
        """Yields the events of a stream, or the whole answer."""
        with _Waiting(self.metrics):
            async with self._loads.engine(body.model, chats=shape.is_chat) as engine:
                prompt, limit = await asyncio.to_thread(prompt_of, engine)
                asked = protocol.Request(
                    prompt=prompt,
                    max_tokens=limit,
                    sampling=body.sampling(),
                    priority=Priority.CHAT if shape.is_chat else Priority.COMPLETION,
                )
                running = Running(
                    engine=engine, pool=self.pool, request=asked, stops=tuple(body.stop), source=next(_SOURCES)
                )
                written = _streamed(running, shape, body) if body.stream else _whole(running, shape)
                try:
                    async with aclosing(written):
                        async for piece in written:
                            yield piece
                finally:
                    self._count(running)

    def _count(self, running: Running) -> None:
        usage = running.usage
        self.metrics.tokens(read=usage.prefill_tokens, cached=usage.cached_tokens, generated=usage.completion_tokens)


def paths_of(app: Starlette) -> frozenset[str]:
    """Returns the paths that an application answers."""
    return frozenset(route.path for route in app.routes if isinstance(route, Route))


class _Waiting:
    """Counts a request for a model while it runs or waits. Raises ``_Refused`` if there are too many."""

    def __init__(self, counted: metrics.Metrics) -> None:
        self._metrics = counted

    def __enter__(self) -> None:
        if self._metrics.waiting >= _MOST_WAITING:
            raise _Refused(429, "too_many_requests", f"{_MOST_WAITING} requests wait already; ask again later.")
        self._metrics.waiting += 1

    def __exit__(self, *_: object) -> None:
        self._metrics.waiting -= 1


async def _streamed(
    running: Running, shape: events.Shape, body: bodies.Completion | bodies.Chat
) -> AsyncGenerator[bytes]:
    is_first = True
    async with aclosing(running.added()) as all_added:
        try:
            async for added in all_added:
                yield shape.piece(added, is_first=is_first)
                is_first = False
        except EngineError as error:
            if is_first:
                raise
            yield events.event(events.error_of(str(error), "engine_error", _status_of(error)[1]))
            return
    yield shape.piece(None, running.finish, is_first=is_first)
    if body.tells_usage:
        yield shape.usage_event(running.usage)
    yield events.DONE


async def _whole(running: Running, shape: events.Shape) -> AsyncGenerator[bytes]:
    text, tokens = "", list[tuple[str, float]]()
    async with aclosing(running.added()) as all_added:
        async for added in all_added:
            text += added.text
            tokens += added.tokens
    assert running.finish is not None
    answer = shape.whole(Added(text=text, tokens=tuple(tokens)), running.finish, running.usage)
    yield JSONResponse(answer).body  # type: ignore[misc]


async def _from(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


async def _unless_left(request: Request, work: Awaitable[T]) -> T:
    """Returns the result of ``work``, which is cancelled if the client leaves. Raises ``_Left``."""
    working, leaving = asyncio.ensure_future(work), asyncio.create_task(_left(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise _Left
    finally:
        for task in (working, leaving):
            task.cancel()
        with suppress(asyncio.CancelledError, StopAsyncIteration, Exception):
            await working


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _body(request: Request, kind: type[_B]) -> _B:
    """Returns a request's body. Raises ``_Refused``."""
    data = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            async for chunk in request.stream():
                data += chunk
                if len(data) > _MOST_BYTES:
                    raise _Refused(413, "too_large", f"The body has more than {_MOST_BYTES:,} bytes.")
    except TimeoutError:
        raise _Refused(408, "too_slow", "The body did not come in time.") from None
    try:
        return kind.model_validate_json(bytes(data))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise _Refused(400, "invalid", f"{where}: {first['msg']}.") from None


def _prompt(given: str | list[int], engine: ScheduledEngine) -> Prompt:
    """Returns the prompt of a text or of token ids. Raises ``_Refused``, ``PromptTooLong``."""
    if isinstance(given, str):
        _check_length(given, engine)
        lead = (Special.BOS,) if engine.tokenizer.begins_with_bos else ()
        found = Prompt(segments=(*lead, Markup(given)), tokens=0)
        ids = engine.tokenizer.tokens(found)
    else:
        _check_ids(given, engine)
        ids = given
    if not ids:
        raise _Refused(400, "invalid", "The prompt is empty.")
    return Prompt(segments=(), tokens=len(ids), ids=tuple(ids))


def _check_length(text: str, engine: ScheduledEngine) -> None:
    if len(text) > _LONGEST_TOKEN * engine.context_tokens:
        raise PromptTooLong(f"The text cannot fit the model's context size, which is {engine.context_tokens} tokens.")


def _check_ids(ids: list[int], engine: ScheduledEngine) -> None:
    """Raises ``_Refused`` for a token that the model does not have, which would end the process."""
    if any(token >= len(engine.tokenizer.pieces) for token in ids):
        raise _Refused(400, "invalid", "The model has no token of such a number.")


def _chat_prompt(body: bodies.Chat, engine: ScheduledEngine) -> tuple[Prompt, int]:
    """Returns the prompt of a conversation, and the most tokens of the answer. Raises ``_Refused``."""
    asked = next((one for one in (body.max_completion_tokens, body.max_tokens) if one is not None), None)
    limit = min(engine.context_tokens // 2, engine.context_tokens if asked is None else asked)
    turns = list(body.messages)
    begun = turns.pop().text if body.continue_final_message and turns[-1].role == "assistant" else ""
    messages = [Message(Role.SYSTEM if one.role == "developer" else Role(one.role), one.text) for one in turns]
    if not messages or messages[-1].role is not Role.USER:
        raise _Refused(400, "invalid", "The last message must be the user's.")
    room = engine.context_tokens - max(1, limit)
    try:
        return build_chat(messages, engine.chat_template, engine.tokenizer, room, begun), limit
    except ChatTooLong as error:
        raise _Refused(400, _TOO_LONG, str(error)) from None
    except ChatImpossible as error:
        if not _take_turns(messages):
            raise _Refused(400, "out_of_turn", _OUT_OF_TURN) from None
        raise _Refused(400, "chat_impossible", str(error)) from None


def _take_turns(messages: list[Message]) -> bool:
    """Returns whether the user begins, after one system message at most, and the assistant answers each time. Some
    models take other conversations."""
    roles = [message.role for message in messages]
    turns = roles[1:] if roles[0] is Role.SYSTEM else roles
    return all(role is (Role.ASSISTANT if at % 2 else Role.USER) for at, role in enumerate(turns))


def _status_of(error: EngineError) -> tuple[int, str]:
    return next((found for kind, found in _STATUSES.items() if isinstance(error, kind)), (500, "engine_error"))


def _failure(error: Exception) -> Response:
    if isinstance(error, _Refused):
        return JSONResponse(events.error_of(str(error), "invalid_request_error", error.code), error.status)
    if isinstance(error, EngineError):
        status, code = _status_of(error)
        return JSONResponse(events.error_of(str(error), "engine_error", code), status)
    log.error("a request failed (%s)", type(error).__name__)
    log.debug("details", exc_info=error)
    return JSONResponse(events.error_of("The host failed; see its log.", "internal_error", "internal"), 500)
