"""Writes the table of packages into the architecture document: run it when architecture.toml has changed."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "codegemma_lsp"
DOCUMENT = PACKAGE / "docs" / "architecture.md"
COMMAND = "python scripts/architecture.py"
RULES: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
_BEGIN, _END = "<!-- packages -->\n", "<!-- /packages -->\n"


def with_table(document: str) -> str:
    """The document with the table as the rules have it, between its markers."""
    before, begin, rest = document.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{DOCUMENT} lacks the line {_BEGIN.strip()} or the line {_END.strip()}.")
    return f"{before}{begin}{_table()}{end}{after}"


def _table() -> str:
    rows = ["| Package | Its one job | May import (of codegemma_lsp) |\n", "|---|---|---|\n"]
    for name, rules in RULES["packages"].items():
        shown = f"{name}/" if (PACKAGE / name).is_dir() else f"{name}.py"
        rows.append(f"| `{shown}` | {rules['job']} | {', '.join(rules['may_import']) or 'nothing'} |\n")
    return "".join(rows)


def main() -> None:
    DOCUMENT.write_text(with_table(DOCUMENT.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
