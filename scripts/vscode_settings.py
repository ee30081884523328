"""Writes the server's settings into the VS Code extension's package.json: run it when Settings has changed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from codegemma_lsp.settings import SECTION, Settings

PACKAGE = Path(__file__).resolve().parents[1] / "editors" / "vscode" / "package.json"
_MACHINE = frozenset({"model", "chatModel", "adapter", "adapters", "allowPlainHttp", "shareModel"})
"""The settings that a workspace's own files can never set."""
OWN: dict[str, dict[str, Any]] = {
    "serverPath": {
        "type": "string",
        "default": "",
        "scope": "machine",
        "markdownDescription": "Path of the server. If it is empty, the extension finds or installs the server.",
    },
    "installSource": {
        "type": "string",
        "default": "",
        "scope": "machine",
        "markdownDescription": "The checkout's folder or the wheel from which pip installs a missing server. If it is"
        " empty, this is the wheel that the extension carries, or else the same version from PyPI.",
    },
    "disabledFiles": {
        "type": "array",
        "items": {"type": "string"},
        "default": [],
        "scope": "resource",
        "markdownDescription": "Glob patterns of files for which nothing is suggested, such as `**/*.env`.",
    },
}
"""The settings of the extension itself."""
FIRST = (
    *("enabled", "model", "chatModel", "multiline", "minConfidence", "maxTokens", "alternatives"),
    *("disabledLanguages", "disabledFiles", "threads", "gpuLayers", "chatMaxTokens", "chatIdleMinutes"),
    *("serverPath", "installSource"),
)
"""The settings that a user may want to change, in the order in which VS Code shows them. The others are advanced."""


def configuration() -> list[dict[str, Any]]:
    """``contributes.configuration``: two groups of settings."""
    schema = Settings.model_json_schema(by_alias=True)
    known = {name: _property(name, about, schema) for name, about in schema["properties"].items()}
    known.update(OWN)
    advanced = [name for name in known if name not in FIRST]
    return [
        {"title": "CodeGemma", "order": 1, "properties": _ordered(FIRST, known)},
        {"title": "Advanced", "order": 2, "properties": _ordered(advanced, known)},
    ]


def properties(groups: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The settings of all groups by name."""
    return {name: about for group in groups for name, about in group["properties"].items()}


def _ordered(names: Iterable[str], known: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Without an order, VS Code sorts settings by name."""
    return {f"{SECTION}.{name}": {"order": order, **known[name]} for order, name in enumerate(names, 1)}


def _property(name: str, about: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in about:
        about = {**schema["$defs"][about["$ref"].rsplit("/", 1)[-1]], **about}
    kept = ("type", "default", "enum", "items", "additionalProperties", "minimum", "maximum", "minLength")
    return {
        **{key: about[key] for key in kept if key in about},
        "scope": "machine" if name in _MACHINE else "window",
        "markdownDescription": about["description"],
    }


def main() -> None:
    package = json.loads(PACKAGE.read_text("utf-8"))
    package["contributes"]["configuration"] = groups = configuration()
    package["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"] = list(properties(groups))
    PACKAGE.write_text(json.dumps(package, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
