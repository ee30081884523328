"""What other files say of imported names, and where files can be cut."""

from __future__ import annotations

from inline_snapshot import snapshot

from codegemma_lsp.context import imported_definitions
from codegemma_lsp.syntax import Cut, Imported, cuts, definition, imported, parse


def test_imports() -> None:
    python = "import os\nimport a.b as c\nfrom .x import y, z as w\nfrom . import v\n"
    python += "from p import (\n    q,\n)\nfrom r import *\n"
    assert imported(parse(python, "python")) == snapshot(
        [
            Imported(module="os"),
            Imported(module="a.b"),
            Imported(module=".x", names=("y", "z")),
            Imported(module=".", names=("v",)),
            Imported(module="p", names=("q",)),
            Imported(module="r"),
        ]
    )
    script = 'import a, { b, c as d } from "./m";\nimport * as n from "../n.js";\nimport "./effects";\n'
    assert imported(parse(script, "typescript")) == snapshot(
        [Imported(module="./m", names=("b", "c")), Imported(module="../n.js"), Imported(module="./effects")]
    )
    assert imported(parse("#include <x.h>\n", "c")) == []


PYTHON = '''
@dataclass
class Cart:
    """What is bought, and by whom."""

    owner: str
    items: list[int] = field(default_factory=list)

    @property
    def total(self) -> int:
        r"""return the sum of all items, by author"""
        return sum(self.items)

    def add(self, item):
        self.items.append(item)

LIMIT: int = 3

async def pay(cart, *, twice=False):
    """Takes the money."""
    return cart
'''

TYPESCRIPT = """
export interface Cart { items: number[]; pay(): void }
export enum Size { Small = 1, Large }
export class Shop extends Base {
  private open = true;
  sell(cart: Cart): number { return 1; }
}
export const a = 1, rate = 0.2;
export type Id = string | number;
"""


def test_definitions() -> None:
    python = parse(PYTHON, "python")
    assert definition(python, "Cart") == snapshot('''\
@dataclass
class Cart:
  """What is bought, and by whom."""
    owner: str
    items: list[int] = field(default_factory=list)
    @property
    def add(self, item): ...\
''')
    assert definition(python, "LIMIT") == "LIMIT: int = 3"
    assert definition(python, "pay") == snapshot('''\
async def pay(cart, *, twice=False):
    """Takes the money."""\
''')
    assert definition(python, "gone") == ""
    script = parse(TYPESCRIPT, "typescript")
    assert definition(script, "Shop") == snapshot("""\
export class Shop extends Base {
  private open = true
  sell(cart: Cart): number { ... }
}\
""")
    assert definition(script, "Size") == snapshot("""\
export enum Size {
  Small = 1
  Large
}\
""")
    assert definition(script, "Cart") == snapshot("""\
export interface Cart {
  items: number[]
  pay(): void
}\
""")
    assert definition(script, "rate") == "export const a = 1, rate = 0.2;"
    assert definition(script, "Id") == "export type Id = string | number;"


FILES = {
    "shop/price.py": "def total(x): ...\n",
    "shop/sub/rate.py": "RATE = 1\n",
    "top.py": "def top(): pass\n",
    "web/price.ts": "export function total(x) { return x }\n",
    "index.ts": "export const start = 1;\n",
}


def check(path: str, text: str, *expected: str) -> None:
    language = "python" if path.endswith(".py") else "typescript"
    found = imported_definitions(text, path, language, FILES.get)
    assert [piece.path for piece in found] == list(expected)


def test_imports_are_found_in_the_workspace_and_never_outside_it() -> None:
    check("shop/cart.py", "from shop.price import total\nfrom .price import total\n", "shop/price.py")
    check("shop/sub/a.py", "from ..price import total\nfrom .rate import RATE\n", "shop/price.py", "shop/sub/rate.py")
    check("a.py", "from .top import top\nfrom . import top\nfrom ....top import top\n", "top.py")
    check("a.py", "from shop.price import gone\nimport os\nfrom os import path\n")
    check("web/cart.ts", 'import { total } from "./price.js";\n', "web/price.ts")
    check("cart.ts", 'import { start } from ".";\nimport { total } from "./web/price";\n', "index.ts", "web/price.ts")
    check("a.ts", 'import { root } from "../../etc/passwd";\nimport { x } from "/etc/passwd";\n')
    check("top.py", "from top import top\n")


def cut(text: str, language: str, kind: Cut) -> list[str]:
    return [text[span.start : span.end] for span in cuts(parse(text, language), kind)]


def test_cuts() -> None:
    python = '''\
class Only:
    """Only a doc."""

def f(alpha, beta):
    # a comment that is long
    total = compute(alpha, # why
        rate=alpha * beta)
    if total > 100:
        return {1, 2, 3} | {alpha, beta}
'''
    assert cut(python, "python", Cut.LINE) == snapshot(
        [
            "class Only:",
            "def f(alpha, beta):",
            "total = compute(alpha, # why",
            "rate=alpha * beta)",
            "if total > 100:",
            "return {1, 2, 3} | {alpha, beta}",
        ]
    )
    assert cut(python, "python", Cut.BLOCK) == snapshot(
        [
            """\
total = compute(alpha, # why
        rate=alpha * beta)
    if total > 100:
        return {1, 2, 3} | {alpha, beta}\
""",
            "return {1, 2, 3} | {alpha, beta}",
        ]
    )
    assert cut(python, "python", Cut.EXPRESSION) == snapshot(["alpha * beta", "total > 100", "{alpha, beta}"])
    script = "function f(a: Map<string, number>) {\n  if (a.size > 10) {\n    return g(a.size /* what */);\n  }\n}\n"
    assert cut(script, "typescript", Cut.BLOCK) == snapshot(
        [
            """\
if (a.size > 10) {
    return g(a.size /* what */);
  }\
""",
            "return g(a.size /* what */);",
        ]
    )
    assert cut(script, "typescript", Cut.EXPRESSION) == snapshot(["(a.size > 10)", "a.size"])
