"""Code in a model's answer: where it ends, whether it can be used, and how it fits into a file."""

from __future__ import annotations

import re
from math import gcd

from codegemma_lsp.chat.types import RequestRefused
from codegemma_lsp.prompt import FAMILIES, unmistakable
from codegemma_lsp.text import indentation, line_start

_UNPRINTABLE = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffd]"
_TOKENS = {text for family in FAMILIES for text in unmistakable(family)}
_CONTROL = "|".join([*sorted(re.escape(text) for text in _TOKENS), r"<\|[a-z_]{2,30}\|>"])
NO_TEXT = re.compile(f"{_UNPRINTABLE}|{_CONTROL}")
"""What has no place in a file: control characters, those that end a line for some or turn the direction of others, and
models' own control tokens."""
_FENCES = re.compile(r"^[ \t]{0,3}(`{3,})", re.MULTILINE)
_LONE_CR = re.compile(r"\r(?!\n)")
_AGAIN = "ask again, or say more exactly what you want"


def fence_for(*texts: str) -> str:
    """A Markdown fence that none of the texts can close."""
    longest = max((len(run) for text in texts for run in re.findall(r"`+", text)), default=0)
    return "`" * max(3, longest + 1)


def fenced(text: str, language: str = "") -> str:
    """A text as a Markdown code block."""
    fence = fence_for(text)
    return f"{fence}{language}\n{text}\n{fence}"


def code_so_far(answer: str, fence: str) -> tuple[str, bool]:
    """The code in an answer that was begun with an opening fence, and whether the closing one is there. A line that may
    yet become the closing fence is left out."""
    text = answer.replace("\r\n", "\n").replace("\r", "\n")
    # Asked after each token: most have no fence, which is told sooner.
    closing = re.search(rf"^[ \t]{{0,3}}{fence}`*[ \t]*$", text, re.MULTILINE) if fence in text else None
    if closing is not None and (closing.end() < len(text) or text.endswith("`")):
        return text[: closing.start()].removesuffix("\n"), True
    last = text.rfind("\n") + 1
    return (text[:last].removesuffix("\n") if _may_close(text[last:]) else text), False


def _may_close(line: str) -> bool:
    return bool(re.fullmatch(r"[ \t]{0,3}`*[ \t]*", line))


def finished_code(answer: str, fence: str, *, complete: bool, given: str) -> str:
    """The code of a whole answer, LF-only. ``complete``: the model ended by itself; ``given`` is what it was asked to
    rewrite. Raises ``RequestRefused`` where it is not fit to be put into a file."""
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
    """The line end of a text, LF where it has none; raises ``RequestRefused`` where a lone CR is one."""
    if _LONE_CR.search(text):
        raise RequestRefused(
            "This file has lone carriage returns as line ends, which cannot be edited safely; convert them."
        )
    return "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"


def dedented(text: str) -> tuple[str, str]:
    """A text, LF-only, without its first filled line's indentation, and that. Lines with less stay as they are: mostly
    they are parts of strings."""
    lines = text.split("\n")
    common = next((indentation(line) for line in lines if line.strip()), "")
    return "\n".join(line.removeprefix(common) if line.strip() else line for line in lines), common


def fitted(code: str, given: str, unit: str, depth: str = "") -> str:
    """Code at the depth of ``given``, which it is to replace, and indented by the file's own ``unit``: a tab, or some
    blanks. ``depth`` is that of a blank ``given``."""
    code, _ = dedented(code)
    body, common = dedented(given)
    common = common if given.strip() else depth
    known = {line for line in body.split("\n") if indentation(line)}
    flush = {line for line in given.split("\n") if line.strip() and not line.startswith(common)}
    lines = code.split("\n")
    if not any(line in known for line in lines):
        lines = _by_unit(lines, unit)
    return "\n".join(line if line in flush else common + line if line.strip() else "" for line in lines)


def depth_at(text: str, offset: int) -> str:
    """The indentation that an empty line calls for: its own, else the longer of those around it."""
    start = line_start(text, offset)
    if own := indentation(text[start : start + 1000].split("\n", 1)[0]):
        return own
    above = next((line for line in reversed(text[max(0, start - 4000) : start].split("\n")) if line.strip()), "")
    below = next((line for line in text[offset : offset + 4000].split("\n") if line.strip()), "")
    return max(indentation(above), indentation(below), key=len)


def _by_unit(lines: list[str], unit: str) -> list[str]:
    """Lines whose indentation is counted in levels, written anew with ``unit``; as they are where it is uneven."""
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
    """A tab or the blanks by which a text's lines are indented, "" where none is."""
    indents = [indent for line in text.split("\n") if line.strip() and (indent := indentation(line))]
    if not indents:
        return ""
    if 2 * sum(indent.startswith("\t") for indent in indents) > len(indents):
        return "\t"
    widths = [len(indent) for indent in indents if "\t" not in indent and len(indent) > 1]
    return " " * (min(widths) if gcd(*widths) < 2 else gcd(*widths)) if widths else ""
