"""Imports go one way, and each library stays in its package (scripts/architecture.toml)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from scripts.architecture import COMMAND, DOCUMENT, PACKAGE, RULES, with_table

FUNCTION_LINES = 50
"""Complexity is what ruff limits; a function that is longer than this does not fit on a screen."""

SOURCES = sorted(PACKAGE.rglob("*.py"))
each_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())


def imported(path: Path) -> set[str]:
    """Dotted names of the modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def package_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


PACKAGES = {package_of(path) for path in SOURCES} - {"__init__"}


def test_every_package_has_its_rules() -> None:
    assert set(RULES["packages"]) == PACKAGES


@each_source
def test_a_package_imports_only_what_it_may(path: Path) -> None:
    package = package_of(path)
    if package == "__init__":
        return
    names = {name.split(".")[1] for name in imported(path) if name.startswith("codegemma_lsp.")}
    assert (names & PACKAGES) - {package} <= set(RULES["packages"][package]["may_import"])


@each_source
def test_a_library_is_imported_only_where_it_may_be(path: Path) -> None:
    here = {package_of(path), path.relative_to(PACKAGE).as_posix()}
    for name in imported(path):
        homes = RULES["libraries"].get(name.split(".")[0])
        assert homes is None or here & set(homes), name


def test_the_table_in_the_document_is_what_the_rules_say() -> None:
    document = DOCUMENT.read_text("utf-8")
    assert with_table(document) == document, f"The table of packages is out of date; run: {COMMAND}"


@each_source
def test_a_function_fits_on_a_screen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < FUNCTION_LINES, node.name


def positional_fields(node: ast.ClassDef) -> int:
    """How many values a frozen record takes by position, or 0 if a class is none."""
    decorator = next((ast.unparse(one) for one in node.decorator_list if ast.unparse(one).startswith("dataclass")), "")
    if "frozen" not in decorator or "kw_only" in decorator:
        return 0
    fields = [ast.unparse(one.annotation) for one in node.body if isinstance(one, ast.AnnAssign)]
    return fields.index("KW_ONLY") if "KW_ONLY" in fields else len(fields)


@each_source
def test_a_record_of_many_fields_is_made_by_their_names(path: Path) -> None:
    """A span or a pair reads well by position; of more than three values nobody knows the order."""
    tree = ast.parse(path.read_text("utf-8"))
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    assert [node.name for node in classes if positional_fields(node) > 3] == []
