"""Where the parts of an infill stand, and what of the file is shown around them."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.prompt import (
    BY_NAME,
    CODEGEMMA,
    PREFIX_ONLY,
    UNKNOWN,
    BudgetTooSmall,
    Layout,
    OtherFile,
    Special,
    Text,
    before_suffix,
    unmistakable,
)
from tests.prompt.story import infill, shown

DOCUMENT = """\
import a

x = <CURSOR>
y = 2
"""


def test_psm_has_the_prefix_first() -> None:
    assert str(infill(DOCUMENT, Layout.PSM, path="a/b.py")) == snapshot("""\
<bos>a/b.py
<|fim_prefix|>import a

x = <|fim_suffix|>
y = 2
<|fim_middle|>\
""")


def test_spm_has_the_suffix_first() -> None:
    assert str(infill(DOCUMENT, Layout.SPM, path="a/b.py")) == snapshot("""\
<bos>a/b.py
<|fim_suffix|>
y = 2
<|fim_prefix|>import a

x = <|fim_middle|>\
""")


def test_anchored_begins_the_middle_with_the_cursors_line() -> None:
    assert str(infill(DOCUMENT, Layout.ANCHORED, path="a/b.py")) == snapshot("""\
<bos>a/b.py
<|fim_prefix|>import a

<|fim_suffix|>
y = 2
<|fim_middle|>x = \
""")


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(
            "def f(x):\n    <CURSOR>\n",
            snapshot("""\
<|fim_prefix|>def f(x):<|fim_suffix|>
<|fim_middle|>
 + b'    '\
"""),
            id="after the indentation",
        ),
        pytest.param(
            "def f(x):\n<CURSOR>\n",
            snapshot("""\
<|fim_prefix|>def f(x):<|fim_suffix|>
<|fim_middle|> + b'\\n'\
"""),
            id="at the start of a line",
        ),
        pytest.param(
            "def f(x):\n    return <CURSOR>\n",
            snapshot("""\
<|fim_prefix|>def f(x):<|fim_suffix|>
<|fim_middle|>
    return + b' '\
"""),
            id="in a line",
        ),
        pytest.param(
            "<CURSOR>\n",
            snapshot("""\
<|fim_prefix|><|fim_suffix|>
<|fim_middle|> + b''\
"""),
            id="in an empty file",
        ),
    ],
)
def test_a_family_may_begin_the_middle_within_the_line_above(document: str, expected: str) -> None:
    """Its last token is then in the middle, or is generated again."""
    family = BY_NAME["qwen"]
    prompt = infill(document, Layout.ANCHORED, family=family, heal=True).prompt
    assert f"{shown(prompt, family)} + {prompt.forced_prefix!r}" == expected


def test_back_in_the_line_above_the_word_is_healed() -> None:
    """After Enter and Backspace, of which the middle would have nothing to spell again."""
    family = BY_NAME["qwen"]
    below = infill("total = compute\n<CURSOR>", family=family, heal=True)
    back = infill("total = compute<CURSOR>", family=family, heal=True, after=below)
    assert back.prompt.forced_prefix == b" compute"


def test_a_model_that_cannot_infill_sees_the_text_before_the_cursor_only() -> None:
    assert shown(infill(DOCUMENT, Layout.PSM, family=PREFIX_ONLY).prompt, PREFIX_ONLY) == snapshot("""\
import a

x = \
""")


def test_each_part_says_why_it_is_there() -> None:
    parts = infill(DOCUMENT, path="a/b.py", headers=((0, "import a"),)).prompt.segments
    assert [part.reason for part in parts if isinstance(part, Text)] == snapshot(
        ["file path", "prefix", "suffix", "middle so far"]
    )


def test_the_end_of_a_file_has_no_suffix() -> None:
    assert str(infill("x = <CURSOR>", Layout.PSM)) == snapshot("<bos><|fim_prefix|>x = <|fim_suffix|><|fim_middle|>")


def test_the_start_of_a_file_has_no_prefix() -> None:
    assert str(infill("<CURSOR>x = 1\n", Layout.PSM)) == snapshot("""\
