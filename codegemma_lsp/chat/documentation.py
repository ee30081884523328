"""Documents a function or a class. The model writes the text, and this module applies the language's convention."""

from __future__ import annotations

import asyncio
import re
import textwrap

from codegemma_lsp.chat.code import NO_TEXT, fenced
from codegemma_lsp.chat.edit import EditContext, check_still, definition_of, edit_context, inserted
from codegemma_lsp.chat.generate import generated
from codegemma_lsp.chat.types import ChatContext, Proposal, RequestRefused, Target
from codegemma_lsp.document import Edit, Span
from codegemma_lsp.engines.protocol import Finish
from codegemma_lsp.prompt import Message, Role
from codegemma_lsp.syntax import Definition, DocumentationStyle
from codegemma_lsp.text import indentation, line_start

_WIDTH, _NARROWEST = 88, 40
_MOST_TOKENS = 256
_MARKERS = re.compile(r"^[ \t]*(?:\"\"\"|'''|/\*\*?|\*/|\*(?!\*)|///?|--+|#+)[ \t]?|[ \t]*(?:\"\"\"|'''|\*/)[ \t]*$")


_OPENING = re.compile(
    r"^(?:The|This)\s+(?:`[^`\n]+`\s+|\w+\s+)?(?:function|method|class|constructor|coroutine|generator)\s+"
    r"(?:(?:named|called)\s+`?\w+`?\s+)?(?:that\s+|which\s+)?"
    r"(?:is\s+(?:used|designed|intended|responsible)\s+(?:to|for)\s+)?",
)
"""Matches the words with which models begin a sentence that does not need them, such as "The `area` function" or "This
class is used to"."""
_ERROR = re.compile(r"\b[A-Z]\w*(?:Error|Exception)\b")
_EMPTY_SECTION = re.compile(r"^[ \t]*(?:Raises|Throws|Errors):[ \t]*\n(?=\s*(?:\n|\Z)|\S)", re.MULTILINE)
_SENTENCE_ENDS = re.compile(r"(?<=[.!?]) +(?=[A-Z`])")


async def document(chat: ChatContext, target: Target) -> Proposal:
    """Returns documentation for the definition around a selection, in place of the existing documentation. Raises
    ``RequestRefused``, and what ``Engine.generate`` raises."""
    context = await asyncio.to_thread(edit_context, target)
    style = context.syntax.language.documentation if context.syntax.language is not None else None
    if style is None:
        raise RequestRefused("In this language there is no convention for documentation; use edit instead.")
    found = definition_of(context)
    if style.in_body and found.body is None:
        raise RequestRefused("This function has no body that could hold a docstring; write one.")
    question = _question(context, found, target.path)
    generation = await generated(
        chat, [Message(Role.USER, question)], until=lambda _: not target.still(), max_tokens=_MOST_TOKENS
    )
    check_still(target)
    text = prose(generation.text)
    if generation.finish is Finish.LENGTH:
        text = text[: text.rfind(".") + 1]
    text = to_the_point(text, context.syntax.text[found.span.start : found.span.end])
    if not text:
        raise RequestRefused("The model had nothing to say about this; ask again.")
    edit = _placed(context, found, style, text)
    return inserted(target, context, edit, f"Document {found.name}".strip())


def prose(answer: str) -> str:
    """Returns the text of an answer without code, comment markers and control characters. Its lines end with LF."""
    lines: list[str] = []
    fenced = False
    for line in re.split(r"\r\n|[\n\r\x85\u2028\u2029]", answer):
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        if not fenced:
            while (printable := NO_TEXT.sub("", line)) != line:
                line = printable
            while (bare := _MARKERS.sub("", line, count=1)) != line:
                line = bare
            lines.append(line.rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def to_the_point(text: str, code: str) -> str:
    """Returns documentation without an opening that repeats what is being documented, and without sentences that name
    an error which the code does not name."""
    text = _OPENING.sub("", text, count=1)
    text = "\n".join(_without_foreign_errors(line, code) for line in text.split("\n")) + "\n"
    text = re.sub(r"\n{3,}", "\n\n", _EMPTY_SECTION.sub("", text)).strip()
    return text[:1].upper() + text[1:]


def _without_foreign_errors(line: str, code: str) -> str:
    sentences = _SENTENCE_ENDS.split(line)
    return " ".join(one for one in sentences if all(name in code for name in _ERROR.findall(one)))


def _placed(context: EditContext, found: Definition, style: DocumentationStyle, text: str) -> Edit:
    source = context.syntax.text
    if style.in_body:
        assert found.body is not None
        return _docstring(source, found, found.body, text)
    at = found.documentation.start if found.documentation is not None else found.head
    indent = indentation(source[line_start(source, at) :])
    comment = _comment(style, _wrapped(text, indent + style.line), indent)
    if found.documentation is not None:
        return Edit(found.documentation, comment.removeprefix(indent))
    return Edit(Span(at, at), f"{comment.removeprefix(indent)}\n{indent}")


def _comment(style: DocumentationStyle, lines: list[str], indent: str) -> str:
    safe = [line.replace("*/", "* /") for line in lines]
    body = [f"{style.line}{line}".rstrip() for line in safe]
    return "\n".join(indent + line for line in (style.first, *body, style.last) if line)


def _docstring(source: str, found: Definition, body: Span, text: str) -> Edit:
    own = indentation(source[line_start(source, found.span.start) :])
    line = source[line_start(source, body.start) : body.start]
    indent = own + "    " if line.strip() else line
    safe = text.replace('"""', "'''")
    raw = "r" if "\\" in safe else ""
    safe = safe.rstrip("\\")
    safe += " " if safe.endswith('"') else ""
    lines = _wrapped(safe, indent + '"""')
    ending = '"""' if len(lines) == 1 else f'\n{indent}"""'
    quoted = f'{raw}"""' + "\n".join([lines[0], *(indent + x if x else "" for x in lines[1:])]) + ending
    if found.documentation is not None:
        return Edit(found.documentation, quoted)
    if not line.strip():
        return Edit(Span(body.start, body.start), f"{quoted}\n{indent}")
    start = body.start - (len(line) - len(line.rstrip()))
    return Edit(Span(start, body.start), f"\n{indent}{quoted}\n{indent}")


def _wrapped(text: str, before: str) -> list[str]:
    """Returns lines of at most the usual width, including the text before them. The text's own line breaks stay."""
    width = max(_NARROWEST, _WIDTH - len(before.expandtabs(4)))
    return [
        wrapped
        for line in text.split("\n")
        for wrapped in textwrap.wrap(
            line, width, subsequent_indent=indentation(line), break_long_words=False, break_on_hyphens=False
        )
        or [""]
    ]


def _question(context: EditContext, found: Definition, path: str) -> str:
    what = "class" if found.is_class else "function"
    code = context.syntax.text[found.span.start : found.span.end]
    return (
        f"This is the {what} `{found.name}` in `{path}`:\n\n{fenced(code, context.syntax.language_name)}\n\n"
        f"Write its documentation. Begin with a verb, such as Return, Add or Check, and not with the {what}'s name: one"
        " sentence that says what it does, and where it helps a few more on its parameters and what it returns. Name"
        " an error only if this code raises it itself.\n\n"
        "Answer with that text only: no code, no comment signs, no heading."
    )
