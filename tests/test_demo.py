"""The first command of the README, but for setting up: what a newcomer sees."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SHOP = ROOT / "tests" / "data" / "shop"
GHOST = re.compile("⟦(.*?)⟧", re.DOTALL)
UNREACHABLE = {"HF_HUB_OFFLINE": "1", "PIP_NO_INDEX": "1"}


def demo(*arguments: str, store: Path, **environment: str) -> str:
    """What the demo prints with the models of a store."""
    known = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "COLUMNS")}
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "tour", *arguments],
        env={**known, "CODEGEMMA_MODELS": str(store), **environment},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    _messages, _, rest = done.stdout.partition("\n\n")
    assert [line for line in rest.split("\n") if len(line) > 100] == []
    return done.stdout


@pytest.fixture(scope="module")
def tour(real_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the demo shows with the small real model in the store and no network, by heading, line numbers taken off."""
    store = tmp_path_factory.mktemp("models")
    (store / "qwen2.5-coder-0.5b.gguf").symlink_to(real_model)
    shown = demo(store=store, **UNREACHABLE)
    assert "Ready with qwen2.5-coder-0.5b" in shown
    parts = [part.partition("\n") for part in re.sub(r"(?m)^ *\d+ │ ", "", shown).split("\n\n")]
    sections: dict[str, str] = {}
    heading = ""
    for first, _, rest in parts:
        if re.match(r"[A-Z]\w*: |Typed|Accepted", first):
            heading = first
            sections[heading] = ""
        if heading:
            sections[heading] += f"{'' if heading == first else first}\n{rest}\n"
    return sections


def section(tour: dict[str, str], heading: str) -> str:
    return next(text for name, text in tour.items() if name.startswith(heading))


def ghost(tour: dict[str, str], heading: str) -> str:
    found = GHOST.search(section(tour, heading))
    assert found is not None, section(tour, heading)
    return found[1]


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def loaded(monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str) -> Any:
    """A file of the shop as a module, with what was suggested in the place of what is there."""
    source = (SHOP / name).read_text("utf-8")
    assert old in source
    module = SimpleNamespace(__name__=name)
    monkeypatch.syspath_prepend(SHOP)
    monkeypatch.setitem(sys.modules, name, module)  # where dataclasses look for it
    exec(compile(source.replace(old, new), name, "exec"), module.__dict__)
    return module


@pytest.mark.timeout(600)
def test_the_python_sum_that_is_suggested_runs(tour: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    suggested = ghost(tour, "Python: the prices")
    shop = loaded(monkeypatch, "items.py", "item.total() for item in items)", suggested)
    assert shop.total([shop.Item("Teapot", 1250, 2), shop.Item("Tea", 300)]) == 2800


@pytest.mark.timeout(600)
def test_two_suggestions_in_a_row_make_a_parser_that_runs(
    tour: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one was ready when the first was accepted. Where it does not return yet, what was parsed is asked
    for: on some processors llama.cpp rounds so that the model takes one line more."""
    suggested = ghost(tour, "Python: a line") + ghost(tour, "Accepted") + "\n    return locals()"
    body = 'name, price, quantity = line.split(";")\n    return Item(name, int(price), int(quantity))'
    shop = loaded(monkeypatch, "reader.py", body, suggested)
    found = shop.parse_item("Teapot;1250;2")
    values = [*found.values()] if isinstance(found, dict) else [found.name, found.price, found.quantity]
    assert "Teapot" in values
    assert 1250 in values
    assert "0 prefill     0 cached    0 new" in section(tour, "Accepted")


@pytest.mark.timeout(600)
def test_what_is_typed_as_suggested_costs_no_tokens(tour: dict[str, str]) -> None:
    whole, rest = squeezed(ghost(tour, "TypeScript")), squeezed(ghost(tour, "Typed"))
    assert re.fullmatch(r"(\w+)\+(\w+\.price\*\w+\.quantity|\w+\.quantity\*\w+\.price),0\);", whole)
    assert whole.endswith(rest)
    assert 0 < len(rest) < len(whole)
    assert "0 prefill     0 cached    0 new" in section(tour, "Typed")


@pytest.mark.timeout(600)
def test_the_go_error_is_returned(tour: dict[str, str]) -> None:
    assert re.match(r"nil,(err$|fmt\.Errorf\(.*err\)$)", squeezed(ghost(tour, "Go: the error")))


@pytest.mark.timeout(600)
def test_the_go_function_is_whole(tour: dict[str, str]) -> None:
    body = squeezed(ghost(tour, "Go: a function"))
    assert re.search(r"for_,(\w+):=rangeorders\{if\1\.Paid\{(\w+)\+=\1\.Cents\}\}return\2$", body)


@pytest.mark.timeout(600)
def test_the_rust_entry_is_put_under_its_number(tour: dict[str, str]) -> None:
    assert squeezed(ghost(tour, "Rust: the entry")) == "entry.sku.clone(),entry);"


@pytest.mark.timeout(600)
def test_the_rust_condition_fits_into_its_line(tour: dict[str, str]) -> None:
    """What stands after the cursor is not suggested again."""
    assert squeezed(ghost(tour, "Rust: a condition")) == "entry.count==0"
    assert "⟧).collect()" in section(tour, "Rust: a condition")


@pytest.mark.timeout(600)
def test_chat_explains_and_documents(tour: dict[str, str]) -> None:
    explained, documented = section(tour, "Chat: a function is explained"), section(tour, "Chat: documentation")
    assert all(word in explained.lower() for word in ("paid", "cents", "order"))
    added = "".join(line.strip() for line in documented.split("\n") if line.strip().startswith("+"))
    assert added.startswith("+  /**")
    assert all(word in added for word in ("line", "cart"))


@pytest.mark.timeout(600)
def test_the_edit_is_a_diff_that_does_what_was_asked(tour: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = section(tour, "Edit").split("\n")
    assert not [line for line in lines if line.startswith("  -")]
    added = "\n".join(line[3:] for line in lines if line.startswith("  +"))
    kept = "    return min(items, key=lambda item: item.price)"
    shop = loaded(monkeypatch, "items.py", kept, f"{added}\n{kept}")
    with pytest.raises(ValueError):
        shop.cheapest([])
    assert shop.cheapest([shop.Item("Teapot", 1250), shop.Item("Tea", 300)]).name == "Tea"


@pytest.mark.timeout(300)
def test_without_a_network_the_bundled_model_gives_the_tour(tmp_path: Path) -> None:
    """One sentence says why, one what is used; nothing is left in the folder of models."""
    shown = demo(store=tmp_path / "models", **UNREACHABLE)
    assert "could not be fetched: the hub is switched off" in shown
    assert "\nSo this tour uses nano" in shown
    assert shown.count("⟦") >= 3
    assert not list((tmp_path / "models").glob("*.gguf"))


@pytest.mark.timeout(300)
def test_nano_is_used_where_it_is_asked_for(tmp_path: Path) -> None:
    shown = demo("--nano", store=tmp_path / "models")
    assert shown.startswith("With --nano this tour uses nano")
    assert "Fetching" not in shown
    assert shown.count("⟦") >= 3
    assert "codegemma-lsp models list" in shown
    assert not (tmp_path / "models").exists()


def test_a_model_that_is_set_and_missing_is_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "tour"],
        env={**os.environ, "CODEGEMMA_MODELS": str(tmp_path), "CODEGEMMA_MODEL": "codegemma-2b"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "demo: The model codegemma-2b is not on this machine; run: codegemma-lsp models pull codegemma-2b\n"
    )
