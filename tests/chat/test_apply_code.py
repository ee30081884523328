"""A block of code from an answer is put into a file."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.chat import RequestRefused
from codegemma_lsp.chat.apply_code import apply_code
from tests.chat.story import Story, go, javascript, python, rust
from tests.marks import with_edits

TILL = """\
import os

SEATS = 3


class Till:
    def __init__(self):
        self.seats = SEATS

    def left(self, guests):
        return self.seats - guests<CURSOR>

    def close(self):
        self.seats = 0


def opened():
    return Till()
"""


def applied(story: Story, code: str) -> str:
    """Returns the document once the code is applied, or the sentence with which it is refused."""
    try:
        proposal = apply_code(story.target(), code)
    except RequestRefused as refused:
        return f"refused: {refused}"
    shown = with_edits(proposal.document.text, proposal.edits)
    assert shown.replace("⟦", "").replace("⟧", "") == proposal.after
    before, after = proposal.document.text, proposal.after
    region = proposal.region
    assert before[: region.start] + proposal.text + before[region.end :] == after
    return shown


def test_a_function_replaces_the_one_of_its_name_at_its_depth() -> None:
    assert applied(python(TILL), "def left(self, guests):\n    return max(0, self.seats - guests)\n") == snapshot("""\
import os

SEATS = 3


class Till:
    def __init__(self):
        self.seats = SEATS

    def left(self, guests):
        return ⟦max(0, ⟧self.seats - guests⟦)⟧

    def close(self):
        self.seats = 0


def opened():
    return Till()
""")


def test_new_functions_and_imports_come_along() -> None:
    code = "import math\n\ndef opened():\n    return Till()\n\ndef half(till):\n    return math.ceil(till.seats / 2)\n"
    assert applied(python(TILL), code) == snapshot("""\
import os⟦
import math⟧

SEATS = 3


class Till:
    def __init__(self):
        self.seats = SEATS

    def left(self, guests):
        return self.seats - guests

    def close(self):
        self.seats = 0


def opened():
    return Till()⟦


def half(till):
    return math.ceil(till.seats / 2)⟧
""")


def test_a_helper_above_the_known_function() -> None:
    code = "function twice(a) {\n  return 2 * a;\n}\n\nfunction f(a) {\n  return twice(a);\n}\n"
    assert applied(javascript("const x = 1;\n\nfunction f(a) {\n\treturn a + a;<CURSOR>\n}\n"), code) == snapshot("""\
const x = 1;

⟦function twice(a) {
	return 2 * a;
}

⟧function f(a) {
	return ⟦twice(⟧a⟦)⟧;
}
""")


def test_a_whole_class() -> None:
    code = TILL.partition("\n\n\n")[2].partition("\n\n\ndef")[0].replace("<CURSOR>", "")
    code = code.replace("(self)", "(self, seats)", 1).replace("= SEATS", "= seats")
    assert applied(python(TILL), code) == snapshot("""\
import os

SEATS = 3


class Till:
    def __init__(self⟦, seats⟧):
        self.seats = ⟦seats⟧

    def left(self, guests):
        return self.seats - guests

    def close(self):
        self.seats = 0


def opened():
    return Till()
""")


def test_line_ends_are_the_files() -> None:
    story = go("package a\n\nfunc F() int {\n\treturn 1<CURSOR>\n}\n", newline="\r\n")
    assert applied(story, "func F() int {\n    return 2\n}\n") == snapshot("""\
package a\r
\r
func F() int {\r
	return ⟦2⟧\r
}\r
""")


def test_code_of_no_known_name_goes_to_the_empty_line_at_the_cursor() -> None:
    assert applied(python("x = 1\n<CURSOR>\ny = 2\n"), "x += 1\n") == snapshot("""\
x = 1
⟦x += 1⟧
y = 2
""")


def test_or_replaces_the_selection() -> None:
    assert applied(python("x = 1\n<SELECTED>y = 2</SELECTED>\n"), "y = 3\n") == snapshot("""\
