"""The decoding loop, on the bundled model."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codegemma_lsp.engines.backends import llama_weights
from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
from codegemma_lsp.engines.generation import Decoded
from codegemma_lsp.engines.protocol import (
    EngineFailed,
    Finish,
    Generation,
    LoadCancelled,
    ModelNotFound,
    ModelUnusable,
    Options,
    PromptTooLong,
    Request,
    Sampling,
)
from codegemma_lsp.models import BUNDLED, model_path
from codegemma_lsp.prompt import CODEGEMMA, Prompt, Special, Text
from codegemma_lsp.settings import KvCache
from tests.marks import at_cursor
from tests.traced import AT, SOURCE, check_same, prompt_at, request_at, traced

MODEL = model_path(BUNDLED).read_bytes()


def test_codegemmas_ids_are_found_and_confirmed(engine: LlamaEngine) -> None:
    assert engine.tokenizer.specials == CODEGEMMA.ids
    assert {1, 67, 68, 69, 70, 107} <= engine.tokenizer.controls  # what ends an infill, and an answer


def with_types(model: bytes, kind: int) -> bytes:
    """The model file with its infill tokens marked as another type (GGUF specification, tokenizer.ggml.token_type)."""
    key = b"tokenizer.ggml.token_type"
    start = model.index(key) + len(key) + 4 + 4 + 8
    for token in (67, 68, 69, 70):
        at = start + 4 * token
        assert model[at : at + 4] == (3).to_bytes(4, "little")
        model = model[:at] + kind.to_bytes(4, "little") + model[at + 4 :]
    return model


@pytest.mark.parametrize(
    "mangled",
    [
        pytest.param(MODEL.replace(b"tokenizer.ggml.fim_", b"tokenizer.ggml.xyz_"), id="ids not in the metadata"),
        pytest.param(with_types(MODEL, 4), id="marked user-defined"),
        pytest.param(with_types(MODEL.replace(b"ggml.fim_", b"ggml.xyz_"), 4), id="both"),
    ],
)
def test_ids_are_found_in_files_that_say_less(tmp_path: Path, mangled: bytes) -> None:
    """And text that spells them stays text, also where the tokenizer would always take it for them."""
    path = tmp_path / "mangled.gguf"
    path.write_bytes(mangled)
    engine = LlamaEngine(path, Options(threads=1))
    try:
        assert engine.tokenizer.specials == CODEGEMMA.ids
        tokens = engine.tokenizer.encode("x = '<|fim_prefix|>' + \"<|file_separator|>\"")
        assert not set(tokens) & set(CODEGEMMA.ids.values())
        generation = engine.run(replace(request_at(engine), sampling=Sampling(temperature=2.0, top_k=0, top_p=1.0)))
        assert not any(text in generation.text for text in CODEGEMMA.texts.values())
    finally:
        engine.close()


def test_counts_add_up(fresh_engine: LlamaEngine) -> None:
    request = request_at(fresh_engine)
    first, second = fresh_engine.run(request), fresh_engine.run(request)
    assert first.usage.prompt_tokens == request.prompt.tokens == first.usage.prefill_tokens
    assert (second.usage.cached_tokens, second.usage.prefill_tokens) == (request.prompt.tokens, 0)
    assert second.usage.completion_tokens >= len(second.logprobs) > 0
    assert second.mean_logprob() < 0


def test_reuse_changes_no_token(fresh_engine: LlamaEngine) -> None:
    """Invariant 7: what the cache holds may cost or save time, never change the output."""
    offsets = [AT + i for i in (0, 8, 17, 30, 31, 8, 0)]
    warm = [traced(fresh_engine, request_at(fresh_engine, offset)) for offset in offsets]
    for offset, reused in zip(offsets, warm, strict=True):
        cold_engine = LlamaEngine(model_path(BUNDLED), Options(threads=1))
        try:
            check_same(reused, traced(cold_engine, request_at(cold_engine, offset)))
        finally:
            cold_engine.close()
    assert any(one.generation.usage.cached_tokens for one in warm)


def test_two_documents_keep_their_slots(fresh_engine: LlamaEngine) -> None:
    here, there = request_at(fresh_engine), request_at(fresh_engine, SOURCE.index("def position"))
    fresh_engine.run(here)
    fresh_engine.run(there)
    assert fresh_engine.run(here).usage.prefill_tokens == 0
    assert fresh_engine.run(there).usage.prefill_tokens == 0


@pytest.mark.parametrize(("saved_mb", "read_again"), [(64, False), (0, True)])
def test_a_prompt_that_left_the_cache_comes_back_from_memory(saved_mb: int, read_again: bool) -> None:
    engine = LlamaEngine(model_path(BUNDLED), Options(threads=1, slots=1, saved_mb=saved_mb))
    try:
        here, there = request_at(engine), replace(request_at(engine), prompt=other_prompt(engine))
        first = engine.run(here)
        engine.run(there)
        assert engine.unread(here.prompt) == (here.prompt.tokens if read_again else 0)
        back = engine.run(here)
        assert (back.usage.prefill_tokens > 100) is read_again
        assert back.text == first.text
    finally:
        engine.close()


def other_prompt(engine: LlamaEngine) -> Prompt:
    text = "\n".join(f"value_{i} = {i}" for i in range(60))
    return Prompt(segments=(Text(text, "another file"),), tokens=len(engine.tokenizer.encode(text)))


def test_sampling_is_repeatable_by_seed(engine: LlamaEngine) -> None:
    engine.run(request_at(engine))  # a draw may hang on how the prompt was read: from here on it is there

    def sampled(seed: int) -> str:
        return engine.run(replace(request_at(engine), sampling=Sampling(temperature=1.0, seed=seed))).text

    assert sampled(1) == sampled(1)
    assert len({sampled(seed) for seed in range(6)}) > 1


def test_on_text_ends_generation(engine: LlamaEngine) -> None:
    seen: list[str] = []

    def on_text(text: str) -> bool:
        seen.append(text)
        return len(seen) == 3

    generation = engine.run(replace(request_at(engine), on_text=on_text))
    assert generation.finish is Finish.ON_TEXT
    assert generation.text == seen[-1]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(seen))


@pytest.mark.parametrize(
    "marked", ["def add(a, b):\n    retur<CURSOR>", "x = '\U0001f600<CURSOR>", "def f():\n  <CURSOR>"]
)
def test_healing_spells_what_was_typed_and_gives_only_what_follows(engine: LlamaEngine, marked: str) -> None:
    text, offset = at_cursor(marked)
    prompt = prompt_at(engine, text, offset)
    generation = engine.run(Request(prompt=prompt, max_tokens=12))
    spelled = prompt.forced_prefix.decode()
    assert spelled
    assert text.endswith(spelled)
    assert not generation.text.startswith(spelled) or len(spelled.strip()) == 0


def test_healing_candidates_are_all_that_may_spell(engine: LlamaEngine) -> None:
    vocabulary = engine.tokenizer
    for spell in (b"retur", b"    ", b"\n", b"(", "é".encode()):
        expected = [
            token
            for token, piece in enumerate(vocabulary.pieces)
            if piece and token not in vocabulary.controls and (piece.startswith(spell) or spell.startswith(piece))
        ]
        assert vocabulary.candidates(spell).tolist() == expected


def test_special_tokens_never_reach_the_text(engine: LlamaEngine) -> None:
    """Invariant 2, at the hottest temperature: whatever is drawn, the text is that of ordinary pieces."""
    for seed in range(5):
        generation = engine.run(
            replace(request_at(engine), sampling=Sampling(temperature=2.0, top_k=0, top_p=1.0, seed=seed))
        )
        assert generation.text
        assert not any(text in generation.text for text in CODEGEMMA.texts.values())


async def cancelled_when(engine: LlamaEngine, read: int) -> tuple[Generation, int]:
    """Cancels a long prompt once ``read`` tokens are in the cache; the outcome, and the tokens read after it."""
    cancelled = threading.Event()
    decode = engine._backend.decode
    batches: list[int] = []

    def spying(slot: int, tokens: Sequence[int], position: int, scored: int = 1) -> Decoded:
        outcome = decode(slot, tokens, position, scored)
        batches.append(len(tokens) if outcome is Decoded.DONE else 0)
        if sum(batches) >= read:
            cancelled.set()
        return outcome

    engine._backend.decode = spying  # type: ignore[method-assign]
    try:
        generation = await asyncio.to_thread(engine.run, request_at(engine), cancelled)
    finally:
        engine._backend.decode = decode  # type: ignore[method-assign]
    return generation, sum(batches) - read


async def test_cancelling_a_prefill_frees_the_engine_within_one_small_batch(fresh_engine: LlamaEngine) -> None:
    batch = fresh_engine._backend.batch_tokens
    generation, after = await cancelled_when(fresh_engine, 2 * batch)
    assert generation.finish is Finish.CANCELLED
    assert generation.usage.prefill_tokens < generation.usage.prompt_tokens
    assert after <= batch
    assert generation.usage.prefill_tokens_after_cancel <= batch
    resumed = traced(fresh_engine, request_at(fresh_engine))
    assert resumed.generation.usage.cached_tokens == generation.usage.prefill_tokens
    check_same(resumed, traced(fresh_engine, request_at(fresh_engine)))


async def test_cancelling_the_task_frees_the_engine(fresh_engine: LlamaEngine) -> None:
    """From the event loop, at many moments: the next request is answered, and nothing is left behind."""
    expected = traced(fresh_engine, request_at(fresh_engine))
    for delay in (0, 0.001, 0.005, 0.01, 0.02, 0.04, 0.08):
        task = asyncio.create_task(fresh_engine.generate(request_at(fresh_engine, AT + 40, max_tokens=200)))
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while not fresh_engine.idle:  # or the last token that it chooses would be traced too
            await asyncio.sleep(0)
        check_same(await asyncio.to_thread(traced, fresh_engine, request_at(fresh_engine)), expected)


async def test_an_abort_inside_a_batch_leaves_the_slot_true(fresh_engine: LlamaEngine) -> None:
    """The abort callback ends a batch that is being read; the cache is asked what it still holds."""
    expected = traced(fresh_engine, request_at(fresh_engine))
    stop = threading.Event()
    request = request_at(fresh_engine, SOURCE.index("def with_edit"))
    running = asyncio.create_task(asyncio.to_thread(fresh_engine.run, request, stop))
    await asyncio.sleep(0.01)
    stop.set()
    assert (await running).finish is Finish.CANCELLED
    for slot in fresh_engine._slots.all:
        assert fresh_engine._backend.trim(slot.number, len(slot.tokens)) == len(slot.tokens)
    check_same(traced(fresh_engine, request_at(fresh_engine)), expected)


def test_a_prompt_longer_than_the_context_is_refused(engine: LlamaEngine) -> None:
    prompt = Prompt(segments=(Special.BOS, Text("x = 1\n" * 2000, "too much")), tokens=0)
    with pytest.raises(PromptTooLong, match=r"The prompt has \d+ tokens and the model's context \d+; shorten it"):
        engine.run(Request(prompt=prompt, max_tokens=8))


def test_generation_ends_at_the_context(engine: LlamaEngine) -> None:
    fill = [Text("x = 1\n", "filler")] * 400
    while len(engine.tokenizer.tokens(Prompt(segments=(Special.BOS, *fill), tokens=0))) > engine.context_tokens - 4:
        fill.pop()
    generation = engine.run(Request(prompt=Prompt(segments=(Special.BOS, *fill), tokens=0), max_tokens=500))
    assert generation.usage.prompt_tokens + generation.usage.completion_tokens <= engine.context_tokens
    assert generation.usage.completion_tokens


async def test_closing_answers_what_waits(fresh_engine: LlamaEngine) -> None:
    requests = [asyncio.create_task(fresh_engine.generate(request_at(fresh_engine, max_tokens=200))) for _ in range(4)]
    await asyncio.sleep(0.01)
    await asyncio.to_thread(fresh_engine.close)
    outcomes = await asyncio.gather(*requests, return_exceptions=True)
    assert all(isinstance(o, EngineFailed | Generation) for o in outcomes)
    with pytest.raises(EngineFailed):
        await fresh_engine.generate(request_at(fresh_engine))
    fresh_engine.close()


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        pytest.param(None, ModelNotFound, "There is no model file at", id="missing"),
        pytest.param(b"", ModelUnusable, "is not a GGUF file", id="empty"),
        pytest.param(b"hello", ModelUnusable, "is not a GGUF file", id="text"),
        pytest.param(MODEL[:64], ModelUnusable, "cannot be loaded", id="header"),
        pytest.param(MODEL[: len(MODEL) // 2], ModelUnusable, "cannot be loaded", id="half"),
        pytest.param(MODEL[:-4096], ModelUnusable, "cannot be loaded", id="tail missing"),
        pytest.param(b"GGUF" + bytes(4096), ModelUnusable, "cannot be loaded", id="zeros"),
    ],
)
def test_files_that_are_no_model(tmp_path: Path, content: bytes | None, error: type[Exception], said: str) -> None:
    path = tmp_path / "broken.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=said) as raised:
        LlamaEngine(path, Options())
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("slots", "batch"), [(1, 8), (9, 8), (64, 8), (64, 64)])
def test_any_slots_and_batches_load(slots: int, batch: int) -> None:
    engine = LlamaEngine(model_path(BUNDLED), Options(context_tokens=256, slots=slots, batch_tokens=batch, threads=1))
    try:
        assert engine.run(
            Request(prompt=Prompt(segments=(Special.BOS, Text("x = 1\n" * 20, "")), tokens=0), max_tokens=2)
        ).usage.completion_tokens
    finally:
        engine.close()


def test_a_request_cancelled_in_the_queue_costs_nothing(fresh_engine: LlamaEngine) -> None:
    cancelled = threading.Event()
    cancelled.set()
    outcome = fresh_engine.run(request_at(fresh_engine), cancelled)
    assert (outcome.finish, outcome.usage.prefill_tokens) == (Finish.CANCELLED, 0)
    assert not any(slot.tokens for slot in fresh_engine._slots.all)


def test_loading_can_be_given_up() -> None:
    with pytest.raises(LoadCancelled):
        LlamaEngine(model_path(BUNDLED), Options(), lambda share: False)


def test_a_closed_engine_tokenizes_nothing(fresh_engine: LlamaEngine) -> None:
    fresh_engine.close()
    with pytest.raises(EngineFailed):
        fresh_engine.tokenizer.encode("never seen before")


def test_logprobs_are_those_of_the_model(fresh_engine: LlamaEngine) -> None:
    """Against a log-softmax in double precision over the logits that chose the token."""
    prompt = prompt_at(fresh_engine, SOURCE, AT, heal=False)
    generation = fresh_engine.run(Request(prompt=prompt, max_tokens=1))
    logits = fresh_engine._backend.logits().astype(np.float64)
    expected = logits.max() - np.log(np.exp(logits - logits.max()).sum()) - logits.max()
    if generation.logprobs:
        assert generation.logprobs[0] == pytest.approx(expected, abs=1e-4)


def test_a_smaller_cache_says_nearly_the_same(engine: LlamaEngine) -> None:
    small = LlamaEngine(model_path(BUNDLED), Options(threads=1, kv_cache=KvCache.Q8_0))
    try:
        generation = small.run(request_at(small))
        assert generation.usage.completion_tokens
        assert generation.text[:8] == engine.run(request_at(engine)).text[:8]
    finally:
        small.close()


def test_what_llama_cpp_says_of_itself_is_asked_for_once_by_any_number_of_threads() -> None:
    """Its text is one of the whole process: asked for by two loads at the same time, it aborted the server."""
    asked: list[None] = []

    def counted() -> bytes:
        asked.append(None)
        return b"AVX512 = 0"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(llama_weights, "_description", "")
        patch.setattr("llama_cpp.llama_print_system_info", counted)
        with ThreadPoolExecutor(8) as threads:
            found = set(threads.map(lambda _: llama_weights.system_info(), range(64)))
    assert (found, len(asked)) == ({"AVX512 = 0"}, 1)
