"""Imports that an edit of a Python file needs and that the file lacks, from the standard library."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Iterator, Sequence

from codegemma_lsp.document import Edit, Span

_HOMES: dict[str, str] = {
    name: module
    for module, names in {
        "abc": "ABC abstractmethod",
        "collections": "Counter OrderedDict defaultdict deque namedtuple",
        "collections.abc": "Callable Generator Hashable Iterable Iterator Mapping MutableMapping Sequence",
        "concurrent.futures": "ProcessPoolExecutor ThreadPoolExecutor as_completed",
        "contextlib": "ExitStack closing contextmanager nullcontext redirect_stdout suppress",
        "copy": "deepcopy",
        "dataclasses": "asdict astuple dataclass field",
        "datetime": "timedelta timezone",
        "decimal": "Decimal",
        "enum": "Enum Flag IntEnum StrEnum auto",
        "fractions": "Fraction",
        "functools": "cache cached_property lru_cache partial reduce singledispatch total_ordering wraps",
        "io": "BytesIO StringIO",
        "itertools": "accumulate chain combinations groupby islice pairwise permutations takewhile zip_longest",
        "math": "ceil floor gcd isclose isnan sqrt",
        "operator": "attrgetter itemgetter methodcaller",
        "pathlib": "Path PurePath",
        "statistics": "mean median stdev",
        "types": "MappingProxyType SimpleNamespace",
        "typing": "Any ClassVar Final Generic Literal NamedTuple NoReturn Optional Protocol Self TypeVar TypedDict"
        " Union cast overload",
        "uuid": "uuid4",
    }.items()
    for name in names.split()
}
"""The modules of names that have one common home in the standard library, without those that are common words."""
_ALSO_WORDS = (
    "array calendar chunk cmd code copy email numbers operator parser pipes platform profile queue resource secrets"
    " select selectors signal site statistics string symbol test token tokenize trace types"
)
_MODULES = frozenset(sys.stdlib_module_names) - frozenset(_ALSO_WORDS.split())
"""The modules of the standard library whose names hardly anybody gives to a variable."""
_OF_DATETIME = frozenset({"date", "datetime", "time", "timedelta", "timezone", "UTC"})
"""What is used of the module ``datetime``, other than of its class of that name."""
_TYPE_PARAMETERS = frozenset({"TypeVar", "TypeVarTuple", "ParamSpec"})
"""Nodes that Python 3.11 does not have."""
_FIRST_LINES = re.compile(r"#!|#.*coding[:=]")
_ALWAYS_THERE = frozenset(dir(builtins)) | {"__file__", "__name__", "__doc__", "__package__", "__path__", "__spec__"}


def missing_imports(before: str, after: str) -> Edit | None:
    """Returns the edit of ``after`` that adds imports of the standard library, or None if none is missing.

    They are for names that ``after`` uses, that ``before`` did not use, and that nothing in the file binds. A file that
    Python cannot parse, or that imports everything from somewhere, is left as it is.
    """
    old, new = _parsed(before), _parsed(after)
    if old is None or new is None or _imports_everything(new):
        return None
    unknown = _used(new) - _used(old) - _bound(new) - _ALWAYS_THERE
    names = {needed for node in ast.walk(new) for needed in _needed_by(node, unknown)}
    if {("datetime", ""), ("datetime", "datetime")} <= names:  # one name cannot be both
        return None
    return _added(after, new, _lines(names)) if names else None


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _imports_everything(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in ast.walk(tree))


def _used(tree: ast.Module) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _bound(tree: ast.Module) -> set[str]:
    """Returns every name that some scope of a module binds."""
    return {name for node in ast.walk(tree) for name in _bound_by(node)}


def _bound_by(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            yield name
        case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.alias(name=name, asname=other):
            yield other or name.split(".")[0]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.MatchMapping(rest=str(name)):
            yield name
        case _ if type(node).__name__ in _TYPE_PARAMETERS:
            yield node.name  # type: ignore[attr-defined]


def _needed_by(node: ast.AST, unknown: set[str]) -> Iterator[tuple[str, str]]:
    """Yields the module, and the name in it or "", that a use of an unknown name needs.

    A module is one whose attributes are used, and a function is called or decorates, because a variable that was
    forgotten is none of both.
    """
    match node:
        case ast.Attribute(value=ast.Name(id="datetime"), attr=attribute) if "datetime" in unknown:
            yield "datetime", "" if attribute in _OF_DATETIME else "datetime"
        case ast.Attribute(value=ast.Name(id=name)) if name in unknown and name in _MODULES:
            yield name, ""
        case ast.Name(id=name) if name in unknown and not name[0].islower():
            yield from _from_home(name)
        case ast.Call(func=ast.Name(id=name)) if name in unknown:
            yield from _from_home(name)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            for one in node.decorator_list:
                if isinstance(one, ast.Name) and one.id in unknown:
                    yield from _from_home(one.id)


def _from_home(name: str) -> Iterator[tuple[str, str]]:
    if name in _HOMES:
        yield _HOMES[name], name


def _lines(needed: set[tuple[str, str]]) -> list[str]:
    """Returns the lines that import modules, and names from modules, in order."""
    modules = sorted(module for module, name in needed if not name)
    homes = sorted({module for module, name in needed if name})
    names = {home: ", ".join(sorted(name for module, name in needed if name and module == home)) for home in homes}
    return [*(f"import {module}" for module in modules), *(f"from {home} import {names[home]}" for home in homes)]


def _added(text: str, tree: ast.Module, lines: Sequence[str]) -> Edit:
    """Returns the edit that adds lines below the imports at the head of a file, or below its docstring."""
    body = tree.body
    first = next((at for at, node in enumerate(body) if not _is_docstring(node)), len(body))
    last = first
    while last < len(body) and isinstance(body[last], ast.Import | ast.ImportFrom):
        last += 1
    new = "\n".join(lines)
    ends = text.split("\n")
    if last > first:
        above = body[last - 1]
        is_future = isinstance(above, ast.ImportFrom) and above.module == "__future__"
        return _inserted(ends, above.end_lineno or 0, f"\n{new}\n" if is_future else f"{new}\n")
    if first:
        row = body[first - 1].end_lineno or 0
        is_close = row < len(ends) and ends[row].strip()
        return _inserted(ends, row, f"\n{new}\n\n" if is_close else f"\n{new}\n")
    comments = _lines_of_head(ends)
    return _inserted(ends, comments, f"{new}\n\n\n" if body and _is_definition(body[0]) else f"{new}\n\n")


def _lines_of_head(lines: Sequence[str]) -> int:
    """Returns the number of comment lines at the start of a file, without those of what follows directly."""
    comments = next((at for at, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if comments < len(lines) and lines[comments].strip():
        return sum(_FIRST_LINES.match(line) is not None for line in lines[: min(2, comments)])
    return comments


def _inserted(lines: Sequence[str], row: int, new: str) -> Edit:
    """Returns an edit that inserts text before a row, counted from 0, which may be the one after the last."""
    if row >= len(lines):
        end = sum(len(line) + 1 for line in lines) - 1
        return Edit(Span(end, end), f"\n{new}".removesuffix("\n"))
    at = sum(len(line) + 1 for line in lines[:row])
    return Edit(Span(at, at), new)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_definition(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