x = 1
y = ⟦3⟧
""")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(
            "def left(self, guests):\n    # ... as before\n",
            snapshot("refused: The code leaves something out (# ... as before), so it is not applied."),
            id="something left out",
        ),
        pytest.param(
            "class Till:\n    def close(self):\n        pass\n",
            snapshot(
                "refused: The code leaves out __init__, left of Till; ask for all of it, or for a function alone."
            ),
            id="a part of a class",
        ),
        pytest.param(
            "print(opened())\n",
            snapshot(
                "refused: It is not clear where 'print(opened())' belongs. Select what it replaces, or an empty line."
            ),
            id="no place",
        ),
        pytest.param(
            "def opened():\n    return 1\n\nprint(2)\n",
            snapshot("refused: It is not clear where 'print(2)' belongs. Select what it replaces, or an empty line."),
            id="a statement between definitions",
        ),
        pytest.param(
            "def opened(:\n    return\n",
            snapshot("refused: What the model wrote would break the file's syntax, so it is not offered; ask again."),
            id="broken code",
        ),
        pytest.param(
            "def opened():\n    return Till()\n", snapshot("refused: The file has this code already."), id="nothing new"
        ),
        pytest.param(
            "",
            snapshot("refused: The file has nothing of these names. Select what it replaces, or an empty line."),
            id="nothing",
        ),
    ],
)
def test_what_is_refused(code: str, expected: str) -> None:
    assert applied(python(TILL), code) == expected


def test_a_name_that_is_defined_twice_is_no_place_unless_one_is_selected() -> None:
    selected = "class A:\n    def f(self): ...\nclass B:\n<SELECTED>    def f(self): ...</SELECTED>\n"
    assert applied(python(selected), "def f(self):\n    return 1\n") == snapshot("""\
class A:
    def f(self): ...
class B:
⟦    def f(self):
        return 1⟧
""")
    twice = "class A:\n    def f(self): ...\nclass B:\n    def f(self): ...<CURSOR>\n"
    assert applied(python(twice), "def f(self):\n    return 1\n") == snapshot(
        "refused: The file defines f more than once. Select what it replaces, or an empty line."
    )


@pytest.mark.parametrize(
    ("story", "code", "expected"),
    [
        pytest.param(
            python("def f():\n    return 1<CURSOR>\n"),
            "import os\n\n\ndef f():\n    return os.sep\n",
            snapshot("""\
⟦import os

⟧def f():
    return ⟦os.sep⟧
"""),
            id="an import before the first definition",
        ),
        pytest.param(
            python('#!/usr/bin/python\n"""Doc."""\n\n\ndef f():\n    return 1<CURSOR>\n'),
            "import os\n\n\ndef f():\n    return os.sep\n",
            snapshot('''\
#!/usr/bin/python
"""Doc."""
⟦
import os
⟧

def f():
    return ⟦os.sep⟧
'''),
            id="below the head of a file",
        ),
        pytest.param(
            go('package a\n\nfunc (t *A) String() string {\n\treturn "A"<CURSOR>\n}\n\nfunc F() {}\n'),
            'package a\n\nfunc (t *B) String() string {\n\treturn "B"\n}\n\nfunc F() {\n\treturn\n}\n',
            snapshot("""\
package a

func (t *A) String() string {
	return "A"
}

⟦func (t *B) String() string {
	return "B"
}

⟧⟦func F() {
	return
}⟧
"""),
            id="a method of another type",
        ),
        pytest.param(
            go("package a\n\ntype T struct{ n int }\n\nfunc (t *T) Left() int {\n\treturn t.n<CURSOR>\n}\n"),
            "type T struct{ m int }\n\n// Left is what is left.\nfunc (t *T) Left() int {\n\treturn t.m\n}\n",
            snapshot("""\
package a

type T struct{ ⟦m⟧ int }

⟦// Left is what is left.
⟧func (t *T) Left() int {
	return t.⟦m⟧
}
"""),
            id="a type and its method",
        ),
        pytest.param(
            rust("struct T;\n\nimpl T {\n    fn f(&self) -> u8 {\n        1<CURSOR>\n    }\n}\n"),
            "impl T {\n    fn f(&self) -> u8 {\n        2\n    }\n}\n",
            snapshot("""\
struct T;

impl T {
    fn f(&self) -> u8 {
        ⟦2⟧
    }
}
"""),
            id="what an impl has",
        ),
        pytest.param(
            javascript("// old\nfunction f() {\n  return 1;<CURSOR>\n}\n"),
            "/** New. */\nfunction f() {\n  return g();\n}\n\n// Helps.\nfunction g() {\n  return 2;\n}\n",
            snapshot("""\
