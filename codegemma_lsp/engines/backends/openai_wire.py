"""What is written to a server for one generation, and what its stream says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from codegemma_lsp.engines.backends.openai_address import Address
from codegemma_lsp.engines.backends.openai_chat import Turns
from codegemma_lsp.engines.backends.openai_server import About, Kind, parsed
from codegemma_lsp.engines.protocol import Finish, Progress, Sampling
from codegemma_lsp.prompt import Family, Special, unmistakable

_MOST_STOPS = 4
"""The number of stop strings that OpenAI's interface takes."""
_STOPS = (Special.FILE_SEPARATOR, Special.END_OF_TURN, Special.EOS, Special.FIM_PREFIX, Special.FIM_SUFFIX)
_DONE = "[DONE]"
_UNTOLD = -1
"""Stands for a generated token, whose id no server tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One generation, of at most ``max_tokens`` tokens after a prompt of token ids or of text, or after ``turns``. It
    ends at the texts ``stops``."""

    prompt: list[int] | str
    turns: Turns | None = None
    max_tokens: int
    sampling: Sampling
    context_tokens: int
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of an answer. ``tokens`` are the lengths in code points and the log-probabilities (in nats) of its tokens,
    if the server told them. ``cached`` counts the prompt's tokens that were in the server's cache."""

    text: str = ""
    tokens: tuple[tuple[int, float], ...] = ()
    finish: Finish | None = None
    cached: int | None = None


def stops(family: Family) -> tuple[str, ...]:
    """Returns the texts at which an infill ends, which mean nothing else in source code."""
    known = [family.texts[special] for special in _STOPS if special in family.texts]
    wanted = dict.fromkeys([*known[:1], *family.ends, *known[1:]])
    return tuple(text for text in wanted if text in unmistakable(family))[:_MOST_STOPS]


def request_of(about: About, address: Address, asked: Asked) -> tuple[str, dict[str, Any]]:
    """Returns the address and the body of the request for a generation."""
    sampling = asked.sampling
    if asked.turns is not None:
        return f"{address.base}/chat/completions", _chat(about, asked, asked.turns)
    if about.kind is Kind.OLLAMA:  # its /v1/completions would put the prompt into the model's template
        options: dict[str, Any] = {
            "num_predict": max(1, asked.max_tokens),
            "num_ctx": asked.context_tokens,
            "stop": list(asked.stops),
            **_sampling(sampling, top_k=True),
        }
        raw = {"model": about.model, "prompt": asked.prompt, "raw": True, "stream": True, "options": options}
        return f"{address.root}/api/generate", raw
    body: dict[str, Any] = {
        "model": about.model,
        "prompt": asked.prompt,
        "max_tokens": asked.max_tokens if about.kind is Kind.LLAMA_SERVER else max(1, asked.max_tokens),
        "stream": True,
        "stream_options": {"include_usage": True},
        "logprobs": 1,
        "stop": list(asked.stops),
        **_sampling(sampling, top_k=about.kind is not Kind.OTHER),
    }
    if about.kind is Kind.VLLM:  # it would leave out the special tokens of an answer and go on after them
        body["skip_special_tokens"] = False
    return f"{address.base}/completions", {key: value for key, value in body.items() if value != []}


def _chat(about: About, asked: Asked, turns: Turns) -> dict[str, Any]:
    body = {
        "model": about.model,
        "messages": turns.sent(),
        "max_tokens": max(1, asked.max_tokens),
        "stream": True,
        "stream_options": {"include_usage": True},
        **_sampling(asked.sampling, top_k=about.kind is Kind.VLLM),
    }
    if about.kind is Kind.VLLM and turns.begun:
        body |= {"add_generation_prompt": False, "continue_final_message": True}
    return body


def _sampling(sampling: Sampling, *, top_k: bool) -> dict[str, Any]:
    if sampling.temperature <= 0:
        return {"temperature": 0}
    common = {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": sampling.seed}
    return {**common, "top_k": sampling.top_k} if top_k else common


def piece_of(line: str, address: Address) -> Piece | None:
    """Returns what a line of a stream says: an event of OpenAI's interface, or an object of Ollama's. Returns None for
    one that says nothing. Raises ``ServerFailed`` for a line that reports an error, or is none of a stream."""
    name, separator, rest = line.partition(":")
    if line.startswith("{"):
        return _of_ollama(parsed(line, address))
    if not line.strip() or not name or name in ("event", "id", "retry") or rest.strip() == _DONE:
        return None
    return _of_openai(parsed(rest if separator and name == "data" else line, address))


def _of_ollama(found: dict[str, Any]) -> Piece:
    finish = None
    if found.get("done"):
        finish = Finish.LENGTH if found.get("done_reason") == "length" else Finish.STOP_TOKEN
    return Piece(text=_text(found.get("response")), finish=finish)


def _of_openai(found: dict[str, Any]) -> Piece:
    choices = found.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    reason = choice.get("finish_reason")
    finish = None if reason is None else Finish.LENGTH if reason == "length" else Finish.STOP_TOKEN
    delta = choice.get("delta")
    text = _text(delta.get("content") if isinstance(delta, dict) else choice.get("text"))
    usage = found.get("usage")
    details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return Piece(
        text=text,
        tokens=_logprobs(choice.get("logprobs")),
        finish=finish,
        cached=cached if isinstance(cached, int) else None,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _logprobs(found: object) -> tuple[tuple[int, float], ...]:
    """Returns the tokens of a piece in either of the two forms that servers have for them."""
    if not isinstance(found, dict):
        return ()
    content = found.get("content")
    if isinstance(content, list):
        pairs: list[tuple[Any, Any]] = [
            (one.get("token"), one.get("logprob")) for one in content if isinstance(one, dict)
        ]
    else:
        pairs = list(zip(_list(found.get("tokens")), _list(found.get("token_logprobs")), strict=False))
    return tuple((len(text), float(value)) for text, value in pairs if isinstance(text, str) and _is_number(value))


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def write(progress: Progress, piece: Piece) -> None:
    """Adds a piece's text and its tokens to a progress. A piece of which no tokens are told counts as one."""
    at = len(progress.text)
    progress.text += piece.text
    progress.tokens += [_UNTOLD] * max(1, len(piece.tokens))
    for length, logprob in piece.tokens:
        at = min(at + length, len(progress.text))
        if length:  # a token may be a part of a code point
            progress.logprobs.append(logprob)
            progress.ends.append(at)


def first_end(text: str, ends: tuple[str, ...]) -> int:
    """Returns where the first spelled special token of a text begins, or -1. Servers take too few stop strings for all
    of them."""
    return min((at for end in ends if (at := text.find(end)) >= 0), default=-1)
