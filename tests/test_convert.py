"""LSP's notifications and ours: a client's and the server's text stay the same, in each encoding."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from codegemma_lsp.document import Document, Encoding, display_path, file_path
from codegemma_lsp.server import conversions
from tests.reference_document import reference_lines
from tests.test_document import encodings, texts


class ReferenceClient:
    """Keeps its text encoded, and edits it by counting units in lines, with no help from the code under test."""

    def __init__(self, text: str, encoding: Encoding) -> None:
        self.text, self.encoding = text, encoding

    def position(self, offset: int) -> types.Position:
        """Of an offset that is not inside ``\\r\\n``."""
        line = 0
        for content in reference_lines(self.text):
            if offset < len(content) or content == "":
                break
            offset -= len(content)
            line += 1
        lines = [*reference_lines(self.text), ""]
        return types.Position(line, len(lines[line][:offset].encode(self.encoding.codec)) // self.encoding.unit_bytes)

    def replace(self, start: int, end: int, text: str) -> types.TextDocumentContentChangePartial:
        range_ = types.Range(self.position(start), self.position(end))
        self.text = self.text[:start] + text + self.text[end:]
        return types.TextDocumentContentChangePartial(range=range_, text=text)


@given(st.data(), texts, encodings)
def test_any_sequence_of_changes_gives_the_clients_text(data: st.DataObject, text: str, encoding: Encoding) -> None:
    client = ReferenceClient(text, encoding)
    document = conversions.opened(types.TextDocumentItem("file:///a", "python", 1, text))
    for version in range(2, 2 + data.draw(st.integers(1, 4))):
        changes: list[types.TextDocumentContentChangeEvent] = []
        for _ in range(data.draw(st.integers(0, 3))):
            if data.draw(st.integers(0, 9)) == 0:
                client.text = data.draw(texts)
                changes.append(types.TextDocumentContentChangeWholeDocument(text=client.text))
                continue
            inside = [i for i in range(len(client.text) + 1) if client.text[max(0, i - 1) : i + 1] != "\r\n" or i == 0]
            start, end = sorted((data.draw(st.sampled_from(inside)), data.draw(st.sampled_from(inside))))
            changes.append(client.replace(start, end, data.draw(texts)))
        before = document
        document, made = conversions.changed(document, changes, version, encoding)
        assert (document.text, document.version) == (client.text, version)
        replayed = before.text
        for change in made:
            assert change.before.text == replayed
            span = change.edit.span
            assert change.removed == replayed[span.start : span.end]
            replayed = replayed[: span.start] + change.edit.text + replayed[span.end :]
            assert change.after.text == replayed
        assert replayed == client.text


@pytest.mark.parametrize(
    ("uri", "folders", "shown"),
    [
        ("file:///work/a/b.py", ["file:///work"], "a/b.py"),
        ("file:///work/a%20b/%C3%A9.py", ["file:///work/a%20b"], "é.py"),
        ("file:///elsewhere/b.py", ["file:///work"], "b.py"),
        ("untitled:Untitled-1", [], "Untitled-1"),
        ("file:///work/b.py", [], "b.py"),
    ],
)
def test_the_path_the_model_sees(uri: str, folders: list[str], shown: str) -> None:
    assert display_path(file_path(uri), map(file_path, folders)) == shown


def test_paths_of_uris() -> None:
    assert file_path("file:///a%20b/c.py") == Path("/a b/c.py")


def test_half_a_character_is_replaced_by_one_of_its_length() -> None:
    assert conversions.text("a\ud83db") == "a\ufffdb"
    assert conversions.text("a\U0001f600b") == "a\U0001f600b"


@pytest.mark.parametrize("kind", [None, "utf-16", types.PositionEncodingKind.Utf16])
def test_utf16_is_the_default(kind: types.PositionEncodingKind | str | None) -> None:
    assert conversions.encoding(kind) is Encoding.UTF16


def test_a_reversed_range_is_turned_round() -> None:
    document = Document(uri="", text="abc")
    span = conversions.span(document, types.Range(types.Position(0, 2), types.Position(0, 1)), Encoding.UTF16)
    assert (span.start, span.end) == (1, 2)
