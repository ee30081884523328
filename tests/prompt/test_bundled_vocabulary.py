"""Prompts in the bundled model's own vocabulary: exact counts, and no text that becomes a special token."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegemma_lsp.completion import DocumentState, Query, complete
from codegemma_lsp.document import Document
from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
from codegemma_lsp.engines.protocol import Options
from codegemma_lsp.models import BUNDLED, model_path
from codegemma_lsp.prompt import (
    CODEGEMMA,
    Budget,
    CursorContext,
    InfillFormat,
    Layout,
    Message,
    Prompt,
    PromptWindow,
    Role,
    Special,
    build_chat,
    build_fim,
    count_tokens,
)
from codegemma_lsp.settings import Settings
from codegemma_lsp.text import common_prefix_length
from tests.marks import at_cursor
from tests.prompt.story import shown

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "codegemma_lsp"
SOURCES = sorted(PACKAGE.rglob("*.py"))
layouts = st.sampled_from(list(Layout))


@pytest.mark.parametrize("layout", list(Layout))
def test_healing_leaves_the_last_piece_to_the_model(engine: LlamaEngine, layout: Layout) -> None:
    text, offset = at_cursor("value = retur<CURSOR>\n")
    context = CursorContext(path="", text=text, offset=offset)
    healed, _ = build_fim(context, layout, Budget(prompt=100), engine.tokenizer, heal=True)
    whole, _ = build_fim(context, layout, Budget(prompt=100), engine.tokenizer, heal=False)
    assert healed.forced_prefix
    assert healed.tokens == whole.tokens - 1
    text = shown(healed).replace("<|fim_suffix|>\n", "").replace("<|fim_middle|>", "")
    assert text + healed.forced_prefix.decode() == "<bos><|fim_prefix|>value = retur"


def test_a_healed_emoji_is_left_whole(engine: LlamaEngine) -> None:
    text = "x = '\U0001f600"
    prompt, _ = build_fim(
        CursorContext(path="", text=text, offset=len(text)),
        Layout.ANCHORED,
        Budget(prompt=100),
        engine.tokenizer,
        heal=True,
    )
    assert text.endswith(prompt.forced_prefix.decode())
    assert "\U0001f600" in prompt.forced_prefix.decode()


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_text_that_spells_a_special_token_stays_text(engine: LlamaEngine, path: Path) -> None:
    """This project's own sources contain every special token's text."""
    text = path.read_text("utf-8")
    tokens = engine.tokenizer.encode(text)
    assert not set(tokens) & set(engine.tokenizer.specials.values())
    assert b"".join(engine.tokenizer.piece(t) for t in tokens).decode() == text


def test_the_sources_do_contain_them() -> None:
    everything = "".join(path.read_text("utf-8") for path in SOURCES)
    assert {special for special, text in CODEGEMMA.texts.items() if text not in everything} == set()


@settings(deadline=None, max_examples=150)
@given(st.data(), layouts, st.booleans(), st.integers(24, 300))
def test_the_count_is_exact_and_within_the_budget(
    engine: LlamaEngine, data: st.DataObject, layout: Layout, heal: bool, budget: int
) -> None:
    parts = st.sampled_from(
        [
            "def f(x):\n",
            "    ",
            "\n",
            "\n\n",
            "return x",
            "<|fim_suffix|>",
            "\U0001f600",
            "\t",
            "x" * 200,
            " ",
            "é",
            "#",
        ]
    )
    text = "".join(data.draw(st.lists(parts, max_size=60)))
    offset = data.draw(st.integers(0, len(text)))
    headers = ((0, text[:9]),) if data.draw(st.booleans()) else ()
    path = data.draw(st.sampled_from(["", "a.py", "very/long/" * 30]))
    previous: PromptWindow | None = None
    for _ in range(2):
        context = CursorContext(path=path, text=text, offset=offset, headers=headers)
        prompt, previous = build_fim(context, layout, Budget(prompt=budget), engine.tokenizer, heal, previous)
        assert prompt.tokens == count_tokens(prompt.segments, engine.tokenizer)
        assert prompt.tokens == len(engine.tokenizer.tokens(prompt))
        assert prompt.tokens <= budget
        assert [s for s in prompt.segments if isinstance(s, Special)].count(Special.BOS) == 1
        typed = data.draw(parts)
        text, offset = text[:offset] + typed + text[offset:], offset + len(typed)


def typed_one_by_one(engine: LlamaEngine, layout: Layout, before: str, typed: str, after: str) -> list[int]:
    """Tokens that each keystroke's prompt does not share with the one before it."""
    fresh, last, window = [], list[int](), None
    for i in range(len(typed) + 1):
        text = before + typed[:i] + after
        context = CursorContext(path="a.py", text=text, offset=len(before) + i)
        prompt, window = build_fim(context, layout, Budget(prompt=600), engine.tokenizer, heal=True, previous=window)
        tokens = engine.tokenizer.tokens(prompt)
        fresh.append(len(tokens) - common_prefix_length(tokens, last))
        last = tokens
    return fresh[1:]


def test_anchored_only_appends_while_one_types(engine: LlamaEngine) -> None:
    source = (ROOT / "tests" / "data" / "document.py").read_text("utf-8")
    at = source.index("    def offset(")
    before, typed, after = source[:at], source[at : at + 400], source[at + 400 :]
    fresh = sorted(typed_one_by_one(engine, Layout.ANCHORED, before, typed, after))
    assert fresh[len(fresh) // 2] <= 4
    assert fresh[int(0.95 * len(fresh))] <= 64
    whole_suffix = typed_one_by_one(engine, Layout.PSM, before, typed[:80], after)
    assert sum(whole_suffix) > 10 * sum(typed_one_by_one(engine, Layout.ANCHORED, before, typed[:80], after))


@pytest.mark.parametrize(
    "said", ["<end_of_turn>", "<|fim_middle|><eos>", "<bos>", "\ue0000\ue001", "<start_of_turn>model\n"]
)
def test_what_a_user_writes_is_no_special_token(engine: LlamaEngine, said: str) -> None:
    plain = build_chat([Message(Role.USER, "x")], engine.chat_template, engine.tokenizer, 500)
    prompt = build_chat([Message(Role.USER, said)], engine.chat_template, engine.tokenizer, 500)
    controls = engine.tokenizer.controls

    def special(prompt: Prompt) -> list[int]:
        return [token for token in engine.tokenizer.tokens(prompt) if token in controls]

    assert special(prompt) == special(plain)
    assert len(engine.tokenizer.tokens(prompt)) == prompt.tokens


async def test_a_model_that_cannot_infill_is_asked_at_the_ends_of_lines_only() -> None:
    engine = LlamaEngine(model_path(BUNDLED), Options(threads=1, infill_format=InfillFormat.NONE))
    text = "def add(a, b):\n    return (a\n"
    try:
        outcomes = {}
        for after in ("return ", "return (a"):
            query = Query(
                document=Document(uri="file:///add.py", text=text, language="python"),
                offset=text.index(after) + len(after),
                path="add.py",
                explicit=True,
            )
            outcomes[after] = await complete(query, DocumentState(), engine, Settings())
    finally:
        engine.close()
    assert outcomes["return "].reason == "this model cannot infill, so it is asked at the end of a line only"
    assert outcomes["return (a"].usage.completion_tokens
