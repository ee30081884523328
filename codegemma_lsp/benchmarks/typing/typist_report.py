"""The table of the typist's figures."""

from __future__ import annotations

from collections import Counter

from rich.box import SIMPLE_HEAD
from rich.table import Table

from codegemma_lsp.benchmarks.typing.typist_run import TypistFindings

ROWS = (
    ("saved_share", "characters saved", "%"),
    ("right_share", "keys with a right suggestion", "%"),
    ("wrong_per_100_keys", "wrong suggestions, 100 keys", ""),
    ("pause_p50_ms", "pause to suggestion, p50", "ms"),
    ("pause_p95_ms", "pause to suggestion, p95", "ms"),
    ("answered_pauses_share", "pauses with a suggestion", "%"),
    ("quiet_pauses_share", "pauses kept quiet", "%"),
    ("cold_open_ms", "opening a long file to suggestion", "ms"),
    ("jump_ms", "jump to suggestion", "ms"),
    ("return_ms", "return to suggestion", "ms"),
    ("prefill_tokens_per_key", "prefill tokens a key", ""),
    ("completion_tokens_per_key", "completion tokens a key", ""),
    ("cpu_s_per_100_keys", "processor, 100 keys", "s"),
    ("rss_mb", "resident memory", "MB"),
    ("keys", "keys pressed", ""),
    ("pauses", "pauses measured", ""),
)
"""The name in the JSON, the title and the unit of each row."""
_DIGITS = {"s": 1, "MB": 0, "": 1}


def typist_table(found: TypistFindings) -> Table:
    """Returns a table with a row for each figure and a column for each system."""
    systems = found.figures()
    table = Table(title="A typist who accepts what is right", box=SIMPLE_HEAD, title_justify="left")
    table.caption, table.caption_justify = _caption(found), "left"
    table.add_column("median of the sessions")
    for name in systems:
        table.add_column(name.replace(" ", "\n"), justify="right", no_wrap=True)
    for key, title, unit in ROWS:
        table.add_row(title, *(quantity(figures.get(key), unit) for figures in systems.values()))
    return table


def _caption(found: TypistFindings) -> str:
    counts = Counter(task.language for task in found.tasks)
    typed = ", ".join(f"{language} {count}" for language, count in counts.items())
    return " ".join([f"Sessions by language: {typed}.", *found.missing])


def quantity(value: float | None, unit: str) -> str:
    """Returns a value with its unit. Durations of a second or more are in seconds."""
    if value is None:
        return "–"
    if unit == "%":
        return f"{100 * value:.1f}%"
    if unit == "ms":
        return f"{value:,.0f} ms" if value < 1000 else f"{value / 1000:,.1f} s"
    return f"{value:,.{_DIGITS[unit]}f} {unit}".rstrip()
