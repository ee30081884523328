"""The benchmark itself: its tasks, its judge, its two modes, its runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.benchmarks.infilling import confidence, report
from codegemma_lsp.benchmarks.infilling.answers import Answer, Mode, answer, mode_for
from codegemma_lsp.benchmarks.infilling.arms import other_files
from codegemma_lsp.benchmarks.infilling.bench import Plan, carry_out, pick
from codegemma_lsp.benchmarks.infilling.command import every_layout
from codegemma_lsp.benchmarks.infilling.folder import folder_tasks, source_files
from codegemma_lsp.benchmarks.infilling.humaneval import humaneval_tasks
from codegemma_lsp.benchmarks.infilling.measures import breaks_syntax, duplicates_suffix, edit_similarity, exact_match
from codegemma_lsp.benchmarks.infilling.reference import ReferenceEngine
from codegemma_lsp.benchmarks.infilling.run import Result, Setup, run
from codegemma_lsp.benchmarks.infilling.tasks import BadTasks, Split, Task, after_indentation
from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
from codegemma_lsp.engines.protocol import Generation, Options, Request
from codegemma_lsp.models import BUNDLED, model_path
from codegemma_lsp.prompt import InfillFormat, Layout
from codegemma_lsp.settings import Settings
from codegemma_lsp.syntax import Cut
from tests.scripted import ScriptedEngine


@pytest.mark.parametrize(("split", "count"), [("single-line", 1033), ("multi-line", 5815), ("random-span", 1640)])
def test_a_split_has_the_published_size_and_every_task_gives_back_its_program(split: str, count: int) -> None:
    tasks = humaneval_tasks(Split(split))
    assert len({task.id for task in tasks}) == len(tasks) == count
    programs: dict[str, set[str]] = {}
    for task in tasks:
        whole = task.prefix + task.middle + task.suffix
        programs.setdefault(task.id.rsplit("/", 1)[0], set()).add(whole.replace("\n\n", "\n"))
        assert task.middle
        assert split == "random-span" or (task.prefix.endswith("\n") and task.middle.endswith("\n"))
    assert len(programs) == 164
    assert all(len(texts) == 1 for texts in programs.values())


def test_spans_and_picked_tasks_repeat_by_seed() -> None:
    spans = humaneval_tasks(Split.RANDOM_SPAN, seed=1)
    assert spans == humaneval_tasks(Split.RANDOM_SPAN, seed=1) != humaneval_tasks(Split.RANDOM_SPAN, seed=2)
    assert pick(spans, 5, 3) == pick(spans, 5, 3) != pick(spans, 5, 4)
    assert pick(spans, None, 0) == spans


LINE = Task(
    id="t",
    split="single-line",
    prefix="def f(x):\n",
    suffix="    return y\n",
    middle="    y = g(x)\n",
    whole_lines=True,
)
REST = Task(id="t", split="random-span", prefix="print(", suffix=")\n", middle="x")


@pytest.mark.parametrize(
    ("task", "answer", "exact", "breaks", "repeats"),
    [
        (LINE, Answer("    y = g(x)\n"), True, False, False),
        (LINE, Answer("    y = g(x)", after="\n"), True, False, False),
        (LINE, Answer("    y = g(x\n"), False, True, False),
        (LINE, Answer("    y = g(x)\n    return y\n"), False, False, True),
        (LINE, Answer("    y = g(x)\n    return y\n\ndef h():\n    return 1\n"), False, False, True),
        (replace(LINE, suffix="}\n"), Answer("}\n"), False, True, False),
        (replace(LINE, middle="    \n"), Answer(""), False, False, False),
        (replace(LINE, middle="    \n"), Answer("\n"), True, False, False),
        (replace(REST, prefix="y = ", suffix="\n"), Answer("(1"), False, True, False),
        (LINE, Answer(""), False, False, False),
        (REST, Answer("x"), True, False, False),
        (REST, Answer("x)", overwrites=1), True, False, False),
        (REST, Answer("x)"), False, True, False),
        (replace(REST, suffix=" + 1)\n"), Answer("x + 1)"), False, True, True),
    ],
)
def test_measures(task: Task, answer: Answer, exact: bool, breaks: bool, repeats: bool) -> None:
    assert exact_match(task, answer) is exact
    assert breaks_syntax(task, answer) is breaks
    assert duplicates_suffix(task, answer) is repeats
    assert (edit_similarity(task, answer) == 1.0) is exact


def handful(split: Split) -> list[Task]:
    return pick(humaneval_tasks(split), 6, seed=1)


def summaries(model: str, tasks: Sequence[Task], raw: bool, folder: Path, **settings: Any) -> dict[str, Any]:
    chosen = Settings(model=model, threads=1, **settings)
    (one,) = carry_out([Plan(settings=chosen, tasks=tasks, raw=raw)], folder, lambda _: lambda _: None)
    return one


@pytest.mark.parametrize("split", list(Split))
@pytest.mark.parametrize("layout", list(Layout))
def test_an_oracle_is_always_right_and_an_empty_engine_never(split: Split, layout: Layout, tmp_path: Path) -> None:
    oracle = summaries("oracle", handful(split), True, tmp_path, layout=layout)
    assert (oracle["n"], oracle["pass_at_1"], oracle["exact_match"], oracle["edit_similarity"]) == (6, 1, 1, 1)
    assert (oracle["syntax_break_rate"], oracle["duplicate_suffix_rate"]) == (0, 0)
    empty = summaries("empty", handful(split), True, tmp_path, layout=layout)
    assert (empty["pass_at_1"], empty["exact_match"], empty["edit_similarity"]) == (0, 0, 0)


@pytest.mark.parametrize("indented", [False, True])
def test_the_pipeline_takes_nothing_from_a_perfect_line(indented: bool, tmp_path: Path) -> None:
    tasks = pick(humaneval_tasks(Split.SINGLE_LINE), 40, seed=3)
    if indented:
        tasks = [after_indentation(task) for task in tasks]
        assert all(task.prefix.endswith(" ") and not task.middle.startswith(" ") for task in tasks)
    oracle = summaries("oracle", tasks, False, tmp_path)
    assert (oracle["mode"], oracle["pass_at_1"], oracle["exact_match"]) == ("pipeline", 1, 1)


def test_a_layout_that_a_family_lacks_is_not_run_twice(tmp_path: Path) -> None:
    ran: list[Setup] = []

    def on_start(setup: Setup) -> Callable[[Result], None]:
        ran.append(setup)
        return lambda _: None

    plans = [
        Plan(settings=one, tasks=handful(Split.SINGLE_LINE)[:1], raw=True)
        for one in every_layout(Settings(threads=1, infill_format=InfillFormat.QWEN))
    ]
    carry_out(plans, tmp_path, on_start)
    assert [(setup.layout, setup.heal) for setup in ran] == snapshot(
        [("psm", False), ("psm", True), ("anchored", False), ("anchored", True)]
    )


@pytest.mark.parametrize("raw", [True, False])
def test_the_bundled_model_is_measured(raw: bool, tmp_path: Path) -> None:
    told: list[Result] = []
    plan = Plan(settings=Settings(threads=1), tasks=handful(Split.SINGLE_LINE), raw=raw)
    (one,) = carry_out([plan], tmp_path, lambda _: told.append)
    assert (one["engine"], one["model"], one["mode"]) == ("llama", "nano", "raw" if raw else "pipeline")
    assert one["n"] == len(told) == 6
    assert all(0 <= one[name] <= 1 for name in ("pass_at_1", "exact_match", "edit_similarity", "syntax_break_rate"))
    assert one["prefill_tokens"] > 0
    assert 0 < one["ms_p50"] <= one["ms_p95"]


async def test_a_model_that_cannot_infill_is_asked_to_go_on() -> None:
    task = handful(Split.SINGLE_LINE)[0]
    engine = LlamaEngine(model_path(BUNDLED), Options(threads=1, infill_format=InfillFormat.NONE))
    try:
        assert mode_for(engine, raw=True) is Mode.PREFIX
        given = await answer(task, engine, Settings(), Mode.PREFIX)
    finally:
        engine.close()
    assert given.usage.prompt_tokens < len(engine.tokenizer.encode(task.prefix)) + 2
    assert given.text.strip("\n").count("\n") == 0


class Breaking(ReferenceEngine):
    """Knows every answer, and is killed before a given one."""

    def __init__(self, tasks: Sequence[Task], breaks_at: int) -> None:
        super().__init__("oracle", tasks)
        self.asked, self.breaks_at = 0, breaks_at

    async def generate(self, request: Request) -> Generation:
        self.asked += 1
        if self.asked > self.breaks_at:
            raise KeyboardInterrupt
        return await super().generate(request)


def test_an_interrupted_run_goes_on_and_a_finished_one_starts_anew(tmp_path: Path) -> None:
    tasks, path, settings = handful(Split.SINGLE_LINE), tmp_path / "run.jsonl", Settings()
    setup = Setup(
        engine="reference", model="oracle", model_stamp="", split="single-line", mode=Mode.RAW, layout="psm",
        heal=False, max_tokens=96, temperature=0, seed=0, arm="", tasks=6, asked="",
    )  # fmt: skip

    def go(breaks_at: int) -> tuple[int, list[Result]]:
        engine, told = Breaking(tasks, breaks_at), list[Result]()
        results = run(setup, tasks, engine, settings, path, told.append)
        assert told == results
        return engine.asked, results

    with pytest.raises(KeyboardInterrupt):
        go(4)
    with path.open("a") as file:
        file.write('{"id": "cut o')
    asked, results = go(99)
    assert 2 <= asked < 6
    assert [result.id for result in results] == [task.id for task in tasks]
    assert go(99)[0] == 6


def test_another_question_never_goes_on_with_a_run(tmp_path: Path) -> None:
    """Whatever can change an answer is part of what a run is known by."""
    spans = humaneval_tasks(Split.RANDOM_SPAN)[:2]
    moved = [replace(task, prefix=task.prefix + "\n") for task in spans]
    questions: list[tuple[list[Task], dict[str, Any]]] = [
        (spans, {}),
        (humaneval_tasks(Split.RANDOM_SPAN, seed=1)[:2], {}),
        (moved, {}),
        (spans, {"context_tokens": 512}),
        (spans, {"multiline": False}),
    ]
    for number, (tasks, settings) in enumerate(questions, start=1):
        summaries("oracle", tasks, True, tmp_path, **settings)
        assert len(list(tmp_path.glob("*.jsonl"))) == number
    summaries("oracle", spans, True, tmp_path, slots=2)
    assert len(list(tmp_path.glob("*.jsonl"))) == 5


def test_answers_with_odd_line_ends_are_read_back(tmp_path: Path) -> None:
    from codegemma_lsp.benchmarks.infilling.run import read

    tasks = [replace(LINE, id=str(n), middle="    y = '\u2028\x85'\n") for n in range(2)]
    summaries("oracle", tasks, True, tmp_path)
    _, results, finished = read(next(tmp_path.glob("*.jsonl")))
    assert (len(results), finished) == (2, True)


@pytest.mark.parametrize("split", list(Split))
def test_every_right_answer_is_measured_as_right(split: Split) -> None:
    for task in humaneval_tasks(split)[:: 10 if split is Split.MULTI_LINE else 2]:
        right = Answer(task.middle)
        assert exact_match(task, right)
        assert edit_similarity(task, right) == 1
        assert not duplicates_suffix(task, right)
    for task in humaneval_tasks(split)[::80]:
        assert not breaks_syntax(task, Answer(task.middle))
        assert breaks_syntax(task, Answer("(" + task.middle + "(("))


def test_a_file_that_is_no_run_is_said_to_be_none(tmp_path: Path) -> None:
    from codegemma_lsp.benchmarks.infilling.run import read

    (tmp_path / "x.jsonl").write_text("not json\n")
    with pytest.raises(BadTasks, match="is not a run of this program"):
        read(tmp_path / "x.jsonl")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    files = {
        ".gitignore": "made/\n",
        "shop/price.py": 'def total(items, rate=0.2):\n    """The price of all items."""\n'
        "    return sum(items) * rate\n",
        "shop/cart.py": "from shop.price import total\n\ndef pay(cart):\n    amount = total(cart.items)\n"
        "    if amount > 100:\n        amount = amount - 10\n    return amount\n",
        "web/cart.ts": 'import { total } from "./price";\n\nexport function pay(cart: number[]): number {\n'
        "  const amount = total(cart);\n  return amount > 100 ? amount - 10 : amount;\n}\n",
        "web/price.ts": "export function total(items: number[], rate = 0.2): number {\n"
        "  return items.length * rate;\n}\n",
        "made/out.py": "x_is_made = 1\n",
        ".hidden/secret.py": "x_is_secret = 1\n",
        "notes.txt": "no source\n",
        "../outside.py": "x_is_outside = 1\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    (root / "link.py").symlink_to("../outside.py")
    (root / "latin1.py").write_bytes(b"x = '\xe9'\n")
    os.mkfifo(root / "pipe.py")
    with (root / ".gitignore").open("a") as file:
        file.write("!\n\\\n[z-a]\n")
    return root


def test_a_folder_gives_its_own_files_and_no_ignored_or_hidden_ones(sources: Path) -> None:
    found = [path.relative_to(sources).as_posix() for path in source_files(sources)]
    assert found == ["latin1.py", "shop/cart.py", "shop/price.py", "web/cart.ts", "web/price.ts"]


@pytest.mark.parametrize("cut", list(Cut))
def test_tasks_cut_from_a_folder(cut: Cut, sources: Path, tmp_path: Path) -> None:
    tasks = folder_tasks(sources, cut, 8, seed=0)
    assert tasks == folder_tasks(sources, cut, 8, seed=0)
    assert {task.language for task in tasks} == {"python", "typescript"}
    for task in tasks:
        assert task.prefix + task.middle + task.suffix == (sources / task.path).read_text("utf-8")
    oracle = summaries("oracle", tasks, True, tmp_path)
    assert (oracle["pass_at_1"], oracle["exact_match"], oracle["split"]) == (None, 1, cut)


def test_the_model_may_see_what_imported_names_are(sources: Path) -> None:
    text = "from shop.price import total\n\nsum = total("
    asked = Task(
        id="1",
        split="line",
        prefix=text,
        suffix=")",
        middle="items",
        path="shop/cart.py",
        folder=str(sources),
        arm="all",
    )
    engine = ScriptedEngine()
    assert [piece.path for piece in other_files(asked, engine, Settings())] == ["shop/price.py"]
    assert other_files(replace(asked, arm="none"), engine, Settings()) == ()
    (sources / "tests").mkdir()
    (sources / "tests" / "test_cart.py").write_text("def test_checkout():\n    assert checkout(1)\n")
    inside = replace(asked, prefix="def checkout(item):\n    return ", suffix="", arm="sibling")
    assert [piece.path for piece in other_files(inside, engine, Settings())] == ["tests/test_cart.py"]


def test_a_table_and_a_plot_are_made(tmp_path: Path) -> None:
    from rich.console import Console

    one = summaries("oracle", handful(Split.SINGLE_LINE), True, tmp_path)
    console = Console(width=report.WIDTH, record=True, file=(tmp_path / "out").open("w"))
    console.print(report.table([one, one | {"model": "other"}]))
    assert "100.0%" in console.export_text()
    report.plot([one, one | {"model": "other", "pass_at_1": None}], tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    console.file.close()


def test_the_command_line(tmp_path: Path) -> None:
    from tests.test_cli import run as command

    arguments = ["eval", "infilling", "--model", "oracle", "--model", "empty", "--raw", "--limit", "3"]
    done = command(*arguments, "--out", "runs", "--json", "s.json", "--plot", "p.svg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [s["pass_at_1"] for s in json.loads((tmp_path / "s.json").read_text())] == [1, 0]
    assert len(list((tmp_path / "runs").glob("*.jsonl"))) == 2
    assert "oracle" in done.stdout
    assert (tmp_path / "p.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--from", "nowhere"], "There is no folder nowhere; name one with sources in it."),
        (["--json", "no/such/file.json"], "make it first, or name another file."),
        (["--json", "."], "is a folder; name a file."),
        (["--plot", "plot.foo"], "A plot cannot be written as plot.foo; name a file that ends in .png, .svg or .pdf."),
        (["--model", "no/such/model.gguf", "--limit", "1"], "There is no model file at "),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments: list[str], says: str, tmp_path: Path) -> None:
    from tests.test_cli import run as command

    done = command("eval", "infilling", *arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def result(confidence: float, *, passed: bool | None, exact: bool = False, answer: str = "x") -> Result:
    return Result(
        id="", split="", answer=answer, passed=passed, reason="", exact=exact, similarity=0, identifiers=0,
        breaks_syntax=False, duplicates_suffix=False, prompt_tokens=0, prefill_tokens=0, completion_tokens=0, ms=0,
        said="", confidence=confidence,
    )  # fmt: skip


def test_the_threshold_is_the_lowest_from_which_four_of_five_are_right() -> None:
    sure = [result(-0.1, passed=True) for _ in range(8)]
    unsure = [result(-0.5, passed=False), result(-0.6, passed=False), result(-0.7, passed=False)]
    not_shown = [result(-0.01, passed=False, answer="")]
    assert confidence.threshold(confidence.judged([*unsure, *sure, *not_shown])) == -0.6
    assert confidence.threshold(confidence.judged(unsure)) is None
    only_compared = [result(-0.2, passed=None, exact=True)]
    assert confidence.threshold(confidence.judged(only_compared)) == -0.2


def test_right_and_wrong_are_drawn_by_confidence(tmp_path: Path) -> None:
    picture = tmp_path / "sure.png"
    confidence.plot({"one": [result(-0.1, passed=True), result(-9.0, passed=False)], "none": []}, picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
