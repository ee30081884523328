"""lsprotocol's types to ours and back. Apart from the server, the only importer of lsprotocol."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from lsprotocol import types
from lsprotocol.converters import get_converter

from codegemma_lsp.chat import Proposal
from codegemma_lsp.completion import Selected, Suggestion
from codegemma_lsp.document import NOT_OPEN, Document, Edit, Encoding, Position, Span, file_path
from codegemma_lsp.server.params import PositionParams, RangeParams

ACCEPT_COMMAND = "codegemma.accept"
_CHANGE = "codegemma"


def encoding(kind: types.PositionEncodingKind | str | None) -> Encoding:
    """The negotiated encoding; UTF-16 where none was (LSP 3.17, Initialize)."""
    return Encoding(str(getattr(kind, "value", kind) or Encoding.UTF16))


def text(value: str) -> str:
    """Replaces lone surrogates, which no encoding can hold; the replacement has the same length in each of them."""
    if value.isascii():
        return value
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in value)


def opened(item: types.TextDocumentItem) -> Document:
    return Document(item.uri, text(item.text), item.language_id, item.version)


def changed(
    document: Document,
    changes: Iterable[types.TextDocumentContentChangeEvent],
    version: int,
    encoding: Encoding,
) -> Document:
    """The document after a notification's changes, each of which is relative to the one before it."""
    for change in changes:
        if isinstance(change, types.TextDocumentContentChangeWholeDocument):
            document = document.with_text(text(change.text), version)
        else:
            document = document.with_edit(Edit(span(document, change.range, encoding), text(change.text)), version)
    return document if document.version == version else replace(document, version=version)


def position(value: types.Position | PositionParams) -> Position:
    return Position(value.line, value.character)


def place(params: Any) -> tuple[str, Position] | None:
    """Document and position of a notification of ours, ``{textDocument: {uri}, position}``; None where it has none."""
    try:
        where = params["position"]
        return str(params["textDocument"]["uri"]), Position(int(where["line"]), int(where["character"]))
    except (KeyError, TypeError, ValueError):
        return None


def span(document: Document, range_: types.Range | RangeParams, encoding: Encoding) -> Span:
    """Offsets of a range; a reversed one is turned round."""
    start = document.offset(position(range_.start), encoding)
    end = document.offset(position(range_.end), encoding)
    return Span(min(start, end), max(start, end))


def range_(document: Document, span: Span, encoding: Encoding) -> types.Range:
    start, end = document.position(span.start, encoding), document.position(span.end, encoding)
    return types.Range(types.Position(start.line, start.character), types.Position(end.line, end.character))


def selected(document: Document, context: types.InlineCompletionContext, encoding: Encoding) -> Selected | None:
    info = context.selected_completion_info
    return None if info is None else Selected(span(document, info.range, encoding), text(info.text))


def inline_items(
    document: Document, suggestions: Iterable[Suggestion | None], encoding: Encoding
) -> types.InlineCompletionList:
    """Always an explicit range: some clients otherwise insert at the cursor as it is when the answer arrives."""
    items = [
        types.InlineCompletionItem(
            insert_text=suggestion.text,
            range=range_(document, suggestion.span, encoding),
            command=types.Command(title="Accept", command=ACCEPT_COMMAND, arguments=[suggestion.id]),
        )
        for suggestion in suggestions
        if suggestion is not None
    ]
    return types.InlineCompletionList(items=items)


def popup_items(document: Document, suggestion: Suggestion | None, encoding: Encoding) -> types.CompletionList:
    """The suggestion as an entry of the completion list, for editors without inline completion.

    Such clients filter entries by the word before the cursor, so the edit takes that word in.
    """
    if suggestion is None:
        return types.CompletionList(is_incomplete=True, items=[])
    start = suggestion.span.start
    while start > 0 and (document.text[start - 1].isalnum() or document.text[start - 1] == "_"):
        start -= 1
    new_text = document.text[start : suggestion.span.start] + suggestion.text
    label = new_text.split("\n", 1)[0].strip()
    item = types.CompletionItem(
        label=label if "\n" not in new_text else f"{label} …",
        kind=types.CompletionItemKind.Text,
        detail="CodeGemma",
        documentation=new_text,
        filter_text=new_text.split("\n", 1)[0],
        preselect=False,
        text_edit=types.TextEdit(range_(document, Span(start, suggestion.span.end), encoding), new_text),
        command=types.Command(title="Accept", command=ACCEPT_COMMAND, arguments=[suggestion.id]),
    )
    return types.CompletionList(is_incomplete=True, items=[item])


def display_path(uri: str, folders: Iterable[str]) -> str:
    """The path shown to the model: relative to the workspace folder that holds it, else the file's name."""
    file = file_path(uri)
    for folder in folders:
        root = file_path(folder)
        if file.is_relative_to(root):
            return str(PurePosixPath(*file.relative_to(root).parts))
    return file.name


def confirms(capabilities: types.ClientCapabilities) -> bool:
    """Whether the client asks before it applies edits that need confirmation: annotations are a part of document
    changes."""
    able = _edit_capabilities(capabilities)
    return bool(able.document_changes) and able.change_annotation_support is not None


def creates_files(capabilities: types.ClientCapabilities) -> bool:
    able = _edit_capabilities(capabilities)
    return bool(able.document_changes) and types.ResourceOperationKind.Create in (able.resource_operations or ())


def workspace_edit(
    proposal: Proposal, encoding: Encoding, capabilities: types.ClientCapabilities
) -> types.WorkspaceEdit:
    """A proposal as an edit of the very version that it was made for, to be confirmed, as far as the client knows such
    things."""
    document, able = proposal.document, _edit_capabilities(capabilities)
    plain = [types.TextEdit(range_(document, edit.span, encoding), edit.text) for edit in proposal.edits]
    if not able.document_changes:
        return types.WorkspaceEdit(changes={document.uri: plain})
    annotated = confirms(capabilities)
    edits = [types.AnnotatedTextEdit(_CHANGE, e.range, e.new_text) for e in plain] if annotated else plain
    version = None if document.version == NOT_OPEN else document.version
    changes: list[Any] = [
        types.TextDocumentEdit(types.OptionalVersionedTextDocumentIdentifier(document.uri, version), list(edits))
    ]
    if proposal.creates:
        options = types.CreateFileOptions(overwrite=False, ignore_if_exists=False)
        changes.insert(0, types.CreateFile(document.uri, options=options, annotation_id=_CHANGE if annotated else None))
    annotation = types.ChangeAnnotation(proposal.label, needs_confirmation=True, description="CodeGemma")
    return types.WorkspaceEdit(
        document_changes=changes, change_annotations={_CHANGE: annotation} if annotated else None
    )


def as_dict(value: Any) -> Any:
    """A value of lsprotocol as it is sent: for where one is a part of an answer of our own."""
    return _converter().unstructure(value)


@cache
def _converter() -> Any:
    return get_converter()


def _edit_capabilities(capabilities: types.ClientCapabilities) -> types.WorkspaceEditClientCapabilities:
    workspace = capabilities.workspace
    return (workspace.workspace_edit if workspace is not None else None) or types.WorkspaceEditClientCapabilities()
