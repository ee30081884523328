"""The second engine, on the bundled model unquantised: the same tokens as llama.cpp gives, and the same promises."""

from __future__ import annotations

import asyncio
import importlib
import json
import shutil
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from operator import gt
from pathlib import Path
from typing import Any

import pytest

from codegemma_lsp import engines
from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
from codegemma_lsp.engines.protocol import Finish, LoadCancelled, ModelNotFound, ModelUnusable, Options, Sampling
from codegemma_lsp.models import BUNDLED, model_path
from codegemma_lsp.prompt import CODEGEMMA, Special
from codegemma_lsp.settings import Settings
from tests.traced import AT, SOURCE, check_same, request_at, traced

WHY = "torch and transformers are not installed; install them with: pip install --editable '.[train]'"
pytest.importorskip("torch", reason=WHY)
pytest.importorskip("transformers", reason=WHY)
pytest.importorskip("gguf", reason=WHY)

ROOT = Path(__file__).parents[1]
OPTIONS = Options(threads=1, batch_tokens=64)
CURSORS = ("class Span:", "def with_edit(", "return Span(", "if line.", "def ")
CURSORS = ("class Span:", "def with_edit(", "return Span(", "if line.", "def ")
OFFSETS = [SOURCE.index(text) + len(text) for text in CURSORS]


