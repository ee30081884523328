"""The tables and the JSON of bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from codegemma_lsp.benchmarks.typing.chats import Chats
from codegemma_lsp.benchmarks.typing.lengths import Length
from codegemma_lsp.benchmarks.typing.server import SERVER
from codegemma_lsp.benchmarks.typing.sessions import Rhythm
from codegemma_lsp.benchmarks.typing.summary import Measured, Summary, asked_of_all, summarize
from codegemma_lsp.benchmarks.typing.throughput import BASELINE, READ, WRITTEN
from codegemma_lsp.benchmarks.typing.throughput import ratios as speed_ratios
from codegemma_lsp.benchmarks.typing.typist_run import TypistFindings
from codegemma_lsp.benchmarks.typing.windows import Typed, Windows
from codegemma_lsp.engines.speed import Speed


@dataclass
class Findings:
    """What has been measured so far. ``about`` describes the model, the settings and the machine."""

    measured: dict[Rhythm, dict[str, Measured]] = field(default_factory=dict)
    switches: dict[str, Summary] = field(default_factory=dict)
    lengths: list[Length] = field(default_factory=list)
    chats: Chats | None = None
    throughput: dict[str, Speed] = field(default_factory=dict)
    typist: TypistFindings | None = None
    windows: Windows | None = None
    about: dict[str, Any] = field(default_factory=dict)


ROWS = (
    ("p50_ms", "key to answer, p50, ms"),
    ("p90_ms", "p90"),
    ("p95_ms", "p95"),
    ("p99_ms", "p99"),
    ("slowest_prefill_tokens", "prefill tokens, slowest twentieth"),
    ("slowest_completion_tokens", "completion tokens, slowest twentieth"),
    ("accept_p50_ms", "after accepting, p50, ms"),
    ("asked_share", "keys asked about"),
    ("answered_share", "keys answered"),
    ("shown_share", "keys with a suggestion"),
    ("reuse_share", "keys answered without the model"),
    ("prefill_tokens_per_key", "prefill tokens a key"),
    ("completion_tokens_per_key", "completion tokens a key"),
    ("rejected_tokens_per_key", "rejected draft tokens a key"),
    ("cpu_s_per_100_keys", "processor seconds, 100 keys"),
    ("cancel_ms_p95", "cancel to idle, p95, ms"),
    ("prefill_tokens_after_cancel", "most prefill tokens after a cancel"),
    ("rss_mb", "resident memory, MB"),
)
RATIOS = ("p50_ms", "p95_ms", "prefill_tokens_per_key", "cpu_s_per_100_keys")
"""The figures of codegemma-lsp that are divided by llama-server's."""


def as_json(found: Findings) -> dict[str, Any]:
    """Returns all figures. ``systems`` are those at a person's rhythm if it was played, and ``rhythms`` has all
    rhythms."""
    by_rhythm = {rhythm.value: systems(measured) for rhythm, measured in found.measured.items()}
    return {
        "systems": next(iter(by_rhythm.values()), {}),
        "ratios": {name: ratios(both) for name, both in by_rhythm.items()},
        "rhythms": by_rhythm,
        "mechanics": {name: one.as_json() for name, one in found.switches.items()},
        "lengths": [asdict(length) for length in found.lengths],
        "chats": asdict(found.chats) if found.chats is not None else None,
        "throughput": {name: asdict(speed) for name, speed in found.throughput.items()},
        "typist": found.typist.as_json() if found.typist is not None else None,
        "windows": asdict(found.windows) if found.windows is not None else None,
        "about": found.about,
    }


def systems(measured: Mapping[str, Measured]) -> dict[str, dict[str, Any]]:
    """Returns each system's figures, with latencies over the keys that all systems were asked about."""
    everybodys = asked_of_all(measured.values())
    return {name: summarize(one, everybodys).as_json() for name, one in measured.items()}


