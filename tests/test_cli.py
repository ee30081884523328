"""The command line as a user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codegemma_lsp.cli.common import sentence
from codegemma_lsp.cli.completion_json import JsonResult
from codegemma_lsp.extras import install_command
from codegemma_lsp.files import BadOutput, check_folder, check_writable
from codegemma_lsp.models.machine import gpu_builds
from scripts.docs import DOCS, SCHEMAS, as_file

ADD = "def add(a, b):\n    return \n"


def run(*arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "codegemma_lsp", *arguments]
    return subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "add.py").write_text(ADD)
    (tmp_path / "emoji.py").write_text("s = '\U0001f600'\nprint(\n")
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "latin1.py").write_bytes("x = 'é'".encode("latin-1"))
    return tmp_path


def test_json_is_one_object_a_line(folder: Path) -> None:
    done = run("complete", "add.py:2:12", "emoji.py:2:7", "empty.py:1:1", "add.py:2:12", "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(r["path"], r["line"], r["column"]) for r in results] == [
        ("add.py", 2, 12),
        ("emoji.py", 2, 7),
        ("empty.py", 1, 1),
        ("add.py", 2, 12),
    ]
    for result in results:
        assert set(result["tokens"]) == {"prompt", "cached", "completion"}
        assert result["ms"]["total"] > 0
        for item in result["items"]:
            assert set(item) == {"insertText", "range"}
    assert results[0]["tokens"]["prompt"] > results[0]["tokens"]["cached"]
    assert results[0]["items"] == results[3]["items"]
    assert results[1]["items"]
    for item in results[1]["items"]:
        assert item["range"]["start"] == {"line": 1, "character": 6}


def test_the_suggestion_is_shown_in_place(folder: Path) -> None:
    source = Path(__file__).parent / "data" / "document.py"
    lines = source.read_text("utf-8").split("\n")
    places = [f"{source}:{n}:{len(line) + 1}" for n, line in enumerate(lines, 1) if n % 12 == 0]
    done = run("complete", *places, cwd=folder)
    assert done.returncode == 0
    assert done.stdout.count(" prompt tokens (") == len(places) > 10
    assert "⟦" in done.stdout


def test_explain_prints_the_prompt_piece_by_piece(folder: Path) -> None:
    done = run("complete", "add.py:2:12", "--explain", cwd=folder)
    assert done.returncode == 0
    for said in (
        "<bos>",
        "file path",
        "add.py",
        "<|fim_prefix|>",
        "prefix",
        "<|fim_middle|>",
        "tokens; the model",
    ):
        assert said in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["complete", "add.py"], 2, "'add.py' is not a position; write FILE:LINE:COL"),
        (["complete", "add.py:0:1"], 2, "is not a position"),
        (["complete", "add.py:99:1"], 2, "add.py has 3 lines, so there is no line 99."),
        (["complete", "add.py:1:99"], 2, "Line 1 of add.py ends at column 15, so there is no column 99."),
        (["complete", "nowhere.py:1:1"], 1, "There is no file nowhere.py."),
        (["complete", "latin1.py:1:1"], 1, "latin1.py is not UTF-8 (byte 6 is no text)"),
        (["complete", ".:1:1"], 1, ". cannot be read (Is a directory)."),
        (["complete", "add.py:1:1", "--model", "none.gguf"], 1, "none.gguf; correct the setting"),
        (["complete", "add.py:1:1", "--model", "add.py"], 1, "add.py is not a GGUF file"),
        (
            ["complete", "add.py:1:1", "-s", "maxTokens=lots"],
            2,
            "The setting maxTokens cannot be 'lots' (input should be a valid integer, unable to parse string as an"
            " integer); correct it, or leave it out.",
        ),
        (["complete", "add.py:1:1", "-s", "zzz=1"], 2, "There is no setting zzz; codegemma-lsp help settings lists"),
        (["complete", "add.py:1:1", "-s", "modle=1"], 2, "There is no setting modle; did you mean model?"),
        (
            ["complete", "add.py:1:1", "--model", "./empty"],
            1,
            "empty has no safetensors file, and no other format is read",
        ),
        (["complete", "add.py:1:1", "--at", "1:1"], 2, "write - in the place of FILE:LINE:COL."),
        (["complete", "-", "add.py:1:1"], 2, "Standard input is one text; give - alone"),
        (["complete", "-", "--at", "1"], 2, "'1' is not a position; write --at LINE:COL"),
        (["complete", "-", "--at", "9:1"], 2, "- has 1 line, so there is no line 9."),
        (["complete", "-", "--language", "klingon"], 2, "There is no language klingon; choose one of c, cpp"),
        (["-q", "-v", "doctor"], 2, "--quiet and --verbose contradict each other"),
        (["bench", "--json", "empty/none/x.json"], 1, "none; make it first, or name another file."),
        (["complete", "add.py:1:1", "-s", "maxTokens"], 2, "--set takes NAME=VALUE"),
        (["complete"], 2, "Missing argument"),
        (["no-such-command"], 2, "No such command"),
        (["doctor", "--model", "none.gguf"], 1, "1 of the checks failed"),
    ],
)
def test_errors_are_a_sentence(folder: Path, arguments: list[str], code: int, said: str) -> None:
    done = run(*arguments, cwd=folder)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor(folder: Path) -> None:
    done = run("doctor", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("program", "files", "grammars", "device", "host", "model", "completion"):
        assert f"ok   {said}: " in done.stdout


def test_doctor_says_what_computes_and_where_files_are(folder: Path) -> None:
    done = run("doctor", "--json", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert all(check["ok"] for check in checks.values())
    built_for = gpu_builds()
    expected = f"built for {built_for[0]}" if built_for else "runs on the processor, because it was built without GPU"
    assert expected in checks["device"]["detail"]
    assert os.environ["CODEGEMMA_CONFIG"] in checks["files"]["detail"]


@pytest.mark.skipif(bool(gpu_builds()), reason="this build of llama.cpp has a use for layers on the GPU")
def test_layers_for_a_gpu_that_is_not_used_are_remarked(folder: Path) -> None:
    arguments = ("complete", "add.py:2:12", "-s", "gpuLayers=20")
    done = run(*arguments, cwd=folder)
    assert (done.returncode, done.stderr) == (
        0,
        "codegemma-lsp: gpuLayers is 20, but llama.cpp was built without GPU support, so the processor computes;"
        " codegemma-lsp help troubleshooting says how to build it for a GPU.\n",
    )
    assert run("-q", *arguments, cwd=folder).stderr == ""


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version(folder: Path, option: str) -> None:
    assert run(option, cwd=folder).stdout.startswith("codegemma-lsp ")


@pytest.mark.parametrize("command", [(), ("complete",), ("models", "list")])
def test_h_is_help(folder: Path, command: tuple[str, ...]) -> None:
    done = run(*command, "-h", cwd=folder)
    assert done.returncode == 0
    assert "Usage: " in done.stdout


def test_verbose_says_which_model_is_loaded(folder: Path) -> None:
    assert "loading nano, " in run("-v", "complete", "add.py:2:12", cwd=folder).stderr


# Standard input


def completed(*arguments: str, cwd: Path, stdin: str) -> JsonResult:
    done = run("complete", *arguments, "--json", cwd=cwd, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, "")
    return JsonResult.model_validate_json(done.stdout)


def test_a_text_from_standard_input_is_completed_like_a_file(folder: Path) -> None:
    (folder / "add.py").write_text(ADD)
    of_file = completed("add.py:2:12", cwd=folder, stdin="")
    (folder / "add.py").unlink()
    piped = completed("-", "--path", "add.py", "--at", "2:12", cwd=folder, stdin=ADD)
    assert piped.items == of_file.items
    assert piped.tokens.prompt == of_file.tokens.prompt
    assert (piped.path, piped.line, piped.column) == ("add.py", 2, 12)


def test_a_text_from_standard_input_is_completed_at_its_end(folder: Path) -> None:
    found = completed("-", "--language", "python", cwd=folder, stdin=ADD.rstrip("\n"))
    assert (found.path, found.line, found.column) == ("-", 2, 12)


def test_standard_input_that_is_no_text_is_a_sentence(folder: Path) -> None:
    command = [sys.executable, "-m", "codegemma_lsp", "complete", "-"]
    done = subprocess.run(command, input=b"\xff\xfe", capture_output=True, cwd=folder, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"codegemma-lsp: Standard input is not UTF-8 (byte 1 is no text)")


# JSON


def test_the_schemas_in_the_package_are_those_of_the_code() -> None:
    for name, schema in SCHEMAS.items():
        assert (DOCS / name).read_text("utf-8") == as_file(schema()), "run python scripts/docs.py"


def test_json_is_as_the_schema_says_and_has_a_reason_or_an_error(folder: Path) -> None:
    places = ("add.py:2:12", "nowhere.py:1:1", "empty.py:1:1", "add.py:99:1", "emoji.py:2:7")
    done = run("complete", *places, "--json", cwd=folder)
    results = [JsonResult.model_validate_json(line) for line in done.stdout.splitlines()]
    assert [f"{r.path}:{r.line}:{r.column}" for r in results] == list(places)
    assert [r.error for r in results] == [
        None,
        "There is no file nowhere.py.",
        None,
        "add.py has 3 lines, so there is no line 99.",
        None,
    ]
    for result in results:
        assert bool(result.reason) == (result.error is None and not result.items)
        required = JsonResult.model_json_schema(mode="serialization")["required"]
        assert set(required) == set(result.model_dump(by_alias=True))
    assert done.returncode == 1
    assert done.stderr.count("codegemma-lsp: ") == 2


def test_one_missing_file_does_not_discard_the_others(folder: Path) -> None:
    done = run("complete", "nowhere.py:1:1", "add.py:2:12", cwd=folder)
    assert done.returncode == 1
    assert done.stderr == "codegemma-lsp: There is no file nowhere.py.\n"
    assert "add.py:2:12" in done.stdout


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("enabled=false", "suggestions are off"),
        ('disabledLanguages=["python"]', "suggestions are off for python"),
    ],
)
def test_settings_that_allow_no_suggestion_are_obeyed(folder: Path, setting: str, reason: str) -> None:
    found = completed("add.py:2:12", "-s", setting, cwd=folder, stdin="")
    assert (found.items, found.reason) == ([], reason)
    assert run("complete", "add.py:2:12", "-s", setting, "--exit-code", cwd=folder).returncode == 3
    assert f"no suggestion: {reason};" in run("complete", "add.py:2:12", "-s", setting, cwd=folder).stdout


def test_explain_and_json_together(folder: Path) -> None:
    found = completed("add.py:2:12", "--explain", cwd=folder, stdin="")
    assert found.prompt is not None
    assert found.prompt.tokens == found.tokens.prompt == sum(segment.tokens for segment in found.prompt.segments)
    assert {"special token: prefix", "prefix"} <= {segment.why for segment in found.prompt.segments}
    assert not found.items


# Text that is not markup


@pytest.mark.parametrize("name", [":warning:.py", "[red]x[bold].py"])
def test_names_of_files_are_printed_as_they_are(folder: Path, name: str) -> None:
    (folder / name).write_text("d[:a:] = '[bold]'\n")
    done = run("complete", f"{name}:1:8", cwd=folder)
    assert f"{name}:1:8\n" in done.stdout
    assert "d[:a:]" in done.stdout
    assert "[bold]" in done.stdout
    missing = run("complete", f"no{name}:1:1", cwd=folder)
    assert missing.stderr == f"codegemma-lsp: There is no file no{name}.\n"
    explained = run("complete", f"{name}:1:8", "--explain", cwd=folder)
    assert name in explained.stdout
    assert name in run("doctor", "--model", f"./{name}", cwd=folder).stdout


# Messages


def test_what_an_extra_needs_is_installed_by_names_that_the_index_has() -> None:
    command = install_command("transformers")
    assert command.startswith(f"{sys.executable} -m pip install ")
    assert "torch" in command
    assert "codegemma-lsp" not in command


def test_errors_of_the_operating_system_are_sentences() -> None:
    assert sentence(PermissionError(13, "Permission denied", "x")) == "x cannot be read or written (Permission denied)."


def test_outputs_are_checked_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(BadOutput, match="may not be written; name another file"):
        check_writable(tmp_path / "x.json")
    with pytest.raises(BadOutput, match="may not be written; name another folder"):
        check_folder(tmp_path / "a" / "b")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("arguments", [["models", "list"], ["--version"]])
def test_a_full_disk_is_a_sentence(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "codegemma_lsp", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "codegemma-lsp: The output could not be written: the disk is full.\n"
