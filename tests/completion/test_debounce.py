"""Waiting for the next key before the model is asked: only while the model is slower than the user types."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from codegemma_lsp.completion import AdaptiveDebounce


def typing(gaps: Sequence[float], answers: Sequence[float]) -> AdaptiveDebounce:
    """Keys with these gaps between them, in milliseconds, and answers that took so long."""
    debounce, now = AdaptiveDebounce(), 0.0
    debounce.keystroke(0, now)
    for number, gap in enumerate(gaps, 1):
        now += gap
        debounce.keystroke(number, now)
    for answer in answers:
        debounce.answered(answer)
    return debounce


def test_a_quick_model_is_asked_at_once() -> None:
    assert typing([100, 100], [99, 99]).wait_ms(1000) == 0


def test_a_model_as_quick_as_the_typing_is_asked_at_once() -> None:
    assert typing([100, 100], [100, 100]).wait_ms(1000) == 0


def test_a_slower_model_is_asked_when_most_keys_would_have_come() -> None:
    assert typing([100, 100], [101, 101]).wait_ms(1000) == pytest.approx(140)


def test_no_longer_than_the_setting_allows() -> None:
    assert typing([100, 100], [500, 500]).wait_ms(141) == pytest.approx(140)
    assert typing([100, 100], [500, 500]).wait_ms(139) == 0


def test_one_answer_says_nothing_yet() -> None:
    assert typing([100], [500]).wait_ms(1000) == 0
    assert typing([100], [500, 500]).wait_ms(1000) == pytest.approx(140)


def test_a_pause_is_no_gap() -> None:
    assert list(typing([100, 1000, 999], []).gaps) == [100, 999]


def test_two_requests_after_one_key_are_one_key() -> None:
    debounce = AdaptiveDebounce()
    for state, now in ((1, 0.0), (1, 10.0), (2, 100.0)):
        debounce.keystroke(state, now)
    assert list(debounce.gaps) == [100.0]


def test_the_latest_seven_count() -> None:
    assert list(typing([100] * 3 + [200] * 7, []).gaps) == [200] * 7


def test_a_request_given_up_early_says_nothing_of_a_slow_model() -> None:
    debounce = typing([100], [500, 500])
    debounce.cancelled(500)
    debounce.cancelled(501)
    assert list(debounce.answers) == [500, 500, 501]


def test_a_request_given_up_says_something_where_nothing_is_known() -> None:
    debounce = AdaptiveDebounce()
    debounce.cancelled(300)
    assert list(debounce.answers) == [300]
