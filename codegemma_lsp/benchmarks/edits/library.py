"""Functions for the checks of programs. The text of this module stands before each check in the sandbox, so it imports
nothing of this package.

A check is Python source that ends without an exception if an edit is right. ``SOURCE`` is the file's text after the
edit, and ``BEFORE`` the text before it.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

_LONGEST = 300


def load(source: str, name: str = "edited") -> dict[str, Any]:
    """Runs a module's source and returns its names."""
    module = sys.modules[name] = types.ModuleType(name)
    if "." in name:
        sys.modules.setdefault(name.partition(".")[0], types.ModuleType(name.partition(".")[0]))
    exec(compile(source, f"{name}.py", "exec"), module.__dict__)  # noqa: S102
    return module.__dict__


def function(source: str, name: str) -> ast.FunctionDef:
    """Returns the definition of a function, which may be a method written as ``Class.method``."""
    body: Sequence[ast.AST] = ast.parse(source).body
    *classes, last = name.split(".")
    for outer in classes:
        body = next(one for one in body if isinstance(one, ast.ClassDef) and one.name == outer).body
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [one for one in body if isinstance(one, kinds) and one.name == last][-1]  # type: ignore[return-value]


def parameters(source: str, name: str) -> list[str]:
    """Returns the names of a function's parameters, in order."""
    args = function(source, name).args
    return [one.arg for one in (*args.posonlyargs, *args.args, *args.kwonlyargs)]


def names(source: str, name: str) -> set[str]:
    """Returns the variables and parameters that a function uses."""
    found = function(source, name)
    used = {node.id for node in ast.walk(found) if isinstance(node, ast.Name)}
    return used | {node.arg for node in ast.walk(found) if isinstance(node, ast.arg)}


def has(source: str, name: str, *kinds: type[ast.AST]) -> bool:
    """Returns whether a function contains a node of one of the kinds, except for itself."""
    found = function(source, name)
    return any(isinstance(node, kinds) for node in ast.walk(found) if node is not found)


def calls(source: str, name: str) -> list[str]:
    """Returns what a function calls, as source."""
    return [ast.unparse(node.func) for node in ast.walk(function(source, name)) if isinstance(node, ast.Call)]


def is_annotated(source: str, name: str) -> bool:
    """Returns whether a function's parameters and its result have type hints."""
    found = function(source, name)
    args = [*found.args.posonlyargs, *found.args.args, *found.args.kwonlyargs]
    return found.returns is not None and all(one.annotation for one in args if one.arg not in ("self", "cls"))


def raises(error: type[BaseException], call: Callable[[], object]) -> bool:
    """Returns whether a call raises an error."""
    try:
        call()
    except error:
        return True
    return False


def logged(call: Callable[[], object]) -> list[str]:
    """Returns the messages that a call logs, at any level."""
    import logging

    messages: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    root, kept = logging.getLogger(), Kept()
    root.addHandler(kept)
    root.setLevel(logging.DEBUG)
    call()
    root.removeHandler(kept)
    return messages


