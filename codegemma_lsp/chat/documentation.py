"""Documentation of a function or a class: the model writes the text, the language's convention is ours."""

from __future__ import annotations

import asyncio
import re
import textwrap
from dataclasses import dataclass

from codegemma_lsp.chat.code import NO_TEXT, fenced
from codegemma_lsp.chat.edit import EditContext, check_still, definition_of, edit_context, inserted
from codegemma_lsp.chat.generate import generated
from codegemma_lsp.chat.types import OnDelta, Proposal, RequestRefused, Target
from codegemma_lsp.document import Edit, Span
from codegemma_lsp.engines.protocol import Engine, Finish
from codegemma_lsp.prompt import Message, Role
from codegemma_lsp.settings import Settings
from codegemma_lsp.syntax import Definition
from codegemma_lsp.text import indentation, line_start

_WIDTH, _NARROWEST = 88, 40
_MOST_TOKENS = 256
_MARKERS = re.compile(r"^[ \t]*(?:\"\"\"|'''|/\*\*?|\*/|\*(?!\*)|///?|--+|#+)[ \t]?|[ \t]*(?:\"\"\"|'''|\*/)[ \t]*$")


@dataclass(frozen=True, slots=True)
class Style:
    """How a language writes documentation: ``first``, then ``line`` before each line of text, then ``last``."""

    line: str
    first: str = ""
    last: str = ""


_STARS = Style(" * ", "/**", " */")
_STYLES = {
    "python": Style("", '"""', '"""'),
    **dict.fromkeys(("javascript", "typescript", "typescriptreact", "java", "kotlin", "c", "cpp", "php"), _STARS),
    "csharp": Style("/// ", "/// <summary>", "/// </summary>"),
    "rust": Style("/// "),
    "go": Style("// "),
    "ruby": Style("# "),
    "shellscript": Style("# "),
    "lua": Style("--- "),
}


async def document(target: Target, engine: Engine, settings: Settings, on_delta: OnDelta) -> Proposal:
    """Documentation for the definition around a selection, in the place of what there is of it.
    Raises ``RequestRefused``, and what ``Engine.generate`` raises."""
    context = await asyncio.to_thread(edit_context, target)
    language = context.syntax.language_name
    style = _STYLES.get(language)
    if style is None:
        raise RequestRefused("In this language there is no convention for documentation; use edit instead.")
    found = definition_of(context)
    if language == "python" and found.body is None:
        raise RequestRefused("This function has no body that could hold a docstring; write one.")
    question = _question(context, found, target.path)
    generation = await generated(
        [Message(Role.USER, question)],
        engine,
        settings,
        on_delta,
        until=lambda _: not target.still(),
        max_tokens=_MOST_TOKENS,
    )
    check_still(target)
    text = prose(generation.text)
    if generation.finish is Finish.LENGTH:
        text = text[: text.rfind(".") + 1]
    if not text:
        raise RequestRefused("The model had nothing to say about this; ask again.")
    edit = _placed(context, found, language, style, text)
    return inserted(target, context, edit, f"Document {found.name}".strip())


def prose(answer: str) -> str:
    """The text of an answer without code, comment markers and anything that is no text; lines end with LF."""
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


def _placed(context: EditContext, found: Definition, language: str, style: Style, text: str) -> Edit:
    source = context.syntax.text
    if language == "python":
        assert found.body is not None
        return _docstring(source, found, found.body, text)
    at = found.documentation.start if found.documentation is not None else found.head
    indent = indentation(source[line_start(source, at) :])
    comment = _comment(style, _wrapped(text, indent + style.line), indent)
    if found.documentation is not None:
        return Edit(found.documentation, comment.removeprefix(indent))
    return Edit(Span(at, at), f"{comment.removeprefix(indent)}\n{indent}")


def _comment(style: Style, lines: list[str], indent: str) -> str:
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
    """Lines of at most the usual width with what stands before them; the text's own line breaks stay."""
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
        f"Write the documentation of the {what} `{found.name}` in `{path}`: one sentence that says what it does, and"
        " where it helps a few more on its parameters, what it returns and which errors it raises.\n\n"
        f"{fenced(code, context.syntax.language_name)}\n\n"
        "Answer with that text only: no code, no comment signs, no heading."
    )
