"""The moments at which nothing is shown unless the user asks, as one pure function of what is known about a moment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from codegemma_lsp.document import Change
from codegemma_lsp.syntax import find_language, parse
from codegemma_lsp.text import common_prefix_length, common_suffix_length

_LONGEST_EDIT = 1_000
"""The number of code points of an inserted text up to which it is compared with what it replaced."""
_LONGEST_LICENCE = 4_000
"""The number of code points from the head of a file within which a licence ends."""
_CLOSING = " */-->]]"
"""Ends a comment of any language that is still open. In a comment that ends with its line, it is a part of it."""
_OPENS = re.compile(r"[:{(\[,=\\]$|\b(do|then|else|function\b.*\))$")
"""Matches the end of a line that begins something."""
_COMMENT_LINE = re.compile(r"^(#(?!endif|define|include|pragma)|//|--|/\*|\*|;|%|<!--|@)|(\*/|-->|\"\"\"|''')$")
"""Matches a line of a comment or of documentation, and an annotation of what follows."""
_LICENCE = re.compile(r"copyright|licen[cs]e|SPDX-", re.IGNORECASE)


class Silence(StrEnum):
    """Why nothing is shown. Each value ends a sentence such as "no suggestion: …"."""

    UNTOUCHED = "nothing was changed in this file yet"
    DELETED = "something was just deleted"
    WITHIN_WORD = "the cursor is within a word"
    BELOW_ALL = "the cursor is below the end of the code"
    LICENCE = "the cursor is in a licence"
    DISMISSED = "it was dismissed here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What is known when an editor asks by itself.

    ``text`` has LF line ends, and ``offset`` is the cursor in it, in code points. ``is_touched`` means that the user
    has changed the file since it was read, and ``has_deleted`` that the last change only removed something from the
    cursor's line.
    """

    text: str
    offset: int
    language: str = ""
    is_touched: bool = True
    has_deleted: bool = False


def silence(moment: Moment) -> Silence | None:
    """Returns why nothing is shown at a moment, or None if a suggestion is welcome."""
    if not moment.is_touched:
        return Silence.UNTOUCHED
    if moment.has_deleted:
        return Silence.DELETED
    if _is_within_word(moment):
        return Silence.WITHIN_WORD
    if _is_below_all(moment):
        return Silence.BELOW_ALL
    return Silence.LICENCE if _is_in_licence(moment) else None


def removes(change: Change) -> bool:
    """Returns whether a change only removes text. Clients may send more than what differs, so the parts that are equal
    at both ends do not count. A replacement by another text, such as that of a formatter, does not only remove."""
    removed, inserted = change.removed, change.edit.text
    if len(inserted) > _LONGEST_EDIT or len(inserted) >= len(removed):
        return False
    same = common_prefix_length(removed, inserted)
    return same + common_suffix_length(removed, inserted, len(inserted) - same) == len(inserted)


def _is_within_word(moment: Moment) -> bool:
    text, offset = moment.text, moment.offset
    return 0 < offset < len(text) and _is_word(text[offset - 1]) and _is_word(text[offset])


def _is_word(character: str) -> bool:
    return character == "_" or character.isalnum()


def _is_below_all(moment: Moment) -> bool:
    """Returns whether the cursor is at the start of an empty line below everything in the file. What comes next there
    is not known, unless a comment says it or the line above begins something."""
    above, _, line = moment.text[: moment.offset].rpartition("\n")
    if line or moment.text[moment.offset :].strip():
        return False
    last = above.rstrip().rpartition("\n")[2].strip()
    return bool(last) and not (_OPENS.search(last) or _COMMENT_LINE.search(last))


def _is_in_licence(moment: Moment) -> bool:
    """Returns whether the file consists of comments up to the cursor, and these name a licence."""
    head = moment.text[: moment.offset]
    language = find_language(moment.language)
    if language is None or moment.offset > _LONGEST_LICENCE or not _LICENCE.search(head):
        return False
    syntax = parse(head + _CLOSING, language.name)
    leaves = list(syntax.leaves(0, syntax.byte(moment.offset)))
    return bool(leaves) and all(leaf.type in language.comments for leaf in leaves)
