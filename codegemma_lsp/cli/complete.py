"""Completion without an editor: positions in files in, suggestions printed in place out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from codegemma_lsp import engines
from codegemma_lsp.cli.source_files import BadPlace, read, shown_path
from codegemma_lsp.completion import DocumentState, Outcome, Plan, Query, complete, plan_completion
from codegemma_lsp.document import Document, Encoding, Position
from codegemma_lsp.engines.protocol import Engine, EngineError
from codegemma_lsp.engines.selection import select_completion
from codegemma_lsp.prompt import BudgetTooSmall, Special, Text
from codegemma_lsp.settings import Settings

_PLACE = re.compile(r"(?P<path>.+?):(?P<line>\d+):(?P<column>\d+)")
_CONTEXT_LINES = 4


@dataclass(frozen=True, slots=True)
class Place:
    """1-based line and column; the column counts code points."""

    path: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Result:
    """What was asked, and the outcome; ``plan`` where the prompt was to be explained."""

    place: Place
    document: Document
    offset: int
    outcome: Outcome | None
    plan: Plan | None
    engine: Engine

    def as_json(self) -> dict[str, Any]:
        """Ranges are LSP's: zero-based, in UTF-16 units."""
        usage = self.outcome.usage if self.outcome else None
        prompt_tokens = self.plan.prompt.tokens if self.plan is not None else 0
        tokens = {"prompt": prompt_tokens, "cached": 0, "completion": 0}
        if usage is not None:
            tokens = {
                "prompt": usage.prompt_tokens,
                "cached": usage.cached_tokens,
                "completion": usage.completion_tokens,
            }
        return {
            "path": self.place.path,
            "line": self.place.line,
            "column": self.place.column,
            "items": [] if self.outcome is None else self._items(self.outcome),
            "tokens": tokens,
            "ms": {k: round(v, 3) for k, v in self.outcome.ms.items()} if self.outcome else {},
        }

    def _items(self, outcome: Outcome) -> list[dict[str, Any]]:
        if outcome.suggestion is None:
            return []
        span = outcome.suggestion.span
        ends = [self.document.position(offset, Encoding.UTF16) for offset in (span.start, span.end)]
        start, end = ({"line": p.line, "character": p.character} for p in ends)
        return [{"insertText": outcome.suggestion.text, "range": {"start": start, "end": end}}]


def parse_place(text: str) -> Place:
    """Raises ``BadPlace``."""
    match = _PLACE.fullmatch(text)
    if match is None or not int(match["line"]) or not int(match["column"]):
        raise BadPlace(f"{text!r} is not a position; write FILE:LINE:COL with line and column counted from 1.")
    return Place(match["path"], int(match["line"]), int(match["column"]))


def read_files(places: Sequence[Place]) -> dict[str, Document]:
    """The documents that the places are in. Raises ``BadPlace`` and ``UnreadableFile``."""
    documents: dict[str, Document] = {}
    for place in places:
        if place.path not in documents:
            documents[place.path] = read(Path(place.path)).document
        check_place(place, documents[place.path])
    return documents


def check_place(place: Place, document: Document) -> None:
    if place.line > document.line_count:
        lines = f"{document.line_count} line{'s' if document.line_count != 1 else ''}"
        raise BadPlace(f"{place.path} has {lines}, so there is no line {place.line}.")
    width = len(document.line_span(place.line - 1))
    if place.column > width + 1:
        raise BadPlace(
            f"Line {place.line} of {place.path} ends at column {width + 1}, so there is no column {place.column}."
        )


def run(places: Sequence[Place], files: dict[str, Document], settings: Settings, explain: bool) -> Iterator[Result]:
    """One result for each place, in order. Raises what ``select_completion`` and ``engines.load`` raise."""
    engine = engines.load(select_completion(settings).settings)
    states: dict[str, DocumentState] = {}
    try:
        for place in places:
            document = files[place.path]
            offset = document.offset(Position(place.line - 1, place.column - 1), Encoding.UTF32)
            query = Query(document, offset, shown_path(Path(place.path), Path.cwd()), explicit=True)
            state = states.setdefault(place.path, DocumentState())
            if explain:
                plan, state.planning = plan_completion(query, state.planning, engine, settings)
                yield Result(place, document, offset, None, plan, engine)
            else:
                outcome = asyncio.run(complete(query, state, engine, settings))
                yield Result(place, document, offset, outcome, None, engine)
    except BudgetTooSmall as error:
        raise EngineError(str(error)) from error
    finally:
        engine.close()


def print_in_place(console: Console, place: Place, document: Document, offset: int, outcome: Outcome) -> None:
    """The lines around the cursor with the suggestion in them: dim italics, or between ⟦ ⟧ where there is no colour."""
    first = max(0, place.line - 1 - _CONTEXT_LINES)
    last = min(document.line_count - 1, place.line - 1 + _CONTEXT_LINES)
    start, end = int(document.starts[first]), document.line_span(last).end
    console.print(Styled(f"{place.path}:{place.line}:{place.column}", "bold"))
    body = Styled(document.text[start:offset])
    after = offset
    if outcome.suggestion is not None:
        colour = console.color_system is not None
        ghost = outcome.suggestion.text if colour else f"⟦{outcome.suggestion.text}⟧"
        body.append(ghost, "italic bright_black" if console.color_system != "standard" else "italic cyan")
        after = outcome.suggestion.span.end
    body.append(document.text[after:end])
    for line in body.split("\n", allow_blank=True):
        console.print(Styled.assemble(("  │ ", "dim"), line), soft_wrap=True)
    console.print(Styled(f"  {_summary(outcome)}\n", "dim"), soft_wrap=True)


def _summary(outcome: Outcome) -> str:
    usage = outcome.usage
    counts = (
        f"{usage.prompt_tokens} prompt tokens ({usage.cached_tokens} cached),"
        f" {usage.completion_tokens} completion tokens"
    )
    said = "" if outcome.suggestion is not None else f"no suggestion: {outcome.reason}; "
    return f"{said}{outcome.ms.get('total', 0):.1f} ms, {counts}"


def print_prompt(console: Console, result: Result) -> None:
    """The prompt as it would be sent: each segment with its token count and why it is there."""
    plan = result.plan
    assert plan is not None
    table = Table(title=f"{result.place.path}:{result.place.line}:{result.place.column}", show_lines=True)
    table.add_column("tokens", justify="right")
    table.add_column("why")
    table.add_column("text", overflow="fold")
    for segment in plan.prompt.segments:
        if isinstance(segment, Text):
            count = len(result.engine.tokenizer.encode(segment.text))
            table.add_row(str(count), segment.reason, Styled(segment.text))
        elif isinstance(segment, Special):
            name = result.engine.tokenizer.name(segment)
            table.add_row("1", f"special token: {segment.value}", Styled(name, "magenta"))
    if plan.prompt.forced_prefix:
        table.add_row("0", "forced prefix (token healing)", Styled(repr(plan.prompt.forced_prefix.decode())))
    console.print(table)
    family = result.engine.tokenizer.family
    console.print(f"{plan.prompt.tokens} tokens; the model stops at any special token", markup=False)
    console.print(f"infill format: {family.name} ({family.title})", markup=False)
