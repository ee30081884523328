"""The evaluation of edits itself: its mutants, its checks, its halves, its runs and its command."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from codegemma_lsp.benchmarks.cross_file.tasks import Half
from codegemma_lsp.benchmarks.edits import from_humaneval, questions, written
from codegemma_lsp.benchmarks.edits.answers import ListeningEngine, Mode, answer, last_block
from codegemma_lsp.benchmarks.edits.command import SOURCES
from codegemma_lsp.benchmarks.edits.judging import Given, alters_documentation, breaks_syntax, in_sandbox, judge
from codegemma_lsp.benchmarks.edits.mutants import mutants
from codegemma_lsp.benchmarks.edits.run import Result, Setup, asked, run
from codegemma_lsp.benchmarks.edits.tasks import Kind, Source, Task, half_of, pick
from codegemma_lsp.cli.app import app
from codegemma_lsp.settings import Settings
from tests.scripted import ScriptedEngine

WITH_MISTAKES = '''
def f(items, low):
    """Return 3."""
    count = 0
    for i in range(len(items)):
        if not items[i] < low and i > 1:
            count += max(i * 2, low)
    return count
'''


def test_mutants_have_one_mistake_below_the_docstring() -> None:
    made = mutants(WITH_MISTAKES, "f", "seed")
    lines = WITH_MISTAKES.split("\n")
    for one in made:
        changed = [n for n, (a, b) in enumerate(zip(lines, one.text.split("\n"), strict=True)) if a != b]
        assert changed == [WITH_MISTAKES.count("\n", 0, one.offset)]
    shown = {line.strip() for one in made for line in one.text.split("\n")} - {line.strip() for line in lines}
    assert {
        "for i in range(len(items) - 1):",
        "if items[i] < low and i > 1:",
        "if not items[i] <= low and i > 1:",
        "if not items[i] < low or i > 1:",
        "count -= max(i * 2, low)",
        "count += max(low, i * 2)",
        "count += max(i + 2, low)",
        "count = 1",
    } <= shown
    assert '"""Return 4."""' not in shown
    assert made == mutants(WITH_MISTAKES, "f", "seed") != mutants(WITH_MISTAKES, "f", "another")


def _drawn(kind: Kind, count: int | None = None) -> list[Task]:
    return pick(SOURCES[kind](0), Half.BOTH, count, 7)


def test_mutants_fail_the_tests_and_say_what_failed() -> None:
    for task in _drawn(Kind.FIX_MESSAGE, 4):
        assert judge(task, Given(text=task.right)).right
        assert not judge(task, Given(text=task.text)).right
        message = task.command.removeprefix("/fix ")
        assert re.match(r"\w+: .*\w+\(.*\)", message, re.DOTALL)
        if "returned" in message:
            call, _, expected = re.split(r" returned |, but ", message.removeprefix("AssertionError: "), maxsplit=2)
            space: dict[str, object] = {}
            exec(task.right, space)
            assert eval(call, space) == eval(expected.removesuffix(" was expected"), space)


def test_a_fix_on_a_line_begins_on_the_faulty_one() -> None:
    for task in _drawn(Kind.FIX_LINE, 4):
        start, end = task.selection
        line = task.text.count("\n", 0, start)
        assert start == end
        assert task.text.split("\n")[line] != task.right.split("\n")[line]


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        (Kind.FIX_WHOLE, 2),
        (Kind.FIX_LINE, 2),
        (Kind.DOC, None),
        (Kind.TESTS, 2),
        (Kind.QUESTION, None),
    ],
)
def test_a_check_accepts_the_right_answer_and_no_wrong_one(kind: Kind, count: int | None) -> None:
    _check_all(_drawn(kind, count))


@pytest.mark.parametrize("sources", [written.instructions, written.blanks])
def test_written_checks_accept_the_right_answer_and_no_wrong_one(sources: Callable[[], list[Source]]) -> None:
    _check_all(pick(sources(), Half.BOTH, None, 0))


def test_instructions_for_any_function_are_checked_in_both_directions() -> None:
    tasks = [task for source in from_humaneval.instructions() if (task := source.make()) is not None]
    first = {re.sub(r"parameter \w+ to|if \w+ is", "", task.command): task for task in reversed(tasks)}
    assert len(first) == 6
    _check_all(list(first.values()))


def _check_all(tasks: list[Task]) -> None:
    assert tasks
    with ThreadPoolExecutor(4) as judges:
        assert [fault for faults in judges.map(_faults, tasks) for fault in faults] == []


def _faults(task: Task) -> list[str]:
    """What is wrong with a task's check: a right answer that it rejects, or a wrong one that it accepts."""
    rejected = [f"{task.id}: right"] * (not judge(task, _given(task, task.right)).right)
    verdicts = [judge(task, _given(task, wrong)) for wrong in task.wrong]
    accepted = [f"{task.id}: wrong {n}" for n, one in enumerate(verdicts) if one.right or not one.reason]
    return rejected + accepted + [f"{task.id}: no wrong answer"] * (not task.wrong)


