"""Runs proposed tests in a copy of their project, and leaves those out that fail.

The tests are code that a model wrote, and they run as the user's own programs do: nothing but the time limit holds
them. So they are run only when the user asks for it.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from codegemma_lsp.chat.code import LONGEST_PARSED
from codegemma_lsp.chat.runners import MARKERS, Outcome, Runner, runner_for
from codegemma_lsp.chat.types import Proposal, RequestRefused
from codegemma_lsp.document import Span, file_path
from codegemma_lsp.syntax import Syntax, language_name, named, parse, statements

LONGEST_S = 60.0
"""The time after which tests are ended, in seconds."""
_MOST_BYTES, _MOST_FILES = 200_000_000, 20_000
"""The size from which a project is not copied."""
_MOST_OUTPUT = 200_000
"""The number of bytes of a program's output that are read, from its end."""
_MOST_SHOWN = 2_000
"""The number of code points of the output that are kept for the user."""
_NOT_COPIED = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".tox",
     ".nox", "node_modules"}
)  # fmt: skip
_LINKED = "node_modules"
"""The folder of a project's libraries, which its copy has as a link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRun:
    """What became of proposed tests. ``runner`` names the program that ran them.

    ``outcomes`` are those of the new tests alone. There are none if the tests could not be run, and ``output`` is the
    end of what the program said.
    """

    __test__ = False

    runner: str
    outcomes: tuple[Outcome, ...]
    output: str

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(one for one in self.outcomes if not one.passed)


async def run_tests(proposal: Proposal, root: Path, seconds: float = LONGEST_S) -> TestRun:
    """Runs the tests of a proposal in a temporary copy of the project around their file, which is below ``root``, and
    deletes the copy.

    All processes that the tests start are ended after ``seconds``, or when the task is cancelled. Raises
    ``RequestRefused`` if the tests cannot be run, or take longer.
    """
    file = file_path(proposal.document.uri)
    language = language_name(proposal.document.language, file.name)
    project = project_of(file, root, MARKERS.get(language, ()))
    with tempfile.TemporaryDirectory(prefix="codegemma-tests-", ignore_cleanup_errors=True) as folder:
        copy = await asyncio.to_thread(_copied, project, Path(folder))
        inner = copy / file.relative_to(project)
        await asyncio.to_thread(_write, inner, proposal.after)
        runner = runner_for(language, project, copy, inner)
        output = await _output(runner, copy, Path(folder) / "output", seconds)
    mine = tuple(one for one in _merged(runner.outcomes(output)) if _has(proposal, one.name))
    return TestRun(runner=runner.name, outcomes=mine, output=output[-_MOST_SHOWN:])


def project_of(file: Path, root: Path, markers: Sequence[str]) -> Path:
    """Returns the innermost folder around a file, within ``root``, that has one of the markers, or else ``root``."""
    inside = [folder for folder in file.parents if folder.is_relative_to(root)]
    return next((folder for folder in inside if any((folder / name).exists() for name in markers)), root)


def _copied(project: Path, folder: Path) -> Path:
    """Copies a project into a folder, without what is derived from it, and returns the copy. Raises ``RequestRefused``
    if the project is too large."""
    copy = folder.resolve() / (project.name or "project")
    left, files = _MOST_BYTES, _MOST_FILES
    for here, folders, names in os.walk(project):
        built = {"target"} if "Cargo.toml" in names else set[str]()
        folders[:] = [name for name in folders if name not in _NOT_COPIED | built]
        target = copy / Path(here).relative_to(project)
        target.mkdir(parents=True)
        for name in names:
            source = Path(here, name)
            if not source.is_file():
                continue
            left, files = left - source.stat().st_size, files - 1
            if left < 0 or files < 0:
                raise RequestRefused(f"{project} is too large to be copied for its tests; run them yourself.")
            shutil.copy2(source, target / name)
    if (project / _LINKED).is_dir():
        (copy / _LINKED).symlink_to(project / _LINKED, target_is_directory=True)
    return copy


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8", newline="")


async def _output(runner: Runner, folder: Path, path: Path, seconds: float) -> str:
    """Returns what a runner prints. Raises ``RequestRefused``."""
    with path.open("wb") as output:
        try:
            process = await asyncio.create_subprocess_exec(
                *runner.command,
                cwd=folder,
                env={**os.environ, **runner.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            raise RequestRefused(f"{runner.name} cannot be run ({error.strerror}); leave out --run.") from None
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            raise RequestRefused(
                f"{runner.name} took more than {seconds:.0f} seconds, so it was ended; the tests were not run."
            ) from None
        finally:
            _end(process)
            await process.wait()
    return await asyncio.to_thread(_read_end, path)


def _end(process: asyncio.subprocess.Process) -> None:
    """Ends a process and all that it started, also if the process itself has ended."""
    if hasattr(os, "killpg"):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # macOS refuses the group of a process that has just ended
            return
    elif process.returncode is None:
        process.kill()


def _read_end(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _MOST_OUTPUT))
        return file.read().decode(errors="replace")


def _merged(outcomes: Iterator[Outcome]) -> list[Outcome]:
    """Returns one outcome for each test. A test with parameters fails if it fails with any of them."""
    found: dict[str, Outcome] = {}
    for one in outcomes:
        if one.name not in found or not one.passed:
            found[one.name] = one
    return list(found.values())


def _has(proposal: Proposal, name: str) -> bool:
    """Returns whether a test is one of those that a proposal adds."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", proposal.text) is not None


