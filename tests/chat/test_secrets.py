"""Secrets in what chat and edits are about: no question has them, and no edit loses them."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.chat import Action, Conversation, Project, Reference, RequestRefused, ask, commit_message, propose
from codegemma_lsp.prompt import Text
from tests.chat.story import chatting, python
from tests.marks import with_edits
from tests.scripted import ScriptedEngine

CONNECT = """\
<SELECTED>password = "hunter2secret"
db = connect("shop", password)</SELECTED>
"""


PROJECT = Project(Path("/project"), lambda _: None)


def asked(engine: ScriptedEngine) -> str:
    """Returns the texts of the prompts of an engine's requests."""
    return "".join(
        segment.text for request in engine.requests for segment in request.prompt.segments if isinstance(segment, Text)
    )


def test_an_edit_gives_back_the_secret_that_the_model_did_not_see() -> None:
    engine, told = ScriptedEngine('password = "hidden_secret_1"\ndb = connect("store", password)\n```'), list[str]()
    target = python(CONNECT).target()
    proposal = asyncio.run(propose(chatting(engine, told.append), Action.EDIT, target, PROJECT))
    assert with_edits(proposal.document.text, proposal.edits) == snapshot("""\
password = "hunter2secret"
db = connect("⟦store⟧", password)
""")
    assert "".join(told) == 'password = "hunter2secret"\ndb = connect("store", password)'
    assert "hidden_secret_1" in asked(engine)
    assert "hunter2secret" not in asked(engine)


async def test_a_conversation_hides_secrets_in_each_of_its_questions() -> None:
    engine, conversation = ScriptedEngine('It is "hidden_secret_1".'), Conversation()
    about = Reference(path="shop.py", text='password = "hunter2secret"\n')
    answer = await ask(chatting(engine), conversation, "Which password?", [about])
    await ask(chatting(engine), conversation, "And my token: ghp_16C7e42F292c6912E7710c838347Ae178B4a?", [])
    assert answer.text == 'It is "hunter2secret".'
    assert "hunter2secret" not in asked(engine)
    assert "ghp_16C7" not in asked(engine)
    assert "hunter2secret" in conversation.messages[0].text


def test_an_edit_with_a_made_up_placeholder_is_refused() -> None:
    engine = ScriptedEngine('password = "hidden_secret_2"\ndb = connect("store", password)\n```')
    with pytest.raises(RequestRefused, match="a placeholder that stands for no secret; ask again"):
        asyncio.run(propose(chatting(engine), Action.EDIT, python(CONNECT).target(), PROJECT))


def test_a_commit_message_has_no_secret(tmp_path: Path) -> None:
    git = ("git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / "a.py").write_text('password = "hunter2secret"\n')
    subprocess.run([*git, "add", "a.py"], check=True)
    engine = ScriptedEngine("Set the password to hidden_secret_1")
    answer = asyncio.run(commit_message(chatting(engine), tmp_path))
    assert answer.text == "Set the password to …"
    assert "hunter2secret" not in asked(engine)
