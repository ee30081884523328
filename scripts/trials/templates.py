"""Chat templates that are broken, hostile or both: a prompt that fits, or a sentence, in time."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from codegemma_lsp.prompt import ChatImpossible, Message, Role, Text, build_chat, count_tokens
from codegemma_lsp.prompt.chat_template import GEMMA
from scripts.trials.models import check_sentence
from scripts.trials.trial import Case, Trial, check, shown
from tests.hostile_templates import CHATML, HOSTILE
from tests.scripted import Bytes

_TOKENS = 10_000
_SOUND = (GEMMA, CHATML, "{{ bos_token }}" + CHATML, "{{ messages[0].content }}")
_PARTS = (
    *("{{ '{0.__class__}'.format(messages) }}", "{{ ''.__class__.__mro__ }}", "{{ self.__init__.__globals__ }}"),
    *("{{ messages.append(1) }}", "{{ cycler.__init__.__globals__.os.environ }}", "{{ range(10)|map('upper')|list }}"),
    *("{% include '/etc/passwd' %}", "{% import 'os' as os %}{{ os.environ }}", "{% extends 'x' %}", "{% raw %}"),
    *("{{ namespace(a=1).a }}", "{{ lipsum.__globals__['os'].popen('id').read() }}", "{{ raise_exception('no') }}"),
    *("{{ messages|tojson }}", "{{ messages[0]|attr('__class__') }}", "{% set messages = [] %}", "{# ", "{%- if -%}"),
    *(
        "{{ joiner()() }}",
        "{{ 1 / 0 }}",
        "{{ undefined.x.y }}",
        "{% break %}",
        "{% for a in messages %}",
        "\x00",
        "\ud83d",
    ),
)
_ESCAPED = re.compile(r"<class '|<module |<function |/bin/(?:ba)?sh|root:x:0")
_NUMBER = re.compile(r"\d+")


@asynccontextmanager
async def _prepared(folder: Path) -> AsyncIterator[Case]:
    yield _case


async def _case(chance: random.Random) -> int:
    template = _template(chance)
    talk = [
        Message(Role.USER if number % 2 == 0 else Role.ASSISTANT, f"{chance.choice(_PARTS[:-2])} {number}")
        for number in range(chance.choice([1, 1, 3, 5]))
    ]
    try:
        prompt = await asyncio.to_thread(build_chat, talk, template, Bytes(), _TOKENS)
    except ChatImpossible as error:
        check_sentence(error, shown(template))
        return 1
    check(
        prompt.tokens == count_tokens(prompt.segments, Bytes()) <= _TOKENS, f"{shown(template)}: the tokens are wrong"
    )
    own = [message.text for message in talk]
    texts = [one.text for one in prompt.segments if isinstance(one, Text)]
    check(
        all(any(text in known for known in own) for text in texts), f"{shown(template)}: {shown(texts)} is no message"
    )
    rest = "".join(one.text for one in prompt.segments if hasattr(one, "text") and not isinstance(one, Text))
    check(_ESCAPED.search(rest) is None, f"{shown(template)} escapes: {shown(rest)}")
    return 1


def _template(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.2:
        costly = HOSTILE[chance.choice(sorted(HOSTILE))]
        return chance.choice(_SOUND) + _NUMBER.sub(lambda found: _other_number(chance, found[0]), costly)
    template = chance.choice(_SOUND)
    for _ in range(chance.randint(0, 3)):
        at = chance.randint(0, len(template))
        cut = chance.choice([0, 0, 1, 5])
        template = template[:at] + chance.choice(_PARTS) * (cut != 1) + template[at + cut :]
    return template


def _other_number(chance: random.Random, number: str) -> str:
    return number if chance.random() < 0.5 else str(chance.choice([0, 1, 3, 10**3, 10**6, 10**9, 10**15]))


TRIAL = Trial(
    name="templates",
    about="hostile chat templates: the messages, or a sentence",
    unit="templates",
    weight=24,
    prepared=_prepared,
)
