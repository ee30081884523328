"""Measures what a keystroke costs without the model, in files of 100 to 50,000 lines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from codegemma_lsp.benchmarks.statistics import percentile
from codegemma_lsp.benchmarks.typing.replay import PATIENCE_S, Pressed, Record
from codegemma_lsp.benchmarks.typing.server import SERVER, CodegemmaServer
from codegemma_lsp.benchmarks.typing.sessions import PACKAGE, Act
from codegemma_lsp.document import Document, Edit, Span

LENGTHS = (100, 300, 1_000, 3_000, 10_000, 30_000, 50_000)
_LINE = 48
"""The line of the source below which a line is typed, in the middle copy of it, so that the text around the cursor does
not depend on the length."""
_TYPED = "        if found is None and text[offset] in values:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """Milliseconds from a key to its answer less the model's time, and of the callbacks on the server's event loop."""

    lines: int
    own_p50_ms: float
    own_p95_ms: float
    loop_p99_ms: float
    loop_max_ms: float


async def measure(settings: dict[str, Any], lengths: Sequence[int] = LENGTHS) -> list[Length]:
    """Types a line in the middle of files of these lengths, which are in lines."""
    server = CodegemmaServer(
        SERVER,
        {**settings, "answerWithinMs": 0, "prefetch": False},
        module="codegemma_lsp.benchmarks.typing.loop_profiler",
    )
    await server.start()
    try:
        return [await _length(server, lines) for lines in lengths]
    finally:
        await server.stop()


async def _length(server: CodegemmaServer, lines: int) -> Length:
    source = (PACKAGE / "syntax" / "excerpt.py").read_text("utf-8").split("\n")
    text = "\n".join((source * (1 + lines // len(source)))[:lines])
    above = lines // 2 // len(source) * len(source) + min(_LINE, lines // 2)
    at = len("\n".join(text.split("\n")[:above])) + 1
    text = text[:at] + "\n" + text[at:]
    document = Document(uri=f"file:///workspace/lines{lines}.py", text=text, language="python", version=1)
    record, first = Record(), len(server.reports)
    await server.open(document, record)
    await server.loop_ms()
    for i, char in enumerate(_TYPED):
        edit = Edit(Span(at + i, at + i), char)
        document = document.with_edit(edit, document.version + 1)
        record.keys[document.version] = Pressed(at=time.perf_counter(), number=i, act=Act.TYPE)
        server.key(document, at + i + 1, edit)
        await record.until_answered(document.version, PATIENCE_S)
    loop = await server.loop_ms()
    await server.close()
    model = {r.version: r.ms.queue + r.ms.prefill + r.ms.decode for r in server.reports[first:] if r.origin == "model"}
    own = [1000 * (a.at - record.keys[a.version].at) - model[a.version] for a in record.answers if a.version in model]
    if not own:
        raise RuntimeError(f"The model was not asked once in {lines} lines; choose another one.")
    return Length(
        lines=lines,
        own_p50_ms=percentile(own, 50),
        own_p95_ms=percentile(own, 95),
        loop_p99_ms=percentile(loop, 99),
        loop_max_ms=max(loop),
    )
