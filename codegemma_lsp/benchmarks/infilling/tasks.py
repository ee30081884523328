"""What is asked: a text with a middle left out, and how to tell whether an answer is right."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from codegemma_lsp.prompt import OtherFile


class BadTasks(Exception):
    """The tasks cannot be had; ``str()`` is one sentence that says what to do."""


class Split(StrEnum):
    """HumanEval-Infilling's splits (Fried et al. 2022; Bavarian et al. 2022, section 4.3)."""

    SINGLE_LINE = "single-line"
    MULTI_LINE = "multi-line"
    RANDOM_SPAN = "random-span"


@dataclass(frozen=True, slots=True)
class Task:
    """``middle`` is the right answer, between ``prefix`` and ``suffix``.

    ``whole_lines``: all three end at line ends; ``one_line``: no more than one is asked for. ``test`` is what to run
    after the program, empty where an answer is only compared. ``path`` is what the model is told of the file's name;
    ``other_files`` what it may see of others, and ``repository`` the name they are under.
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
    other_files: tuple[OtherFile, ...] = ()
    repository: str = ""
