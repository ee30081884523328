"""Token healing: the last piece before the cursor is left to the model to spell."""

from __future__ import annotations

from codegemma_lsp.prompt.types import Tokenizer


def healed(text: str, tokenizer: Tokenizer) -> tuple[str, bytes]:
    """The text without its last piece, and that piece's bytes; pieces are taken until they end a code point."""
    line = line_start(text, len(text))
    line = line if line < len(text) else line_start(text, max(0, len(text) - 1))
    tokens = tokenizer.encode(text[line:])
    spell = b""
    while tokens:
        spell = tokenizer.piece(tokens.pop()) + spell
        try:
            size = len(spell.decode())
        except UnicodeDecodeError:
            continue
        return (text[:-size], spell) if text.endswith(spell.decode()) else (text, b"")
    return text, b""


def line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1
