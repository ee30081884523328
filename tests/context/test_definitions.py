"""What other files say of the names at a cursor, for every language whose files name each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from textwrap import indent

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.context.definitions import imported_definitions
from tests.context.files import InMemory, cursor_in


def found(path: str, marked: str, files: Mapping[str, str]) -> str:
    """The pieces for a cursor in a file, the most needed one first, each with its value and why it was found."""
    cursor = cursor_in(path, marked)
    pieces = imported_definitions(cursor, InMemory({**files, path: cursor.text}))
    return "".join(f"{one.path} {one.value} {one.reason}\n{indent(one.text, '  ')}" for one in pieces)


SHOP = '''\
"""A shop."""
from dataclasses import dataclass

from shop.items import Item


class Till:
    """Holds the money of one day."""

    limit: int = 100

    def __init__(self, owner: str, *, open: bool = True) -> None:
        self.owner = owner
        self.items: list[Item] = []
        self._secret = 3

    def add(self, item: Item, count: int = 1) -> None:
        """Adds an item.

        At its price.
        """
        self.items.append(item)
        self.changed = True

    @property
    def total(self) -> int:
        return sum(item.price for item in self.items)

    def _check(self) -> None: ...


def open_till(owner: str) -> Till:
    """Opens a till."""
    till = Till(owner)
    return till
'''
ITEMS = "class Item:\n    name: str\n    price: int\n"
PROJECT = {
    "shop/till.py": SHOP,
    "shop/items.py": ITEMS,
    "shop/__init__.py": "from .till import Till, open_till as opened\n",
}


def test_a_member_after_a_dot_needs_the_class_of_the_object() -> None:
    marked = "from shop.till import Till\n\ntill = Till('a')\ntill.<CURSOR>\n"
    assert found("main.py", marked, PROJECT) == snapshot('''\
shop/till.py 1.0 defines Till: till at the cursor is of it
  class Till:
      """Holds the money of one day."""
      limit: int = 100
      def __init__(self, owner: str, *, open: bool = True) -> None:
          self.owner = owner
          self.items: list[Item] = []
      def add(self, item: Item, count: int = 1) -> None:
          """Adds an item."""
      @property
      def total(self) -> int: return sum(item.price for item in self.items)
''')


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param("from shop.till import Till\ndef f(till: Till):\n    till.<CURSOR>", id="an-annotation"),
        pytest.param("from shop.till import Till\ndef f(till: 'Till | None' = None):\n    till.<CURSOR>", id="a-union"),
        pytest.param("from shop import opened\ntill = opened('a')\ntill.<CURSOR>", id="what-a-function-returns"),
        pytest.param("from shop import Till as T\ntill = T('a')\ntill.<CURSOR>", id="a-name-of-its-own"),
        pytest.param("import shop.till\ntill = shop.till.Till('a')\ntill.<CURSOR>", id="a-module"),
        pytest.param("import shop.till as s\ntill = s.Till('a')\ntill.<CURSOR>", id="a-module-with-a-name-of-its-own"),
        pytest.param("from shop import till as s\ntill = s.Till('a')\ntill.<CURSOR>", id="a-module-of-a-package"),
        pytest.param("from shop.till import *\ntill = Till('a')\ntill.<CURSOR>", id="everything"),
        pytest.param(
            "from shop.till import Till\nclass A:\n    def __init__(self):\n        self.till = Till('a')\n"
            "    def g(self):\n        self.till.<CURSOR>",
            id="an-attribute",
        ),
        pytest.param(
            "from shop.till import Till\n\nclass A:\n    def f(self, till: Till):\n        if g(till.<CURSOR>\n\nx = 1",
            id="a-file-with-an-error",
        ),
        pytest.param(
            "from shop.till import Till\nclass A(Till):\n    def f(self):\n        self.<CURSOR>", id="a-base-class"
        ),
        pytest.param("from shop.till import Till\nwith Till('a') as till:\n    till.<CURSOR>", id="a-with"),
        pytest.param(
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from shop.till import Till\n"
            "def f(till: 'Till'):\n    till.<CURSOR>",
            id="an-import-for-types",
        ),
    ],
)
def test_the_class_of_an_object_is_found_by(marked: str) -> None:
    assert "class Till" in found("main.py", marked, PROJECT)


def test_a_call_that_is_open_needs_the_signature() -> None:
    marked = "from shop import opened\n\ndef f(x):\n    return opened(<CURSOR>\n"
    assert found("main.py", marked, PROJECT) == snapshot('''\
shop/till.py 0.95 defines open_till: opened is called at the cursor
  def open_till(owner: str) -> Till:
      """Opens a till."""
shop/till.py 0.57 defines Till: opened is called at the cursor
  class Till:
      """Holds the money of one day."""
      limit: int = 100
      def __init__(self, owner: str, *, open: bool = True) -> None:
          self.owner = owner
          self.items: list[Item] = []
      def add(self, item: Item, count: int = 1) -> None:
          """Adds an item."""
      @property
      def total(self) -> int: return sum(item.price for item in self.items)
''')


def test_a_class_whose_documentation_is_long_is_shown_its_first_line() -> None:
    text = 'class Till:\n    """Holds the money.\n\n    Of one day.\n    """\n\n    limit = 100\n'
    assert found("main.py", "from till import Till\nTill.<CURSOR>", {"till.py": text}) == snapshot('''\
till.py 1.0 defines Till: Till at the cursor is of it
  class Till:
      """Holds the money."""
      limit = 100
''')


def test_what_a_guarded_header_declares_is_shown_one_by_one() -> None:
    header = (
        '#ifndef TILL_H\n#define TILL_H\nextern "C" {\nint open_till(int owner);\nint close_till(void);\n}\n#endif\n'
    )
    assert found("main.c", '#include "till.h"\nint a = open_till(<CURSOR>', {"till.h": header}) == snapshot("""\
