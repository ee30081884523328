"""Checks of an installation, each a sentence."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version

from codegemma_lsp import engines
from codegemma_lsp.completion import DocumentState, Query, complete
from codegemma_lsp.document import Document
from codegemma_lsp.engines.protocol import Engine, EngineError
from codegemma_lsp.engines.selection import select_completion
from codegemma_lsp.models import model_files
from codegemma_lsp.prompt import UNKNOWN, BudgetTooSmall, InfillFormat
from codegemma_lsp.settings import Settings
from codegemma_lsp.syntax import LANGUAGES, parse

_EXAMPLE = "def add(a, b):\n    return "


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    detail: str


def checks(settings: Settings) -> Iterator[Check]:
    """Each check as it is done; those that need what has failed are left out."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("codegemma-lsp", "pygls", "llama-cpp-python"))
    yield Check("program", True, f"{packages} on Python {platform.python_version()}")
    yield _grammars()
    try:
        selection = select_completion(settings)
        engine = engines.load(selection.settings)
    except EngineError as error:
        yield Check("model", False, str(error))
        return
    try:
        size = sum(file.stat().st_size for file in model_files(selection.choice.path)) / 1e6
        context = f"{engine.context_tokens} tokens of context"
        yield Check("model", True, f"{selection.choice.sentence} ({selection.choice.path}, {size:.0f} MB, {context})")
        yield _infill_format(engine, settings)
        yield _completion(engine, settings)
    finally:
        engine.close()


def _grammars() -> Check:
    broken = []
    for language in LANGUAGES:
        try:
            parse("x", language.name)
        except Exception as error:
            broken.append(f"{language.name} ({error})")
    if broken:
        return Check("grammars", False, f"these do not load: {', '.join(broken)}; install codegemma-lsp again.")
    return Check("grammars", True, f"{len(LANGUAGES)} languages")


def _infill_format(engine: Engine, settings: Settings) -> Check:
    family = engine.tokenizer.family
    set_by_user = settings.infill_format is not InfillFormat.AUTO
    how = "as the setting infillFormat says" if set_by_user else "found by its vocabulary and its file's metadata"
    if family.name == UNKNOWN.name:
        tokens = " ".join(family.texts.values())
        how = f"{tokens}, in the usual order; where that does badly, set infillFormat"
    elif not family.infills and not set_by_user:
        how = "it has no infill tokens, so it is asked at the ends of lines only; a coder model does better"
    return Check("infill", True, f"{family.title} ({how})")


def _completion(engine: Engine, settings: Settings) -> Check:
    query = Query(Document("file:///doctor.py", _EXAMPLE, "python"), len(_EXAMPLE), "doctor.py", explicit=True)
    try:
        outcome = asyncio.run(complete(query, DocumentState(), engine, settings))
    except (EngineError, BudgetTooSmall) as error:
        return Check("completion", False, str(error))
    said = repr(outcome.suggestion.text) if outcome.suggestion else f"nothing ({outcome.reason})"
    last = _EXAMPLE.rsplit("\n", 1)[-1].strip()
    return Check("completion", True, f"after {last!r} it suggests {said} in {outcome.ms['total']:.0f} ms")
