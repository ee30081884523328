"""What is shown of definitions that an editor points to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.context import (
    CursorInFile,
    DefinedSymbol,
    DefinitionPlace,
    DiskFiles,
    Files,
    Symbol,
    Workspace,
    editor_definitions,
)
from codegemma_lsp.document import Document, Encoding, Position

ROOT = Path("/work/shop")
SYMBOL = Symbol(name="till", offset=0, value=0.9, reason="till is used near the cursor")


@dataclass(frozen=True)
class InMemory:
    """Files by their path."""

    texts: Mapping[str, str]

    def read(self, path: str) -> str | None:
        return self.texts.get(path)

    def exists(self, path: str) -> bool:
        return path in self.texts

    def folder(self, path: str) -> tuple[str, ...]:
        return ()


def pieces(*places: DefinitionPlace, files: Files, root: Path = ROOT) -> str:
    """The pieces for places that an editor names, each with its value and why it was found."""
    cursor = CursorInFile(path="main.py", language="python", text="till.\n", offset=5)
    source = editor_definitions([DefinedSymbol(symbol=SYMBOL, places=places)], root)
    found = source(cursor, files)
    return "".join(f"{one.path} {one.value} {one.reason}\n{indent(one.text, '  ')}" for one in found)


def shown(path: str, marked: str, encoding: Encoding = Encoding.UTF16) -> str:
    """The outline of the definition that an editor says is at the mark."""
    text = marked.replace("<HERE>", "")
    start = Document(uri="", text=text).position(marked.index("<HERE>"), encoding)
    place = DefinitionPlace(uri=f"file://{ROOT}/{path}", start=start, encoding=encoding)
    return pieces(place, files=InMemory({path: text}))


TILL = '''\
"""Tills."""
import decimal


class Till:
    """Holds the money of one day."""

    def __init__(self, owner: str) -> None:
        self.owner = owner

    @property
    def total(self) -> int:
        return sum(self.cents)

    def add(self, cents: int, *, count: int = 1) -> None:
        """Adds money.

        Twice.
        """
        self.cents += [cents] * count


def opened(owner: str) -> Till:
    till = Till(owner)
    till.add(3)
    return till


def first(tills: list[Till]) -> Till:
    return tills[0]


LIMIT = 100
'''


@pytest.fixture
def at() -> dict[str, str]:
    names = ("Till:", "__init__", "total", "add(self", "opened", "first", "LIMIT", "decimal")
    return {name: shown("till.py", TILL.replace(name, f"<HERE>{name}", 1)) for name in names}


def test_of_a_class_all_is_outlined_and_of_a_member_the_member_alone(at: dict[str, str]) -> None:
    assert at["Till:"] == snapshot('''\
till.py 0.9 defines Till: till is used near the cursor
  class Till:
      """Holds the money of one day."""
      def __init__(self, owner: str) -> None:
          self.owner = owner
      @property
      def total(self) -> int: return sum(self.cents)
      def add(self, cents: int, *, count: int = 1) -> None:
          """Adds money."""
''')
    assert at["__init__"] == snapshot("""\
till.py 0.9 defines Till.__init__: till is used near the cursor
  class Till:
      def __init__(self, owner: str) -> None:
          self.owner = owner
""")
    assert at["total"] == snapshot("""\
till.py 0.9 defines Till.total: till is used near the cursor
  class Till:
      @property
      def total(self) -> int: return sum(self.cents)
""")
    assert at["add(self"] == snapshot('''\
till.py 0.9 defines Till.add: till is used near the cursor
  class Till:
      def add(self, cents: int, *, count: int = 1) -> None:
          """Adds money."""
''')


def test_small_definitions_are_shown_whole_and_long_ones_by_their_header(at: dict[str, str]) -> None:
    assert at["opened"] == snapshot("""\
till.py 0.9 defines opened: till is used near the cursor
  def opened(owner: str) -> Till: ...
""")
    assert at["first"] == snapshot("""\
till.py 0.9 defines first: till is used near the cursor
  def first(tills: list[Till]) -> Till: return tills[0]
""")
    assert at["LIMIT"] == snapshot("""\
till.py 0.9 defines LIMIT: till is used near the cursor
  LIMIT = 100
