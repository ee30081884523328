"""What each action asks of the model: one table for slash commands, code actions and the command line."""

from __future__ import annotations

import re

from codegemma_lsp.chat.documentation import document
from codegemma_lsp.chat.edit import check_still, rewrite
from codegemma_lsp.chat.types import Action, OnDelta, Proposal, RequestRefused, Target
from codegemma_lsp.chat.write_tests import Project, write_tests
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.settings import Settings

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
"""Actions that end in a proposal."""


def parse_command(text: str) -> tuple[Action | None, str]:
    """The action and the rest of a text such as ``/fix the loop``; None for one that is no command. Raises
    ``RequestRefused`` where there is no such command."""
    match = _COMMAND.match(text)
    if match is None:
        return None, text
    name = match["name"]
    try:
        return Action(name.lower()), text[match.end() :].strip()
    except ValueError:
        known = ", ".join(f"/{action}" for action in Action)
        raise RequestRefused(f"There is no command /{name}; there are {known}.") from None


async def propose(
    action: Action, target: Target, project: Project, engine: Engine, settings: Settings, on_delta: OnDelta
) -> Proposal:
    """What an action of ``EDITS`` would change. Raises ``RequestRefused``, and what ``Engine.generate`` raises."""
    proposal = await _proposed(action, target, project, engine, settings, on_delta)
    check_still(target)
    return proposal


async def _proposed(
    action: Action, target: Target, project: Project, engine: Engine, settings: Settings, on_delta: OnDelta
) -> Proposal:
    if action is Action.DOCUMENT:
        return await document(target, engine, settings, on_delta)
    if action is Action.TESTS:
        return await write_tests(target, project, engine, settings, on_delta)
    if action is Action.FIX:
        return await rewrite(target, _fixing(target), "Fix", engine, settings, on_delta)
    if not target.instruction.strip():
        raise RequestRefused("Say what to change: an edit needs an instruction.")
    label = target.instruction.strip().split("\n")[0]
    label = label if len(label) <= 60 else f"{label[:59]}…"
    return await rewrite(target, f"Rewrite this code: {target.instruction.strip()}", label, engine, settings, on_delta)


def _fixing(target: Target) -> str:
    task = "Fix what is wrong with this code, and change nothing else."
    if target.instruction.strip():
        task += f" {target.instruction.strip()}"
    if target.diagnostics:
        task += "\n\nThese problems were found in it:\n" + "\n".join(f"- {message}" for message in target.diagnostics)
    return task
