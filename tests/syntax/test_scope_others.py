"""What the cursor stands in: the headers of the enclosing definitions are in ``⟦…⟧``."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from tests.syntax.story import (
    Story,
    css,
    html,
    lua,
    php,
    ruby,
    shellscript,
    yaml,
)


def test_ruby_a_method_just_opened() -> None:
    shown = ruby("""\
def f(a)
  <CURSOR>
end
""").scope()
    assert shown == snapshot("""\
statement in a block just opened:
⟦def f(a)⟧
  <CURSOR>
end
""")


def test_ruby_a_block_with_arguments_just_opened() -> None:
    shown = ruby("""\
items.each do |item|
  <CURSOR>
end
""").scope()
    assert shown == snapshot("""\
statement in a block just opened:
items.each do |item|
  <CURSOR>
end
""")


def test_php_a_function_just_opened() -> None:
    shown = php("""\
<?php
function f($a) {
    <CURSOR>
}
""").scope()
    assert shown == snapshot("""\
statement in a block just opened:
<?php
⟦function f($a) {⟧
    <CURSOR>
}
""")


def test_lua_a_function_just_opened() -> None:
    shown = lua("""\
local function f(a)
  <CURSOR>
end
""").scope()
    assert shown == snapshot("""\
statement in a block just opened:
⟦local function f(a)⟧
  <CURSOR>
end
""")


def test_lua_an_if_just_opened() -> None:
    shown = lua("""\
if x then
  <CURSOR>
end
""").scope()
    assert shown == snapshot("""\
statement in a block just opened:
if x then
  <CURSOR>
end
""")


def test_shellscript_a_loop_just_opened() -> None:
    shown = shellscript("""\
for x in a b; do
  <CURSOR>
done
""").scope()
    assert shown == snapshot("""\
statement in a block just opened:
for x in a b; do
  <CURSOR>
done
""")


def test_css_a_rule_just_opened() -> None:
    shown = css("""\
a {
  <CURSOR>
}
""").scope()
    assert shown == snapshot("""\
statement in a block just opened:
a {
  <CURSOR>
}
""")


def test_html_a_list_just_opened() -> None:
    shown = html("""\
<ul>
  <CURSOR>
</ul>
""").scope()
    assert shown == snapshot("""\
statement in a block just opened:
<ul>
  <CURSOR>
</ul>
""")


def test_yaml_a_mapping_just_opened() -> None:
    shown = yaml("""\
a:
  <CURSOR>
""").scope()
    assert shown == snapshot("""\
statement in a block just opened:
a:
  <CURSOR>
""")


@pytest.mark.parametrize("language", ["", "plaintext", "no-such-language", "markdown"])
def test_any_other_language_is_plain_text(language: str) -> None:
    shown = [Story(marked, language).scope() for marked in ("some words\n<CURSOR>", "some <CURSOR>")]
    assert shown == ["statement:\nsome words\n<CURSOR>", "expression:\nsome <CURSOR>"]