@pytest.fixture(scope="module")
def unquantised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundled model in float32, as GGUF and as transformers loads it."""
    sys.path.insert(0, str(ROOT / "scripts" / "nano"))
    try:
        formats: Any = importlib.import_module("formats")
    finally:
        sys.path.pop(0)
    folder = tmp_path_factory.mktemp("nano")
    model = formats.read_gguf(model_path(BUNDLED))
    formats.write_gguf(model, folder / "nano.gguf", quantised=False)
    formats.write_hugging_face(model, folder / "nano")
    return folder


@pytest.fixture(scope="module")
def both(unquantised: Path) -> Iterator[tuple[LlamaEngine, Any]]:
    from codegemma_lsp.engines.backends.transformers import TransformersEngine

    one, other = LlamaEngine(unquantised / "nano.gguf", OPTIONS), TransformersEngine(unquantised / "nano", OPTIONS)
    yield one, other
    one.close()
    other.close()


def test_the_vocabularies_are_the_same(both: tuple[LlamaEngine, Any]) -> None:
    one, other = (engine.tokenizer for engine in both)
    assert one.pieces == other.pieces
    assert one.specials == other.specials == CODEGEMMA.ids
    assert one.controls == other.controls
    for path in [*(ROOT / "codegemma_lsp").rglob("*.py"), *(ROOT / "tests" / "data").rglob("*.*")]:
        text = path.read_text("utf-8")
        assert one.encode(text) == other.encode(text), path
    assert one.encode("x = '<|fim_prefix|><eos>'\t\t\n\n\n  \U0001f600 é") == other.encode(
        "x = '<|fim_prefix|><eos>'\t\t\n\n\n  \U0001f600 é"
    )


@pytest.mark.parametrize("offset", OFFSETS)
def test_greedy_tokens_are_those_of_llama_cpp(both: tuple[LlamaEngine, Any], offset: int) -> None:
    """Or differ first where two scores were a tie but for rounding (invariant 7)."""
    one, other = (traced(engine, request_at(engine, offset)) for engine in both)
    check_same(one, other)


def test_what_is_cached_is_not_read_again_and_changes_nothing(both: tuple[LlamaEngine, Any], unquantised: Path) -> None:
    from codegemma_lsp.engines.backends.transformers import TransformersEngine

    _, engine = both
    warm = [traced(engine, request_at(engine, AT + step)) for step in (0, 9, 20, 9, 9)]
    usage = warm[-1].generation.usage
    assert (usage.cached_tokens, usage.prefill_tokens) == (usage.prompt_tokens, 0)
    cold = TransformersEngine(unquantised / "nano", OPTIONS)
    try:
        check_same(warm[1], traced(cold, request_at(cold, AT + 9)))
    finally:
        cold.close()


def test_sampling_repeats_by_seed(both: tuple[LlamaEngine, Any]) -> None:
    _, engine = both

    def sampled(seed: int) -> str:
        return str(engine.run(replace(request_at(engine), sampling=Sampling(temperature=1.0, seed=seed))).text)

    assert sampled(1) == sampled(1)
    assert len({sampled(seed) for seed in range(6)}) > 1


async def test_cancelling_stops_within_one_small_batch(both: tuple[LlamaEngine, Any]) -> None:
    _, engine = both
    expected = traced(engine, request_at(engine))
    stop = threading.Event()

    def cancelling(text: str) -> bool:
        stop.set()
        return False

    request = replace(request_at(engine, max_tokens=400), on_text=cancelling)
    generation = await asyncio.to_thread(engine.run, request, stop)
    assert (generation.finish, len(generation.logprobs)) == (Finish.CANCELLED, 1)
    running = asyncio.create_task(engine.generate(request_at(engine, len(SOURCE) - 40)))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    check_same(await asyncio.to_thread(traced, engine, request_at(engine)), expected)


def test_a_folder_as_codegemmas_is(unquantised: Path, tmp_path: Path) -> None:
    """In shards of bfloat16, with ordinary pieces among the added tokens, and a separator that is not special."""
    import torch
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "model"
    shutil.copytree(unquantised / "nano", folder)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = {name: f"model-0000{n % 2 + 1}-of-00002.safetensors" for n, name in enumerate(sorted(tensors))}
    for shard in set(names.values()):
        held = {name: tensors[name].to(torch.bfloat16) for name in names if names[name] == shard}
        save_file(held, folder / shard, metadata={"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))
    edit(folder / "config.json", dtype="bfloat16", _attn_implementation="someone/kernel", hidden_act="gelu")
    tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    for about in tokenizer["added_tokens"]:
        about["special"] &= about["content"] != "<|file_separator|>"
    piece = next(p for p, token in tokenizer["model"]["vocab"].items() if token == 6000)
    whole = {"id": 6000, "content": piece, "special": False, "normalized": False}
    tokenizer["added_tokens"].append(whole | {"single_word": False, "lstrip": False, "rstrip": False})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")

    engine = engines.load(Settings(model=str(folder), threads=1))
    try:
        assert engine.tokenizer.special(Special.FILE_SEPARATOR) == 70
        assert engine.tokenizer.encode(piece.replace("\u2581", " ")) == [6000]
        assert engine.run(request_at(engine)).usage.completion_tokens > 0  # type: ignore[arg-type, attr-defined]
    finally:
        engine.close()


def test_settings_choose_the_engine_by_what_the_model_is(unquantised: Path) -> None:
    engine = engines.load(Settings(model=str(unquantised / "nano"), threads=1))
    assert type(engine).__name__ == "TransformersEngine"
    assert (engine.name, engine.context_tokens) == ("nano", 1024)
    engine.close()


def without(folder: Path, name: str) -> None:
    (folder / name).unlink()


def edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def of_another_type(folder: Path, _: str) -> None:
    edit(folder / "config.json", model_type="llama")


def too_deep(folder: Path, _: str) -> None:
    edit(folder / "config.json", num_hidden_layers=9)


def senseless(folder: Path, _: str) -> None:
    edit(folder / "config.json", num_hidden_layers="two")


def broken(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"not this")


@pytest.mark.parametrize(
    ("damage", "name", "says"),
    [
        (without, "config.json", "has no config.json, its configuration; download the whole model again."),
        (without, "tokenizer.json", "has no tokenizer.json, its tokenizer; download the whole model again."),
        (without, "model.safetensors", "has no safetensors file, and no other format is read; convert the model,"),
        (of_another_type, "", "holds a model of type llama; choose a CodeGemma model."),
        (too_deep, "", "of its tensors"),
        (senseless, "", "cannot be loaded"),
        (broken, "model.safetensors", "cannot be loaded"),
        (broken, "tokenizer.json", "cannot be read"),
        (broken, "config.json", "cannot be loaded"),
    ],
)
def test_a_folder_that_is_no_model_is_one_sentence(
    damage: Any, name: str, says: str, unquantised: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(unquantised / "nano", folder)
    damage(folder, name)
    with pytest.raises(ModelUnusable) as caught:
        engines.load(Settings(model=str(folder)))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_loading_can_be_given_up_and_a_missing_folder_is_said(unquantised: Path) -> None:
    from codegemma_lsp.engines.backends.transformers import TransformersEngine

    for enough in (0.0, 1.0):
        with pytest.raises(LoadCancelled):
            TransformersEngine(unquantised / "nano", OPTIONS, partial(gt, enough))
    with pytest.raises(ModelNotFound):
        TransformersEngine(unquantised / "gone", OPTIONS)
