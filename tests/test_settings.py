"""Settings: what is right is kept, what is wrong is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from codegemma_lsp.prompt import Layout
from codegemma_lsp.session.session import Session
from codegemma_lsp.settings import Settings, parse
from codegemma_lsp.settings.guarded import without_guarded
from codegemma_lsp.settings.sources import NotSaved, save, settings_from


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
    assert parse({"otherFilesExclude": ["[z-a]"], "disabledLanguages": "go"})[1] == snapshot(
        (
            "The setting otherFilesExclude cannot be ['[z-a]'] ('[z-a]' is no pattern of .gitignore); its default, [],"
            " is used.",
            "The setting disabledLanguages cannot be 'go' (input should be a list); its default, [], is used.",
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


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CODEGEMMA_SHARE_MODEL")
    monkeypatch.setenv("CODEGEMMA_CONFIG", str(tmp_path / "config.toml"))
    return tmp_path / "config.toml"


def test_the_order_of_layers(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('maxTokens = 1\nslots = 1\nseed = 1\nmodel = "codegemma-2b"\ndisabledLanguages = ["html"]\n')
    monkeypatch.setenv("CODEGEMMA_MAX_TOKENS", "2")
    monkeypatch.setenv("CODEGEMMA_SLOTS", "2")
    settings, problems, below = settings_from({"max_tokens": 3})
    assert (problems, below) == ((), ())
    assert settings == Settings(max_tokens=3, slots=2, seed=1, model="codegemma-2b", disabled_languages=("html",))


@pytest.mark.parametrize("given", [{}, {"model": "auto"}, {"codegemma": {"model": "auto"}}, {"model": None}, None])
def test_auto_means_what_was_chosen(config: Path, given: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEGEMMA_CHAT_MODEL", "auto")
    assert save("model", "codegemma-2b") == config
    save("chatModel", "gemma-2b-it")
    settings = settings_from(given)[0]
    assert (settings.model, settings.chat_model) == ("codegemma-2b", "gemma-2b-it")


def test_the_environment_is_json_or_text(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"HEAL": "false", "LAYOUT": "psm", "DISABLED_LANGUAGES": '["html"]', "MODEL": "123", "SEED": ""}
    for name, value in values.items():
        monkeypatch.setenv(f"CODEGEMMA_{name}", value)
    settings, _, below = settings_from({})
    assert below == ()
    assert settings == Settings(heal=False, layout=Layout.PSM, disabled_languages=("html",), model="123")


def test_problems_name_where_they_are(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEGEMMA_MAX_TOKENS", "many")
    monkeypatch.setenv("CODEGEMMA_SOMETHING", "else")
    config.write_text("maxTokens = 5\nmodle = 'x'\nslots = 0\nseed = 3\n")
    settings, problems, below = settings_from({"seed": -1})
    assert settings == Settings(max_tokens=5)
    assert problems == snapshot(
        ("The setting seed cannot be -1 (input should be greater than or equal to 0); its default, 0, is used.",)
    )
    assert tuple(problem.replace(str(config), "FILE") for problem in below) == snapshot(
        (
            "The environment variable CODEGEMMA_MAX_TOKENS cannot be 'many' (input should be a valid integer, unable to"
            " parse string as an integer); it is left out.",
            "FILE sets modle, which is no setting; did you mean model?",
            "FILE sets slots to 0, which cannot be (input should be greater than or equal to 1); it is left out.",
        )
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = ", "FILE is no TOML (invalid value (at end of document)), so it is left out; correct it."),
        (b"a = '\xff'", "FILE is not UTF-8 (byte 6 is no text), so it is left out; convert it."),
    ],
)
def test_a_file_that_cannot_be_read_is_left_out_and_left_alone(config: Path, content: bytes, said: str) -> None:
    config.write_bytes(content)
    settings, _, below = settings_from({"seed": 2})
    assert settings == Settings(seed=2)
    assert [problem.replace(str(config), "FILE") for problem in below] == [said]
    with pytest.raises(NotSaved, match=r"so it was left as it is; (correct|convert) it first"):
        save("model", "nano")
    assert config.read_bytes() == content


def test_a_folder_in_place_of_the_file(config: Path) -> None:
    config.mkdir()
    assert settings_from({})[2] == (f"{config} cannot be read (Is a directory), so it is left out.",)
    with pytest.raises(NotSaved) as raised:
        save("model", "nano")
    assert str(raised.value) == f"{config} cannot be written (Is a directory); it is as it was."


def test_saving_follows_a_link_and_leaves_nothing_else(config: Path, tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    target = tmp_path / "dotfiles" / "codegemma.toml"
    target.write_text("# kept\n")
    target.chmod(0o640)
    config.symlink_to(target)
    save("model", "nano")
    assert config.is_symlink()
    assert target.read_text() == '# kept\nmodel = "nano"\n'
    assert target.stat().st_mode & 0o777 == 0o640
    assert list(target.parent.iterdir()) == [target]


def test_a_session_says_each_problem_of_the_file_once_and_hears_nulls(config: Path) -> None:
    config.write_text("slots = 0\nmaxTokens = 7\n")
    session = Session(lambda status: None)
    assert len(session.initialize({"maxTokens": 9})) == 1
    assert session.settings.max_tokens == 9
    assert session.configure({"maxTokens": None}) == ()
    assert session.settings.max_tokens == 7
    assert session.configure({"maxTokens": 8, "slots": -1})[0].startswith("The setting slots cannot be -1")
    assert session.settings.max_tokens == 8


def test_what_is_no_object_leaves_the_environment_and_the_file_as_they_are(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("slots = 2\n")
    monkeypatch.setenv("CODEGEMMA_SHARE_MODEL", "false")
    settings, problems, below = settings_from("nonsense")
    assert (settings, below) == (Settings(slots=2, share_model=False), ())
    assert [problem.partition(";")[0] for problem in problems] == ["The settings are 'nonsense' and not an object"]


@pytest.mark.parametrize(
    ("sent", "refused"),
    [
        ({"model": "/x/m.gguf"}, ["model"]),
        ({"chatModel": "http://127.0.0.1:8080#m"}, ["chatModel"]),
        ({"chat_model": "https://models.example/v1#m"}, ["chatModel"]),
        ({"adapter": "/x/a.gguf"}, ["adapter"]),
        ({"adapters": {"/shop": "/x/a.gguf"}}, ["adapters"]),
        ({"allowPlainHttp": True, "shareModel": False}, ["allowPlainHttp", "shareModel"]),
        ({"allowPlainHttp": 1}, ["allowPlainHttp"]),
        ({"allowPlainHttp": "yes"}, ["allowPlainHttp"]),
        ({"model": "nano", "chatModel": "auto"}, []),
        ({"model": None, "adapter": "", "adapters": {}, "allowPlainHttp": False, "shareModel": True}, []),
        ({"maxTokens": 9, "unknown": "/x/m.gguf"}, []),
    ],
)
def test_what_may_be_a_workspaces_cannot_be_loaded(sent: dict[str, Any], refused: list[str]) -> None:
    kept, problems = without_guarded({**sent, "slots": 3})
    assert kept == ({"slots": 3} if refused else {**sent, "slots": 3})
    assert [re.findall(r"The editor's setting (\w+) is left out", problem) for problem in problems] == [
        [name] for name in refused
    ]


def test_an_editor_that_vouches_may_set_everything(config: Path) -> None:
    session = Session(lambda status: None)
    assert len(session.initialize({"model": "/x/m.gguf"})) == 1
    assert session.settings.model == "auto"
    config.write_text('model = "/own/m.gguf"\n')
    assert session.configure({"model": "/x/m.gguf"}) == ()  # said before
    assert session.settings.model == "/own/m.gguf"
    session.trust_client()
    assert session.configure({"model": "/x/m.gguf"}) == ()
    assert session.settings.model == "/x/m.gguf"
