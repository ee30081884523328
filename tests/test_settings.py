"""Settings: what is right is kept, what is wrong is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from codegemma_lsp.settings import Settings, parse


def check(raw: object, *problems: str, **expected: object) -> None:
    settings, found = parse(raw)
    assert found == problems
    assert settings == Settings.model_validate(expected)


def test_what_clients_send() -> None:
    check(None)
    check({})
    check({"maxTokens": 5}, max_tokens=5)
    check({"max_tokens": 5}, max_tokens=5)
    check({"codegemma": {"maxTokens": 5}}, max_tokens=5)
    check({"maxTokens": None, "model": "/m.gguf"}, model="/m.gguf")
    check({"disabledLanguages": ["html"]}, disabled_languages=("html",))


def test_problems() -> None:
    assert parse({"maxTokens": 0, "heal": "perhaps", "modle": "x", "layout": "psm"})[1] == snapshot(
        (
            "There is no setting modle; did you mean model?",
            "The setting maxTokens cannot be 0 (input should be greater than or equal to 1); its default, 96, is used.",
            "The setting heal cannot be 'perhaps' (input should be a valid boolean, unable to interpret input);"
            " its default, True, is used.",
        )
    )
    assert parse({"zzz": 1})[1] == snapshot(("There is no setting zzz; it is ignored.",))
    assert parse([1])[1] == snapshot(("The settings are [1] and not an object; the defaults are used.",))


@pytest.mark.parametrize("name", ["apiKey", "endpoint", "command"])
def test_nothing_a_workspace_could_abuse_is_a_setting(name: str) -> None:
    assert parse({name: "x"})[1]


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
names = st.sampled_from([field.alias for field in Settings.model_fields.values() if field.alias]) | st.text(max_size=9)


@given(json | st.dictionaries(names, json, max_size=6))
def test_no_input_raises_and_each_problem_is_one_line(raw: object) -> None:
    settings, problems = parse(raw)
    assert isinstance(settings, Settings)
    assert not any("\n" in problem for problem in problems)
