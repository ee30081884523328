"""What was dismissed is not shown again at the same place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from codegemma_lsp.text import line_end, line_start


@dataclass(frozen=True, slots=True, kw_only=True)
class Dismissal:
    """A suggestion that the user does not want at a place.

    The place is known by what is ``before`` the cursor, from the start of the line above, and by the line ``below``.
    ``text`` is what was suggested behind ``before``. All texts have LF line ends.
    """

    before: str
    text: str
    below: str


def dismissal_of(text: str, offset: int, suggested: str) -> Dismissal:
    """Returns the dismissal of what was ``suggested`` behind the cursor at ``offset`` of ``text``."""
    return Dismissal(before=_before(text, offset), text=suggested, below=_below(text, offset))


def is_dismissed(dismissals: Iterable[Dismissal], text: str, offset: int, suggested: str) -> bool:
    """Returns whether a suggestion was dismissed at this place, before or after some of it was typed.

    A beginning of what was dismissed counts as the same, because a suggestion may grow, and so does a longer text that
    begins like it. A change of the line above, of the cursor's line before the place, or of the line below makes the
    place another.
    """
    below = _below(text, offset)
    return any(one.below == below and _is_same(one, text, offset, suggested) for one in dismissals)


def _is_same(one: Dismissal, text: str, offset: int, suggested: str) -> bool:
    longest = min(len(one.text), offset - len(one.before) + 1)
    for typed in range(longest):
        rest = one.text[typed:]
        same_text = rest.startswith(suggested) or suggested.startswith(rest)
        if (
            same_text
            and text.endswith(one.before + one.text[:typed], 0, offset)
            and _begins_line(one, text, offset, typed)
        ):
            return True
    return False


def _begins_line(one: Dismissal, text: str, offset: int, typed: int) -> bool:
    start = offset - typed - len(one.before)
    return start == 0 or text[start - 1] == "\n"


def _before(text: str, offset: int) -> str:
    start = line_start(text, offset)
    return text[line_start(text, max(0, start - 1)) : offset]


def _below(text: str, offset: int) -> str:
    end = line_end(text, offset)
    return text[end + 1 : line_end(text, end + 1)]
