"""Code in a model's answer: where it ends, whether it can be used, and how it fits into a file."""

from __future__ import annotations

import re
from math import gcd

from codegemma_lsp.chat.types import RequestRefused
from codegemma_lsp.prompt import FAMILIES, unmistakable
from codegemma_lsp.text import indentation, line_start

LONGEST_PARSED = 200_000
"""The number of code points up to which a file is parsed as a whole, which blocks all other threads. Of a longer file,
only the rewritten lines are parsed."""
_UNPRINTABLE = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffd]"
_TOKENS = {text for family in FAMILIES for text in unmistakable(family)}
_CONTROL = "|".join([*sorted(re.escape(text) for text in _TOKENS), r"<\|[a-z_]{2,30}\|>"])
NO_TEXT = re.compile(f"{_UNPRINTABLE}|{_CONTROL}")
"""Matches what does not belong in a file: control characters, characters that some programs take for line ends or that
change the direction of text, and models' control tokens."""
_FENCES = re.compile(r"^[ \t]{0,3}(`{3,})", re.MULTILINE)
_LONE_CR = re.compile(r"\r(?!\n)")
_CLOSES = re.compile(r"\s*(?:[\])}]|end\b)")
"""Matches a line that ends the block of the line above it."""
_METHOD = re.compile(r"^[ \t]*(?:async[ \t]+)?def[ \t]+\w+[ \t]*\(\s*(?:self|cls)\b", re.MULTILINE)
_AROUND = 4000
"""The number of code points above and below an empty line in which its depth is searched."""
_AGAIN = "ask again, or say more exactly what you want"


def fence_for(*texts: str) -> str:
    """Returns a Markdown fence that none of the texts can close."""
    longest = max((len(run) for text in texts for run in re.findall(r"`+", text)), default=0)
    return "`" * max(3, longest + 1)


def fenced(text: str, language: str = "") -> str:
    """Returns a text as a Markdown code block."""
    fence = fence_for(text)
    return f"{fence}{language}\n{text}\n{fence}"


def continued(begun: str, text: str) -> str:
    """Returns an answer that begins with ``begun`` and continues with ``text``.

    Models that were not trained to continue a begun answer repeat its last lines, or all of it. The repeated part is
    included once.
    """
    starts = [0, *(match.end() for match in re.finditer(r"\n+", begun))]
    said_again = (at for at in starts if begun[at:] and text.startswith(begun[at:]))
    return begun[: next(said_again, len(begun))] + text


def code_so_far(answer: str, fence: str) -> tuple[str, bool]:
    """Returns the code in an answer that begins with an opening fence, and whether the closing fence is there. A line
    that may still become the closing fence is left out."""
    text = answer.replace("\r\n", "\n").replace("\r", "\n")
    # This runs after each token. Most texts have no fence, which a plain search finds faster than the pattern.
    closing = re.search(rf"^[ \t]{{0,3}}{fence}`*[ \t]*$", text, re.MULTILINE) if fence in text else None
    if closing is not None and (closing.end() < len(text) or text.endswith("`")):
        return text[: closing.start()].removesuffix("\n"), True
    last = line_start(text, len(text))
    return (text[:last].removesuffix("\n") if _may_close(text[last:]) else text), False


def _may_close(line: str) -> bool:
    return bool(re.fullmatch(r"[ \t]{0,3}`*[ \t]*", line))


def finished_code(answer: str, fence: str, *, complete: bool, given: str) -> str:
    """Returns the code of a whole answer, with LF line ends.

    ``complete`` means that the model ended the answer by itself. ``given`` is the code that it was asked to rewrite.
    Raises ``RequestRefused`` if the code cannot be put into a file.
    """
    code, closed = code_so_far(answer, fence)
    if not closed and not complete:
        raise RequestRefused("The answer was cut off before its end; select less, or raise chatMaxTokens.")
    lines = code.split("\n")
    if not _FENCES.match(given) and re.fullmatch(r"[ \t]{0,3}`{3,}[\w+#.-]*[ \t]*", lines[0]):
        lines = lines[1:]
    code = _without_empty_ends(lines)
    if not code.strip():
        raise RequestRefused(f"The model answered with no code; {_AGAIN}.")
    if any(match.group() not in given for match in NO_TEXT.finditer(code)):
        raise RequestRefused(f"The model's answer holds control characters or tokens; {_AGAIN}.")
    if len(_FENCES.findall(code)) % 2 != len(_FENCES.findall(given)) % 2:
        raise RequestRefused(f"The model's answer has an unbalanced code fence; {_AGAIN}.")
    return code


