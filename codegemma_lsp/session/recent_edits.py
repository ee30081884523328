"""What was edited in the last minutes of a session, in any of its documents."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from codegemma_lsp.context import CursorInFile, Files, Piece, Source
from codegemma_lsp.context.recent_edits import Stretch, edited_pieces, hunks, with_edit
from codegemma_lsp.document import Change, Document, file_path

_RECENT_S = 600
_MOST_FILES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _EditedFile:
    """A file's text after its last change, what of it was changed, the number of that change in the session, and when
    it was made, in seconds of the clock."""

    path: Path
    text: str
    stretches: tuple[Stretch, ...]
    number: int
    at: float


class RecentEdits:
    """Runs on the event loop. Nothing is kept but texts that were open, and what was changed in them.

    ``clock`` returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._files: dict[str, _EditedFile] = {}
        """By URI. The file that was edited last is the last."""
        self._changes = 0

    def record(self, document: Document, changes: Sequence[Change]) -> None:
        """Takes the changes that led to a document, in their order, at a cost that depends on their length alone."""
        if not changes or not document.uri.startswith("file:"):
            return
        now, known = self._clock(), self._files.pop(document.uri, None)
        is_next = known is not None and known.text is changes[0].before.text
        stretches = known.stretches if known is not None and is_next else ()
        for change in changes:
            text = change.after.text
            stretches = with_edit(stretches, change.edit, removed=change.removed, text=text, at=now)
        self._changes += 1
        self._files[document.uri] = _EditedFile(
            path=file_path(document.uri), text=document.text, stretches=stretches, number=self._changes, at=now
        )
        self._drop_old(now - _RECENT_S)

    def _drop_old(self, since: float) -> None:
        for uri, file in list(self._files.items()):
            if file.at < since or len(self._files) > _MOST_FILES:
                del self._files[uri]

    def last_elsewhere(self, uri: str) -> int:
        """Returns the number of the last change in another document, which rises with each one, or 0."""
        return max((file.number for other, file in self._files.items() if other != uri), default=0)

    def source(self, folder: Path) -> Source:
        """Returns the source of what has been edited until now in a folder of the workspace, for any thread to call."""
        inside = [file for file in self._files.values() if file.path.is_relative_to(folder)]
        since = self._clock() - _RECENT_S

        def recent_edits(cursor: CursorInFile, files: Files) -> Iterator[Piece]:
            found = [
                hunk
                for file in inside
                for hunk in hunks(file.path.relative_to(folder).as_posix(), file.text, file.stretches, since)
            ]
            return edited_pieces(found, cursor, files)

        return recent_edits

    def forget_all(self) -> None:
        """Drops everything, for when other settings hold or other folders are open."""
        self._files.clear()
