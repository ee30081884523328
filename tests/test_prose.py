"""The prose of the project: generated parts are up to date, links lead somewhere, examples run, words are spelled."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from codegemma_lsp.cli.app import app
from codegemma_lsp.cli.common import Usage
from codegemma_lsp.cli.help import as_printed, summary, topics
from codegemma_lsp.server import handlers, params, server
from codegemma_lsp.server.definitions import DEFINITIONS
from codegemma_lsp.settings import Settings, parse
from codegemma_lsp.settings.sources import value_of
from scripts.docs import DOCS, GENERATED, written

ROOT = Path(__file__).parents[1]
IN_PACKAGE = sorted(DOCS.glob("*.md"))
PAGES = [
    ROOT / "README.md",
    *IN_PACKAGE,
    *sorted((ROOT / ".github").glob("*.md")),
    *sorted(path for path in (ROOT / "editors").rglob("README.md") if "node_modules" not in path.parts),
    ROOT / "codegemma_lsp" / "models" / "nano" / "CARD.md",
    ROOT / "scripts" / "nano" / "README.md",
]
PROSE = [*PAGES, *sorted((ROOT / "editors" / "neovim" / "doc").glob("*.txt"))]
LINK = re.compile(r"""\]\(([^)\s]+)\)|^\[[^\]]+\]:\s*(\S+)|\b(?:src|href)="([^"]+)\"""", re.MULTILINE)
CHOICES = re.compile(r"[<\[]([\w-]+(?:\|[\w-]+)+)[>\]]")
"""The values of an option, as its help shows them."""
GENERATED_PART = re.compile(r"<!-- (\w+) -->.*?<!-- /\1 -->", re.DOTALL)
FENCE = re.compile(r"^(?:```.*?^```|    .*?$)", re.MULTILINE | re.DOTALL)

NO_SPACE_IN_NUMBERS = r"\b\d{1,3} \d{3}\b"
STYLE = {
    NO_SPACE_IN_NUMBERS: "write thousands with a comma, as in 1,033",
    r"\d %": "write percentages without a space, as in 3.7%",
    r"\blet go\b": "a model is unloaded",
    r"\b(?:peer|peer's)\b": "call llama-server by its name",
    r"(?i)changed from the plan|not in the plan|as the plan": "readers do not know of a plan",
    r"\bsafe to accept\b": "only the syntax of suggestions is checked",
    r"\bre-?spell": "the model generates the token again",
    r"\b(?:ours|the typist)\b": "name the thing or the person",
}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# Generated parts


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_generated_parts_are_up_to_date(name: str) -> None:
    page = (DOCS / f"{name}.md").read_text("utf-8")
    assert written(name, page) == GENERATED[name](), "run python scripts/docs.py"


# `codegemma-lsp help`


def test_every_page_is_a_topic() -> None:
    assert sorted(topics()) == [page.stem for page in IN_PACKAGE]


@pytest.mark.parametrize("page", IN_PACKAGE, ids=named)
def test_a_page_begins_with_its_title_and_one_sentence(page: Path) -> None:
    title, sentence, _ = page.read_text("utf-8").split("\n\n", 2)
    assert title == f"# {page.stem.capitalize()}"
    assert sentence.startswith("This page ")
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_help_lists_the_topics_with_a_line_each() -> None:
    lines = CliRunner().invoke(app, ["help"]).output.splitlines()
    assert [line.split()[0] for line in lines] == sorted(topics())
    assert all(summary(page) in line for line, page in zip(lines, topics().values(), strict=True))


def test_help_prints_a_page_as_text_where_it_is_piped() -> None:
    output = CliRunner().invoke(app, ["help", "security"]).output
    assert output.startswith("# Security\n")
    assert "](" not in output.replace("](https:", "")


def test_help_renders_a_page_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    output = CliRunner().invoke(app, ["help", "settings"]).output
    assert "<!--" not in output
    assert "# Settings" not in output
    assert "codegemma-lsp help models" in re.sub(r"\x1b\[[\d;]*m|\s+", " ", output).replace("  ", " ")


def test_help_of_an_unknown_topic_names_the_topics() -> None:
    error = CliRunner().invoke(app, ["help", "cooking"]).exception
    assert isinstance(error, Usage)
    assert str(error) == f"There is no topic cooking; choose one of {', '.join(sorted(topics()))}."


@pytest.mark.parametrize(
    ("page", "printed"),
    [
        ("see [Models](models.md#downloads).", "see Models (`codegemma-lsp help models`)."),
        ("see [the card](../models/nano/CARD.md).", "see the card."),
        ("see [a site](https://example.org/a.md).", "see [a site](https://example.org/a.md)."),
        ("a\n<!-- settings -->\nb", "a\nb"),
    ],
)
def test_relative_links_become_commands(page: str, printed: str) -> None:
    assert as_printed(page) == printed


# Links


def links(page: Path) -> list[str]:
    text = FENCE.sub("", page.read_text("utf-8"))
    return [next(filter(None, found)) for found in LINK.findall(text)]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), f"{target} does not exist"
        assert not anchor or anchor in anchors(other), f"{target}: there is no such heading"


def test_every_page_is_linked_from_the_readme() -> None:
    assert {f"codegemma_lsp/docs/{page.name}" for page in IN_PACKAGE} <= set(links(ROOT / "README.md"))


# Examples


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of each example of ``codegemma-lsp``, in code blocks and in code within a line."""
    joined = text.replace("\\\n", " ")
    blocks = "\n".join(block.group() for block in FENCE.finditer(joined))
    lines = re.findall(r"^ *(?:\$ )?(?:\.venv/bin/)?codegemma-lsp( [^\n]*)?$", blocks, re.MULTILINE)
    inline = re.findall(r"`(?:\.venv/bin/)?codegemma-lsp( [^`]+)?`", FENCE.sub("", joined))
    for arguments in [*lines, *inline]:
        yield shlex.split(" ".join(arguments.split()), comments=True)


