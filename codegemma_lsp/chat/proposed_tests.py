"""Runs proposed tests in a copy of their project, and leaves those out that fail.

The tests are code that a model wrote, and they run as the user's own programs do: nothing but the time limit holds
them. So they are run only when the user asks for it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from codegemma_lsp.chat.code import LONGEST_PARSED
from codegemma_lsp.chat.limited_process import output_of
from codegemma_lsp.chat.project_copy import copied, project_of
from codegemma_lsp.chat.runners import MARKERS, Outcome, runner_for
from codegemma_lsp.chat.types import Proposal, RequestRefused
from codegemma_lsp.document import Span, file_path
from codegemma_lsp.syntax import Syntax, language_name, named, parse, statements

LONGEST_S = 60.0
"""The time after which tests are ended, in seconds."""
_MOST_SHOWN = 2_000
"""The number of code points of the output that are kept for the user."""


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
        """The tests that failed or did not run."""
        return tuple(one for one in self.outcomes if not one.passed)


async def run_tests(proposal: Proposal, root: Path, seconds: float = LONGEST_S) -> TestRun:
    """Runs the tests of a proposal in a temporary copy of the project around their file, which is below ``root``, and
    deletes the copy.

    All processes that the tests start are ended after ``seconds``, or when the task is cancelled. Raises
    ``RequestRefused`` if the tests cannot be run, take longer, or print too much.
    """
    file = file_path(proposal.document.uri)
    language = language_name(proposal.document.language, file.name)
    project = project_of(file, root, MARKERS.get(language, ()))
    with tempfile.TemporaryDirectory(prefix="codegemma-tests-", ignore_cleanup_errors=True) as folder:
        try:
            copy = await copied(project, Path(folder))
            inner = copy / file.relative_to(project)
            _write(inner, proposal.after)
        except OSError as error:
            raise RequestRefused(f"{project} cannot be copied ({error.strerror}); leave out --run.") from None
        runner = runner_for(language, project, copy, inner)
        output = await output_of(runner, copy, Path(folder) / "output", seconds)
    mine = tuple(one for one in _merged(runner.outcomes(output)) if _has(proposal, one.name))
    return TestRun(runner=runner.name, outcomes=mine, output=output[-_MOST_SHOWN:])


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8", newline="")


def _merged(outcomes: Iterator[Outcome]) -> list[Outcome]:
    """Returns one outcome for each test. A test with parameters fails if it fails with any of them, and passes if it
    passes with any of them and fails with none."""
    found: dict[str, Outcome] = {}
    for one in outcomes:
        if one.name not in found or _weight(one) > _weight(found[one.name]):
            found[one.name] = one
    return list(found.values())


def _weight(outcome: Outcome) -> int:
    return 0 if outcome.skipped else 1 if outcome.passed else 2


def _has(proposal: Proposal, name: str) -> bool:
    """Returns whether a test is one of those that a proposal adds."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", proposal.text) is not None


def without_failed(proposal: Proposal, run: TestRun) -> Proposal | None:
    """Returns a proposal without the tests that failed or did not run, or None if no test passed. A test that cannot be
    left out alone, such as one within another call, stays."""
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
    what = "is skipped or expected to fail" if outcome.skipped else "fails"
    return f"{outcome.name} {what} and is {'still there' if stays else 'left out'}{why}"


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
