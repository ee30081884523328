"""Edits by instruction: the model rewrites a region that the syntax chooses, and what it wrote becomes small edits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from codegemma_lsp.chat.code import (
    code_so_far,
    dedented,
    depth_at,
    fence_for,
    fenced,
    finished_code,
    fitted,
    indent_unit,
    one_line_end,
)
from codegemma_lsp.chat.diff import apply, minimal_edits
from codegemma_lsp.chat.generate import generated
from codegemma_lsp.chat.types import OnDelta, Proposal, RequestRefused, Target
from codegemma_lsp.document import Document, Edit, Span
from codegemma_lsp.engines.protocol import Engine, Finish
from codegemma_lsp.prompt import LONGEST_PIECE, Message, Role
from codegemma_lsp.settings import Settings
from codegemma_lsp.syntax import Definition, Syntax, definition_at, language_name, parse, region_at

LONGEST_PARSED = 200_000
"""Code points of a file that is parsed whole, which keeps every other thread waiting; of a longer one only what is
rewritten is, and that is whole lines."""
_SPARE_TOKENS = 256
"""How much longer than twice its region a rewritten one may become."""


@dataclass(frozen=True, slots=True)
class EditContext:
    """A selection and its region in the view of a document with LF line ends only, and the syntax of that view."""

    syntax: Syntax
    selection: Span
    region: Span
    newline: str

    @property
    def given(self) -> str:
        return self.syntax.text[self.region.start : self.region.end]


async def rewrite(
    target: Target, task: str, label: str, engine: Engine, settings: Settings, on_delta: OnDelta
) -> Proposal:
    """What the model makes of the region around a selection; ``on_delta`` hears the code as it is written. Raises
    ``RequestRefused`` where nothing can be offered, and what ``Engine.generate`` raises."""
    context = await asyncio.to_thread(edit_context, target)
    given, _ = dedented(context.given)
    # The longest pieces are runs of blanks; a text longer than this is not worth counting.
    longest = LONGEST_PIECE * settings.chat_max_tokens
    size = len(engine.tokenizer.encode(given)) if len(given) <= longest else len(given) // 4
    if size > settings.chat_max_tokens:
        raise RequestRefused(
            f"What is to be rewritten has {size} tokens, more than an answer may have; select less, or raise"
            f" chatMaxTokens ({settings.chat_max_tokens})."
        )
    name = context.syntax.language_name
    question = (
        f"{task}\n\nThe code is a part of `{target.path}`:\n\n{fenced(given, name)}\n\n"
        "Answer with the whole rewritten code in one code block, and nothing else."
    )
    code = await written(question, given, name, target, engine, settings, on_delta, 2 * size + _SPARE_TOKENS)
    return await asyncio.to_thread(proposal, target, context, code, label)


async def written(
    question: str,
    given: str,
    language: str,
    target: Target,
    engine: Engine,
    settings: Settings,
    on_delta: OnDelta,
    max_tokens: int = 0,
) -> str:
    """The code block, LF-only, that answers a question about the code ``given``. Raises as ``rewrite``."""
    fence = fence_for(given)
    generation = await generated(
        [Message(Role.USER, question)],
        engine,
        settings,
        on_delta,
        begun=f"{fence}{language}\n",
        until=lambda text: not target.still() or code_so_far(text, fence)[1],
        shown=lambda text: code_so_far(text, fence)[0],
        max_tokens=max_tokens,
    )
    check_still(target)
    complete = generation.finish in (Finish.STOP_TOKEN, Finish.ON_TEXT)
    return finished_code(generation.text, fence, complete=complete, given=given)


def edit_context(target: Target) -> EditContext:
    """Where a selection is, in the view with LF line ends. Raises ``RequestRefused``."""
    document = target.document
    newline = one_line_end(document.text)
    selection = Span(_viewed(document, target.selection.start), _viewed(document, target.selection.end))
    text = document.text.replace("\r\n", "\n")
    syntax = parse(text, language_name(document.language, target.path), most=LONGEST_PARSED)
    return EditContext(syntax, selection, region_at(syntax, selection), newline)


def definition_of(context: EditContext) -> Definition:
    """The function or class around a selection. Raises ``RequestRefused`` where there is none."""
    found = definition_at(context.syntax, context.selection)
    if found is None:
        raise RequestRefused("There is no function or class here; place the cursor in one.")
    return found


def proposal(target: Target, context: EditContext, code: str, label: str) -> Proposal:
    """What replaces the region by code, which is LF-only and at any depth. Raises ``RequestRefused`` where
    that would change nothing, or break the file's syntax."""
    unit = indent_unit(context.given) or indent_unit(context.syntax.text) or "    "
    new = fitted(code, context.given, unit, depth_at(context.syntax.text, context.region.start))
    check_syntax(context.syntax, context.region, new)
    document = target.document
    region = Span(_original(document, context.region.start), _original(document, context.region.end))
    edits = minimal_edits(document.text, region, new, context.newline)
    if not edits:
        raise RequestRefused("The model suggests no change.")
    text = apply(document.text, edits)
    end = region.end + len(text) - len(document.text)
    return Proposal(document, region, text[region.start : end], edits, label)


def inserted(target: Target, context: EditContext, edit: Edit, label: str) -> Proposal:
    """A proposal of one edit in the LF-only view. Raises ``RequestRefused`` where it would break the file's syntax."""
    check_syntax(context.syntax, edit.span, edit.text)
    document = target.document
    span = Span(_original(document, edit.span.start), _original(document, edit.span.end))
    text = edit.text.replace("\n", context.newline)
    if document.text[span.start : span.end] == text:
        raise RequestRefused("The model suggests no change.")
    return Proposal(document, span, text, (Edit(span, text),), label)


def check_syntax(syntax: Syntax, span: Span, new: str) -> None:
    """Raises ``RequestRefused`` where ``new`` in the place of ``span`` has more faults than there were."""
    name = syntax.language_name
    before, after = syntax, f"{syntax.text[: span.start]}{new}{syntax.text[span.end :]}"
    if syntax.tree is None:
        before, after = parse(syntax.text[span.start : span.end], name, most=LONGEST_PARSED), new
    if not parse(after, name, before, LONGEST_PARSED).no_worse_than(before):
        raise RequestRefused("What the model wrote would break the file's syntax, so it is not offered; ask again.")


def check_still(target: Target) -> None:
    if not target.still():
        raise RequestRefused("The document changed while the edit was written; ask again.", stale=True)


def _viewed(document: Document, offset: int) -> int:
    return offset - document.text.count("\r\n", 0, offset)


def _original(document: Document, offset: int) -> int:
    """The offset in the document of one in its view: each line's end is one code point longer where it is CR LF."""
    if "\r\n" not in document.text:
        return offset
    at = passed = 0
    while (found := document.text.find("\r\n", at)) >= 0 and found - passed < offset:
        at, passed = found + 2, passed + 1
    return offset + passed
