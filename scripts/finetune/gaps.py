"""Infills of a repository's own code: gaps that the syntax tree determines, with the file around them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from codegemma_lsp.benchmarks.infilling.folder import source_files
from codegemma_lsp.context import masked
from codegemma_lsp.prompt import CODEGEMMA, Family, Special
from codegemma_lsp.syntax import MAX_CHARS, Cut, cuts, find_language, parse

AROUND = 2_000
"""Code points of the file that are shown on each side of a gap."""
LONGEST_GAP = 600
HELD_OUT = 10
"""One file in so many is not trained on, chosen by its path."""
_KINDS = (Cut.LINE, Cut.LINE, Cut.BLOCK, Cut.EXPRESSION)


@dataclass(frozen=True, slots=True)
class Sample:
    """A gap: ``middle`` stands between ``prefix`` and ``suffix``."""

    prefix: str
    suffix: str
    middle: str


def samples(root: Path, each: int, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Returns at most ``each`` gaps of every file of a folder: those to train on and those held out, by files. What
    looks like a secret is masked. Ignored files, and those whose names look like secrets, are left out."""
    trained: list[Sample] = []
    held_out: list[Sample] = []
    for path in source_files(root):
        shown = path.relative_to(root).as_posix()
        is_held_out = int(hashlib.sha256(shown.encode()).hexdigest(), 16) % HELD_OUT == 0
        (held_out if is_held_out else trained).extend(_of(path, each, random.Random(f"{seed}/{shown}")))
    random.Random(seed).shuffle(trained)
    return trained, held_out


def _of(path: Path, each: int, rng: random.Random) -> Iterator[Sample]:
    language = find_language("", path.name)
    try:
        text = masked(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return
    if language is None or len(text) > MAX_CHARS:
        return
    tree = parse(text, language.name)
    for _ in range(each):
        spans = [span for span in cuts(tree, rng.choice(_KINDS)) if len(span) <= LONGEST_GAP]
        if spans:
            gap = rng.choice(spans)
            before, after = text[max(0, gap.start - AROUND) : gap.start], text[gap.end : gap.end + AROUND]
            yield Sample(before, after, text[gap.start : gap.end])


def text_of(sample: Sample, family: Family) -> tuple[str, str]:
    """Returns a gap as the model's family writes it: the prompt, and what is to be learnt, with its end. CodeGemma ends
    an infill with its file separator, other families with the end of the text."""
    of = family.texts
    before, after, middle = of[Special.FIM_PREFIX], of[Special.FIM_SUFFIX], of[Special.FIM_MIDDLE]
    end = of[Special.FILE_SEPARATOR if family is CODEGEMMA else Special.EOS]
    bos = of[Special.BOS] if family.bos else ""
    return f"{bos}{before}{sample.prefix}{after}{sample.suffix}{middle}", sample.middle + end
