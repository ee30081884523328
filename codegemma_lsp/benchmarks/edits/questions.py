"""Questions about files of Python's standard library whose answers are facts of the file: the value of a constant, the
default of a parameter, the error that a function raises, the base of a class."""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from codegemma_lsp.benchmarks.edits.tasks import Kind, Says, Source, Task

MODULES = (
    "bdb", "chunk", "cmd", "code", "codeop", "colorsys", "copy", "copyreg", "csv", "dis", "filecmp", "fileinput",
    "fnmatch", "functools", "getopt", "getpass", "glob", "graphlib", "gzip", "hmac", "html.parser", "http.cookies",
    "imghdr", "json.decoder", "json.encoder", "linecache", "lzma", "mimetypes", "netrc", "nntplib", "operator",
    "pkgutil", "plistlib", "poplib", "pprint", "profile", "queue", "quopri", "reprlib", "rlcompleter", "sched",
    "secrets", "selectors", "shelve", "shlex", "sndhdr", "socketserver", "string", "stringprep", "symtable",
    "telnetlib", "tempfile", "textwrap", "timeit", "tokenize", "trace", "traceback", "types", "uu", "wave", "weakref",
    "wsgiref.handlers", "wsgiref.headers", "wsgiref.simple_server", "xdrlib", "xmlrpc.server", "zipapp", "zipimport",
)  # fmt: skip
FEWEST_LINES, MOST_LINES = 100, 400
_QUESTIONS_OF_A_FILE = 4
_LONGEST = 30
"""The length from which a fact is too long to be repeated exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A question, its answer, and the line of the file that has it. ``name`` tells facts of one file apart."""

    name: str
    question: str
    answer: str
    line: str


def questions() -> list[Source]:
    """Returns the questions about each module that is installed and has between 100 and 400 lines. Their names do not
    depend on the version of Python, but their files do."""
    return [
        Source(f"{module}/{fact.name}", partial(_question, path, module, fact))
        for module in MODULES
        if (path := _file(module)) is not None
        for fact in _asked(_text(path))
    ]


def _file(module: str) -> Path | None:
    """Returns a module's file, without importing the module."""
    path = Path(sysconfig.get_paths()["stdlib"]).joinpath(*module.split(".")).with_suffix(".py")
    return path if path.is_file() else None


@cache
def _text(path: Path) -> str:
    """Returns the text of a file, or "" for one that has too few lines or too many."""
    text = path.read_text("utf-8", "replace")
    return text if FEWEST_LINES <= text.count("\n") <= MOST_LINES else ""


def _asked(text: str) -> list[Fact]:
    """Returns some facts, spread over the file, of those that can be asked for."""
    found = list(dict.fromkeys(_facts(text)))
    step = max(1, len(found) // _QUESTIONS_OF_A_FILE)
    return found[step // 2 :: step][:_QUESTIONS_OF_A_FILE]


def _facts(text: str) -> Iterator[Fact]:
    lines = text.split("\n")
    tree = ast.parse(text)
    for node in tree.body:
        line = lines[node.lineno - 1].strip()
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value)) if _is_telling(value):
                yield Fact(name=name, question=f"What is the value of {name}?", answer=str(value).strip(), line=line)
            case ast.ClassDef(name=name, bases=[ast.Name(id=base)]):
                yield Fact(name=name, question=f"Which class does {name} inherit from?", answer=base, line=line)
            case ast.FunctionDef(name=name):
                yield from _of_function(node, lines)
            case _:
                continue


def _is_telling(value: object) -> bool:
    """Returns whether an answer can hardly contain a value by chance."""
    is_plain = isinstance(value, int | str) and not isinstance(value, bool)
    return is_plain and 1 < len(str(value)) < _LONGEST and str(value).isprintable() and bool(str(value).strip())


def _of_function(node: ast.FunctionDef, lines: list[str]) -> Iterator[Fact]:
    args = [*node.args.posonlyargs, *node.args.args]
    for arg, default in zip(reversed(args), reversed(node.args.defaults), strict=False):
        if isinstance(default, ast.Constant) and _is_telling(default.value):
            question = f"What is the default of the parameter {arg.arg} of {node.name}?"
            line = lines[default.lineno - 1].strip()
            yield Fact(name=f"{node.name}.{arg.arg}", question=question, answer=str(default.value).strip(), line=line)
    raised = [one for one in ast.walk(node) if isinstance(one, ast.Raise) and isinstance(one.exc, ast.Call)]
    names = {ast.unparse(one.exc.func) for one in raised if isinstance(one.exc, ast.Call)}
    if len(names) == 1:
        question = f"Which error does the function {node.name} raise?"
        line = lines[raised[0].lineno - 1].strip()
        yield Fact(name=f"{node.name}/error", question=question, answer=names.pop().split(".")[-1], line=line)


def _question(path: Path, module: str, fact: Fact) -> Task:
    text = _text(path)
    return Task(
        kind=Kind.QUESTION,
        source=f"{module}/{fact.name}",
        path=path.name,
        language="python",
        text=text,
        selection=(0, len(text)),
        command=fact.question,
        plain=fact.question,
        region=(0, len(text)),
        check=Says(facts=(fact.answer,), shown=fact.line),
        right=f"It is `{fact.answer}`.",
        wrong=("It is not in the file.", f"It is {fact.answer}{'0' if fact.answer[-1].isdigit() else 'x'}."),
    )
