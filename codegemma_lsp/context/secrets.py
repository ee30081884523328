"""Detects texts that contain a secret, such as a key or a password, so that they reach no prompt."""

from __future__ import annotations

import threading
from functools import lru_cache

_LEFT_OUT = frozenset({"Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector"})
"""The names of the detectors that take hashes, addresses and test data for secrets."""
_scanning = threading.Lock()
"""Held during a scan, because detect-secrets has one configuration for the whole process."""


@lru_cache(maxsize=512)
def holds_secret(text: str) -> bool:
    """Returns whether one of a text's lines has a literal that looks like a key, a token or a password."""
    # The import takes a quarter of a second, and most sessions begin without it.
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.core.scan import scan_line
    from detect_secrets.settings import transient_settings

    detectors: list[type] = list(get_mapping_from_secret_type_to_class().values())
    names = {detector.__name__ for detector in detectors} - _LEFT_OUT
    with _scanning, transient_settings({"plugins_used": [{"name": name} for name in sorted(names)]}):
        return any(True for line in text.split("\n") for _ in scan_line(line))
