"""The real engine on the bundled model, loaded once."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from codegemma_lsp.engines.base import Options
from codegemma_lsp.engines.llama import LlamaEngine
from codegemma_lsp.models import BUNDLED, model_path

# On CI the same examples each time; elsewhere new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


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