<bos><|fim_prefix|><|fim_suffix|>x = 1
<|fim_middle|>\
""")


@pytest.mark.parametrize("layout", list(Layout))
def test_the_smallest_budget_holds_the_formats_own_tokens_and_one_more(layout: Layout) -> None:
    assert infill("<CURSOR>", layout, tokens=5).prompt.tokens == 4
    with pytest.raises(BudgetTooSmall) as refused:
        infill("<CURSOR>", layout, tokens=4)
    assert str(refused.value) == snapshot(
        "A prompt of 4 tokens is too small for an infill; raise contextTokens or lower maxTokens."
    )


def test_other_files_come_first_in_their_order() -> None:
    others = (
        OtherFile(path="a.py", text="A = 1\n", reason="imported"),
        OtherFile(path="b.py", text="B = 2", reason="imported"),
    )
    assert str(infill(DOCUMENT, path="c.py", other_files=others)) == snapshot("""\
<bos>a.py
A = 1
<|file_separator|>b.py
B = 2
<|file_separator|>c.py
<|fim_prefix|>import a

<|fim_suffix|>
y = 2
<|fim_middle|>x = \
""")


@pytest.mark.parametrize(
    ("tokens", "kept"),
    [pytest.param(96, "ab", id="both"), pytest.param(95, "b", id="one"), pytest.param(55, "", id="none")],
)
def test_of_other_files_the_last_that_fit_a_quarter_are_kept(tokens: int, kept: str) -> None:
    """The file's own path takes 4 tokens; each other file takes 4 for its path, 5 for its line, 1 for its end."""
    others = (
        OtherFile(path="a.py", text="a = 1\n", reason="imported"),
        OtherFile(path="b.py", text="b = 2\n", reason="imported"),
    )
    found = str(infill("x = <CURSOR>", path="c.py", other_files=others, tokens=tokens))
    assert "".join(name for name in "ab" if f"{name}.py" in found) == kept


def test_a_path_longer_than_a_quarter_of_the_budget_is_left_out() -> None:
    assert str(infill("x = <CURSOR>", path="a/b/c/d.py", tokens=4 * 10)) == snapshot("""\
<bos>a/b/c/d.py
<|fim_prefix|><|fim_suffix|><|fim_middle|>x = \
""")
    assert str(infill("x = <CURSOR>", path="a/b/c/d.py", tokens=4 * 9)) == snapshot(
        "<bos><|fim_prefix|><|fim_suffix|><|fim_middle|>x = "
    )


def test_the_part_before_the_suffix_is_what_a_place_further_down_shares() -> None:
    assert shown(before_suffix(infill(DOCUMENT, path="a/b.py").prompt)) == snapshot("""\
<bos>a/b.py
<|fim_prefix|>import a

""")


def test_nothing_is_shared_where_the_suffix_comes_first() -> None:
    assert before_suffix(infill(DOCUMENT, Layout.SPM, path="a/b.py").prompt).segments == ()


def test_nothing_is_shared_where_the_window_begins_at_the_cursors_line() -> None:
    assert before_suffix(infill("x = <CURSOR>").prompt).segments == ()


def test_the_part_before_the_suffix_forces_nothing() -> None:
    prompt = infill(DOCUMENT, Layout.PSM, heal=True).prompt
    assert (prompt.forced_prefix, before_suffix(prompt).forced_prefix) == snapshot((b" ", b""))


def test_spellings_of_special_tokens_that_are_nothing_else_in_a_source() -> None:
    families = (CODEGEMMA, BY_NAME["starcoder"], BY_NAME["codestral"])
    assert {family.name: unmistakable(family) for family in families} == snapshot(
        {
            "codegemma": (
                "<eos>",
                "<bos>",
                "<|fim_prefix|>",
                "<|fim_middle|>",
                "<|fim_suffix|>",
                "<|file_separator|>",
                "<start_of_turn>",
                "<end_of_turn>",
            ),
            "starcoder": ("<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>"),
            "codestral": (),
        }
    )


def test_a_family_with_one_order_has_it_in_every_layout() -> None:
    assert {BY_NAME["qwen"].order(layout) for layout in Layout} == {BY_NAME["qwen"].psm}
    assert {BY_NAME["mellum"].order(layout) for layout in Layout} == {BY_NAME["mellum"].spm}


def test_which_families_infill() -> None:
    assert [family.name for family in (*BY_NAME.values(), UNKNOWN) if not family.infills] == ["none"]


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_every_token_of_an_infill_is_spelled(name: str) -> None:
    family = BY_NAME[name]
    assert {part for part in (*family.psm, *family.spm) if isinstance(part, Special)} <= set(family.texts)
