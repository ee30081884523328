"""Edits by instruction: the model rewrites a region that the syntax determines, and its code becomes small edits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from codegemma_lsp.chat.code import (
    LONGEST_PARSED,
    code_so_far,
    continued,
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
from codegemma_lsp.chat.generate import Reveal, generated
from codegemma_lsp.chat.missing_imports import missing_imports
from codegemma_lsp.chat.types import ChatContext, Proposal, RequestRefused, Target
from codegemma_lsp.document import Document, Edit, Span
from codegemma_lsp.engines.protocol import Finish
from codegemma_lsp.prompt import LONGEST_PIECE, Message, Role
from codegemma_lsp.syntax import (
    Definition,
    Syntax,
    definition_at,
    language_name,
    parse,
    region_at,
    statements,
)
from codegemma_lsp.text import line_start

ANSWER_WITH_CODE = "Answer with the whole rewritten code in one code block, and nothing else."
_SPARE_TOKENS = 256
"""The number of tokens by which an answer may exceed twice its region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditContext:
    """A selection and its region, as offsets in a document with LF line ends, and the syntax of that text."""

    syntax: Syntax
    selection: Span
    region: Span
    newline: str

    @property
    def given(self) -> str:
        return self.syntax.text[self.region.start : self.region.end]

    @property
    def around(self) -> Definition | None:
        """The definition around the region, or None if it is not longer than the region."""
        found = definition_at(self.syntax, self.region)
        is_longer = found is not None and len(found.span) > len(self.region) and found.span.start <= self.region.end
        return found if is_longer else None

    def shown(self, span: Span) -> str:
        """Returns a part of the text as a code block without its indentation."""
        start = line_start(self.syntax.text, span.start)
        start = start if not self.syntax.text[start : span.start].strip() else span.start
        return fenced(dedented(self.syntax.text[start : span.end])[0], self.syntax.language_name)


Ask: TypeAlias = Callable[[Target, EditContext], str]
"""Returns the question about a region of a target."""


async def rewrite(chat: ChatContext, target: Target, ask: Ask, label: str) -> Proposal:
    """Returns the model's rewrite of the region around a selection. ``chat.on_delta`` receives the code while it is
    generated.

    Raises ``RequestRefused`` if there is nothing to offer, and what ``Engine.generate`` raises.
    """
    most = chat.settings.chat_max_tokens
    context = await asyncio.to_thread(edit_context, target)
    given, _ = dedented(context.given)
    # The longest pieces are runs of blanks. A longer text need not be counted.
    size = len(given) // 4
    if len(given) <= LONGEST_PIECE * most:
        size = len(await asyncio.to_thread(chat.engine.tokenizer.encode, given))
    if size > most:
        raise RequestRefused(
            f"What is to be rewritten has {size} tokens, more than an answer may have; select less, or raise"
            f" chatMaxTokens ({most})."
        )
    code = await written(
        chat,
        target,
        ask(target, context),
        given,
        CodeForm(language=context.syntax.language_name, max_tokens=2 * size + _SPARE_TOKENS),
    )
    return await asyncio.to_thread(proposal, target, context, code, label)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeForm:
    """The code to be generated: its language, its maximum number of tokens (0 for the setting's), and how it begins.

    ``whole_part`` returns what may be kept of code that was cut off, or "" if nothing may be kept.
    """

    language: str
    max_tokens: int = 0
    begun: str = ""
    whole_part: Callable[[str], str] = lambda _: ""


async def written(chat: ChatContext, target: Target, question: str, given: str, form: CodeForm) -> str:
    """Returns the code block, with LF as line ends, that answers a question about the code ``given``. Raises what
    ``rewrite`` raises."""
    fence, begun = fence_for(given), form.begun
    generation = await generated(
        chat,
        [Message(Role.USER, question)],
        begun=f"{fence}{form.language}\n{begun}",
        until=lambda text: not target.still() or code_so_far(continued(begun, text), fence)[1],
        shown=lambda text: code_so_far(continued(begun, text), fence)[0],
        max_tokens=form.max_tokens,
        reveal=Reveal.EXACTLY,
    )
    check_still(target)
    answer = continued(begun, generation.text)
    if generation.finish is Finish.LENGTH and (part := form.whole_part(code_so_far(answer, fence)[0])):
        return finished_code(part, fence, complete=True, given=given)
    complete = generation.finish in (Finish.STOP_TOKEN, Finish.ON_TEXT)
    return finished_code(answer, fence, complete=complete, given=given)


def edit_context(target: Target) -> EditContext:
    """Returns where a selection is in the text with LF line ends. Raises ``RequestRefused``."""
    document = target.document
    newline = one_line_end(document.text)
    selection = Span(_viewed(document, target.selection.start), _viewed(document, target.selection.end))
    text = document.text.replace("\r\n", "\n")
    syntax = parse(text, language_name(document.language, target.path), most=LONGEST_PARSED)
    return EditContext(syntax=syntax, selection=selection, region=region_at(syntax, selection), newline=newline)


