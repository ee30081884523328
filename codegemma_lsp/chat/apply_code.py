"""Puts a block of code from an answer into a file: what it defines takes the place of what the file defines under the
same name. No model is asked. What is not clear, or would lose something, is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from codegemma_lsp.chat.code import LONGEST_PARSED, NO_TEXT, dedented, fitted, indent_unit
from codegemma_lsp.chat.diff import apply, minimal_edits
from codegemma_lsp.chat.edit import EditContext, check_edits, edit_context, in_document, proposal
from codegemma_lsp.chat.imports import imports_apart
from codegemma_lsp.chat.types import Proposal, RequestRefused, Target
from codegemma_lsp.document import Document, Edit, Span
from codegemma_lsp.syntax import NamedPart, Syntax, named_parts, parse, statements
from codegemma_lsp.text import line_end, line_start

LABEL = "Apply code"
_LEFT_OUT = re.compile(
    r"^[ \t]*\{?(?:#|//|/\*|--|<!--)[ \t]*(?:(?:\.\.\.|…).*|.*\b(?:existing|unchanged|rest of|remains the same)\b.*)$",
    re.MULTILINE | re.IGNORECASE,
)
"""Matches a comment with which a model says that code stays as it is."""
_DECLARATIONS = frozenset({"lexical_declaration", "variable_declaration", "variable_declarator"})


class _Unclear(Exception):
    """The names do not tell where code belongs. ``str()`` is a sentence on why."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A definition of the new code with its text, which begins with the comments above it."""

    named: NamedPart
    above: str
    text: str


def apply_code(target: Target, code: str) -> Proposal:
    """Returns a proposal that puts code into a document.

    Functions and classes replace those of the same name and kind, new ones follow the last of these, and imports go to
    the others. If that is not clear, or the file has none of the names, the code replaces the selection, or goes to the
    empty line at the cursor. Raises ``RequestRefused`` if the place is not clear, or if the code would break the file's
    syntax.
    """
    context = edit_context(target)
    code, _ = dedented(code.replace("\r\n", "\n").strip("\n"))
    _check_text(code, context.syntax.text)
    try:
        edits, imports = _edits_by_name(context.syntax, code)
    except _Unclear as unclear:
        if len(context.selection) or not context.given.strip():
            return proposal(target, context, code, LABEL)
        raise RequestRefused(f"{unclear} Select what it replaces, or an empty line.") from None
    return _proposed(target.document, context, edits, imports)


def _check_text(code: str, text: str) -> None:
    if (gap := _LEFT_OUT.search(code)) is not None:
        raise RequestRefused(f"The code leaves something out ({gap[0].strip()}), so it is not applied.")
    if "\r" in code or any(match.group() not in text for match in NO_TEXT.finditer(code)):
        raise RequestRefused("The code holds control characters or tokens, so it is not applied.")


def _edits_by_name(syntax: Syntax, code: str) -> tuple[list[Edit], Edit]:
    """Returns the edits of definitions, and the one of imports, which may be empty. Raises ``_Unclear`` and
    ``RequestRefused``."""
    imports, rest = imports_apart(syntax.text, code, syntax.language_name)
    parts, there = list(_parts(syntax, rest)), named_parts(syntax)
    places = [_place(part.named, there) for part in parts]
    if not any(places):
        raise _Unclear("The file has nothing of these names.")
    edits = _in_order([*_replacements(syntax, parts, places), *_additions(syntax, parts, places)])
    if _overlap(edits):
        raise _Unclear("The code has several texts for one place.")
    return edits, imports


def _parts(syntax: Syntax, code: str) -> Iterator[_Part]:
    """Yields the definitions of a code. Raises ``_Unclear`` if there is anything else in it."""
    new = parse(code, syntax.language_name, most=LONGEST_PARSED)
    by_statement = {part.statement: part for part in named_parts(new) if part.span == part.statement}
    for one in statements(new):
        part = by_statement.get(one.span)
        if part is None or not part.name:
            line = code[one.span.start : one.span.end].split("\n")[0]
            raise _Unclear(f"It is not clear where {line.strip()!r} belongs.")
        above = code[part.above.start : part.above.end] + "\n" if part.above is not None else ""
        yield _Part(part, above, code[one.span.start : one.span.end])


def _place(part: NamedPart, there: Sequence[NamedPart]) -> NamedPart | None:
    """Returns the definition that a part replaces, or None if it is new. Raises ``_Unclear`` if there are several."""
    same = [one for one in there if (one.name, one.kind) == (part.name, part.kind) and _belongs(part, one)]
    if len(same) > 1:
        raise _Unclear(f"The file defines {part.name} more than once.")
    return same[0] if same else None


