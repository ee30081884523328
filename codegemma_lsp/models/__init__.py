"""Where models are. The bundled one, ``nano``, is a data file of this package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

BUNDLED = "nano"
DEMO_CHAT = "smollm2-135m"
"""The packaged model that answers where no chat model is set."""


def model_files(path: Path) -> list[Path]:
    """The files of a model: its folder's, or itself; none where there is nothing."""
    return [file for file in (path.iterdir() if path.is_dir() else [path]) if file.is_file()]


def model_path(model: str) -> Path:
    """The GGUF file that a ``model`` setting names: ``nano``, or a path, in which ``~`` is the home directory."""
    if model == BUNDLED:
        return Path(str(files(__package__) / "nano" / "nano.gguf"))
    try:
        return Path(model).expanduser()
    except RuntimeError:  # no such user
        return Path(model)
