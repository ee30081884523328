"""Measures what a keystroke costs besides the model: types into a file of 5 000 lines through the real pipeline.

Prints the median and the 95th percentile, in milliseconds, of everything that is not the model's: parsing, context,
prompt, clean-up. Run with the checkout's environment: ``.venv/bin/python scripts/overhead.py``.
"""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path

from codegemma_lsp import engines
from codegemma_lsp.completion import Memory, Origin, Query, complete
from codegemma_lsp.document import Document, Edit, Span
from codegemma_lsp.settings import Settings

LINES = 5_000
KEYSTROKES = 200
TYPED_AT = "def edges("


async def main() -> None:
    source = (Path(__file__).parents[1] / "codegemma_lsp" / "completion" / "clean.py").read_text("utf-8")
    at = source.index(TYPED_AT)
    typed = source[at : at + KEYSTROKES]
    filler = "\n\n".join([source] * (LINES // source.count("\n")))
    begin = filler.find(TYPED_AT, len(filler) // 2)
    document = Document("file:///big.py", filler[:begin] + filler[begin + KEYSTROKES :], "python")
    settings = Settings(min_confidence=-9)
    engine = engines.load(settings)
    memory, own = Memory(), list[float]()
    try:
        for i, character in enumerate(typed):
            document = document.with_edit(Edit(Span(begin + i, begin + i), character))
            outcome = await complete(Query(document, begin + i + 1, "big.py"), memory, engine, settings)
            if outcome.origin is Origin.MODEL:
                own.append(outcome.ms["own"])
    finally:
        engine.close()
    own.sort()
    print(f"{document.line_count} lines, {len(own)} completions by the model")
    print(f"own overhead: median {statistics.median(own):.2f} ms, 95th percentile {own[int(0.95 * len(own))]:.2f} ms")


if __name__ == "__main__":
    asyncio.run(main())
