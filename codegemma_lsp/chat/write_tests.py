"""Writes tests for a function, into the file where the project's layout has them."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from codegemma_lsp.chat.code import LONGEST_PARSED, indent_unit, one_line_end
from codegemma_lsp.chat.edit import (
    CodeForm,
    EditContext,
    check_edits,
    definition_of,
    edit_context,
    in_document,
    written,
)
from codegemma_lsp.chat.imports import imports_apart
from codegemma_lsp.chat.types import ChatContext, Proposal, RequestRefused, Target
from codegemma_lsp.document import NOT_OPEN, Document, Edit, Span, file_path
from codegemma_lsp.syntax import (
    Definition,
    Syntax,
    TestConvention,
    TestLocation,
    definition_at,
    find_language,
    parse,
    statements,
)

_MOST_TOKENS = 640
"""The maximum number of tokens of an answer with tests. Small models do not stop by themselves. The complete tests of a
longer answer are kept."""


@dataclass(frozen=True, slots=True)
class Project:
    """The files of a project. ``root`` is its folder in the workspace.

    ``read`` returns the document of a path, as the editor has it or as it is on disk, or None if there is none. It
    raises ``RequestRefused`` for paths outside the workspace.
    """

    root: Path
    read: Callable[[Path], Document | None]


async def write_tests(chat: ChatContext, target: Target, project: Project) -> Proposal:
    """Returns tests for the function around a selection, at the end of its test file, which may be new.

    The answer begins with the imports and the first words of a test, so that the model tests the existing function and
    does not write it again. Raises ``RequestRefused``, and what ``Engine.generate`` raises.
    """
    if not target.document.uri.startswith("file:"):
        raise RequestRefused(
            "This document is not in a file, so it is not known where its tests belong; save it first."
        )
    context = await asyncio.to_thread(edit_context, target)
    language = context.syntax.language
    convention = language.tests if language is not None else None
    if language is None or convention is None:
        raise RequestRefused("For this language it is not known where tests belong; use edit instead.")
    found = definition_of(context)
    source = file_path(target.document.uri)
    file = await asyncio.to_thread(test_file, source, project.root, convention)
    await asyncio.to_thread(project.read, file)
    begun = opening(language.name, Tested(context=context, found=found, source=source, file=file, root=project.root))
    question = _question(context, found, target.path, convention.framework)
    form = CodeForm(
        language=language.name,
        max_tokens=_MOST_TOKENS,
        begun=begun,
        whole_part=lambda code: whole_statements(code, language.name),
    )
    answer = await written(chat, target, question, context.given, form)
    if answer.strip() == begun.strip():
        raise RequestRefused("The model wrote no test; ask again.")
    tests = without_redefinitions(answer, found, context.syntax)
    # The file is read again, because it may have changed while the tests were written.
    existing = await asyncio.to_thread(project.read, file)
    label = f"Tests for {found.name}".strip()
    return await asyncio.to_thread(appended, existing, file, language.name, tests, label)


def _question(context: EditContext, found: Definition, path: str, framework: str) -> str:
    around = enclosing_class(context.syntax, found)
    code = context.shown((around or found).span)
    of = f" of `{around.name}`" if around is not None else ""
    return (
        f"This is a part of `{path}`:\n\n{code}\n\nWrite tests with {framework} for `{found.name}`{of}: one for each"
        " behaviour, short, with the values that the code returns. Import what is tested and do not define it again."
        "\n\nAnswer with the test code in one code block, and nothing else."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What is tested: a definition in ``source``, whose tests are in ``file`` of the project at ``root``."""

    context: EditContext
    found: Definition
    source: Path
    file: Path
    root: Path

    @property
    def name(self) -> str:
        """The name to import, which is that of the function or of the class around it."""
        around = enclosing_class(self.context.syntax, self.found)
        return around.name if around is not None else self.found.name


def opening(language: str, tested: Tested) -> str:
    """Returns the first lines of the answer: the imports of a test file in that language, and the start of a test."""
    known = _OPENINGS.get(language)
    return known(tested) if known is not None and tested.name and not is_test(tested.source) else ""


def _python_opening(tested: Tested) -> str:
    return f"import pytest\n\nfrom {_module(tested.source, tested.root)} import {tested.name}\n\n\ndef test_"


def _rust_opening(tested: Tested) -> str:
    if re.search(r"\bmod\s+tests\b", tested.context.syntax.text):
        return ""
    return "#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn "


def _go_opening(tested: Tested) -> str:
    package = re.search(r"^package\s+(\w+)", tested.context.syntax.text, re.MULTILINE)
    return f'package {package[1]}\n\nimport "testing"\n\nfunc Test' if package is not None else ""


