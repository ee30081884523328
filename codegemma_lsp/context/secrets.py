"""Detects secrets in a text, such as keys and passwords, so that they reach no prompt."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

_LEFT_OUT = frozenset({"Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector"})
"""The names of the detectors that take hashes, addresses and test data for secrets."""
_scanning = threading.Lock()
"""Held during a scan, because detect-secrets has one configuration for the whole process."""
_masked_lines: dict[str, str] = {}
"""Lines that were scanned, and how they are shown. Guarded by ``_scanning``."""
_MOST_LINES = 50_000
_SHORTEST = 8
"""The number of code points from which a line is scanned."""
_LONGEST = 20_000
"""The number of code points from which a line is data; only its beginning is scanned."""
_PART_OF_SECRET = r"[\w+/=.-]*"
"""Matches what is around the part of a token that a detector reports."""
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
_KEY_LENGTH = 10_000
_KEY_DATA = re.compile(r"[A-Za-z0-9+/=]{40,}")


@lru_cache(maxsize=512)
def holds_secret(text: str) -> bool:
    """Returns whether one of a text's lines has a literal that looks like a key, a token or a password."""
    from detect_secrets.core.scan import scan_line

    with _detectors():
        return any(True for line in text.split("\n") for _ in scan_line(line))


def masked(text: str) -> str:
    """Returns a text in which each code point of a secret is an ``x``, so that all offsets stay as they are. A text
    without secrets is returned as it is."""
    lines = text.split("\n")
    known = {line: found for line in lines if (found := _masked_lines.get(line)) is not None}
    if new := [line for line in dict.fromkeys(lines) if len(line) >= _SHORTEST and line not in known]:
        known |= _scan(new)
    shown = [known.get(line, line) for line in lines]
    return _without_key_data(text if shown == lines else "\n".join(shown))


def masked_around(text: str, offset: int, reach: int) -> str:
    """Returns a text whose lines are masked as far as ``reach`` code points from an offset."""
    start = text.rfind("\n", 0, max(0, offset - reach)) + 1
    end = text.find("\n", min(len(text), offset + reach))
    near = text[start:] if end < 0 else text[start:end]
    shown = masked(near)
    return text if shown is near else text[:start] + shown + text[start + len(near) :]


def _scan(lines: Sequence[str]) -> dict[str, str]:
    """Returns how lines are shown, and remembers it."""
    from detect_secrets.core.scan import scan_line

    shown: dict[str, str] = {}
    with _detectors():
        for line in lines:
            found = [secret.secret_value for secret in scan_line(line[:_LONGEST])]
            shown[line] = _without(line, [value for value in found if value and "PRIVATE KEY" not in value])
        if len(_masked_lines) > _MOST_LINES:
            _masked_lines.clear()
        _masked_lines.update(shown)
    return shown


def _without(line: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        line = re.sub(f"{_PART_OF_SECRET}{re.escape(secret)}{_PART_OF_SECRET}", lambda found: "x" * len(found[0]), line)
    return line


def _without_key_data(text: str) -> str:
    for begin in _PRIVATE_KEY.finditer(text):
        end = text.find("-----END", begin.end(), begin.end() + _KEY_LENGTH)
        end = end if end >= 0 else begin.end() + _KEY_LENGTH
        data = _KEY_DATA.sub(lambda found: "x" * len(found[0]), text[begin.start() : end])
        text = text[: begin.start()] + data + text[end:]
    return text


@contextmanager
def _detectors() -> Iterator[None]:
    # The import takes a quarter of a second.
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.settings import transient_settings

    detectors: list[type] = list(get_mapping_from_secret_type_to_class().values())
    names = {detector.__name__ for detector in detectors} - _LEFT_OUT
    with _scanning, transient_settings({"plugins_used": [{"name": name} for name in sorted(names)]}):
        yield
