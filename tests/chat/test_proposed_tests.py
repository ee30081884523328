"""Proposed tests are run in a copy of the project, and those that fail are left out."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.chat import Proposal, RequestRefused, report, run_tests, without_failed
from codegemma_lsp.chat.project_copy import copied, project_of
from codegemma_lsp.chat.proposed_tests import TestRun
from codegemma_lsp.chat.runners import Outcome, runner_for
from codegemma_lsp.document import NOT_OPEN, Document, Edit, Span

PYTHON = """\
import pytest
from shop.sums import double


def test_right():
    assert double(2) == 4


def test_wrong():
    assert double(2) == 5


@pytest.mark.parametrize("value, expected", [(1, 2), (2, 3)])
def test_rows(value, expected):
    assert double(value) == expected


class TestDouble:
    def test_inner(self):
        assert double(3) == 6

    def test_other(self):
        assert double(3) == 7
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in Python that an option of its own would keep from running tests."""
    root = tmp_path / "project"
    (root / "shop").mkdir(parents=True)
    (root / "shop" / "__init__.py").touch()
    (root / "shop" / "sums.py").write_text("def double(x):\n    return 2 * x\n")
    (root / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = "--no-such-option"\n')
    (root / ".git").mkdir()
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    return root


def proposed(file: Path, text: str, language: str = "python") -> Proposal:
    document = Document(uri=file.as_uri(), text="", language=language, version=NOT_OPEN)
    edit = Edit(Span(0, 0), text)
    return Proposal(document=document, region=edit.span, text=text, edits=(edit,), label="", creates=True)


def test_what_fails_is_left_out(project: Path) -> None:
    before = sorted(path for path in project.rglob("*"))
    proposal = proposed(project / "tests" / "test_sums.py", PYTHON)
    run = asyncio.run(run_tests(proposal, project))
    kept = without_failed(proposal, run)
    assert kept is not None
    assert kept.after == snapshot("""\
import pytest
from shop.sums import double


def test_right():
    assert double(2) == 4


class TestDouble:
    def test_inner(self):
        assert double(3) == 6
""")
    assert report(run, kept) == snapshot(
        [
            "2 of 5 new tests pass with pytest.",
            "test_rows fails and is left out: assert 4 == 3",
            "test_wrong fails and is left out: assert 4 == 5",
            "test_other fails and is left out: assert 6 == 7",
        ]
    )
    assert sorted(path for path in project.rglob("*")) == before


SKIPS = """\
import pytest

def test_right():
    pass

@pytest.mark.skip(reason="later")
def test_skipped():
    pass

@pytest.mark.xfail
def test_known():
    assert False

@pytest.mark.parametrize("value", [1, pytest.param(2, marks=pytest.mark.skip)])
def test_rows(value):
    pass
"""


def test_what_did_not_run_is_left_out(project: Path) -> None:
    proposal = proposed(project / "tests" / "test_sums.py", SKIPS)
    run = asyncio.run(run_tests(proposal, project))
    kept = without_failed(proposal, run)
    assert kept is not None
    assert [name for name in ("right", "skipped", "known", "rows") if f"test_{name}" in kept.after] == ["right", "rows"]
    assert report(run, kept) == snapshot(
        [
            "2 of 4 new tests pass with pytest.",
            "test_skipped is skipped or expected to fail and is left out",
            "test_known is skipped or expected to fail and is left out",
        ]
    )


def test_without_a_test_that_passes_there_is_no_proposal(project: Path) -> None:
    wrong = proposed(project / "tests" / "test_sums.py", "def test_a():\n    assert False\n")
    run = asyncio.run(run_tests(wrong, project))
    assert without_failed(wrong, run) is None
    assert report(run, None) == snapshot(
        ["0 of 1 new tests pass with pytest.", "test_a fails and is left out: assert False"]
    )
    broken = proposed(project / "tests" / "test_sums.py", "from shop.sums import triple\n\ndef test_a():\n    pass\n")
    run = asyncio.run(run_tests(broken, project))
    assert run.outcomes == ()
    assert without_failed(broken, run) is None
    assert "cannot import name 'triple'" in report(run, None)[0]


STARTS_A_CHILD = """\
import subprocess, sys, time
from pathlib import Path


def test_a():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path({told!r}).write_text(str(child.pid))
    {rest}
