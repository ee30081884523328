"""Tests for a function, put where the project's layout has them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from codegemma_lsp.chat.code import fenced, indent_unit, one_line_end
from codegemma_lsp.chat.edit import LONGEST_PARSED, check_syntax, definition_of, edit_context, written
from codegemma_lsp.chat.types import OnDelta, Proposal, RequestRefused, Target
from codegemma_lsp.document import NOT_OPEN, Document, Edit, Span, file_path
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.settings import Settings
from codegemma_lsp.syntax import parse

_SCRIPTS = ("javascript", "typescript", "typescriptreact")
_FRAMEWORKS = {
    "python": "pytest",
    **dict.fromkeys(_SCRIPTS, "the test functions `test` and `expect`"),
    "go": "the package testing",
    "java": "JUnit 5",
    "kotlin": "kotlin.test",
    "rust": "#[test] functions",
    "ruby": "Minitest",
    "php": "PHPUnit",
    "csharp": "xUnit",
}


@dataclass(frozen=True, slots=True)
class Project:
    """What is known of the files around: ``root`` of the workspace, and ``read``, which gives the document of a path as
    the editor has it or as it is on disk, None where there is none. It raises ``RequestRefused`` for paths outside."""

    root: Path
    read: Callable[[Path], Document | None]


async def write_tests(
    target: Target, project: Project, engine: Engine, settings: Settings, on_delta: OnDelta
) -> Proposal:
    """Tests for the function around a selection, at the end of its test file, which may be new. Raises
    ``RequestRefused``, and what ``Engine.generate`` raises."""
    if not target.document.uri.startswith("file:"):
        raise RequestRefused(
            "This document is not in a file, so it is not known where its tests belong; save it first."
        )
    context = await asyncio.to_thread(edit_context, target)
    language = context.syntax.language_name
    framework = _FRAMEWORKS.get(language)
    if framework is None:
        raise RequestRefused("For this language it is not known where tests belong; use edit instead.")
    found = definition_of(context)
    source = file_path(target.document.uri)
    file = await asyncio.to_thread(test_file, source, project.root, language)
    await asyncio.to_thread(project.read, file)
    code = context.syntax.text[found.span.start : found.span.end]
    question = (
        f"Write tests with {framework} for `{found.name}`, which is in `{target.path}`, with the imports that they"
        f" need:\n\n{fenced(code, language)}\n\nAnswer with the test code in one code block, and nothing else."
    )
    tests = await written(question, code, language, target, engine, settings, on_delta)
    # As it is now: it may have changed while the tests were written.
    existing = await asyncio.to_thread(project.read, file)
    label = f"Tests for {found.name}".strip()
    return await asyncio.to_thread(appended, existing, file, language, tests, label)


def appended(existing: Document | None, file: Path, language: str, tests: str, label: str) -> Proposal:
    """Tests at the end of a file, below an empty line. Raises ``RequestRefused`` where that would break its syntax."""
    document = existing or Document(file.as_uri(), "", language, NOT_OPEN)
    newline = one_line_end(document.text)
    text = document.text.replace("\r\n", "\n")
    gap = "" if not text.strip() else "\n" * (2 + (language == "python") - (len(text) - len(text.rstrip("\n"))))
    if indent_unit(text) == "\t" and indent_unit(tests) == "    ":
        tests = re.sub(r"^(?: {4})+", lambda m: "\t" * (len(m.group()) // 4), tests, flags=re.MULTILINE)
    new = f"{gap}{tests}\n"
    at = Span(len(text), len(text))
    check_syntax(parse(text, language, most=LONGEST_PARSED), at, new)
    new = new.replace("\n", newline)
    end = Span(len(document.text), len(document.text))
    return Proposal(document, end, new, (Edit(end, new),), label, creates=existing is None)


def test_file(source: Path, root: Path, language: str) -> Path:
    """Where a source's tests belong: in the file that has them, else where files of this layout have theirs."""
    name, suffix = source.stem, source.suffix
    if is_test(source):
        return source
    if language == "python":
        folder = next((d for d in (root / "tests", root / "test") if _is_inside(d, root)), source.parent)
        known = sorted(folder.rglob(f"test_{name}.py")) if folder != source.parent else []
        return known[0] if known else folder / f"test_{name}.py"
    if language in _SCRIPTS:
        folder = source.parent / "__tests__"
        beside = [source.with_name(f"{name}.{kind}{suffix}") for kind in ("test", "spec")]
        candidates = [*beside, folder / f"{name}.test{suffix}"]
        fallback = candidates[2] if folder.is_dir() else candidates[0]
        return next((c for c in candidates if c.exists()), fallback)
    if language == "rust":
        return source
    if language in ("java", "kotlin", "csharp", "php"):
        mirrored = _mirrored(source, root)
        return mirrored.with_name(f"{name}{'Tests' if language == 'csharp' else 'Test'}{suffix}")
    if language == "ruby":
        return root / "test" / f"test_{name}.rb"
    return source.with_name(f"{name}_test{suffix}")


test_file.__test__ = False  # type: ignore[attr-defined]


def _is_inside(folder: Path, root: Path) -> bool:
    return folder.is_dir() and folder.resolve().is_relative_to(root.resolve())


def is_test(source: Path) -> bool:
    return bool(re.fullmatch(r"test_.+|.+_test|.+\.(?:test|spec)|.+Tests?", source.stem))


def _mirrored(source: Path, root: Path) -> Path:
    """``src/main/x`` as ``src/test/x``; else the source itself."""
    parts = source.relative_to(root).parts if source.is_relative_to(root) else ()
    if PurePosixPath(*parts[:2]) == PurePosixPath("src/main"):
        return root.joinpath("src", "test", *parts[2:])
    return source
