"""``textDocument/codeAction`` offers actions for the code at the cursor."""

from __future__ import annotations

from lsprotocol import types

from codegemma_lsp.chat import Action
from codegemma_lsp.document import Document
from codegemma_lsp.server import conversions
from codegemma_lsp.server.app import server

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


@server.feature(types.TEXT_DOCUMENT_CODE_ACTION, _OPTIONS)
def on_code_action(params: types.CodeActionParams) -> list[types.CodeAction]:
    """Offers Fix where a diagnostic overlaps, and the other actions everywhere if the user asked for code actions.

    If the editor asks by itself, the other actions would show its light bulb on every line. Edit needs an instruction,
    so it is offered if the client can ask for one (``asksInstruction`` in the initialization options).
    """
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
            Action.EDIT: server.session.asks_instruction and not by_itself,
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
        "range": conversions.as_dict(params.range),
        "diagnostics": [diagnostic.message for diagnostic in found],
    }
    command = types.Command(_NAMES[action], f"codegemma.{action}", arguments=[argument])
    return types.CodeAction(_NAMES[action], kind=kind, diagnostics=list(found) or None, command=command)
