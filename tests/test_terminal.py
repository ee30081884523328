"""Chat and edits in a terminal, with the small instruct model that a package carries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from inline_snapshot import snapshot
from rich.console import Console
from typer.testing import CliRunner

from codegemma_lsp.chat import Proposal, RequestRefused
from codegemma_lsp.cli import source_files
from codegemma_lsp.cli.app import app
from codegemma_lsp.cli.source_files import BadPosition, NotWritten
from codegemma_lsp.cli.terminal import Terminal, difference, parse_lines
from codegemma_lsp.cli.user_data import load_conversation
from codegemma_lsp.document import NOT_OPEN, Document, Edit, Span
from codegemma_lsp.models.packaged import NotPackaged, packaged_path
from codegemma_lsp.session.conversations import Conversations
from codegemma_lsp.settings import Settings

try:
    packaged_path("smollm2-135m")
except NotPackaged as error:
    pytest.skip(str(error), allow_module_level=True)

SOURCE = "import math\n\n\ndef area(radius):\n    result = math.pi * radius * radius\n    return result\n"


def run(*arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "codegemma_lsp", *arguments, "-s", "threads=1"]
    return subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, text=True, timeout=60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shapes.py").write_bytes(b"\xef\xbb\xbf" + SOURCE.replace("\n", "\r\n").encode())
    return tmp_path


def test_an_edit_is_printed_as_a_diff_that_git_takes(folder: Path) -> None:
    (folder / "shapes.py").write_text(SOURCE)
    done = run("edit", "shapes.py:4-6", "/doc", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert '+    """' in done.stdout
    assert (folder / "shapes.py").read_text() == SOURCE
    subprocess.run(["git", "apply", "-"], cwd=folder, input=done.stdout, text=True, check=True)
    assert '    """' in (folder / "shapes.py").read_text()


def test_applying_keeps_line_ends_and_byte_order_mark(folder: Path) -> None:
    (folder / "shapes.py").chmod(0o640)
    done = run("edit", "shapes.py:5", "/doc", "--apply", cwd=folder)
    assert done.returncode == 0, done.stderr
    raw = (folder / "shapes.py").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfimport math\r\n")
    assert raw.endswith(b"    result = math.pi * radius * radius\r\n    return result\r\n")
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert b'"""' in raw
    assert (folder / "shapes.py").stat().st_mode & 0o777 == 0o640
    assert [path.name for path in folder.iterdir()] == ["shapes.py"]


def test_a_file_that_changed_meanwhile_is_left_alone(folder: Path) -> None:
    terminal = Terminal(Settings(threads=1), Console(), folder)
    try:
        proposal = terminal.edit(str(folder / "shapes.py:5"), "/doc")
        (folder / "shapes.py").write_text("something = 1\n")
        with pytest.raises(NotWritten, match="changed"):
            terminal.apply(proposal)
    finally:
        terminal.close()
    assert (folder / "shapes.py").read_text() == "something = 1\n"


