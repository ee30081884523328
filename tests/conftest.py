"""The real engine on the bundled model, loaded once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
from codegemma_lsp.engines.host import client
from codegemma_lsp.engines.host.place import HostUnavailable
from codegemma_lsp.engines.protocol import Options
from codegemma_lsp.models import BUNDLED, model_path
from codegemma_lsp.models.store import stored_path
from codegemma_lsp.settings.guarded import TRUST_VARIABLE

# On CI the same examples each time; elsewhere new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


REAL = "qwen2.5-coder-0.5b"
_real_model = Path(os.environ.get("CODEGEMMA_TEST_MODEL") or stored_path(REAL)).absolute()
"""Looked up before the tests are shut off from the user's own models."""


@pytest.fixture(scope="session")
def real_model() -> Path:
    """A small model that infills and chats."""
    if not _real_model.is_file():
        pytest.skip(f"there is no real model; fetch it with: codegemma-lsp models pull {REAL}")
    return _real_model


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
        patch.setenv("CODEGEMMA_DATA", str(folder / "data"))
        patch.setenv("CODEGEMMA_STATE", str(folder / "state"))
        patch.setenv("CODEGEMMA_CACHE", str(folder / "cache"))
        patch.setenv("CODEGEMMA_HOST", str(folder / "host"))
        patch.setenv("CODEGEMMA_SHARE_MODEL", "false")  # no test finds what another has loaded, or leaves a process
        patch.setenv(TRUST_VARIABLE, "1")  # as the plugins do
        patch.setenv("HF_HOME", str(folder / "hub"))
        yield
        with suppress(HostUnavailable):  # as on Windows
            assert client.stop() is None, "a test has left a host behind"


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