till.h 0.95 defines open_till: open_till is called at the cursor
  int open_till(int owner);
""")


def test_names_of_the_file_itself_and_of_the_standard_library_are_not_looked_up() -> None:
    marked = "import os\n\nclass Till:\n    pass\n\ntill = Till()\nos.path.join(till.<CURSOR>)\n"
    assert found("main.py", marked, PROJECT) == ""


@pytest.mark.parametrize(
    ("path", "module", "files"),
    [
        pytest.param("app/main.py", "from .till import Till", ["app/till.py"], id="relative"),
        pytest.param("app/sub/main.py", "from ..till import Till", ["app/till.py"], id="a-folder-up"),
        pytest.param("tests/main.py", "from app.till import Till", ["src/app/till.py"], id="src-layout"),
        pytest.param("one/app/main.py", "from lib.till import Till", ["one/lib/till.py", "lib/till.py"], id="monorepo"),
        pytest.param("main.py", "from lib.till import Till", ["lib/till.pyi", "lib/till.py"], id="a-stub"),
        pytest.param(
            "main.py",
            "from lib import Till",
            [".venv/lib/python3.11/site-packages/lib/__init__.py"],
            id="an-installed-package",
        ),
    ],
)
def test_where_a_python_module_is(path: str, module: str, files: list[str]) -> None:
    others = dict.fromkeys(files, "class Till:\n    def pay(self, sum): ...\n") | {".venv/pyvenv.cfg": ""}
    first = found(path, f"{module}\ntill = Till()\ntill.<CURSOR>", others).split(" ")[0]
    assert first == files[0]


STORY = {
    "typescript": """\
--- src/main.ts
import { Till } from "./till";

const till = new Till("a");
till.<CURSOR>
--- src/till.ts
export class Till {
  items: Item[] = [];
  constructor(private owner: string) {}
  add(item: Item, count = 1): void {
    this.items.push(item);
  }
}
""",
    "typescript-exported-again": """\
