"""A server with OpenAI's interface: what it is, how it is asked, and what its failures mean to the user."""

from __future__ import annotations

import json
import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import httpx2

from codegemma_lsp.engines.backends.openai_address import KEY_FILE_VARIABLE, KEY_VARIABLE, Address, api_key
from codegemma_lsp.engines.protocol import EngineError, ModelNotFound, ModelUnusable, PromptTooLong, ServerFailed
from codegemma_lsp.prompt import Special

log = logging.getLogger(__name__)

CONNECT_S = 2.0
SILENT_S = 60.0
"""The number of seconds without a byte of an answer after which it counts as broken. A long prompt may take long."""
_KEPT_S = 2.0
"""The number of seconds for which an idle connection is used again. Servers such as uvicorn and llama-server close it
after 5, and a request in that moment would be lost."""
_SHORT_S = 5.0
"""The number of seconds that a short question may take, such as one for the tokens of a line."""
_MOST_FAILURES = 3
_REST_S = 5.0
_MOST_NAMES = 8
_PASSING = frozenset({429, 502, 503, 504})
"""The statuses of failures that may pass within a second."""


class KeyRefused(ModelUnusable):
    """The server wants another key."""


class NotReady(ServerFailed):
    """The server will answer later."""


class Kind(Enum):
    """Which server it is, which decides what it can do beyond OpenAI's interface."""

    LLAMA_SERVER = auto()
    VLLM = auto()
    OLLAMA = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a server told of itself. ``context_tokens`` is 0 if it did not say, and ``chat_template`` then "".
    ``chat_context_tokens`` is 0 if it is no other number. ``names`` are its texts of special tokens."""

    kind: Kind
    model: str
    context_tokens: int = 0
    chat_context_tokens: int = 0
    chat_template: str = ""
    names: Mapping[Special, str] = field(default_factory=dict)


class Breaker:
    """Lets requests fail at once, for ``_REST_S`` seconds after ``_MOST_FAILURES`` failures in a row, so that nobody
    waits for a server that is down. Any thread may call it. ``clock`` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures, self._closed_until = 0, 0.0
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raises ``ServerFailed`` while requests shall fail at once. One request is let through after that."""
        with self._lock:
            now = self._clock()
            if self._failures < _MOST_FAILURES:
                return
            if now < self._closed_until:
                raise ServerFailed(
                    f"The model's server failed {self._failures} times in a row, so it is left alone for"
                    f" {_REST_S:.0f} seconds; see whether it runs."
                )
            self._closed_until = now + _REST_S

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._closed_until = self._clock() + _REST_S

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0


class Server:
    """A connection to a server. ``ask`` blocks, and any thread may call it."""

    def __init__(self, address: Address) -> None:
        """Raises ``ModelUnusable`` for a key that cannot be used."""
        self.address = address
        self._breaker = Breaker()
        key = api_key(os.environ)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            self._client = httpx2.Client(**self.options(_SHORT_S))
        except (ImportError, ValueError) as error:  # such as ALL_PROXY=socks://
            raise ModelUnusable(f"The proxy of the environment cannot be used ({error}); correct it.") from None

    def options(self, silent_s: float) -> dict[str, Any]:
        """Returns the arguments of a client. Proxies of the environment are not for this machine itself."""
        return {
            "headers": self._headers,
            "timeout": httpx2.Timeout(silent_s, connect=CONNECT_S),
            "limits": httpx2.Limits(max_connections=16, max_keepalive_connections=4, keepalive_expiry=_KEPT_S),
            "trust_env": not self.address.is_local,
            "follow_redirects": False,
        }

    def ask(self, method: str, url: str, body: object = None) -> Any:
        """Returns the JSON of a short answer. Raises ``EngineError``."""
        self._breaker.check()
        try:
            response = self._client.request(method, url, json=body)
        except httpx2.HTTPError as error:
            self._breaker.failed()
            raise failure(error, self.address) from None
        self._breaker.succeeded()
        if response.status_code >= 300:
            raise refusal(response.status_code, response.text, self.address)
        try:
            return response.json()
        except ValueError:
            raise not_json(self.address) from None

    def maybe(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Returns the object that a method answers with, which not every server has, or an empty one. Raises
        ``KeyRefused`` and ``NotReady``."""
        try:
            found = self.ask(method, self.address.root + path, body)
        except (KeyRefused, NotReady):  # which say nothing about the method
            raise
        except (ModelNotFound, ModelUnusable, PromptTooLong):
            return {}
        except ServerFailed as error:
            log.debug("%s %s: %s", method, path, error)
            return {}
        return found if isinstance(found, dict) else {}

    def close(self) -> None:
        self._client.close()


def look(server: Server) -> About:
    """Returns what a server is, and which of its models is meant. Raises ``EngineError``."""
    listed = _listed(server)
    model = _chosen(server.address, [str(one.get("id", "")) for one in listed])
    if _has_tokens(server.maybe("POST", "/tokenize", {"content": "a", "add_special": False, "parse_special": True})):
        return _llama_server(model, server.maybe("GET", "/props"))
    if _has_tokens(server.maybe("POST", "/tokenize", {"model": model, "prompt": "a", "add_special_tokens": False})):
        told = next((one for one in listed if one.get("id") == model), {})
        return About(
            kind=Kind.VLLM,
            model=model,
            context_tokens=_whole_number(told.get("max_model_len")),
            chat_context_tokens=_whole_number(told.get("chat_max_model_len")),
        )
    is_ollama = "version" in server.maybe("GET", "/api/version")
    return About(kind=Kind.OLLAMA if is_ollama else Kind.OTHER, model=model)