"""


def test_tests_that_take_too_long_are_ended(project: Path) -> None:
    slow = proposed(project / "tests" / "test_sums.py", "import time\n\ndef test_a():\n    time.sleep(600)\n")
    with pytest.raises(RequestRefused, match="pytest took more than 1 seconds, so it was ended"):
        asyncio.run(run_tests(slow, project, seconds=1))


def test_tests_that_print_too_much_are_ended(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codegemma_lsp.chat.limited_process._MOST_WRITTEN", 1_000_000)
    text = (
        "import os\n\ndef test_a(capfd):\n    with capfd.disabled():\n        while True:\n"
        "            os.write(1, b'x' * 9999)\n"
    )
    with pytest.raises(RequestRefused, match="pytest printed too much, so it was ended"):
        asyncio.run(run_tests(proposed(project / "tests" / "test_sums.py", text), project))


def test_cancelled_tests_are_ended_with_what_they_started(project: Path, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    text = STARTS_A_CHILD.format(told=str(told), rest="time.sleep(600)")

    async def cancelled() -> None:
        task = asyncio.create_task(run_tests(proposed(project / "tests" / "test_sums.py", text), project))
        async with asyncio.timeout(60):
            while not told.exists() or not told.read_text():
                await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    _check_ended(int(told.read_text()))


def test_a_child_that_outlives_its_test_is_ended(project: Path, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    text = STARTS_A_CHILD.format(told=str(told), rest="child.returncode = 0")
    run = asyncio.run(run_tests(proposed(project / "tests" / "test_sums.py", text), project))
    assert [one.passed for one in run.outcomes] == [True]
    _check_ended(int(told.read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux finds processes in sessions of their own")
def test_a_child_in_a_session_of_its_own_is_ended(project: Path, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    text = STARTS_A_CHILD.format(told=str(told), rest="child.returncode = 0")
    text = text.replace('(600)"]', '(600)"], start_new_session=True')
    run = asyncio.run(run_tests(proposed(project / "tests" / "test_sums.py", text), project))
    assert [one.passed for one in run.outcomes] == [True]
    _check_ended(int(told.read_text()))


RUNS_TESTS = """\
import asyncio
from pathlib import Path
from codegemma_lsp.chat import run_tests
from codegemma_lsp.cli.signals import run_until_signal
from tests.chat.test_proposed_tests import proposed

with asyncio.Runner() as runner:
    project = Path({project!r})
    run_until_signal(runner, run_tests(proposed(project / "tests" / "test_sums.py", {text!r}), project))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGKILL"])
def test_signals_end_the_tests_and_remove_the_copy(
    project: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "SIGKILL" and sys.platform != "linux":
        pytest.skip("only Linux tells the launcher")
    told, copies = tmp_path / "pid", tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setenv("TMPDIR", str(copies))
    text = STARTS_A_CHILD.format(told=str(told), rest="time.sleep(600)")
    program = RUNS_TESTS.format(project=str(project), text=text)
    number = getattr(signal, name)
    with subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[2]) as process:
        try:
            _wait_for(told)
            process.send_signal(number)
            status = process.wait(60)
        finally:
            process.kill()
    _check_ended(int(told.read_text()))
    if name != "SIGKILL":
        assert status == 128 + number
        assert list(copies.glob("codegemma-tests-*")) == []


