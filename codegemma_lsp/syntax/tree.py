"""Syntax trees. Each is parsed incrementally from the previous one, by the one part in which their texts differ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import tree_sitter

from codegemma_lsp.syntax.languages import Language, find_language, grammar
from codegemma_lsp.text import common_prefix_length, common_suffix_length

MAX_CHARS = 65_536
"""The maximum length of a text that is parsed. Longer texts are treated as plain text. Excerpts are shorter, except for
lines of unusual length."""

_HOLDING_BLOCKS = ("_statement", "_definition", "_clause", "block")
"""The ends of the names of Python's nodes that contain blocks."""
_HIDDEN_MISSING = re.compile(r'\(MISSING (?:_|"\w+_token\d)')
"""A missing token that the grammar gives no node, such as the line end between two statements, in a printed tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A token of the grammar, in bytes. The node stays reachable for its surroundings."""

    type: str
    start: int
    end: int
    node: tree_sitter.Node


@dataclass(frozen=True, kw_only=True)
class Syntax:
    """A text and its tree. ``tree`` is None if the language has no grammar here or the text is too long."""

    text: str
    language: Language | None
    source: bytes
    tree: tree_sitter.Tree | None

    @property
    def language_name(self) -> str:
        """The name of the language, or "" if it has no grammar here."""
        return self.language.name if self.language is not None else ""

    @cached_property
    def _ascii(self) -> bool:
        return len(self.text) == len(self.source)

    def byte(self, offset: int) -> int:
        """Returns the byte offset of a code point offset."""
        return offset if self._ascii else len(self.text[:offset].encode("utf-8", "replace"))

    def char(self, byte: int) -> int:
        """Returns the code point offset of a byte offset, which must not be inside a code point."""
        return byte if self._ascii else len(self.source[:byte].decode(errors="ignore"))

    @cached_property
    def error_count(self) -> int:
        """The number of places that the grammar cannot parse: error nodes and missing tokens, also hidden ones."""
        return sum(1 for _ in self.errors()) + self._hidden_missing()

    def _hidden_missing(self) -> int:
        """The number of missing tokens without a node. Only the printed tree has them."""
        if self.tree is None or not self.tree.root_node.has_error:
            return 0
        return len(_HIDDEN_MISSING.findall(str(self.tree.root_node)))

    @property
    def colon_opens_block(self) -> bool:
        return self.language is not None and self.language.colon_opens_block

    @property
    def checks_blocks(self) -> bool:
        """Whether ``faults`` count more than the grammar's errors."""
        return self.language is not None and self.language.checks_blocks

    @cached_property
    def faults(self) -> tuple[int, int]:
        """The ``error_count``, and the same with what the grammar accepts and the language does not: in Python, blocks
        without a statement, and statements indented differently from their block; in JavaScript, ``return`` outside of
        functions; elsewhere what ``Language.file_items`` and ``Language.refused`` tell. A text is no worse than
        another if neither number is higher: typing turns errors into empty blocks, and must not do the reverse."""
        beyond = self._misplaced() + self._returns_from_nothing() + self._misplaced_in_file() + self._refused()
        return self.error_count, self.error_count + beyond

    @property
    def misplaced(self) -> int:
        """The number of faults that are no errors of the grammar."""
        errors, all_ = self.faults
        return all_ - errors

    def no_worse_than(self, other: Syntax) -> bool:
        return all(ours <= theirs for ours, theirs in zip(self.faults, other.faults, strict=True))

    def _misplaced(self) -> int:
        if self.tree is None or not self.checks_blocks:
            return 0
        count, pending = 0, [self.tree.root_node]
        while pending:
            node = pending.pop()
            children = [child for child in node.named_children if child.type != "comment"]
            if node.type in ("block", "module"):
                count += node.type == "block" and not children
                columns = [child.start_point[1] for child in children if self.begins_line(child.start_byte)]
                count += sum(column != columns[0] for column in columns)
            pending += [child for child in children if child.type.endswith(_HOLDING_BLOCKS)]
        return count

    def _returns_from_nothing(self) -> bool:
        """Whether a ``return`` stands outside of functions, where the language forbids that. Once it does, more of
        them are no worse: the file is run within a function. What does not parse may be a function's header."""
        if self.tree is None or self.language is None or not self.language.returns:
            return False
        around = self.language.functions | {"ERROR"}
        found = tree_sitter.QueryCursor(_query(self.language, f"({self.language.returns}) @return")).captures(
            self.tree.root_node
        )
        return any(not _within(node, around) for node in found.get("return", []))

    def _misplaced_in_file(self) -> int:
        """The number of nodes of which no file of the language consists, or which stand too low in it."""
        if self.tree is None or self.language is None or not self.language.file_items:
            return 0
        count, below_imports = 0, False
        for child in self.tree.root_node.named_children:
            if child.type in self.language.comments or child.is_error:
                continue
            # A macro at the top level is an expression for the grammar.
            inner = child.named_children[0] if child.type == "expression_statement" and child.named_children else child
            is_import = child.type in self.language.imports
            too_low = self.language.imports_first and is_import and below_imports
            count += too_low or inner.type not in self.language.file_items
            below_imports |= not is_import
        return count

    def _refused(self) -> int:
        if self.tree is None or self.language is None or not self.language.refused:
            return 0
        found = tree_sitter.QueryCursor(_query(self.language, self.language.refused)).captures(self.tree.root_node)
        return len(found.get("refused", []))

    def line_start(self, byte: int) -> int:
        """Returns the byte offset of the start of the line that a byte offset is in."""
        return _line_start(self.source, byte)

    def begins_line(self, byte: int) -> bool:
        """Returns whether only blanks stand before a byte offset on its line."""
        return not self.source[self.line_start(byte) : byte].strip()

    def errors(self) -> Iterator[tree_sitter.Node]:
        """Yields the outermost error nodes and missing tokens, in order."""
        pending = [self.tree.root_node] if self.tree is not None else []
        while pending:
            node = pending.pop()
            if node.is_error or node.is_missing:
                yield node
            elif node.has_error:
                pending.extend(reversed(node.children))

    def leaves(self, start: int, end: int) -> Iterator[Leaf]:
        """Yields the leaves that begin in the byte range, in order. A string or a comment is one leaf, and a missing
        token is none."""
        if self.tree is None or self.language is None:
            return
        whole = self.language.strings | self.language.comments
        cursor = self.tree.walk()
        descending = True
        while True:
            node = cursor.node
            assert node is not None
            if descending and node.end_byte > start and node.start_byte < end:
                if node.type not in whole and cursor.goto_first_child_for_byte(max(start, node.start_byte)) is not None:
                    continue
                if start <= node.start_byte < end and not node.is_missing and node.end_byte > node.start_byte:
                    yield Leaf(type=node.type, start=node.start_byte, end=node.end_byte, node=node)
            if node.start_byte >= end:
                return
            descending = cursor.goto_next_sibling()
            if not descending and not cursor.goto_parent():
                return

    def ancestors(self, byte: int) -> list[tree_sitter.Node]:
        """Returns the nodes around the byte, innermost first."""
        if self.tree is None:
            return []
        node = self.tree.root_node.descendant_for_byte_range(byte, byte)
        found = []
        while node is not None:
            found.append(node)
            node = node.parent
        return found


