"""What nano suggests at random places of real files, judged by the languages' own parsers."""

from __future__ import annotations

import asyncio
import random
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from codegemma_lsp import engines
from codegemma_lsp.completion import DocumentState, Query, complete
from codegemma_lsp.document import Document
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.settings import Settings
from scripts.syntax.cases import sources
from scripts.syntax.parsers import LANGUAGES, Missing, Parser, parser
from scripts.trials.sources import LIBRARY, ROOT
from scripts.trials.trial import Case, Trial, check

_PACKAGES = Path(sysconfig.get_path("purelib"))
_FOLDERS = {
    "python": [LIBRARY, _PACKAGES],
    "javascript": [_PACKAGES / "playwright", _PACKAGES / "matplotlib"],
    "typescript": [ROOT / "editors" / "vscode" / "src"],
    "c": [_PACKAGES / "greenlet", _PACKAGES / "numpy"],
    "cpp": [_PACKAGES / "greenlet"],
}
_LONGEST = 40_000
"""Code points of a file that is used."""
_PLACES = 12
"""Places of a file that are tried in one case."""


@dataclass(frozen=True, slots=True)
class _Language:
    name: str
    files: list[Path]
    parse: Parser


@asynccontextmanager
async def _prepared(folder: Path) -> AsyncIterator[Case]:
    settings = Settings(model="nano", threads=1, max_tokens=48)
    engine = engines.load(settings)
    languages = _languages()
    try:
        yield lambda chance: _case(chance, engine, settings, languages)
    finally:
        engine.close()


@cache
def _languages() -> list[_Language]:
    """Returns the languages whose parsers are installed. Python, of which most is here, comes as often as all others
    together."""
    found = []
    for name in LANGUAGES:
        try:
            parse = parser(name)
        except Missing:
            continue
        files = sources(name, [*_FOLDERS.get(name, []), ROOT / "tests" / "data"])
        found += [_Language(name, files, parse)] * (1 if name != "python" else len(LANGUAGES) - 1) if files else []
    return found


async def _case(chance: random.Random, engine: Engine, settings: Settings, languages: list[_Language]) -> int:
    language = chance.choice(languages)
    text = _text(chance.choice(language.files))
    if not text or language.parse(text):
        return 0
    temperature = chance.choice([0.0, 1.2])
    settings = settings.model_copy(update={"temperature": temperature, "seed": chance.randrange(2**31)})
    return sum([await _place(chance, engine, settings, language, text) for _ in range(_PLACES)])


def _text(file: Path) -> str:
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    return text if 20 < len(text) <= _LONGEST and max(map(len, text.split("\n"))) < 1000 else ""


async def _place(chance: random.Random, engine: Engine, settings: Settings, language: _Language, text: str) -> int:
    """Returns whether something was suggested in a file that was valid."""
    offset = _offset(chance, text)
    if chance.random() < 0.3:
        end = text.find("\n", offset)
        shorter = text[:offset] + text[end if end >= 0 else len(text) :]
        text = text if language.parse(shorter) else shorter
    document = Document(uri=f"file:///file.{language.name}", text=text, language=language.name)
    query = Query(document=document, offset=offset, path="file", explicit=chance.random() < 0.5)
    outcome = await complete(query, DocumentState(), engine, settings)
    if outcome.suggestion is None:
        return 0
    span = outcome.suggestion.span
    after = text[: span.start] + outcome.suggestion.text + text[span.end :]
    errors = language.parse(after)
    how = f"{'explicit' if query.explicit else 'automatic'}, temperature {settings.temperature}"
    around = f"{text[max(0, offset - 60) : offset]!r} [{outcome.suggestion.text!r}] {text[offset : offset + 40]!r}"
    check(not errors, f"{language.name} ({how}): {errors[:1]} after {around}")
    await asyncio.sleep(0)
    return 1


def _offset(chance: random.Random, text: str) -> int:
    """Returns a place at the start, in the indentation, within or at the end of a line."""
    lines = text.split("\n")
    row = chance.randrange(len(lines))
    start, line = sum(len(one) + 1 for one in lines[:row]), lines[row]
    return start + chance.choice([0, len(line) - len(line.lstrip()), chance.randint(0, len(line)), len(line)])


TRIAL = Trial(
    name="suggestions",
    about="suggestions by nano in real files: valid files stay valid for their parsers",
    unit="suggestions",
    weight=20,
    prepared=_prepared,
    case_s=180,
)