def ratios(systems: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Returns codegemma-lsp's figures divided by llama-server's."""
    others = [name for name in systems if name != SERVER]
    if SERVER not in systems or not others:
        return {}
    server, baseline = systems[SERVER], systems[others[0]]
    return {
        name: round(server[name] / baseline[name], 3) for name in RATIOS if baseline[name] and server[name] is not None
    }


def systems_table(title: str, systems: Mapping[str, Mapping[str, Any]]) -> Table:
    """Returns a table with a row for each figure, and the ratio of codegemma-lsp's to llama-server's."""
    shares = ratios(systems)
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left")
    table.add_column("")
    for name in systems:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("ratio", justify="right")
    for key, name in ROWS:
        values = [figure(key, one.get(key)) for one in systems.values()]
        table.add_row(name, *values, f"{shares[key]:.2f}" if key in shares else "")
    return table


def figure(key: str, value: Any) -> str:
    if value is None:
        return "–"
    if key.endswith("_share"):
        return f"{100 * value:.0f}%"
    return f"{value:.2f}" if key == "cpu_s_per_100_keys" else f"{value:.1f}" if isinstance(value, float) else str(value)


def throughput_table(found: Mapping[str, Speed]) -> Table:
    table = Table(title="Tokens a second, one cold prompt at a time", box=SIMPLE_HEAD, title_justify="left")
    server, baseline, share = found[SERVER], found[BASELINE], speed_ratios(found)
    for name in ("", SERVER, BASELINE, "ratio"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    table.add_row(f"reading {READ}", f"{server.prefill:.1f}", f"{baseline.prefill:.1f}", f"{share.prefill:.2f}")
    table.add_row(f"writing {WRITTEN}", f"{server.decode:.1f}", f"{baseline.decode:.1f}", f"{share.decode:.2f}")
    return table


def mechanics_table(switches: Mapping[str, Summary]) -> Table:
    table = Table(title="Each mechanism switched off", box=SIMPLE_HEAD, title_justify="left")
    table.add_column("", no_wrap=True)
    columns = (
        "p50_ms",
        "p95_ms",
        "accept_p50_ms",
        "reuse_share",
        "prefill_tokens_per_key",
        "completion_tokens_per_key",
    )
    for name in ("p50 ms", "p95 ms", "accepted", "reused", "prefill", "completion", "cpu s/100"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, one in switches.items():
        table.add_row(name, *(figure(key, getattr(one, key)) for key in (*columns, "cpu_s_per_100_keys")))
    return table


def lengths_table(lengths: Sequence[Length]) -> Table:
    table = Table(title="By the length of the file, ms besides the model", box=SIMPLE_HEAD, title_justify="left")
    for name in ("lines", "p50", "p95", "event loop p99", "event loop max"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in lengths:
        times = (one.own_p50_ms, one.own_p95_ms, one.loop_p99_ms, one.loop_max_ms)
        table.add_row(str(one.lines), *(f"{value:.1f}" for value in times))
    return table


def chats_table(chats: Chats) -> Table:
    table = Table(title="Chat", box=SIMPLE_HEAD, title_justify="left")
    for name in ("", "", "ratio"):
        table.add_column(name, justify="left" if not name else "right")
    ratio = chats.beside_p95_ms / chats.alone_p95_ms if chats.alone_p95_ms else 0.0
    table.add_row("completion p95, alone", f"{chats.alone_p95_ms:.0f} ms", "")
    said = f"{chats.beside_p95_ms:.0f} ms, {chats.chat_tokens} tokens of chat meanwhile"
    table.add_row("completion p95, beside a chat", said, f"{ratio:.2f}")
    for name, one in chats.edits.items():
        share = f"{100 * one.guessed_share:.0f}% of {one.completion_tokens} tokens guessed"
        table.add_row(
            f"edits with drafts, {name}", f"{share}; {one.equal} of {one.edits} the same", f"{one.speedup:.2f}"
        )
    return table


def windows_table(found: Windows) -> Table:
    """Returns a table with a row for each way in which windows have their model, and what that is against one."""
    table = Table(title=f"{found.count} windows", box=SIMPLE_HEAD, title_justify="left")
    for name in ("", "p50 ms", "p95 ms", "p95 ratio", "memory MB", "memory ratio"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)

    def row(name: str, typed: Typed, alone: Typed, *, same_models: bool = True) -> None:
        memory = f"{typed.memory_mb / alone.memory_mb:.2f}" if same_models else ""
        table.add_row(
            name,
            f"{typed.p50_ms:.1f}",
            f"{typed.p95_ms:.1f}",
            f"{typed.p95_ms / alone.p95_ms:.2f}",
            f"{typed.memory_mb:.0f}",
            memory,
        )

    row("one, a process of its own", found.lone_own, found.lone_own)
    row("one, through the host", found.lone_shared, found.lone_own)
    row(f"{found.count}, a process each", found.own, found.lone_own)
    row(f"{found.count}, through the host", found.shared, found.lone_shared)
    if found.before_chat is not None and found.beside_chat is not None:
        row("one, before another chats", found.before_chat, found.before_chat)
        row("one, while another chats", found.beside_chat, found.before_chat, same_models=False)
    near, far = found.key_ms
    table.add_row("a key, in process", f"{near:.1f}", "", "", "", "")
    table.add_row("a key, through the host", f"{far:.1f}", "", "", "", "")
    shares = ", ".join(f"{100 * share:.0f}%" for share in found.shared.engine_shares)
    table.caption = f"Each window's share of the engine's time: {shares}. A key costs {found.key_more_ms:.1f} ms more."
    table.caption_justify = "left"
    return table
