"""What the README says of the settings is what the settings are."""

from __future__ import annotations

from pathlib import Path

from codegemma_lsp.settings import Settings

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- settings -->\n", "<!-- /settings -->"


def table() -> str:
    rows = ["| setting | default | |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = Settings.model_validate({}).model_dump(mode="json")[name]
        shown = {True: "true", False: "false"}.get(default, default) if isinstance(default, bool) else default
        rows.append(f"| `{field.alias}` | `{shown}` | {field.description} |")
    return "\n".join(rows) + "\n"


def test_the_table_of_settings_is_up_to_date() -> None:
    text = README.read_text("utf-8")
    written = text[text.index(BEGIN) + len(BEGIN) : text.index(END)]
    assert written == table(), f"put this between the marks in README.md:\n{table()}"
