"""Generations that are cut short, gone on with, guessed ahead and given up: on the bundled model."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegemma_lsp.engines.backends.llama_cpp import LlamaBackend
from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
from codegemma_lsp.engines.prompt_lookup import PromptLookup
from codegemma_lsp.engines.protocol import Finish, Options, Priority, Progress, Request, Sampling
from codegemma_lsp.engines.threads import doublings, fastest
from codegemma_lsp.models import BUNDLED, model_path
from tests.traced import AT, SOURCE, check_same, prompt_at, request_at, traced

REPEATING = (
    SOURCE[:AT]
    + "    def a(self) -> int:\n        return int(self.starts[line])\n\n    def a(self) -> int:\n        ret"
)

TEXTS = (REPEATING, SOURCE[:AT] + "x = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0,", *(SOURCE[: AT + n] for n in range(20, 240, 37)))
"""Enough places for some of the answers to be long, whatever the model."""


def stopping_after(tokens: int, cancelled: threading.Event) -> Callable[[str], bool]:
    """An ``on_text`` that cancels from outside once it has been called so often."""
    calls: list[str] = []

    def on_text(text: str) -> bool:
        calls.append(text)
        if len(calls) == tokens:
            cancelled.set()
        return False

    return on_text


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=1.0, seed=3)], ids=["greedy", "drawn"])
@pytest.mark.parametrize("after", [1, 2, 5, 11])
def test_a_cancelled_generation_goes_on_as_if_it_had_not_been(
    fresh_engine: LlamaEngine, after: int, sampling: Sampling
) -> None:
    for seed in range(sampling.seed, sampling.seed + 20):
        request = replace(request_at(fresh_engine), sampling=replace(sampling, seed=seed))
        whole = traced(fresh_engine, request)
        # A draw may hang on rounding, which differs where a token is read by itself: here it does not.
        steady = fresh_engine.run(request).text == whole.generation.text
        if whole.generation.usage.completion_tokens > after + 1 and steady:
            break
    cancelled, progress = threading.Event(), Progress()
    begun = replace(request, on_text=stopping_after(after, cancelled), progress=progress)
    cut = fresh_engine.run(begun, cancelled)
    assert cut.finish is Finish.CANCELLED
    assert whole.generation.text.startswith(progress.text)
    had = len(progress.tokens)
    rest = fresh_engine.run(replace(request, progress=progress))
    assert rest.usage.prefill_tokens <= 1
    assert rest.usage.completion_tokens == whole.generation.usage.completion_tokens - had
    assert rest.text == whole.generation.text
    assert rest.logprobs == pytest.approx(whole.generation.logprobs, abs=0.3)
    assert rest.ends == whole.generation.ends


def test_a_finished_generation_is_not_made_again(engine: LlamaEngine) -> None:
    request = replace(request_at(engine), progress=Progress())
    first, again = engine.run(request), engine.run(request)
    assert (again.text, again.finish) == (first.text, first.finish)
    assert (again.usage.prefill_tokens, again.usage.completion_tokens) == (0, 0)


@pytest.mark.parametrize("heal", [False, True])
@pytest.mark.parametrize("drafts", [1, 8, 64])
def test_drafts_change_no_token(
    fresh_engine: LlamaEngine, drafts: int, heal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 7, and they are worth something where code repeats itself."""
    # What is measured on a busy machine may be so much that nothing is guessed.
    monkeypatch.setattr(fresh_engine._backend, "draft_cost", 0.1)
    drafted = accepted = 0
    for text in TEXTS:
        request = Request(prompt=prompt_at(fresh_engine, text, len(text), heal=heal), max_tokens=48)
        plain = traced(fresh_engine, request)
        guessed = traced(fresh_engine, replace(request, drafts=drafts, hint=plain.generation.text))
        check_same(plain, guessed)
        usage = guessed.generation.usage
        assert usage.accepted_draft_tokens <= usage.draft_tokens
        drafted, accepted = drafted + usage.draft_tokens, accepted + usage.accepted_draft_tokens
        for slot in fresh_engine._slots.all:
            assert fresh_engine._backend.trim(slot.number, len(slot.tokens)) == len(slot.tokens)
    assert 2 * accepted > drafted > 0


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 16))
def test_a_guess_is_what_followed_the_longest_match(tokens: list[int], most: int) -> None:
    """Against a search in plain Python; ids that share bytes must not be mistaken for each other."""
    ids = [256 * token + token for token in tokens]
    lookup = PromptLookup(ids[:10], most, cost=0.01)
    for token in ids[10:]:
        lookup.add(token)
    expected: list[int] = []
    for size in range(min(6, len(ids) - 1), 2, -1):
        starts = [at for at in range(len(ids) - size) if ids[at : at + size] == ids[-size:]]
        if starts:
            expected = ids[starts[-1] + size :][:most]
            break
    guess = lookup.guess()
    assert guess == expected[: len(guess)]
    if expected and len(ids) > 10 and lookup._right > 0.01:
        assert guess


@pytest.mark.parametrize(
    ("right", "cost", "length"), [(0.9, 0.2, 15), (0.9, 0.5, 6), (0.6, 0.2, 3), (0.5, 0.6, 0), (1.0, 0.5, 16)]
)
def test_guesses_are_as_long_as_pays(right: float, cost: float, length: int) -> None:
    lookup = PromptLookup([1, 2, 3, *range(4, 40), 1, 2], 16, cost)
    lookup.add(3)
    lookup._right = right
    assert lookup.guess() == list(range(4, 40))[:length]


