"""Chat and edits: our own requests, commands for every client, and code actions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from codegemma_lsp import convert, wire
from codegemma_lsp.chat import (
    EDITS,
    Action,
    Answer,
    Proposal,
    Reference,
    Refused,
    Say,
    Target,
    file_reference,
    selection_reference,
    symbol_reference,
)
from codegemma_lsp.document import Document, Span, file_path
from codegemma_lsp.engines.base import EngineError
from codegemma_lsp.server.app import server
from codegemma_lsp.server.offers import offer

CHAT = "codegemma/chat"
EDIT = "codegemma/edit"
FORGET = "codegemma/forgetConversation"
COMMANDS = {f"codegemma.{action}": action for action in Action}
_KINDS = {
    Action.FIX: types.CodeActionKind.QuickFix,
    Action.DOCUMENT: types.CodeActionKind.RefactorRewrite,
    Action.EDIT: types.CodeActionKind.RefactorRewrite,
    Action.TESTS: types.CodeActionKind.Source,
    Action.EXPLAIN: types.CodeActionKind.Source,
}
_NAMES = {
    Action.FIX: "Fix with CodeGemma",
    Action.DOCUMENT: "Document with CodeGemma",
    Action.EDIT: "Edit with CodeGemma…",
    Action.TESTS: "Write tests with CodeGemma",
    Action.EXPLAIN: "Explain with CodeGemma",
}
_OPTIONS = types.CodeActionOptions(code_action_kinds=sorted(set(_KINDS.values())))


class Failed(JsonRpcException):
    """A request that was understood and cannot be met: the message is for the user."""

    CODE = types.LSPErrorCodes.RequestFailed.value
    MESSAGE = "The request failed."


def answered(handler: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    """Ends the errors that a user can act on: each becomes an error response with its sentence."""

    @wraps(handler)
    async def wrapper(params: Any) -> Any:
        try:
            return await handler(params)
        except wire.Malformed as error:
            raise Failed(str(error), code=types.ErrorCodes.InvalidParams.value) from None
        except Refused as error:
            code = types.LSPErrorCodes.ContentModified if error.stale else types.LSPErrorCodes.RequestFailed
            raise Failed(str(error), code=code.value) from None
        except EngineError as error:
            raise Failed(str(error)) from None

    return wrapper


@server.feature(CHAT)
@answered
async def on_chat(params: Any) -> dict[str, Any]:
    """``{conversationId? | history?, text, references?, selection?, partialResultToken?}`` to ``{conversationId, text,
    complete, edit?, note}``; partial results are ``{text}`` to append."""
    asked = wire.read(wire.Chat, params)
    target = _target(asked.selection) if asked.selection is not None else None
    references = [await asyncio.to_thread(_reference, reference) for reference in asked.references]
    conversation = server.assistant.conversations.find(asked.conversation_id)
    if asked.conversation_id is None:
        for turn in asked.history:
            conversation.add(turn.question, turn.answer)
    first = not conversation.messages
    answer = await server.assistant.chat(conversation, asked.text, references, target, _say(asked.partial_result_token))
    return {"conversationId": conversation.id, **_as_answer(answer), "note": server.assistant.note() if first else ""}


@server.feature(EDIT)
@answered
async def on_edit(params: Any) -> dict[str, Any]:
    """``{uri, range, version?, action?, instruction?, diagnostics?, partialResultToken?}`` to ``{label, text, range,
    edit}``: nothing is applied."""
    asked = wire.read(wire.Edit, params)
    proposal = await server.assistant.propose(
        _action(asked.action), _edit_target(asked), _say(asked.partial_result_token)
    )
    return _as_proposal(proposal)


@server.feature(FORGET)
@answered
async def on_forget(params: Any) -> None:
    """``{conversationId}``: the conversation is deleted."""
    server.assistant.conversations.forget(wire.read(wire.Forget, params).conversation_id)


def _command(name: str, action: Action) -> None:
    @server.command(name)
    @answered
    async def run(argument: Any) -> Any:
        if action is Action.COMMIT:
            folder = file_path(wire.read(wire.Folder, {"uri": argument}).uri) if argument is not None else None
            return _as_answer(await server.assistant.commit(_say(None), folder))
        asked = wire.read(wire.Edit, argument)
        say, target = _say(asked.partial_result_token), _edit_target(asked)
        if action in EDITS:
            proposal = await server.assistant.propose(action, target, say)
            return {**_as_proposal(proposal), "applied": await offer(server, proposal)}
        conversation = server.assistant.conversations.find(None)
        answer = await server.assistant.chat(conversation, f"/{action} {asked.instruction}", [], target, say)
        if asked.partial_result_token is None:
            server.show(answer.text, types.MessageType.Info)
        return {"conversationId": conversation.id, **_as_answer(answer)}


for _name, _of in COMMANDS.items():
    _command(_name, _of)


@server.feature(types.TEXT_DOCUMENT_CODE_ACTION, _OPTIONS)
def on_code_action(params: types.CodeActionParams) -> list[types.CodeAction]:
    """Fix where a diagnostic overlaps, the others wherever there is a document, unless the editor asks by itself: its
    light bulb would burn on every line. Editing needs an instruction, which a client that can ask for one says it can
    (``asksInstruction`` in the initialization options)."""
    document = server.session.documents.get(params.text_document.uri)
    if document is None or not server.session.settings.enabled:
        return []
    only = params.context.only
    by_itself = params.context.trigger_kind is types.CodeActionTriggerKind.Automatic
    offered = []
    for action, kind in _KINDS.items():
        wanted = only is None or any(kind.value == o or kind.value.startswith(f"{_value(o)}.") for o in only)
        possible = {
            Action.FIX: bool(params.context.diagnostics),
            Action.EDIT: server.asks_instruction and not by_itself,
        }
        if wanted and possible.get(action, not by_itself):
            offered.append(_code_action(action, kind, params, document))
    return offered


def _value(kind: types.CodeActionKind | str) -> str:
    return str(getattr(kind, "value", kind))


def _code_action(
    action: Action, kind: types.CodeActionKind, params: types.CodeActionParams, document: Document
) -> types.CodeAction:
    found = params.context.diagnostics if action is Action.FIX else []
    argument = {
        "uri": document.uri,
        "version": document.version,
        "range": convert.as_dict(params.range),
        "diagnostics": [diagnostic.message for diagnostic in found],
    }
    command = types.Command(_NAMES[action], f"codegemma.{action}", arguments=[argument])
    return types.CodeAction(_NAMES[action], kind=kind, diagnostics=list(found) or None, command=command)


def _say(token: str | int | None) -> Say:
    if token is None:
        return lambda _: None
    return lambda text: server.protocol.notify(types.PROGRESS, types.ProgressParams(token, {"text": text}))


def _action(name: str) -> Action:
    if name not in set(EDITS):
        raise wire.Malformed(f"There is no action {name!r}; there are {', '.join(sorted(EDITS))}.")
    return Action(name)


def _document(uri: str, version: int | None) -> Document:
    document = server.session.documents.get(uri)
    if document is None:
        raise Refused(f"{file_path(uri).name} is not open; open it in the editor first.")
    if version is not None and version != document.version:
        raise Refused("The document has changed since this was asked; ask again.", stale=True)
    return document


def _span(document: Document, range_: wire.Range | None) -> Span:
    if range_ is None:
        return Span(0, len(document.text))
    return convert.span(document, range_, server.session.encoding)


def _target(selection: wire.Selection, instruction: str = "", diagnostics: tuple[str, ...] = ()) -> Target:
    document = _document(selection.uri, selection.version)
    documents = server.session.documents
    return Target(
        document,
        _span(document, selection.range),
        server.shown_path(document.uri),
        instruction,
        diagnostics,
        lambda: documents.get(document.uri) is document,
    )


def _edit_target(asked: wire.Edit) -> Target:
    selection = wire.Selection(uri=asked.uri, range=asked.range, version=asked.version)
    return _target(selection, asked.instruction, asked.diagnostics)


def _reference(reference: wire.Reference) -> Reference:
    workspace = server.assistant.workspace()
    if reference.path is not None:
        return file_reference(reference.path, workspace)
    if reference.symbol is not None:
        return symbol_reference(reference.symbol, server.session.documents.values())
    if reference.uri is None:
        raise wire.Malformed("A reference needs a uri, a path or a symbol.")
    if reference.range is None and reference.uri not in server.session.documents:
        return file_reference(str(file_path(reference.uri)), workspace)
    document = _document(reference.uri, None)
    return selection_reference(document, _span(document, reference.range), server.shown_path(document.uri))


def _as_answer(answer: Answer) -> dict[str, Any]:
    edit = {} if answer.proposal is None else {"edit": _as_proposal(answer.proposal)}
    return {"text": answer.text, "complete": answer.complete, **edit}


def _as_proposal(proposal: Proposal) -> dict[str, Any]:
    session = server.session
    if proposal.creates and not convert.creates_files(server.client_capabilities):
        name = file_path(proposal.document.uri)
        raise Refused(f"The editor cannot create {name} for an edit; create and open it, and ask again.")
    return {
        "label": proposal.label,
        "uri": proposal.document.uri,
        "text": proposal.text,
        "range": convert.as_dict(convert.range_(proposal.document, proposal.region, session.encoding)),
        "edit": convert.as_dict(convert.workspace_edit(proposal, session.encoding, server.client_capabilities)),
    }
