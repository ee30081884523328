"""Detects secrets in a text, such as keys and passwords, so that they reach no prompt."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

from codegemma_lsp.document import Span

_LEFT_OUT = frozenset({"Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector"})
"""The names of the detectors that take hashes, addresses and test data for secrets."""
_scanning = threading.Lock()
"""Held during a scan, because detect-secrets has one configuration for the whole process."""
_known_lines: dict[str, tuple[Span, ...]] = {}
"""Lines that were scanned, and where their secrets are. Guarded by ``_scanning``."""
_MOST_LINES = 50_000
_SHORTEST = 8
"""The number of code points from which a line is scanned."""
_LONGEST = 20_000
"""The number of code points from which a line is data; only its beginning is scanned."""
_PART_OF_SECRET = r"[\w+/=.-]*"
"""Matches what is around the part of a token that a detector reports."""
_SECRET_NAME = r"[\w.-]*(?:password|passwd|pwd|secret|token|api_?-?key|access_?-?key|private_?-?key|credential)[\w.-]*"
_UNQUOTED = re.compile(
    rf"^(?:\s*(?:export|set|ENV|ARG)\s+)?{_SECRET_NAME}=(?P<env>[^\s'\"`$<>(){{}}\[\],;]{{8,}})\s*$"
    rf"|^\s*(?:-\s+)?{_SECRET_NAME}:\s+(?P<yaml>[^\s'\"`$<>(){{}}\[\],;]{{8,}})\s*$"
    rf"|\b{_SECRET_NAME}\s*:?=\s*(?P<quote>[\"'`])(?P<quoted>[^\s\"'`$<>(){{}}]{{8,}})(?P=quote)"
    r"|\bBearer\s+(?P<bearer>[\w.~+/=-]{16,})",
    re.IGNORECASE,
)
"""Matches secrets that detect-secrets finds only in files of certain names: those without quotes, as in environment
files and YAML, ``:=`` of Go, and headers. What has no digit is taken for a word."""
_ESCAPED = re.compile(r"(?:\\.|[^\"'`\\])*")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
_KEY_LENGTH = 10_000
_KEY_DATA = re.compile(r"[A-Za-z0-9+/=]{40,}")


@lru_cache(maxsize=512)
def holds_secret(text: str) -> bool:
    """Returns whether one of a text's lines has something that looks like a key, a token or a password."""
    from detect_secrets.core.scan import scan_line

    if any(_unquoted(line) for line in text.split("\n")):
        return True
    with _detectors():
        return any(True for line in text.split("\n") for _ in scan_line(line))


def masked(text: str) -> str:
    """Returns a text in which each code point of a secret is an ``x``, so that all offsets stay as they are. A text
    without secrets is returned as it is."""
    spans = secret_spans(text)
    return replaced(text, [(span, "x" * len(span)) for span in spans]) if spans else text


def masked_around(text: str, offset: int, reach: int) -> str:
    """Returns a text whose lines are masked as far as ``reach`` code points from an offset."""
    start = text.rfind("\n", 0, max(0, offset - reach)) + 1
    end = text.find("\n", min(len(text), offset + reach))
    near = text[start:] if end < 0 else text[start:end]
    shown = masked(near)
    return text if shown is near else text[:start] + shown + text[start + len(near) :]


def secret_spans(text: str) -> list[Span]:
    """Returns where the secrets of a text are: disjoint spans in ascending order."""
    lines = text.split("\n")
    known = {line: found for line in lines if (found := _known_lines.get(line)) is not None}
    if new := [line for line in dict.fromkeys(lines) if len(line) >= _SHORTEST and line not in known]:
        known |= _scan(new)
    spans, start = _spans_of_key_data(text), 0
    for line in lines:
        spans += [Span(start + one.start, start + one.end) for one in known.get(line, ())]
        start += len(line) + 1
    return _disjoint(spans)


def replaced(text: str, parts: Sequence[tuple[Span, str]]) -> str:
    """Returns a text in which disjoint spans, in ascending order, have other texts."""
    shown, at = [], 0
    for span, other in parts:
        shown += [text[at : span.start], other]
        at = span.end
    return "".join([*shown, text[at:]])


def _scan(lines: Sequence[str]) -> dict[str, tuple[Span, ...]]:
    """Returns where the secrets of lines are, and remembers it."""
    from detect_secrets.core.scan import scan_line

    found: dict[str, tuple[Span, ...]] = {}
    with _detectors():
        for line in lines:
            values = {secret.secret_value for secret in scan_line(line[:_LONGEST])}
            detected = _spans_of(line, [value for value in values if value and "PRIVATE KEY" not in value])
            found[line] = tuple(_disjoint([*detected, *_unquoted(line[:_LONGEST])]))
        if len(_known_lines) > _MOST_LINES:
            _known_lines.clear()
        _known_lines.update(found)
    return found


def _spans_of(line: str, secrets: Sequence[str]) -> tuple[Span, ...]:
    matches = (
        match
        for secret in secrets
        for match in re.finditer(f"{_PART_OF_SECRET}{re.escape(secret)}{_PART_OF_SECRET}", line)
    )
    return tuple(_disjoint([Span(match.start(), _end(line, match.end())) for match in matches]))


def _end(line: str, end: int) -> int:
    """Returns where a secret ends that is reported only up to an escaped quote."""
    if not line[:end].endswith("\\"):
        return end
    rest = _ESCAPED.match(line, end - 1)
    return rest.end() if rest is not None else end


def _unquoted(line: str) -> list[Span]:
    spans = [
        Span(*match.span(name))
        for match in _UNQUOTED.finditer(line)
        for name in ("env", "yaml", "quoted", "bearer")
        if match[name]
    ]
    return [span for span in spans if any(map(str.isdigit, line[span.start : span.end]))]


def _spans_of_key_data(text: str) -> list[Span]:
    spans: list[Span] = []
    for begin in _PRIVATE_KEY.finditer(text):
        end = text.find("-----END", begin.end(), begin.end() + _KEY_LENGTH)
        end = end if end >= 0 else begin.end() + _KEY_LENGTH
        spans += [Span(match.start(), match.end()) for match in _KEY_DATA.finditer(text, begin.start(), end)]
    return spans


def _disjoint(spans: Sequence[Span]) -> list[Span]:
    """Returns spans in ascending order, with those that overlap joined."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda one: one.start):
        if joined and span.start < joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


@contextmanager
def _detectors() -> Iterator[None]:
    # The import takes a quarter of a second.
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.settings import transient_settings

    detectors: list[type] = list(get_mapping_from_secret_type_to_class().values())
    names = {detector.__name__ for detector in detectors} - _LEFT_OUT
    with _scanning, transient_settings({"plugins_used": [{"name": name} for name in sorted(names)]}):
        yield
