"""Documents against a reference that knows nothing of line indexes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegemma_lsp.document import Document, Edit, Encoding, Position, Span, file_path
from tests.reference_document import reference_lines, reference_offset

ALPHABET = "ab é\t\u4e2d\U0001f600\U0001f468\u200d\u2028\f\v\x85\r\n"
texts = st.text(st.sampled_from(ALPHABET) | st.characters(exclude_categories=["Cs"]), max_size=40)
encodings = st.sampled_from(list(Encoding))


@st.composite
def edits(draw: st.DrawFn, length: int) -> Edit:
    start = draw(st.integers(0, length))
    return Edit(Span(start, draw(st.integers(start, length))), draw(texts))


@given(st.data(), texts)
def test_any_sequence_of_edits_gives_the_reference_text_and_lines(data: st.DataObject, text: str) -> None:
    document = Document(uri="file:///a", text=text)
    for _ in range(data.draw(st.integers(1, 6))):
        edit = data.draw(edits(len(document.text)))
        expected = document.text[: edit.span.start] + edit.text + document.text[edit.span.end :]
        document = document.with_edit(edit)
        assert document.text == expected
        assert [int(s) for s in document.starts] == [int(s) for s in Document(uri="", text=expected).starts]
        assert document.line_count == len(reference_lines(expected))
        for number, line in enumerate(reference_lines(expected)):
            assert document.line_text(number) == line.rstrip("\r\n")


@given(texts, encodings)
def test_every_offset_round_trips(text: str, encoding: Encoding) -> None:
    document = Document(uri="file:///a", text=text)
    for offset in range(len(text) + 1):
        inside_crlf = text[offset - 1 : offset + 1] == "\r\n" and offset > 0
        found = document.offset(document.position(offset, encoding), encoding)
        assert found == (offset - 1 if inside_crlf else offset)


@given(texts, encodings, st.integers(0, 30), st.integers(0, 60))
def test_positions_are_counted_in_the_encodings_units(text: str, encoding: Encoding, line: int, character: int) -> None:
    offset = Document(uri="file:///a", text=text).offset(Position(line, character), encoding)
    assert offset == reference_offset(reference_lines(text), line, character, encoding)


@given(st.data(), texts, encodings)
def test_edits_by_position_equal_edits_of_lines_as_bytes(data: st.DataObject, text: str, encoding: Encoding) -> None:
    """The same edit, made by a client that keeps its text as encoded lines."""
    document = Document(uri="file:///a", text=text)
    edit = data.draw(edits(len(text)))
    start, end = (document.position(o, encoding) for o in (edit.span.start, edit.span.end))
    span = Span(document.offset(start, encoding), document.offset(end, encoding))
    lines = [line.encode(encoding.codec) for line in reference_lines(text)]
    size = encoding.unit_bytes
    joined_start = sum(map(len, lines[: start.line])) + start.character * size
    joined_end = sum(map(len, lines[: end.line])) + end.character * size
    joined = b"".join(lines)
    expected = (joined[:joined_start] + edit.text.encode(encoding.codec) + joined[joined_end:]).decode(encoding.codec)
    assert document.with_edit(Edit(span, edit.text)).text == expected


@pytest.mark.parametrize(
    ("text", "position", "encoding", "offset"),
    [
        ("", Position(0, 5), Encoding.UTF16, 0),
        ("ab\ncd", Position(7, 0), Encoding.UTF16, 5),
        ("ab\ncd", Position(0, 99), Encoding.UTF16, 2),
        ("ab\r\ncd", Position(0, 3), Encoding.UTF16, 2),
        ("a\U0001f600b", Position(0, 2), Encoding.UTF16, 1),
        ("a\U0001f600b", Position(0, 3), Encoding.UTF8, 1),
        ("a\U0001f600b", Position(0, 5), Encoding.UTF8, 2),
        ("a\fb\u2028c", Position(0, 5), Encoding.UTF32, 5),
        ("a", Position(-1, 0), Encoding.UTF16, 0),
    ],
)
def test_clamping(text: str, position: Position, encoding: Encoding, offset: int) -> None:
    assert Document(uri="file:///a", text=text).offset(position, encoding) == offset


def test_a_keystroke_in_a_huge_line_keeps_the_index_right() -> None:
    document = Document(uri="file:///a", text="x" * 10_000_000 + "\nlast")
    document = document.with_edit(Edit(Span(5_000_000, 5_000_000), "\n"))
    assert [int(s) for s in document.starts] == [0, 5_000_001, 10_000_002]


def test_another_text_keeps_the_name_and_the_language() -> None:
    before = Document(uri="file:///a", text="x\n", language="python", version=1)
    assert before.with_text("y\nz", 2) == Document(uri="file:///a", text="y\nz", language="python", version=2)
    assert before.with_text("y\nz", 2).line_count == 2


def test_an_edit_has_the_version_that_it_is_given_or_keeps_the_old_one() -> None:
    before = Document(uri="file:///a", text="x", language="python", version=1)
    assert before.with_edit(Edit(Span(0, 1), "y"), 7).version == 7
    assert before.with_edit(Edit(Span(0, 1), "y")) == Document(uri="file:///a", text="y", language="python", version=1)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        pytest.param("file:///a%20b/c.py", "/a b/c.py", id="a file"),
        pytest.param("untitled:a%20b.py", "a b.py", id="another scheme"),
        pytest.param("a/b.py", "a/b.py", id="no scheme"),
        pytest.param("file://[", "file://[", id="no URI"),
    ],
)
def test_the_path_of_a_uri(uri: str, path: str) -> None:
    assert file_path(uri) == Path(path)
