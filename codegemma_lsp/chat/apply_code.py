"""Puts a block of code from an answer into a file: what it defines takes the place of what the file defines under the
same name. No model is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codegemma_lsp.chat.code import LONGEST_PARSED, dedented, fitted, indent_unit
from codegemma_lsp.chat.diff import minimal_edits
from codegemma_lsp.chat.edit import EditContext, check_edits, edit_context, in_document, proposal
from codegemma_lsp.chat.imports import imports_apart
from codegemma_lsp.chat.types import Proposal, RequestRefused, Target
from codegemma_lsp.document import Document, Edit, Span
from codegemma_lsp.syntax import Statement, Syntax, defined_names, named, parse, statements
from codegemma_lsp.text import line_start

LABEL = "Apply code"
_LEFT_OUT = re.compile(r"^[ \t]*(?:#|//|/\*|--)[ \t]*(?:\.\.\.|…).*$", re.MULTILINE)
"""Matches a comment with which a model says that code stays as it is."""


@dataclass(frozen=True, slots=True)
class _Placed:
    """Code, and the span of whole lines of the file's text that it replaces."""

    region: Span
    text: str


def apply_code(target: Target, code: str) -> Proposal:
    """Returns a proposal that puts code into a document.

    Functions and classes replace those of the same name, new ones follow the last of these, and imports go to the
    others. If that is not clear, or the file has none of the names, the code replaces the selection, or goes to the
    empty line at the cursor.
    Raises ``RequestRefused`` if the place is not clear, or if the code would break the file's syntax.
    """
    context = edit_context(target)
    code, _ = dedented(code.replace("\r\n", "\n").strip("\n"))
    if (gap := _LEFT_OUT.search(code)) is not None:
        raise RequestRefused(f"The code leaves something out ({gap[0].strip()}), so it cannot be applied as it is.")
    syntax = context.syntax
    rest = imports_apart(syntax.text, code, syntax.language_name)[1]
    parts = statements(parse(rest, syntax.language_name, most=LONGEST_PARSED))
    known = [one.defines for one in parts if _known(syntax, one) is not None]
    if not known:
        return _at_the_cursor(target, context, code)
    if unclear := _unclear(syntax, rest, parts, known):
        if len(context.selection):
            return proposal(target, context, code, LABEL)
        raise RequestRefused(unclear)
    placed = list(_placed(syntax, rest, parts))
    imports, _ = imports_apart(syntax.text, code, syntax.language_name)
    return _proposed(target.document, context, placed, imports)


def _unclear(syntax: Syntax, code: str, parts: Sequence[Statement], known: Sequence[str]) -> str:
    """Returns a sentence on why the places of a code are not clear from its names, or "" if they are."""
    there = defined_names(syntax, Span(0, len(syntax.text)))
    if several := next((name for name in known if there.count(name) > 1), None):
        return f"The file defines {several} more than once; select the one that the code replaces."
    if loose := next((one for one in parts if not one.is_definition and not one.is_import), None):
        line = code[loose.span.start : loose.span.end].split("\n")[0]
        return f"It is not clear where {line.strip()!r} belongs; select what the code replaces."
    return ""


def _at_the_cursor(target: Target, context: EditContext, code: str) -> Proposal:
    if not len(context.selection) and context.given.strip():
        raise RequestRefused("The file has nothing of these names; select what the code replaces, or an empty line.")
    return proposal(target, context, code, LABEL)


def _placed(syntax: Syntax, code: str, parts: Sequence[Statement]) -> Iterator[_Placed]:
    """Yields the definitions of a code, each with its place. New ones come after the known one above them, or before
    the first."""
    unit = indent_unit(syntax.text) or "    "
    first = next(_lines(syntax.text, span) for one in parts if (span := _known(syntax, one)) is not None)
    after: Span | None = None
    for one in parts:
        text = code[one.span.start : one.span.end]
        span = _known(syntax, one)
        if span is not None:
            _check_whole(syntax, span, text)
            after = _lines(syntax.text, span)
            yield _Placed(after, fitted(text, syntax.text[after.start : after.end], unit))
        elif after is not None:
            new = fitted(text, syntax.text[after.start : after.end], unit)
            yield _Placed(Span(after.end, after.end), _gap(syntax, after) + new)
        else:
            new = fitted(text, syntax.text[first.start : first.end], unit)
            yield _Placed(Span(first.start, first.start), new + _gap(syntax, first))


def _known(syntax: Syntax, part: Statement) -> Span | None:
    return named(syntax, part.defines) if part.defines else None


def _check_whole(syntax: Syntax, span: Span, text: str) -> None:
    """Raises ``RequestRefused`` if a definition of the file has parts that the new one lacks."""
    new = parse(text, syntax.language_name, most=LONGEST_PARSED)
    there = defined_names(new, Span(0, len(text)))
    missing = [name for name in defined_names(syntax, span) if name not in there]
    if missing:
        shown = ", ".join(missing[:3])
        raise RequestRefused(f"The code leaves out {shown}; ask for all of it, or for a function alone.")


def _lines(text: str, span: Span) -> Span:
    """Returns the whole lines of a span, without the last line end."""
    end = text.find("\n", span.end)
    return Span(line_start(text, span.start), len(text) if end < 0 else end)


def _gap(syntax: Syntax, region: Span) -> str:
    """Returns the line ends between a definition and the next one, which are those above it."""
    above = syntax.text[: region.start]
    blank = len(above) - len(above.rstrip("\n"))
    return "\n" * min(3, max(2, blank))


def _proposed(document: Document, context: EditContext, placed: Sequence[_Placed], imports: Edit) -> Proposal:
    edits = sorted([Edit(one.region, one.text) for one in placed], key=lambda edit: edit.span.start)
    adds = [imports] if imports.text else []
    check_edits(context.syntax, sorted([*edits, *adds], key=lambda edit: edit.span.start))
    found: list[Edit] = []
    for edit in edits:
        if not len(edit.span):
            found.append(in_document(edit, document, context.newline))
            continue
        region = in_document(Edit(edit.span, ""), document, context.newline).span
        found += minimal_edits(document.text, region, edit.text, context.newline)
    added = in_document(imports, document, context.newline) if adds else None
    everything = tuple(sorted([*found, *([added] if added is not None else [])], key=lambda edit: edit.span.start))
    if not everything:
        raise RequestRefused("The file has this code already.")
    region = Span(everything[0].span.start, everything[-1].span.end)
    return Proposal(
        document=document,
        region=region,
        text=_after(document.text, region, everything),
        edits=everything,
        label=LABEL,
        imports=added,
    )


def _after(text: str, region: Span, edits: Sequence[Edit]) -> str:
    """Returns what a region reads after edits within it."""
    parts, at = [], region.start
    for edit in edits:
        parts += [text[at : edit.span.start], edit.text]
        at = edit.span.end
    return "".join([*parts, text[at : region.end]])
