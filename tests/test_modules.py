"""What other files say of imported names, and where files can be cut."""

from __future__ import annotations

from inline_snapshot import snapshot

from codegemma_lsp.syntax import Cut, Imported, ImportedName, cuts, definition, imported, parse


def test_imports() -> None:
    python = "import os\nimport a.b as c\nfrom .x import y, z as w\nfrom . import v\n"
    python += "from p import (\n    q,\n)\nfrom r import *\ntry:\n    import s\nexcept ImportError:\n    import t\n"
    assert imported(parse(python, "python")) == snapshot(
        [
            Imported(module="os", local="os"),
            Imported(module="a.b", local="c"),
            Imported(module=".x", names=(ImportedName(original="y", local="y"), ImportedName(original="z", local="w"))),
            Imported(module=".", names=(ImportedName(original="v", local="v"),)),
            Imported(module="p", names=(ImportedName(original="q", local="q"),)),
            Imported(module="r", everything=True),
            Imported(module="s", local="s"),
            Imported(module="t", local="t"),
        ]
    )
    script = 'import a, { b, c as d } from "./m";\nimport * as n from "../n.js";\nimport "./effects";\n'
    script += 'export { e as f } from "./g";\nexport * from "./h";\n'
    assert imported(parse(script, "typescript")) == snapshot(
        [
            Imported(
                module="./m",
                names=(
                    ImportedName(original="default", local="a"),
                    ImportedName(original="b", local="b"),
                    ImportedName(original="c", local="d"),
                ),
            ),
            Imported(module="../n.js", local="n"),
            Imported(module="./effects"),
            Imported(module="./g", names=(ImportedName(original="e", local="f"),), exported=True),
            Imported(module="./h", everything=True, exported=True),
        ]
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
    def total(self) -> int:
        """return the sum of all items, by author"""
    def add(self, item): self.items.append(item)\
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
  sell(cart: Cart): number { return 1; }
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
