"""Syntax trees, parsed incrementally: each from the one before, by the one stretch in which their texts differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import tree_sitter

from codegemma_lsp.syntax.languages import Language, find_language, grammar
from codegemma_lsp.text import common_prefix_length, common_suffix_length

MAX_CHARS = 65_536
"""Longer texts are treated as plain text. Excerpts are shorter, but for lines of unusual length."""

_HOLDING_BLOCKS = ("_statement", "_definition", "_clause", "block")
"""Ends of the names of Python's nodes that blocks are found in."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A token of the grammar, in bytes; the node stays reachable for its surroundings."""

    type: str
    start: int
    end: int
    node: tree_sitter.Node


@dataclass(frozen=True)
class Syntax:
    """A text and its tree; ``tree`` is None where the language has no grammar here or the text is too long."""

    text: str
    language: Language | None
    source: bytes
    tree: tree_sitter.Tree | None

    @property
    def language_name(self) -> str:
        """ "" where the language has no grammar here."""
        return self.language.name if self.language is not None else ""

    @cached_property
    def _ascii(self) -> bool:
        return len(self.text) == len(self.source)

    def byte(self, offset: int) -> int:
        """Byte offset of a code point offset."""
        return offset if self._ascii else len(self.text[:offset].encode("utf-8", "replace"))

    def char(self, byte: int) -> int:
        """Code point offset of a byte offset, which must not be inside a code point."""
        return byte if self._ascii else len(self.source[:byte].decode(errors="ignore"))

    @cached_property
    def error_count(self) -> int:
        """How many places the grammar could not make sense of: error nodes, and tokens it had to invent."""
        return sum(1 for _ in self.errors())

    @property
    def colon_opens_block(self) -> bool:
        return self.language is not None and self.language.colon_opens_block

    @property
    def checks_blocks(self) -> bool:
        """Whether ``faults`` count more than the grammar's errors."""
        return self.language is not None and self.language.checks_blocks

    @cached_property
    def faults(self) -> tuple[int, int]:
        """``error_count``, and the same with what the grammar lets pass and Python does not: blocks without a
        statement, and statements indented otherwise than the block that they are in. A text is no worse than another
        where neither number is higher: typing turns errors into empty blocks, and may not do the reverse."""
        return self.error_count, self.error_count + self._misplaced()

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
                columns = [child.start_point[1] for child in children if self._begins_its_line(child)]
                count += sum(column != columns[0] for column in columns)
            pending += [child for child in children if child.type.endswith(_HOLDING_BLOCKS)]
        return count

    def _begins_its_line(self, node: tree_sitter.Node) -> bool:
        start = node.start_byte
        return not self.source[self.source.rfind(b"\n", 0, start) + 1 : start].strip()

    def errors(self) -> Iterator[tree_sitter.Node]:
        """Outermost error nodes and missing tokens, in order."""
        pending = [self.tree.root_node] if self.tree is not None else []
        while pending:
            node = pending.pop()
            if node.is_error or node.is_missing:
                yield node
            elif node.has_error:
                pending.extend(reversed(node.children))

    def leaves(self, start: int, end: int) -> Iterator[Leaf]:
        """Leaves that begin in the byte range, in order; a string or a comment is one leaf, a missing token none."""
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
                    yield Leaf(node.type, node.start_byte, node.end_byte, node)
            if node.start_byte >= end:
                return
            descending = cursor.goto_next_sibling()
            if not descending and not cursor.goto_parent():
                return

    def ancestors(self, byte: int) -> list[tree_sitter.Node]:
        """Nodes around the byte, innermost first."""
        if self.tree is None:
            return []
        node = self.tree.root_node.descendant_for_byte_range(byte, byte)
        found = []
        while node is not None:
            found.append(node)
            node = node.parent
        return found


def parse(text: str, language_name: str, previous: Syntax | None = None, most: int = MAX_CHARS) -> Syntax:
    """Parses ``text``, unless it is longer than ``most``; from ``previous``, where its language is the same, only what
    differs is read again."""
    language = find_language(language_name)
    source = text.encode("utf-8", "replace")
    if language is None or len(text) > most:
        return Syntax(text, language, source, None)
    parser = tree_sitter.Parser(grammar(language))
    if previous is None or previous.tree is None or previous.language is not language:
        return Syntax(text, language, source, parser.parse(source))
    if previous.source == source:
        return previous
    return Syntax(text, language, source, parser.parse(source, _edited(previous, source)))


def reparse(syntax: Syntax, text: str) -> Syntax:
    """The tree of another text in the same language, by way of ``syntax``."""
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
    return source.count(b"\n", 0, byte), byte - (source.rfind(b"\n", 0, byte) + 1)
