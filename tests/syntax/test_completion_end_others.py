"""When generated text has finished what the cursor's position asks for: the text in ``⟦…⟧`` is what is kept."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from tests.syntax.story import (
    Story,
    go,
    html,
    lua,
    plaintext,
    python,
    ruby,
    shellscript,
)


def test_ruby_a_body_ends_with_its_keyword() -> None:
    shown = ruby("""\
def f(a)
  <CURSOR>
end
""").end_of("""\
b = a
  while b do
    c
  end
  b if b
end
""")
    assert shown == snapshot("""\
block, complete:
def f(a)
  ⟦b = a
  while b do
    c
  end
  b if b
end⟧
""")


def test_lua_a_body_ends_with_its_keyword() -> None:
    shown = lua("""\
local function f(a)
  <CURSOR>
end
""").end_of("""\
if a then
    b()
  end
end
""")
    assert shown == snapshot("""\
block, complete:
local function f(a)
  ⟦if a then
    b()
  end
end⟧
""")


def test_shellscript_a_body_ends_with_its_keyword() -> None:
    shown = shellscript("""\
for x in a; do
  <CURSOR>
done
""").end_of("""\
if a; then
    b
  fi
done
""")
    assert shown == snapshot("""\
block, complete:
for x in a; do
  ⟦if a; then
    b
  fi
done⟧
""")


def test_html_a_list_ends_with_its_tag() -> None:
    shown = html("""\
<ul>
  <CURSOR>
</ul>
""").end_of("""\
<li>a<br></li>
</ul>
""")
    assert shown == snapshot("""\
block, complete:
<ul>
  ⟦<li>a<br></li>
</ul>⟧
""")


@pytest.mark.parametrize("generated", ["", "\n", "\n\n\n", "   ", "\t\n"])
@pytest.mark.parametrize("document", [python("def f():\n    <CURSOR>"), go("package a\n\nfunc f() {\n\t<CURSOR>\n}\n")])
def test_blank_text_completes_nothing(document: Story, generated: str) -> None:
    assert document.end_of(generated).startswith("block, unfinished:\n")


def test_plain_text_ends_with_its_line() -> None:
    shown = plaintext("<CURSOR>").end_of("""\
some words
more
""")
    assert shown == snapshot("""\
statement, complete:
⟦some words⟧
more
""")
