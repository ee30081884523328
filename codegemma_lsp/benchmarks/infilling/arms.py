"""What a model may see of other files: nothing, what one source or all sources find, or the true definition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
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
    Source,
    Workspace,
    gather,
    piece_tokens,
)
from codegemma_lsp.context.definitions import definitions_of, imported_definitions
from codegemma_lsp.context.siblings import sibling
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.prompt import OtherFile
from codegemma_lsp.settings import Settings


class Arm(StrEnum):
    """The kinds of what is shown of other files. ``UNGATED`` also shows pieces that would hardly help."""

    NONE = "none"
    DEFINITIONS = "definitions"
    SIBLING = "sibling"
    ALL = "all"
    UNGATED = "ungated"
    ORACLE = "oracle"


_SOURCES: Mapping[Arm, Sequence[Source]] = {Arm.DEFINITIONS: (imported_definitions,), Arm.SIBLING: (sibling,)}


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

    sources = (oracle,) if arm is Arm.ORACLE else _SOURCES.get(arm, SOURCES)
    least = dict.fromkeys(Kind, 0.0) if arm in (Arm.UNGATED, Arm.ORACLE) else LEAST_VALUE
    return gather(cursor, files, sources, settings.other_files_tokens, cost, least_value=least)


def other_files(task: Task, engine: Engine, settings: Settings) -> tuple[OtherFile, ...]:
    """Returns what a task's own arm shows."""
    return selection(task, Arm(task.arm), engine, settings).other_files if task.arm else ()
