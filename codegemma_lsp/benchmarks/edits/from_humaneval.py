"""Makes tasks from HumanEval's functions: fixes of mutants, instructions, documentation and tests."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from codegemma_lsp.benchmarks.edits.judging import in_sandbox
from codegemma_lsp.benchmarks.edits.library import function
from codegemma_lsp.benchmarks.edits.mutants import Mutant, mutants
from codegemma_lsp.benchmarks.edits.tasks import Documented, Kills, Kind, Ran, Source, Task
from codegemma_lsp.benchmarks.infilling.humaneval import problems

_MOST_MUTANTS = 5
"""The number of mutants on which tests are run."""
_SECONDS = 1.0
"""The time after which a mutant counts as one that does not end."""
_MODULE = "shop.solution"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem with a right program, and the tests of its function ``entry``."""

    name: str
    text: str
    entry: str
    test: str

    @property
    def span(self) -> tuple[int, int]:
        """The offsets of the function, from its first line to the end of its last one."""
        return span_of(self.text, self.entry)


@dataclass(frozen=True, slots=True)
class Failing:
    """A mutant that fails its function's tests, and what the first failing assertion says."""

    mutant: Mutant
    message: str


def span_of(text: str, name: str) -> tuple[int, int]:
    """Returns the offsets of a function, from the start of its first line to the end of its last one."""
    found = function(text, name)
    lines = text.split("\n")
    assert found.end_lineno is not None
    start = sum(len(line) + 1 for line in lines[: found.lineno - 1])
    return start, start + len("\n".join(lines[found.lineno - 1 : found.end_lineno]))


@cache
def known_problems() -> tuple[Problem, ...]:
    """Returns the problems whose tests are assertions alone. Raises ``BadTasks`` if the package is missing."""
    return tuple(_problem(one) for one in problems() if _has_plain_tests(one["test"]))


def _problem(one: dict[str, Any]) -> Problem:
    text = f"{one['prompt'].strip()}\n{one['canonical_solution'].rstrip()}\n"
    return Problem(name=one["task_id"], text=text, entry=one["entry_point"], test=one["test"])


def _has_plain_tests(test: str) -> bool:
    check = next(one for one in ast.parse(test).body if isinstance(one, ast.FunctionDef) and one.name == "check")
    return all(isinstance(statement, ast.Assert) for statement in check.body)


def passes(problem: Problem, entry: str = "") -> str:
    """Returns the check that a program passes the problem's tests, where its function may have another name."""
    return f"passes(SOURCE, {problem.test!r}, {entry or problem.entry!r})"


@cache
def failing(problem: Problem, seed: int, most: int) -> tuple[Failing, ...]:
    """Returns at most ``most`` mutants that fail the tests, drawn with the seed. Those that do not end are left out."""
    found: list[Failing] = []
    for mutant in mutants(problem.text, problem.entry, f"{seed}/{problem.name}"):
        if len(found) == most:
            break
        check = f"first_failure(SOURCE, {problem.test!r}, {problem.entry!r})"
        ran = in_sandbox(check, mutant.text, seconds=_SECONDS)
        if not ran.passed and ran.reason not in ("timeout", "killed"):
            found.append(Failing(mutant, ran.reason))
    return tuple(found)


def fixes(kind: Kind, seed: int) -> list[Source]:
    """Returns one source for each problem, whose function has a mistake."""
    return [Source(problem.name, partial(_fix, kind, problem, seed)) for problem in known_problems()]


def _fix(kind: Kind, problem: Problem, seed: int) -> Task | None:
    found = next(iter(failing(problem, seed, 1)), None)
    if found is None:
        return None
    text, message = found.mutant.text, found.message
    region = span_of(text, problem.entry)
    command, plain = "/fix", "Fix the bug in this code."
    selection = region
    if kind is Kind.FIX_MESSAGE:
        command, plain = f"/fix {message}", f"Fix the bug in this code. {message}"
    if kind is Kind.FIX_LINE:
        line = text.count("\n", 0, found.mutant.offset)
        start = sum(len(one) + 1 for one in text.split("\n")[:line])
        start += len(text[start:]) - len(text[start:].lstrip())
        selection = (start, start)
        plain = f"Fix the bug in the line `{text.split(chr(10))[line].strip()}` of this code."
    return Task(
        kind=kind,
        source=problem.name,
        path="solution.py",
        language="python",
        text=text,
        selection=selection,
        command=command,
        plain=plain,
        region=region,
        check=Ran(passes(problem)),
        right=problem.text,
        wrong=(f"{text}\n",),
    )


def documentation() -> list[Source]:
    """Returns one source for each problem, whose function has lost its docstring."""
    return [Source(problem.name, partial(_document, problem)) for problem in known_problems()]


