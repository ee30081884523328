"""The settings, as one frozen model, and the sources of their values."""

from codegemma_lsp.settings.schema import (
    SECTION,
    KvCache,
    OtherFilesFrom,
    Popup,
    Problem,
    Settings,
    parse,
    section,
    sound,
)

__all__ = ["SECTION", "KvCache", "OtherFilesFrom", "Popup", "Problem", "Settings", "parse", "section", "sound"]