async def test_a_real_request_ends_what_runs_ahead(fresh_engine: LlamaEngine) -> None:
    """Prefetch and warm-up give way at once; completions do not give way to each other."""
    for priority, gives_way in ((Priority.PREFETCH, True), (Priority.WARM_UP, True), (Priority.COMPLETION, False)):
        started = threading.Event()

        def on_text(_: str, started: threading.Event = started) -> bool:
            started.set()
            return False

        ahead = replace(request_at(fresh_engine, max_tokens=150), priority=priority, on_text=on_text)
        running = asyncio.create_task(fresh_engine.generate(ahead))
        await asyncio.to_thread(started.wait, 10)
        real = await fresh_engine.generate(request_at(fresh_engine, AT + 8, max_tokens=4))
        assert real.usage.completion_tokens
        first = await running
        assert (first.finish is Finish.CANCELLED) is gives_way
        assert fresh_engine.idle


def test_reading_without_generating_makes_the_next_request_cheap(fresh_engine: LlamaEngine) -> None:
    request = request_at(fresh_engine)
    warm = fresh_engine.run(replace(request, max_tokens=0, priority=Priority.WARM_UP))
    assert (warm.text, warm.usage.completion_tokens, warm.usage.prefill_tokens) == ("", 0, request.prompt.tokens)
    assert fresh_engine.run(request).usage.prefill_tokens == 1


def test_usage_adds_up_over_all_that_was_done(fresh_engine: LlamaEngine) -> None:
    cancelled = threading.Event()
    request = request_at(fresh_engine)
    cut = fresh_engine.run(replace(request, on_text=stopping_after(3, cancelled)), cancelled)
    whole = fresh_engine.run(request)
    assert cut.usage.completion_tokens >= 3
    for name in ("prompt_tokens", "prefill_tokens", "completion_tokens"):
        assert getattr(fresh_engine.usage, name) == getattr(cut.usage, name) + getattr(whole.usage, name)


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        pytest.param({1: 1.0, 2: 0.5, 4: 0.25, 6: 0.15}, 6, id="each is worth it"),
        pytest.param({1: 1.0, 2: 0.5, 4: 0.25, 6: 0.22}, 4, id="the last is not worth a processor"),
        pytest.param({1: 1.0, 2: 0.95, 4: 0.9, 6: 0.9}, 1, id="hardly faster is not worth a processor"),
        pytest.param({1: 1.0, 2: 40.0, 4: 90.0, 6: 90.0}, 1, id="they wait for each other"),
        pytest.param({1: 1.0, 2: 0.5, 4: 3.0, 6: 9.0}, 2, id="up to a point"),
    ],
)
def test_as_many_threads_as_pay(seconds: dict[int, float], best: int) -> None:
    spent: list[float] = []

    def time_of(count: int, limit: float) -> float:
        spent.append(min(seconds[count], limit))
        return spent[-1]

    assert fastest(time_of, 6) == best
    assert max(spent) <= 3.0


def test_candidates_are_doublings() -> None:
    assert [doublings(count) for count in (1, 2, 3, 6, 8)] == [[1], [1, 2], [1, 2, 3], [1, 2, 4, 6], [1, 2, 4, 8]]


def test_a_measured_engine_answers_like_any(fresh_engine: LlamaEngine) -> None:
    measured = LlamaEngine(model_path(BUNDLED), Options(threads=0))
    try:
        assert not np.any([slot.tokens for slot in measured._slots.all])
        check_same(traced(measured, request_at(measured)), traced(fresh_engine, request_at(fresh_engine)))
    finally:
        measured.close()


def test_where_the_cache_cannot_be_cut_nothing_is_guessed(
    fresh_engine: LlamaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recurrent models can only drop all that a sequence holds."""
    native = fresh_engine._backend
    assert isinstance(native, LlamaBackend)
    assert native.draft_cost > 0  # measured: on a busy machine it may be anything
    trim = native.trim
    monkeypatch.setattr(native, "trim", lambda slot, length: min(0, trim(slot, length)))
    native.measure(1, 1)
    assert native.draft_cost == 1.0
    monkeypatch.undo()
    request = Request(prompt=prompt_at(fresh_engine, REPEATING, len(REPEATING)), max_tokens=24, drafts=8)
    assert fresh_engine.run(request).usage.draft_tokens == 0


def test_a_measurement_that_is_cut_short_harms_nothing(fresh_engine: LlamaEngine) -> None:
    """As on a machine that is busy: at every moment, from before the first token on."""
    native = fresh_engine._backend
    assert isinstance(native, LlamaBackend)
    for limit in (0.0, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.05):
        assert native._generating(1, limit) > 0
        assert native._reading(1, limit) > 0
    native._deadline = 0
    native._measuring = True
    native._measure_drafts()
    native.measure(1, 1)
    assert not native._given_up()
    assert fresh_engine.run(request_at(fresh_engine)).usage.completion_tokens


def test_measuring_ends_where_loading_is_given_up(tmp_path: Path) -> None:
    model = shutil.copy(
        model_path(BUNDLED), tmp_path / "unmeasured.gguf"
    )  # what is known of a file is not measured again

    def asked(patience: int) -> int:
        """How often it is asked whether to go on, once the file is read, by one who loses interest at some time."""
        times = 0

        def on_progress(share: float) -> bool:
            nonlocal times
            times += share == 1.0
            return times < patience

        LlamaEngine(Path(model), Options(threads=0), on_progress).close()
        return times

    assert asked(patience=10) < 100 < asked(patience=10**9)
