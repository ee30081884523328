"""Whatever a model says, and wherever: accepting what is suggested is safe."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from codegemma_lsp.completion import Suggestion
from codegemma_lsp.syntax import parse
from tests.completion.story import Story
from tests.marks import CURSOR

LANGUAGES = ["python", "javascript", "java", "kotlin", "cpp", "csharp", "rust", "go", "ruby", "html", "yaml", "", "lua"]
FRAGMENTS = [
    *("def f(x):", "if x {", "}", ")", "]", "(", "[", "{", '"', "'", "`", "\n", "\n    ", "\n\t", "\r\n", "  ", ";"),
    *("return x", "x = 1", "<|fim_middle|>", "<bos>", "é", "\U0001f600", "\x00", "\ufffd", "#", "//", "/*", "*/", ":"),
    *("<ul>", "</ul>", "end", "do", "=>", ",", "x" * 50, '"""'),
    *("class A", "module M", "function f", "interface I", "fn f", "impl A", "func f()", "namespace N", "struct S"),
    "enum",
]
pieces = st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join)
answers = pieces | st.text(max_size=30)
FILLER = {
    "python": "class A{0}:\n    def f(self, x):\n        if x:\n            return [x]\n        return '{0}'\n\n\n",
    "javascript": "class A{0} {{\n  f(x) {{\n    if (x) {{\n      return [x, {0}];\n    }}\n  }}\n}}\n\n",
}


@settings(deadline=None, max_examples=400)
@given(before=pieces, after=pieces, said=answers, language=st.sampled_from(LANGUAGES))
async def test_a_suggestion_is_safe_to_accept(before: str, after: str, said: str, language: str) -> None:
    await check_safe(before, after, said, language)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.filter_too_much])
@given(before=pieces, after=pieces, said=answers, language=st.sampled_from(sorted(FILLER)))
async def test_a_suggestion_in_a_long_file_is_safe_to_accept(before: str, after: str, said: str, language: str) -> None:
    """What is parsed is an excerpt, in which errors that are there may hide new ones; in sound code none may come."""
    filler = "".join(FILLER[language].format(n) for n in range(60))
    assume(errors(f"{filler}{before}{after}\n{filler}", language) == 0)
    await check_safe(f"{filler}{before}", f"{after}\n{filler}", said, language)


async def test_there_are_suggestions_among_them() -> None:
    """What the tests above find safe is not always nothing."""
    outcome = await Story(f"def f(x):\n    {CURSOR}\n", "python").outcome("return x\n<|fim_middle|>")
    assert outcome.suggestion is not None
    check_safe_suggestion(outcome.suggestion, "def f(x):\n    ", "\n", "python")


async def check_safe(before: str, after: str, said: str, language: str) -> None:
    outcome = await Story(f"{before}{CURSOR}{after}", language).outcome(said)
    if outcome.suggestion is None:
        assert outcome.reason
    else:
        check_safe_suggestion(outcome.suggestion, before, after, language)


def check_safe_suggestion(suggestion: Suggestion, before: str, after: str, language: str) -> None:
    """Invariants 1 and 6: the range begins at the cursor and ends on its line; no error that was not there before."""
    text, span = before + after, suggestion.span
    assert span.start == len(before)
    assert span.start <= span.end <= len(text)
    assert not set("\r\n") & set(text[span.start : span.end])
    assert suggestion.text.strip()
    assert "\x00" not in suggestion.text
    assert "\ufffd" not in suggestion.text
    taken = text[: span.start] + suggestion.text + text[span.end :]
    assert errors(taken, language) <= errors(text, language)


def errors(text: str, language: str) -> int:
    return parse(text.replace("\r\n", "\n").replace("\r", "\n"), language).error_count
