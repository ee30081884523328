"""Models: the catalogue, the store on this machine, the choice between them, and how they are fetched."""

from codegemma_lsp.models.catalogue import BUNDLED, CATALOGUE
from codegemma_lsp.models.errors import ModelError, ModelMissing
from codegemma_lsp.models.store import model_files, model_path, resolve

DEMO_CHAT = "smollm2-135m"
"""The packaged model that answers where there is no better chat model."""

__all__ = [
    "BUNDLED",
    "CATALOGUE",
    "DEMO_CHAT",
    "ModelError",
    "ModelMissing",
    "model_files",
    "model_path",
    "resolve",
]
