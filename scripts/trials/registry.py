"""All trials, in the order in which they are shown."""

from __future__ import annotations

from scripts.trials import abuse, cancels, deaths, edits, forgeries, suggestions
from scripts.trials.trial import Trial

TRIALS: tuple[Trial, ...] = (
    edits.TRIAL,
    cancels.TRIAL,
    suggestions.TRIAL,
    deaths.TRIAL,
    forgeries.TRIAL,
    abuse.TRIAL,
)


def find(name: str) -> Trial:
    """Returns a trial by its name."""
    return next(trial for trial in TRIALS if trial.name == name)
