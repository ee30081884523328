"""Documentation: the model writes its text; the comment around it and its place are the language's."""

from __future__ import annotations

import re

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.chat.documentation import prose, to_the_point
from tests.chat.story import go, javascript, python


def test_a_method_has_it_below_its_header() -> None:
    shown = python("""\
class Shape:
    def area(self, r):
        x = r * r
        return 3 * x<CURSOR>
""").documented_by('''\
"""Computes the area.

Args:
    r: the radius
"""\
''')
    assert shown == snapshot('''\
class Shape:
    def area(self, r):
        ⟦"""Computes the area.

        Args:
            r: the radius
        """
        ⟧x = r * r
        return 3 * x
''')


def test_a_javascript_function_has_it_above() -> None:
    shown = javascript("""\
export const add = (a, b) => {
	return a + b;<CURSOR>
};
""").documented_by("Adds two */ numbers.")
    assert shown == snapshot("""\
⟦/**
 * Adds two * / numbers.
 */
⟧export const add = (a, b) => {
	return a + b;
};
""")


def test_a_go_function_has_it_in_place_of_the_old() -> None:
    shown = go("""\
package a

// Old words.
func Add(a int) int {
	return a<CURSOR>
}
""").documented_by("Add adds.")
    assert shown == snapshot("""\
package a

⟦// Add adds.⟧
func Add(a int) int {
	return a
}
""")


def test_a_function_on_one_line_is_broken_for_it() -> None:
    shown = python("""\
class A:
    def f(self): return 1<CURSOR>
""").documented_by("Gives one.")
    assert shown == snapshot('''\
class A:
    def f(self):⟦
        """Gives one."""
        ⟧return 1
''')


def test_a_docstring_that_is_there_is_replaced_and_a_backslash_makes_it_raw() -> None:
    shown = python('''\
def f():
    """Old."""
    return 1<CURSOR>
''').documented_by("New, with a \\d pattern.")
    assert shown == snapshot('''\
def f():
    ⟦r"""New, with a \\d pattern."""⟧
    return 1
''')


def test_the_same_again_is_no_change() -> None:
    shown = python('''\
def f():
    """Old."""
    return 1<CURSOR>
''').documented_by("Old.")
    assert shown == snapshot("refused: The model suggests no change.")


def test_a_comment_never_comes_between_return_and_its_value() -> None:
    shown = javascript("""\
function mk() {
  return async () => {
    x();<CURSOR>
  };
}
""").documented_by("Makes it.")
    assert shown == snapshot("""\
function mk() {
  ⟦/**
   * Makes it.
   */
  ⟧return async () => {
    x();
  };
}
""")


def test_prose_is_what_is_left_without_code_and_markers() -> None:
    assert prose("/**\n * Adds.\n */\n```js\nlet a;\n```\n// and more<eos>") == snapshot("""\
Adds.

and more\
""")


@pytest.mark.parametrize("said", ["<e<eos>os>", "a\u2028b", "\u202e", "<|fi<|x|>m_middle|>"])
def test_it_holds_no_control_text(said: str) -> None:
    shown = python("def f():\n    return 1<CURSOR>\n").documented_by(f"Does {said} it.")
    assert "⟦" in shown
    assert "Does" in shown
    assert not re.search(r"<eos>|<\|fim_middle|[\u2028\u202e]", shown)


CODE = "def area(r):\n    if r < 0:\n        raise ValueError(r)\n    return 3 * r * r\n"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        pytest.param("The `area` function returns the area.", "Returns the area.", id="its-name"),
        pytest.param("This function is used to compute the area.", "Compute the area.", id="its-use"),
        pytest.param("The function that computes the area.", "Computes the area.", id="that"),
        pytest.param("The area of a circle.", "The area of a circle.", id="nothing-to-drop"),
        pytest.param(
            "Return it. Raises ValueError if r is negative.",
            "Return it. Raises ValueError if r is negative.",
            id="an-error-that-is-raised",
        ),
        pytest.param(
            "Return it. Raises TypeError if r is no number. It is exact.",
            "Return it. It is exact.",
            id="an-error-that-is-not-raised",
        ),
        pytest.param("Return it.\n\nRaises:\n    KeyError: never.", "Return it.", id="a-section-on-one"),
    ],
)
def test_documentation_is_to_the_point(written: str, kept: str) -> None:
    assert to_the_point(written, CODE) == kept
