"""``codegemma-lsp models quantize`` writes a model with fewer bits a weight."""

from __future__ import annotations

from typing import Annotated

import typer

from codegemma_lsp.cli.common import Failure, Usage, plain_console
from codegemma_lsp.cli.suggestions import model_names
from codegemma_lsp.files import is_regular
from codegemma_lsp.models import AUTO, CATALOGUE, store
from codegemma_lsp.models.fit import NumberFormat
from codegemma_lsp.models.packaged import PACKAGED

Source = Annotated[
    str, typer.Argument(metavar="MODEL", help="A model's name, or the path of a GGUF file.", autocompletion=model_names)
]


def quantize_command(
    model: Source,
    to: Annotated[
        NumberFormat, typer.Option("--to", help="The number format; fewer bits take less memory and are less exact.")
    ] = NumberFormat.Q4_K_M,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the new model; the default is MODEL with the format.")
    ] = None,
) -> None:
    """Write a model whose weights have 16 bits with 8 to 4 bits each, under a name of its own."""
    from codegemma_lsp.engines.backends.llama_quantize import quantize

    source = store.resolve(model)
    if not is_regular(source):
        raise Failure(f"{source} is not a file; only GGUF files can be quantized.")
    chosen = name or f"{source.stem}-{to.value}"
    if not store.is_name(chosen) or chosen in (*CATALOGUE, *PACKAGED, AUTO):
        raise Usage(f"{chosen!r} is no name for a new model; give it another one with --name.")
    with plain_console(stderr=True).status(f"Writing {chosen}…"), store.new_model(chosen) as unfinished:
        quantize(source, unfinished, to)
    target = store.stored_path(chosen)
    before, after = source.stat().st_size, target.stat().st_size
    typer.echo(f"{chosen}: {target}")
    typer.echo(f"{after / 1e6:,.0f} MB instead of {before / 1e6:,.0f}; use it with: codegemma-lsp models use {chosen}")
