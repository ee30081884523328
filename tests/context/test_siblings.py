"""The test of an implementation, the implementation of a test, and the header of a source, as a piece."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import indent

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.context import LEAST_VALUE, Kind, Piece, select
from codegemma_lsp.context.definitions import imported_definitions
from codegemma_lsp.context.sibling_files import sibling_files
from codegemma_lsp.context.siblings import sibling
from tests.context.files import InMemory, cursor_in


def pieces(path: str, marked: str, files: Mapping[str, str]) -> list[Piece]:
    cursor = cursor_in(path, marked)
    return list(sibling(cursor, InMemory({**files, path: cursor.text})))


def found(path: str, marked: str, files: Mapping[str, str]) -> str:
    """The sibling of a file, with its value at a cursor and why it was found."""
    told = (f"{one.path} {one.value} {one.reason}\n{indent(one.text, '  ')}" for one in pieces(path, marked, files))
    return "".join(told)


def is_shown(path: str, marked: str, files: Mapping[str, str]) -> bool:
    """Whether the sibling is worth its tokens at a cursor."""
    return any(one.value >= LEAST_VALUE[Kind.SIBLING] for one in pieces(path, marked, files))


TILL = '''\
import os

LIMIT = 100


class Till:
    """Holds the money of one day."""

    def __init__(self, owner: str) -> None:
        self.owner = owner

    def remaining_after(self, booking: str) -> int:
        left = LIMIT - len(booking)
        return left


def open_till(owner: str) -> Till:
    """Opens a till."""
    till = Till(owner)
    return till


def _check(till: Till) -> bool:
    print(till)
    return True
'''
TEST_TILL = """\
import pytest

from shop.till import Till, open_till

BOOKINGS = ["one", "two"]


@pytest.fixture
def till() -> Till:
    return open_till("ann")


@pytest.mark.parametrize(
    "booking",
    BOOKINGS,
)
def test_remaining_after_a_booking(till: Till, booking: str) -> None:
    before = till.remaining_after("")
    assert till.remaining_after(booking) < before


def test_a_till_has_an_owner() -> None:
    assert open_till("ann").owner == "ann"
"""


def test_an_implementation_is_shown_what_its_test_says_of_it() -> None:
    """The tests are outlined: without the values that they are run with, and without their bodies."""
    marked = TILL.replace("len(booking)\n", "len(booking)\n        <CURSOR>\n")
    assert found("shop/till.py", marked, {"tests/test_till.py": TEST_TILL}) == snapshot("""\
tests/test_till.py 0.8 is the test of till.py and names remaining_after
  def till() -> Till: return open_till("ann")
  def test_remaining_after_a_booking(till: Till, booking: str) -> None: ...
  def test_a_till_has_an_owner() -> None: assert open_till("ann").owner == "ann"
""")


def test_a_test_is_shown_the_implementation() -> None:
    """Without what is private to it, and variables that the test does not use."""
    marked = TEST_TILL + "\n\ndef test_opening() -> None:\n    till = open_till(<CURSOR>"
    assert found("tests/test_till.py", marked, {"shop/till.py": TILL}) == snapshot('''\
shop/till.py 0.8 is the implementation of test_till.py and names open_till
  class Till:
      """Holds the money of one day."""
      def __init__(self, owner: str) -> None:
          self.owner = owner
      def remaining_after(self, booking: str) -> int: ...
  def open_till(owner: str) -> Till:
      """Opens a till."""
''')


HEADER = """\
#ifndef SHOP_TILL_H
#define SHOP_TILL_H
#include <string>
#define LIMIT 100

namespace shop {

class Till {
  public:
    explicit Till(std::string owner);
    int remaining_after(const std::string& booking) const;
};

int open_tills(void);

}  // namespace shop
#endif
"""


def test_a_source_is_shown_its_header() -> None:
    """With the grammar of the source, for ``.h`` may be of C or of C++, and without the guard."""
    marked = (
        '#include "till.h"\n\nint shop::Till::remaining_after(const std::string& booking) const {\n    <CURSOR>\n}\n'
    )
    assert found("src/till.cpp", marked, {"src/till.h": HEADER}) == snapshot("""\
src/till.h 0.8 is the header of till.cpp and names remaining_after
  class Till {
      explicit Till(std::string owner);
      int remaining_after(const std::string& booking) const;
  }
  int open_tills(void);
""")


def test_a_test_without_a_name_is_shown_what_it_uses_once_if_it_is_exported_twice() -> None:
    code = "export default function add(items) {\n  return 1;\n}\n"
    marked = 'test("adds", () => {\n  const all = add(<CURSOR>);\n});\n'
    assert found("web/till.test.js", marked, {"web/till.js": code}) == snapshot("""\
