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


@pytest.fixture(scope="session", autouse=True)
def _alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests, and what they start, know nothing of the user's own models, settings and login."""
    ours = ("CODEGEMMA_", "HF_", "HUGGING_FACE_", "HUGGINGFACE_")
    kept = ("CODEGEMMA_TEST_",)
    folder = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(ours) and not name.startswith(kept)]:
            patch.delenv(name)
        patch.setenv("CODEGEMMA_MODELS", str(folder / "models"))
        patch.setenv("CODEGEMMA_CONFIG", str(folder / "config.toml"))
        patch.setenv("HF_HOME", str(folder / "hub"))
        yield


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
