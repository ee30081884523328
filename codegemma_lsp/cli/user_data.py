"""Keeps the history of questions and the last conversation in the user's data folder. Only the user may read these
files."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from platformdirs import user_data_path

from codegemma_lsp.files import replace_whole
from codegemma_lsp.prompt import Message, Role

FOLDER_VARIABLE = "CODEGEMMA_DATA"
_FOR_THE_USER_ALONE = 0o600


def data_folder() -> Path:
    """Returns the user's data folder, which may not exist yet."""
    given = os.environ.get(FOLDER_VARIABLE)
    return Path(given).expanduser() if given else user_data_path("codegemma-lsp", appauthor=False)


def history_path() -> Path:
    """Returns the path of the history of questions in ``chat``."""
    return data_folder() / "chat-history"


def conversation_path() -> Path:
    """Returns the path of the conversation that ``chat --continue`` continues."""
    return data_folder() / "last-conversation.json"


def make_private(path: Path) -> None:
    """Creates the file and its folder if they are missing, and lets only the user read it. Raises ``OSError``."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, _FOR_THE_USER_ALONE))
    path.chmod(_FOR_THE_USER_ALONE)


def save_conversation(messages: Sequence[Message]) -> None:
    """Replaces the saved conversation. Raises ``OSError``."""
    path = conversation_path()
    make_private(path)
    kept = json.dumps([{"role": m.role.value, "text": m.text} for m in messages], indent=1)
    replace_whole(path, kept.encode())


def load_conversation() -> list[Message]:
    """Returns the messages of the last conversation, oldest first, or none if the file is missing or damaged."""
    try:
        kept = json.loads(conversation_path().read_text("utf-8"))
        return [Message(Role(entry["role"]), str(entry["text"])) for entry in kept]
    except (OSError, ValueError, KeyError, TypeError):
        return []
