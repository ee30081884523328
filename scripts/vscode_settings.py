"""Writes the server's settings into the VS Code extension's package.json: run it when Settings has changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codegemma_lsp.settings import SECTION, Settings

PACKAGE = Path(__file__).resolve().parents[1] / "editors" / "vscode" / "package.json"
_MACHINE = frozenset({"model", "chatModel"})
"""What a workspace's own files can never set."""
OWN: dict[str, dict[str, Any]] = {
    "serverPath": {
        "type": "string",
        "default": "",
        "scope": "machine",
        "markdownDescription": "The program `codegemma-lsp`; where it is empty, it is looked for, or installed.",
    },
    "installSource": {
        "type": "string",
        "default": "",
        "scope": "machine",
        "markdownDescription": "What pip installs the server from where there is none: a checkout's folder or a wheel.",
    },
    "disabledFiles": {
        "type": "array",
        "items": {"type": "string"},
        "default": [],
        "scope": "resource",
        "markdownDescription": "Glob patterns of files in which nothing is suggested, such as `**/*.env`.",
    },
}
"""Settings of the extension itself."""


def properties() -> dict[str, dict[str, Any]]:
    """``contributes.configuration.properties``."""
    schema = Settings.model_json_schema(by_alias=True)
    found = {name: _property(name, about, schema) for name, about in schema["properties"].items()}
    return {f"{SECTION}.{name}": about for name, about in {**found, **OWN}.items()}


def _property(name: str, about: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in about:
        about = {**schema["$defs"][about["$ref"].rsplit("/", 1)[-1]], **about}
    kept = ("type", "default", "enum", "items", "minimum", "maximum", "minLength")
    return {
        **{key: about[key] for key in kept if key in about},
        "scope": "machine" if name in _MACHINE else "window",
        "markdownDescription": about["description"],
    }


def main() -> None:
    package = json.loads(PACKAGE.read_text("utf-8"))
    package["contributes"]["configuration"]["properties"] = found = properties()
    package["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"] = list(found)
    PACKAGE.write_text(json.dumps(package, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
