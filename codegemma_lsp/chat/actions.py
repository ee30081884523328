"""What each action asks the model, as one table for slash commands, code actions and the command line."""

from __future__ import annotations

import re

from codegemma_lsp.chat.documentation import document
from codegemma_lsp.chat.edit import ANSWER_WITH_CODE, EditContext, check_still, rewrite
from codegemma_lsp.chat.types import Action, ChatContext, Proposal, RequestRefused, Target
from codegemma_lsp.chat.write_tests import Project, write_tests

TITLES = {
    Action.EXPLAIN: "Explain",
    Action.FIX: "Fix",
    Action.DOCUMENT: "Document",
    Action.TESTS: "Write tests",
    Action.EDIT: "Edit",
    Action.COMMIT: "Write a commit message",
}
_COMMAND = re.compile(r"\s*/(?P<name>[a-zA-Z]+)(?=\s|$)")
EDITS = frozenset({Action.FIX, Action.DOCUMENT, Action.TESTS, Action.EDIT})
"""The actions whose result is a proposal."""


def parse_command(text: str) -> tuple[Action | None, str]:
    """Returns the action and the rest of a text such as ``/fix the loop``. The action is None if the text is no
    command. Raises ``RequestRefused`` for an unknown command."""
    match = _COMMAND.match(text)
    if match is None:
        return None, text
    name = match["name"]
    try:
        return Action(name.lower()), text[match.end() :].strip()
    except ValueError:
        known = ", ".join(f"/{action}" for action in Action)
        raise RequestRefused(f"There is no command /{name}; there are {known}.") from None


async def propose(chat: ChatContext, action: Action, target: Target, project: Project) -> Proposal:
    """Returns what an action of ``EDITS`` would change. Raises ``RequestRefused``, and what ``Engine.generate``
    raises."""
    proposal = await _proposed(chat, action, target, project)
    check_still(target)
    return proposal


async def _proposed(chat: ChatContext, action: Action, target: Target, project: Project) -> Proposal:
    if action is Action.DOCUMENT:
        return await document(chat, target)
    if action is Action.TESTS:
        return await write_tests(chat, target, project)
    if action is Action.FIX:
        return await rewrite(chat, target, _fixing, "Fix")
    if not target.instruction.strip():
        raise RequestRefused("Say what to change: an edit needs an instruction.")
    label = target.instruction.strip().split("\n")[0]
    label = label if len(label) <= 60 else f"{label[:59]}…"
    return await rewrite(chat, target, _editing, label)


def _editing(target: Target, context: EditContext) -> str:
    """Returns the question for an edit. Small models follow an instruction more often if it stands between the code and
    the form of the answer."""
    return (
        f"This code is a part of `{target.path}`:\n\n{context.shown(context.region)}\n\n"
        f"Rewrite this code: {target.instruction.strip()}\n\n{ANSWER_WITH_CODE}"
    )


def _fixing(target: Target, context: EditContext) -> str:
    """Returns the question for a fix. The task comes first, because below the code it makes small models adapt the
    documentation to the failing case."""
    around = context.around if not len(target.selection) else None
    lines = [_fix_task(target)]
    if around is not None:
        lines.append(f"The code is in this part of `{target.path}`:\n\n{context.shown(around.span)}")
        lines.append(f"Rewrite only these lines of it:\n\n{context.shown(context.region)}")
    else:
        lines.append(f"The code is a part of `{target.path}`:\n\n{context.shown(context.region)}")
    return "\n\n".join([*lines, ANSWER_WITH_CODE])


def _fix_task(target: Target) -> str:
    task = "Fix what is wrong with this code, and change nothing else."
    if target.instruction.strip():
        task += f" {target.instruction.strip()}"
    if target.diagnostics:
        task += "\n\nThese problems were found in it:\n" + "\n".join(f"- {message}" for message in target.diagnostics)
    return task
