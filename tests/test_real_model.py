"""What a newcomer sees: Qwen2.5-Coder 0.5B, a real infilling and chat model, with the default settings."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from codegemma_lsp.chat import Action, Target
from codegemma_lsp.completion import DocumentState, Outcome, Query, complete
from codegemma_lsp.document import Document, Edit, Span
from codegemma_lsp.engines.backends.llama_cpp import LlamaBackend
from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
from codegemma_lsp.engines.backends.llama_weights import LlamaModel
from codegemma_lsp.engines.protocol import Options, Request
from codegemma_lsp.prompt import (
    CODEGEMMA,
    Budget,
    CursorContext,
    InfillFormat,
    Layout,
    Prompt,
    Special,
    Text,
    build_fim,
)
from codegemma_lsp.session.conversations import Conversations
from codegemma_lsp.settings import Settings
from tests.marks import at_cursor
from tests.traced import check_same, request_at, traced

PACKAGE = Path(__file__).parents[1] / "codegemma_lsp"


@pytest.fixture(scope="module")
def real(real_model: Path) -> Iterator[LlamaEngine]:
    engine = LlamaEngine(real_model, Options(threads=2, batch_threads=2))
    yield engine
    engine.close()


def shown(engine: LlamaEngine, marked: str, name: str) -> Outcome:
    text, offset = at_cursor(marked)
    query = Query(
        document=Document(uri=f"file:///{name}", text=text, language=""), offset=offset, path=name, explicit=True
    )
    return asyncio.run(complete(query, DocumentState(), engine, Settings()))


def test_it_is_asked_as_its_family_was_trained(real: LlamaEngine) -> None:
    assert real.tokenizer.family.name == InfillFormat.QWEN
    prompt, _ = build_fim(
        CursorContext(path="", text="ab", offset=1), Layout.PSM, Budget(prompt=99), real.tokenizer, heal=False
    )
    # The ids of Qwen's own README: prefix, a, suffix, b, middle; no BOS.
    assert real.tokenizer.tokens(prompt) == [151659, 64, 151661, 65, 151660]
    # And those that it says end an infill: end of text, end of turn, the infill tokens, padding, repository, file.
    assert {151643, 151645, *range(151659, 151665)} <= real.tokenizer.controls


@pytest.mark.parametrize(
    ("name", "marked", "suggested"),
    [
        ("add.py", "def add(a, b):\n    return <CURSOR>\n", "a + b"),
        ("add.py", "def add(a, b):\n<CURSOR>\n", "    return a + b"),
        ("add.py", 'def greet(name: str) -> str:\n    return f"Hello, {<CURSOR>}!"\n', "name"),
        ("even.js", "const isEven = (n) => <CURSOR>\n", "n % 2 === 0"),
        ("user.go", "\tif err != nil {\n\t\treturn nil, <CURSOR>\n\t}\n", "err"),
    ],
    ids=["rest of a line", "empty line", "middle of a line", "JavaScript", "Go"],
)
def test_the_first_suggestion_is_right(real: LlamaEngine, name: str, marked: str, suggested: str) -> None:
    suggestion = shown(real, marked, name).suggestion
    assert suggestion is not None
    assert suggestion.text.rstrip(";") == suggested


def test_a_body_of_several_lines_does_what_its_docstring_says(real: LlamaEngine) -> None:
    marked = (
        'def count_words(text: str) -> dict[str, int]:\n    """How often each word occurs in a text."""\n'
        "    counts: dict[str, int] = {}\n    for word in text.split():<CURSOR>\n    return counts\n"
    )
    suggestion = shown(real, marked, "words.py").suggestion
    assert suggestion is not None
    program, found = marked.replace("<CURSOR>", suggestion.text), dict[str, object]()
    exec(program, found)
    assert found["count_words"]("a b a") == {"a": 2, "b": 1}  # type: ignore[operator]


def test_no_text_becomes_a_special_token_and_counts_are_exact(real: LlamaEngine) -> None:
    """Invariants 2 and 3, on our own sources, which spell every special token there is."""
    tokenizer = real.tokenizer
    everything = "".join(path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py")))
    everything += (
        "".join(tokenizer.family.texts.values()) + "<|fim_pad|><|endoftext|>" + "".join(CODEGEMMA.texts.values())
    )
    ids = tokenizer.encode(everything)
    assert b"".join(tokenizer.piece(token) for token in ids).decode() == everything
    assert not set(ids) & tokenizer.controls
    for offset in range(0, len(everything), len(everything) // 12):
        for layout in Layout:
            context = CursorContext(path="a/b.py", text=everything[:20_000], offset=min(offset, 20_000))
            prompt, _ = build_fim(context, layout, Budget(prompt=700), tokenizer)
            assert prompt.tokens == len(tokenizer.tokens(prompt)) <= 700


def test_reuse_changes_no_token(real: LlamaEngine) -> None:
    """Invariant 7."""
    warm = [traced(real, request_at(real, request)) for request in (400, 408, 417, 400)]
    cold = LlamaEngine(Path(real._path), Options(threads=2, batch_threads=2))
    try:
        check_same(warm[-1], traced(cold, request_at(cold, 400)))
        assert weights(real) is weights(cold)
    finally:
        cold.close()
    assert real.run(request_at(real, 400)).usage.completion_tokens


async def test_a_keystroke_costs_what_was_typed(real: LlamaEngine) -> None:
    text, offset = at_cursor("def area(width, height):\n    <CURSOR>\n\n\nprint(area(2, 3))\n")
    document, state, read = (
        Document(uri="file:///area.py", text=text, language="python", version=1),
        DocumentState(),
        list[int](),
    )
    for at, key in enumerate("result = width"):
        document = document.with_edit(Edit(Span(offset + at, offset + at), key), at + 2)
        state.suggestions = state.pending = ()
        outcome = await complete(
            Query(document=document, offset=offset + at + 1, path="area.py"), state, real, Settings()
        )
        read.append(outcome.usage.prefill_tokens)
    assert max(read[1:]) <= 3, read


def test_it_documents_code_with_the_weights_that_complete(real: LlamaEngine, real_model: Path) -> None:
    """``chatModel: auto`` is the completion model where that is an instruct model."""
    source = "def mean(values):\n    return sum(values) / len(values)\n"
    document = Document(uri="file:///mean.py", text=source, language="python", version=1)
    settings = Settings(model=str(real_model), threads=2, batch_threads=2)

    async def documented() -> str:
        conversations = Conversations(lambda: settings, lambda: {document.uri: document})
        try:
            target = Target(document=document, selection=Span(0, 0), path="mean.py")
            proposal = await conversations.propose(Action.DOCUMENT, target, lambda _: None)
            chat = conversations.manager.engine
            assert isinstance(chat, LlamaEngine)
            assert weights(chat) is weights(real)
            return proposal.after
        finally:
            await conversations.shut_down()

    after = asyncio.run(documented())
    docstring = ast.get_docstring(ast.parse(after).body[0])  # type: ignore[arg-type]
    assert docstring is not None
    assert re.search("mean|average", docstring)


def weights(engine: LlamaEngine) -> LlamaModel:
    assert isinstance(engine._backend, LlamaBackend)
    return engine._backend.model


def test_what_it_writes_holds_no_special_token(real: LlamaEngine) -> None:
    prompt = Prompt(
        segments=(Special.FIM_PREFIX, Text("x = [", ""), Special.FIM_SUFFIX, Text("]\n", ""), Special.FIM_MIDDLE),
        tokens=9,
    )
    text = real.run(Request(prompt=prompt, max_tokens=48)).text
    assert not any(special in text for special in real.tokenizer.family.texts.values())