def _belongs(part: NamedPart, one: NamedPart) -> bool:
    """Returns whether a part belongs to what the other one belongs to. A method of Python may come without its
    class."""
    return part.owner == one.owner or (not part.owner and part.takes_self and one.takes_self)


def _replacements(syntax: Syntax, parts: Sequence[_Part], places: Sequence[NamedPart | None]) -> Iterator[Edit]:
    unit = indent_unit(syntax.text) or "    "
    for part, place in zip(parts, places, strict=True):
        if place is None:
            continue
        if missing := sorted(place.members - part.named.members):
            raise RequestRefused(
                f"The code leaves out {', '.join(missing[:3])} of {place.name}; ask for all of it, or for a function"
                " alone."
            )
        span = _layer(part.named, place)
        start = line_start(syntax.text, span.start)
        head = syntax.text[start : span.start].lstrip()
        if part.above and place.above is not None:
            start = line_start(syntax.text, place.above.start)
        region = Span(start, span.end)
        given = syntax.text[region.start : region.end]
        yield Edit(region, fitted(f"{part.above}{head}{part.text}", given, unit))


def _layer(part: NamedPart, place: NamedPart) -> Span:
    """Returns the layer of a definition that a part replaces: the one of the part's own type. What the part does not
    have around it, such as ``export`` and decorators, stays."""
    kind, _ = part.layers[-1]
    own = [span for type_, span in place.layers if type_ == kind]
    if own:
        return own[0]
    gained = {type_ for type_, _ in part.layers[len(place.layers) :]}
    if place.layers[-1][0] in {type_ for type_, _ in part.layers} and not gained & _DECLARATIONS:
        return place.span
    raise _Unclear(f"The file declares {part.name} together with something else.")


def _additions(syntax: Syntax, parts: Sequence[_Part], places: Sequence[NamedPart | None]) -> Iterator[Edit]:
    """Yields new definitions: after the known one above them, or before the first. They come one edit a place."""
    unit = indent_unit(syntax.text) or "    "
    first = next(place for place in places if place is not None)
    above: NamedPart | None = None
    waiting: dict[Span, str] = {}
    for part, place in zip(parts, places, strict=True):
        if place is not None:
            above = place
            continue
        beside = above or first
        is_method = part.named.takes_self and beside.takes_self
        region = beside.span if is_method else beside.statement
        start = line_start(syntax.text, region.start)
        new = fitted(part.above + part.text, syntax.text[start : region.end] if is_method else "", unit)
        gap = _gap(syntax, is_method=is_method)
        if above is not None:
            end = line_end(syntax.text, region.end)
            waiting[Span(end, end)] = waiting.get(Span(end, end), "") + gap + new
        else:
            at = _with_comments(syntax, beside, start)
            waiting[Span(at, at)] = waiting.get(Span(at, at), "") + new + gap
    yield from (Edit(span, text) for span, text in waiting.items())


def _with_comments(syntax: Syntax, part: NamedPart, start: int) -> int:
    if part.above is None or part.statement != part.span:
        return start
    return line_start(syntax.text, part.above.start)


def _gap(syntax: Syntax, *, is_method: bool) -> str:
    """Returns the line ends between definitions: two blank lines in Python at the top level, and else one."""
    return "\n\n\n" if syntax.language_name == "python" and not is_method else "\n\n"


def _proposed(document: Document, context: EditContext, edits: Sequence[Edit], imports: Edit) -> Proposal:
    adds = [imports] if imports.text else []
    together = _in_order([*adds, *edits])
    if _overlap(together):
        raise RequestRefused("The imports of the code belong where it replaces something; add them by hand.")
    check_edits(context.syntax, together)
    found: list[Edit] = []
    for edit in edits:
        here = in_document(edit, document, context.newline)
        is_new = not len(edit.span)
        found += [here] if is_new else minimal_edits(document.text, here.span, edit.text, context.newline)
    added = in_document(imports, document, context.newline) if adds else None
    everything = tuple(_in_order([*([added] if added is not None else []), *found]))
    if not everything:
        raise RequestRefused("The file has this code already.")
    region, text = Span(everything[0].span.start, everything[-1].span.end), apply(document.text, everything)
    return Proposal(
        document=document,
        region=region,
        text=text[region.start : region.end + len(text) - len(document.text)],
        edits=everything,
        label=LABEL,
        imports=added,
    )


def _in_order(edits: Iterable[Edit]) -> list[Edit]:
    """Returns edits in ascending order. An insertion at the start of what is replaced comes first."""
    return sorted(edits, key=lambda edit: (edit.span.start, edit.span.end))


def _overlap(edits: Sequence[Edit]) -> bool:
    return any(one.span.end > other.span.start for one, other in pairwise(edits))
