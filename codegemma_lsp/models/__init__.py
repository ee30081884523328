"""Models: the catalogue, the store on this machine, the choice between models, and downloads."""

from codegemma_lsp.models.catalogue import BUNDLED, CATALOGUE
from codegemma_lsp.models.choice import AUTO, CHAT_SLOTS, DEMO_CHAT, Choice, chat_model, completion_model
from codegemma_lsp.models.errors import ModelError, ModelMissing
from codegemma_lsp.models.store import is_url, model_files, model_path, resolve

__all__ = [
    "AUTO",
    "BUNDLED",
    "CATALOGUE",
    "CHAT_SLOTS",
    "DEMO_CHAT",
    "Choice",
    "ModelError",
    "ModelMissing",
    "chat_model",
    "completion_model",
    "is_url",
    "model_files",
    "model_path",
    "resolve",
]