def without_failed(proposal: Proposal, run: TestRun) -> Proposal | None:
    """Returns a proposal without the tests that failed, or None if no test passed. A test that cannot be left out
    alone, such as one within another call, stays."""
    if all(not one.passed for one in run.outcomes):
        return None
    language = language_name(proposal.document.language, file_path(proposal.document.uri).name)
    text = proposal.text
    for outcome in run.failed:
        span = _span(parse(text, language, most=LONGEST_PARSED), outcome.name)
        text = _cut(text, span) if span is not None else text
    *others, last = proposal.edits
    return replace(proposal, text=text, edits=(*others, replace(last, text=text)))


def report(run: TestRun, kept: Proposal | None) -> list[str]:
    """Returns sentences on a run, of whose tests those in ``kept`` are proposed."""
    if not run.outcomes:
        return [f"{run.runner} ran none of the new tests; it said:\n{run.output.strip()}"]
    passed, all_ = len(run.outcomes) - len(run.failed), len(run.outcomes)
    counted = f"{passed} of {all_} new tests {'passes' if passed == 1 else 'pass'} with {run.runner}."
    return [counted, *(_failure(one, kept) for one in run.failed)]


def _failure(outcome: Outcome, kept: Proposal | None) -> str:
    stays = kept is not None and _has(kept, outcome.name)
    why = f": {outcome.why}" if outcome.why else ""
    return f"{outcome.name} fails and is {'still there' if stays else 'left out'}{why}"


def _span(syntax: Syntax, name: str) -> Span | None:
    """Returns where a test is: the definition of its name, or the call that has the name as its first argument."""
    if (found := named(syntax, name)) is not None:
        return found
    calls = (one.span for one in statements(syntax))
    quoted = tuple(f"{call}({quote}{name}{quote}" for call in ("test", "it") for quote in "\"'`")
    return next((span for span in calls if syntax.text.startswith(quoted, span.start)), None)


def _cut(text: str, span: Span) -> str:
    """Returns a text without whole lines, and without the blank lines above them. The line ends at its start stay,
    which separate it from what is above it in its file."""
    start = text.rfind("\n", 0, span.start) + 1
    end = text.find("\n", span.end)
    rest = text[end + 1 :] if end >= 0 else ""
    above = text[:start].rstrip()
    if above:
        return above + ("\r\n" if "\r\n" in text else "\n") + rest
    return text[: len(text) - len(text.lstrip("\r\n"))] + rest.lstrip("\r\n")