def _module(source: Path, root: Path) -> str:
    """Returns the name by which a Python file is imported, relative to the folder that contains its outermost
    package."""
    parts = [] if source.stem == "__init__" else [source.stem]
    folder = source.parent
    while folder not in (root, folder.parent) and (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    if folder != root and folder.is_relative_to(root) and folder.name != "src":
        # A folder without __init__ may be a namespace package.
        outer = folder.relative_to(root / "src" if folder.is_relative_to(root / "src") else root)
        parts[:0] = outer.parts
    return ".".join(parts)


def _script_opening(tested: Tested) -> str:
    path = PurePosixPath(os.path.relpath(tested.source.with_suffix(""), tested.file.parent).replace(os.sep, "/"))
    module = f"./{path}" if not str(path).startswith("..") else str(path)
    text = tested.context.syntax.text
    if re.search(r"\bmodule\.exports\b|\brequire\(", text) and not re.search(r"^export\b", text, re.MULTILINE):
        return f'const {{ {tested.name} }} = require("{module}");\n\n'
    is_default = re.search(rf"\bexport\s+default\s+(?:async\s+)?(?:function|class)?\s*{tested.name}\b", text)
    names = tested.name if is_default else f"{{ {tested.name} }}"
    return f'import {names} from "{module}";\n\n'


_OPENINGS: Mapping[str, Callable[[Tested], str]] = {
    "go": _go_opening,
    "javascript": _script_opening,
    "python": _python_opening,
    "rust": _rust_opening,
    "typescript": _script_opening,
    "typescriptreact": _script_opening,
}


def enclosing_class(syntax: Syntax, found: Definition) -> Definition | None:
    """Returns the class around a method, or None if ``found`` is not a method."""
    if found.is_class:
        return None
    for span in _wider(syntax.text, found.span):
        around = definition_at(syntax, span)
        if around is not None and around.is_class and len(around.span) > len(found.span):
            return around
    return None


def _wider(text: str, span: Span) -> Iterator[Span]:
    """Yields ever larger parts of a text around a span, extended upwards by lines."""
    start = span.start
    while start > 0:
        start = text.rfind("\n", 0, start - 1) + 1
        yield Span(start, span.end)


def whole_statements(code: str, language: str) -> str:
    """Returns an answer that was cut off up to its last whole statement, or "" if that contains only imports."""
    kept = [one for one in statements(parse(code, language, most=LONGEST_PARSED))[:-1] if one.is_sound]
    return code[: kept[-1].span.end] if kept and any(not one.is_import for one in kept) else ""


def without_redefinitions(code: str, found: Definition, source: Syntax) -> str:
    """Returns tests without functions and classes that the tested file already defines."""
    known = {one.defines for one in statements(source) if one.defines} | {found.name}
    for one in reversed(statements(parse(code, source.language_name, most=LONGEST_PARSED))):
        if one.defines in known and not re.match(r"(?i)test", one.defines):
            code = code[: one.span.start].rstrip("\n") + "\n\n\n" + code[one.span.end :].lstrip("\n")
    return code.strip("\n")


def appended(existing: Document | None, file: Path, language: str, tests: str, label: str) -> Proposal:
    """Returns tests at the end of a file, below an empty line, and their imports below those of the file. Raises
    ``RequestRefused`` if that would break its syntax."""
    document = existing or Document(uri=file.as_uri(), text="", language=language, version=NOT_OPEN)
    newline = one_line_end(document.text)
    text = document.text.replace("\r\n", "\n")
    known = find_language(language)
    blank_lines = known.tests.blank_lines if known is not None and known.tests is not None else 1
    imported, tests = imports_apart(text, tests, language) if text.strip() else (Edit(Span(0, 0), ""), tests)
    gap = "" if not text.strip() else "\n" * (1 + blank_lines - (len(text) - len(text.rstrip("\n"))))
    if indent_unit(text) == "\t" and indent_unit(tests) == "    ":
        tests = re.sub(r"^(?: {4})+", lambda m: "\t" * (len(m.group()) // 4), tests, flags=re.MULTILINE)
    new = Edit(Span(len(text), len(text)), f"{gap}{tests}\n")
    edits = tuple(edit for edit in (imported, new) if edit.text)
    check_edits(parse(text, language, most=LONGEST_PARSED), edits)
    edits = tuple(in_document(edit, document, newline) for edit in edits)
    return Proposal(
        document=document,
        region=edits[-1].span,
        text=edits[-1].text,
        edits=edits,
        label=label,
        creates=existing is None,
    )


def test_file(source: Path, root: Path, convention: TestConvention) -> Path:
    """Returns the file of a source's tests: the one that has them, or else the one that the language's convention
    names."""
    names = [name.format(stem=source.stem, suffix=source.suffix) for name in convention.files]
    if is_test(source) or convention.location is TestLocation.IN_SOURCE:
        return source
    if convention.location is TestLocation.IN_TEST_FOLDER:
        return _in_test_folder(source, [root / folder for folder in convention.folders], root, names[0])
    if convention.location is TestLocation.IN_ROOT_FOLDER:
        return root / convention.folders[0] / names[0]
    if convention.location is TestLocation.MIRRORED:
        return _mirrored(source, root).with_name(names[0])
    return _beside(source, [source.parent / folder for folder in convention.folders], names)


test_file.__test__ = False  # type: ignore[attr-defined]


def _in_test_folder(source: Path, folders: list[Path], root: Path, name: str) -> Path:
    folder = next((folder for folder in folders if _is_inside(folder, root)), source.parent)
    known = sorted(folder.rglob(name)) if folder != source.parent else []
    return known[0] if known else folder / name


def _beside(source: Path, folders: list[Path], names: list[str]) -> Path:
    """Returns the test file that exists, or else a new one in the first existing folder."""
    beside, within = [source.with_name(name) for name in names], [folder / names[0] for folder in folders]
    new = next((file for file in within if file.parent.is_dir()), beside[0])
    return next((file for file in (*beside, *within) if file.exists()), new)


def _is_inside(folder: Path, root: Path) -> bool:
    return folder.is_dir() and folder.resolve().is_relative_to(root.resolve())


def is_test(source: Path) -> bool:
    return bool(re.fullmatch(r"test_.+|.+_test|.+\.(?:test|spec)|.+Tests?", source.stem))


def _mirrored(source: Path, root: Path) -> Path:
    """Returns the path in ``src/test`` for a path in ``src/main``, or else the source itself."""
    parts = source.relative_to(root).parts if source.is_relative_to(root) else ()
    if PurePosixPath(*parts[:2]) == PurePosixPath("src/main"):
        return root.joinpath("src", "test", *parts[2:])
    return source
