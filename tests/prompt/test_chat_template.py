"""Chat templates: the user's text is text, BOS stands once, and what does not fit is left out from the oldest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from codegemma_lsp.prompt import (
    CODEGEMMA,
    ChatImpossible,
    Markup,
    Message,
    Prompt,
    Role,
    Special,
    Text,
    build_chat,
    count_tokens,
)
from tests.scripted import Bytes

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TALK = [
    Message(Role.SYSTEM, "Be brief."),
    Message(Role.USER, " one "),
    Message(Role.ASSISTANT, "two"),
    Message(Role.USER, "three"),
]


def check(messages: list[Message], template: str = "", tokens: int = 10_000, begun: str = "") -> str:
    return shown(build_chat(messages, template, Bytes(), tokens, begun))


def shown(prompt: Prompt) -> str:
    return "".join(s.text if isinstance(s, Text | Markup) else CODEGEMMA.texts[s] for s in prompt.segments)


def test_without_a_template_it_is_gemmas_where_the_system_has_no_role() -> None:
    assert check(TALK, begun="```python\n") == snapshot("""\
<bos><start_of_turn>user
Be brief.

one<end_of_turn>
<start_of_turn>model
two<end_of_turn>
<start_of_turn>user
three<end_of_turn>
<start_of_turn>model
```python
""")


def test_a_template_of_the_model_is_followed() -> None:
    assert check(TALK, CHATML) == snapshot("""\
<bos><|im_start|>system
Be brief.<|im_end|>
<|im_start|>user
one<|im_end|>
<|im_start|>assistant
two<|im_end|>
<|im_start|>user
three<|im_end|>
<|im_start|>assistant
""")


@pytest.mark.parametrize("template", ["", CHATML, "<bos>" + CHATML, "{{ bos_token }}" + CHATML])
def test_bos_is_there_once(template: str) -> None:
    prompt = build_chat(TALK, template, Bytes(), 10_000)
    assert prompt.segments.count(Special.BOS) == 1
    assert shown(prompt).count("<bos>") == 1


@given(st.lists(st.text(max_size=30), min_size=1, max_size=7), st.integers(1, 400))
def test_the_oldest_is_left_out_and_never_the_question(texts: list[str], tokens: int) -> None:
    talk = [Message(Role.USER if i % 2 == 0 else Role.ASSISTANT, text) for i, text in enumerate(texts)]
    talk = talk if len(talk) % 2 else talk[:-1]
    if build_chat(talk[-1:], "", Bytes(), 10_000).tokens > tokens:
        with pytest.raises(ChatImpossible, match=r"chatContextTokens\.$"):
            build_chat(talk, "", Bytes(), tokens)
        return
    prompt = build_chat(talk, "", Bytes(), tokens)
    assert prompt.tokens == count_tokens(prompt.segments, Bytes()) <= tokens
    kept = [s.text for s in prompt.segments if isinstance(s, Text)]
    assert kept == [message.text.strip() for message in talk][-len(kept) :]
    assert len(kept) % 2 == 1


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0].content }} only",
        "{{ raise_exception('no') }}",
        "{% for m in messages %}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "half a surrogate pair: \ud83d",
    ],
)
def test_a_template_that_cannot_be_used_is_a_sentence(template: str) -> None:
    with pytest.raises(ChatImpossible, match=r"choose another chat model\.$"):
        build_chat(TALK, template, Bytes(), 10_000)


@pytest.mark.parametrize(
    ("template", "count"),
    [pytest.param("{{ bos_token }}" + CHATML, 1, id="written"), pytest.param(CHATML, 0, id="not written")],
)
def test_bos_is_the_templates_where_the_vocabulary_adds_none(template: str, count: int) -> None:
    class Plain(Bytes):
        begins_with_bos = False

    prompt = build_chat(TALK, template, Plain(), 10_000)
    assert prompt.segments.count(Special.BOS) == count
    assert shown(prompt).count("<bos>") == count
