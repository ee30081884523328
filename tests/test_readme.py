"""The figures and settings in the README are those of the code, and it begins with the commands that set up."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codegemma_lsp.models import CATALOGUE
from codegemma_lsp.settings import Settings
from scripts.docs import models_table, settings_table

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def rows(page: str) -> dict[str, list[str]]:
    """The cells of each table row whose first cell is code, by that code."""
    found = re.findall(r"^\| `([^`]+)` \| (.*) \|$", page, re.MULTILINE)
    return {name: cells.split(" | ") for name, cells in found}


IN_README = rows(README)


def test_the_readme_is_one_screen_of_about_700_words() -> None:
    words = [word for word in README.split() if re.search(r"\w", word)]
    assert 550 <= len(words) <= 750


def test_the_first_commands_set_up() -> None:
    commands = re.findall(r"^    (\S+)", README, re.MULTILINE)
    assert commands[:2] == ["./scripts/demo", "./scripts/test"]


@pytest.mark.parametrize("name", [field.alias for field in Settings.model_fields.values() if field.alias in IN_README])
def test_a_setting_in_the_readme_has_its_default(name: str) -> None:
    assert IN_README[name][0] == rows(settings_table())[name][0]


def test_the_readme_shows_five_settings() -> None:
    assert len({field.alias for field in Settings.model_fields.values()} & set(IN_README)) == 5


@pytest.mark.parametrize("name", sorted(IN_README.keys() & CATALOGUE.keys()))
def test_a_model_in_the_readme_has_its_size_and_memory(name: str) -> None:
    assert IN_README[name][1:3] == rows(models_table())[name][:2]


def test_the_readme_shows_models() -> None:
    assert len(IN_README.keys() & CATALOGUE.keys()) >= 3
