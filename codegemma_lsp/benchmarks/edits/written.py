"""Reads the tasks that are written by hand: instructions for small pieces of code, and new code on a blank line."""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from codegemma_lsp.benchmarks.edits.tasks import Check, Kind, Placed, Ran, Source, Task, Tokens
from codegemma_lsp.syntax import language_name

_MARK = "¶"


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(name).read_text("utf-8"))


def instructions() -> list[Source]:
    """Returns the sources of ``instructions.toml``."""
    return [Source(one["name"], partial(_instruct, one)) for one in _read("instructions.toml")["task"]]


def _instruct(one: Mapping[str, Any]) -> Task:
    text = one["text"]
    lines = text.splitlines(keepends=True)
    first, last = one.get("select", (1, len(lines)))
    start = sum(map(len, lines[: first - 1]))
    region = (start, start + len("".join(lines[first - 1 : last]).rstrip("\n")))
    check: Check = Ran(one["program"]) if "program" in one else Tokens(has=_of(one, "has"), lacks=_of(one, "lacks"))
    return Task(
        kind=Kind.INSTRUCT,
        source=one["name"],
        path=one["path"],
        language=language_name("", one["path"]),
        text=text,
        selection=region,
        command=one["instruction"],
        plain=one["instruction"],
        region=region,
        check=check,
        right=one["right"],
        wrong=(text, *_of(one, "wrong")),
    )


def _of(one: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(one.get(key, ()))


def blanks() -> list[Source]:
    """Returns the sources of ``blanks.toml``."""
    return [
        Source(f"{file['name']}/{one['defines']}", partial(_blank, file, one))
        for file in _read("blanks.toml")["file"]
        for one in file["task"]
    ]


def _blank(file: Mapping[str, Any], one: Mapping[str, Any]) -> Task:
    at = file["text"].index(_MARK)
    text = str(file["text"]).replace(_MARK, "")
    language = language_name("", file["path"])

    def with_code(code: str, depth: str) -> str:
        return text[:at] + textwrap.indent(code.strip("\n"), depth) + text[at:]

    return Task(
        kind=Kind.BLANK,
        source=f"{file['name']}/{one['defines']}",
        path=file["path"],
        language=language,
        text=text,
        selection=(at, at),
        command=one["instruction"],
        plain=f"{one['instruction']} Answer with the new code only.",
        region=(at, at),
        check=Placed(
            name=one["defines"], depth=file["depth"], inside=file.get("inside", ""), program=one.get("program", "")
        ),
        right=with_code(one["code"], file["depth"]),
        wrong=(
            text,
            with_code(one["code"], f"{file['depth']}   "),
            with_code(one["code"].replace(one["defines"], "another"), file["depth"]),
            with_code(one["code"], file["depth"]).replace(text[at:], ""),
        ),
    )
