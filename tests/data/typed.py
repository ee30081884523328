"""Clean-up: what the model wrote becomes something safe to accept, or nothing.

Each filter takes the text and the place it is for, and gives a text that is no longer; an empty one ends the line.
The order matters and is the order of ``FILTERS``. Rules after Tabby, llama.vim and Continue, with the syntax tree
where they guess by indentation.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import TypeAlias

from codegemma_lsp.completion.closers import only_closers, overwritten_candidates
from codegemma_lsp.completion.levels import at_a_level_that_fits, attainable
from codegemma_lsp.completion.stop import heads_what_follows, loops, repeats
from codegemma_lsp.syntax import Extent, Scope, Syntax, indentation, is_complete, reparse, scan
from codegemma_lsp.syntax import Place as Kind

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffd]")
_STRING_OVER_LINES = re.compile(r"\"\"\"|'''|`")
_SIMILAR = 0.95
_LONGEST_LINE = 2_000


@dataclass(frozen=True)
class Place:
    """Where a suggestion goes. ``syntax`` is of the text as it stands, LF-only; ``offset`` the cursor. ``cut_off``:
    the model was stopped in the midst of what it said, because it had said enough. ``specials`` spell its special
    tokens."""

    syntax: Syntax
    offset: int
    scope: Scope
    extent: Extent
    cut_off: bool = False
    specials: tuple[str, ...] = ()

    @property
    def before(self) -> str:
        """The cursor's line up to the cursor; of a very long one, its end."""
        first = max(0, self.offset - _LONGEST_LINE)
        return self.syntax.text[self.syntax.text.rfind("\n", first, self.offset) + 1 or first : self.offset]

    @cached_property
    def rest(self) -> str:
        """The cursor's line from the cursor on; of a very long one, its beginning."""
        last = self.offset + _LONGEST_LINE
        end = self.syntax.text.find("\n", self.offset, last)
        return self.syntax.text[self.offset : last if end < 0 else end]

    @property
    def quotes(self) -> str:
        """The characters that begin and end strings here; none in a comment, where an apostrophe is one."""
        if self.scope.place is Kind.COMMENT:
            return ""
        language = self.syntax.language
        return '"' if language is not None and language.name == "rust" else "\"'`"

    @cached_property
    def below(self) -> tuple[str, ...]:
        """The next lines with something on them, at most 12."""
        start = self.offset + len(self.rest) + 1
        lines = self.syntax.text[start : start + 4000].split("\n")
        return tuple(line for line in lines if line.strip())[:12]

    @property
    def deeper_below(self) -> bool:
        """Whether the next line with something on it is indented deeper than the cursor's."""
        return bool(self.below) and len(indentation(self.below[0])) > len(indentation(self.before))

    @cached_property
    def line_above(self) -> str:
        """The nearest line above with something on it."""
        above = self.syntax.text[max(0, self.offset - 4000) : self.offset - len(self.before)].rstrip()
        return above[above.rfind("\n") + 1 :]

    @property
    def indent_around(self) -> str:
        """The longer indentation of the nearest lines above and below with something on them: between a block's
        header and its statements it is that of the statements."""
        return max((indentation(line) for line in (self.line_above, *self.below[:1])), key=len)

    @cached_property
    def _around(self) -> str:
        return self.syntax.text[max(0, self.offset - 8000) : self.offset + 4000]

    @cached_property
    def indents_with_tabs(self) -> bool | None:
        """As the cursor's line does, else as most lines around it; None where none is indented."""
        if self.before[:1] in ("\t", " "):
            return self.before[0] == "\t"
        tabs = len(re.findall(r"^\t", self._around, re.MULTILINE))
        spaces = len(re.findall(r"^ {2}", self._around, re.MULTILINE))
        return None if tabs == spaces else tabs > spaces

    @cached_property
    def indent_width(self) -> int:
        """Spaces of one level: the smallest indentation in use around the cursor, 4 where there is none."""
        widths = [len(m) for m in re.findall(r"^( +)\S", self._around, re.MULTILINE)]
        return min((w for w in widths if w >= 2), default=4)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What may be shown, "" for nothing, and how many characters after the cursor it brings itself."""

    text: str
    overwrites: int = 0


Filter: TypeAlias = Callable[[str, Place], str]


def clean(text: str, place: Place) -> Cleaned:
    """What of a model's text may be shown at ``place``."""
    for keep in FILTERS:
        text = keep(text, place)
        if not text.strip():
            return Cleaned("")
    return without_new_errors(text, place)


