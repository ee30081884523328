"""``workspace/executeCommand`` runs every chat action, for clients without support for this server's methods."""

from __future__ import annotations

from typing import Any

from lsprotocol import types

from codegemma_lsp.chat import EDITS, Action
from codegemma_lsp.document import file_path
from codegemma_lsp.server.answers import answer_json, on_delta, proposal_json
from codegemma_lsp.server.app import server
from codegemma_lsp.server.edits import offer
from codegemma_lsp.server.errors import translates_errors
from codegemma_lsp.server.params import CommitParams, EditParams, read_params
from codegemma_lsp.server.targets import edit_target

COMMANDS = {f"codegemma.{action}": action for action in Action}


def _command(name: str, action: Action) -> None:
    @server.command(name)
    @translates_errors
    async def run(argument: Any) -> Any:
        if action is Action.COMMIT:
            folder = file_path(read_params(CommitParams, {"uri": argument}).uri) if argument is not None else None
            return answer_json(await server.session.conversations.commit(on_delta(None), folder))
        asked = read_params(EditParams, argument)
        stream, target = on_delta(asked.partial_result_token), edit_target(asked)
        if action in EDITS:
            proposal = await server.session.conversations.propose(action, target, stream)
            return {**proposal_json(proposal), "applied": await offer(server, proposal)}
        conversation = server.session.conversations.store.begin()
        answer = await server.session.conversations.chat(
            conversation, f"/{action} {asked.instruction}", [], target, stream
        )
        if asked.partial_result_token is None:
            server.show(answer.text, types.MessageType.Info)
        return {"conversationId": conversation.id, **answer_json(answer)}


for _name, _of in COMMANDS.items():
    _command(_name, _of)
