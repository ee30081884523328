"""Builds the prompt of a conversation with the model's own template, and keeps the user's text apart from it.

A template writes special tokens as text, and so might a user. It is therefore rendered with a mark in place of each
message's text, and the result is cut at the marks: the template's own text becomes ``Markup``, and the messages become
``Text``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from codegemma_lsp.prompt.segments import Markup, Prompt, Segment, Special, Text, Tokenizer, count_tokens
from codegemma_lsp.prompt.template_rendering import TemplateTooCostly, render, render_within_limits

GEMMA = """\
{{ bos_token }}
{%- if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{%- for message in messages %}
{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
{%- endif %}
{%- set role = 'model' if message['role'] == 'assistant' else message['role'] %}
{{- '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}
"""
"""The template of CodeGemma 7B-IT (from its tokenizer_config.json), for files without one."""

TURN = "\ue002"
"""Begins each turn of ``PLAIN``, before the role."""
PLAIN = """\
{%- if messages[0]['role'] == 'system' %}{{ raise_exception('The first question has it') }}{% endif %}
{%- for message in messages %}{{ '@' + message['role'] + '\\n' + message['content'] }}{% endfor %}
{%- if add_generation_prompt %}{{ '@assistant\\n' }}{% endif %}
""".replace("@", TURN)
"""A template that only keeps turns apart, for engines that hand over a conversation as such. Many models' own templates
refuse a system message, so it is left to the first question."""

_KNOWN = frozenset(
    {
        "cd8e9439f0570856fd70470bf8889ebd8b5d1107207f67a5efb46e342330527f",  # Qwen2.5-Coder 0.5B Instruct
        "d5495a1e5db0611132a97e46a65dbb64a642a499421228b9c8b93229097fa9a4",  # Qwen2.5-Coder 1.5B Instruct
        "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788",  # SmolLM2 135M Instruct
    }
)
"""The SHA-256 of templates that are rendered in this process, which saves the start of another one for each turn."""
_MARK = "\ue000{}\ue001"
_MARKS = re.compile("\ue000(\\d+)\ue001")


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    text: str


class ChatImpossible(ValueError):
    """A conversation that this model cannot continue. ``str()`` is one sentence with the reason and what to do."""


class ChatTooLong(ChatImpossible):
    """A question that does not fit."""


def build_chat(
    messages: Sequence[Message], template: str, tokenizer: Tokenizer, tokens: int, begun: str = ""
) -> Prompt:
    """Returns the prompt for the next answer, of at most ``tokens`` tokens.

    ``messages`` end with the question. If they do not all fit, the oldest exchanges are left out, but never the system
    message, which comes first if there is one. ``begun`` is the beginning of the answer. An empty ``template`` means
    Gemma's. Raises ``ChatImpossible``, and of these ``ChatTooLong`` for a question that does not fit.
    """
    system = [m for m in messages[:1] if m.role is Role.SYSTEM]
    turns = list(messages[len(system) :])
    while True:
        segments = _segments([*system, *turns], template or GEMMA, tokenizer)
        if begun:
            segments = (*segments, Text(begun, "how the answer begins"))
        count = count_tokens(segments, tokenizer)
        if count <= tokens:
            return Prompt(segments=segments, tokens=count)
        if len(turns) <= 1:
            raise ChatTooLong(
                f"The question takes {count} tokens and the chat model has room for {tokens}: select less, or raise"
                " chatContextTokens."
            )
        del turns[: 2 if turns[1].role is Role.ASSISTANT else 1]


def _segments(messages: Sequence[Message], template: str, tokenizer: Tokenizer) -> tuple[Segment, ...]:
    roles = tuple(message.role.value for message in messages)
    texts = [message.text.strip() for message in messages]
    names = (tokenizer.name(Special.BOS), tokenizer.name(Special.EOS))
    rendered = _rendered(template, roles, *names)
    if rendered is None and roles[0] == Role.SYSTEM:
        rendered = _rendered(template, roles[1:], *names)
        texts = ["\n\n".join(texts[:2]), *texts[2:]]
    if rendered is None:
        raise ChatImpossible("The chat model's template refuses a plain conversation; choose another chat model.")
    # BOS is put here exactly once, because some templates write it and some vocabularies add it.
    wanted = tokenizer.begins_with_bos or bool(names[0] and rendered.startswith(names[0]))
    parts = _MARKS.split(rendered.removeprefix(names[0]) if names[0] else rendered)
    segments: list[Segment] = [Special.BOS] if wanted else []
    for i, part in enumerate(parts):
        if i % 2:
            segments.append(Text(texts[int(part)], "message"))
        elif part:
            segments.append(Markup(part))
    return tuple(segments)


@lru_cache(maxsize=64)
def _rendered(template: str, roles: tuple[str, ...], bos: str, eos: str) -> str | None:
    """Renders the template over marks instead of texts. Returns None if it raises or leaves out a mark. Raises
    ``ChatImpossible`` if it takes too long."""
    messages = [{"role": role, "content": _MARK.format(i)} for i, role in enumerate(roles)]
    is_known = template in (GEMMA, PLAIN) or hashlib.sha256(template.encode(errors="replace")).hexdigest() in _KNOWN
    try:
        rendered = (render if is_known else render_within_limits)(template, messages, bos, eos)
    except TemplateTooCostly:
        raise ChatImpossible(
            "The chat model's template takes too much time or memory, so it is not used; choose another chat model."
        ) from None
    if rendered is None:
        return None
    return rendered if [int(n) for n in _MARKS.findall(rendered)] == list(range(len(roles))) else None
