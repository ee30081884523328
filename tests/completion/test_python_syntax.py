"""What Python's own compiler refuses is not offered, and what it would go on with is."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.engines.protocol import Finish
from tests.completion.story import Story, python

NOTHING = "no suggestion: nothing was left that fits the code around the cursor"


@pytest.mark.parametrize(
    ("marked", "said"),
    [
        pytest.param("def f():\n    <CURSOR>pass\n", "print(1)", id="two statements on a line"),
        pytest.param("from a import <CURSOR>\n", "b,", id="import that ends in a comma"),
        pytest.param("x = 1\nfrom a import <CURSOR>", "b,", id="import that ends in a comma, at the file's end"),
        pytest.param("def f(a=1, <CURSOR>):\n    pass\n", "z", id="parameter without a default"),
        pytest.param("def f(a=1, <CURSOR>\n", "z):", id="parameter without a default, half-typed"),
        pytest.param("def f(a, <CURSOR>):\n    pass\n", "a", id="parameter twice"),
        pytest.param("f(k=1, <CURSOR>)\n", "b", id="positional argument after a keyword"),
        pytest.param("x = f(<CURSOR>\n", "k=1, b)", id="positional argument after a keyword, half-typed"),
        pytest.param("x = f(k=1, <CURSOR>)\ny = f(\n", "b", id="positional argument, with an error below"),
        pytest.param("x = 1\n<CURSOR>\n", "NAME[", id="bracket that is not closed"),
        pytest.param("x = 1\n<CURSOR>\n", "return x", id="return outside of functions"),
        pytest.param("class A:\n    <CURSOR>\n    y = 1\n", "return 1", id="return in a class"),
        pytest.param("x = 1\n<CURSOR>\n", "await x", id="await outside of functions"),
        pytest.param("def f(x):\n    <CURSOR>\n", "await x", id="await in a function that does not wait"),
        pytest.param("x = 1\n<CURSOR>\n", "break", id="break outside of loops"),
        pytest.param("x = 1\n<CURSOR>\n", "nonlocal x", id="nonlocal at the top level"),
        pytest.param("x = 1\n<CURSOR>\n", "from __future__ import annotations", id="import from the future too late"),
        pytest.param("def f(x):\n    a = <CURSOR>\n", "x +", id="operator without its right side"),
        pytest.param("a = 1\n<CURSOR>", "for x in a b:", id="header that no statement has"),
    ],
)
async def test_a_suggestion_that_python_refuses_is_not_offered(marked: str, said: str) -> None:
    assert await Story(marked, "python").completed_by(said) == NOTHING


@pytest.mark.parametrize(
    ("marked", "said"),
    [
        pytest.param("x = <CURSOR>\n", "foo(a,", id="call with more arguments to come"),
        pytest.param("x = foo(<CURSOR>\n", "a,", id="argument with more to come"),
        pytest.param("x = foo(k=1, <CURSOR>\n", "m=2)", id="keyword after a keyword"),
        pytest.param("if <CURSOR>\n", "x:", id="header without its block"),
        pytest.param("if <CURSOR>\n", "x", id="header without its colon"),
        pytest.param("def f(<CURSOR>)\n", "a, b=1", id="parameters of a header without its colon"),
        pytest.param("for <CURSOR>\n    print(x)\n", "x in y:", id="header of a block that is there"),
        pytest.param("try:\n    f()\nexc<CURSOR>\n", "ept OSError: pass", id="clause of a statement above"),
        pytest.param("x = [\n    1,\n    f(<CURSOR>\n]\n", "2)", id="element of a list"),
        pytest.param("x = 'abc<CURSOR>\n", " def'", id="end of a string"),
        pytest.param("x = 'abc<CURSOR>\n", " def", id="middle of a string"),
        pytest.param("x = f(1 2\ny = g(<CURSOR>\n", "3)", id="statement below an error"),
        pytest.param("class A:\n    def f(self):\n        return self.<CURSOR>\n\n    x = (\n", "a", id="error below"),
        pytest.param("d = {'a': <CURSOR>\n}\n", "'b',", id="entry of a dict"),
        pytest.param("import <CURSOR>", "os", id="import"),
        pytest.param('"""\nThis\n<CURSOR>\n"""\n', "is prose.", id="docstring at column 0"),
        pytest.param("@<CURSOR>\ndef f():\n    pass\n", "cache", id="decorator"),
        pytest.param("x = '\\d'\nif <CURSOR>\n", "x:", id="code that Python warns of"),
    ],
)
async def test_a_half_typed_statement_goes_on(marked: str, said: str) -> None:
    shown = await Story(marked, "python").completed_by(said, multiline=False)  # so that a header may come alone
    assert shown == marked.replace("<CURSOR>", f"⟦{said}⟧")


async def test_text_that_is_still_being_generated_may_end_anywhere() -> None:
    """A comma after an import is refused above, where the model has ended."""
    shown = await python("from a import <CURSOR>\n").completed_by("b,", Finish.LENGTH)
    assert shown == snapshot("from a import ⟦b,⟧\n")


async def test_a_key_without_a_value_in_a_long_file_is_not_offered() -> None:
    """The dict begins above the excerpt that the grammar parses."""
    entries = "".join(f"    'name{number}': {number},\n" for number in range(700))
    story = Story("    <CURSOR>\n}\n", "python", above=f"COLOURS = {{\n{entries}")
    assert await story.completed_by("'dark',") == NOTHING
    assert await story.completed_by("'dark': 1,") == snapshot("    ⟦'dark': 1,⟧\n}\n")


async def test_a_method_of_a_long_class_is_judged_with_what_it_needs() -> None:
    story = python("    def last(self, x):\n        <CURSOR>\n").below_many_methods()
    assert await story.completed_by("return self.m1(k=x, x)") == NOTHING
    assert await story.completed_by("return self.m1(k=x)") == snapshot("""\
    def last(self, x):
        ⟦return self.m1(k=x)⟧
""")


@pytest.mark.parametrize(
    "above",
    [
        pytest.param("type X = int\n\n\n", id="above"),
        pytest.param("def f[T](x: T) -> T:\n    return x\n\n\n", id="type parameters"),
        pytest.param("def f(x):\n    type X = int\n", id="in the same function"),
        pytest.param("x = t'{y}'\n\n\n", id="template string"),
    ],
)
async def test_code_for_a_newer_python_does_not_stop_suggestions(above: str) -> None:
    indent = "    " if above.endswith("int\n") else ""
    shown = await Story(f"{indent}y = <CURSOR>\n", "python", above=above).completed_by("g(1)")
    assert shown == f"{indent}y = ⟦g(1)⟧\n"