def _wait_for(told: Path) -> None:
    deadline = time.monotonic() + 60
    while not told.exists() or not told.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_cancelled_copy_writes_nothing_more(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        (project / f"{number}.txt").touch()
    begun, go_on = Event(), Event()

    def slow(source: Path, target: Path) -> None:
        begun.set()
        assert go_on.wait(60)
        shutil.copyfile(source, target)

    monkeypatch.setattr("shutil.copy2", slow)

    async def cancelled() -> int:
        task = asyncio.create_task(copied(project, tmp_path / "copy"))
        assert await asyncio.to_thread(begun.wait, 60)
        task.cancel()
        asyncio.get_running_loop().call_later(0.1, go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        return sum(path.is_file() for path in (tmp_path / "copy").rglob("*"))

    written = asyncio.run(cancelled())  # waits for the threads
    assert written == sum(path.is_file() for path in (tmp_path / "copy").rglob("*")) == 1


def _check_ended(pid: int) -> None:
    """Waits until a process is gone, or is only kept for a parent that does not ask for it."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        state = Path(f"/proc/{pid}/stat")
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} still runs")


def test_a_project_that_is_too_large_is_not_copied(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codegemma_lsp.chat.project_copy._MOST_FILES", 2)
    with pytest.raises(RequestRefused, match="project is too large to be copied for its tests"):
        asyncio.run(run_tests(proposed(project / "tests" / "test_sums.py", PYTHON), project))


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_javascript_is_run_by_node(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"name": "shop"}')
    (tmp_path / "sums.js").write_text("module.exports = { double: (x) => 2 * x };\n")
    text = (
        'const { test } = require("node:test");\nconst assert = require("node:assert");\n'
        'const { double } = require("./sums");\n\n'
        'test("doubles", () => {\n  assert.strictEqual(double(2), 4);\n});\n\n'
        'test("triples", () => {\n  assert.strictEqual(double(2), 6);\n});\n'
    )
    proposal = proposed(tmp_path / "sums.test.js", text, "javascript")
    run = asyncio.run(run_tests(proposal, tmp_path))
    kept = without_failed(proposal, run)
    assert [(one.name, one.passed) for one in run.outcomes] == [("doubles", True), ("triples", False)]
    assert kept is not None
    assert kept.after == text[: text.index('\ntest("triples"')]


def runs(program: str) -> bool:
    """Returns whether a program is there and runs. One of rustup's runs nothing without a toolchain."""
    found = shutil.which(program)
    return found is not None and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not runs("cargo"), reason="cargo is not installed")
def test_rust_is_run_by_cargo(tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "shop"\nversion = "0.1.0"\nedition = "2021"\n')
    (tmp_path / "src").mkdir()
    source = "pub fn double(x: i32) -> i32 {\n    2 * x\n}\n"
    (tmp_path / "src" / "lib.rs").write_text(source)
    tests = (
        "\n#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn doubles() {\n"
        "        assert_eq!(double(2), 4);\n    }\n\n    #[test]\n    fn triples() {\n"
        "        assert_eq!(double(2), 6);\n    }\n}\n"
    )
    document = Document(uri=(tmp_path / "src" / "lib.rs").as_uri(), text=source, language="rust")
    edit = Edit(Span(len(source), len(source)), tests)
    proposal = Proposal(document=document, region=edit.span, text=tests, edits=(edit,), label="")
    run = asyncio.run(run_tests(proposal, tmp_path))
    kept = without_failed(proposal, run)
    assert kept is not None
    assert "fn doubles" in kept.after
    assert "triples" not in kept.after
    assert kept.after.endswith("        assert_eq!(double(2), 4);\n    }\n}\n")


@pytest.mark.parametrize(
    ("language", "output", "outcomes"),
    [
        pytest.param(
            "go",
            '{"Action":"run","Test":"TestA"}\n{"Action":"output","Test":"TestB","Output":"    a_test.go:9: got 3\\n"}\n'
            '{"Action":"pass","Test":"TestA"}\n{"Action":"fail","Test":"TestB"}\n{"Action":"fail","Test":"TestB/x"}\n'
            "{broken\n",
            [("TestA", True, ""), ("TestB", False, "a_test.go:9: got 3")],
            id="go",
        ),
        pytest.param(
            "typescript",
            '> test\n{"testResults":[{"assertionResults":[{"title":"adds","status":"passed"},'
            '{"title":"subtracts","status":"failed","failureMessages":["expected 1 to be 2\\nat a.ts"]}]}]}\n',
            [("adds", True, ""), ("subtracts", False, "expected 1 to be 2")],
            id="vitest",
        ),
        pytest.param(
            "javascript",
            "TAP version 13\n# Subtest: s\n    # Subtest: in\n    not ok 1 - in\n      ---\n      error: |-\n"
            "        bad\n        x\n      ...\n    1..1\nnot ok 1 - s\n  ---\n  type: 'suite'\n  ...\n"
            "ok 2 - later # SKIP\n  ---\n  duration_ms: 1\n  ...\n",
            [("in", False, "bad"), ("later", None, "")],
            id="node",
        ),
        pytest.param(
            "javascript",
            "not ok 1 - known # TODO mend it\n  ---\n  ...\nok 2 - a # sign\n  ---\n  ...\nok 3 - b # todo\n",
            [("known", None, ""), ("a", True, ""), ("b", None, "")],
            id="node-todo",
        ),
        pytest.param(
            "typescript",
            json.dumps(
                {
                    "testResults": [
                        {
                            "assertionResults": [
                                {"title": status, "status": status}
                                for status in ("passed", "failed", "pending", "todo", "skipped", "disabled")
                            ]
                        }
                    ]
                }
            ),
            [
                ("passed", True, ""),
                ("failed", False, ""),
                *((name, None, "") for name in ("pending", "todo", "skipped", "disabled")),
            ],
            id="jest-skipped",
        ),
        pytest.param("go", '{"Action":"skip","Test":"TestA"}\n', [("TestA", None, "")], id="go-skipped"),
        pytest.param(
            "rust",
            "test a::b ... ok\ntest a::c ... ignored, later\ntest a::d ... ignored\n",
            [("b", True, ""), ("c", None, ""), ("d", None, "")],
            id="rust-ignored",
        ),
    ],
)
def test_what_other_runners_say(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    output: str,
    outcomes: list[tuple[str, bool | None, str]],
) -> None:
    """None stands for a test that did not run."""
    programs = [tmp_path / "bin" / name for name in ("go", "node", "cargo")]
    programs += [tmp_path / "node_modules" / ".bin" / "vitest"] * (language == "typescript")
    for program in programs:
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f".{os.pathsep}{tmp_path / 'bin'}")
    runner = runner_for(language, tmp_path, tmp_path, tmp_path / "a.test.ts")
    assert Path(runner.command[0]).is_relative_to(tmp_path)
    found = list(runner.outcomes(output))
    assert [(one.name, None if one.skipped else one.passed, one.why) for one in found] == outcomes
    assert not any(one.passed for one in found if one.skipped)


def test_a_language_or_a_program_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RequestRefused, match="it is not known how tests are run"):
        runner_for("java", tmp_path, tmp_path, tmp_path / "ATest.java")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RequestRefused, match="go cannot be found"):
        runner_for("go", tmp_path, tmp_path, tmp_path / "a_test.go")


