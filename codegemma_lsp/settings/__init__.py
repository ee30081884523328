"""Settings: one frozen model, and where its values come from."""

from codegemma_lsp.settings.schema import SECTION, KvCache, Popup, Problem, Settings, parse, section, sound

__all__ = ["SECTION", "KvCache", "Popup", "Problem", "Settings", "parse", "section", "sound"]
