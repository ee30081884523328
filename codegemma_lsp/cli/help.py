"""``codegemma-lsp help`` prints the pages of ``codegemma_lsp/docs``, which ship with the package."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Annotated

import typer
from rich.markdown import Markdown

from codegemma_lsp.cli.common import Usage, plain_console
from codegemma_lsp.cli.suggestions import help_topics

_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:)([^)\s]*)\)")
_PAGE = re.compile(r"(\w+)\.md(?:#.*)?")


def topics() -> dict[str, str]:
    """Returns the text of each page by its topic, in alphabetical order."""
    pages = [page for page in files("codegemma_lsp").joinpath("docs").iterdir() if page.name.endswith(".md")]
    return {page.name.removesuffix(".md"): page.read_text("utf-8") for page in sorted(pages, key=lambda p: p.name)}


def summary(page: str) -> str:
    """Returns the sentence below a page's title."""
    return page.split("\n\n", 2)[1]


def as_printed(page: str) -> str:
    """Returns a page without comments and relative links, which lead nowhere in a terminal. A link to another page
    becomes the command that prints that page."""
    return _LINK.sub(_without_target, _COMMENT.sub("", page))


def _without_target(link: re.Match[str]) -> str:
    page = _PAGE.fullmatch(link[2])
    return f"{link[1]} (`codegemma-lsp help {page[1]}`)" if page else link[1]


def help_command(
    topic: Annotated[
        str | None,
        typer.Argument(help="The page to print. Without it, the topics are listed.", autocompletion=help_topics),
    ] = None,
) -> None:
    """Print a page of the documentation, or list the pages."""
    pages = topics()
    console = plain_console(soft_wrap=True)
    if topic is None:
        width = max(map(len, pages))
        for name, page in pages.items():
            console.print(f"{name:{width}}  {summary(page)}")
    elif topic not in pages:
        raise Usage(f"There is no topic {topic}; choose one of {', '.join(pages)}.")
    elif console.is_terminal:
        plain_console().print(Markdown(as_printed(pages[topic])))
    else:
        typer.echo(as_printed(pages[topic]), nl=False)