def _document(problem: Problem) -> Task | None:
    text = without_docstring(problem.text, problem.entry)
    if text is None:
        return None
    start, end = span_of(text, problem.entry)
    first = text.index("\n", start)
    body = function(text, problem.entry).body[0]
    at = sum(len(line) + 1 for line in text.split("\n")[: body.lineno - 1])
    indent = re.match(r"[ \t]*", text[at:])
    assert indent is not None

    def documented(words: str) -> str:
        return f'{text[:at]}{indent[0]}"""{words}"""\n{text[at:]}'

    return Task(
        kind=Kind.DOC,
        source=problem.name,
        path="solution.py",
        language="python",
        text=text,
        selection=(start, first),
        command="/doc",
        plain="Write a docstring for this function.",
        region=(start, end),
        check=Documented(problem.entry),
        right=documented("Return what the tests of this module ask for."),
        wrong=(
            documented("This function returns what is asked for."),
            documented(f"The result of `{problem.entry}` for its arguments."),
            documented("from typing import List"),
            documented("Return what is asked for. Raises LookupError if there is none."),
            documented("Return what is asked for.\n\n    Args:\n        nonexistent: Something else.\n    "),
            documented("Return what the tests of this module ask for.") + "\nx = 1\n",
            f'"""Return what the tests of this module ask for."""\n{text}',
        ),
    )


def without_docstring(text: str, name: str) -> str | None:
    """Returns a text in which a function has no docstring, or None if it has none, or consists of nothing else."""
    found = function(text, name)
    if ast.get_docstring(found) is None or len(found.body) < 2:
        return None
    lines, first = text.split("\n"), found.body[0]
    assert first.end_lineno is not None
    return "\n".join([*lines[: first.lineno - 1], *lines[first.end_lineno :]])


def tests(seed: int) -> list[Source]:
    """Returns one source for each problem, for whose function tests are to be written."""
    return [Source(problem.name, partial(_tests, problem, seed)) for problem in known_problems()]


def _tests(problem: Problem, seed: int) -> Task | None:
    found = failing(problem, seed, _MOST_MUTANTS)
    if not found:
        return None
    start, _ = problem.span
    head = f"from {_MODULE} import {problem.entry}\n\n\n"
    return Task(
        kind=Kind.TESTS,
        source=problem.name,
        path="shop/solution.py",
        language="python",
        text=problem.text,
        selection=(start, problem.text.index("\n", start)),
        command="/tests",
        plain=f"Write tests with pytest for `{problem.entry}`, which is imported from `{_MODULE}`.",
        region=problem.span,
        check=Kills(module=_MODULE, mutants=tuple(one.mutant.text for one in found)),
        right=f"{head}{problem.test}\n\ndef test_{problem.entry}():\n    check({problem.entry})\n",
        wrong=(
            f"{head}def test_{problem.entry}():\n    assert callable({problem.entry})\n",
            f"{head}def test_{problem.entry}():\n    assert {problem.entry} is None\n",
            f"{head}assert {problem.entry}\n",
        ),
    )


@dataclass(frozen=True, slots=True)
class _Instruction:
    """An instruction that can be given for many functions.

    Each of the functions takes a problem. ``says`` returns the instruction, or "" if the instruction does not suit the
    function. ``checks`` returns the check, and ``does`` the right text.
    """

    says: Callable[[Problem], str]
    checks: Callable[[Problem], str]
    does: Callable[[Problem], str]


def instructions() -> list[Source]:
    """Returns one source for each problem with the instruction that its name chooses."""
    return [Source(problem.name, partial(_instruct, problem)) for problem in known_problems()]


def _instruct(problem: Problem) -> Task | None:
    suited = [one for one in _INSTRUCTIONS if one.says(problem)]
    if not suited:
        return None
    one = suited[hashlib.sha256(problem.name.encode()).digest()[1] % len(suited)]
    return Task(
        kind=Kind.INSTRUCT,
        source=problem.name,
        path="solution.py",
        language="python",
        text=problem.text,
        selection=problem.span,
        command=one.says(problem),
        plain=one.says(problem),
        region=problem.span,
        check=Ran(one.checks(problem)),
        right=one.does(problem),
        wrong=(problem.text, without_docstring(problem.text, problem.entry) or problem.text),
    )


def _parameter(problem: Problem) -> str:
    """Returns the first parameter of a function, or "" if the function does not use it."""
    args = function(problem.text, problem.entry).args.args
    used = {node.id for node in ast.walk(function(problem.text, problem.entry)) if isinstance(node, ast.Name)}
    return args[0].arg if args and args[0].arg in used else ""


def _renaming(problem: Problem) -> str:
    name = _parameter(problem)
    return f"Rename the parameter {name} to given everywhere." if name and "given" not in _names(problem) else ""


