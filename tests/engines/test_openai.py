"""Models on a server: what is sent and read, what failures mean to the user, and that a real llama-server answers as
the engine in this process does."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner

from codegemma_lsp import engines
from codegemma_lsp.cli.app import app
from codegemma_lsp.engines.backends import openai
from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
from codegemma_lsp.engines.backends.openai import OpenAIEngine
from codegemma_lsp.engines.backends.openai_address import api_key, parse_address
from codegemma_lsp.engines.backends.openai_server import Breaker, failure
from codegemma_lsp.engines.backends.openai_tokens import ServerTokenizer
from codegemma_lsp.engines.backends.openai_wire import stops
from codegemma_lsp.engines.protocol import (
    EngineError,
    EngineFailed,
    Finish,
    ModelNotFound,
    ModelUnusable,
    Priority,
    Progress,
    PromptTooLong,
    Request,
    Sampling,
    ServerFailed,
)
from codegemma_lsp.engines.selection import COMPLETION, select_chat, select_completion
from codegemma_lsp.engines.vocabulary import SpecialTokens
from codegemma_lsp.models import BUNDLED, model_path
from codegemma_lsp.prompt import (
    CODEGEMMA,
    FAMILIES,
    Budget,
    CursorContext,
    Layout,
    Message,
    Prompt,
    Role,
    Special,
    Text,
    build_chat,
    build_fim,
    family_by_name,
    unmistakable,
)
from codegemma_lsp.session import engine_manager
from codegemma_lsp.settings import Settings, parse
from tests.client import serving
from tests.engines.model_server import NAME, ModelServer, model_server

SOURCE = "def add(a, b):\n    return \n\n\nprint(add(1, 2))\n"
KINDS = ["llama", "vllm", "ollama", "other"]
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def _is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "_PAUSE_S", 0.0)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server(ModelServer()) as running:
        yield running


@asynccontextmanager
async def connected(server: ModelServer, **settings: Any) -> AsyncIterator[OpenAIEngine]:
    """An engine on a server. As in the language server, neither loading nor closing blocks the event loop."""
    engine = await asyncio.to_thread(OpenAIEngine, Settings(model=server.url, **settings))
    try:
        yield engine
    finally:
        await asyncio.to_thread(engine.close)


def infill(engine: OpenAIEngine, text: str = SOURCE, after: str = "return ") -> Prompt:
    context = CursorContext(path="a.py", text=text, offset=text.index(after) + len(after))
    prompt, _ = build_fim(context, Layout.ANCHORED, Budget(prompt=1500), engine.tokenizer)
    return prompt


async def completed(engine: OpenAIEngine, text: str = SOURCE, **request: Any) -> str:
    prompt = await asyncio.to_thread(infill, engine, text)
    return (await engine.generate(Request(prompt=prompt, **{"max_tokens": 8, **request}))).text


# Addresses and keys


@pytest.mark.parametrize(
    ("model", "base", "name"),
    [
        ("http://127.0.0.1:8080#name", "http://127.0.0.1:8080/v1", "name"),
        ("http://localhost:8080/", "http://localhost:8080/v1", ""),
        ("HTTP://[::1]:80/v1/#a/b%20c", "http://[::1]:80/v1", "a/b c"),
        ("https://host/v1#qwen2.5-coder:1.5b", "https://host/v1", "qwen2.5-coder:1.5b"),
        ("https://host/openai", "https://host/openai/v1", ""),
    ],
)
def test_an_address(model: str, base: str, name: str) -> None:
    address = parse_address(model, allow_plain_http=False)
    assert (address.base, address.model) == (base, name)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("http://10.0.0.1:8080", "allowPlainHttp"),
        ("http://localhost.example.org", "allowPlainHttp"),
        ("http://", "names no host"),
        ("http://127.0.0.1:port", "is no address"),
        ("http://me:secret@127.0.0.1", "CODEGEMMA_API_KEY"),
        ("https://host/v1?key=secret", "has a query"),
    ],
)
def test_an_address_that_is_refused(model: str, says: str) -> None:
    with pytest.raises(ModelUnusable, match=says) as raised:
        parse_address(model, allow_plain_http=False)
    assert "secret" not in str(raised.value)


def test_plain_http_is_for_this_machine_unless_the_user_allows_more() -> None:
    assert not parse_address("http://10.0.0.1:8080", allow_plain_http=True).is_local


def test_a_workspace_cannot_allow_plain_http() -> None:
    package = json.loads((Path(__file__).parents[2] / "editors" / "vscode" / "package.json").read_text("utf-8"))
    properties = {k: v for group in package["contributes"]["configuration"] for k, v in group["properties"].items()}
    assert properties["codegemma.allowPlainHttp"]["scope"] == "machine"
    assert parse({"allowPlainHttp": True})[0].allow_plain_http
    assert not Settings().allow_plain_http


@pytest.mark.parametrize("mode", [0o600, 0o400], ids=oct)
def test_a_key_in_a_file(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    path.write_text("abc\n")
    path.chmod(mode)
    assert api_key({"CODEGEMMA_API_KEY_FILE": str(path)}) == "abc"
    assert api_key({"CODEGEMMA_API_KEY_FILE": str(path), "CODEGEMMA_API_KEY": "first"}) == "first"
    assert not api_key({})


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o700], ids=oct)
def test_a_key_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    path.write_text("abc\n")
    path.chmod(mode)
    with pytest.raises(ModelUnusable, match="chmod 600"):
        api_key({"CODEGEMMA_API_KEY_FILE": str(path)})


@pytest.mark.parametrize("key", ["a b", "a\nb", "ä"])
def test_what_cannot_be_a_key(key: str) -> None:
    with pytest.raises(ModelUnusable, match="CODEGEMMA_API_KEY holds no key"):
        api_key({"CODEGEMMA_API_KEY": key})


def test_a_file_of_a_key_that_is_not_there() -> None:
    with pytest.raises(ModelUnusable, match="CODEGEMMA_API_KEY_FILE names /nowhere/key"):
        api_key({"CODEGEMMA_API_KEY_FILE": "/nowhere/key"})


async def test_the_key_is_sent_and_never_logged(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CODEGEMMA_API_KEY", "sk-secret")
    caplog.set_level(logging.DEBUG)
    server.refusals.append((401, "application/json", "{}"))
    async with connected(server) as engine:
        with pytest.raises(ModelUnusable) as raised:
            await completed(engine)
    assert server.keys == {"Bearer sk-secret"}
    assert "sk-secret" not in caplog.text + str(raised.value)


# Which model


@pytest.mark.parametrize(
    ("names", "wanted", "expected"),
    [
        (["a"], "", "a"),
        (["a", "b"], "b", "b"),
        (["b:latest", "a"], "b", "b:latest"),
    ],
)
def test_the_model_of_a_server(server: ModelServer, names: list[str], wanted: str, expected: str) -> None:
    server.names = names
    assert engines.find(Settings(model=f"{server.url}#{wanted}")).said == expected


@pytest.mark.parametrize(
    ("names", "wanted", "says"),
    [
        (["a", "b"], "", "has several models; write one of these after a #: a, b."),
        (["a", "b"], "c", "has no model c; write one of these after the #: a, b."),
        ([], "", "has no model; load one there, or write its name after a #."),
    ],
)
def test_no_model_of_a_server(server: ModelServer, names: list[str], wanted: str, says: str) -> None:
    server.names = names
    with pytest.raises(ModelNotFound) as raised:
        engines.load(Settings(model=f"{server.url}#{wanted}"))
    assert str(raised.value) == f"{server.url}/v1 {says}"
    assert engines.find(Settings(model=f"{server.url}#{wanted}")).said == str(raised.value)


def test_a_server_without_a_list_of_models(server: ModelServer) -> None:
    server.listing = (404, "application/json", "{}")
    assert engines.find(Settings(model=f"{server.url}#{NAME}")).said == NAME


@pytest.mark.parametrize("chat", [False, True], ids=["completion", "chat"])
def test_settings_name_a_server_as_any_model(chat: bool) -> None:
    url = "http://127.0.0.1:8080#x"
    selection = select_chat(Settings(chat_model=url)) if chat else select_completion(Settings(model=url))
    assert selection.settings.model == url
    assert selection.choice.path is None


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("codegemma:2b-code", "codegemma"),
        ("codegemma-7b-it", "none"),
        ("codegemma:7b-instruct", "none"),
        ("/models/nano.gguf", "codegemma"),
        ("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen"),
        ("qwen2.5:7b", "none"),
        ("bigcode/starcoder2-3b", "starcoder2"),
        ("starcoder:1b", "starcoder"),
        ("stable-code:3b-code", "starcoder"),
        ("granite-code:3b", "granite"),
        ("granite4:micro", "granite4"),
        ("deepseek-coder:1.3b-base", "deepseek"),
        ("codellama:7b-code", "codellama"),
        ("codellama:7b-python", "none"),
        ("codestral:latest", "codestral"),
        ("JetBrains/Mellum-4b-base", "mellum"),
        ("Seed-Coder-8B-Base", "seed-coder"),
        ("aixcoder-7b", "aixcoder"),
        ("santacoder", "santacoder"),
        ("llama3.2", "none"),
    ],
)
def test_the_family_of_a_name(name: str, family: str) -> None:
    assert family_by_name(name).name == family


async def test_the_setting_goes_before_the_name(server: ModelServer) -> None:
    server.kind, server.names = "other", ["mine"]
    async with connected(server, infill_format="qwen") as engine:
        assert engine.tokenizer.family.name == "qwen"


async def test_a_model_without_the_tokens_of_its_family_is_asked_for_what_follows(server: ModelServer) -> None:
    async with connected(server, infill_format="starcoder") as engine:
        assert not engine.tokenizer.family.infills


# What is sent and read


@each_kind
async def test_an_answer_is_streamed(server: ModelServer, kind: str) -> None:
    server.kind, seen = kind, list[str]()
    async with connected(server) as engine:
        prompt = await asyncio.to_thread(infill, engine)

        def on_text(text: str) -> bool:
            seen.append(text)
            return False

        generation = await engine.generate(Request(prompt=prompt, max_tokens=8, on_text=on_text))
        assert generation.text == "a + b"
        assert generation.finish is Finish.STOP_TOKEN
        assert seen == ["a", "a + ", "a + b"]
        assert generation.ends == ((1, 4, 5) if kind != "ollama" else ())
        assert generation.mean_logprob() == (-0.25 if kind != "ollama" else 0)
        assert generation.usage.completion_tokens == 3
        assert generation.usage.cached_tokens == (7 if kind != "ollama" else 0)
        assert generation.usage.prompt_tokens == generation.usage.cached_tokens + generation.usage.prefill_tokens
        assert engine.usage == generation.usage
        assert engine.idle
    begin = "⟦<bos>⟧" if kind in ("llama", "vllm") else ""
    assert server.prompt() == (
        f"{begin}a.py\n⟦<|fim_prefix|>⟧def add(a, b):\n⟦<|fim_suffix|>⟧\n\n\nprint(add(1, 2))\n"
        "⟦<|fim_middle|>⟧    return "
    )
    assert generation.usage.prompt_tokens == prompt.tokens


@pytest.mark.parametrize("kind", ["llama", "vllm"])
async def test_a_prompt_is_exactly_as_long_as_it_was_planned(server: ModelServer, kind: str) -> None:
    server.kind = kind
    async with connected(server) as engine:
        prompt = await asyncio.to_thread(infill, engine, "x = '<eos> ä 😀'\nreturn \n")
        await engine.generate(Request(prompt=prompt, max_tokens=1))
        assert len(server.bodies[-1]["prompt"]) == prompt.tokens


@each_kind
@pytest.mark.parametrize("text", [*unmistakable(CODEGEMMA), "<|im_start|>", "<｜fim▁begin｜>", "<fim_prefix>"])
async def test_no_text_of_the_user_becomes_a_special_token(server: ModelServer, kind: str, text: str) -> None:
    server.kind = kind
    async with connected(server) as engine:
        await completed(engine, f"# {text}{text}\nreturn \n")
    shown = server.prompt()
    allowed = {"⟦<bos>⟧", "⟦<|fim_prefix|>⟧", "⟦<|fim_suffix|>⟧", "⟦<|fim_middle|>⟧"}
    assert {f"⟦{one.partition('⟧')[0]}⟧" for one in shown.split("⟦")[1:]} <= allowed
    assert shown.count("⟦") <= 4
    exact = kind in ("llama", "vllm")
    assert f"# {text}{text}\n" in shown if exact else f"# {text[0]} {text[1:]}" in shown


@each_kind
async def test_a_request_stops_at_four_texts_at_most(server: ModelServer, kind: str) -> None:
    server.kind = kind
    async with connected(server) as engine:
        await completed(engine, sampling=Sampling(temperature=0.5, seed=3))
    body = server.bodies[-1].get("options") or server.bodies[-1]
    assert 0 < len(body["stop"]) <= 4
    assert "<|file_separator|>" in body["stop"]
    assert (body["temperature"], body["seed"]) == (0.5, 3)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_what_a_family_stops_at_is_no_source_code(family: Any) -> None:
    assert len(stops(family)) <= 4
    assert set(stops(family)) <= set(unmistakable(family))


@each_kind
async def test_an_answer_ends_at_a_special_token_that_the_server_spells(server: ModelServer, kind: str) -> None:
    server.kind, server.pieces = kind, ["a", "\n<|fim_mid", "dle|> more", "!"]
    async with connected(server) as engine:
        assert await completed(engine) == "a\n"


async def test_the_end_of_a_suggestion_ends_the_request(server: ModelServer) -> None:
    server.waits = True
    async with connected(server) as engine:
        generation = await engine.generate(
            Request(prompt=await asyncio.to_thread(infill, engine), max_tokens=8, on_text=lambda _: True)
        )
        assert (generation.text, generation.finish) == ("a", Finish.ON_TEXT)
        assert await asyncio.to_thread(server.left.wait, 30)


async def test_a_stop_rule_that_fails_is_no_failure_of_the_engine(server: ModelServer) -> None:
    async with connected(server) as engine:
        with pytest.raises(EngineError, match="The end of the suggestion could not be told") as raised:
            await completed(engine, on_text=lambda text: text[9] == "x")
        assert type(raised.value) is EngineError
        assert await completed(engine) == "a + b"


async def test_a_prefill_generates_nothing(server: ModelServer) -> None:
    async with connected(server) as engine:
        assert not await completed(engine, max_tokens=0, priority=Priority.WARM_UP)
        assert server.bodies[-1]["max_tokens"] == 0


async def test_a_request_that_was_cancelled_continues_where_it_was(server: ModelServer) -> None:
    progress = Progress()
    async with connected(server) as engine:
        prompt = await asyncio.to_thread(infill, engine)
        seen = 0

        def given_up() -> bool:
            nonlocal seen
            seen += 1
            return seen > 2

        first = await engine.generate(Request(prompt=prompt, max_tokens=8, given_up=given_up, progress=progress))
        assert (first.text, first.finish) == ("a + ", Finish.CANCELLED)
        server.pieces = ["b"]
        second = await engine.generate(Request(prompt=prompt, max_tokens=8, progress=progress))
        assert (second.text, second.finish) == ("a + b", Finish.STOP_TOKEN)
        assert server.prompt().endswith("    return a + ")
        assert server.bodies[-1]["max_tokens"] == 6
        again = await engine.generate(Request(prompt=prompt, max_tokens=8, progress=progress))
        assert again.text == "a + b"
        assert len(server.bodies) == 2


async def test_a_prompt_that_does_not_fit(server: ModelServer) -> None:
    server.context = 20
    async with connected(server) as engine:
        assert engine.context_tokens == 20
        with pytest.raises(PromptTooLong, match="raise contextTokens"):
            await completed(engine)
    assert not server.bodies


@pytest.mark.parametrize(("chat_context", "expected"), [(0, 2000), (3500, 3500), (9999, 4096)])
async def test_a_server_may_have_a_context_for_chat(server: ModelServer, chat_context: int, expected: int) -> None:
    server.kind, server.context, server.chat_context = "vllm", 2000, chat_context
    asked = Settings(model=server.url, chat_model=server.url, chat_context_tokens=4096)
    for select, tokens in ((select_chat, expected), (select_completion, 2000)):
        engine = await asyncio.to_thread(engines.load, select(asked).settings)
        await asyncio.to_thread(engine.close)
        assert engine.context_tokens == tokens


QUESTION = [Message(Role.SYSTEM, "Be brief."), Message(Role.USER, "Why <eos>?"), Message(Role.ASSISTANT, "So.")]


@pytest.mark.parametrize("kind", ["vllm", "ollama", "other"])
@pytest.mark.parametrize(
    ("pieces", "begun", "expected"),
    [
        pytest.param(["Be", "cause"], "", "Because", id="free"),
        pytest.param(["x = 1\n", "```"], "```python\n", "x = 1\n```", id="continued"),
        pytest.param(["```py", "thon", "\nx = ", "1\n```"], "```python\n", "x = 1\n```", id="repeated"),
    ],
)
async def test_a_conversation_is_sent_as_messages(
    server: ModelServer, kind: str, pieces: list[str], begun: str, expected: str
) -> None:
    server.kind, server.pieces = kind, pieces
    messages = [*QUESTION, Message(Role.USER, "Really?")]
    async with connected(server) as engine:
        prompt = await asyncio.to_thread(build_chat, messages, engine.chat_template, engine.tokenizer, 500, begun)
        generation = await engine.generate(Request(prompt=prompt, max_tokens=9, priority=Priority.CHAT))
    assert (generation.text, generation.finish) == (expected, Finish.STOP_TOKEN)
    answer = [{"role": "assistant", "content": begun}] if begun else []
    assert server.bodies[-1]["messages"] == [
        {"role": "user", "content": "Be brief.\n\nWhy < eos>?"},
        {"role": "assistant", "content": "So."},
        {"role": "user", "content": "Really?"},
        *answer,
    ]
    assert ("continue_final_message" in server.bodies[-1]) == (kind == "vllm" and bool(begun))


async def test_llama_server_tells_its_template(server: ModelServer) -> None:
    server.template = "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ m['content'] }}<end_of_turn>{% endfor %}"
    async with connected(server) as engine:
        messages = [Message(Role.USER, "Why <eos>?")]
        prompt = await asyncio.to_thread(build_chat, messages, engine.chat_template, engine.tokenizer, 500)
        await engine.generate(Request(prompt=prompt, max_tokens=9, priority=Priority.CHAT))
    assert server.prompt() == "⟦<bos>⟧⟦<start_of_turn>⟧Why <eos>?⟦<end_of_turn>⟧"
    assert "stop" not in server.bodies[-1]  # an answer may speak of special tokens


async def test_lines_are_tokenized_once(server: ModelServer) -> None:
    async with connected(server) as engine:
        await asyncio.to_thread(engine.tokenizer.encode, SOURCE)
        before = server.paths.count("/tokenize")
        await asyncio.to_thread(engine.tokenizer.encode, SOURCE)
        assert server.paths.count("/tokenize") == before
        await asyncio.to_thread(engine.tokenizer.encode, f"{SOURCE}1\n2\n3\n")
        assert server.paths.count("/tokenize") == before + 1


def test_a_blank_that_a_vocabulary_puts_before_texts_is_left_out() -> None:
    """As SentencePiece does in Code Llama and Codestral."""
    calls: list[Sequence[str]] = []

    def tokenize(texts: Sequence[str], markup: bool) -> list[list[int]]:
        calls.append(texts)
        return [list(f" {text}".encode()) for text in texts]

    tokenizer = ServerTokenizer(CODEGEMMA, SpecialTokens(), tokenize)
    assert bytes(tokenizer.encode("a <eos>\n\n  b\n")) == b"a <eos>\n\n  b\n"
    assert ["\na <", "\neos>\n\n", "\n  b\n"] in calls


def test_a_vocabulary_with_tokens_across_line_ends_is_asked_for_whole_texts() -> None:
    def tokenize(texts: Sequence[str], markup: bool) -> list[list[int]]:
        return [list(text.replace("\n", "~~").replace("~~ ", "@").encode()) for text in texts]

    tokenizer = ServerTokenizer(CODEGEMMA, SpecialTokens(), tokenize)
    assert bytes(tokenizer.encode("a\n b")) == b"a@b"


# Cancelling


@each_kind
async def test_cancelling_reaches_the_server(server: ModelServer, kind: str) -> None:
    server.kind, server.waits = kind, True
    async with connected(server) as engine:
        task = asyncio.create_task(completed(engine))
        assert await asyncio.to_thread(server.asked.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(server.left.wait, 30)
        server.waits = False
        assert await completed(engine) == "a + b"


@pytest.mark.parametrize("priority", [Priority.PREFETCH, Priority.WARM_UP])
async def test_work_ahead_gives_way_to_a_request(server: ModelServer, priority: Priority) -> None:
    server.waits = True
    async with connected(server) as engine:
        prompt = await asyncio.to_thread(infill, engine)
        ahead = asyncio.create_task(engine.generate(Request(prompt=prompt, max_tokens=8, priority=priority)))
        assert await asyncio.to_thread(server.asked.wait, 30)
        server.waits = False
        assert await completed(engine) == "a + b"
        assert (await ahead).finish is Finish.CANCELLED
        assert await asyncio.to_thread(server.left.wait, 30)


async def test_closing_ends_what_runs_and_refuses_what_comes(server: ModelServer) -> None:
    server.waits = True
    async with connected(server) as engine:
        progress = Progress()
        tasks = [asyncio.create_task(completed(engine, progress=progress)) for _ in range(2)]
        assert await asyncio.to_thread(server.asked.wait, 30)
        await asyncio.to_thread(engine.close)
        for task in tasks:
            with pytest.raises(EngineFailed, match="was closed"):
                await task
        assert await asyncio.to_thread(server.left.wait, 30)
        with pytest.raises(EngineFailed, match="was closed"):
            await engine.generate(Request(prompt=Prompt(segments=(Special.BOS,), tokens=1), max_tokens=1))


# Failures

HTML = "<!doctype html><html>Log in</html>"
TOO_LONG = json.dumps({"error": {"type": "exceed_context_size_error"}})
REFUSALS = [
    pytest.param(401, "", ModelUnusable, "refuses the key; correct CODEGEMMA_API_KEY", 1, id="401"),
    pytest.param(403, "", ModelUnusable, "refuses the key", 1, id="403"),
    pytest.param(404, "", ModelNotFound, "does not have this model", 1, id="404"),
    pytest.param(400, "", ModelUnusable, "does not understand the request", 1, id="400"),
    pytest.param(400, TOO_LONG, PromptTooLong, "lower contextTokens", 1, id="too long"),
    pytest.param(302, "", ModelUnusable, "sends to another address", 1, id="redirect"),
    pytest.param(429, "", ServerFailed, "is asked too often", 3, id="429"),
    pytest.param(500, "", ServerFailed, "see the server's own messages", 1, id="500"),
    pytest.param(503, "", ServerFailed, "until its model is loaded", 3, id="503"),
    pytest.param(200, HTML, ModelUnusable, "does not speak OpenAI's interface", 1, id="HTML"),
    pytest.param(200, "", ServerFailed, "broke off its answer", 3, id="nothing"),
]


@pytest.mark.parametrize(("status", "body", "error", "says", "times"), REFUSALS)
async def test_a_refused_request(
    server: ModelServer, status: int, body: str, error: type[EngineError], says: str, times: int
) -> None:
    server.refusals = [(status, "text/html" if body == HTML else "application/json", body)] * times
    async with connected(server) as engine:
        with pytest.raises(error, match=says) as raised:
            await completed(engine)
        assert str(raised.value).startswith((f"{server.url}/v1 ", "The prompt is too long"))
        assert len(server.bodies) == times
        assert await completed(engine) == "a + b"


@pytest.mark.parametrize(("status", "body", "error"), [(200, HTML, ModelUnusable), (401, "", ModelUnusable)])
def test_a_server_that_is_none_for_models(
    server: ModelServer, status: int, body: str, error: type[EngineError]
) -> None:
    server.listing = (status, "text/html", body)
    with pytest.raises(error, match="does not speak OpenAI's interface" if body else "refuses the key"):
        engines.load(Settings(model=server.url))


def test_a_certificate_that_cannot_be_verified() -> None:
    address = parse_address("https://host", allow_plain_http=False)
    error = httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate")
    said = "The certificate of https://host/v1 cannot be verified; correct it, or the address."
    assert str(failure(error, address)) == said


def test_no_server() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ServerFailed) as raised:
            engines.load(Settings(model=url))
    assert str(raised.value) == f"No server answers at {url}/v1; start it, or correct the setting model."


@each_kind
async def test_a_stream_that_breaks_before_the_end_is_not_asked_for_again(server: ModelServer, kind: str) -> None:
    server.kind, server.broken = kind, 1
    async with connected(server) as engine:
        with pytest.raises(ServerFailed, match="broke off its answer"):
            await completed(engine)
        assert len(server.bodies) == 1
        assert await completed(engine) == "a + b"


@pytest.mark.parametrize("kind", ["llama", "ollama"])
async def test_an_error_within_a_stream(server: ModelServer, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    error = json.dumps({"error": "out of memory at def add(a, b)"})
    server.kind, server.error = kind, error if kind == "ollama" else f"data: {error}"
    caplog.set_level(logging.INFO)
    async with connected(server) as engine:
        with pytest.raises(ServerFailed, match="broke off its answer") as raised:
            await completed(engine)
    assert "def add" not in caplog.text + str(raised.value)


async def test_a_stream_that_breaks_before_the_first_token_is_asked_for_again(server: ModelServer) -> None:
    server.pieces, server.broken = [], 2
    async with connected(server) as engine:
        assert not await completed(engine)
    assert len(server.bodies) == 3


async def test_a_server_that_is_not_ready_is_asked_again(server: ModelServer) -> None:
    server.refusals = [(503, "application/json", "{}"), (429, "application/json", "{}")]
    async with connected(server) as engine:
        assert await completed(engine) == "a + b"
    assert len(server.bodies) == 3


async def test_a_server_that_says_nothing(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "SILENT_S", 0.2)
    server.is_mute = True
    async with connected(server) as engine:
        with pytest.raises(ServerFailed, match="took too long to answer"):
            await completed(engine)
    assert len(server.bodies) == 1


async def test_a_server_that_is_down_is_left_alone_for_a_while(server: ModelServer) -> None:
    now = 0.0
    server.refusals = [(500, "application/json", "{}")] * 4
    async with connected(server) as engine:
        engine.breaker = Breaker(lambda: now)
        for asked in (1, 2, 3, 3, 3):
            with pytest.raises(ServerFailed):
                await completed(engine)
            assert len(server.bodies) == asked
        now = 6.0
        with pytest.raises(ServerFailed, match="see the server's own messages"):
            await completed(engine)
        with pytest.raises(ServerFailed, match=r"failed 4 times in a row, so it is left alone for 5 seconds"):
            await completed(engine)
        now = 12.0
        assert await completed(engine) == "a + b"
        assert await completed(engine) == "a + b"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        pytest.param(503, ServerFailed, id="it is loading its model"),
        pytest.param(401, ModelUnusable, id="it wants a key"),
    ],
)
def test_what_a_server_refuses_for_now_says_nothing_of_its_kind(
    server: ModelServer, status: int, error: type[EngineError]
) -> None:
    server.unready = (status, "application/json", "{}")
    with pytest.raises(error):
        OpenAIEngine(Settings(model=server.url))
    server.unready = None
    engine = OpenAIEngine(Settings(model=server.url))
    assert isinstance(engine.tokenizer, ServerTokenizer)
    engine.close()


async def test_a_server_that_comes_back_with_another_model_is_asked_again(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tokens of the one before would mean other texts."""
    monkeypatch.setattr(openai, "_KNOWN_FOR_S", -1.0)
    async with connected(server) as engine:
        assert await completed(engine) == "a + b"
        server.names = ["qwen2.5-coder-1.5b"]
        with pytest.raises(EngineFailed, match="asked again"):
            await completed(engine)


