"""LoRA adapters: made from PEFT's, chosen by folder, applied by llama.cpp."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codegemma_lsp import engines
from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
from codegemma_lsp.engines.host.pool import _key
from codegemma_lsp.engines.protocol import EngineError, EngineFailed, ModelNotFound, ModelUnusable, Options
from codegemma_lsp.engines.selection import select_chat
from codegemma_lsp.models import BUNDLED, model_path
from codegemma_lsp.session.session import Session
from codegemma_lsp.settings import Settings, parse
from codegemma_lsp.settings.adapters import with_adapter
from tests.traced import request_at

WHY = "what converts adapters is not installed; install it with: pip install --editable '.[train]'"
gguf = pytest.importorskip("gguf", reason=WHY)
pytest.importorskip("safetensors", reason=WHY)
SCRIPTS = Path(__file__).parents[1] / "scripts"
NANO = model_path(BUNDLED)
RANK = 4


@pytest.fixture(scope="module", autouse=True)
def scripts() -> Iterator[None]:
    sys.path[:0] = [str(SCRIPTS / "finetune"), str(SCRIPTS / "nano")]
    yield
    del sys.path[:2]


def shape() -> dict[str, int]:
    found: dict[str, int] = importlib.import_module("formats").read_gguf(NANO).shape
    return found


def peft_adapter(
    folder: Path, strength: float, width: int | None = None, model_type: str = "gemma"
) -> tuple[Path, Path]:
    """Writes an adapter of every layer's output projection as PEFT writes it, and its base model's configuration."""
    from safetensors.numpy import save_file

    model, rng = shape(), np.random.default_rng(0)
    inner, hidden = model["heads"] * model["head_size"], width or model["hidden"]
    name = "base_model.model.model.layers.{}.self_attn.o_proj.lora_{}.weight"
    tensors = {}
    for layer in range(model["layers"]):
        tensors[name.format(layer, "A")] = rng.normal(size=(RANK, inner)).astype(np.float32)
        tensors[name.format(layer, "B")] = (strength * rng.normal(size=(hidden, RANK))).astype(np.float32)
    adapter, base = folder / "adapter", folder / "base"
    for one in (adapter, base):
        one.mkdir(exist_ok=True)
    save_file(tensors, adapter / "adapter_model.safetensors")
    (adapter / "adapter_config.json").write_text(json.dumps({"r": RANK, "lora_alpha": RANK}))
    (base / "config.json").write_text(json.dumps({"model_type": model_type, "num_hidden_layers": model["layers"]}))
    return adapter, base


def converted(folder: Path, strength: float, **how: Any) -> Path:
    found: Path = importlib.import_module("convert_adapter").convert(
        *peft_adapter(folder, strength, **how), folder / "shop.gguf"
    )
    return found


def written(adapter: Path) -> str:
    """Returns what nano writes with an adapter."""
    engine = LlamaEngine(NANO, Options(threads=1, adapter=adapter))
    try:
        return engine.run(request_at(engine)).text
    finally:
        engine.close()


def test_an_adapter_changes_what_is_written_and_only_where_it_is_used(tmp_path: Path, engine: LlamaEngine) -> None:
    alone = engine.run(request_at(engine)).text
    (tmp_path / "strong").mkdir()
    assert written(converted(tmp_path, 0.0)) == alone
    assert written(converted(tmp_path / "strong", 2.0)) != alone
    assert engine.run(request_at(engine)).text == alone


@pytest.mark.parametrize(
    ("name", "content", "error", "sentence"),
    [
        ("gone.gguf", None, ModelNotFound, "There is no adapter file at .*gone.gguf; correct the setting adapter."),
        ("text.gguf", b"text", ModelUnusable, "text.gguf is not a GGUF file; convert the adapter,"),
        ("model.gguf", NANO.read_bytes(), ModelUnusable, "The adapter .*model.gguf cannot be used with this model"),
        ("cut.gguf", b"GGUF\3\0\0\0", ModelUnusable, "The adapter .*cut.gguf cannot be used with this model"),
    ],
)
def test_what_is_no_adapter_is_a_sentence(
    tmp_path: Path, name: str, content: bytes | None, error: type[EngineError], sentence: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=sentence):
        LlamaEngine(NANO, Options(threads=1, adapter=tmp_path / name))


def test_an_adapter_of_another_model_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="choose the model for which it was made"):
        LlamaEngine(NANO, Options(threads=1, adapter=converted(tmp_path, 1.0, width=shape()["hidden"] * 2)))


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("http://127.0.0.1:9#m", "On a server, an adapter is a model: write its name after # in the setting model"),
        ("FOLDER", "An adapter needs a model in a GGUF file"),
    ],
)
def test_models_that_can_have_no_adapter(tmp_path: Path, model: str, sentence: str) -> None:
    with pytest.raises(ModelUnusable, match=sentence):
        engines.load(Settings(model=model.replace("FOLDER", str(tmp_path)), adapter="/a.gguf"))


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"adapter": "a.gguf"}, "'a.gguf' is no absolute path"),
        ({"adapter": "/a\0.gguf"}, "is no absolute path"),
        ({"adapter": "~nobody-of-this-name/a.gguf"}, "there is no folder ~nobody-of-this-name"),
        ({"adapters": {"shop": "/a.gguf"}}, "'shop' is no absolute path"),
        ({"adapters": {"/shop": "a.gguf"}}, "'a.gguf' is no absolute path"),
    ],
)
def test_adapters_and_their_folders_are_whole_paths(sent: dict[str, Any], problem: str) -> None:
    settings, problems = parse(sent)
    assert (settings.adapter, settings.adapters) == ("", {})
    assert problem in problems[0]


def test_the_users_folder_is_written_as_a_tilde_and_chat_has_no_adapter() -> None:
    assert Settings(adapter="~/a.gguf").adapter == str(Path.home() / "a.gguf")
    assert select_chat(Settings(model="nano", chat_model="nano", adapter="/a.gguf")).settings.adapter == ""


def test_windows_in_two_folders_share_a_model_without_an_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _key(Settings(model=str(NANO)))
    monkeypatch.chdir(tmp_path)
    assert _key(Settings(model=str(NANO))) == before


def test_an_adapter_that_has_changed_is_read_again(tmp_path: Path) -> None:
    path = converted(tmp_path, 0.0)
    engine, settings = LlamaEngine(NANO, Options(threads=1, adapter=path)), Settings(model=str(NANO), adapter=str(path))
    try:
        engine.run(request_at(engine))
        before = _key(settings)
        path.unlink()
        engine.run(request_at(engine))
        converted(tmp_path, 2.0)
        assert _key(settings) != before
        with pytest.raises(EngineFailed, match="has changed, so the model is loaded again"):
            engine.run(request_at(engine))
    finally:
        engine.close()


@pytest.mark.parametrize(
    ("places", "chosen"),
    [
        (["/home/me/shop"], "shop"),
        (["/home/me/shop/src/till.py"], "shop"),
        (["/home/me/shop/vendor/pay"], "pay"),
        (["/home/me/shopping"], "every"),
        (["/elsewhere", "/home/me/shop"], "shop"),
        ([], "every"),
    ],
)
def test_the_innermost_folder_decides(places: list[str], chosen: str) -> None:
    named = {"/home/me/shop": "/shop", "/home/me/shop/vendor/pay": "/pay"}
    settings = Settings(adapter="/every", adapters=named)
    assert with_adapter(settings, [Path(place) for place in places]).adapter == f"/{chosen}"


def test_a_folder_may_be_named_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "shop")
    settings = Settings(adapters={str(tmp_path / "link"): "/shop"})
    assert with_adapter(settings, [tmp_path / "shop" / "a.py"]).adapter == "/shop"


async def test_a_session_takes_the_adapter_of_its_workspace(tmp_path: Path) -> None:
    session = Session(lambda status: None)
    session.trust_client()
    session.take_folders((tmp_path,))
    session.initialize({"model": "nano", "threads": 1, "adapters": {str(tmp_path): str(converted(tmp_path, 1.0))}})
    await session.load()
    assert session.manager.status.message.startswith("Ready with nano+shop")
    session.take_folders(())
    await session.load()
    assert "nano+shop" not in session.manager.status.message
    await session.shut_down()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"use_dora": True}, "is no plain LoRA adapter"),
        ({"model_type": "bloom"}, "Adapters of bloom cannot be converted; use llama.cpp's"),
    ],
)
def test_what_cannot_be_converted_is_a_sentence(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    adapter, base = peft_adapter(tmp_path, 1.0)
    for file in (adapter / "adapter_config.json", base / "config.json"):
        file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(ValueError, match=sentence):
        importlib.import_module("convert_adapter").convert(adapter, base, tmp_path / "out.gguf")


def test_gaps_of_a_repository_are_held_out_by_files(tmp_path: Path) -> None:
    samples, source = importlib.import_module("gaps"), (SCRIPTS / "nano" / "spans.py").read_text()
    for number in range(30):
        (tmp_path / f"module{number}.py").write_text(source)
    (tmp_path / "secret.py").write_text('key = "AKIAIOSFODNN7EXAMPLE"\nprint(key)\n')
    trained, held_out = samples.samples(tmp_path, 4, 0)
    assert len(trained) + len(held_out) >= 30 * 4
    assert len(held_out) % 4 == 0 < len(held_out)
    assert (trained, held_out) == samples.samples(tmp_path, 4, 0)
    texts = [one.prefix + one.middle + one.suffix for one in (*trained, *held_out)]
    assert all(text in source or "print(key)" in text for text in texts)
    assert any("print(key)" in text for text in texts)
    assert not any("AKIAIOSFODNN7EXAMPLE" in text for text in texts)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # PEFT asks for it
def test_a_few_steps_teach_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """One file over and over is learnt in a few steps, and llama.cpp takes what was learnt."""
    pytest.importorskip("peft", reason=WHY)
    formats, train = importlib.import_module("formats"), importlib.import_module("train_adapter")
    formats.write_hugging_face(formats.read_gguf(NANO), tmp_path / "nano")
    (tmp_path / "source").mkdir()
    for number in range(40):
        (tmp_path / "source" / f"rates{number}.py").write_text("def rate(weight):\n    return weight * RATE_PER_KILO\n")
    how = ["--steps", "8", "--batch", "4", "--gaps", "2", "--context", "64", "--rate", "3e-3", "--device", "cpu"]
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "train",
            "--model",
            str(tmp_path / "nano"),
            "--from",
            str(tmp_path / "source"),
            "--out",
            str(tmp_path / "out"),
            *how,
        ],
    )
    train.main()
    told = capsys.readouterr().out
    before, after = (float(told.partition(f"loss {when}: ")[2].split()[0]) for when in ("before", "after"))
    assert after < 0.8 * before
    assert written(tmp_path / "out" / "adapter.gguf")
