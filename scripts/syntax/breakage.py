"""Counts the suggestions after which a language's own parser refuses a file that it accepted before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from codegemma_lsp.completion import DocumentState, Query, complete
from codegemma_lsp.document import Document
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.settings import Settings
from scripts.syntax.cases import Case
from scripts.syntax.parsers import Parser


@dataclass(frozen=True, slots=True)
class Breakage:
    """A suggestion that breaks a file, and what the parser says of it."""

    case: Case
    shown: str
    error: str


@dataclass(slots=True, kw_only=True)
class Count:
    """The result for one language. ``suggestions`` are those in files that were valid before."""

    language: str
    places: int = 0
    suggestions: int = 0
    breakages: list[Breakage] = field(default_factory=list)


async def count(
    language: str,
    cases: Iterable[Case],
    parse: Parser,
    engine_for: Callable[[Case], Engine],
    wanted: int,
) -> Count:
    """Returns the count over the first cases, in order, that lead to as many suggestions as are ``wanted``. Most
    suggestions are shown by no more than one of ten cases, so ``cases`` may end first."""
    result, settings = Count(language=language), Settings()
    for case in cases:
        result.places += 1
        document = Document(uri=f"file:///file.{language}", text=case.text, language=language)
        query = Query(document=document, offset=len(case.before), path="file", explicit=True)
        outcome = await complete(query, DocumentState(), engine_for(case), settings)
        if outcome.suggestion is None or parse(case.text):
            continue
        result.suggestions += 1
        span, shown = outcome.suggestion.span, outcome.suggestion.text
        errors = parse(case.text[: span.start] + shown + case.text[span.end :])
        result.breakages += [Breakage(case, shown, errors[0])] if errors else []
        if result.suggestions >= wanted:
            break
    return result
