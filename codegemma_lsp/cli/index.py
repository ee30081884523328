"""``codegemma-lsp index`` shows, rebuilds and deletes the index in which similar code is found."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Annotated

import typer

from codegemma_lsp.cli.common import Failure, Usage, is_quiet, plain_console
from codegemma_lsp.context import DiskFiles, Source, Workspace, similar_code
from codegemma_lsp.index.build import update
from codegemma_lsp.index.store import Index, delete, index_path

index = typer.Typer(
    help="Show, rebuild or delete the index of a folder, in which similar code is found.", no_args_is_help=True
)

Folder = Annotated[
    Path | None, typer.Argument(metavar="[FOLDER]", help="The folder of a workspace; the default is this folder.")
]


@index.command("status")
def status_command(folder: Folder = None) -> None:
    """Show how much of a folder is in its index, and where the index is."""
    root = _root(folder)
    with _readable(root):
        path = index_path(root)
        if not path.exists():
            typer.echo(
                f"{root} has no index; the server makes one while you edit there, or run: codegemma-lsp index rebuild"
            )
            return
        with closing(Index(path, root)) as known:
            files, blocks = known.counts()
        size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
        typer.echo(f"{root}: {files:,} files in {blocks:,} blocks ({size / 1e6:.1f} MB in {path})")


@index.command("rebuild")
def rebuild_command(folder: Folder = None) -> None:
    """Read all sources of a folder again. The index has the words in them, but not their order."""
    root = _root(folder)
    began = time.monotonic()
    with _readable(root):
        files = DiskFiles(root=root, workspace=Workspace((root,), lambda _: None), packages=False)
        with closing(Index(index_path(root), root)) as new, _counting() as on_read:
            new.remove(new.stamps())  # in place, because a server may have the file open
            report = update(new, files, on_read)
    typer.echo(f"{root}: {report.files:,} files in {time.monotonic() - began:.1f} s")


@index.command("clear")
def clear_command(folder: Folder = None) -> None:
    """Delete the index of a folder, which may be gone itself."""
    root = (folder or Path.cwd()).absolute()
    with _readable(root):
        delete(index_path(root))
    typer.echo(f"The index of {root} is deleted.")


@cache
def similar_in(root: Path) -> tuple[Source, ...]:
    """Returns the source of similar code in a folder that has an index, or nothing. The index stays open."""
    try:
        path = index_path(root)
        return (similar_code(Index(path, root).search),) if path.exists() else ()
    except (OSError, sqlite3.Error):
        return ()


def _root(folder: Path | None) -> Path:
    root = (folder or Path.cwd()).absolute()
    if not root.is_dir():
        raise Usage(f"There is no folder {root}; name the folder of a workspace.")
    return root


@contextmanager
def _readable(root: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Failure(f"The index of {root} cannot be used ({error}); run: codegemma-lsp index clear {root}") from None


@contextmanager
def _counting() -> Iterator[Callable[[int], None]]:
    """Shows how many files have been read, on a terminal."""
    console = plain_console(stderr=True)
    if is_quiet() or not console.is_terminal:
        yield lambda _: None
        return
    with console.status("Reading …") as shown:
        yield lambda read: shown.update(f"Reading … {read:,} files")