def _given(task: Task, text: str) -> Given:
    return Given(text=text, prompt=task.text)


def test_enough_instructions_in_several_languages() -> None:
    tasks = pick(written.instructions(), Half.BOTH, None, 0)
    assert len(tasks) >= 40
    assert len({task.language for task in tasks}) >= 6
    assert len({task.id for task in tasks}) == len(tasks)


def test_a_fact_that_was_not_shown_is_not_right() -> None:
    task = _drawn(Kind.QUESTION, 1)[0]
    assert judge(task, Given(text=task.right, prompt="a part of the file")).reason == "not in the prompt"
    files = [one.make() for one in questions.questions()]
    assert all(100 <= one.text.count("\n") <= 400 for one in files if one is not None)


def test_what_is_counted_besides() -> None:
    task = _drawn(Kind.FIX_WHOLE, 1)[0]
    assert not alters_documentation(task, Given(text=task.right))
    altered = task.right.replace('"""', '"""Changed. ', 1).replace("'''", "'''Changed. ", 1)
    assert alters_documentation(task, Given(text=altered))
    assert breaks_syntax(task, Given(text=f"{task.right}\n)"))
    assert not breaks_syntax(task, Given(text=task.right))
    assert judge(task, Given(text="", reason="refused")).reason == "refused"


@pytest.mark.parametrize(
    ("tests", "reason"),
    [
        ("import pytest\n\ndef test_a():\n    with pytest.raises(ValueError):\n        int('x')\n", ""),
        ("import pytest\n\ndef test_a():\n    with pytest.raises(ValueError):\n        pass\n", "AssertionError"),
        ("import pytest\n\n@pytest.mark.parametrize('a, b', [(1, 2)])\ndef test_a(a, b):\n    assert f(a) == b\n", ""),
        (
            "import pytest\n\n@pytest.mark.parametrize('a', [3])\ndef test_a(a):\n    assert f(a) == 3\n",
            "AssertionError",
        ),
        ("import pytest\n\ndef test_a():\n    assert f(0.1) == pytest.approx(1.1)\n", ""),
        ("class TestA:\n    def test_a(self):\n        assert f(1) == 1\n", "AssertionError"),
        (
            "import unittest\n\nclass A(unittest.TestCase):\n    def test_a(self):\n        self.assertTrue(f(1))\n",
            "",
        ),
        ("assert f(1) == 2\n", "NoTests"),
    ],
)
def test_written_tests_are_run_as_pytest_runs_them(tests: str, reason: str) -> None:
    text = f"from shop.sums import f\n\n{tests}"
    assert in_sandbox(f"run_tests(SOURCE, 'shop.sums', {text!r})", "def f(x):\n    return x + 1\n").reason == reason


def test_all_kinds_made_from_a_source_are_in_the_same_half() -> None:
    names = {kind: {one.name for one in SOURCES[kind](0)} for kind in (Kind.FIX_WHOLE, Kind.FIX_LINE, Kind.DOC)}
    assert len(set(map(frozenset, names.values()))) == 1
    assert half_of("HumanEval/0") is Half.REPORT
    assert half_of("HumanEval/1") is Half.LOOK
    for kind in (Kind.INSTRUCT, Kind.BLANK):
        halves = [{one.id for one in pick(SOURCES[kind](0), half, None, 0)} for half in (Half.LOOK, Half.REPORT)]
        both = {one.id for one in pick(SOURCES[kind](0), Half.BOTH, None, 0)}
        assert halves[0] | halves[1] == both
        assert not halves[0] & halves[1]
        assert min(map(len, halves)) > len(both) / 4


def test_drawn_tasks_repeat_by_seed_and_only_they_are_made() -> None:
    made: list[int] = []

    def make(number: int) -> Task | None:
        made.append(number)
        return written.blanks()[number].make()

    sources = [Source(str(number), partial(make, number)) for number in range(20)]
    drawn = pick(sources, Half.BOTH, 3, 1)
    assert len(drawn) == len(made) == 3
    assert drawn == pick(sources, Half.BOTH, 3, 1) != pick(sources, Half.BOTH, 3, 2)


