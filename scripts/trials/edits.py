"""Random changes as clients send them, against a document that is split and measured anew each time."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from lsprotocol import types

from codegemma_lsp.document import Document, Encoding
from codegemma_lsp.server import conversions
from codegemma_lsp.syntax import Syntax, parse
from scripts.trials.sources import Sample, samples
from scripts.trials.trial import Case, Trial, check, shown
from tests.reference_document import reference_lines, reference_offset

_NOTIFICATIONS = 60
_LONG_LINE = 20_000
_LONG_TEXT = 4_000
"""Code points from which trees are compared once in a case only."""
_FEW, _SHARE = 5, 0.001
"""How many trees of texts with errors may be others: a number, and a share of all trees."""
_PIECES = (
    *(
        "\n",
        "\r\n",
        "\r",
        "\n\n",
        "\t",
        "    ",
        " ",
        "",
        "\f",
        "\v",
        "\x85",
        "\u2028",
        "\x00",
        "\ufeff",
        "\ud83d",
        "\udc68",
    ),
    *("a", "x = 1", "def f(a):\n    return a\n", "(", ")", "{", "}", "[", "]", '"', "'", '"""', "#", "//", "/*", "*/"),
    *(
        "é",
        "\u4e2d\u6587",
        "\U0001f600",
        "\U0001f468\u200d\U0001f469",
        "e\u0301",
        "class A:\r\n    b = 1\r\n",
        "if x {",
        ";",
        ":",
    ),
)


@asynccontextmanager
async def _prepared(folder: Path) -> AsyncIterator[Case]:
    trees = _Trees()
    yield lambda chance: _case(chance, trees)
    trees.check_share()


async def _case(chance: random.Random, trees: _Trees) -> int:
    encoding, sample = chance.choice(list(Encoding)), chance.choice(samples())
    document = Document(uri="file:///a", text=conversions.text(_start(chance, sample)), language=sample.language)
    reference = document.text
    syntax = parse(document.text, sample.language)
    checked = 0
    for version in range(1, _NOTIFICATIONS + 1):
        changes = [_change(chance, reference) for _ in range(chance.choice([1, 1, 1, 2, 3]))]
        for change in changes:
            reference = _changed(reference, change, encoding)
        document, made = conversions.changed(document, changes, version, encoding)
        _compare(document, reference, version)
        syntax = parse(document.text, sample.language, syntax)
        if len(reference) < _LONG_TEXT or version == _NOTIFICATIONS:
            trees.compare(syntax, parse(reference, sample.language))
        checked += len(made)
    return checked


def _start(chance: random.Random, sample: Sample) -> str:
    kind = chance.random()
    if kind < 0.05:
        return "x" * _LONG_LINE + "\U0001f600é" * 100
    if kind < 0.2:
        return "".join(chance.choices(_PIECES, k=chance.randint(0, 30)))
    start = chance.randrange(len(sample.text))
    text = sample.text[start : start + chance.randint(0, 1500)]
    return text.replace("\n", chance.choice(["\n", "\n", "\r\n", "\r"]))


def _change(chance: random.Random, text: str) -> types.TextDocumentContentChangeEvent:
    inserted = "".join(chance.choices(_PIECES, k=chance.choice([0, 1, 1, 1, 2, 5])))
    if chance.random() < 0.01:
        return types.TextDocumentContentChangeWholeDocument(text=inserted)
    start = _position(chance, text)
    end = start if chance.random() < 0.5 else _position(chance, text)
    if chance.random() < 0.4:
        end = types.Position(start.line, start.character + chance.randint(0, 4))
    return types.TextDocumentContentChangePartial(range=types.Range(start, end), text=inserted)


def _position(chance: random.Random, text: str) -> types.Position:
    """Most are in the text, some are past the end of a line or of the text, and some within a character."""
    lines = text.count("\n") + text.count("\r")
    line = chance.choice([0, lines, lines + 1, 2**31 - 1]) if chance.random() < 0.1 else chance.randint(0, lines)
    longest = chance.choice([8, 40, 40, 100, 2**31 - 1]) if len(text) < _LONG_LINE else _LONG_LINE
    return types.Position(line, chance.randint(0, longest))


def _changed(text: str, change: types.TextDocumentContentChangeEvent, encoding: Encoding) -> str:
    inserted = "".join("\ufffd" if 0xD800 <= ord(one) <= 0xDFFF else one for one in change.text)
    if isinstance(change, types.TextDocumentContentChangeWholeDocument):
        return inserted
    lines = reference_lines(text)
    places = (change.range.start, change.range.end)
    start, end = sorted(reference_offset(lines, place.line, place.character, encoding) for place in places)
    return text[:start] + inserted + text[end:]


def _compare(document: Document, reference: str, version: int) -> None:
    check(document.text == reference, f"the text is {shown(document.text)} and not {shown(reference)}")
    lines = reference_lines(reference)
    check(document.version == version, f"the version is {document.version} and not {version}")
    starts, at = [], 0
    for line in lines:
        starts.append(at)
        at += len(line)
    check(document.starts.tolist() == starts, f"the lines of {shown(reference)} start at {shown(document.starts)}")


class _Trees:
    """Compares the trees of incremental parses with those of fresh ones.

    Those without errors are the same. Where a text has errors, a grammar may recover from them otherwise after a parse
    of another text. That is rare, and there are errors for both then, unless the text has a replacement character: a
    grammar takes one for a part of a name or for an error, depending on what it was before.
    """

    def __init__(self) -> None:
        self._compared, self._others = 0, 0

    def compare(self, kept: Syntax, fresh: Syntax) -> None:
        check(kept.source == fresh.source, "the parsed text is another one")
        if kept.tree is None or fresh.tree is None:
            return
        self._compared += 1
        if _nodes(kept) != _nodes(fresh):
            self._others += 1
            is_fine = (kept.error_count and fresh.error_count) or "\ufffd" in fresh.text
            check(
                bool(is_fine),
                f"the {kept.language_name} tree of {shown(fresh.text, 2000)} is not that of a fresh parse",
            )

    def check_share(self) -> None:
        most = _FEW + self._compared * _SHARE
        check(
            self._others <= most, f"{self._others} of {self._compared} trees with errors are not those of fresh parses"
        )


def _nodes(syntax: Syntax) -> list[tuple[str, int, int]]:
    assert syntax.tree is not None
    found, cursor = [], syntax.tree.walk()
    while True:
        node = cursor.node
        assert node is not None
        found.append((node.type, node.start_byte, node.end_byte))
        if cursor.goto_first_child() or cursor.goto_next_sibling():
            continue
        while cursor.goto_parent():
            if cursor.goto_next_sibling():
                break
        else:
            return found


TRIAL = Trial(
    name="edits",
    about="changes in three encodings: text, lines, tree as anew",
    unit="edits",
    weight=60,
    prepared=_prepared,
)
