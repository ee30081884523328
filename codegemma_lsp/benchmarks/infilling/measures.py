"""Compares an answer with the right one, and with the file around it."""

from __future__ import annotations

import re

from rapidfuzz.distance import Levenshtein

from codegemma_lsp.benchmarks.infilling.answers import Answer
from codegemma_lsp.benchmarks.infilling.tasks import Task
from codegemma_lsp.syntax import parse


def exact_match(task: Task, answer: Answer) -> bool:
    """Returns whether an answer is equal to the right one except for blanks at both ends, as the infilling papers count
    it. An empty text is equal only to an empty text."""
    net = answer.net(task)
    return net.strip() == task.middle.strip() and bool(net) == bool(task.middle)


def edit_similarity(task: Task, answer: Answer) -> float:
    """Returns 1 less the Levenshtein distance divided by the longer text's length, both without blanks at their ends.
    Equal texts have 1."""
    if not task.middle.strip():
        return float(exact_match(task, answer))
    return float(Levenshtein.normalized_similarity(answer.net(task).strip(), task.middle.strip()))


def identifier_f1(task: Task, answer: Answer) -> float:
    """Returns the harmonic mean of the precision and the recall of the identifiers, as CrossCodeEval counts them (Ding
    et al. 2023, arXiv:2310.11248): 1 if the answer has the right ones and no others."""
    given, right = (set(re.findall(r"[^\W\d]\w*", text)) for text in (answer.net(task), task.middle))
    if not given or not right:
        return float(given == right)
    return 2 * len(given & right) / (len(given) + len(right))


def breaks_syntax(task: Task, answer: Answer) -> bool:
    """Returns whether the file with the answer has syntax errors, including those of indentation, that it does not have
    with the right answer. An empty answer breaks nothing."""
    if not answer.text.strip():
        return False
    right = parse(task.prefix + task.middle + task.suffix, task.language)
    return not parse(answer.applied(task), task.language).no_worse_than(right)


def duplicates_suffix(task: Task, answer: Answer) -> bool:
    """Returns whether an answer repeats what already follows and the right answer does not. What follows is the rest of
    the line or, if that is empty, the next line with a word."""
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