def check(arguments: list[str]) -> None:
    """Raises where the command line has no such command, option or value."""
    command: Any = typer.main.get_command(app)
    rest = list(arguments)
    while rest and hasattr(command, "commands") and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"there is no command {rest[0]}"
        command = command.commands[rest.pop(0)]
    context = command.make_context(command.name, [], resilient_parsing=True)
    context.resilient_parsing = False
    given, left, _ = command.make_parser(context).parse_args(args=rest)
    assert hasattr(command, "commands") or not left, f"too many arguments: {left}"
    for parameter in command.params:
        value = given.get(parameter.name)
        choices = CHOICES.search((parameter.get_help_record(context) or [""])[0])
        for one in value if isinstance(value, list | tuple) else [value]:
            if choices and isinstance(one, str):
                assert one in choices[1].split("|"), f"there is no value {one} of {parameter.name}"
    for pair in given.get("settings") or ():
        name, _, value = pair.partition("=")
        assert parse({name: value_of(value, name)})[1] == (), pair


RUNNABLE = {"-V", "complete", "config", "doctor", "help", "host", "index", "models", "stats"}
"""Of the commands in examples, those that end by themselves and need neither a network nor a large model."""
UNATTENDED = {"edit", "pull", "quantize", "remove", "import", "--listen", "-"}
SAMPLE = ROOT / "tests" / "data" / "shapes.py"


def runnable() -> list[tuple[str, ...]]:
    """The examples that can be run here, with a file, a model and a topic."""
    found = {
        tuple(
            argument.replace("FILE:LINE:COL", f"{SAMPLE}:9:1").replace("NAME", "nano").replace("TOPIC", "models")
            for argument in arguments
        )
        for page in PROSE
        for arguments in commands(page.read_text("utf-8"))
        if arguments and arguments[0] in RUNNABLE and not UNATTENDED.intersection(arguments)
    }
    usages = {one for one in found if any("[OPTIONS]" in part for part in one)}
    named = {
        ("complete",),
        ("config",),
        ("host",),
        ("index",),
        ("models",),
        ("complete", "--json"),
        ("complete", "--explain"),
        ("models", "use"),
        ("models", "use", "--chat"),
    }
    return sorted(found - usages - named)


@pytest.mark.parametrize("arguments", runnable(), ids=" ".join)
def test_examples_run(arguments: tuple[str, ...], tmp_path: Path) -> None:
    here = {"CODEGEMMA_CONFIG": str(tmp_path / "config.toml"), "CODEGEMMA_DATA": str(tmp_path), "COLUMNS": "100"}
    if arguments[:2] == ("models", "use"):
        arguments = ("models", "use", "nano")
    done = subprocess.run(
        [sys.executable, "-m", "codegemma_lsp", *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **here},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


NOT_RUN = {
    ("bench",): "it takes minutes",
    ("chat",): "its model answers for seconds, as the tests of chat do",
    ("complete", "-"): "its input is piped in; test_piped_examples_run runs those",
    ("host", "--listen"): "it runs until it is ended",
    ("edit",): "its model answers for seconds, as the tests of edits do",
    ("eval",): "it takes minutes or hours",
    ("models", "import"): "the file is the reader's own",
    ("models", "pull"): "it needs a network",
    ("models", "quantize"): "the file is the reader's own",
    ("models", "remove"): "what it removes would have to be there",
    ("serve",): "it runs until its editor leaves",
    ("-q",): "the command behind it is another example",
    ("--install-completion",): "it writes into the reader's shell; test_shell_completion installs it",
}
"""The beginnings of the examples that are not run, and why."""


@pytest.mark.parametrize("page", PROSE, ids=named)
def test_every_example_is_run_or_it_is_said_why_not(page: Path) -> None:
    for arguments in commands(page.read_text("utf-8")):
        usage = not arguments or "[OPTIONS]" in arguments or "COMMAND" in arguments or len(arguments) == 1
        excused = any(tuple(arguments[: len(one)]) == one for one in NOT_RUN)
        assert usage or excused or arguments[0] in RUNNABLE, arguments


PIPED = [
    line
    for page in (ROOT / "README.md", *IN_PACKAGE)
    for line in re.findall(r"^ {4}(\S[^\n]*\| codegemma-lsp complete -[^\n]*)$", page.read_text("utf-8"), re.MULTILINE)
]


@pytest.mark.parametrize("line", PIPED)
def test_piped_examples_run(line: str, tmp_path: Path) -> None:
    """With the file that the example names."""
    for name in re.findall(r"\b\w+\.py\b", line):
        shutil.copyfile(SAMPLE, tmp_path / name)
    here = {"CODEGEMMA_CONFIG": str(tmp_path / "config.toml"), "CODEGEMMA_DATA": str(tmp_path)}
    search = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **here, "PATH": search},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("page", PROSE, ids=named)
