"""Whatever the chat model answers, and wherever: an edit that is without a syntax error of its own, or a sentence."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from codegemma_lsp.chat import Action, RequestRefused
from codegemma_lsp.engines.protocol import Finish
from codegemma_lsp.syntax import parse
from tests.chat.story import Story

PYTHON = """import os


class Shape:
    def area(self, r):
        x = r * r
        return 3 * x<CURSOR>

    def name(self):
        return "s"
"""
SCRIPT = "export const add = (a, b) => {\n\treturn a + b;<CURSOR>\n};\n"
PROSE = "Some words.\n<CURSOR>\nAnd more of them.\n"
SOURCES = {"python": PYTHON, "javascript": SCRIPT, "plaintext": PROSE}


def check_sentence(message: str) -> None:
    assert re.search(r"[.)]$", message)
    assert "\n" not in message


OUTPUTS = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            [
                "return 3 * x",
                "        x = 1",
                "\tif x:",
                "```",
                "````python",
                "```python",
                "<|fim_middle|>",
                "<end_of_turn>",
                "<eos>",
                "}",
                "{",
                "(",
                '"""',
                "*/",
                "Sure! Here is the code:",
                "\x00",
                "\ufffd",
                "\U0001f9f9",
                "",
                " ",
                "\u2028",
                "\x0c",
                "\\",
            ]
        ),
        max_size=12,
    ).flatmap(lambda parts: st.sampled_from(["\n", "\r\n", "\r", "\n\n"]).map(lambda end: end.join(parts))),
    st.just("        x = r * r\n" * 300),
)


@settings(deadline=None, max_examples=300)
@given(
    OUTPUTS,
    st.sampled_from(sorted(SOURCES)),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([Action.EDIT, Action.FIX, Action.DOCUMENT, Action.TESTS]),
    st.sampled_from([Finish.STOP_TOKEN, Finish.LENGTH]),
)
def test_any_output_is_a_safe_edit_or_a_sentence(
    output: str, language: str, newline: str, action: Action, finish: Finish
) -> None:
    try:
        proposal = Story(SOURCES[language], language, newline).proposal(action, output, finish)
    except RequestRefused as error:
        check_sentence(str(error))
        return
    before, after, region = proposal.document.text, proposal.after, proposal.region
    assert after != before
    assert after.startswith(before[: region.start])
    assert after.endswith(before[region.end :])
    assert after[region.start : len(after) - (len(before) - region.end)] == proposal.text
    assert not re.search(r"<\|fim|<eos>|<end_of_turn>|[\x00\ufffd]", after)
    assert "\r" not in after.replace("\r\n", "")
    if newline == "\r\n" and action is not Action.TESTS:
        assert "\n" not in after.replace("\r\n", "")
    if proposal.document.text:
        view = parse(after.replace("\r\n", "\n"), language)
        assert view.no_worse_than(parse(before.replace("\r\n", "\n"), language))


def test_there_are_edits_among_them() -> None:
    """What the test above finds safe is not always a sentence."""
    answers = {"python": "return 4 * x", "javascript": "export const add = () => 1;", "plaintext": "Other words."}
    for language, source in SOURCES.items():
        proposal = Story(source, language).proposal(Action.EDIT, answers[language])
        assert proposal.edits