web/till.js 0.8 is the implementation of till.test.js and names add
  export default function add(items) { ... }
""")


def test_a_script_is_shown_the_titles_of_its_tests() -> None:
    tests = """\
import { add } from "./till";

const EMPTY = [];

describe("add", () => {
  it("adds an item", () => {
    expect(add(EMPTY, 1)).toEqual([1]);
  });
  test('keeps the "old" ones', async () => {});
});
"""
    marked = "export function add(items: number[], item: number): number[] {\n  <CURSOR>\n}\n"
    assert found("web/till.ts", marked, {"web/till.test.ts": tests}) == snapshot("""\
web/till.test.ts 0.8 is the test of till.ts and names add
  describe("add", ...);
  it("adds an item", ...);
  test('keeps the "old" ones', ...);
""")


IN_REMAINING = TILL.replace("len(booking)\n", "len(booking)\n        <CURSOR>\n")
IN_CHECK = TILL.replace("print(till)\n", "print(till)\n    <CURSOR>\n")


@pytest.mark.parametrize(
    ("marked", "test", "shown"),
    [
        pytest.param(
            IN_REMAINING, "def test_a(till):\n    till.remaining_after(3)\n", True, id="it calls the function"
        ),
        pytest.param(IN_REMAINING, "def test_remaining_after_all():\n    pass\n", True, id="it is called after it"),
        pytest.param(IN_REMAINING, "def test_a():\n    assert open_till(3)\n", False, id="it tests another one"),
        pytest.param(IN_REMAINING, "def test_a():\n    remaining = after\n", False, id="it has the words elsewhere"),
        pytest.param(
            IN_REMAINING, "from shop.remaining_after import a\ndef test_a(): ...\n", False, id="it names a module so"
        ),
        pytest.param(IN_CHECK, TEST_TILL, False, id="a function that no test names"),
        pytest.param(TILL + "\n<CURSOR>", TEST_TILL, False, id="outside of functions"),
        pytest.param("class Till:\n    <CURSOR>\n", TEST_TILL, False, id="a class without a function"),
        pytest.param(
            "class Till:\n    def __init__(self):\n        <CURSOR>\n",
            "def test_a():\n    Till()\n",
            True,
            id="a constructor",
        ),
    ],
)
def test_the_test_of_a_function_is_worth_its_tokens_if(marked: str, test: str, shown: bool) -> None:
    assert is_shown("shop/till.py", marked, {"tests/test_till.py": test}) is shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("def test_open_till_of_nobody() -> None:\n    <CURSOR>", True),
        ("def test_nobody() -> None:\n    till = open_till('')\n    <CURSOR>", True),
        ("def test_nobody() -> None:\n    till = ''\n    <CURSOR>", False),
        ("<CURSOR>", False),
    ],
)
def test_the_implementation_is_worth_its_tokens_in_a_test_that_uses_or_names_some_of_it(
    written: str, shown: bool
) -> None:
    assert is_shown("tests/test_till.py", written, {"shop/till.py": TILL}) is shown


@pytest.mark.parametrize(
    ("path", "siblings"),
    [
        pytest.param(
            "shop/parts/till.py", ["tests/parts/test_till.py"], id="python: a folder that mirrors the sources"
        ),
        pytest.param("shop/till.py", ["tests/test_till.py"], id="python: a folder of tests"),
        pytest.param("shop/till.py", ["tests/unit/test_till.py"], id="python: a folder of unit tests"),
        pytest.param(
            "packages/a/src/a/till.py", ["packages/a/tests/test_till.py"], id="python: a package of a monorepo"
        ),
        pytest.param("shop/till.py", ["shop/till_test.py"], id="python: beside it, with the other name"),
        pytest.param("tests/unit/test_till.py", ["shop/till.py"], id="python: the implementation of a unit test"),
        pytest.param("tests/parts/test_till.py", ["src/shop/parts/till.py"], id="python: the implementation below src"),
        pytest.param("web/till.ts", ["web/till.spec.ts"], id="typescript: beside it"),
        pytest.param("web/till.js", ["web/__tests__/till.test.js"], id="javascript: in __tests__"),
        pytest.param("web/__tests__/till.test.tsx", ["web/till.tsx"], id="typescript: the implementation"),
        pytest.param("cmd/till.go", ["cmd/till_test.go"], id="go"),
        pytest.param("cmd/till_test.go", ["cmd/till.go"], id="go: the implementation"),
        pytest.param("a/src/main/java/b/Till.java", ["a/src/test/java/b/TillTest.java"], id="java"),
        pytest.param(
            "a/src/test/kotlin/b/TillTest.kt", ["a/src/main/kotlin/b/Till.kt"], id="kotlin: the implementation"
        ),
        pytest.param("src/Shop/Till.cs", ["tests/Shop.Tests/TillTests.cs"], id="c#"),
        pytest.param("tests/Shop.Tests/TillTests.cs", ["src/Shop/Till.cs"], id="c#: the implementation"),
        pytest.param("lib/till.rb", ["test/test_till.rb"], id="ruby"),
        pytest.param("src/Till.php", ["tests/Unit/TillTest.php"], id="php"),
        pytest.param("src/till.c", ["include/till.h"], id="c: the header"),
        pytest.param("src/shop/till.cc", ["include/shop/till.hpp"], id="c++: the header"),
        pytest.param("src/till.rs", [], id="rust has its tests in the source"),
        pytest.param("till.h", [], id="a header"),
        pytest.param("notes.txt", [], id="no language"),
    ],
)
def test_which_file_is_the_sibling(path: str, siblings: list[str]) -> None:
    others = (
        "shop/other.py",
        "tests/test_other.py",
        "web/other.ts",
        "till.c",
        "src/Shop/Other.cs",
        "node_modules/till.py",
    )
    files = InMemory(dict.fromkeys((path, *siblings, *others), ""))
    assert [one.path for one in sibling_files(cursor_in(path, "<CURSOR>"), files)] == siblings


def test_what_a_test_imports_is_meant_before_what_has_the_same_name() -> None:
    files = InMemory(dict.fromkeys(("shop/deep/down/till.py", "cafe/till.py", "tests/test_till.py"), ""))
    cursor = cursor_in("tests/test_till.py", "from shop.deep.down.till import Till\n<CURSOR>")
    assert next(sibling_files(cursor, files)).path == "shop/deep/down/till.py"


def test_what_a_source_includes_is_meant_before_what_has_the_same_name() -> None:
    files = InMemory(dict.fromkeys(("api/till.h", "src/till.h"), ""))
    cursor = cursor_in("src/till.c", '#include "../api/till.h"\n<CURSOR>')
    assert next(sibling_files(cursor, files)).path == "api/till.h"


def test_of_a_long_file_what_the_function_needs_is_kept_and_the_rest_as_far_as_it_fits() -> None:
    tests = "".join(f"def test_number_{n}(till):\n    a = till.thing_{n}()\n    assert a\n\n\n" for n in range(100))
    tests += "def test_remaining_after_all(till):\n    a = 1\n    assert till\n"
    (piece,) = pieces("shop/till.py", IN_REMAINING, {"tests/test_till.py": tests})
    assert len(piece.text) <= 800
    assert piece.text.startswith("def test_number_0(till): ...\ndef test_number_1(till): ...\n")
    assert piece.text.endswith("\ndef test_remaining_after_all(till): ...\n")


def test_the_piece_is_the_same_at_any_cursor_of_a_file_while_all_of_it_fits() -> None:
    """So that the prompt's cache holds while one moves."""
    texts = {
        piece.text
        for marked in (IN_REMAINING, IN_CHECK, TILL + "\n<CURSOR>")
        for piece in pieces("shop/till.py", marked, {"tests/test_till.py": TEST_TILL})
    }
    assert len(texts) == 1


