"""Converts lsprotocol's types to this project's and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

from lsprotocol import types
from lsprotocol.converters import get_converter

from codegemma_lsp.chat import Proposal
from codegemma_lsp.completion import Selected, Suggestion
from codegemma_lsp.document import NOT_OPEN, Change, Document, Edit, Encoding, Position, Span
from codegemma_lsp.server.params import PositionParams, RangeParams

ACCEPT_COMMAND = "codegemma.accept"
_CHANGE, _IMPORTS = "codegemma", "codegemma-imports"


def encoding(kind: types.PositionEncodingKind | str | None) -> Encoding:
    """Returns the negotiated encoding, or UTF-16 if none was negotiated (LSP 3.17, Initialize)."""
    return Encoding(str(getattr(kind, "value", kind) or Encoding.UTF16))


def text(value: str) -> str:
    """Replaces lone surrogates, which no encoding can represent. The replacement has the same length in each
    encoding."""
    if value.isascii():
        return value
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in value)


def opened(item: types.TextDocumentItem) -> Document:
    return Document(uri=item.uri, text=text(item.text), language=item.language_id, version=item.version)


def changed(
    document: Document,
    changes: Iterable[types.TextDocumentContentChangeEvent],
    version: int,
    encoding: Encoding,
) -> tuple[Document, tuple[Change, ...]]:
    """The document after a notification's changes, each of which is relative to the one before it, and these."""
    made = []
    for change in changes:
        if isinstance(change, types.TextDocumentContentChangeWholeDocument):
            edit = Edit(Span(0, len(document.text)), text(change.text))
            after = document.with_text(edit.text, version)
        else:
            edit = Edit(span(document, change.range, encoding), text(change.text))
            after = document.with_edit(edit, version)
        made.append(Change(before=document, edit=edit, after=after))
        document = after
    return document if document.version == version else replace(document, version=version), tuple(made)


def position(value: types.Position | PositionParams) -> Position:
    return Position(value.line, value.character)


def place(params: Any) -> tuple[str, Position] | None:
    """Returns the document and the position of a notification ``{textDocument: {uri}, position}``, or None if they are
    missing."""
    try:
        where = params["position"]
        return str(params["textDocument"]["uri"]), Position(int(where["line"]), int(where["character"]))
    except (KeyError, TypeError, ValueError):
        return None


def item_id(params: Any) -> str | None:
    """Returns which suggestion a notification ``{itemId}`` or ``{item}`` is about, or None if it does not tell."""
    try:
        named = params["itemId"] if "itemId" in params else params["item"]["command"]["arguments"][0]
    except (KeyError, IndexError, TypeError):
        return None
    return named if isinstance(named, str) else None


def accepted_length(params: Any) -> int:
    """Returns the ``acceptedLength`` of a notification, or 0 if it has none."""
    try:
        length = params["acceptedLength"]
    except (KeyError, TypeError):
        return 0
    return length if isinstance(length, int) else 0


def span(document: Document, range_: types.Range | RangeParams, encoding: Encoding) -> Span:
    """Returns the offsets of a range. A reversed range is swapped."""
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
    """Returns the items, each with an explicit range, because some clients would otherwise insert at the cursor's
    position when the answer arrives."""
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
    """Returns the suggestion as an entry of the completion list, for editors without inline completion.

    Such clients filter entries by the word before the cursor, so the edit includes that word.
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


def confirms(capabilities: types.ClientCapabilities) -> bool:
    """Returns whether the client asks before it applies edits that need confirmation. Annotations require support for
    document changes."""
    able = _edit_capabilities(capabilities)
    return bool(able.document_changes) and able.change_annotation_support is not None


def creates_files(capabilities: types.ClientCapabilities) -> bool:
    able = _edit_capabilities(capabilities)
    return bool(able.document_changes) and types.ResourceOperationKind.Create in (able.resource_operations or ())


def workspace_edit(
    proposal: Proposal, encoding: Encoding, capabilities: types.ClientCapabilities
) -> types.WorkspaceEdit:
    """Returns a proposal as an edit of the document version that it was made for. It needs confirmation, as far as the
    client supports versions and annotations."""
    document, able = proposal.document, _edit_capabilities(capabilities)
    plain = [types.TextEdit(range_(document, edit.span, encoding), edit.text) for edit in proposal.edits]
    if not able.document_changes:
        return types.WorkspaceEdit(changes={document.uri: plain})
    annotated = confirms(capabilities)
    kinds = [_IMPORTS if edit is proposal.imports else _CHANGE for edit in proposal.edits]
    edits: list[Any] = [*plain]
    if annotated:
        edits = [types.AnnotatedTextEdit(kind, e.range, e.new_text) for kind, e in zip(kinds, plain, strict=True)]
    version = None if document.version == NOT_OPEN else document.version
    changes: list[Any] = [
        types.TextDocumentEdit(types.OptionalVersionedTextDocumentIdentifier(document.uri, version), edits)
    ]
    if proposal.creates:
        options = types.CreateFileOptions(overwrite=False, ignore_if_exists=False)
        changes.insert(0, types.CreateFile(document.uri, options=options, annotation_id=_CHANGE if annotated else None))
    annotations = {_CHANGE: types.ChangeAnnotation(proposal.label, needs_confirmation=True, description="CodeGemma")}
    if proposal.imports is not None:
        lines = "; ".join(proposal.imports.text.strip().splitlines())
        annotations[_IMPORTS] = types.ChangeAnnotation(lines, needs_confirmation=True, description="CodeGemma")
    return types.WorkspaceEdit(document_changes=changes, change_annotations=annotations if annotated else None)


def as_dict(value: Any) -> Any:
    """Returns a value of lsprotocol in the form in which it is sent, for use in the results of this server's own
    methods."""
    return _converter().unstructure(value)


@cache
def _converter() -> Any:
    return get_converter()


def _edit_capabilities(capabilities: types.ClientCapabilities) -> types.WorkspaceEditClientCapabilities:
    workspace = capabilities.workspace
    return (workspace.workspace_edit if workspace is not None else None) or types.WorkspaceEditClientCapabilities()