@each_kind
async def test_a_line_of_the_answer_may_have_other_line_ends(server: ModelServer, kind: str) -> None:
    server.kind, server.pieces = kind, ["a\u2028", "b\u0085c"]
    async with connected(server) as engine:
        assert await completed(engine) == "a\u2028b\u0085c"


async def test_a_server_that_is_started_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_manager, "_LOOK_AT_SERVER_S", 0.05)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    statuses: asyncio.Queue[engine_manager.Status] = asyncio.Queue()
    manager = engine_manager.EngineManager(COMPLETION, statuses.put_nowait)
    await manager.load(Settings(model=f"http://127.0.0.1:{port}"))
    assert manager.status.message.startswith("No server answers at")
    with model_server(ModelServer(), port) as server:
        while manager.status.kind != "Normal":
            await statuses.get()
        assert manager.status.message == f"Ready with {NAME}"
        server.refusals = [(500, "", "")]
        with pytest.raises(ServerFailed), manager.using() as engine:
            await engine.generate(Request(prompt=Prompt(segments=(Special.BOS,), tokens=1), max_tokens=1))
        assert manager.status.kind == "Warning"
        with manager.using() as engine:
            await engine.generate(Request(prompt=Prompt(segments=(Special.BOS,), tokens=1), max_tokens=1))
        assert manager.status.kind == "Normal"
        await manager.shut_down()


