"""Chat templates that would take all time or all memory."""

from __future__ import annotations

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def grown(start: str, step: str) -> str:
    return f"{{% set ns = namespace(x={start}) %}}{{% for i in range(90) %}}{{% set ns.x = {step} %}}{{% endfor %}}"


NESTED = "".join(f"{{% for {name} in range(99999) %}}" for name in "abcd") + "{% endfor %}" * 4
HOSTILE = {
    "a power": "{{ 9**(9**9) }}",
    "a long text": "{{ 'a' * 10**10 }}",
    "a long list": "{{ ([0] * 10**9)|length }}",
    "nested ranges": NESTED,
    "a text that doubles": grown("'a'", "ns.x + ns.x"),
    "a list that doubles": grown("[1]", "ns.x + ns.x"),
    "a format": "{{ '%999999999999d' % 1 }}",
    "another format": "{{ '{:>9999999999}'.format(1) }}",
    "a filter's format": "{{ '%099999999999d'|format(1) }}",
    "blanks at both sides": "{{ 'a'|center(10**10) }}",
    "an indentation": "{{ 'a\\n' * 9999 |indent(10**9) }}",
    "replacements": "{{ ('a' * 10**6)|replace('a', 'a' * 10**6) }}",
    "a join": "{{ range(99999)|join('a' * 10**6) }}",
    "batches": "{{ range(99999)|batch(10**9, 'x')|list }}",
    "slices": "{{ range(9)|slice(10**9)|list }}",
    "a macro that calls itself": "{% macro f(n) %}{{ f(n + 1) }}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
    "a loop in itself": "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "much text": "{{ lipsum(n=10**6) }}",
    "deep brackets": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "deep blocks": "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
    "a sum": "{{ range(99999)|map('string')|map('list')|sum(start=[])|length }}{{ 7**(7**8) }}",
    "a product": grown("2", "ns.x * ns.x"),
    "a slow division": "{{ (10**(10**7)) // 3 }}",
    "a sort": "{{ (range(99999)|list * 999)|sort|length }}",
    "words": "{{ ('a ' * 10**8)|wordwrap(1)|length }}",
    "a title": "{{ ('a ' * 10**9)|title|length }}",
    "a tuple": "{{ ((1,) * 10**10)|length }}",
    "JSON": "{{ ([[0] * 10**4] * 10**5)|tojson|length }}",
    "much that is written": "{% for i in range(99999) %}" + "a" * 1000 + "{% endfor %}",
}
