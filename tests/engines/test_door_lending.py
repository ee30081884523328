"""What the door loads for a model that a request names, without loading it."""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from codegemma_lsp.engines.host.door.lending import Lender
from codegemma_lsp.models import model_path
from codegemma_lsp.models.gguf_header import trained_tokens
from codegemma_lsp.models.store import FOLDER_VARIABLE
from codegemma_lsp.settings import Settings

NANO, OTHER = "nano", "qwen2.5-coder-0.5b"


@dataclass
class NotedPool:
    """Notes what it is to load."""

    taken: list[Settings] = field(default_factory=list)

    def take(self, settings: Settings, _: Any) -> object:
        self.taken.append(settings)
        return object()


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    path = tmp_path / f"{OTHER}.gguf"
    path.write_bytes(b"GGUF")
    return path


def loaded(name: str, settings: Settings, *, chats: bool = False) -> Settings:
    pool = NotedPool()
    Lender(cast(Any, pool), lambda: settings, 60.0).take(name, threading.Event(), chats=chats)
    return pool.taken[0]


@pytest.mark.parametrize("model", [NANO, str(model_path(NANO))])
def test_the_adapter_is_for_the_users_completion_model(model: str, store: Path) -> None:
    settings = Settings(model=model, adapter="/adapter.gguf")
    assert (loaded(NANO, settings).model, loaded(NANO, settings).adapter) == (str(model_path(NANO)), "/adapter.gguf")
    assert (loaded(OTHER, settings).model, loaded(OTHER, settings).adapter) == (str(store), "")
    assert loaded(NANO, settings, chats=True).adapter == ""


@pytest.mark.parametrize("model", ["http://127.0.0.1:1", "codegemma-7b", "/none.gguf"])
def test_no_model_has_the_adapter_of_one_that_is_not_here(model: str) -> None:
    assert loaded(NANO, Settings(model=model, adapter="/adapter.gguf")).adapter == ""


def test_chat_has_a_context_of_its_own() -> None:
    settings = Settings(context_tokens=1000, chat_context_tokens=3000, chat_model=OTHER)
    assert loaded(NANO, settings).context_tokens == 1000
    chat = loaded(NANO, settings, chats=True)
    assert (chat.model, chat.context_tokens, chat.saved_prompts_mb) == (str(model_path(NANO)), 3000, 0)


def test_no_model_is_said_to_take_more_than_it_does() -> None:
    lender = Lender(cast(Any, NotedPool()), lambda: Settings(context_tokens=900, chat_context_tokens=3000), 60.0)
    lengths = {one.name: (one.context_tokens, one.chat_context_tokens) for one in lender.models()}
    assert lengths == {NANO: (900, 1024), OTHER: (900, 3000)}


@pytest.mark.parametrize("size", [0, 3, 20, 40, 100])
def test_a_header_that_was_cut_says_nothing(tmp_path: Path, size: int) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(model_path(NANO).read_bytes()[:size])
    assert trained_tokens(cut) is None
    assert trained_tokens(tmp_path / "none.gguf") is None


@pytest.mark.parametrize("key", [struct.pack("<QIQ", 0, 8, 2**64 - 1), struct.pack("<QIIQ", 0, 9, 9, 9), b"\xff" * 99])
def test_a_header_of_nonsense_says_nothing(tmp_path: Path, key: bytes) -> None:
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60) + 3 * key)
    assert trained_tokens(wrong) is None
