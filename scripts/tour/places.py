"""The places of the tour, in files of a small shop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from codegemma_lsp.document import Span

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "data" / "shop"


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor in a file from which ``gap`` is taken away, as before it was written. ``before`` is what stands there;
    ``typed``, its end, is typed while one looks on."""

    title: str
    name: str
    before: str
    typed: str
    gap: str

    def opened(self) -> tuple[str, int]:
        """The file's text without the gap and what is typed, and the cursor in it."""
        text = (FOLDER / self.name).read_text("utf-8")
        end = text.index(self.before + self.gap) + len(self.before)
        start = end - len(self.typed)
        return text[:start] + text[end + len(self.gap) :], start


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked about a function, the one whose ``header`` begins so: a slash command and its words."""

    title: str
    name: str
    header: str
    command: str
    words: str = ""

    def opened(self) -> tuple[str, Span]:
        """The file's text, and where the function is in it: up to the next blank line."""
        text = (FOLDER / self.name).read_text("utf-8")
        start = text.index(self.header)
        end = text.find("\n\n", start)
        return text, Span(start, end if end >= 0 else len(text.rstrip()))


SUM = Place(
    "Python: the prices of all items are summed",
    "items.py",
    "    return sum(",
    "return sum(",
    "item.total() for item in items)",
)
TOTAL = Place(
    "TypeScript: the total of a cart is worked out",
    "cart.ts",
    "    return this.lines.reduce((sum, line) => ",
    "reduce((sum, line) => ",
    "sum + line.price * line.quantity, 0);",
)
ERROR = Place(
    "Go: the error is returned, worded like the one above it",
    "orders.go",
    "&orders); err != nil {\n\t\treturn ",
    "return ",
    'nil, fmt.Errorf("cannot parse %s: %w", path, err)',
)
INSERT = Place(
    "Rust: the entry goes into the map",
    "stock.rs",
    "        found.insert(",
    "found.insert(",
    "entry.sku.clone(), entry);",
)
MIDDLE = Place(
    "Rust: a condition is filled in, in the middle of a line",
    "stock.rs",
    "    entries.iter().filter(|entry| ",
    "|entry| ",
    "entry.count == 0",
)
FUNCTION = Place(
    "Go: a function is written from its comment and its signature",
    "orders.go",
    "func Revenue(orders []Order) int {\n\t",
    "",
    "sum := 0\n\tfor _, order := range orders {\n\t\tif order.Paid {\n"
    "\t\t\tsum += order.Cents\n\t\t}\n\t}\n\treturn sum",
)
PARSER = Place(
    "Python: a line is taken apart as its docstring says",
    "reader.py",
    'in whole cents and a quantity, as in "Teapot;1250;2"."""\n    ',
    "",
    'name, price, quantity = line.split(";")\n    return Item(name, int(price), int(quantity))',
)
EXPLAINED = Request(
    "Chat: a function is explained (before its first answer the model is made ready for chat)",
    "orders.go",
    "func Revenue",
    "/explain",
    "in two sentences",
)
DOCUMENTED = Request(
    "Chat: documentation is written for a method",
    "cart.ts",
    "add(line",
    "/doc",
)
CHECKED = Request(
    "Edit: a check is added, to be accepted or not",
    "items.py",
    "def cheapest",
    "/edit",
    "Raise a ValueError where items is empty.",
)