def printable(text: str, place: Place) -> str:
    """Up to the first that no source has: a control character, half of a code point, or what spells one of the model's
    special tokens, which it may copy letter by letter."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    found = _UNPRINTABLE.search(text)
    ends = [found.start()] if found else []
    ends += [at for special in place.specials if (at := text.find(special)) >= 0]
    return text[: min(ends, default=len(text))]


def from_the_cursors_column(text: str, place: Place) -> str:
    """Without indentation on top of what the cursor already has, or what the lines around it have where the cursor
    is at the line's start; where a block has just been opened, it may be deeper."""
    before = place.before
    deeper = place.scope.opened and len(before) <= place.scope.opener_indent
    indent = indentation(text)
    extra = indent[len(place.indent_around) :] if not before else indent
    if before.strip() or not extra or deeper or place.scope.place is not Kind.STATEMENT:
        return text
    kept = indent[: len(indent) - len(extra)]
    lines = text[len(indent) :].split("\n")
    column = before + kept
    return "\n".join([kept + lines[0], *(line.replace(column + extra, column, 1) for line in lines[1:])])


def within_extent(text: str, place: Place) -> str:
    """The line, the statement or the block that the cursor's position asks for, and nothing of what comes after."""
    if place.extent is Extent.LINE:
        return text.split("\n", 1)[0]
    ending = "" if place.cut_off else "\n"
    grown = reparse(place.syntax, place.syntax.text[: place.offset] + text + ending)
    end = is_complete(grown, place.offset, place.scope, place.extent, place.syntax)
    return text if end is None else text[: end - place.offset]


def without_a_block_that_is_there(text: str, place: Place) -> str:
    """The header alone, where the statements of the block that it opens stand below already."""
    if place.scope.place is not Kind.STATEMENT or not place.below:
        return text
    return text.split("\n", 1)[0] if heads_what_follows(place.before + text, place.below[0], place.syntax) else text


def without_unfinished_line(text: str, place: Place) -> str:
    """Without a last line that was cut off, or that opens a block and then has nothing to put in it."""
    lines = text.split("\n")
    if place.cut_off and len(lines) > 1:
        lines.pop()
    while lines and not lines[-1].strip():
        lines.pop()
    language = place.syntax.language
    if len(lines) > 1 and lines[-1].rstrip().endswith(":") and language is not None and language.name == "python":
        lines.pop()
    return "\n".join(lines)


def without_loops(text: str, place: Place) -> str:
    """Up to the first of several equal lines, and without a last line that is one unit over and over."""
    lines = text.split("\n")
    for end in range(3, len(lines) + 1):
        if repeats("\n".join(lines[:end]) + "\n"):
            lines = lines[: end - 2]
            break
    if loops(lines[-1]):
        lines.pop()
    return "\n".join(lines)


def not_already_below(text: str, place: Place) -> str:
    """Nothing, where the suggestion says again what the next lines say: exactly, or nearly so if it is long. The same
    at another depth is something else."""
    said = [line.rstrip() for line in (place.before + text).split("\n") if line.strip()]
    if not place.below or len(said[0].strip()) < 4:
        return text
    stands = [line.rstrip() for line in place.below[: len(said)]]
    if len(said) < 3:
        return "" if said == stands else text
    matcher = SequenceMatcher(None, "\n".join(said), "\n".join(stands), autojunk=False)
    return "" if matcher.ratio() >= _SIMILAR else text


def without_lines_below(text: str, place: Place) -> str:
    """Without last lines that are the very lines that follow, as a closing bracket that is already there; but not
    without what closes a bracket that the suggestion itself opens."""
    lines = text.split("\n")
    for count in range(min(len(lines) - 1, len(place.below)), 0, -1):
        if [line.rstrip() for line in lines[-count:]] == [line.rstrip() for line in place.below[:count]]:
            kept = "\n".join(lines[:-count])
            if len(scan(kept, "", place.quotes).unclosed) <= len(scan(text, "", place.quotes).unclosed):
                return kept
    return text


