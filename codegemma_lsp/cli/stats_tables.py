"""The tables, the calendar and the charts of ``codegemma-lsp stats``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from codegemma_lsp.usage import Count, Summary, grouped, summary_of

_WEEKS = 26
_DAYS = 14
_BAR = 40
"""The width of the longest bar of a chart, in columns."""
_SHADES = "·░▒▓█"
_STYLES = ("bright_black", "green", "green", "bright_green", "bright_green")
_MOST_REASONS = 8
_NAMES = ("Mon", "", "Wed", "", "Fri", "", "Sun")


def print_stats(console: Console, counts: Sequence[Count], today: date) -> None:
    """Prints all that there is to see, as of ``today``."""
    days, total = grouped(counts, lambda c: c.day), summary_of(counts)
    console.print(_table(counts, total))
    saved = {day: one.characters_saved for day, one in days.items()}
    console.print(Text("Characters saved, by day", "bold"))
    console.print(calendar(saved, today))
    console.print(Text(f"\nCharacters saved in the last {_DAYS} days", "bold"))
    console.print(bars({_short(day): saved.get(day.isoformat(), 0) for day in _last_days(today)}))
    if total.silent:
        console.print(Text("\nWhy nothing was shown", "bold"))
        console.print(bars(dict(list(total.silent.items())[:_MOST_REASONS])))


def _table(counts: Sequence[Count], total: Summary) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for name in (
        "saved",
        "shown",
        "accepted",
        "in part",
        "dismissed",
        "kept 30 s",
        "10 min",
        "p50 ms",
        "p95 ms",
        "tokens",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row("all", *_figures(total), style="bold")
    for group in (grouped(counts, lambda c: c.language), grouped(counts, lambda c: c.model)):
        table.add_section()
        for name, one in group.items():
            table.add_row(Text(name), *_figures(one))
    return table


def _figures(one: Summary) -> list[str]:
    numbers = (one.characters_saved, one.shown, one.accepted, one.partially_accepted, one.rejected)
    kept = ("–" if share is None else f"{100 * share:.0f}%" for share in (one.kept_30s, one.kept_10min))
    latency = ("–" if ms is None else f"{ms:,}" for ms in (one.latency_p50_ms, one.latency_p95_ms))
    return [*(f"{n:,}" for n in numbers), *kept, *latency, f"{one.prefill_tokens + one.completion_tokens:,}"]


def calendar(amounts: Mapping[str, int], today: date) -> Text:
    """Returns a row for each day of the week and a column for each of the last weeks, the present one last. The
    darkness of a day is its amount."""
    first = today - timedelta(days=today.weekday(), weeks=_WEEKS - 1)
    most, text = max(amounts.values(), default=0), Text()
    for weekday, name in enumerate(_NAMES):
        text.append(f"{name:4}", "bright_black")
        for week in range(_WEEKS):
            day = first + timedelta(weeks=week, days=weekday)
            shade = _shade(amounts.get(day.isoformat(), 0), most)
            text.append(" " if day > today else _SHADES[shade], _STYLES[shade])
        text.append("\n" if weekday < len(_NAMES) - 1 else "")
    return text


def _shade(amount: int, most: int) -> int:
    return 0 if amount <= 0 else min(len(_SHADES) - 1, 1 + (len(_SHADES) - 1) * (amount - 1) // most)


def bars(amounts: Mapping[str, int]) -> Table:
    """Returns a bar for each amount."""
    most = max(amounts.values(), default=0)
    table = Table.grid(padding=(0, 1, 0, 0))
    for name, amount in amounts.items():
        table.add_row(Text(name), Text("█" * (-(-_BAR * amount // most) if most else 0), "green"), f"{amount:,}")
    return table


def _last_days(today: date) -> list[date]:
    return [today - timedelta(days=back) for back in reversed(range(_DAYS))]


def _short(day: date) -> str:
    return f"{day:%b} {day.day:2}"
