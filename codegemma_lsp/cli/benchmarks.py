"""``codegemma-lsp eval`` measures the quality of suggestions and edits, and ``codegemma-lsp bench`` measures speed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from codegemma_lsp.benchmarks.infilling.reference import EMPTY, ORACLE
from codegemma_lsp.benchmarks.infilling.tasks import Split
from codegemma_lsp.benchmarks.typing.sessions import Rhythm
from codegemma_lsp.cli.common import Failure, Model, Settings_, Usage, read_settings, sentence
from codegemma_lsp.cli.suggestions import model_names
from codegemma_lsp.engines.selection import select_completion
from codegemma_lsp.extras import install_command
from codegemma_lsp.models import BUNDLED
from codegemma_lsp.settings import Settings

evaluation = typer.Typer(help="Evaluate suggestions and edits.", no_args_is_help=True)

EVAL_SETTINGS = ("batchTokens=512",)
"""Settings for eval. A batch may be long, because no request is cancelled, and answers do not depend on it."""
RAW_SETTINGS = ("layout=psm", "heal=false", "maxTokens=128")
"""Settings of the usual form in papers, which is that of CodeGemma's published results."""

NAMED = frozenset({ORACLE, EMPTY})
"""The names that eval accepts besides models."""


@contextmanager
def _needs(extra: str) -> Iterator[None]:
    """Says which package of an extra is missing, and how to install it. Raises ``Failure``."""
    try:
        yield
    except ImportError as error:
        raise Failure(f"The package {error.name} is missing; install it with: {install_command(extra)}") from None


