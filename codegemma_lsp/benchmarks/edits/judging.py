"""Judges an answer by its task's check."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import cache, singledispatch
from pathlib import Path

from codegemma_lsp.benchmarks.edits.library import function, without_docstrings
from codegemma_lsp.benchmarks.edits.tasks import Check, Documented, Kills, Placed, Ran, Says, Task, Tokens
from codegemma_lsp.benchmarks.sandbox import judging as sandbox
from codegemma_lsp.engines.protocol import Usage
from codegemma_lsp.syntax import named, parse
from codegemma_lsp.text import indentation, line_start

_FEWEST_WORDS = 3
"""The number of words of a docstring below which it says nothing."""
_PADDING = re.compile(r"(?i)^\W*(?:the|this)\s+(?:`?\w+`?\s+)?(?:function|method|class)\b")
_ERROR = re.compile(r"\b[A-Z]\w*(?:Error|Exception)\b")
_PARAMETER = re.compile(
    r"^[ \t]*(?:[-*][ \t]+)?(?::param(?:[ \t]+\w+)?[ \t]+)?`{0,2}(\w+)`{0,2}[ \t]*(?:\([^)\n]*\))?:(?=[ \t]+\S)",
    re.MULTILINE,
)
_HEADINGS = frozenset({"returns", "return", "yields", "raises", "args", "arguments", "parameters", "params", "example"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An answer to a task.

    ``text`` is the whole text of the file after the edit, the text of the test file, or the answer to a question. It is
    "" if nothing was offered, and ``reason`` says why. ``prompt`` is the text that the model was shown, ``said`` what
    it answered, and ``ms`` the time that a user waits.
    """

    text: str
    reason: str = ""
    prompt: str = ""
    said: str = ""
    usage: Usage = field(default_factory=Usage)
    ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an answer is right, and if not, why. ``score`` is the share of mutants that tests find."""

    right: bool
    reason: str = ""
    score: float | None = None


def judge(task: Task, given: Given) -> Verdict:
    """Returns whether an answer is right. It blocks for some seconds at most."""
    if not given.text.strip():
        return Verdict(False, given.reason or "nothing offered")
    return _judged(task.check, task, given)


def breaks_syntax(task: Task, given: Given) -> bool:
    """Returns whether a file has syntax errors after an edit that it did not have before."""
    if not given.text.strip() or isinstance(task.check, Says):
        return False
    before = "" if isinstance(task.check, Kills) else task.text
    if task.language == "python":
        return not _parses(given.text) and (not before or _parses(before))
    return not parse(given.text, task.language).no_worse_than(parse(before, task.language))


def alters_documentation(task: Task, given: Given) -> bool:
    """Returns whether a docstring of a function that is still there has changed."""
    if not _parses(given.text) or not _parses(task.text):
        return False
    before, after = _docstrings(task.text), _docstrings(given.text)
    return any(name in after and after[name] != text for name, text in before.items())


def _docstrings(text: str) -> dict[str, str | None]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name: ast.get_docstring(node) for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)}


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


@cache
def _library() -> str:
    return Path(__file__).with_name("library.py").read_text("utf-8")


def in_sandbox(check: str, source: str, before: str = "", seconds: float = 3.0) -> sandbox.Verdict:
    """Runs a check, which is Python source with ``library.py`` before it, in the sandbox."""
    program = f"{_library()}\nSOURCE = {source!r}\nBEFORE = {before!r}\n{check}\n"
    return sandbox.run(program, seconds=seconds)


@singledispatch
def _judged(check: Check, task: Task, given: Given) -> Verdict:
    raise NotImplementedError(type(check))


@_judged.register
def _ran(check: Ran, task: Task, given: Given) -> Verdict:
    found = in_sandbox(check.program, given.text, task.text)
    return Verdict(found.passed, found.reason)


@_judged.register
def _tokens(check: Tokens, task: Task, given: Given) -> Verdict:
    if breaks_syntax(task, given):
        return Verdict(False, "broken syntax")
    shown = as_tokens(given.text, task.language)
    missing = next((pattern for pattern in check.has if not re.search(pattern, shown)), None)
    if missing is not None:
        return Verdict(False, f"lacks {missing}")
    extra = next((pattern for pattern in check.lacks if re.search(pattern, shown)), None)
    return Verdict(extra is None, f"has {extra}" if extra is not None else "")


def as_tokens(text: str, language: str) -> str:
    """Returns the tokens of a text without its comments, joined by blanks. A string is one token."""
    syntax = parse(text, language)
    assert syntax.language is not None
    comments = syntax.language.comments
    leaves = syntax.leaves(0, len(syntax.source))
    return " ".join(syntax.source[leaf.start : leaf.end].decode() for leaf in leaves if leaf.type not in comments)


@_judged.register
def _placed(check: Placed, task: Task, given: Given) -> Verdict:
    if breaks_syntax(task, given):
        return Verdict(False, "broken syntax")
    syntax = parse(given.text, task.language)
    found = named(syntax, check.name)
    if found is None:
        return Verdict(False, f"no {check.name}")
    if indentation(given.text[line_start(given.text, found.start) :]) != check.depth:
        return Verdict(False, "wrong depth")
    if check.inside not in _header(given.text[: line_start(given.text, found.start)], check.depth):
        return Verdict(False, f"outside of {check.inside}")
    if not _is_kept(task.text, given.text):
        return Verdict(False, "other code changed")
    ran = in_sandbox(check.program, given.text, task.text) if check.program else sandbox.Verdict(True)
    return Verdict(ran.passed, ran.reason)


def _header(above: str, depth: str) -> str:
    """Returns the last line with less indentation than ``depth``, which begins the block of what follows."""
    lines = (line for line in reversed(above.split("\n")) if line.strip())
    return next((line for line in lines if len(indentation(line)) < len(depth)), "")


def _is_kept(before: str, after: str) -> bool:
    """Returns whether all lines of a text are in another one, in the same order."""
    lines = iter(line.rstrip() for line in after.split("\n"))
    return all(line.rstrip() in lines for line in before.split("\n") if line.strip())


@_judged.register
def _documented(check: Documented, task: Task, given: Given) -> Verdict:
    if not _parses(given.text):
        return Verdict(False, "broken syntax")
    if without_docstrings(given.text) != without_docstrings(task.text):
        return Verdict(False, "code changed")
    before, after = _docstrings(task.text), _docstrings(given.text)
    text = after.pop(check.name, None)
    before.pop(check.name, None)
    if before != after or not text:
        return Verdict(False, "not at its place")
    found = function(given.text, check.name)
    found.body = found.body[1:]
    reason = wrong_words(text, ast.unparse(found), check.name)
    return Verdict(not reason, reason)


def wrong_words(documentation: str, code: str, name: str) -> str:
    """Returns what is wrong with the documentation of a function, or "". ``code`` has no documentation."""
    first = documentation.strip().split("\n")[0]
    if len(documentation.split()) < _FEWEST_WORDS:
        return "says nothing"
    if _parses(documentation):
        return "is code"
    if _PADDING.search(first) or _mentions(name, first):
        return "padding"
    if foreign := next((error for error in _ERROR.findall(documentation) if error not in code), None):
        return f"names {foreign}"
    known = set(re.findall(r"\w+", code))
    named_ = [one for one in _PARAMETER.findall(documentation) if one.lower() not in _HEADINGS and one not in known]
    return f"no parameter {named_[0]}" if named_ else ""


def _mentions(name: str, text: str) -> bool:
    """Returns whether a text mentions a name as a name. One that is a word may also be used as a word."""
    is_word = name.isalpha() and name.islower()
    return re.search(rf"`{name}\b|\b{name}\(" if is_word else rf"\b{name}\b", text) is not None


@_judged.register
def _kills(check: Kills, task: Task, given: Given) -> Verdict:
    def run(code: str) -> sandbox.Verdict:
        return in_sandbox(f"run_tests(SOURCE, {check.module!r}, {given.text!r})", code)

    passed = run(task.text)
    if not passed.passed:
        return Verdict(False, passed.reason, 0.0)
    killed = sum(not run(mutant).passed for mutant in check.mutants)
    return Verdict(killed > 0, "" if killed else "finds no mutant", killed / max(1, len(check.mutants)))


@_judged.register
def _says(check: Says, task: Task, given: Given) -> Verdict:
    if check.shown not in given.prompt:
        return Verdict(False, "not in the prompt")
    said = any(re.search(rf"(?<!\w){re.escape(fact)}(?!\w)", given.text) for fact in check.facts)
    return Verdict(said, "" if said else "not in the answer")