def without_docstrings(source: str) -> str:
    """Returns a module's tree without docstrings, as text."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = node.body[ast.get_docstring(node) is not None :]
    return ast.dump(tree)


def passes(source: str, test: str, entry: str) -> None:
    """Runs the tests of a HumanEval problem. Raises what they raise."""
    space = load(source)
    exec(compile(test, "test.py", "exec"), space)  # noqa: S102
    space["check"](space[entry])


def first_failure(source: str, test: str, entry: str) -> None:
    """Runs the assertions of a HumanEval problem's tests in order. Raises an exception whose name tells what
    the first failing one says, because the name is all that leaves the sandbox."""
    space = load(source)
    tree = ast.parse(test)
    check = next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "check")
    others = ast.Module([one for one in tree.body if one is not check], [])
    exec(compile(others, "test.py", "exec"), space)  # noqa: S102
    candidate = check.args.args[0].arg
    for statement in check.body:
        shown = _Renamed(candidate, entry).visit(copy.deepcopy(statement))
        try:
            space[candidate] = space[entry]
            exec(compile(ast.Module([statement], []), "test.py", "exec"), space)  # noqa: S102
        except AssertionError:
            raise _told(f"AssertionError: {_failed(shown, space)}") from None
        except Exception as error:
            raise _told(f"{type(error).__name__}: {error}, in {_test_of(shown)}") from None


class _Renamed(ast.NodeTransformer):
    def __init__(self, before: str, after: str) -> None:
        self.before, self.after = before, after

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.after, node.ctx) if node.id == self.before else node


def _test_of(statement: ast.stmt) -> str:
    return ast.unparse(statement.test if isinstance(statement, ast.Assert) else statement)


def _failed(statement: ast.stmt, space: dict[str, Any]) -> str:
    test = statement.test if isinstance(statement, ast.Assert) else None
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq) and isinstance(test.left, ast.Call):
        left = ast.unparse(test.left)
        return f"{left} returned {eval(left, space)!r}, but {ast.unparse(test.comparators[0])} was expected"  # noqa: S307
    return f"{_test_of(statement)} is false"


def _told(message: str) -> Exception:
    known: type[Exception] = type(message[:_LONGEST].replace("\0", ""), (Exception,), {})
    return known()


def run_tests(source: str, module: str, tests: str) -> None:
    """Runs the tests of a file as pytest would, where ``source`` is the module that they import. Raises
    ``NoTests``, or what the first failing test raises."""
    sys.modules["pytest"] = _pytest()
    load(source, module)
    space = load(tests, "written_tests")
    found = list(_test_calls(space))
    if not found:
        raise NoTests
    for call in found:
        call()


class NoTests(Exception):
    """A file of tests has none."""


def _test_calls(space: dict[str, Any]) -> Iterator[Callable[[], object]]:
    for name, value in list(space.items()):
        if name.startswith("test") and callable(value) and not isinstance(value, type):
            yield from _with_parameters(value)
        elif isinstance(value, type) and (name.startswith("Test") or _is_unittest(value)):
            for inner in [one for one in vars(value) if one.startswith("test")]:
                yield from _methods(value, inner)


def _is_unittest(value: type) -> bool:
    return any(base.__module__.startswith("unittest") for base in value.__mro__)


def _methods(owner: type, name: str) -> Iterator[Callable[[], object]]:
    if not _is_unittest(owner):
        instance = owner()
        for setup in ("setup_method", "setUp"):
            getattr(instance, setup, lambda *_: None)()
        yield from _with_parameters(getattr(instance, name))
        return

    def call() -> None:
        instance = owner(name)
        instance.setUp()
        getattr(instance, name)()

    yield call


def _with_parameters(test: Callable[..., object]) -> Iterator[Callable[[], object]]:
    rows = getattr(test, "rows", None)
    if rows is None:
        yield test
        return
    for row in rows:
        yield lambda row=row: test(**row)  # type: ignore[misc]


def _pytest() -> types.ModuleType:
    """Returns the part of pytest that tests of functions use."""
    module = types.ModuleType("pytest")

    @contextlib.contextmanager
    def expected(error: type[BaseException] | tuple[type[BaseException], ...], match: str = "") -> Iterator[Any]:
        import re

        info = types.SimpleNamespace(value=None)
        raised = None
        try:
            yield info
        except error as caught:
            raised = info.value = caught
        assert raised is not None
        assert re.search(match, str(raised))

    def parametrize(keys: str | Sequence[str], values: Sequence[Any], **_: object) -> Callable[[Any], Any]:
        keys = [one.strip() for one in keys.split(",")] if isinstance(keys, str) else keys

        def marked(test: Any) -> Any:
            rows = [dict(zip(keys, value if len(keys) > 1 else [value], strict=True)) for value in values]
            test.rows = [{**old, **new} for old in getattr(test, "rows", [{}]) for new in rows]
            return test

        return marked

    def approx(value: Any, rel: float = 1e-6, abs: float = 1e-12) -> Any:  # noqa: A002
        return _Near(value, rel, abs)

    vars(module).update(
        raises=expected, approx=approx, mark=types.SimpleNamespace(parametrize=parametrize), main=lambda *_: 0,
        param=lambda *values, **_: values if len(values) > 1 else values[0],
    )  # fmt: skip
    return module


class _Near:
    def __init__(self, value: Any, rel: float, distance: float) -> None:
        self.value, self.rel, self.distance = value, rel, distance

    def __eq__(self, other: object) -> bool:
        if isinstance(self.value, list | tuple):
            assert isinstance(other, list | tuple)
            return len(other) == len(self.value) and all(
                _Near(mine, self.rel, self.distance) == theirs for mine, theirs in zip(self.value, other, strict=True)
            )
        return bool(abs(self.value - other) <= max(self.distance, self.rel * abs(self.value)))

    __hash__ = None  # type: ignore[assignment]