def fitted_to_the_rest(text: str, place: Place) -> str:
    """Where other text than closing brackets follows on the line: one line, without an end that repeats what
    follows, and without what comes after a bracket that is closed there already."""
    rest = place.rest.strip()
    if not rest or only_closers(place.rest):
        return text
    line = text.split("\n", 1)[0]
    stripped = line.rstrip()
    for size in range(min(len(rest), len(stripped)), 0, -1):
        if stripped.endswith(rest[:size]) and (size == len(rest) or size >= 3):
            return stripped[:-size]
    quote = scan(place.before, "", place.quotes).quote
    closed_there = [char for _, char in scan(rest, quote, place.quotes).unmatched]
    for at, char in scan(line, quote, place.quotes).unmatched:
        if char in closed_there:
            return line[:at]
    return line


def edges(text: str, place: Place) -> str:
    """Without blanks at the end, unless they keep two words apart, and without a first blank where the line already
    ends in one."""
    if not place.rest or place.rest[0].isspace() or only_closers(place.rest):
        text = text.rstrip()
    if place.before.strip() and place.before[-1:].isspace():
        return text.lstrip(" \t")
    return text


def indented_as_the_file(text: str, place: Place) -> str:
    """Indentation in the file's own unit: tabs where it uses tabs, spaces where it does not. A remainder smaller
    than one level, as before the ``*`` of a comment, stays; so does a text with strings over several lines."""
    tabs = place.indents_with_tabs
    if tabs is None or _STRING_OVER_LINES.search(text):
        return text
    lines = text.split("\n")
    start = 0 if not place.before.strip() else 1
    spaces = [len(line) - len(line.lstrip(" ")) for line in lines[start:] if line.strip()]
    width = 4 if all(n % 4 < 2 for n in spaces) else 2
    for i in range(start, len(lines)):
        indent = indentation(lines[i])
        body = lines[i][len(indent) :]
        if tabs and indent.strip(" ") == "":
            indent = "\t" * (len(indent) // width) + " " * (len(indent) % width)
        elif not tabs and indent.strip("\t") == "":
            indent = " " * (place.indent_width * len(indent))
        lines[i] = indent + body if body else ""
    return "\n".join(lines)


FILTERS: tuple[Filter, ...] = (
    printable,
    from_the_cursors_column,
    within_extent,
    without_a_block_that_is_there,
    without_unfinished_line,
    without_loops,
    at_a_level_that_fits,
    not_already_below,
    without_lines_below,
    fitted_to_the_rest,
    edges,
    indented_as_the_file,
)


def without_new_errors(text: str, place: Place) -> Cleaned:
    """The most lines of the suggestion that add nothing the parser cannot make sense of, over as much of the rest of
    the line as gives the fewest errors; nothing where none does, or where nothing would change."""
    kept, reference = text, attainable(place, text)
    while kept.strip():
        best = best_fit(kept, place)
        if best.grown.no_worse_than(reference) and kept != place.rest[: best.overwrites]:
            return Cleaned(kept, best.overwrites)
        kept = kept.rpartition("\n")[0].rstrip()
    closing = _end_of_string(text, place)
    return without_new_errors(text[:closing], place) if closing else Cleaned("")


def _end_of_string(text: str, place: Place) -> int:
    """Where a text closes the string that the cursor is in; 0 where it is in none, or the text does not."""
    quote = scan(place.before, "", place.quotes).quote
    unmatched = scan(text, quote, place.quotes).unmatched if quote else ()
    return next((at for at, char in unmatched if char == quote), 0)


@dataclass(frozen=True, slots=True)
class Fit:
    """How many characters after the cursor a suggestion overwrites, and the text with it."""

    overwrites: int
    grown: Syntax


def best_fit(text: str, place: Place) -> Fit:
    """The overwriting that leaves the fewest errors; the first of the likeliest where several leave as many."""
    fits = []
    for size in overwritten_candidates(text, place.before, place.rest, place.quotes):
        end = place.offset + size
        with_it = place.syntax.text[: place.offset] + text + place.syntax.text[end:]
        fits.append(Fit(size, reparse(place.syntax, with_it)))
    return min(fits, key=lambda fit: fit.grown.faults)
