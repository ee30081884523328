"""Stands placeholders in for secrets, in texts whose answer may have to give them back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from codegemma_lsp.context.secrets import replaced, secret_spans

_STEM = "hidden_secret_"


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
        # The longest come first, because one placeholder may begin another.
        names = "|".join(re.escape(name) for name in sorted(self.secrets, key=len, reverse=True))
        return re.sub(names, lambda found: self.secrets[found[0]], text)

    def revealed_so_far(self, text: str) -> str:
        """Returns what ``revealed`` does for a text that may continue: only more is added to it later. An end that may
        become a placeholder, or another one, is left out."""
        longest = max((len(name) for name in self.secrets), default=0)
        ends = (len(text) - size for size in range(min(longest, len(text)), 0, -1))
        at = next((at for at in ends if any(name.startswith(text[at:]) for name in self.secrets)), len(text))
        return self.revealed(text[:at])


def hidden(texts: Sequence[str]) -> Hidden:
    """Returns texts without their secrets. A secret of one text is also hidden where another text has it without the
    name or the address by which it was found, unless it is a plain word."""
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
    secrets = sorted((secret for secret in names if not secret.isalpha()), key=len, reverse=True)
    if not secrets:
        return text
    anywhere = "|".join(re.escape(secret) for secret in secrets)
    return re.sub(rf"(?<!\w)(?:{anywhere})(?!\w)", lambda found: names[found[0]], text)


def _unused(texts: Sequence[str]) -> str:
    """Returns the beginning of the placeholders, which no text contains."""
    stem = _STEM
    while any(stem in text for text in texts):
        stem += "_"
    return stem