--- src/main.ts
import { Till } from "./shop";

function f(till: Till) {
  till.<CURSOR>
}
--- src/shop/index.ts
export * from "./till";
--- src/shop/till.ts
export interface Till { pay(sum: number): void }
""",
    "typescript-paths": """\
--- src/main.ts
import { pay } from "@/money/pay";

pay(<CURSOR>
--- tsconfig.json
{"compilerOptions": {"paths": {"@/*": ["./src/*"]}, /* a comment */}}
--- src/money/pay.ts
export function pay(sum: number, to: string): void {
  send(sum);
  log(to);
}
""",
    "javascript-installed": """\
--- main.js
import { pay } from "money";

pay(<CURSOR>
--- node_modules/money/package.json
{"types": "./dist/index.d.ts"}
--- node_modules/money/dist/index.d.ts
export declare function pay(sum: number, to: string): void;
""",
    "java": """\
--- src/main/java/shop/Main.java
package shop;

import shop.money.Money;

class Main {
  void f(Till till) {
    Money m = till.<CURSOR>
  }
}
--- src/main/java/shop/Till.java
package shop;

public class Till {
  private int sum;
  public Money total(String of) {
    int x = 1;
    return null;
  }
}
--- src/main/java/shop/money/Money.java
package shop.money;

public record Money(int cents) {}
""",
    "kotlin": """\
--- shop/Main.kt
package shop

fun f(till: Till) {
    till.<CURSOR>
}
--- shop/Till.kt
package shop

class Till(val owner: String) {
    fun add(item: Item, count: Int = 1) {
        items.add(item)
    }
}
""",
    "c": """\
--- src/main.c
#include "till.h"

int main(void) {
    till_add(<CURSOR>
}
--- include/till.h
struct till { int sum; };
int till_add(struct till *till, const char *name, int cents);
""",
    "cpp": """\
--- src/main.cpp
#include "till.hpp"

int main() {
    Till till;
    till.<CURSOR>
}
--- src/till.hpp
namespace shop {
class Till {
 public:
  int add(const Item& item, int count = 1);
};
}
""",
    "csharp": """\
--- Shop/Main.cs
namespace Shop;

class Main {
    void F(Till till) {
        till.<CURSOR>
    }
}
--- Shop/Till.cs
namespace Shop;

public class Till {
    public int Sum { get; set; }
    public void Add(Item item, int count = 1) {
        Sum += 1;
    }
}
""",
    "rust": """\
--- src/main.rs
use crate::shop::till::Till;

fn f(till: &Till) {
    till.<CURSOR>
}
--- src/shop/till.rs
pub struct Till {
    pub sum: u32,
}

impl Till {
    pub fn add(&mut self, item: Item) -> u32 {
        self.sum += 1;
        self.sum
    }
}
""",
    "go": """\
--- cmd/main.go
package main

import "example.com/shop/till"

func f(t *till.Till) {
\tt.<CURSOR>
}
--- go.mod
module example.com/shop
--- till/till.go
package till

type Till struct {
\tSum int
}

func (t *Till) Add(name string, cents int) int {
\tt.Sum += cents
\treturn t.Sum
}
""",
    "go-same-package": """\
--- till/main.go
package till

func f() {
\topenTill(<CURSOR>
}
--- till/open.go
package till

func openTill(owner string, day int) *Till {
\tx := 1
\treturn nil
}
""",
}
"""A project for each language: its first file has the cursor."""


def project(story: str) -> tuple[str, str, dict[str, str]]:
    """The path and the text of the file with the cursor, and the other files."""
    parts = re.split(r"^--- (.+)\n", story, flags=re.MULTILINE)[1:]
    files = dict(zip(parts[::2], parts[1::2], strict=True))
    path = parts[0]
    return path, files.pop(path), files


def test_every_language() -> None:
    shown = "\n".join(f"[{name}]\n{found(*project(story))}" for name, story in STORY.items())
    assert shown == snapshot("""\
[typescript]
src/till.ts 1.0 defines Till: till at the cursor is of it
  export class Till {
    items: Item[] = []
    constructor(private owner: string) {}
    add(item: Item, count = 1): void { ... }
  }

[typescript-exported-again]
src/shop/till.ts 1.0 defines Till: till at the cursor is of it
  export interface Till {
    pay(sum: number): void
  }

[typescript-paths]
src/money/pay.ts 0.95 defines pay: pay is called at the cursor
  export function pay(sum: number, to: string): void { ... }

[javascript-installed]
node_modules/money/dist/index.d.ts 0.95 defines pay: pay is called at the cursor
  export declare function pay(sum: number, to: string): void;

[java]
src/main/java/shop/Till.java 1.0 defines Till: till at the cursor is of it
  public class Till {
    public Money total(String of) { ... }
  }
src/main/java/shop/money/Money.java 0.85 defines Money: Money is used near the cursor
  public record Money(int cents) {
  }

[kotlin]
shop/Till.kt 1.0 defines Till: till at the cursor is of it
  class Till(val owner: String) {
      fun add(item: Item, count: Int = 1) { ... }
  }

[c]
include/till.h 0.95 defines till_add: till_add is called at the cursor
  int till_add(struct till *till, const char *name, int cents);
include/till.h 0.7 defines till: till.h is used near the cursor
  struct till {
    int sum;
  }

[cpp]
src/till.hpp 1.0 defines Till: till at the cursor is of it
  class Till {
    int add(const Item& item, int count = 1);
  }

[csharp]
Shop/Till.cs 1.0 defines Till: till at the cursor is of it
  public class Till {
      public int Sum { get; set; }
      public void Add(Item item, int count = 1) { ... }
  }

[rust]
src/shop/till.rs 1.0 defines Till: till at the cursor is of it
  pub struct Till {
      pub sum: u32
  }
  impl Till {
      pub fn add(&mut self, item: Item) -> u32 { ... }
  }

[go]
till/till.go 1.0 defines Till: t at the cursor is of it
  type Till struct {
  	Sum int
  }
  func (t *Till) Add(name string, cents int) int { ... }

[go-same-package]
till/open.go 0.95 defines openTill: openTill is called at the cursor
  func openTill(owner string, day int) *Till { ... }
""")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("main.py", "from ....etc.passwd import root\nroot.<CURSOR>"),
        ("a.ts", 'import { root } from "../../etc/passwd";\nroot.<CURSOR>'),
        ("a.ts", 'import { root } from "/etc/passwd";\nroot.<CURSOR>'),
        ("a.c", '#include "../../etc/passwd.h"\nroot(<CURSOR>'),
        ("main.py", "from main import f\nf(<CURSOR>"),
        ("broken.py", "from a import (\nclass : def (<CURSOR>"),
        ("empty.py", "<CURSOR>"),
    ],
)
def test_no_file_outside_of_the_workspace_is_asked_for(path: str, text: str) -> None:
    asked: list[str] = []

    class Watching(InMemory):
        def exists(self, path: str) -> bool:
            asked.append(path)
            return False

    assert list(imported_definitions(cursor_in(path, text), Watching({}))) == []
    assert not [one for one in asked if one.startswith(("/", ".."))]


def test_the_start_of_a_name_finds_what_it_may_become() -> None:
    files = {"shop.py": "def refund(sale):\n    return -sale\n\n\ndef sell(item):\n    return item\n"}
    text = "from shop import refund, sell\n" + "\n" * 60 + "print(refu<CURSOR>)\n"
    assert found("main.py", text, files) == snapshot("""\
shop.py 0.9 defines refund: refu is being written
  def refund(sale): return -sale
""")
    assert "being written" not in found("main.py", text.replace("refu<", "till.refu<"), files)
