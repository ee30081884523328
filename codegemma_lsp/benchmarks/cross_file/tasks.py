"""Makes tasks from projects: lines that need another file, and lines of the same files that do not."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path

from codegemma_lsp.benchmarks.cross_file.checked import can_check, needs
from codegemma_lsp.benchmarks.cross_file.faults import Need
from codegemma_lsp.benchmarks.infilling.folder import source_files
from codegemma_lsp.benchmarks.infilling.tasks import BadTasks, Task
from codegemma_lsp.syntax import MAX_CHARS

_FILES_OF_A_PROJECT = 40
_TASKS_OF_A_FILE = 4
_SHORTEST, _LONGEST = 3, 120
"""The minimum and maximum number of code points of a right answer."""


class Half(StrEnum):
    """The halves of the projects. One is inspected and sets the gate, and the other one is reported."""

    LOOK = "look"
    REPORT = "report"
    BOTH = "both"


class Split(StrEnum):
    """Whether a task needs another file."""

    CROSS_FILE = "cross-file"
    SAME_FILE = "same-file"


def half_of(project: Path) -> Half:
    """Returns the half that a project belongs to, which depends only on its name."""
    return Half.LOOK if hashlib.sha256(project.name.encode()).digest()[0] % 2 else Half.REPORT


def project_tasks(root: Path, limit: int, seed: int, cache: Path) -> dict[Split, list[Task]]:
    """Returns at most ``limit`` tasks of each kind from a project in Python or TypeScript. The folder of a
    Python project is its package.

    The checker's results are stored in ``cache``. Raises ``BadTasks``.
    """
    if not root.is_dir():
        raise BadTasks(f"There is no folder {root}; name the package of a Python project, or one in TypeScript.")
    rng = random.Random(f"{seed}/{root.name}")
    paths = [path.relative_to(root).as_posix() for path in source_files(root) if can_check(path.name)]
    paths = sorted(rng.sample(paths, min(_FILES_OF_A_PROJECT, len(paths))))
    found = _known_needs(root, paths, cache)
    both = {
        Split.CROSS_FILE: [task for path in paths for task in _needed(root, path, found, rng)],
        Split.SAME_FILE: [task for path in paths for task in _others(root, path, found, rng)],
    }
    return {kind: sorted(rng.sample(all_, min(limit, len(all_))), key=lambda t: t.id) for kind, all_ in both.items()}


def _known_needs(root: Path, paths: Sequence[str], cache: Path) -> list[Need]:
    texts = [(path, (root / path).read_text("utf-8", "replace")) for path in paths]
    key = hashlib.sha256(json.dumps([root.name, texts]).encode()).hexdigest()[:16]
    file = cache / f"needs-{root.name}-{key}.json"
    if file.exists():
        return [Need(**one) for one in json.loads(file.read_text("utf-8"))]
    found = needs(root, paths)
    cache.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([asdict(one) for one in found]), "utf-8")
    return found


def _needed(root: Path, path: str, found: Sequence[Need], rng: random.Random) -> Iterator[Task]:
    text = _text(root, path)
    here = {need.line: need for need in reversed(found) if need.path == path}
    tasks = [task for need in here.values() if (task := _task(root, path, text, need.line, need.column, need))]
    yield from rng.sample(tasks, min(_TASKS_OF_A_FILE, len(tasks)))


def _others(root: Path, path: str, found: Sequence[Need], rng: random.Random) -> Iterator[Task]:
    text = _text(root, path)
    needed = {need.line for need in found if need.path == path}
    tasks = []
    for number, line in enumerate(text.split("\n")):
        match = re.match(r"(\s+[\w.]+(?:\(|\s*=\s*|\s))\S", line)
        if (
            number not in needed
            and match is not None
            and not line.lstrip().startswith(("#", "//", "*", "/*", '"', "'", "import", "from"))
        ):
            task = _task(root, path, text, number, match.end(1), None)
            tasks += [task] if task is not None else []
    yield from rng.sample(tasks, min(_TASKS_OF_A_FILE, len(tasks)))


def _text(root: Path, path: str) -> str:
    text = (root / path).read_text("utf-8", "replace")
    return text if len(text) <= MAX_CHARS else ""


def _task(root: Path, path: str, text: str, line: int, column: int, need: Need | None) -> Task | None:
    """Returns the task whose right answer is the rest of a line, or None if the file contains that text elsewhere."""
    lines = text.split("\n")
    if line >= len(lines):
        return None
    start = sum(len(one) + 1 for one in lines[:line]) + column
    end = start + len(lines[line]) - column
    middle = text[start:end]
    is_known = middle.strip() in text[:start] or middle.strip() in text[end:]
    if not _SHORTEST <= len(middle.strip()) <= _LONGEST or is_known or middle.count("\n"):
        return None
    return Task(
        id=f"{root.name}/{path}:{line + 1}:{column + 1}",
        split=Split.CROSS_FILE if need is not None else Split.SAME_FILE,
        prefix=text[:start],
        suffix=text[end:],
        middle=middle,
        path=f"{root.name}/{path}",
        one_line=True,
        folder=str(root.parent.absolute()),
        project=f"{root.name}/",
        needed=() if need is None else tuple(name for name in (need.owner, need.member) if name),
    )
