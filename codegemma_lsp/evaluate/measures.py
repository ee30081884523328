"""How an answer compares with the right one, and what it would do to the file."""

from __future__ import annotations

from rapidfuzz.distance import Levenshtein

from codegemma_lsp.evaluate.answers import Answer
from codegemma_lsp.evaluate.tasks import Task
from codegemma_lsp.syntax import parse


def exact_match(task: Task, answer: Answer) -> bool:
    """Equal up to blanks at both ends, as the infilling papers count it."""
    return answer.net(task).strip() == task.middle.strip()


def edit_similarity(task: Task, answer: Answer) -> float:
    """1 less the Levenshtein distance over the longer text's length, both without blanks at their ends: 1 is equal."""
    return float(Levenshtein.normalized_similarity(answer.net(task).strip(), task.middle.strip()))


def breaks_syntax(task: Task, answer: Answer) -> bool:
    """Whether accepting it adds syntax errors to those that the file has without it."""
    before = parse(task.prefix + answer.after + task.suffix, task.language)
    return parse(answer.applied(task), task.language).error_count > before.error_count


def duplicates_suffix(task: Task, answer: Answer) -> bool:
    """Whether it ends in what already follows, where the right answer does not: the rest of the line, or a line."""
    given, right = answer.net(task).rstrip(), task.middle.rstrip()
    rest = task.suffix.partition("\n")[0].strip()
    if rest and not task.whole_lines:
        return len(rest) > 1 and given.endswith(rest) and not right.endswith(rest)
    below = next((line.strip() for line in task.suffix.split("\n") if line.strip()), "")
    return bool(below) and _last_line(given) == below != _last_line(right)


def _last_line(text: str) -> str:
    return text.rpartition("\n")[2].strip()
