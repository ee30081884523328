"""Chat templates that would take all time or all memory end with a sentence, and those of real models are as before."""

from __future__ import annotations

import pytest

from codegemma_lsp.prompt import ChatImpossible, Message, Role, build_chat
from codegemma_lsp.prompt.chat_template import GEMMA
from codegemma_lsp.prompt.template_rendering import render, render_within_limits
from tests.hostile_templates import CHATML, HOSTILE
from tests.scripted import Bytes

QUESTION = [Message(Role.USER, "Why?")]
SHOWN = "{{ messages[0].content }}"


@pytest.mark.parametrize("template", [pytest.param(template, id=name) for name, template in HOSTILE.items()])
def test_a_costly_template_ends_with_a_sentence(template: str) -> None:
    with pytest.raises(ChatImpossible, match=r"^The chat model's template .* choose another chat model\.$"):
        build_chat(QUESTION, SHOWN + template, Bytes(), 10_000)


@pytest.mark.parametrize("template", [GEMMA, CHATML, SHOWN, "{{ 1 / 0 }}", "{% nonsense %}", "{{ messages.x.y }}"])
def test_a_process_of_its_own_renders_the_same(template: str) -> None:
    messages = [{"role": "user", "content": "\ue000 \U0001f9f9 \n"}, {"role": "assistant", "content": "}}"}]
    assert render_within_limits(template, messages, "<s>", "</s>") == render(template, messages, "<s>", "</s>")
