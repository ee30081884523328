"""The parts of an engine that need no model: sampling, slots, vocabularies."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegemma_lsp.engines.protocol import ModelUnusable, Sampling
from codegemma_lsp.engines.sampling import choose
from codegemma_lsp.engines.slots import SavedState, Slots
from codegemma_lsp.engines.threads import AdaptiveThreads
from codegemma_lsp.engines.vocabulary import SpecialTokens, Vocabulary
from codegemma_lsp.prompt import Prompt, Special
from codegemma_lsp.text import common_prefix_length

GREEDY = Sampling()
token_lists = st.lists(st.integers(0, 3), max_size=12)


def test_greedy_takes_the_best_and_its_log_probability() -> None:
    choice = choose(np.log(np.array([0.2, 0.7, 0.1], dtype=np.float32)), GREEDY, np.random.default_rng(0))
    assert choice.token == 1
    assert choice.logprob == pytest.approx(np.log(0.7))


@pytest.mark.parametrize("temperature", [1e-40, 1e-300, 5e-324])
def test_almost_no_temperature_is_greedy(temperature: float) -> None:
    logits = np.array([-1e10, 0.0, -2e10], dtype=np.float32)
    assert choose(logits, Sampling(temperature=temperature), np.random.default_rng(0)).token == 1


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_number_is_said_to_be_damage(wrong: float, temperature: float) -> None:
    logits = np.array([0.2, wrong, 0.1], dtype=np.float32)
    with pytest.raises(ModelUnusable, match="damaged"):
        choose(logits, Sampling(temperature=temperature), np.random.default_rng(0))


def test_candidates_are_the_only_ones_and_share_the_probability() -> None:
    logits = np.log(np.array([0.2, 0.7, 0.1], dtype=np.float32))
    choice = choose(logits, GREEDY, np.random.default_rng(0), np.array([0, 2]))
    assert choice.token == 0
    assert choice.logprob == pytest.approx(np.log(2 / 3))


def test_sampling_draws_within_top_k_and_top_p_in_proportion() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05], dtype=np.float32))
    rng = np.random.default_rng(1)
    within_p = Counter(choose(logits, Sampling(temperature=1.0, top_k=0, top_p=0.9), rng).token for _ in range(3000))
    assert set(within_p) == {0, 1, 2}
    assert within_p[0] / within_p[1] == pytest.approx(5 / 3, rel=0.15)
    within_k = Counter(choose(logits, Sampling(temperature=1.0, top_k=2, top_p=1.0), rng).token for _ in range(300))
    assert set(within_k) == {0, 1}


@given(token_lists, token_lists)
def test_common_prefix_length(a: list[int], b: list[int]) -> None:
    size = common_prefix_length(a, b)
    assert a[:size] == b[:size]
    assert size in (len(a), len(b)) or a[size] != b[size]


@given(st.lists(token_lists, max_size=12), st.integers(1, 4))
def test_slots_never_claim_more_than_they_hold(prompts: list[list[int]], count: int) -> None:
    slots = Slots(count)
    for prompt in prompts:
        pick = slots.pick(prompt)
        slot, shared = pick.slot, pick.shared
        assert slot.tokens[:shared] == prompt[:shared]
        slot.tokens = list(prompt)


def test_an_unrelated_prompt_takes_an_empty_slot_then_the_oldest() -> None:
    slots = Slots(2)
    used = []
    for prompt in ([1] * 9, [2] * 9, [1] * 10, [3] * 9):
        slot = slots.pick(prompt).slot
        slot.tokens = list(prompt)
        used.append(slot.number)
    assert used == [0, 1, 0, 1]


def test_a_prompt_that_made_way_is_found_again_among_the_saved() -> None:
    slots = Slots(1, saved_bytes=100)
    first, second = [1] * 100, [2] * 100
    slots.pick(first).slot.tokens = list(first)
    evicting = slots.pick(second)
    assert evicting.worth_saving
    slots.save(SavedState(first, b"x" * 60))
    evicting.slot.tokens = list(second)
    pick = slots.pick([*first, 3])
    assert (pick.shared, pick.saved) == (100, SavedState(first, b"x" * 60))
    assert slots.known([*first, 3]) == 100


def test_a_prompt_that_only_begins_like_a_saved_one_does_not_use_it_up() -> None:
    slots = Slots(1, saved_bytes=100)
    state = SavedState([1] * 100, b"x" * 60)
    slots.save(state)
    slots.restored(state, 30)
    assert slots.known([1] * 100) == 100
    slots.restored(state, 100)
    assert slots.known([1] * 100) == 0


@given(st.lists(st.integers(1, 60), min_size=1, max_size=12))
def test_saved_prompts_never_take_more_than_the_limit(sizes: list[int]) -> None:
    slots = Slots(1, saved_bytes=100)
    for number, size in enumerate(sizes):
        slots.save(SavedState([number, number], b"x" * size))
    assert slots.known([len(sizes) - 1] * 2) == 2
    held = [size for number, size in enumerate(sizes) if slots.known([number] * 2) == 2]
    assert sum(held) <= 100


def test_scores_are_known_only_of_tokens_that_are_still_there() -> None:
    slot = Slots(1).all[0]
    slot.tokens = [1, 2, 3, 4]
    slot.keep_scores(2, np.zeros(3, np.float32))
    slot.keep_scores(4, np.zeros(3, np.float32))
    slot.cut(3)
    assert set(slot.scores) == {2}


@pytest.mark.parametrize(
    ("seconds", "loaded_with", "expected"),
    [
        pytest.param({1: 0.04, 2: 0.025}, 1, 2, id="the machine was busier at load"),
        pytest.param({1: 0.04, 2: 0.3}, 2, 1, id="it has become busier since"),
        pytest.param({1: 0.04, 2: 0.038}, 1, 1, id="a little is not worth a processor"),
        pytest.param({1: 0.08, 2: 0.04, 4: 0.02}, 1, 4, id="step by step"),
    ],
)
def test_the_number_of_threads_follows_the_machine(seconds: dict[int, float], loaded_with: int, expected: int) -> None:
    threads = AdaptiveThreads(loaded_with, max(seconds))
    for _ in range(400):
        count = threads.next()
        threads.took(count, seconds[count])
    assert threads.best == expected


def test_on_a_calm_machine_few_tokens_try_another_number_and_a_busier_one_is_noticed_soon() -> None:
    threads = AdaptiveThreads(2, 2)

    def tried(tokens: int, seconds: dict[int, float]) -> int:
        counts = [threads.next()]
        while len(counts) < tokens:
            threads.took(counts[-1], seconds[counts[-1]])
            counts.append(threads.next())
        return counts.count(1)

    assert tried(800, {1: 0.04, 2: 0.025}) <= 4 * 3
    tried(60, {1: 0.04, 2: 0.3})
    assert threads.best == 1


def vocabulary(pieces: list[bytes]) -> Vocabulary:
    return Vocabulary(pieces, SpecialTokens(), lambda text: [pieces.index(bytes([b])) for b in text])


@given(
    st.lists(st.text("ab", min_size=1, max_size=3).map(str.encode), max_size=12), st.text("ab", min_size=1, max_size=3)
)
def test_candidates_may_spell(added: list[bytes], spell: str) -> None:
    every_byte = [bytes([b]) for b in range(256)]
    pieces = [*every_byte, *added]
    wanted = spell.encode()
    expected = [i for i, piece in enumerate(pieces) if piece.startswith(wanted) or wanted.startswith(piece)]
    assert vocabulary(pieces).candidates(wanted).tolist() == expected


def test_a_model_without_infill_tokens_says_so() -> None:
    pieces = [bytes([b]) for b in range(256)]
    with pytest.raises(ModelUnusable, match="This model has no token for prefix"):
        vocabulary(pieces).tokens(Prompt(segments=(Special.FIM_PREFIX,), tokens=1))