def definition_of(context: EditContext) -> Definition:
    """Returns the function or class around a selection. Raises ``RequestRefused`` if there is none."""
    found = definition_at(context.syntax, context.selection)
    if found is None:
        raise RequestRefused("There is no function or class here; place the cursor in one.")
    return found


def proposal(target: Target, context: EditContext, code: str, label: str) -> Proposal:
    """Returns a proposal that replaces the region by code, which has LF line ends and any indentation. Raises
    ``RequestRefused`` if that would change nothing or break the file's syntax."""
    unit = indent_unit(context.given) or indent_unit(context.syntax.text) or "    "
    new = fitted(code, context.given, unit, _depth(context, code))
    check_syntax(context.syntax, context.region, new)
    new, imports = _with_imports(target, context, new)
    document = target.document
    region = Span(original_offset(document, context.region.start), original_offset(document, context.region.end))
    edits = minimal_edits(document.text, region, new, context.newline)
    if not edits:
        raise RequestRefused("The model suggests no change.")
    text = apply(document.text, edits)
    end = region.end + len(text) - len(document.text)
    return Proposal(
        document=document,
        region=region,
        text=text[region.start : end],
        edits=(imports, *edits) if imports is not None else edits,
        label=label,
        imports=imports,
    )


def _with_imports(target: Target, context: EditContext, new: str) -> tuple[str, Edit | None]:
    """Returns the region's new text, and the edit of the document above it, that add the imports which the text
    needs."""
    syntax, region = context.syntax, context.region
    if syntax.language_name != "python" or syntax.tree is None:
        return new, None
    added = missing_imports(syntax.text, f"{syntax.text[: region.start]}{new}{syntax.text[region.end :]}")
    if added is None:
        return new, None
    at = added.span.start - region.start
    if at > len(new):  # at the start of the line below the region
        return f"{new}\n{added.text.rstrip()}", None
    if at > 0 or (at == 0 and not context.given.strip()):
        return new[:at] + added.text + new[at:], None
    offset = original_offset(target.document, added.span.start)
    return new, Edit(Span(offset, offset), added.text.replace("\n", context.newline))


def _depth(context: EditContext, code: str) -> str:
    """Returns the indentation of code that replaces a blank region, or "" if the region is not blank."""
    if context.given.strip():
        return ""
    first = next(iter(statements(parse(dedented(code)[0], context.syntax.language_name, most=LONGEST_PARSED))), None)
    defines = first is not None and first.is_definition
    return depth_at(context.syntax.text, context.region.start, code, defines=defines)


def inserted(target: Target, context: EditContext, edit: Edit, label: str) -> Proposal:
    """Returns a proposal of one edit, whose offsets are in the text with LF line ends. Raises ``RequestRefused`` if it
    would break the file's syntax."""
    check_syntax(context.syntax, edit.span, edit.text)
    document = target.document
    span = Span(original_offset(document, edit.span.start), original_offset(document, edit.span.end))
    text = edit.text.replace("\n", context.newline)
    if document.text[span.start : span.end] == text:
        raise RequestRefused("The model suggests no change.")
    return Proposal(document=document, region=span, text=text, edits=(Edit(span, text),), label=label)


def check_syntax(syntax: Syntax, span: Span, new: str) -> None:
    """Raises ``RequestRefused`` if replacing ``span`` by ``new`` adds syntax faults."""
    name = syntax.language_name
    before, after = syntax, f"{syntax.text[: span.start]}{new}{syntax.text[span.end :]}"
    if syntax.tree is None:
        before, after = parse(syntax.text[span.start : span.end], name, most=LONGEST_PARSED), new
    _check_no_worse(before, after)


def check_edits(syntax: Syntax, edits: Sequence[Edit]) -> None:
    """Raises ``RequestRefused`` if disjoint edits in ascending order add syntax faults."""
    _check_no_worse(syntax, apply(syntax.text, tuple(edits)))


def _check_no_worse(before: Syntax, after: str) -> None:
    if not parse(after, before.language_name, before, LONGEST_PARSED).no_worse_than(before):
        raise RequestRefused("What the model wrote would break the file's syntax, so it is not offered; ask again.")


def check_still(target: Target) -> None:
    if not target.still():
        raise RequestRefused("The document changed while the edit was written; ask again.", stale=True)


def _viewed(document: Document, offset: int) -> int:
    return offset - document.text.count("\r\n", 0, offset)


def original_offset(document: Document, offset: int) -> int:
    """Returns the document's offset for an offset in its text with LF line ends. Each CR LF adds one code point."""
    if "\r\n" not in document.text:
        return offset
    at = passed = 0
    while (found := document.text.find("\r\n", at)) >= 0 and found - passed < offset:
        at, passed = found + 2, passed + 1
    return offset + passed


def in_document(edit: Edit, document: Document, newline: str) -> Edit:
    """Returns an edit of the text with LF line ends as one of the document."""
    span = Span(original_offset(document, edit.span.start), original_offset(document, edit.span.end))
    return Edit(span, edit.text.replace("\n", newline))