def _llama_server(model: str, props: dict[str, Any]) -> About:
    generation, template = props.get("default_generation_settings"), props.get("chat_template")
    context = generation.get("n_ctx") if isinstance(generation, dict) else 0
    spelled = {Special.BOS: props.get("bos_token"), Special.EOS: props.get("eos_token")}
    return About(
        kind=Kind.LLAMA_SERVER,
        model=model,
        context_tokens=_whole_number(context),
        chat_template=template if isinstance(template, str) else "",
        names={special: text for special, text in spelled.items() if isinstance(text, str) and text},
    )


def _whole_number(found: object) -> int:
    return found if isinstance(found, int) else 0


def _has_tokens(answer: dict[str, Any]) -> bool:
    tokens = answer.get("tokens")
    return isinstance(tokens, list) and bool(tokens) and all(isinstance(token, int) for token in tokens)


def _listed(server: Server) -> list[dict[str, Any]]:
    """Returns the server's models. A server that lists none can be asked for one by its name."""
    try:
        found = server.ask("GET", f"{server.address.base}/models")
    except ModelNotFound:
        if server.address.model:
            return []
        raise
    data = found.get("data") if isinstance(found, dict) else None
    if not isinstance(data, list):
        raise not_json(server.address)
    return [one for one in data if isinstance(one, dict)]


def _chosen(address: Address, names: list[str]) -> str:
    wanted = address.model
    if wanted and not names:
        return wanted
    for name in (wanted, f"{wanted}:latest"):
        if wanted and name in names:
            return name
    shown = ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else "")
    if wanted:
        raise ModelNotFound(f"{address.base} has no model {wanted}; write one of these after the #: {shown}.")
    if not names:
        raise ModelNotFound(f"{address.base} has no model; load one there, or write its name after a #.")
    if len(names) > 1:
        raise ModelNotFound(f"{address.base} has several models; write one of these after a #: {shown}.")
    return names[0]


def failure(error: httpx2.HTTPError, address: Address) -> ServerFailed:
    """Returns what a failed exchange means to the user."""
    if _is_about_certificates(error):
        return ServerFailed(f"The certificate of {address.base} cannot be verified; correct it, or the address.")
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return ServerFailed(f"No server answers at {address.base}; start it, or correct the setting model.")
    if isinstance(error, httpx2.TimeoutException):
        return ServerFailed(f"{address.base} took too long to answer; ask again, or choose a smaller model there.")
    return broken(address)


def _is_about_certificates(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def broken(address: Address) -> ServerFailed:
    return ServerFailed(f"{address.base} broke off its answer; ask again, and see the server's own messages.")


def not_json(address: Address) -> ModelUnusable:
    return ModelUnusable(f"{address.base} does not speak OpenAI's interface; correct the address in the setting model.")


_KEY_REFUSED = (KeyRefused, f"refuses the key; correct {KEY_VARIABLE} or {KEY_FILE_VARIABLE}.")
_REFUSALS: Mapping[int, tuple[type[EngineError], str]] = {
    401: _KEY_REFUSED,
    403: (ModelUnusable, _KEY_REFUSED[1]),
    404: (ModelNotFound, "does not have this model or address; correct the setting model."),
    429: (NotReady, "is asked too often ({status}); wait a little, or raise debounceMs."),
    503: (NotReady, "is not ready yet ({status}); wait until its model is loaded."),
}
"""For a status, the error and what the user is told after the server's address."""


def refusal(status: int, body: str, address: Address) -> EngineError:
    """Returns what a status of 300 and above means to the user. The answer's text may repeat code, so it is only
    logged at ``debug``."""
    log.debug("%s answered %d: %s", address.base, status, body[:1000])
    base = address.base
    if status in (400, 413, 422) and _is_too_long(body):
        return PromptTooLong(f"The prompt is too long for the model at {base}; lower contextTokens.")
    kind, sentence = _REFUSALS.get(status) or (
        (ModelUnusable, "sends to another address ({status}); write that one into the setting model.")
        if status < 400
        else (ModelUnusable, "does not understand the request ({status}); choose another model or server.")
        if status < 500
        else (ServerFailed, "failed ({status}); see the server's own messages.")
    )
    return kind(f"{base} {sentence.format(status=status)}")


def may_pass(status: int) -> bool:
    """Returns whether it makes sense to ask again within a second."""
    return status in _PASSING


def _is_too_long(body: str) -> bool:
    return "exceed_context_size" in body or "context length" in body or "context size" in body


def parsed(text: str, address: Address) -> dict[str, Any]:
    """Returns an object of a stream. Raises ``ServerFailed`` for anything else, such as an error in the stream."""
    try:
        found = json.loads(text)
    except ValueError:
        raise broken(address) from None
    if not isinstance(found, dict) or "error" in found:
        log.debug("%s said in its stream: %s", address.base, text[:1000])
        raise broken(address)
    return found
