"""Chooses the LoRA adapter of a workspace from the folders that the user has named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from codegemma_lsp.settings.schema import Settings


def with_adapter(settings: Settings, places: Sequence[Path]) -> Settings:
    """Returns the settings with the adapter of the innermost folder in ``adapters`` that contains one of the places,
    which are a workspace's folders, or files. An engine serves all of them, so the first place for which there is an
    adapter decides. Links are followed."""
    if not settings.adapters:
        return settings
    named = {Path(folder).resolve(): adapter for folder, adapter in settings.adapters.items()}
    for place in places:
        around = [folder for folder in named if place.resolve().is_relative_to(folder)]
        if around:
            return settings.model_copy(update={"adapter": named[max(around, key=lambda folder: len(folder.parts))]})
    return settings
