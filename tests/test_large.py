"""Large and odd input costs what is near the cursor."""

from __future__ import annotations

import pytest

from codegemma_lsp.completion import DocumentState, Query, complete
from codegemma_lsp.document import Document
from codegemma_lsp.settings import Settings
from tests.scripted import Bytes, ScriptedEngine

LINE = "".join(f"function a{i}(b){{return b+{i}}};" for i in range(100_000))
LINES = "\n".join(f"x{i} = {i}" for i in range(50_000))


class CountingTokenizer(Bytes):
    def __init__(self) -> None:
        self.characters = 0

    def encode(self, text: str) -> list[int]:
        self.characters += len(text)
        return super().encode(text)


@pytest.mark.parametrize("text", [LINE, LINES], ids=["one line", "many lines"])
@pytest.mark.parametrize("share", [0, 0.5, 1])
async def test_what_is_tokenized_does_not_grow_with_the_file(text: str, share: float) -> None:
    """Counted in characters, on a vocabulary that remembers nothing: a file 20 times as long costs no more."""
    counts = []
    for size in (len(text) // 20, len(text)):
        engine = ScriptedEngine("a")
        engine.context_tokens = 2048
        engine.tokenizer = counting = CountingTokenizer()
        document, offset = Document(uri="file:///a", text=text[:size], language="javascript"), int(share * (size - 1))
        await complete(
            Query(document=document, offset=offset, path="a.js", explicit=True), DocumentState(), engine, Settings()
        )
        counts.append(counting.characters)
    assert counts[1] <= 1.5 * counts[0] + 20_000


async def test_a_jump_across_a_large_file_tokenizes_little() -> None:
    engine, state = ScriptedEngine("a"), DocumentState()
    engine.context_tokens = 2048
    engine.tokenizer = counting = CountingTokenizer()
    document = Document(uri="file:///a", text=LINES, language="python")
    await complete(Query(document=document, offset=10, path="a.py", explicit=True), state, engine, Settings())
    before = counting.characters
    await complete(Query(document=document, offset=len(LINES), path="a.py", explicit=True), state, engine, Settings())
    assert counting.characters - before < 300_000