def _without_empty_ends(lines: list[str]) -> str:
    filled = [i for i, line in enumerate(lines) if line.strip()]
    return "\n".join(lines[filled[0] : filled[-1] + 1]) if filled else ""


def one_line_end(text: str) -> str:
    """Returns the line end of a text, LF if it has none. Raises ``RequestRefused`` if the text has a lone CR as line
    end."""
    if _LONE_CR.search(text):
        raise RequestRefused(
            "This file has lone carriage returns as line ends, which cannot be edited safely; convert them."
        )
    return "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"


def dedented(text: str) -> tuple[str, str]:
    """Returns a text with LF line ends without its first non-blank line's indentation, and that indentation. Lines with
    less indentation stay as they are, because most of them are parts of strings."""
    lines = text.split("\n")
    common = next((indentation(line) for line in lines if line.strip()), "")
    return "\n".join(line.removeprefix(common) if line.strip() else line for line in lines), common


def fitted(code: str, given: str, unit: str, depth: str = "") -> str:
    """Returns code at the depth of ``given``, which it replaces, indented by the file's own ``unit``: a tab or some
    blanks. ``depth`` is the depth if ``given`` is blank."""
    code, _ = dedented(code)
    body, common = dedented(given)
    common = common if given.strip() else depth
    known = {line for line in body.split("\n") if indentation(line)}
    flush = {line for line in given.split("\n") if line.strip() and not line.startswith(common)}
    lines = code.split("\n")
    if not any(line in known for line in lines):
        lines = _by_unit(lines, unit)
    return "\n".join(line if line in flush else common + line if line.strip() else "" for line in lines)


def depth_at(text: str, offset: int, code: str, *, defines: bool) -> str:
    """Returns the indentation at which code belongs on an empty line.

    This is the line's own indentation if it has one. Otherwise it is the longer one of the lines around it. If the code
    ``defines`` a function or a class, it is the shorter one, so that the definition does not go into the one above. A
    method, which is recognised by its first parameter, takes the indentation of the method above it.
    """
    start = line_start(text, offset)
    if own := indentation(text[start : start + 1000].split("\n", 1)[0]):
        return own
    lines_above = [line for line in text[max(0, start - _AROUND) : start].split("\n") if line.strip()]
    above = indentation(lines_above[-1]) if lines_above else ""
    below = next((line for line in text[offset : offset + _AROUND].split("\n") if line.strip()), "")
    if not defines or _CLOSES.match(below):
        return max(above, indentation(below), key=len)
    if _METHOD.search(code):
        method = next((line for line in reversed(lines_above) if _METHOD.match(line)), "")
        return indentation(method)
    return min(above, indentation(below), key=len)


def _by_unit(lines: list[str], unit: str) -> list[str]:
    """Returns lines with their levels indented by ``unit``, or unchanged if their indentation is uneven."""
    theirs = indent_unit("\n".join(lines))
    if theirs in ("", unit):
        return lines
    found = []
    for line in lines:
        indent = indentation(line)
        levels, rest = divmod(len(indent), len(theirs))
        if rest or indent != theirs * levels:
            return lines
        found.append(unit * levels + line[len(indent) :])
    return found


def indent_unit(text: str) -> str:
    """Returns the tab or the blanks by which a text's lines are indented, or "" if none is indented."""
    indents = [indent for line in text.split("\n") if line.strip() and (indent := indentation(line))]
    if not indents:
        return ""
    if 2 * sum(indent.startswith("\t") for indent in indents) > len(indents):
        return "\t"
    widths = [len(indent) for indent in indents if "\t" not in indent and len(indent) > 1]
    return " " * (min(widths) if gcd(*widths) < 2 else gcd(*widths)) if widths else ""
