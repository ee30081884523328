"""A task is a text with a middle left out, and the test that tells whether an answer is right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class BadTasks(Exception):
    """The tasks are not available. ``str()`` is one sentence that says what to do."""


class Split(StrEnum):
    """The splits of HumanEval-Infilling (Fried et al. 2022; Bavarian et al. 2022, section 4.3)."""

    SINGLE_LINE = "single-line"
    MULTI_LINE = "multi-line"
    RANDOM_SPAN = "random-span"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A text with a middle left out. ``middle`` is the right answer, between ``prefix`` and ``suffix``.

    ``whole_lines`` means that all three end at line ends, but for a prefix that ends after the first line's indentation
    (``after_indentation``), and ``one_line`` that only one line is asked for. ``test`` is
    the code to run after the program, or "" if an answer is only compared. ``path`` is the file's name that the model
    sees. ``arm`` names what it may see of other files in ``folder``, or is "" for nothing; similar code is looked for
    below ``project``, a path in it that ends with a slash, or "" for all of it. ``needed`` are the names of other files
    that the right answer uses, if they are known.
    """

    id: str
    split: str
    prefix: str
    suffix: str
    middle: str
    language: str = "python"
    path: str = ""
    test: str = ""
    whole_lines: bool = False
    one_line: bool = False
    folder: str = ""
    project: str = ""
    arm: str = ""
    needed: tuple[str, ...] = ()


def after_indentation(task: Task) -> Task:
    """Returns a task of whole lines with the first one's indentation in the prefix, as editors indent a new line."""
    if not task.whole_lines:
        return task
    rest = task.middle.lstrip(" \t")
    return replace(task, prefix=task.prefix + task.middle[: len(task.middle) - len(rest)], middle=rest)