def test_writing_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.py"
    path.write_text("old\n")

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(NotWritten, match="No space"):
        source_files.write(path, "new\n", b"old\n")
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(NotWritten, match="exist"):
        source_files.write(path, "new\n", None)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what chat keeps, which is not there yet."""
    monkeypatch.setenv("CODEGEMMA_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_what_is_piped_in_is_the_whole_question(folder: Path, data: Path) -> None:
    done = run("chat", "-s", "chatMaxTokens=24", cwd=folder, stdin="Say\n\nhello.\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    question, answer = load_conversation()
    assert (question.text, answer.text) == ("Say\n\nhello.", done.stdout.strip())


def test_what_is_piped_in_goes_along_with_the_question(folder: Path, data: Path) -> None:
    difference = "-    return 1\n+    return 2\n"
    done = run("chat", "review this", "-s", "chatMaxTokens=24", cwd=folder, stdin=difference)
    assert done.returncode == 0, done.stderr
    question = load_conversation()[0].text
    assert question.endswith("\n\nreview this")
    assert difference in question
    assert "`standard input`" in question


def test_nothing_piped_in_and_no_question_is_a_sentence(folder: Path) -> None:
    done = run("chat", cwd=folder)
    assert (done.returncode, done.stderr) == (
        2,
        "codegemma-lsp: There is no question; write one after the command, or pipe one in.\n",
    )


def test_the_last_conversation_is_gone_on_with(folder: Path, data: Path) -> None:
    assert "no conversation to go on with" in run("chat", "-c", "And?", cwd=folder).stderr
    short = ("-s", "chatMaxTokens=16")
    assert run("chat", "Hello", *short, cwd=folder).returncode == 0
    assert run("chat", "--continue", "And now?", *short, cwd=folder).returncode == 0
    assert [message.text for message in load_conversation()][::2] == ["Hello", "And now?"]
    assert (data / "last-conversation.json").stat().st_mode & 0o777 == 0o600


def test_a_base_model_is_refused_for_chat(folder: Path) -> None:
    done = run("chat", "Hello", "--model", "nano", cwd=folder)
    assert done.returncode == 1
    assert "nano is no chat model (its file has no chat template)" in done.stderr


def test_a_whole_file_is_edited(folder: Path) -> None:
    (folder / "shapes.py").write_text("def area(radius):\n    return 3 * radius * radius\n")
    lines = parse_lines(str(folder / "shapes.py"), folder)
    assert lines.span == Span(0, len(lines.file.document.text))
    done = run("edit", "shapes.py", "/doc", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert '"""' in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("edit", "shapes", "x"), 2, "names no file and no lines"),
        (("edit", "shapes.py:0", "x"), 2, "names no file and no lines"),
        (("edit", "shapes.py:9-2", "x"), 2, "smaller line first"),
        (("edit", "shapes.py:99", "x"), 2, "no line 99"),
        (("edit", "none.py:1", "x"), 1, "no file"),
        (("chat", "/explain"), 1, "/explain is about lines of a file; write /explain FILE:10-40."),
        (("edit", "shapes.py:1", " "), 1, "instruction"),
        (("edit", "shapes.py:1", "/explain"), 1, "changes nothing"),
        (("edit", "shapes.py:1", "/doc"), 1, "no function"),
        (("edit", "shapes.py:1", "x", "--model", "none.gguf"), 1, "no chat model at"),
        (("chat", "/explain shapes.py:99"), 1, "no line 99"),
        (("chat", "/commit"), 1, "git"),
        (("chat", "What is #file:none.py?"), 1, "none.py"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(folder: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = run(*arguments, cwd=folder)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_difference_of_a_file_without_a_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    lines = parse_lines(str(tmp_path / "a.py:1"), tmp_path)
    document = lines.file.document
    edits = (Edit(Span(0, 1), "y"),)
    proposal = Proposal(document=document, region=lines.span, text="y = 1", edits=edits, label="rename")
    assert difference(proposal, tmp_path) == snapshot("""\
--- a/a.py
+++ b/a.py
@@ -1 +1 @@
-x = 1
\\ No newline at end of file
+y = 1
\\ No newline at end of file
""")
    with pytest.raises(BadPosition):
        parse_lines(str(tmp_path / "a.py:2"), tmp_path)


def test_slash_commands_that_are_none(folder: Path) -> None:
    terminal = Terminal(Settings(threads=1), Console(), folder)
    try:
        with pytest.raises(RequestRefused, match="/explain"):
            terminal.edit(str(folder / "shapes.py:1"), "/nonsense")
    finally:
        terminal.close()


def test_tests_are_run_only_on_request(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = folder / "was_run"
    (folder / "shapes.py").write_text(SOURCE)
    tests = (
        f"from pathlib import Path\nfrom shapes import area\n\n\ndef test_a():\n    Path({str(told)!r}).touch()\n"
        "    assert area(0) == 0\n\n\ndef test_b():\n    assert area(1) == 1\n"
    )

    async def propose(*_: object) -> Proposal:
        document = Document(uri=(folder / "test_shapes.py").as_uri(), text="", language="python", version=NOT_OPEN)
        edit = Edit(Span(0, 0), tests)
        return Proposal(document=document, region=edit.span, text=tests, edits=(edit,), label="", creates=True)

    monkeypatch.setattr(Conversations, "propose", propose)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    plain = CliRunner().invoke(app, ["edit", "shapes.py:4", "/tests"])
    assert "+def test_b():" in plain.stdout
    assert not told.exists()
    done = CliRunner().invoke(app, ["edit", "shapes.py:4", "/tests", "--run", "--apply"])
    assert done.exit_code == 0
    assert done.stderr == snapshot("""\
codegemma-lsp: 1 of 2 new tests passes with pytest.
codegemma-lsp: test_b fails and is left out: assert 3.141592653589793 == 1
""")
    assert told.exists()
    assert "+def test_a():" in done.stdout
    assert (folder / "test_shapes.py").read_text() == tests[: tests.index("\n\n\ndef test_b")] + "\n"


def test_what_is_not_run(folder: Path) -> None:
    done = run("edit", "shapes.py:4", "/doc", "--run", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "codegemma-lsp: --run runs the tests that /tests writes; leave it out, or write /tests.\n"
