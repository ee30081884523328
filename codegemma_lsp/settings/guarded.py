"""Settings that a workspace must not set: what is loaded, and where prompts go.

An editor sends settings without saying where they come from, and some editors take them from a repository's files
unasked. These settings are therefore taken only from an editor that vouches for them, as our plugins do, or else from
the user's file or the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.alias_generators import to_camel, to_snake

from codegemma_lsp.models import AUTO, CATALOGUE
from codegemma_lsp.settings.schema import Settings

GUARDED = ("model", "chat_model", "adapter", "adapters", "allow_plain_http", "share_model")
TRUST_VARIABLE = "CODEGEMMA_TRUST_SETTINGS"
"""The environment variable with which an editor vouches for its settings. A workspace's files cannot set it."""


def without_guarded(given: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Returns an editor's settings without the guarded ones that would change something, and a sentence for each of
    these. A name of the catalogue may be set, because it stands for a file that the user has chosen to install."""
    defaults = Settings().model_dump(mode="json")

    def is_refused(key: str, value: object) -> bool:
        name = to_snake(key)
        is_harmless = value is None or value == defaults.get(name) or (isinstance(value, str) and value in CATALOGUE)
        return name in GUARDED and not is_harmless and value != AUTO

    refused = [str(key) for key, value in given.items() if is_refused(str(key), value)]
    kept = {key: value for key, value in given.items() if str(key) not in refused}
    return kept, tuple(_sentence(to_camel(to_snake(key))) for key in refused)


def _sentence(name: str) -> str:
    return (
        f"The editor's setting {name} is left out, because it may be the workspace's: set it with codegemma-lsp config"
        " edit, or start the server with --trust-settings if your editor takes no settings from workspaces."
    )
