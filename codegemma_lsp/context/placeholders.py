"""Stands placeholders in for secrets, in texts whose answer may have to give them back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from codegemma_lsp.context.secrets import replaced, secret_spans

_STEM = "hidden_secret_"
_LONG = 8
"""The number of code points from which a secret without a digit is hidden wherever it stands."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """Texts in which each secret is a placeholder, the same one wherever the secret is the same.

    ``secrets`` has the secret of each placeholder.
    """

    texts: tuple[str, ...]
    secrets: dict[str, str] = field(default_factory=dict)

    def revealed(self, text: str) -> str:
        """Returns a text with the secrets in place of their placeholders."""
        if not self.secrets:
            return text
        names = "|".join(map(re.escape, self.secrets))
        return re.sub(rf"(?:{names})(?!\d)", lambda found: self.secrets[found[0]], text)

    def redacted(self) -> Hidden:
        """Returns the same texts, of which no secret is revealed."""
        return replace(self, secrets=dict.fromkeys(self.secrets, "…"))

    def has_unknown(self, text: str) -> bool:
        """Returns whether a text has a placeholder that stands for nothing, which only a model can have made up."""
        stem = next(iter(self.secrets), "").rstrip("0123456789")
        return bool(stem) and stem in self.revealed(text)

    def revealed_so_far(self, text: str) -> str:
        """Returns what ``revealed`` does for a text that may continue: only more is added to it later. An end that may
        become a placeholder, or another one, is left out."""
        longest = max((len(name) for name in self.secrets), default=0)
        ends = (len(text) - size for size in range(min(longest, len(text)), 0, -1))
        at = next((at for at in ends if any(name.startswith(text[at:]) for name in self.secrets)), len(text))
        return self.revealed(text[:at])


def hidden(texts: Sequence[str]) -> Hidden:
    """Returns texts without their secrets. A secret of one text is also hidden where another text has it without the
    name or the address by which it was found, unless it is a short word."""
    spans = [secret_spans(text) for text in texts]
    found = dict.fromkeys(
        text[span.start : span.end] for text, of_text in zip(texts, spans, strict=True) for span in of_text
    )
    if not found:
        return Hidden(tuple(texts))
    stem = _unused(texts)
    names = {secret: f"{stem}{number}" for number, secret in enumerate(found, 1)}
    shown = (
        replaced(text, [(span, names[text[span.start : span.end]]) for span in of_text])
        for text, of_text in zip(texts, spans, strict=True)
    )
    return Hidden(tuple(_without(text, names) for text in shown), {name: secret for secret, name in names.items()})


def _without(text: str, names: dict[str, str]) -> str:
    secrets = sorted(filter(_is_unlikely_elsewhere, names), key=len, reverse=True)
    if not secrets:
        return text
    anywhere = "|".join(re.escape(secret) for secret in secrets)
    return re.sub(rf"(?<!\w)(?:{anywhere})(?!\w)", lambda found: names[found[0]], text)


def _is_unlikely_elsewhere(secret: str) -> bool:
    """Returns whether a secret is hardly the name of something else."""
    return len(secret) >= _LONG or any(map(str.isdigit, secret))


def _unused(texts: Sequence[str]) -> str:
    """Returns the beginning of the placeholders, which no text contains."""
    stem = _STEM
    while any(stem in text for text in texts):
        stem += "_"
    return stem
