"""The real engine on the bundled model, loaded once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from codegemma_lsp.engines.llama import LlamaEngine, Options
from codegemma_lsp.models import BUNDLED, model_path


@pytest.fixture(scope="session")
def engine() -> Iterator[LlamaEngine]:
    engine = LlamaEngine(model_path(BUNDLED), Options(threads=1))
    yield engine
    engine.close()


@pytest.fixture
def fresh_engine() -> Iterator[LlamaEngine]:
    """An engine whose cache is empty."""
    engine = LlamaEngine(model_path(BUNDLED), Options(threads=1))
    yield engine
    engine.close()
