"""Real source files, as material."""

from __future__ import annotations

import ast
import random
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from codegemma_lsp.syntax import language_name

ROOT = Path(__file__).parents[2]
LIBRARY = Path(ast.__file__).parent
_PYTHON = ("bisect", "cmd", "configparser", "copy", "csv", "dataclasses", "heapq", "queue", "shlex", "textwrap")


@dataclass(frozen=True, slots=True)
class Sample:
    """A file's text with LF line ends, and its language."""

    name: str
    language: str
    text: str


@lru_cache(maxsize=1)
def samples() -> tuple[Sample, ...]:
    """Returns one file of each language, and some of Python."""
    files = sorted((ROOT / "tests" / "data" / "samples").iterdir())
    files += [ROOT / "tests" / "data" / "cart.js", *(LIBRARY / f"{name}.py" for name in _PYTHON)]
    return tuple(Sample(file.name, language_name("", file.name), file.read_text("utf-8")) for file in files)


def excerpt(chance: random.Random, most_lines: int, language: str = "") -> tuple[Sample, str]:
    """Returns some lines of a file, and where they are from."""
    sample = chance.choice([one for one in samples() if language in ("", one.language)])
    lines = sample.text.split("\n")
    start = chance.randrange(len(lines))
    return sample, "\n".join(lines[start : start + chance.randint(1, most_lines)])
