"""The moments of ``eval quiet``: 300 cases from real files of five languages, and what the gate says there."""

from __future__ import annotations

from collections import Counter

import pytest

from codegemma_lsp.benchmarks.quiet.cases import Case, Kind, cases
from codegemma_lsp.benchmarks.quiet.command import Quietness, gate, measure, summary
from codegemma_lsp.benchmarks.typing.typed_files import SOURCES, source_paths
from codegemma_lsp.completion import Silence
from codegemma_lsp.settings import Settings
from tests.scripted import ScriptedEngine

COUNT = 12

pytestmark = pytest.mark.skipif(
    not all(source_paths(language) for language in SOURCES), reason="packages with sources are not installed"
)


@pytest.fixture(scope="module")
def drawn() -> list[Case]:
    return cases(COUNT)


def test_three_hundred_cases_of_five_languages(drawn: list[Case]) -> None:
    counts = Counter((case.kind, case.language) for case in drawn)
    assert set(counts.values()) == {COUNT}
    assert sum(case.kind is not Kind.TYPING for case in drawn) == 300
    assert len({case.language for case in drawn}) == 5
    assert drawn == cases(COUNT)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        pytest.param(Kind.DELETION, Silence.DELETED, id="deletions"),
        pytest.param(Kind.WORD, Silence.WITHIN_WORD, id="words"),
        pytest.param(Kind.LICENCE, Silence.LICENCE, id="licences"),
    ],
)
def test_the_gate_knows_each_moment_of_a_kind(drawn: list[Case], kind: Kind, reason: Silence) -> None:
    assert {gate(case) for case in drawn if case.kind is kind} == {reason.value}


def test_the_gate_knows_the_empty_lines_below_a_file(drawn: list[Case]) -> None:
    ends = [case for case in drawn if case.kind is Kind.FILE_END and case.text.endswith("\n")]
    assert ends
    assert sum(not gate(case) for case in ends) <= len(ends) // 10


def test_the_gate_is_open_while_a_statement_is_typed(drawn: list[Case]) -> None:
    assert [case for case in drawn if case.kind is Kind.TYPING and gate(case)] == []


def test_the_shares_of_quiet_moments() -> None:
    found = cases(1)
    silent = measure(found, ScriptedEngine(""), Settings(), lambda _: None)
    assert all(one.is_quiet_alone for one in silent)
    talking = [Quietness(case=one.case, is_quiet_alone=False, why=gate(one.case)) for one in silent]
    rows = {row["moments"]: row for row in summary(talking)}
    assert rows["single deletion"] == {"moments": "single deletion", "n": 5, "alone": 0.0, "gated": 1.0}
    assert rows["typing"]["gated"] == 0.0
    assert rows["all but typing"]["n"] == 25
