"""What can go wrong with models. ``str()`` of each error is one sentence: what failed, why, and what to do."""

from __future__ import annotations


class ModelError(Exception):
    """Something about a model that the user can act on."""


class ModelMissing(ModelError):
    """There is no such model on this machine."""


class PullFailed(ModelError):
    """A model could not be fetched."""


class DiskFull(PullFailed):
    """There is no room for a model; no other source would change that."""


class PullInterrupted(PullFailed):
    """The user ended a transfer (Ctrl+C)."""


class ImportRefused(ModelError):
    """A file that cannot become a model of the store."""