def test_what_the_sibling_shows_is_not_shown_again_by_itself() -> None:
    cursor = cursor_in(
        "tests/test_till.py", TEST_TILL + "\n\ndef test_opening() -> None:\n    till = open_till(<CURSOR>"
    )
    files = InMemory({"shop/till.py": TILL, "tests/test_till.py": cursor.text})
    both = [*imported_definitions(cursor, files), *sibling(cursor, files)]
    chosen = select(both, 500, lambda piece: len(piece.text.split()))
    assert [(one.piece.kind, one.piece.path) for one in chosen.taken] == [(Kind.SIBLING, "shop/till.py")]
    assert "open_till" in chosen.taken[0].piece.text
    assert [one.left_out for one in chosen.left_out] == ["another piece tells the same"] * len(chosen.left_out)


@pytest.mark.parametrize("text", ["", "<<<<<<< (", "x = 1\n"])
def test_a_sibling_without_definitions_is_no_piece(text: str) -> None:
    assert pieces("shop/till.py", IN_REMAINING, {"tests/test_till.py": text}) == []


@pytest.mark.parametrize("unit", ["x", "x ", " ", "(", "\n", "aB", "it('a", "describe(`", "f(a)\n", "def f():\n"])
def test_no_text_takes_the_longer_the_longer_it_is(unit: str) -> None:
    """A pattern that is quadratic in the text would take hours here, and the limit of a test is a minute."""
    for path, other in (("shop/till.py", "tests/test_till.py"), ("tests/test_till.py", "shop/till.py")):
        for length in (3_000_000, 150_000):
            text = unit * (length // len(unit))
            pieces(path, text + "<CURSOR>", {other: text})
            pieces(path, IN_REMAINING, {other: text})
