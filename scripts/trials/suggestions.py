"""What nano suggests at random places of real files, judged by the languages' own parsers."""

from __future__ import annotations

import random
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
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
from scripts.trials.trial import Case, Failed, Trial, check

_PACKAGES = Path(sysconfig.get_path("purelib"))
_FOLDERS = {
    "python": [LIBRARY, _PACKAGES],
    "javascript": [_PACKAGES / "playwright", _PACKAGES / "matplotlib"],
    "typescript": [ROOT / "editors" / "vscode" / "src"],
    "c": [_PACKAGES / "greenlet", _PACKAGES / "numpy"],
    "cpp": [_PACKAGES / "greenlet"],
}
_STRICT = "python"
_FEW, _SHARE = 3, 0.02
"""How many suggestions in other languages may break their files: a number, and a share. Nano says anything when it
is asked at a high temperature."""
_LONGEST = 40_000
"""Code points of a file that is used."""
_PLACES = 16
"""Places of a file that are tried in one case."""
_NEAR = 24
"""Lines within which they are, so that their prompts have much in common."""


@dataclass(frozen=True, slots=True)
class _Language:
    name: str
    files: list[Path]
    parse: Parser


@asynccontextmanager
async def _prepared(folder: Path) -> AsyncIterator[Case]:
    settings = Settings(model="nano", threads=1, context_tokens=256, max_tokens=32, min_confidence=-99)
    engine = engines.load(settings)
    breakages = _Breakages()
    try:
        yield lambda chance: _case(chance, engine, settings, breakages)
    finally:
        engine.close()
    breakages.check_share()


@cache
def _languages() -> list[_Language]:
    """Returns the languages whose parsers are installed. Python, of which most is here, comes as often as all others
    together."""
    found = []
    for name in LANGUAGES:
        try:
            parse = parser(name)
        except Missing as missing:
            print(f"suggestions: no {name}: {missing}", flush=True)
            continue
        files = sources(name, [*_FOLDERS.get(name, []), ROOT / "tests" / "data"])
        found += [_Language(name, files, parse)] * (1 if name != "python" else len(LANGUAGES) - 1) if files else []
    return found


async def _case(chance: random.Random, engine: Engine, settings: Settings, breakages: _Breakages) -> int:
    language = chance.choice(_languages())
    text = _text(chance.choice(language.files))
    if not text or language.parse(text):
        return 0
    temperature = chance.choice([0.0, 0.0, 1.2])
    settings = settings.model_copy(update={"temperature": temperature, "seed": chance.randrange(2**31)})
    user = _User(chance=chance, engine=engine, settings=settings, language=language, breakages=breakages)
    first = chance.randint(0, text.count("\n"))
    return sum([await user.place(text, first + chance.randrange(_NEAR)) for _ in range(_PLACES)])


def _text(file: Path) -> str:
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    return text if 20 < len(text) <= _LONGEST and max(map(len, text.split("\n"))) < 1000 else ""


@dataclass
class _Breakages:
    """Suggestions that broke their files. None may in Python, whose own parser the product asks. The other languages'
    grammars accept a little that their compilers do not. ``judged`` counts the suggestions in these."""

    judged: int = 0
    elsewhere: set[tuple[str, str]] = field(default_factory=set)

    def add(self, language: str, said: str, problem: str) -> None:
        if language == _STRICT:
            raise Failed(problem)
        self.elsewhere.add((language, said.strip()))
        print(f"suggestions: tolerated: {problem}", flush=True)

    def check_share(self) -> None:
        most = _FEW + _SHARE * self.judged
        count = len(self.elsewhere)
        check(count <= most, f"{count} of {self.judged} suggestions broke files not of Python")


@dataclass(kw_only=True)
class _User:
    """Somebody who accepts everything in a file, each time in the file as it was."""

    chance: random.Random
    engine: Engine
    settings: Settings
    language: _Language
    breakages: _Breakages
    state: DocumentState = field(default_factory=DocumentState)

    async def place(self, text: str, row: int) -> int:
        """Returns how many suggestions there were at a place on a row of a valid text: one or none."""
        offset, end = self._offset(text, row), text.find("\n", self._line_start(text, row))
        if self.chance.random() < 0.7:
            shorter = text[:offset] + text[end if end >= 0 else len(text) :]
            if self.language.parse(shorter):
                offset = max(offset, end)
            else:
                text = shorter
        document = Document(uri=f"file:///file.{self.language.name}", text=text, language=self.language.name)
        query = Query(document=document, offset=offset, path="file", explicit=self.chance.random() < 0.5)
        outcome = await complete(query, self.state, self.engine, self.settings)
        if outcome.suggestion is None:
            return 0
        span, said = outcome.suggestion.span, outcome.suggestion.text
        if errors := self.language.parse(text[: span.start] + said + text[span.end :]):
            how = f"{'explicit' if query.explicit else 'automatic'}, temperature {self.settings.temperature}"
            around = f"{text[max(0, offset - 60) : offset]!r} [{said!r}] {text[offset : offset + 40]!r}"
            self.breakages.add(self.language.name, said, f"{self.language.name} ({how}): {errors[:1]} after {around}")
        self.breakages.judged += self.language.name != _STRICT
        return 1

    def _offset(self, text: str, row: int) -> int:
        """Returns a place at the start, in the indentation, within or at the end of a line."""
        start = self._line_start(text, row)
        line = text[start:].partition("\n")[0]
        indentation = len(line) - len(line.lstrip())
        return start + self.chance.choice([0, indentation, indentation, self.chance.randint(0, len(line)), len(line)])

    def _line_start(self, text: str, row: int) -> int:
        lines = text.split("\n")
        return sum(len(one) + 1 for one in lines[: row % len(lines)])


TRIAL = Trial(
    name="suggestions",
    about="suggestions by nano in real files, by their parsers",
    unit="suggestions",
    weight=370,
    prepared=_prepared,
    case_s=180,
)
