"""Makes tasks from any folder of sources by cutting lines, blocks and expressions, which the syntax tree determines.

The text that was cut is the right answer. Only similarity is measured: exact match and edit similarity.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pathspec

from codegemma_lsp.benchmarks.infilling.arms import Arm
from codegemma_lsp.benchmarks.infilling.tasks import BadTasks, Task
from codegemma_lsp.syntax import MAX_CHARS, Cut, cuts, find_language, parse

_PER_FILE = 4
_MAX_FILES = 2000


def folder_tasks(root: Path, cut: Cut, limit: int, seed: int) -> list[Task]:
    """Returns at most ``limit`` tasks of one kind, a few from each file, sampled with the seed. Raises ``BadTasks``."""
    if not root.is_dir():
        raise BadTasks(f"There is no folder {root}; name one with sources in it.")
    rng = random.Random(f"{seed}/{cut}")
    paths = list(source_files(root))
    rng.shuffle(paths)
    tasks: list[Task] = []
    for path in paths[:_MAX_FILES]:
        if len(tasks) >= limit:
            break
        tasks += _cut(root, path, cut, rng)
    return sorted(tasks[:limit], key=lambda task: task.id)


def _cut(root: Path, path: Path, cut: Cut, rng: random.Random) -> Iterator[Task]:
    text, language = _read(path), find_language("", path.name)
    if text is None or language is None:
        return
    shown = path.relative_to(root).as_posix()
    spans = cuts(parse(text, language.name), cut)
    for span in sorted(rng.sample(spans, min(_PER_FILE, len(spans))), key=lambda s: s.start):
        yield Task(
            id=f"{shown}:{text.count(chr(10), 0, span.start) + 1}:{cut}:{span.start}",
            split=cut,
            prefix=text[: span.start],
            suffix=text[span.end :],
            middle=text[span.start : span.end],
            language=language.name,
            path=shown,
            one_line=cut is Cut.LINE,
        )


def with_other_files(tasks: list[Task], root: Path) -> list[Task]:
    """Returns the same tasks, for which a model may also see pieces of the folder's other files."""
    return [replace(task, folder=str(root.absolute()), arm=Arm.ALL.value) for task in tasks]


def source_files(root: Path) -> Iterator[Path]:
    """Yields, in order, the files below the folder in known languages that are neither hidden, nor linked from outside,
    nor ignored by its own ``.gitignore``."""
    ignored = ignore_rules(root)
    for here, names, files in os.walk(root):
        inner = Path(here).relative_to(root)
        names[:] = sorted(
            n for n in names if not n.startswith(".") and not ignored.match_file(f"{(inner / n).as_posix()}/")
        )
        for name in sorted(files):
            path, shown = Path(here) / name, (inner / name).as_posix()
            known = not name.startswith(".") and find_language("", name) is not None and not ignored.match_file(shown)
            if known and path.is_file() and path.resolve().is_relative_to(root.resolve()) and _is_text(shown):
                yield path


def ignore_rules(root: Path) -> pathspec.GitIgnoreSpec:
    """Returns the rules of a folder's own ``.gitignore``. Invalid lines are skipped, as git does."""
    path = root / ".gitignore"
    rules: list[Any] = []
    for line in path.read_text("utf-8", "replace").splitlines() if path.is_file() else []:
        try:
            rules += pathspec.GitIgnoreSpec.from_lines([line]).patterns
        except (ValueError, re.error):
            continue
    return pathspec.GitIgnoreSpec(rules)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # the file name is not UTF-8
        return False
    return True


def _read(path: Path) -> str | None:
    try:
        if path.stat().st_size > 4 * MAX_CHARS:
            return None
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError):
        return None
    return text if len(text) <= MAX_CHARS else None
