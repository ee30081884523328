"""Finds the lines of a project that need other files of it, as CrossCodeEval does.

Ding et al. 2023 (arXiv:2310.11248), section 2.2: imports of the project's own modules are replaced by empty classes,
and a static checker is run. Lines that fail now and did not fail before use something of another file.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePath

from codegemma_lsp.benchmarks.cross_file.faults import Checker, Fault, Need
from codegemma_lsp.benchmarks.cross_file.python_checker import PYTHON
from codegemma_lsp.benchmarks.cross_file.typescript_checker import TYPESCRIPT

_CHECKERS = (PYTHON, TYPESCRIPT)
_NOT_COPIED = shutil.ignore_patterns("*.pyc", "__pycache__", ".git", ".venv", "node_modules")


def can_check(path: str) -> bool:
    """Returns whether a checker knows the language of a file. Declarations without code are not checked."""
    return not path.endswith(".d.ts") and any(PurePath(path).suffix in checker.suffixes for checker in _CHECKERS)


def needs(root: Path, paths: Sequence[str]) -> list[Need]:
    """Returns the places in files of a project that need another file of it, in order of checkers. Raises
    ``BadTasks``."""
    return [need for checker in _CHECKERS for need in _needs(checker, root, paths)]


def _needs(checker: Checker, root: Path, paths: Sequence[str]) -> list[Need]:
    of_checker = [path for path in paths if PurePath(path).suffix in checker.suffixes]
    if not of_checker:
        return []
    with tempfile.TemporaryDirectory(prefix="codegemma-eval-") as folder:
        copy = Path(folder, root.name)
        shutil.copytree(root, copy, ignore=_NOT_COPIED)
        before = {_key(fault) for fault in checker.check(copy, root, of_checker)}
        for path in of_checker:
            file = copy / path
            file.write_text(checker.stubbed(file.read_text("utf-8"), root.name), "utf-8")
        after = checker.check(copy, root, of_checker)
    return [fault.need for fault in after if _key(fault) not in before and fault.need is not None]


def _key(fault: Fault) -> tuple[str, int, str]:
    return fault.path, fault.line, fault.rule
