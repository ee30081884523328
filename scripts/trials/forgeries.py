"""Model files that are no longer what they were: forged, cut and overwritten, each loaded by the engines' process."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path

from codegemma_lsp.engines.worker.client import EngineProcess
from codegemma_lsp.models import BUNDLED, model_path
from scripts.trials.models import Keeper, check_model
from scripts.trials.trial import Case, Trial

_MOST_MEMORY = 8_000_000_000
"""The address space in bytes of a process, so that a forged size costs no more than the process."""
_HEAD = 4096
_CUT_TOO = 0.15
_NUMBERS = (0, 1, 2, 7, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
_KEYS = re.compile(rb"(?:general|gemma|tokenizer)\.[a-z_.]+")


@asynccontextmanager
async def _prepared(folder: Path) -> AsyncIterator[Case]:
    _limit_memory()
    process = EngineProcess()
    keeper = Keeper(process)
    await keeper.answers("before any")

    async def case(chance: random.Random) -> int:
        path = folder / "forged.gguf"
        how = _forge(chance, path)
        await check_model(process, path, how)
        path.unlink()
        await keeper.answers(how)
        return 1

    try:
        yield case
    finally:
        keeper.close()


def _limit_memory() -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _forge(chance: random.Random, path: Path) -> str:
    """Writes a forged model, and returns how it was made."""
    data = bytearray(_model())
    ways: list[Callable[[random.Random, bytearray], str]] = [
        *(_number, _number, _flipped_metadata, _flipped_tensors, _text_length, _type, _zeros, _noise, _head, _name)
    ]
    how = ", ".join(way(chance, data) for way in chance.choices(ways, k=chance.choice([1, 1, 1, 2])))
    if chance.random() < _CUT_TOO:
        how += f", {_cut(chance, data)}"
    path.write_bytes(data)
    return how


@cache
def _model() -> bytes:
    return model_path(BUNDLED).read_bytes()


@cache
def _keys() -> tuple[tuple[str, int], ...]:
    """Returns the keys of the metadata, and where their types stand."""
    return tuple((found[0].decode(), found.end()) for found in _found_keys())


def _found_keys() -> Iterator[re.Match[bytes]]:
    for found in _KEYS.finditer(_model()[: _tensors()]):
        if _model()[found.start() - 8 : found.start()] == struct.pack("<Q", len(found[0])):
            yield found


@cache
def _tensors() -> int:
    """Returns where the descriptions of the tensors begin."""
    return _model().index(b"token_embd.weight")


def _number(chance: random.Random, data: bytearray) -> str:
    key, at = chance.choice(_keys())
    value = chance.choice(_NUMBERS)
    data[at + 4 : at + 8] = struct.pack("<I", value % 2**32)
    return f"{key} = {value % 2**32}"


def _text_length(chance: random.Random, data: bytearray) -> str:
    key, at = chance.choice(_keys())
    value = chance.choice(_NUMBERS)
    place = chance.choice([4, 8])
    data[at + place : at + place + 8] = struct.pack("<Q", value)
    return f"{key} with length {value} at {place}"


def _type(chance: random.Random, data: bytearray) -> str:
    key, at = chance.choice(_keys())
    value = chance.randrange(16)
    data[at : at + 4] = struct.pack("<I", value)
    return f"{key} of type {value}"


def _name(chance: random.Random, data: bytearray) -> str:
    key, at = chance.choice(_keys())
    data[at - 1] = chance.randrange(256)
    return f"{key} renamed"


def _head(chance: random.Random, data: bytearray) -> str:
    """The magic number, the version, and the counts of tensors and of keys."""
    at, value = chance.choice([(0, "<I"), (4, "<I"), (8, "<Q"), (16, "<Q")]), chance.choice(_NUMBERS)
    raw = struct.pack(at[1], value % (2**32 if at[1] == "<I" else 2**64))
    data[at[0] : at[0] + len(raw)] = raw
    return f"head at {at[0]} = {value}"


def _flipped_metadata(chance: random.Random, data: bytearray) -> str:
    return _flipped(chance, data, 0, chance.choice([_HEAD, _tensors()]))


def _flipped_tensors(chance: random.Random, data: bytearray) -> str:
    return _flipped(chance, data, _tensors() - 8, _tensors() + _HEAD)


def _flipped(chance: random.Random, data: bytearray, start: int, end: int) -> str:
    places = [chance.randrange(start, min(end, len(data))) for _ in range(chance.choice([1, 1, 4, 32]))]
    for place in places:
        data[place] ^= 1 << chance.randrange(8)
    return f"bits flipped at {places[:4]}"


def _cut(chance: random.Random, data: bytearray) -> str:
    length = chance.choice([chance.randrange(64), chance.randrange(_tensors()), chance.randrange(len(data))])
    del data[length:]
    return f"cut to {length}"


def _zeros(chance: random.Random, data: bytearray) -> str:
    start = chance.randrange(max(1, len(data)))
    length = min(chance.choice([8, 4096, 2**20]), len(data) - start)
    data[start : start + length] = bytes(length)
    return f"{length} zeros at {start}"


def _noise(chance: random.Random, data: bytearray) -> str:
    start = chance.randrange(max(1, len(data)))
    length = min(chance.choice([8, 4096, 2**16]), len(data) - start)
    data[start : start + length] = chance.randbytes(length)
    return f"{length} random bytes at {start}"


TRIAL = Trial(
    name="forgeries",
    about="forged models: an engine that answers, or a sentence",
    unit="files",
    weight=28,
    prepared=_prepared,
    case_s=240,
)
