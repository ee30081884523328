"""What a model may see of other files: nothing, what one source or all sources find, or the true definition."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from codegemma_lsp.benchmarks.infilling.tasks import Task
from codegemma_lsp.context import (
    LEAST_VALUE,
    SOURCES,
    CursorInFile,
    DiskFiles,
    Files,
    Kind,
    Piece,
    Selection,
    Workspace,
    gather,
    piece_tokens,
)
from codegemma_lsp.context.definitions import definitions_of, imported_definitions
from codegemma_lsp.context.siblings import sibling
from codegemma_lsp.context.similar import Hit, similar_code
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.index.build import update
from codegemma_lsp.index.store import Index
from codegemma_lsp.prompt import OtherFile
from codegemma_lsp.settings import Settings


class Arm(StrEnum):
    """The kinds of what is shown of other files. ``UNGATED`` also shows pieces that would hardly help."""

    NONE = "none"
    DEFINITIONS = "definitions"
    SIBLING = "sibling"
    SIMILAR = "similar"
    ALL = "all"
    UNGATED = "ungated"
    ORACLE = "oracle"


def selection(task: Task, arm: Arm, engine: Engine, settings: Settings) -> Selection:
    """Returns the pieces that an arm shows for a task, in the budget of the settings."""
    if arm is Arm.NONE or not task.folder:
        return Selection()
    root = Path(task.folder)
    files = DiskFiles(root=root, workspace=Workspace((root,), lambda _: None))
    text = task.prefix + task.suffix
    cursor = CursorInFile(path=task.path, language=task.language, text=text, offset=len(task.prefix))

    def cost(piece: Piece) -> int:
        return piece_tokens(piece, engine.tokenizer)

    def oracle(cursor: CursorInFile, files: Files) -> Iterator[Piece]:
        if task.needed:
            yield from definitions_of(task.needed, cursor, files)

    def search(names: Collection[str], limit: int) -> Sequence[Hit]:
        return _indexed(root, task.project).search(names, limit)

    similar = similar_code(search)
    sources = {
        Arm.ORACLE: (oracle,),
        Arm.DEFINITIONS: (imported_definitions,),
        Arm.SIBLING: (sibling,),
        Arm.SIMILAR: (similar,),
    }.get(arm, (*SOURCES, similar))
    least = dict.fromkeys(Kind, 0.0) if arm in (Arm.UNGATED, Arm.ORACLE) else LEAST_VALUE
    return gather(cursor, files, sources, settings.other_files_tokens, cost, least_value=least)


@lru_cache(maxsize=8)
def _indexed(root: Path, project: str) -> Index:
    """Returns an index in memory of one project in a folder, or of the whole folder."""
    index = Index(None, root)
    update(index, DiskFiles(root=root, workspace=Workspace((root,), lambda _: None)), below=project)
    return index


def other_files(task: Task, engine: Engine, settings: Settings) -> tuple[OtherFile, ...]:
    """Returns what a task's own arm shows."""
    return selection(task, Arm(task.arm), engine, settings).other_files if task.arm else ()
