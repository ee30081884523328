"""Mutants of a function: its source with one small mistake in it, of the kinds that people make."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "in": "not in", "not in": "in"}
_COMPUTED = {"+": "-", "-": "+", "*": "+", "//": "*", "/": "*", "%": "//", "**": "*", "&": "|", "|": "&"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A whole text with one mistake in it. ``offset`` is where the mistake begins, and ``what`` names its kind."""

    text: str
    offset: int
    what: str


@dataclass(frozen=True, slots=True)
class _Change:
    start: int
    end: int
    new: str
    what: str


def mutants(text: str, name: str, seed: str) -> list[Mutant]:
    """Returns all mutants of the last function of a name at the top level of a text, in an order drawn with the seed.
    Only the code below its docstring is changed, and each mutant can be parsed."""
    found = [one for one in ast.parse(text).body if isinstance(one, ast.FunctionDef) and one.name == name][-1]
    body = found.body[1:] if ast.get_docstring(found) is not None else found.body
    source = _Source(text)
    changes = {change for statement in body for node in ast.walk(statement) for change in source.changes(node)}
    ordered = sorted(changes, key=lambda change: (change.start, change.end, change.new))
    random.Random(seed).shuffle(ordered)
    made = [
        Mutant(text=text[: one.start] + one.new + text[one.end :], offset=one.start, what=one.what) for one in ordered
    ]
    return [one for one in made if _parses(one.text)]


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


class _Source:
    """A text in which nodes of its syntax tree have offsets in code points."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = text.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def _offset(self, line: int, column: int) -> int:
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())

    def _start(self, node: ast.expr) -> int:
        return self._offset(node.lineno, node.col_offset)

    def _end(self, node: ast.expr) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._offset(node.end_lineno, node.end_col_offset)

    def _shown(self, node: ast.expr) -> str:
        return self._text[self._start(node) : self._end(node)]

    def changes(self, node: ast.AST) -> Iterator[_Change]:
        """Yields the mistakes that can be made at one node."""
        match node:
            case ast.Compare(left=left, comparators=[right]):
                yield from self._between(left, right, _COMPARED, "comparison")
            case ast.BinOp(left=left, right=right):
                yield from self._between(left, right, _COMPUTED, "operator")
            case ast.BoolOp(values=[left, right, *_]):
                yield from self._between(left, right, {"and": "or", "or": "and"}, "operator")
            case ast.AugAssign(target=ast.Name() as target, value=value):
                yield from self._between(target, value, {"+=": "-=", "-=": "+=", "*=": "+="}, "operator")
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                yield _Change(self._start(node), self._start(inner), "", "dropped negation")
            case ast.Constant(value=bool(value)):
                yield _Change(self._start(node), self._end(node), str(not value), "constant")
            case ast.Constant(value=int(value)):
                for other in (value + 1, value - 1):
                    yield _Change(self._start(node), self._end(node), str(other), "off by one")
            case ast.Call(func=called, args=arguments):
                yield from self._called(called, arguments)

    def _between(self, left: ast.expr, right: ast.expr, others: dict[str, str], what: str) -> Iterator[_Change]:
        """Yields the other operators for the one that stands between two operands."""
        start = self._end(left)
        match = re.match(r"[\s)]*(not\s+in|[a-z]+|[^\w\s()'\"]+)", self._text[start : self._start(right)])
        if match is not None and match[1] in others:
            yield _Change(start + match.start(1), start + match.end(1), others[match[1]], what)

    def _called(self, called: ast.expr, arguments: list[ast.expr]) -> Iterator[_Change]:
        if len(arguments) > 1 and self._shown(arguments[0]) != self._shown(arguments[1]):
            first, second = arguments[:2]
            between = self._text[self._end(first) : self._start(second)]
            new = self._shown(second) + between + self._shown(first)
            yield _Change(self._start(first), self._end(second), new, "swapped arguments")
        if arguments and self._shown(called) == "range":
            end = self._end(arguments[min(1, len(arguments) - 1)])
            yield _Change(end, end, " - 1", "off by one")
