"""Corrects the blanks around a suggestion, and its indentation to the file's own unit."""

from __future__ import annotations

import re

from codegemma_lsp.completion.postprocess.closing_brackets import only_closers
from codegemma_lsp.completion.postprocess.insertion_point import InsertionPoint
from codegemma_lsp.syntax import CursorKind
from codegemma_lsp.text import indentation

_STRING_OVER_LINES = re.compile(r"\"\"\"|'''|`")


def from_the_cursors_column(text: str, point: InsertionPoint) -> str:
    """Returns the text without indentation that repeats the cursor's column, or the indentation of the lines around the
    cursor if it is at the start of its line. A block that was just opened may be deeper."""
    before = point.before
    deeper = point.scope.opened and len(before) <= point.scope.opener_indent
    indent = indentation(text)
    if not before and point.indent_around and set(indent).isdisjoint(point.indent_around):
        return text  # tabs and spaces cannot be compared until ``indented_as_the_file`` has unified them
    extra = indent[len(point.indent_around) :] if not before else indent
    if before.strip() or not extra or deeper or point.scope.kind is not CursorKind.STATEMENT:
        return text
    kept = indent[: len(indent) - len(extra)]
    lines = text[len(indent) :].split("\n")
    column = before + kept
    return "\n".join([kept + lines[0], *(line.replace(column + extra, column, 1) for line in lines[1:])])


def edges(text: str, point: InsertionPoint) -> str:
    """Returns the text without blanks at its end, unless they separate two words, and without a first blank if the line
    already ends in one."""
    if not point.rest or point.rest[0].isspace() or only_closers(point.rest):
        text = text.rstrip()
    if point.before.strip() and point.before[-1:].isspace():
        return text.lstrip(" \t")
    return text


def indented_as_the_file(text: str, point: InsertionPoint) -> str:
    """Returns the text with tabs if the file uses tabs and with spaces otherwise. A remainder smaller than one level,
    as before the ``*`` of a comment, stays. A text with strings over several lines stays as it is."""
    tabs = point.indents_with_tabs
    if tabs is None or _STRING_OVER_LINES.search(text):
        return text
    lines = text.split("\n")
    start = 0 if not point.before.strip() else 1
    spaces = [len(line) - len(line.lstrip(" ")) for line in lines[start:] if line.strip()]
    width = 4 if all(n % 4 < 2 for n in spaces) else 2
    for i in range(start, len(lines)):
        indent = indentation(lines[i])
        body = lines[i][len(indent) :]
        if tabs and indent.strip(" ") == "":
            indent = "\t" * (len(indent) // width) + " " * (len(indent) % width)
        elif not tabs and indent.strip("\t") == "":
            indent = " " * (point.indent_width * len(indent))
        lines[i] = indent + body if body else ""
    return "\n".join(lines)