@each_kind
async def test_the_language_server(server: ModelServer, kind: str) -> None:
    server.kind = kind
    async with serving({"model": server.url, "usage": False}) as client:
        assert client.statuses[-1].message == f"Ready with {NAME}"
        client.open(SOURCE)
        (item,) = await client.complete(SOURCE.index("return ") + 7, explicit=True)
        assert item.insert_text == "a + b"
        server.waits = True
        server.asked.clear()
        client.type(len(SOURCE), "x = ")
        hanging = client.request(client.position(len(SOURCE) + 4), "hangs", explicit=True)
        assert await asyncio.to_thread(server.asked.wait, 30)
    assert await asyncio.to_thread(server.left.wait, 30)
    hanging.cancel()


# Commands


@each_kind
def test_doctor_and_complete(server: ModelServer, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.kind = kind
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text(SOURCE)
    checked = CliRunner().invoke(app, ["doctor", "--model", server.url])
    assert checked.exit_code == 0, checked.output
    assert f"{NAME} on a server" in checked.output
    assert "CodeGemma (found by its name)" in checked.output
    assert "it suggests 'a + b'" in checked.output
    completed = CliRunner().invoke(app, ["complete", "a.py:2:12", "--model", server.url])
    assert "a + b" in completed.output


def test_models_use_takes_an_address(server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEGEMMA_CONFIG", str(tmp_path / "config.toml"))
    assert CliRunner().invoke(app, ["models", "use", server.url]).exit_code == 0
    assert server.url in (tmp_path / "config.toml").read_text()


# A real server


@pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp is missing: pip install 'codegemma-lsp[bench]'"
)
async def test_llama_server_answers_as_the_engine_in_this_process(engine: LlamaEngine) -> None:
    from codegemma_lsp.benchmarks.typing.llama_server import LlamaServer

    real = LlamaServer(model_path(BUNDLED), 1, 4096, 128, 0)
    await real.start()
    try:
        url = str(real.http.base_url).rstrip("/")
        far = await asyncio.to_thread(OpenAIEngine, Settings(model=url))
        for text in (
            SOURCE,
            "# <|fim_middle|> <eos> ä\nimport os\n\n\ndef path():\n    return os.path\n\n\nclass A:\n    pass\n",
        ):
            prompt = await asyncio.to_thread(infill, far, text, "return")
            assert await asyncio.to_thread(far.tokenizer.prompt, prompt) == engine.tokenizer.tokens(prompt)
            asked = Request(prompt=prompt, max_tokens=8)
            here, there = await engine.generate(asked), await far.generate(asked)
            assert (there.text, there.finish) == (here.text, here.finish)
            assert there.usage.prompt_tokens == here.usage.prompt_tokens
            assert there.logprobs == pytest.approx(here.logprobs, abs=0.3)
        endless = Request(prompt=Prompt(segments=(Special.BOS, Text(SOURCE, "prefix")), tokens=1), max_tokens=900)
        here = await engine.generate(replace(endless, max_tokens=8))
        there = await far.generate(replace(endless, max_tokens=8))
        assert there.text == here.text
        assert there.usage.completion_tokens == 8
        begun, loop = asyncio.Event(), asyncio.get_running_loop()

        def on_text(_: str) -> bool:
            loop.call_soon_threadsafe(begun.set)
            return False

        task = asyncio.create_task(far.generate(replace(endless, on_text=on_text)))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(30):
            while (await real.http.get("/slots")).json()[0]["is_processing"]:
                await asyncio.sleep(0.01)
        assert far.usage.completion_tokens < 500
        await asyncio.to_thread(far.close)
    finally:
        await real.stop()


def test_a_breaker_is_shared_by_threads() -> None:
    breaker = Breaker(lambda: 0.0)
    threads = [threading.Thread(target=breaker.failed) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(ServerFailed, match="failed 8 times"):
        breaker.check()
