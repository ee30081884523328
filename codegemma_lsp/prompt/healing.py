"""Token healing: the last token before the cursor is left out of the prompt, and the model generates it again."""

from __future__ import annotations

from codegemma_lsp.prompt.segments import Tokenizer
from codegemma_lsp.text import line_start


def healed(text: str, tokenizer: Tokenizer) -> tuple[str, bytes]:
    """Returns the text without its last token, and that token's bytes. More tokens are removed until a code point ends
    there, and none if the tokenizer does not know its pieces."""
    line = line_start(text, len(text))
    line = line if line < len(text) else line_start(text, max(0, len(text) - 1))
    tokens = tokenizer.encode(text[line:])
    forced_prefix = b""
    while tokens:
        forced_prefix = tokenizer.piece(tokens.pop()) + forced_prefix
        try:
            spelled = forced_prefix.decode()
        except UnicodeDecodeError:
            continue
        return (text[: -len(spelled)], forced_prefix) if spelled and text.endswith(spelled) else (text, b"")
    return text, b""
