"""All sources of pieces of other files, and what they find for a cursor in a folder on disk."""

from __future__ import annotations

from collections.abc import Sequence

from codegemma_lsp.context.definitions import imported_definitions
from codegemma_lsp.context.files import DiskFiles
from codegemma_lsp.context.pieces import CursorInFile, Piece, Source
from codegemma_lsp.context.selection import Selection, gather, piece_tokens
from codegemma_lsp.context.siblings import sibling
from codegemma_lsp.prompt import Tokenizer

SOURCES: tuple[Source, ...] = (imported_definitions, sibling)


def pieces_in_folder(
    files: DiskFiles, cursor: CursorInFile, tokens: int, tokenizer: Tokenizer, *, more: Sequence[Source] = ()
) -> Selection:
    """Returns the pieces of at most ``tokens`` tokens that help at a cursor in one of the files, from all sources and
    from ``more``."""

    def cost(piece: Piece) -> int:
        return piece_tokens(piece, tokenizer)

    return gather(cursor, files, (*SOURCES, *more), tokens, cost)
