"""The places of the tour, in files of a small shop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "data" / "shop"


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor in a file from which ``gap`` is taken away, as it is before one has written it. ``before`` is what stands
    there, of which ``typed``, its end, is typed while one looks on."""

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
class Subject:
    """A function that is asked about; ``action`` is a slash command, ``words`` what follows it."""

    title: str
    name: str
    code: str
    action: str
    words: str = ""


SUM = Place(
    "Python: a sum over all items",
    "prices.py",
    "    return sum(",
    "return sum(",
    "item.total() for item in items)",
)
REDUCE = Place(
    "TypeScript: the total of a cart",
    "cart.ts",
    "    return this.lines.reduce((sum, line) => ",
    "reduce((sum, line) => ",
    "sum + line.price * line.quantity, 0);",
)
ERROR = Place(
    "Go: the error is returned",
    "orders.go",
    "&orders); err != nil {\n\t\treturn ",
    "return ",
    'nil, fmt.Errorf("cannot parse %s: %w", path, err)',
)
INSERT = Place(
    "Rust: an entry is put into a map",
    "stock.rs",
    "        found.insert(",
    "found.insert(",
    "entry.sku.clone(), entry);",
)
MIDDLE = Place(
    "Rust: in the middle of a line",
    "stock.rs",
    "    entries.iter().filter(|entry| ",
    "|entry| ",
    "entry.count == 0",
)
BODY = Place(
    "Python: a whole function, from its docstring",
    "prices.py",
    '    """Writes a price for people: 1205 becomes "12.05 EUR"."""\n    ',
    "",
    'return f"{cents // 100}.{cents % 100:02} {currency}"',
)
LOOP = Place(
    "Go: a statement, accepted with Tab",
    "orders.go",
    "\t\tif !order.Paid {\n\t\t\t",
    "",
    "unpaid = append(unpaid, order)\n\t\t}\n\t}\n\treturn unpaid",
)
