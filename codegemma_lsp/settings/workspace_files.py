"""Refuses settings that a workspace's own files set, where an editor passes them on unasked.

Editors do not say where a setting comes from. A value that loads a file, connects or shares is therefore looked up in
the files in which workspaces keep settings of editors, and is refused if one of them has it.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic.alias_generators import to_camel, to_snake

from codegemma_lsp.models import AUTO, CATALOGUE

GUARDED = ("model", "chat_model", "adapter", "adapters", "allow_plain_http", "share_model")
"""The settings that only a user may set: what is loaded, and where prompts go."""
_FILES = (
    ".vscode/settings.json",
    "*.code-workspace",
    ".zed/settings.json",
    ".helix/*.toml",
    ".neoconf.json",
    ".nlsp-settings/*.json",
    ".vim/*.json",
    ".exrc",
    ".nvimrc",
    ".nvim.lua",
    ".lazy.lua",
    ".dir-locals.el",
    "*.sublime-project",
    ".kate/*.json",
    ".kateproject",
    ".lsp.json",
)
"""Files of a workspace from which editors or their plugins take settings of language servers."""
_MOST_FILES, _MOST_BYTES = 32, 1_000_000


def without_workspace_settings(
    given: Mapping[str, Any], folders: Sequence[Path]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Returns an editor's settings without those that a file of the workspace sets, and a sentence for each of them.

    A name of the catalogue is never refused, because it stands for a file that the user has chosen to install.
    """
    asked = {key: value for key, value in given.items() if to_snake(str(key)) in GUARDED and _matters(value)}
    if not asked:
        return dict(given), ()
    texts = [(path, text) for folder in folders for path, text in _texts(folder)]
    found = {key: path for key, value in asked.items() for path, text in texts if _sets(text, str(key), value)}
    problems = tuple(
        f"{to_camel(key)} is left out, because {path} of the workspace sets it; a workspace cannot choose what is"
        " loaded or where prompts go, so set it in your own configuration."
        for key, path in found.items()
    )
    return {key: value for key, value in given.items() if key not in found}, problems


def _matters(value: object) -> bool:
    if isinstance(value, str):
        return value not in ("", AUTO) and value not in CATALOGUE
    return value is True or isinstance(value, Mapping)


def _texts(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yields the settings files of a folder with their texts."""
    for pattern in _FILES:
        try:
            for path in islice(folder.glob(pattern), _MOST_FILES):
                about = path.stat()
                if stat.S_ISREG(about.st_mode) and about.st_size <= _MOST_BYTES:
                    yield path, path.read_text("utf-8", "replace")
        except OSError:
            continue


def _sets(text: str, key: str, value: object) -> bool:
    """Returns whether a text of any format has the setting's name and its value."""
    if to_camel(key) not in text and to_snake(key) not in text:
        return False
    parts = map(str, value.values()) if isinstance(value, Mapping) else [value if isinstance(value, str) else "true"]
    return any(part in text or json.dumps(part)[1:-1] in text for part in parts)
