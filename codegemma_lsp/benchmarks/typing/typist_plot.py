"""The plot of the typist's figures, with a bar for each system and a panel for each question."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codegemma_lsp.benchmarks.typing.typist_report import quantity

PANELS = (
    ("Characters saved\n(more is better)", "%", (("saved_share", ""),)),
    ("Keys with a right suggestion on screen\n(more is better)", "%", (("right_share", ""),)),
    ("Wrong suggestions per 100 keys\n(less is better)", "", (("wrong_per_100_keys", ""),)),
    (
        "From a pause to a suggestion\n(less is better)",
        "ms",
        (("pause_p50_ms", "p50"), ("pause_p95_ms", "p95")),
    ),
    (
        "To the first suggestion in a 2,000-line file\n(less is better)",
        "ms",
        (("cold_open_ms", "opened"), ("jump_ms", "jump"), ("return_ms", "return")),
    ),
    ("Processor seconds per 100 keys\n(less is better)", "s", (("cpu_s_per_100_keys", ""),)),
)
"""The title, the unit, and the figures of each panel with their labels."""
_HEIGHT = 0.8


def plot_typist(systems: Mapping[str, Mapping[str, Any]], path: Path, model: str = "") -> None:
    """Draws each system's medians. A missing figure has no bar."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6), layout="constrained")
    figure.suptitle(f"A typist who accepts what is right{', ' + model if model else ''}", fontweight="bold")
    panels = figure.subplots(2, 3)
    for axes, (title, unit, named) in zip(panels.flat, PANELS, strict=True):
        _draw(axes, systems, title, unit, named)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=max(1, len(labels)), frameon=False)
    figure.savefig(path, dpi=140)


def _draw(
    axes: Any, systems: Mapping[str, Mapping[str, Any]], title: str, unit: str, named: tuple[tuple[str, str], ...]
) -> None:
    height = _HEIGHT / max(1, len(systems))
    for number, (name, figures) in enumerate(systems.items()):
        values = [figures.get(key) for key, _ in named]
        places = [place + (number - (len(systems) - 1) / 2) * height for place in range(len(named))]
        bars = axes.barh(places, [value or 0 for value in values], 0.9 * height, color=f"C{number}", label=name)
        axes.bar_label(bars, [quantity(value, unit) for value in values], padding=3, fontsize=8)
    axes.set_yticks(range(len(named)), [label for _, label in named])
    axes.set_xticks([])
    axes.margins(x=0.25)
    axes.set_xlim(left=0)
    axes.invert_yaxis()
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[["top", "right", "bottom"]].set_visible(False)
