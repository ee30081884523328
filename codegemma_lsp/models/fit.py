"""Which models fit this machine: the memory that each takes, and how fast it would be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from codegemma_lsp.models.catalogue import BUFFER_BYTES
from codegemma_lsp.models.listing import Row

_SMALLEST = 100_000_000
"""The size in bytes below which a model lives in the processor's cache, so that it tells nothing of larger ones."""


class NumberFormat(StrEnum):
    """The formats of quantized weights, by llama.cpp's names. They take about 8.5, 6.6, 5.7 and 4.8 bits a weight."""

    Q8_0 = "q8_0"
    Q6_K = "q6_k"
    Q5_K_M = "q5_k_m"
    Q4_K_M = "q4_k_m"


@dataclass(frozen=True, slots=True)
class Rate:
    """The tokens per second of prefill and of generation. ``prefill`` is None if it is unknown."""

    prefill: float | None
    decode: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A model on this machine. Sizes are in bytes, and 0 if they are unknown. ``is_measured`` says whether the rate was
    measured or estimated."""

    name: str
    here: bool
    weights: int
    kv_cache: int
    buffers: int
    memory: int
    fits: bool
    rate: Rate
    is_measured: bool


def fit(row: Row, measured: Mapping[str, tuple[int, Rate]], bandwidth: float) -> Fit:
    """Returns how a model of the list fits.

    ``measured`` has, by name, the sizes in bytes and the rates of models that were measured. ``bandwidth`` is that of
    the memory, in bytes per second.
    """
    buffers = BUFFER_BYTES if row.memory else 0
    own = measured.get(row.name)
    return Fit(
        name=row.name,
        here=row.here,
        weights=row.size,
        kv_cache=max(0, row.memory - row.size - buffers),
        buffers=buffers,
        memory=row.memory,
        fits=row.fits,
        rate=own[1] if own is not None else estimated(row.size, measured, bandwidth),
        is_measured=own is not None,
    )


def estimated(size: int, measured: Mapping[str, tuple[int, Rate]], bandwidth: float) -> Rate:
    """Returns the rate of a model of ``size`` bytes, which is 0 for an empty file.

    Each generated token reads all weights, and each prompt token is multiplied with all of them. So both rates fall as
    the weights grow, from those of the measured model that is nearest in size. Without one, only the rate of generation
    is known, at most, from the bandwidth of the memory.
    """
    if not size:
        return Rate(None, 0.0)
    others = [one for one in measured.values() if one[0] >= _SMALLEST]
    if not others:
        return Rate(None, bandwidth / size)
    other_size, rate = min(others, key=lambda one: max(one[0] / size, size / one[0]))
    share = other_size / size
    return Rate(rate.prefill * share if rate.prefill is not None else None, rate.decode * share)
