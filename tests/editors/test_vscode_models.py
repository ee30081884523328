"""A model chosen, downloaded and used in a real VS Code. The hub is none."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from codegemma_lsp.models import BUNDLED, model_path
from tests.editors.test_vscode import needs_vscode
from tests.editors.vscode import ROOT, Code, chrome, vscode
from tests.hub import CONTENT, REPO, Hub, serving
from tests.test_model_requests import WITH_TINY

pytestmark = [
    needs_vscode,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
TITLE = "CodeGemma: choose a model"


@dataclass
class Place:
    code: Code
    hub: Hub
    models: Path
    config: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """VS Code with a server that knows of a model ``tiny`` on the hub, and has one, ``mine``."""
    folder = tmp_path_factory.mktemp("bin")
    models, config, program = folder / "models", folder / "config.toml", folder / "codegemma-lsp"
    models.mkdir()
    (models / "mine.gguf").hardlink_to(model_path(BUNDLED))
    program.write_text(f"#!/bin/sh\nexec {shlex.join((sys.executable, '-c', WITH_TINY))}\n")
    program.chmod(0o755)
    with serving() as hub, chrome() as browser:
        variables = {
            "CODEGEMMA_MODELS": str(models),
            "CODEGEMMA_CONFIG": str(config),
            "HF_ENDPOINT": hub.address,
            "PYTHONPATH": str(ROOT),
        }
        settings = {"codegemma.serverPath": str(program)}
        with vscode(browser, tmp_path_factory.mktemp("vscode"), settings, **variables) as code:
            yield Place(code, hub, models, config)


@pytest.fixture(autouse=True)
def _begin(place: Place) -> None:
    place.hub.pause, place.hub.always = 0, None
    (place.models / "tiny.gguf").unlink(missing_ok=True)
    place.config.write_text("", "utf-8")
    place.code.open("models.py", "ANSWER = 42\n")


def rows(code: Code) -> list[str]:
    found = code.page.locator(".quick-input-list .monaco-list-row:visible")
    return [found.nth(i).inner_text() for i in range(found.count())]


def choose(code: Code, name: str) -> None:
    code.command("CodeGemma: Choose a Model")
    code.choose(TITLE, name)


def test_the_list_says_what_is_here_and_what_it_would_take(place: Place) -> None:
    code = place.code
    code.command("CodeGemma: Choose a Model")
    code.page.wait_for_selector(f".quick-input-title:has-text('{TITLE}')")
    code.until(lambda: any("nano" in row for row in rows(code)), "the list")
    code.shot("models")
    shown = "\n".join(rows(code))
    assert "the best model on this machine" in shown
    assert re.search(r"nano\s*9 MB, completes", shown)
    code.page.keyboard.type("qwen2.5-coder-1.5b")
    code.until(lambda: len(rows(code)) == 1 and "1.1 GB" in rows(code)[0], "one of them")
    assert re.search(r"of memory · licence: Apache-2.0 · completion and chat", rows(code)[0])
    code.page.keyboard.press("Escape")


def test_a_model_is_chosen(place: Place) -> None:
    code = place.code
    choose(code, "mine")
    code.notice("mine is used for completion now.")
    code.until(lambda: code.status().startswith("Ready with mine"), "it is loaded")
    assert place.config.read_text("utf-8") == 'model = "mine"\n'


def test_a_download_is_asked_for_shown_and_used(place: Place) -> None:
    code, hub = place.code, place.hub
    hub.pause = 1
    choose(code, "tiny")
    code.page.wait_for_selector(".quick-input-title:has-text('tiny is not on this machine')")
    code.until(lambda: code.entry("Read the licence"), "the licence can be read")
    assert "applies to you once you download it" in "\n".join(rows(code))
    code.page.keyboard.press("Enter")
    toast = code.notice("downloading tiny")
    code.until(lambda: re.search(r"\d+%, \d of 1 MB, from ", toast.inner_text()), "how far it is")
    code.shot("download")
    code.until(lambda: (place.models / "tiny.gguf").exists(), "it is there")
    assert (place.models / "tiny.gguf").read_bytes() == CONTENT
    code.notice("tiny is used for completion now.")


def test_a_download_is_cancelled(place: Place) -> None:
    code, hub = place.code, place.hub
    hub.pause = 2
    choose(code, "tiny")
    code.page.wait_for_selector(".quick-input-title:has-text('tiny is not on this machine')")
    code.page.keyboard.press("Enter")
    code.notice("downloading tiny").locator("a", has_text="Cancel").click()
    center = code.page.locator(".notifications-center .notification-list-item")
    code.until(lambda: not center.filter(has_text="downloading tiny").count(), "it is over", 5)
    assert not (place.models / "tiny.gguf").exists()
    assert not center.filter(has_text="could not").count()


def test_a_gated_model_says_where_its_terms_are(place: Place) -> None:
    code = place.code
    place.hub.always = 401, {"X-Error-Code": "GatedRepo"}
    choose(code, "tiny")
    code.page.wait_for_selector(".quick-input-title:has-text('tiny is not on this machine')")
    code.page.keyboard.press("Enter")
    said = code.notice(f"accept its terms on https://huggingface.co/{REPO}")
    code.shot("gated")
    assert said.locator("a", has_text="Open the page").count()
    said.locator("a", has_text="Choose again").click()
    code.page.wait_for_selector(f".quick-input-title:has-text('{TITLE}')")
    code.page.keyboard.press("Escape")


def test_the_walkthrough_has_the_list(place: Place) -> None:
    code = place.code
    code.command("Welcome: Open Walkthrough...")
    code.until(lambda: code.entry("to the first suggestion"), "the walkthroughs")
    code.page.keyboard.type("CodeGemma")
    code.page.wait_for_timeout(500)
    code.page.keyboard.press("Enter")
    code.page.locator(".getting-started-step", has_text="Get a model").click()
    code.page.wait_for_timeout(1000)
    code.shot("walkthrough")
    code.page.locator(".getting-started-step .monaco-button", has_text="Choose a model").click()
    code.page.wait_for_selector(f".quick-input-title:has-text('{TITLE}')")
    code.page.keyboard.press("Escape")


def test_a_choice_goes_before_the_setting(place: Place) -> None:
    code = place.code
    code.set({"codegemma.model": "mine"})
    code.until(lambda: code.status().startswith("Ready with mine"), "the setting's model is loaded")
    choose(code, "nano")
    code.notice("codegemma.model, which goes before the choice, is no longer set")
    code.until(lambda: code.status().startswith("Ready with nano"), "it is loaded")
    assert place.config.read_text("utf-8") == 'model = "nano"\n'
