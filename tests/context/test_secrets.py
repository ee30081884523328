"""Secrets in the very file that is completed: no prompt has them, and no offset changes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from codegemma_lsp.completion import Query, plan_completion
from codegemma_lsp.completion.types import Planning
from codegemma_lsp.context.secrets import masked, masked_around
from codegemma_lsp.document import Document
from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
from codegemma_lsp.settings import Settings
from tests.planted_secrets import planted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('password = "hunter2secret"', snapshot('password = "xxxxxxxxxxxxx"'), id="a password"),
        pytest.param('aws_key = "AKIAIOSFODNN7EXAMPLE"', snapshot('aws_key = "xxxxxxxxxxxxxxxxxxxx"'), id="a key"),
        pytest.param(
            'url = "postgres://bob:s3cr3tpw@host/shop"',
            snapshot('url = "postgres://bob:xxxxxxxx@host/shop"'),
            id="in an address",
        ),
        pytest.param(
            "token: ghp_16C7e42F292c6912E7710c838347Ae178B4a  # mine",
            snapshot("token: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx  # mine"),
            id="a token, as a whole",
        ),
        pytest.param(
            "export API_KEY=abc123def456", snapshot("export API_KEY=xxxxxxxxxxxx"), id="in an environment file"
        ),
        pytest.param("  password: hunter2hunter2", snapshot("  password: xxxxxxxxxxxxxx"), id="in YAML"),
        pytest.param(
            'pw := "x"; dbPassword := "hunter2secret"', snapshot('pw := "x"; dbPassword := "xxxxxxxxxxxxx"'), id="in Go"
        ),
        pytest.param(
            "-H 'Authorization: Bearer abcdef0123456789abcdef'",
            snapshot("-H 'Authorization: Bearer xxxxxxxxxxxxxxxxxxxxxx'"),
            id="in a header",
        ),
        pytest.param(
            'password = "ab\\"cd\\"efgh123"  # mine',
            snapshot('password = "xxxxxxxxxxxxxxx"  # mine'),
            id="with quotes in it",
        ),
        pytest.param(
            "    token=self.tokens.next(1)\ndef f(password: str2): ...",
            snapshot("""\
    token=self.tokens.next(1)
def f(password: str2): ...\
"""),
            id="code is none",
        ),
        pytest.param(
            'KEY = """-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDR\n"""\nx = 1',
            snapshot("""\
KEY = \"""-----BEGIN PRIVATE KEY-----
xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
\"""
x = 1\
"""),
            id="a private key",
        ),
        pytest.param(
            "def login(user, password=None):\n    return check(user, password)",
            snapshot("""\
def login(user, password=None):
    return check(user, password)\
"""),
            id="names are none",
        ),
        pytest.param(
            'BEGIN = "-----BEGIN RSA PRIVATE KEY"\ndef parse(): ...',
            snapshot("""\
BEGIN = "-----BEGIN RSA PRIVATE KEY"
def parse(): ...\
"""),
            id="the mark of a key alone",
        ),
    ],
)
def test_secrets_are_masked(text: str, expected: str) -> None:
    assert masked(text) == expected


def test_a_text_without_secrets_is_the_same_object() -> None:
    text = "\n".join(f"value_{number} = compute({number})" for number in range(200))
    assert masked(text) is text
    assert masked_around(text, 500, 100) is text


@given(
    st.lists(
        st.sampled_from(
            ['password = "hunter2secret"', "x = 1\r", "", "  😀 = '–'", 'url = "https://u:pa55word1@h/"', "a" * 500]
        )
    ),
    st.integers(0, 2000),
    st.integers(0, 500),
)
def test_no_offset_changes(lines: list[str], offset: int, reach: int) -> None:
    text = "\n".join(lines)
    shown = masked_around(text, min(offset, len(text)), reach)
    assert [len(line) for line in shown.split("\n")] == [len(line) for line in lines or [""]]
    assert masked(masked(text)) == masked(text)


def test_of_a_hundred_planted_secrets_none_is_in_the_tokens_of_a_prompt(engine: LlamaEngine) -> None:
    found = []
    for line, secret in planted(100):
        text = f"import os\n\n\ndef connect():\n    {line}\n    \n    return {line}\n"
        document = Document(uri="file:///shop.py", text=text, language="python", version=1)
        query = Query(document=document, offset=text.index("\n    return"), path="shop.py")
        plan, _ = plan_completion(query, Planning(), engine, Settings())
        prompt = b"".join(engine.tokenizer.piece(token) for token in engine.tokenizer.tokens(plan.prompt)).decode()
        assert "def connect" in prompt
        found += [secret] if secret[4:] in prompt else []
    assert found == []


def test_a_secret_stays_masked_when_the_known_lines_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codegemma_lsp.context.secrets._MOST_LINES", 0)
    text = 'password = "hunter2secret"'
    masked(text)
    assert masked(f"{text}\nanother_line = 1") == 'password = "xxxxxxxxxxxxx"\nanother_line = 1'


def test_known_lines_cost_less_than_new_ones() -> None:
    text = "\n".join(f"line_{number} = {number}" for number in range(2000))
    times = []
    for _ in range(2):
        began = time.perf_counter()
        masked(text)
        times.append(time.perf_counter() - began)
    assert times[1] < times[0] / 4