def test_the_project_is_the_innermost_folder_with_a_marker(tmp_path: Path) -> None:
    inner = tmp_path / "root" / "a" / "b"
    inner.mkdir(parents=True)
    file = inner / "x_test.go"
    assert project_of(file, tmp_path / "root", ("go.mod",)) == tmp_path / "root"
    assert project_of(file, tmp_path / "elsewhere", ("go.mod",)) == inner
    (tmp_path / "go.mod").touch()
    assert project_of(file, inner, ("go.mod",)) == tmp_path
    (tmp_path / "root" / "a" / "go.mod").touch()
    assert project_of(file, inner, ("go.mod",)) == tmp_path / "root" / "a"


def test_the_home_folder_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / "notes").mkdir(parents=True)
    monkeypatch.setattr(Path, "home", lambda: home)
    (home / "package.json").touch()
    (tmp_path / "package.json").touch()
    assert project_of(home / "notes" / "a.js", home / "notes", ("package.json",)) == home / "notes"
    for root in (home, tmp_path, Path(home.anchor)):
        with pytest.raises(RequestRefused, match="it is your home folder or around it"):
            project_of(root / "a.js", root, ("package.json",))


def test_what_of_a_project_is_copied(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "foreign.py").touch()
    for name in (".env", "id_rsa", "closed.txt"):
        (project / name).write_text("x")
    (project / ".ssh").mkdir()
    (project / ".ssh" / "config").write_text("x")
    for link, to in {
        "linked": project / "shop", "alias.py": project / "shop" / "sums.py", "foreign": outside,
        "foreign.py": outside / "foreign.py", "hidden": project / ".env", "itself": project / "itself",
        "memory": Path("/proc/self/mem"),
    }.items():  # fmt: skip
        (project / link).symlink_to(to)
    copy_file = shutil.copy2

    def only_open(source: Path, target: Path) -> None:
        copy_file(source, target)
        if source.name == "closed.txt":
            raise PermissionError

    monkeypatch.setattr("shutil.copy2", only_open)
    copy = asyncio.run(copied(project, tmp_path / "copies"))
    found = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.exists() and not path.is_dir()}
    assert found == {"pyproject.toml", "shop/__init__.py", "shop/sums.py", "alias.py"}
    assert (copy / "linked").resolve() == copy.resolve() / "shop"


def test_a_folder_with_a_blank_in_its_name(project: Path) -> None:
    run = asyncio.run(run_tests(proposed(project / "my tests" / "test_a.py", "def test_a():\n    pass\n"), project))
    assert [(one.name, one.passed) for one in run.outcomes] == [("test_a", True)]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_that_is_there_keeps_its_tests_apart(tmp_path: Path, newline: str) -> None:
    old = "def test_old():\n    assert True".replace("\n", newline)
    new = "\n\n\ndef test_a():\n    pass\n\n\ndef test_b():\n    pass\n".replace("\n", newline)
    document = Document(uri=(tmp_path / "test_x.py").as_uri(), text=old, language="python")
    edit = Edit(Span(len(old), len(old)), new)
    proposal = Proposal(document=document, region=edit.span, text=new, edits=(edit,), label="")

    def kept(failing: str) -> str:
        outcomes = tuple(Outcome(name=name, passed=name != failing) for name in ("test_a", "test_b"))
        left = without_failed(proposal, TestRun(runner="pytest", outcomes=outcomes, output=""))
        assert left is not None
        return left.after.removeprefix(old).replace(newline, "\n")

    assert kept("test_a") == "\n\n\ndef test_b():\n    pass\n"
    assert kept("test_b") == "\n\n\ndef test_a():\n    pass\n"


def test_a_failing_test_that_stands_within_another_call_is_named(tmp_path: Path) -> None:
    text = 'describe("sums", () => {\n  test("adds", () => {});\n  test("doubles", () => {});\n});\n'
    proposal = proposed(tmp_path / "a.test.js", text, "javascript")
    outcomes = (Outcome(name="adds", passed=True), Outcome(name="doubles", passed=False, why="expected 1"))
    run = TestRun(runner="vitest", outcomes=outcomes, output="")
    kept = without_failed(proposal, run)
    assert kept is not None
    assert kept.after == text
    assert report(run, kept)[1] == "doubles fails and is still there: expected 1"
