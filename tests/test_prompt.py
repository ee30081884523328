"""Prompts: exact token counts, no text that becomes a special token, and windows that stay while one types."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
from codegemma_lsp.prompt import (
    CODEGEMMA,
    Budget,
    CursorContext,
    Layout,
    Prompt,
    PromptWindow,
    Special,
    build_fim,
    count_tokens,
)
from codegemma_lsp.text import common_prefix_length
from tests.marks import at_cursor

PACKAGE = Path(__file__).parents[1] / "codegemma_lsp"
SOURCES = sorted(PACKAGE.rglob("*.py"))
layouts = st.sampled_from(list(Layout))


def shown(prompt: Prompt) -> str:
    return "".join(CODEGEMMA.texts[s] if isinstance(s, Special) else s.text for s in prompt.segments)


def check(engine: LlamaEngine, marked: str, layout: Layout, *, heal: bool = False, budget: int = 400) -> str:
    text, offset = at_cursor(marked)
    prompt, _ = build_fim(CursorContext("a/b.py", text, offset), layout, Budget(budget), engine.tokenizer, heal)
    assert prompt.tokens == len(engine.tokenizer.tokens(prompt)) <= budget
    return shown(prompt)


def test_layouts(engine: LlamaEngine) -> None:
    marked = "import a\n\nx = <CURSOR>\ny = 2\n"
    assert check(engine, marked, Layout.PSM) == snapshot(
        """\
<bos>a/b.py
<|fim_prefix|>import a

x = <|fim_suffix|>
y = 2
<|fim_middle|>"""
    )
    assert check(engine, marked, Layout.SPM) == snapshot(
        """\
<bos>a/b.py
<|fim_suffix|>
y = 2
<|fim_prefix|>import a

x = <|fim_middle|>"""
    )
    assert check(engine, marked, Layout.ANCHORED) == snapshot(
        """\
<bos>a/b.py
<|fim_prefix|>import a

<|fim_suffix|>
y = 2
<|fim_middle|>x = """
    )


def test_healing_leaves_the_last_piece_to_the_model(engine: LlamaEngine) -> None:
    text, offset = at_cursor("value = retur<CURSOR>\n")
    for layout in Layout:
        prompt, _ = build_fim(CursorContext("", text, offset), layout, Budget(100), engine.tokenizer, heal=True)
        assert prompt.forced_prefix
        whole, _ = build_fim(CursorContext("", text, offset), layout, Budget(100), engine.tokenizer, heal=False)
        assert prompt.tokens == whole.tokens - 1
        joined = shown(prompt).replace("<|fim_middle|>", "").replace("<|fim_suffix|>\n", "")
        assert (
            joined.removeprefix("<bos>").removeprefix("<|fim_prefix|>") + prompt.forced_prefix.decode()
            == "value = retur"
        )


def test_a_healed_emoji_is_left_whole(engine: LlamaEngine) -> None:
    prompt, _ = build_fim(
        CursorContext("", "x = '\U0001f600", 6), Layout.ANCHORED, Budget(100), engine.tokenizer, heal=True
    )
    assert prompt.forced_prefix.decode() in "x = '\U0001f600"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_text_that_spells_a_special_token_stays_text(engine: LlamaEngine, path: Path) -> None:
    """This project's own sources contain every special token's text."""
    text = path.read_text("utf-8")
    tokens = engine.tokenizer.encode(text)
    assert not set(tokens) & set(engine.tokenizer.specials.values())
    assert b"".join(engine.tokenizer.piece(t) for t in tokens).decode() == text


def test_the_sources_do_contain_them() -> None:
    everything = "".join(path.read_text("utf-8") for path in SOURCES)
    assert all(text in everything for text in CODEGEMMA.texts.values())


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
        context = CursorContext(path, text, offset, headers=headers)
        prompt, previous = build_fim(context, layout, Budget(budget), engine.tokenizer, heal, previous)
        assert prompt.tokens == count_tokens(prompt.segments, engine.tokenizer)
        assert prompt.tokens == len(engine.tokenizer.tokens(prompt))
        assert prompt.tokens <= budget
        assert [s for s in prompt.segments if isinstance(s, Special)].count(Special.BOS) == 1
        typed = data.draw(parts)
        text, offset = text[:offset] + typed + text[offset:], offset + len(typed)


def test_a_budget_too_small_for_the_format_is_refused(engine: LlamaEngine) -> None:
    with pytest.raises(ValueError, match="too small for an infill"):
        build_fim(CursorContext("", "x", 1), Layout.PSM, Budget(4), engine.tokenizer)


def test_headers_and_imports_outside_the_window_are_kept(engine: LlamaEngine) -> None:
    body = "".join(f"        self.x{i} = {i}\n" for i in range(300))
    head = "import os\n\n\nclass A:\n    def f(self):\n"
    text = f"{head}{body}        return "
    context = CursorContext(
        "a.py",
        text,
        len(text),
        imports=((0, "import os"),),
        headers=((text.index("class"), "class A:"), (text.index("def"), "def f(self):")),
    )
    prompt, window = build_fim(context, Layout.ANCHORED, Budget(300), engine.tokenizer)
    assert window.head > len(head)
    assert window.outside == "import os\nclass A:\n    def f(self):\n"
    assert prompt.tokens <= 300


def typed_one_by_one(engine: LlamaEngine, layout: Layout, before: str, typed: str, after: str) -> list[int]:
    """Tokens that each keystroke's prompt does not share with the one before it."""
    fresh, last, window = [], list[int](), None
    for i in range(len(typed) + 1):
        text = before + typed[:i] + after
        context = CursorContext("a.py", text, len(before) + i)
        prompt, window = build_fim(context, layout, Budget(600), engine.tokenizer, heal=True, previous=window)
        tokens = engine.tokenizer.tokens(prompt)
        fresh.append(len(tokens) - common_prefix_length(tokens, last))
        last = tokens
    return fresh[1:]


def test_anchored_only_appends_while_one_types(engine: LlamaEngine) -> None:
    source = (PACKAGE / "document.py").read_text("utf-8")
    at = source.index("    def offset(")
    before, typed, after = source[:at], source[at : at + 400], source[at + 400 :]
    fresh = sorted(typed_one_by_one(engine, Layout.ANCHORED, before, typed, after))
    assert fresh[len(fresh) // 2] <= 4
    assert fresh[int(0.95 * len(fresh))] <= 64
    whole_suffix = typed_one_by_one(engine, Layout.PSM, before, typed[:80], after)
    assert sum(whole_suffix) > 10 * sum(typed_one_by_one(engine, Layout.ANCHORED, before, typed[:80], after))


def test_moving_up_or_changing_what_was_shown_opens_a_new_window(engine: LlamaEngine) -> None:
    text = "a = 1\nb = 2\nc = 3\n"
    _, window = build_fim(CursorContext("", text, 12), Layout.ANCHORED, Budget(100), engine.tokenizer)
    assert window.anchor == 12
    _, moved = build_fim(CursorContext("", text, 5), Layout.ANCHORED, Budget(100), engine.tokenizer, previous=window)
    assert moved.anchor == 0
    changed = "a = 9\nb = 2\nc = 3\n"
    prompt, _ = build_fim(
        CursorContext("", changed, 12), Layout.ANCHORED, Budget(100), engine.tokenizer, previous=window
    )
    assert "a = 9" in shown(prompt)
