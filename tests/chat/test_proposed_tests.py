"""Proposed tests are run in a copy of the project, and those that fail are left out."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.chat import Proposal, RequestRefused, report, run_tests, without_failed
from codegemma_lsp.chat.proposed_tests import TestRun, project_of
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
    monkeypatch.setattr("codegemma_lsp.chat.proposed_tests._MOST_FILES", 2)
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


@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed")
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
            [("in", False, "bad"), ("later", True, "")],
            id="node",
        ),
    ],
)
def test_what_other_runners_say(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    output: str,
    outcomes: list[tuple[str, bool, str]],
) -> None:
    programs = [tmp_path / "bin" / "go", tmp_path / "bin" / "node"]
    programs += [tmp_path / "node_modules" / ".bin" / "vitest"] * (language == "typescript")
    for program in programs:
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f".{os.pathsep}{tmp_path / 'bin'}")
    runner = runner_for(language, tmp_path, tmp_path, tmp_path / "a.test.ts")
    assert Path(runner.command[0]).is_relative_to(tmp_path)
    assert [(one.name, one.passed, one.why) for one in runner.outcomes(output)] == outcomes


def test_a_language_or_a_program_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RequestRefused, match="it is not known how tests are run"):
        runner_for("java", tmp_path, tmp_path, tmp_path / "ATest.java")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RequestRefused, match="go cannot be found"):
        runner_for("go", tmp_path, tmp_path, tmp_path / "a_test.go")


def test_the_project_is_the_innermost_folder_with_a_marker(tmp_path: Path) -> None:
    inner = tmp_path / "root" / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "go.mod").touch()
    assert project_of(inner / "x_test.go", tmp_path / "root", ("go.mod",)) == tmp_path / "root"
    (tmp_path / "root" / "a" / "go.mod").touch()
    assert project_of(inner / "x_test.go", tmp_path / "root", ("go.mod",)) == tmp_path / "root" / "a"


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
