"""Finds what opens and closes, by tokens if there is a tree, and by characters if there is none."""

from __future__ import annotations

from dataclasses import dataclass

from codegemma_lsp.syntax.languages import BRACKETS, Blocks, Language
from codegemma_lsp.syntax.tree import Leaf

_VOID_TAGS = frozenset(b"area base br col embed hr img input link meta source track wbr !doctype".split())
"""The void elements of the HTML Standard, 13.1.2."""
_PAIRS = {closer: opener for opener, closer in BRACKETS.items()}
_LOOPS = frozenset({"while", "until", "for", "while_statement", "for_statement", "repeat_statement"})


def depth_change(leaf: Leaf, language: Language, source: bytes) -> int:
    """Returns 1 if the token opens something, -1 if it closes something, or else 0."""
    if language.blocks is Blocks.TAG:
        return _tag_change(leaf, source)
    kind = leaf.type.lstrip("$#") or leaf.type
    if kind in BRACKETS:
        return 1
    if kind in BRACKETS.values() or kind in language.closers:
        return -1
    if kind not in language.openers:
        return 0
    parent = leaf.node.parent
    family = parent.type if parent is not None else ""
    if family.endswith("modifier"):
        return 0
    outer = parent.parent.type if parent is not None and parent.parent is not None else ""
    counted_already = kind == "do" and "while" in language.openers and (family in _LOOPS or outer in _LOOPS)
    return 0 if counted_already else 1


def _tag_change(leaf: Leaf, source: bytes) -> int:
    if leaf.type in ("</", "/>"):
        return -1
    if leaf.type != "<":
        return 0
    name = source[leaf.end : leaf.end + 12].split(b">")[0].split(b" ")[0].split(b"/")[0].lower()
    return 0 if name in _VOID_TAGS else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The brackets and quotes of a text without their partners.

    ``unmatched`` are closing brackets and quotes whose opening partner is not in the text, with their offsets.
    ``unclosed`` are opening ones. ``quote`` is the quote that is open at the end, or "".
    """

    unmatched: tuple[tuple[int, str], ...]
    unclosed: str
    quote: str


def scan(text: str, quote: str, quotes: str) -> Scan:
    """Scans a text that begins inside a string begun by ``quote``. ``quotes`` are the characters that begin strings."""
    found: list[tuple[int, str]] = []
    stack: list[str] = []
    escaped, outer = False, bool(quote)
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif quote:
            if char == quote:
                found += [(at, char)] if outer else []
                quote, outer = "", False
        elif char in quotes:
            quote = char
        elif char in "([{":
            stack.append(char)
        elif char in _PAIRS and stack and stack[-1] == _PAIRS[char]:
            stack.pop()
        elif char in _PAIRS:
            found.append((at, char))
    return Scan(unmatched=tuple(found), unclosed="".join(stack), quote=quote)