def test_examples_are_understood_by_the_command_line(page: Path) -> None:
    for arguments in commands(page.read_text("utf-8")):
        if arguments and arguments[0] not in {"COMMAND", "[OPTIONS]"} and "[OPTIONS]" not in arguments:
            check(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["compleet"],
        ["models", "fetch"],
        ["bench", "--plott", "x"],
        ["eval", "infilling", "--split", "x"],
        ["doctor", "x"],
    ],
)
def test_wrong_examples_are_found(arguments: list[str]) -> None:
    with pytest.raises(Exception, match=r"no command|no value|[Nn]o such option|too many"):
        check(arguments)


@pytest.mark.parametrize("page", PROSE, ids=named)
def test_scripts_in_examples_exist(page: Path) -> None:
    for script in re.findall(r"(?<![\w/])(?:\./)?(scripts/[\w/.]+\w)", page.read_text("utf-8")):
        assert (ROOT / script).exists(), script


# The protocol


def test_every_method_and_parameter_of_our_own_is_described() -> None:
    page = (DOCS / "protocol.md").read_text("utf-8")
    assert handlers.__all__
    names = {*server.protocol.fm.features, *server.protocol.fm.commands}
    names.add(DEFINITIONS)
    missing = [name for name in names if name.startswith("codegemma") and f"`{name}`" not in page]
    fields = {
        field.alias or name
        for model in (
            params.ChatParams,
            params.DefinitionParams,
            params.EditParams,
            params.ForgetParams,
            params.PullModelParams,
            params.ReferenceParams,
            params.UseModelParams,
        )
        for name, field in model.model_fields.items()
    }
    missing += [field for field in fields if not re.search(rf"\b{field}\b", page)]
    assert missing == []


def test_settings_that_are_named_exist() -> None:
    names = {field.alias for field in Settings.model_fields.values()}
    for page in PAGES:
        for name in re.findall(r"-s (\w+)=", page.read_text("utf-8")):
            assert name in names, f"{named(page)}: {name}"


# Spelling and style


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A program of the environment that runs the tests, or else of the path."""
    search = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    found = shutil.which(program, path=search)
    assert found, f"{program} is not installed; run ./scripts/setup"
    return subprocess.run([found, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=50)


def spelled() -> list[str]:
    """All prose, and the docstrings, comments and messages in the sources."""
    folders = ("codegemma_lsp", "scripts")
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return [str(path) for path in [*PROSE, *sources]]


@pytest.mark.parametrize("program", ["typos", "codespell"])
def test_spelling(program: str) -> None:
    done = run(program, *spelled())
    assert done.returncode == 0, done.stdout + done.stderr


PROSELINT = dict.fromkeys(("typography", "lexical_illusions", "dates_times"), False)
"""Off: straight quotes and three dots are those of code, a title is repeated by its command's first word, and a version
or a seed is taken for a date."""


def proselint(tmp_path: Path, *paths: str) -> str:
    config = tmp_path / "proselint.json"
    config.write_text(json.dumps({"checks": PROSELINT}))
    return run("proselint", "check", "--config", str(config), *paths).stdout


def test_usage(tmp_path: Path) -> None:
    """Clichés, redundancy, words that do not exist or mean something else."""
    assert proselint(tmp_path, *map(str, PROSE)) == ""


def test_wrong_usage_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("At the end of the day it is very unique.\n")
    assert "very unique" in proselint(tmp_path, str(page))


@pytest.mark.parametrize("page", PROSE, ids=named)
def test_style(page: Path) -> None:
    text = page.read_text("utf-8")
    text = GENERATED_PART.sub("", text)
    text = re.sub(r"`[^`\n]*`", "``", FENCE.sub("", text))
    found = [f"{match.group()}: {advice}" for rule, advice in STYLE.items() for match in re.finditer(rule, text)]
    assert found == []
