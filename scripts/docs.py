"""Writes the generated parts of the pages in codegemma_lsp/docs, and the JSON schemas beside them: run it when a
setting or a command has changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from codegemma_lsp.cli import completion_json, config
from codegemma_lsp.cli.app import app
from codegemma_lsp.models import CATALOGUE, CHAT_SLOTS
from codegemma_lsp.models.catalogue import Purpose
from codegemma_lsp.settings import Settings

DOCS = Path(__file__).resolve().parents[1] / "codegemma_lsp" / "docs"


def settings_table() -> str:
    """Every setting with its default and its description, as a table in Markdown."""
    rows = ["| setting | default | |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = Settings.model_validate({}).model_dump(mode="json")[name]
        shown = default if isinstance(default, str) and default else json.dumps(default)
        rows.append(f"| `{field.alias}` | `{shown}` | {field.description} |")
    return "\n".join(rows) + "\n"


def models_table() -> str:
    """The catalogue with the memory that each model needs at the default settings, as a table in Markdown."""
    defaults = Settings()
    rows = ["| model | download | memory | licence | use |", "|---|---|---|---|---|"]
    for model in CATALOGUE.values():
        chats_only = model.purpose is Purpose.CHAT
        context = defaults.chat_context_tokens if chats_only else defaults.context_tokens
        memory = model.memory_bytes(context, CHAT_SLOTS if chats_only else defaults.slots)
        size = _gigabytes(model.size) if model.sources else "bundled"
        licence = f"[{model.licence.name}]({model.licence.page})"
        rows.append(f"| `{model.name}` | {size} | {_gigabytes(memory)} | {licence} | {model.about} |")
    return "\n".join(rows) + "\n"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def commands_reference() -> str:
    """Every command with its arguments and options, as sections in Markdown."""
    return "\n".join(_sections(typer.main.get_command(app), "codegemma-lsp"))


def _sections(command: Any, name: str) -> list[str]:
    """A section for a command, or one for each command of a group, and one for a group that is a command itself."""
    inner = [one for sub in sorted(getattr(command, "commands", ())) for one in _section_of(command, sub, name)]
    is_command = not inner or command.invoke_without_command
    return [*(_own_section(command, name) if is_command else ()), *inner]


def _own_section(command: Any, name: str) -> list[str]:
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    records = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    parameters = [record for record in records if "--help" not in record[0]]
    table = ["| argument or option | |", "|---|---|", *map(_row, parameters), ""] if parameters else []
    return [f"## {name}", "", str(command.help), "", f"    {usage}", "", *table]


def _section_of(group: Any, inner: str, name: str) -> list[str]:
    return _sections(group.commands[inner], f"{name} {inner}")


def _row(record: tuple[str, str]) -> str:
    shown, description = (text.replace("|", "\\|") for text in record)
    return f"| `{shown}` | {description} |"


GENERATED = {"settings": settings_table, "models": models_table, "commands": commands_reference}
"""The page of each generated part, which stands between comments with the page's name."""


SCHEMAS = {completion_json.SCHEMA: completion_json.schema, config.SCHEMA: config.schema}
"""The files of JSON schemas, which ship with the package."""


def as_file(schema: dict[str, Any]) -> str:
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def marks(name: str) -> tuple[str, str]:
    """The comments before and after a generated part."""
    return f"<!-- {name} -->\n", f"<!-- /{name} -->"


def written(name: str, page: str) -> str:
    """The generated part as the page has it now."""
    begin, end = marks(name)
    return page[page.index(begin) + len(begin) : page.index(end)]


def main() -> None:
    for name, generated in GENERATED.items():
        path = DOCS / f"{name}.md"
        page = path.read_text("utf-8")
        begin, end = marks(name)
        path.write_text(page.replace(f"{begin}{written(name, page)}{end}", f"{begin}{generated()}{end}"), "utf-8")
    for name, schema in SCHEMAS.items():
        (DOCS / name).write_text(as_file(schema()), "utf-8")


if __name__ == "__main__":
    main()
