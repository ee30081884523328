"""All trials, in the order in which they are shown."""

from __future__ import annotations

from scripts.trials import (
    abuse,
    cancels,
    deaths,
    disk,
    edits,
    forgeries,
    memory,
    planted,
    soak,
    suggestions,
    templates,
    workspaces,
)
from scripts.trials.trial import Trial

TRIALS: tuple[Trial, ...] = (
    edits.TRIAL,
    cancels.TRIAL,
    suggestions.TRIAL,
    deaths.TRIAL,
    forgeries.TRIAL,
    memory.TRIAL,
    disk.TRIAL,
    abuse.TRIAL,
    planted.TRIAL,
    templates.TRIAL,
    workspaces.TRIAL,
    soak.TRIAL,
)


def find(name: str) -> Trial:
    """Returns a trial by its name."""
    return next(trial for trial in TRIALS if trial.name == name)
