"""Which models fit this machine, and models with fewer bits a weight."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from codegemma_lsp import engines
from codegemma_lsp.engines.backends.llama_quantize import as_bfloat16
from codegemma_lsp.engines.protocol import Request
from codegemma_lsp.engines.scheduler import ScheduledEngine
from codegemma_lsp.models import store
from codegemma_lsp.models.fit import Rate, estimated, fit
from codegemma_lsp.models.listing import list_models
from codegemma_lsp.prompt import Prompt, Text
from codegemma_lsp.settings import Settings
from tests.test_cli import run

NANO = store.model_path("nano")


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        pytest.param({}, Rate(None, 20.0), id="from the bandwidth"),
        pytest.param({"nano": (9_000_000, Rate(9000, 900))}, Rate(None, 20.0), id="nano tells nothing"),
        pytest.param({"half": (500_000_000, Rate(400, 30))}, Rate(200, 15.0), id="twice the size, half the rate"),
        pytest.param(
            {"small": (200_000_000, Rate(1, 1)), "large": (2_000_000_000, Rate(100, 8))},
            Rate(200, 16.0),
            id="the nearest in size",
        ),
    ],
)
def test_a_rate_is_estimated_from_the_nearest_model(measured: Mapping[str, tuple[int, Rate]], expected: Rate) -> None:
    assert estimated(1_000_000_000, measured, 20e9) == expected


def test_the_parts_of_the_memory_add_up() -> None:
    for row in list_models(Settings()):
        found = fit(row, {row.name: (row.size, Rate(1.0, 2.0))}, 1e9)
        assert found.memory in (0, found.weights + found.kv_cache + found.buffers)
        assert (found.is_measured, found.rate) == (True, Rate(1.0, 2.0))


def test_the_command_measures_what_is_installed(tmp_path: Path) -> None:
    done = run("models", "fit", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert found["nano"]["is_measured"]
    assert min(found["nano"]["rate"].values()) > 0
    assert not found["codegemma-7b"]["is_measured"]
    assert found["codegemma-2b"]["rate"]["decode"] > found["codegemma-7b"]["rate"]["decode"] > 0


def test_a_quantized_model_goes_on_as_the_whole_one(tmp_path: Path) -> None:
    whole = tmp_path / "whole.gguf"
    as_bfloat16(NANO, whole)
    done = run("models", "quantize", str(whole), "--to", "q8_0", "--name", "nano-8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "use it with: codegemma-lsp models use nano-8" in done.stdout
    small = store.stored_path("nano-8")
    assert small.stat().st_size < 0.6 * whole.stat().st_size
    assert _said(small) == _said(whole)
    again = run("models", "quantize", str(whole), "--to", "q8_0", "--name", "nano-8", cwd=tmp_path)
    assert "There is a model nano-8 already; remove it first, or give another --name." in again.stderr
    twice = run("models", "quantize", "nano-8", "--to", "q4_k_m", cwd=tmp_path)
    assert twice.returncode == 1
    assert "nano-8-q4_k_m" not in store.here()
    assert "quantize a file with 16 bits a weight" in twice.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(
            ("nowhere.gguf",),
            snapshot("codegemma-lsp: nowhere.gguf cannot be read or written (No such file or directory).\n"),
            id="no file",
        ),
        pytest.param(
            ("empty.gguf",),
            snapshot("codegemma-lsp: empty.gguf cannot be read as a GGUF model; download it again.\n"),
            id="no model",
        ),
        pytest.param(
            ("nano", "--name", "codegemma-2b"),
            snapshot("codegemma-lsp: 'codegemma-2b' is no name for a new model; give it another one with --name.\n"),
            id="a name that is taken",
        ),
        pytest.param(
            ("nano",),
            snapshot(
                "codegemma-lsp: The weights in NANO have been quantized already, and doing it twice makes a model"
                " worse; quantize a file with 16 bits a weight.\n"
            ),
            id="quantized already",
        ),
    ],
)
def test_what_cannot_be_quantized(arguments: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    (tmp_path / "empty.gguf").write_bytes(b"GGUF")
    done = run("models", "quantize", *arguments, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert done.stderr.replace(str(NANO), "NANO") == expected
    assert not store.parts_folder().exists()


def _said(path: Path) -> str:
    engine = engines.load(Settings(model=str(path), context_tokens=256, slots=1, threads=1, batch_threads=1))
    assert isinstance(engine, ScheduledEngine)
    try:
        text = "def add(a, b):\n    return"
        prompt = Prompt(segments=(Text(text, ""),), tokens=len(engine.tokenizer.encode(text)))
        return engine.run(Request(prompt=prompt, max_tokens=8)).text
    finally:
        engine.close()