""")


def test_where_nothing_is_defined_nothing_is_shown(at: dict[str, str]) -> None:
    assert at["decimal"] == ""
    assert shown("till.py", f"<HERE>{TILL}") == ""
    beyond = DefinitionPlace(uri=f"file://{ROOT}/till.py", start=Position(9_999, 9_999))
    assert pieces(beyond, files=InMemory({"till.py": TILL})) == ""


def test_the_start_of_a_line_means_what_stands_on_it() -> None:
    assert "defines Till.add:" in shown("till.py", TILL.replace("    def add", "<HERE>    def add"))


@pytest.mark.parametrize("encoding", list(Encoding))
def test_positions_count_as_the_editor_counts(encoding: Encoding) -> None:
    text = "a = '\U0001f9f9\U0001f9f9'; <HERE>price = 3; c = 4\n"
    assert "defines price:" in shown("till.py", text, encoding)


@pytest.mark.parametrize(
    ("path", "marked", "expected"),
    [
        (
            "a.ts",
            "export class Till {\n  sum = 0;\n  <HERE>add(item: Item): void {\n    this.x();\n  }\n}\n",
            "Till.add",
        ),
        ("a.d.ts", "export interface Till {\n  <HERE>pay(sum: number): void;\n}\n", "Till.pay"),
        ("a.js", "export const <HERE>pay = (sum) => {\n  send(sum);\n};\n", "pay"),
        ("A.java", "public class Till {\n  public int <HERE>total() {\n    return 1;\n  }\n}\n", "Till.total"),
        ("A.kt", "class Till {\n    fun <HERE>add(item: Item) {\n        x()\n    }\n}\n", "Till.add"),
        ("a.h", "int <HERE>till_add(struct till *till, int cents);\n", "till_add"),
        ("a.hpp", "namespace shop {\nclass Till {\n  int <HERE>add(int cents);\n};\n}\n", "Till.add"),
        ("A.cs", "namespace Shop;\nclass Till {\n    public int <HERE>Sum { get; set; }\n}\n", "Till.Sum"),
        (
            "a.rs",
            "struct Till {\n    sum: u32,\n}\nimpl Till {\n    fn <HERE>add(&self) -> u32 {\n        3\n    }\n}\n",
            "Till.add",
        ),
        ("a.go", "package a\n\nfunc (t *Till) <HERE>Add(cents int) int {\n\treturn cents\n}\n", "Till.Add"),
    ],
)
def test_every_language_has_members(path: str, marked: str, expected: str) -> None:
    assert f"{path} 0.9 defines {expected}: " in shown(path, marked)


def test_a_definition_may_come_as_a_text() -> None:
    def told(text: str) -> str:
        return pieces(DefinitionPlace(uri=f"file://{ROOT}/till.py", text=text), files=InMemory({"till.py": TILL}))

    assert told("def pay(sum: int) -> None:\r\n    a(sum)\r\n    b(sum)\r\n") == snapshot("""\
till.py 0.9 defines pay: till is used near the cursor
  def pay(sum: int) -> None: ...
""")
    assert told("(function) def pay(sum: int) -> None") == snapshot("""\
till.py 0.9 defines till: till is used near the cursor
  (function) def pay(sum: int) -> None
""")
    assert told("words " * 1000) == ""
    assert told(" \n") == ""


def test_the_file_with_the_cursor_is_no_other_file() -> None:
    place = DefinitionPlace(uri=f"file://{ROOT}/main.py", start=Position(4, 6))
    assert pieces(place, files=InMemory({"main.py": TILL})) == ""


@pytest.mark.parametrize(
    "uri",
    [
        "file:///work/other/till.py",
        "file:///work/shop/../other/till.py",
        "file:///work/shop",
        "file://",
        "file:///\0",
        "file:[",
        "jdt://contents/till.py",
        "untitled:till.py",
        "till.py",
        "",
        "https://example.org/work/shop/till.py",
    ],
)
@pytest.mark.parametrize("how", [{"start": Position(4, 6)}, {"text": TILL}])
def test_what_is_no_file_of_the_workspace_is_passed_over(uri: str, how: dict[str, Any]) -> None:
    files = InMemory({"till.py": TILL})
    assert pieces(DefinitionPlace(uri=uri, **how), files=files) == ""


@pytest.mark.parametrize("how", [{"start": Position(4, 6)}, {"text": TILL}], ids=["a place", "a text"])
@pytest.mark.parametrize("hidden", ["ignored", "secret", "linked from outside", "above", "missing", "packages are off"])
def test_what_may_not_be_read_is_passed_over(tmp_path: Path, hidden: str, how: dict[str, Any]) -> None:
    root = tmp_path / "root"
    path = {"secret": ".env.py", "packages are off": "node_modules/till/till.py"}.get(hidden, "till.py")
    file = root / path
    file.parent.mkdir(parents=True)
    if hidden == "ignored":
        (root / ".gitignore").write_text("till.py\n")
    if hidden == "linked from outside":
        (tmp_path / "till.py").write_text(TILL)
        file.symlink_to(tmp_path / "till.py")
    elif hidden == "above":
        file = root / ".." / "till.py"
        file.write_text(TILL)
    elif hidden != "missing":
        file.write_text(TILL)
    files = DiskFiles(root=root, workspace=Workspace((root,), lambda _: None), packages=hidden != "packages are off")
    assert pieces(DefinitionPlace(uri=f"file://{file}", **how), files=files, root=root) == ""


def test_a_folder_that_is_opened_by_a_link_has_its_files(tmp_path: Path) -> None:
    """Language servers may resolve links, and name the file by its own path."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "till.py").write_text(TILL)
    (root := tmp_path / "link").symlink_to(tmp_path / "real")
    place = DefinitionPlace(uri=(tmp_path / "real" / "till.py").as_uri(), start=Position(4, 6))
    found = pieces(place, files=DiskFiles(root=root, workspace=Workspace((root,), lambda _: None)), root=root)
    assert found.startswith("till.py 0.9 defines Till:")


def test_not_more_than_twelve_files_are_read_for_one_cursor() -> None:
    files = InMemory({f"f{number}.py": f"def f{number}(): ...\n" for number in range(20)})
    places = [DefinitionPlace(uri=f"file://{ROOT}/{path}", start=Position(0, 4)) for path in files.texts]
    assert pieces(*places, files=files).count("defines") == 12
