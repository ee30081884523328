"""The errors of models. ``str()`` of each is one sentence: what failed, why, and what to do."""

from __future__ import annotations


class ModelError(Exception):
    """An error about a model that the user can act on."""


class ModelMissing(ModelError):
    """There is no such model on this machine."""


class NotSuited(ModelError):
    """A model is not made for the use that was asked for."""


class PullFailed(ModelError):
    """A model could not be downloaded."""


class DiskFull(PullFailed):
    """There is no space for a model. Another source would not help."""


class PullInterrupted(PullFailed):
    """The user interrupted a transfer (Ctrl+C, or a request that was cancelled)."""


class ImportRefused(ModelError):
    """A file cannot become a model of the store."""