def _names(problem: Problem) -> set[str]:
    return set(re.findall(r"\w+", problem.text))


def _renamed(problem: Problem, before: str, after: str) -> str:
    """Returns a text in which a name of a function's code is another one."""
    lines = problem.text.split("\n")
    for line, column in sorted(_places(problem, before), reverse=True):
        row = lines[line - 1].encode()
        lines[line - 1] = (row[:column] + after.encode() + row[column + len(before.encode()) :]).decode()
    return "\n".join(lines)


def _places(problem: Problem, name: str) -> Iterator[tuple[int, int]]:
    for node in ast.walk(function(problem.text, problem.entry)):
        if (isinstance(node, ast.Name) and node.id == name) or (isinstance(node, ast.arg) and node.arg == name):
            yield node.lineno, node.col_offset


def _with_signature(problem: Problem, change: Callable[[ast.FunctionDef], None], above: str = "") -> str:
    """Returns a text in which the first line of a function is written anew, after its definition was changed."""
    found = function(problem.text, problem.entry)
    lines = problem.text.split("\n")
    change(found)
    found_body, found.body = found.body, [ast.Pass()]
    signature = ast.unparse(found).split("\n")[0]
    return above + "\n".join([*lines[: found.lineno - 1], signature, *lines[_first_body_line(found_body) - 1 :]])


def _first_body_line(body: list[ast.stmt]) -> int:
    return body[0].lineno


def _with_flag(found: ast.FunctionDef) -> None:
    found.args.args.append(ast.arg("verbose"))
    found.args.defaults.append(ast.Constant(False))


def _with_hints(found: ast.FunctionDef) -> None:
    for arg in found.args.args:
        arg.annotation = ast.Name("object")
    found.returns = ast.Name("object")


def _with_statement(problem: Problem, statement: str, above: str = "") -> str:
    """Returns a text with a statement at the beginning of a function, below its docstring."""
    found = function(problem.text, problem.entry)
    lines = problem.text.split("\n")
    below = found.body[1] if ast.get_docstring(found) is not None and len(found.body) > 1 else found.body[0]
    indent = " " * below.col_offset
    added = [f"{indent}{line}" for line in statement.split("\n")]
    return above + "\n".join([*lines[: below.lineno - 1], *added, *lines[below.lineno - 1 :]])


def _none_check(problem: Problem) -> str:
    count = len(function(problem.text, problem.entry).args.args)
    return f"assert raises(ValueError, lambda: load(SOURCE)[{problem.entry!r}](*[None] * {count}))"


_INSTRUCTIONS = (
    _Instruction(
        _renaming,
        lambda one: (
            f"""\
assert "given" in names(SOURCE, {one.entry!r})
assert {_parameter(one)!r} not in names(SOURCE, {one.entry!r})
assert parameters(SOURCE, {one.entry!r})[0] == "given"
{passes(one)}"""
        ),
        lambda one: _renamed(one, _parameter(one), "given"),
    ),
    _Instruction(
        lambda one: "Add a parameter verbose that is False by default.",
        lambda one: (
            f"""\
assert parameters(SOURCE, {one.entry!r}) == [*parameters(BEFORE, {one.entry!r}), "verbose"]
assert load(SOURCE)[{one.entry!r}].__defaults__[-1] is False
{passes(one)}"""
        ),
        lambda one: _with_signature(one, _with_flag),
    ),
    _Instruction(
        lambda one: "" if "->" in one.text else "Add type hints to the parameters and the return value.",
        lambda one: f"assert is_annotated(SOURCE, {one.entry!r})\n{passes(one)}",
        lambda one: _with_signature(one, _with_hints),
    ),
    _Instruction(
        lambda one: f"Raise a ValueError if {_parameter(one)} is None." if _parameter(one) else "",
        lambda one: f"{_none_check(one)}\n{passes(one)}",
        lambda one: _with_statement(one, f"if {_parameter(one)} is None:\n    raise ValueError"),
    ),
    _Instruction(
        lambda one: "" if one.entry == "solve" else "Rename the function to solve.",
        lambda one: f"assert {one.entry!r} not in names(SOURCE, 'solve')\n{passes(one, 'solve')}",
        lambda one: re.sub(rf"\b{one.entry}\b(?=\()", "solve", one.text),
    ),
    _Instruction(
        lambda one: "Log a message at the level debug with the logging module when the function is called.",
        lambda one: (
            f"""\
assert any(one.endswith(".debug") for one in calls(SOURCE, {one.entry!r}))
{passes(one)}"""
        ),
        lambda one: _with_statement(one, f'logging.debug("{one.entry} is called")', "import logging\n"),
    ),
)
