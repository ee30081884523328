"""Placeholders that stand for secrets in questions, and the secrets that come back in the answers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from codegemma_lsp.context import hidden
from codegemma_lsp.context.secrets import secret_spans

_PARTS = st.sampled_from(
    [
        'password = "hunter2secret"',
        'url = "https://u:pa55word1@host/"',
        "token: ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "hidden_secret",
        "hidden_secret_1",
        "\n",
        "\r\n",
        "x = '😀'",
    ]
)
_TEXTS = st.lists(st.lists(_PARTS, max_size=6).map(" ".join), max_size=3)


def test_equal_secrets_have_one_placeholder() -> None:
    texts = ['password = "hunter2secret"', 'url = "https://u:pa55word1@host/"\npassword = "hunter2secret"']
    assert hidden(texts).texts == snapshot(
        (
            'password = "hidden_secret_1"',
            'url = "https://u:hidden_secret_2@host/"\npassword = "hidden_secret_1"',
        )
    )


def test_a_text_that_has_the_placeholder_already_is_not_mistaken() -> None:
    found = hidden(['print(hidden_secret_1)\npassword = "hunter2secret"'])
    assert found.texts == snapshot(
        (
            """\
print(hidden_secret_1)
password = "hidden_secret__1"\
""",
        )
    )
    assert found.revealed("hidden_secret_1, hidden_secret__1") == "hidden_secret_1, hunter2secret"


def test_the_tenth_placeholder_is_not_the_first_and_a_digit() -> None:
    found = hidden([f'password = "hunter{number}secret"' for number in range(12)])
    assert found.revealed("hidden_secret_12 hidden_secret_1") == "hunter11secret hunter0secret"


def test_a_placeholder_that_the_model_made_up_is_told_from_the_others() -> None:
    found = hidden(['password = "hunter2secret"'])
    assert found.revealed("hidden_secret_10") == "hidden_secret_10"
    assert found.has_unknown("hidden_secret_10")
    assert not found.has_unknown("hidden_secret_1")
    assert not hidden(["nothing"]).has_unknown("hidden_secret_1")


def test_a_long_word_is_hidden_also_where_nothing_tells_that_it_is_a_secret() -> None:
    found = hidden(['password = "correcthorse"', "It is correcthorse.", "correcthorses", 'x = f(user_id, "user_id")'])
    assert found.texts == snapshot(
        ('password = "hidden_secret_1"', "It is hidden_secret_1.", "correcthorses", 'x = f(user_id, "user_id")')
    )


@given(_TEXTS)
def test_no_secret_is_in_the_texts_and_all_come_back(texts: list[str]) -> None:
    found = hidden(texts)
    for text, shown in zip(texts, found.texts, strict=True):
        assert found.revealed(shown) == text
        for span in secret_spans(text):
            assert text[span.start : span.end] not in shown


@given(_TEXTS)
def test_an_answer_so_far_only_grows(texts: list[str]) -> None:
    found = hidden(texts)
    answer = "\n".join(found.texts)
    shown = ""
    for end in range(len(answer) + 1):
        more = found.revealed_so_far(answer[:end])
        assert more.startswith(shown)
        shown = more
    assert found.revealed(answer).startswith(shown)
