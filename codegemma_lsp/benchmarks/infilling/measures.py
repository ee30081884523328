"""How an answer compares with the right one, and what it would do to the file."""

from __future__ import annotations

import re

from rapidfuzz.distance import Levenshtein

from codegemma_lsp.benchmarks.infilling.answers import Answer
from codegemma_lsp.benchmarks.infilling.tasks import Task
from codegemma_lsp.syntax import parse


def exact_match(task: Task, answer: Answer) -> bool:
    """Equal up to blanks at both ends, as the infilling papers count it; nothing equals nothing only."""
    net = answer.net(task)
    return net.strip() == task.middle.strip() and bool(net) == bool(task.middle)


def edit_similarity(task: Task, answer: Answer) -> float:
    """1 less the Levenshtein distance over the longer text's length, both without blanks at their ends: 1 is equal."""
    if not task.middle.strip():
        return float(exact_match(task, answer))
    return float(Levenshtein.normalized_similarity(answer.net(task).strip(), task.middle.strip()))


def breaks_syntax(task: Task, answer: Answer) -> bool:
    """Whether the file has syntax errors with the answer in it, of indentation too, that it has not with the right
    one; an answer of nothing breaks nothing."""
    if not answer.text.strip():
        return False
    right = parse(task.prefix + task.middle + task.suffix, task.language)
    return not parse(answer.applied(task), task.language).no_worse_than(right)


def duplicates_suffix(task: Task, answer: Answer) -> bool:
    """Whether it says what already follows, where the right answer does not: the rest of the line or, where nothing
    follows on it, the next line that has a word on it."""
    given, right = answer.net(task), task.middle
    rest = task.suffix.partition("\n")[0].strip()
    if rest and not task.whole_lines:
        return len(rest) > 1 and _ends_a_line(given, rest) and not _ends_a_line(right, rest)
    below = next((line.rstrip() for line in task.suffix.split("\n") if re.search(r"\w", line)), "")
    return bool(below) and _lines(given).count(below) > _lines(right).count(below)


def _ends_a_line(text: str, rest: str) -> bool:
    return any(line.endswith(rest) for line in _lines(text))


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.split("\n")]