def parse(text: str, language_name: str, previous: Syntax | None = None, most: int = MAX_CHARS) -> Syntax:
    """Parses ``text``, unless it is longer than ``most``. With a ``previous`` syntax in the same language, only the
    difference is parsed."""
    language = find_language(language_name)
    source = text.encode("utf-8", "replace")
    if language is None or len(text) > most:
        return Syntax(text=text, language=language, source=source, tree=None)
    parser = tree_sitter.Parser(grammar(language))
    if previous is None or previous.tree is None or previous.language is not language:
        return Syntax(text=text, language=language, source=source, tree=parser.parse(source))
    if previous.source == source:
        return previous
    return Syntax(text=text, language=language, source=source, tree=parser.parse(source, _edited(previous, source)))


def reparse(syntax: Syntax, text: str) -> Syntax:
    """Returns the tree of another text in the same language, parsed from ``syntax``."""
    return parse(text, syntax.language_name, syntax)


def _edited(previous: Syntax, source: bytes) -> tree_sitter.Tree:
    old = previous.source
    start = common_prefix_length(old, source)
    tail = common_suffix_length(old, source, min(len(old), len(source)) - start)
    assert previous.tree is not None
    tree = previous.tree.copy()
    old_end, new_end = len(old) - tail, len(source) - tail
    tree.edit(start, old_end, new_end, _point(old, start), _point(old, old_end), _point(source, new_end))
    return tree


def _point(source: bytes, byte: int) -> tuple[int, int]:
    return source.count(b"\n", 0, byte), byte - _line_start(source, byte)


@cache
def _query(language: Language, query: str) -> tree_sitter.Query:
    return tree_sitter.Query(grammar(language), query)


def _within(node: tree_sitter.Node | None, types: frozenset[str]) -> bool:
    """Whether a node of one of the types is around a node, or the node itself is one."""
    while node is not None and node.type not in types:
        node = node.parent
    return node is not None


def _line_start(source: bytes, byte: int) -> int:
    return source.rfind(b"\n", 0, byte) + 1