SETTINGS = Settings(chat_max_tokens=2048, chat_context_tokens=16_384)


def _answered(task: Task, said: str, mode: Mode = Mode.OFFERED) -> Given:
    engine = ListeningEngine(ScriptedEngine(said))
    return asyncio.run(answer(task, engine, SETTINGS, mode))


def _code(task: Task) -> str:
    """The code with which a model that knows everything answers about the region of a task."""
    start, end = task.region
    return task.right[start : len(task.right) - (len(task.text) - end)]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("kind", [Kind.FIX_WHOLE, Kind.FIX_MESSAGE, Kind.BLANK])
def test_a_model_that_knows_the_answer_is_right(kind: Kind, mode: Mode) -> None:
    for task in _drawn(kind, 2):
        fence = "" if mode is Mode.OFFERED else "Here it is:\n```python\n"
        given = _answered(task, f"{fence}{_code(task)}\n```\n", mode)
        assert judge(task, given).right, (task.id, given)
        assert given.usage.prompt_tokens > 0
        assert given.usage.completion_tokens > 0


def test_documentation_tests_and_answers_come_from_the_servers_code() -> None:
    doc, tests, question = (_drawn(kind, 1)[0] for kind in (Kind.DOC, Kind.TESTS, Kind.QUESTION))
    assert judge(doc, _answered(doc, "Return what is asked for, in the form that the tests expect.")).right
    assert judge(question, _answered(question, question.right)).right
    checks, call = tests.right.split("def test_")
    given = _answered(tests, f"{call}\n\n{checks}\n```\n")
    assert judge(tests, given).score == 1.0
    assert "import pytest" in given.prompt
    assert not judge(tests, _answered(tests, "```\n")).right


def test_the_last_block_of_an_answer() -> None:
    assert last_block("a\n```python\nx = 1\n```\nor\n````\ny = '```'\n````\n") == "y = '```'"
    assert last_block("```go\nunfinished") == "unfinished"
    assert last_block("no code") == ""


def test_an_interrupted_run_continues(tmp_path: Path) -> None:
    tasks = _drawn(Kind.BLANK, 3)
    setup = Setup(
        model="m", model_stamp="", kind=Kind.BLANK, mode=Mode.OFFERED, half="both", seed=0, tasks=3,
        asked=asked(SETTINGS, tasks),
    )  # fmt: skip
    path, seen = tmp_path / "run.jsonl", list[Result]()
    engine = ScriptedEngine("x = 1\n```")
    whole = run(setup, tasks, ListeningEngine(engine), SETTINGS, path, seen.append)
    assert [one.id for one in whole] == [task.id for task in tasks]
    lines = path.read_text().splitlines()
    assert len(lines) == 5
    path.write_text("\n".join([*lines[:2], lines[2][:40]]))
    engine.requests.clear()
    again = run(setup, tasks, ListeningEngine(engine), SETTINGS, path, seen.append)
    assert len(engine.requests) == 2
    assert [one.model_dump(exclude={"ms"}) for one in again] == [one.model_dump(exclude={"ms"}) for one in whole]
    other = SETTINGS.model_copy(update={"chat_max_tokens": 512})
    assert asked(other, tasks) != setup.asked == asked(SETTINGS.model_copy(update={"threads": 3}), tasks)


def test_the_command(tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    options = ["--model", "nano", "--kind", "blank", "--raw", "--limit", "1", "--out", str(tmp_path)]
    said = CliRunner().invoke(app, ["eval", "edits", *options, "--json", str(summary)])
    assert said.exit_code == 0, said.output
    shown = re.sub(r"\d+ *\n", "N\n", said.output.replace(str(tmp_path), "FOLDER"))
    assert [line.split()[:4] for line in shown.splitlines() if "blank" in line] == [["nano", "blank", "1", "0.0%"]]
    assert "Each task's result: FOLDER" in shown
    rows = json.loads(summary.read_text())
    assert [(row["kind"], row["mode"], row["n"]) for row in rows] == [("blank", "offered", 1), ("blank", "raw", 1)]
    assert all(Path(row["file"]).is_file() for row in rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kind", "poem"], "There is no kind poem"),
        (["--half", "third"], "There is no half third"),
    ],
)
def test_wrong_options(options: list[str], message: str) -> None:
    said = CliRunner().invoke(app, ["eval", "edits", *options])
    assert said.exit_code != 0
    assert message in str(said.exception) + said.output