⟦/** New. */⟧
function f() {
  return ⟦g()⟧;
}⟦

// Helps.
function g() {
  return 2;
}⟧
"""),
            id="comments come along",
        ),
        pytest.param(
            javascript("export function f() {\n  return 1;<CURSOR>\n}\n"),
            "function f() {\n  return 2;\n}\n",
            snapshot("""\
export function f() {
  return ⟦2⟧;
}
"""),
            id="export and decorators stay",
        ),
        pytest.param(
            javascript("function f() { return 1; } const x = 1;<CURSOR>\n"),
            "function f() { return 2; }\n",
            snapshot("function f() { return ⟦2⟧; } const x = 1;\n"),
            id="what else is on the line stays",
        ),
        pytest.param(
            python(TILL),
            "def left(self, guests):\n    return twice(1)\n\n\ndef twice(x):\n    return 2 * x\n",
            snapshot("""\
import os

SEATS = 3


class Till:
    def __init__(self):
        self.seats = SEATS

    def left(self, guests):
        return ⟦twice(1)⟧

    def close(self):
        self.seats = 0⟦


def twice(x):
    return 2 * x⟧


def opened():
    return Till()
"""),
            id="a helper of a method",
        ),
        pytest.param(
            python(TILL),
            "def opened():\n    return 1\n\n\ndef close():\n    return 2\n",
            snapshot("""\
import os

SEATS = 3


class Till:
    def __init__(self):
        self.seats = SEATS

    def left(self, guests):
        return self.seats - guests

    def close(self):
        self.seats = 0


def opened():
    return ⟦1⟧⟦


def close():
    return 2⟧
"""),
            id="a function of a method's name",
        ),
        pytest.param(
            python("import osmium\n\n\ndef f():\n    return 1<CURSOR>\n"),
            "import os\n\n\ndef f():\n    return os.sep\n",
            snapshot("""\
import osmium⟦
import os⟧


def f():
    return ⟦os.sep⟧
"""),
            id="names that begin alike",
        ),
        pytest.param(
            javascript('import { a, b } from "m";\n\nfunction f() {\n  return a;<CURSOR>\n}\n'),
            "import { b, c } from 'm';\n\nfunction f() {\n  return c(b);\n}\n",
            snapshot("""\
import { a, b } from "m";⟦
import { c } from "m";⟧

function f() {
  return ⟦c(b)⟧;
}
"""),
            id="a part of an import",
        ),
    ],
)
def test_where_code_goes(story: Story, code: str, expected: str) -> None:
    assert applied(story, code) == expected


@pytest.mark.parametrize(
    ("story", "code", "expected"),
    [
        pytest.param(
            javascript("const a = 1, f = () => 1;<CURSOR>\n"),
            "const f = () => 2;\n",
            snapshot(
                "refused: The file declares f together with something else. Select what it replaces, or an empty line."
            ),
            id="declared together",
        ),
        pytest.param(
            python("class A:\n    LIMIT = 3\n    def f(self): ...<CURSOR>\n"),
            "class A:\n    def f(self):\n        return 1\n",
            snapshot("refused: The code leaves out LIMIT of A; ask for all of it, or for a function alone."),
            id="a class without its constant",
        ),
        pytest.param(
            python("def f(): ...<CURSOR>\n"),
            "def f():\n    return 1\ndef f():\n    return 2\n",
            snapshot("refused: The code has several texts for one place. Select what it replaces, or an empty line."),
            id="twice",
        ),
        pytest.param(
            python("def f(): ...<CURSOR>\n"),
            "def f():\n    return '\u202e'\n",
            snapshot("refused: The code holds control characters or tokens, so it is not applied."),
            id="control characters",
        ),
        pytest.param(
            javascript("function f() {\n  return 1;<CURSOR>\n}\n"),
            "function f() {\n  {/* ... existing code ... */}\n}\n",
            snapshot("refused: The code leaves something out ({/* ... existing code ... */}), so it is not applied."),
            id="something left out in markup",
        ),
    ],
)
def test_what_is_not_clear_is_refused(story: Story, code: str, expected: str) -> None:
    assert applied(story, code) == expected