def _check_names(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raises ``Usage`` if one of the names is not known."""
    choices = [str(one) for one in known]
    if wrong := next((name for name in names if name not in choices), None):
        raise Usage(f"There is no {what} {wrong}; choose one of {', '.join(choices)}.")


SplitOption = Annotated[Split | None, typer.Option(help="Split of HumanEval-Infilling; the default is single-line.")]
Folder = Annotated[
    Path | None,
    typer.Option("--from", metavar="DIR", help="Make the tasks from the sources in this folder instead."),
]
Raw = Annotated[bool, typer.Option("--raw", help="Judge the model's output without postprocessing, as papers do.")]
EvaluatedModels = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="A name, a path, oracle or empty; the default is nano. May be repeated.",
        autocompletion=model_names,
    ),
]
Results = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder for the result of each task.")]
Summaries = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the summaries as JSON.")]
Layouts = Annotated[bool, typer.Option("--layouts", help="Evaluate every layout, with and without token healing.")]

Indented = Annotated[
    bool,
    typer.Option("--indented", help="Put the cursor after the indentation of missing lines, as editors indent them."),
]


@evaluation.command()
def infilling(
    split: SplitOption = None,
    folder: Folder = None,
    raw: Raw = False,
    model: EvaluatedModels = None,
    layouts: Layouts = False,
    indented: Indented = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Maximum number of tasks, drawn with --seed.")] = None,
    seed: Annotated[int, typer.Option(help="Seed for drawing tasks and spans.")] = 0,
    settings: Settings_ = None,
    results: Results = None,
    summary: Summaries = None,
    picture: Annotated[Path | None, typer.Option("--plot", metavar="FILE", help="Plot the summaries.")] = None,
    sure: Annotated[
        Path | None,
        typer.Option("--confidence", metavar="FILE", help="Plot right and wrong suggestions by confidence."),
    ] = None,
) -> None:
    """Fill gaps in programs, and judge the results by running their tests."""
    with _needs("eval"):
        from codegemma_lsp.benchmarks.infilling import command
    if split is not None and folder is not None:
        raise Usage("--split is of HumanEval-Infilling and --from of your own sources; name one of them.")
    pairs = [*EVAL_SETTINGS, *(RAW_SETTINGS if raw else ()), *(settings or ())]
    try:
        chosen = [read_settings(name, pairs, NAMED, alone=True) for name in model or [BUNDLED]]
        options = command.EvalOptions(
            settings=chosen,
            split=split or Split.SINGLE_LINE,
            folder=folder,
            raw=raw,
            layouts=layouts,
            limit=limit,
            seed=seed,
            results=results,
            summary=summary,
            picture=picture,
            confidence=sure,
            indented=indented,
        )
        command.evaluate(options)
    except command.ERRORS as error:
        raise Failure(sentence(error)) from None


ProjectFolders = Annotated[
    list[Path],
    typer.Argument(
        metavar="DIR...",
        help="Folders of Python packages, such as downloaded wheels have, and of sources in TypeScript.",
    ),
]


@evaluation.command("cross-file")
def cross_file(
    projects: ProjectFolders,
    model: EvaluatedModels = None,
    arm: Annotated[
        list[str] | None,
        typer.Option(
            help="What the model sees of other files: none, definitions, sibling, similar, all, ungated or oracle. The"
            " default is none, all and oracle. May be repeated."
        ),
    ] = None,
    half: Annotated[str, typer.Option(help="The half of the projects: look, report or both.")] = "both",
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of tasks of each kind from a project.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed for drawing tasks.")] = 0,
    settings: Settings_ = None,
    results: Results = None,
    summary: Summaries = None,
) -> None:
    """Complete lines that need another file of the project, and lines that do not, with and without other files."""
    with _needs("eval"):
        from codegemma_lsp.benchmarks.cross_file import command
        from codegemma_lsp.benchmarks.cross_file.tasks import Half
        from codegemma_lsp.benchmarks.infilling import command as infilling_command
        from codegemma_lsp.benchmarks.infilling.arms import Arm
    _check_names("arm", arm or (), Arm)
    _check_names("half", (half,), Half)
    try:
        options = command.CrossFileOptions(
            settings=[
                read_settings(name, [*EVAL_SETTINGS, *(settings or ())], NAMED, alone=True)
                for name in model or [BUNDLED]
            ],
            projects=projects,
            arms=[Arm(name) for name in arm or ("none", "all", "oracle")],
            half=Half(half),
            limit=limit,
            seed=seed,
            results=results,
            summary=summary,
        )
        command.evaluate(options)
    except infilling_command.ERRORS as error:
        raise Failure(sentence(error)) from None


@evaluation.command()
def quiet(
    model: EvaluatedModels = None,
    count: Annotated[int, typer.Option(min=1, help="Number of moments of each kind in each language.")] = 12,
    seed: Annotated[int, typer.Option(help="Seed for drawing moments.")] = 0,
    settings: Settings_ = None,
    summary: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the shares as JSON.")] = None,
) -> None:
    """Ask where nothing should be shown, in files of installed packages, and count how often nothing is."""
    with _needs("eval"):
        from codegemma_lsp.benchmarks.infilling import command as infilling_command
        from codegemma_lsp.benchmarks.quiet import command
    pairs = [*EVAL_SETTINGS, *(settings or ())]
    try:
        chosen = [read_settings(name, pairs, alone=True) for name in model or [BUNDLED]]
        command.evaluate(command.QuietOptions(settings=chosen, count=count, seed=seed, summary=summary))
    except infilling_command.ERRORS as error:
        raise Failure(sentence(error)) from None


@evaluation.command()
def edits(
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="A chat model's name or path. May be repeated.", autocompletion=model_names),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="Kind of tasks: fix-whole, fix-message, fix-line, instruct, doc, tests, blank or question. The default"
            " is all. May be repeated."
        ),
    ] = None,
    half: Annotated[str, typer.Option(help="The half of the tasks: look, report or both.")] = "both",
    raw: Annotated[
        bool, typer.Option("--raw", help="Also judge the model's own answers to the code and the words.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Maximum number of tasks of each kind.")] = None,
    seed: Annotated[int, typer.Option(help="Seed for drawing tasks and mistakes.")] = 0,
    settings: Settings_ = None,
    results: Results = None,
    summary: Summaries = None,
) -> None:
    """Ask for fixes, edits, documentation, tests and answers, and judge them by programs and checks."""
    with _needs("eval"):
        from codegemma_lsp.benchmarks.cross_file.tasks import Half
        from codegemma_lsp.benchmarks.edits import command
        from codegemma_lsp.benchmarks.edits.tasks import Kind
        from codegemma_lsp.benchmarks.infilling import command as infilling_command
    _check_names("kind", kind or (), Kind)
    _check_names("half", (half,), Half)
    pairs = [*EVAL_SETTINGS, *(settings or ())]
    try:
        options = command.EditsOptions(
            settings=[read_settings(name, pairs, chat=True, alone=True) for name in model or [BUNDLED]],
            kinds=[one for one in Kind if not kind or one in kind],
            half=Half(half),
            raw=raw,
            limit=limit,
            seed=seed,
            results=results,
            summary=summary,
        )
        command.evaluate(options)
    except infilling_command.ERRORS as error:
        raise Failure(sentence(error)) from None


TypistToo = Annotated[
    bool | None,
    typer.Option(help="Measure a typist who accepts what is right. Naming --typist or --replay runs only that."),
]
ReplayToo = Annotated[
    bool | None,
    typer.Option(help="Replay fixed sessions, with --rhythm, --mechanics, --lengths and --chats."),
]
TypedLanguages = Annotated[
    list[str] | None,
    typer.Option(
        "--language", help="Languages that the typist types: python, javascript, c, lua, cpp. The default is all."
    ),
]
Rhythms = Annotated[
    list[Rhythm] | None, typer.Option(help="A person's rhythm, or as fast as answers come. The default is both.")
]
Sessions = Annotated[int, typer.Option(min=1, help="Number of sessions to type, and to replay (at most 3).")]
Keys = Annotated[
    int | None, typer.Option(min=2, help="Number of keys to type in a session (300), and maximum number to replay.")
]
Seed = Annotated[int, typer.Option(help="Seed for the rhythm and for the choice of files.")]
Baseline = Annotated[bool, typer.Option(help="Also measure llama-server.")]
Mechanics = Annotated[bool, typer.Option(help="Also measure with each mechanism switched off.")]
Lengths = Annotated[bool, typer.Option(help="Also measure files of 100 to 50,000 lines.")]
Chats = Annotated[bool, typer.Option(help="Also measure completions beside a chat, and edits with and without drafts.")]
AtOnce = Annotated[
    int | None,
    typer.Option(
        "--windows", min=2, help="Only type in so many windows at once, through the host and with a process each."
    ),
]
Throughput = Annotated[
    bool,
    typer.Option("--throughput", help="Only measure tokens per second of prefill and generation, beside llama-server."),
]


def _bench_settings(model: str | None, settings: list[str] | None) -> Settings:
    """Returns the settings of the command line alone, with the model's path."""
    chosen = read_settings(model or BUNDLED, settings, alone=True)
    return chosen if chosen.model == BUNDLED else select_completion(chosen).settings


def bench_command(
    model: Model = None,
    typist: TypistToo = None,
    replay: ReplayToo = None,
    language: TypedLanguages = None,
    rhythm: Rhythms = None,
    sessions: Sessions = 3,
    keys: Keys = None,
    seed: Seed = 0,
    baseline: Baseline = True,
    peer: Annotated[bool, typer.Option(hidden=True)] = True,  # the old name of --baseline
    mechanics: Mechanics = True,
    lengths: Lengths = True,
    chats: Chats = True,
    throughput: Throughput = False,
    windows: AtOnce = None,
    project: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Only type in this folder's files, with and without its other files."),
    ] = None,
    settings: Settings_ = None,
    summary: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all figures as JSON.")] = None,
    picture: Annotated[Path | None, typer.Option("--plot", metavar="FILE", help="Plot the figures.")] = None,
) -> None:
    """Type with this server and with llama-server, and compare what suggestions save and what a key costs."""
    with _needs("bench"):
        from codegemma_lsp.benchmarks.typing import command
    options = command.BenchOptions(
        settings=_bench_settings(model, settings),
        typist=typist if typist is not None else not replay,
        replay=(replay if replay is not None else not typist) and project is None,
        rhythms=rhythm or list(Rhythm),
        languages=language or (),
        sessions=sessions,
        keys=keys,
        seed=seed,
        baseline=baseline and peer and windows is None and project is None,
        mechanics=mechanics,
        lengths=lengths,
        chats=chats,
        throughput=throughput,
        windows=windows,
        project=project,
        summary=summary,
        picture=picture,
    )
    try:
        command.bench(options)
    except command.ERRORS as error:
        raise Failure(sentence(error)) from None
