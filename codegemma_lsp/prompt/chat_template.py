"""The prompt for a conversation: the model's own template, with the user's text kept apart from it.

A template writes special tokens as text, and so might a user. So it is rendered with a mark in place of each message's
text, and cut at the marks: what it wrote itself is ``Markup``, the messages are ``Text``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from codegemma_lsp.prompt.segments import Markup, Prompt, Segment, Special, Text, Tokenizer, count_tokens

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
"""CodeGemma 7B-IT's own (its tokenizer_config.json), for files without one."""

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
    """A conversation that cannot be put to this model; ``str()`` is one sentence that says why, and what to do."""


def build_chat(
    messages: Sequence[Message], template: str, tokenizer: Tokenizer, tokens: int, begun: str = ""
) -> Prompt:
    """The prompt for the next answer, of at most ``tokens`` tokens. ``messages`` end with the question; before it the
    oldest exchanges are left out where all do not fit, never the system's text, which comes first if at all. ``begun``
    is how the answer begins. ``template`` "" is Gemma's. Raises ``ChatImpossible``."""
    system = [m for m in messages[:1] if m.role is Role.SYSTEM]
    turns = list(messages[len(system) :])
    while True:
        segments = _segments([*system, *turns], template or GEMMA, tokenizer)
        if begun:
            segments = (*segments, Text(begun, "how the answer begins"))
        count = count_tokens(segments, tokenizer)
        if count <= tokens:
            return Prompt(segments, count)
        if len(turns) <= 1:
            raise ChatImpossible(
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
    # BOS is ours to put, exactly once: templates that write it and vocabularies that add it are both common.
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
    """The template over marks instead of texts; None where it raises or leaves one out."""
    messages = [{"role": role, "content": _MARK.format(i)} for i, role in enumerate(roles)]
    try:
        rendered = _compiled(template).render(
            messages=messages, add_generation_prompt=True, bos_token=bos, eos_token=eos
        )
    except Exception:  # a template is a program of the model's maker
        return None
    return rendered if [int(n) for n in _MARKS.findall(rendered)] == list(range(len(roles))) else None


@lru_cache(maxsize=4)
def _compiled(template: str) -> jinja2.Template:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = _refuse
    return environment.from_string(template)


def _refuse(message: str) -> str:
    raise jinja2.TemplateError(message)
