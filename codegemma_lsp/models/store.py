"""The models on this machine: one GGUF file for each in the user's folder, and the bundled one in this package.

``CODEGEMMA_MODELS`` names another folder. Unfinished files are in a hidden folder inside it, so that a finished file is
moved into place in one step on one disk.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path

from platformdirs import user_data_path

from codegemma_lsp.models.catalogue import BUNDLED, CATALOGUE, did_you_mean
from codegemma_lsp.models.errors import ImportRefused, ModelMissing
from codegemma_lsp.models.packaged import PACKAGED, packaged_path

FOLDER_VARIABLE = "CODEGEMMA_MODELS"
MAGIC = b"GGUF"
_SUFFIX = ".gguf"
_URL = re.compile(r"https?://", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def folder() -> Path:
    """Returns the user's folder of models, which may not exist yet."""
    given = os.environ.get(FOLDER_VARIABLE)
    return Path(given).expanduser() if given else user_data_path("codegemma-lsp", appauthor=False) / "models"


def parts_folder() -> Path:
    """Returns the folder of unfinished transfers and their locks."""
    return folder() / ".parts"


def stored_path(name: str) -> Path:
    """Returns the path of a model of this name in the store, whether it exists or not."""
    return folder() / f"{name}{_SUFFIX}"


def here() -> dict[str, Path]:
    """Returns the models in the store by name, with imported ones and without the bundled one."""
    try:
        found = sorted(path for path in folder().iterdir() if path.suffix == _SUFFIX and path.is_file())
    except OSError:
        return {}
    return {path.stem: path for path in found if is_name(path.stem)}


def known_names() -> list[str]:
    """Returns every name that ``resolve`` may accept on this machine."""
    return sorted({*CATALOGUE, *here(), *PACKAGED})


def is_name(text: str) -> bool:
    """Returns whether a text can be a model's name. Other texts are paths."""
    return _NAME.fullmatch(text) is not None and not text.endswith(_SUFFIX)


def is_url(model: str) -> bool:
    """Returns whether a ``model`` setting is the address of a server that runs the model."""
    return _URL.match(model) is not None


def model_files(path: Path) -> list[Path]:
    """Returns the files of a model: those of its folder, or the file itself, or none if there is nothing."""
    return [file for file in (path.iterdir() if path.is_dir() else [path]) if file.is_file()]


def model_path(model: str) -> Path:
    """Returns the path that a ``model`` setting means, whether or not a file exists there. Never raises.

    The setting is ``nano``, a name in the catalogue or the store, or a path, in which ``~`` is the home directory.
    """
    if model == BUNDLED:
        return Path(str(files(__package__) / "nano" / "nano.gguf"))
    if model in CATALOGUE or (is_name(model) and stored_path(model).is_file()):
        return stored_path(model)
    try:
        return Path(model).expanduser()
    except RuntimeError:  # no such user
        return Path(model)


def resolve(model: str) -> Path:
    """Returns the file or folder of a model by name, or a path as it is given, without checking that the path exists.

    Raises ``ModelMissing``, and ``NotPackaged`` for models that Python packages carry.
    """
    if model in PACKAGED:
        return packaged_path(model)
    path = model_path(model)
    if model in CATALOGUE and not path.is_file():
        raise ModelMissing(f"The model {model} is not on this machine; run: codegemma-lsp models pull {model}")
    if not path.is_absolute() and is_name(model) and not path.exists():
        raise ModelMissing(f"There is no model {model}; {did_you_mean(model, known_names())}")
    return path


@contextmanager
def new_model(name: str) -> Iterator[Path]:
    """Yields the path of a file that becomes a model of the store, unless an error is raised. Raises
    ``ImportRefused``."""
    target, unfinished = stored_path(name), parts_folder() / f"{name}.{os.getpid()}.import"
    _check_is_new(name)
    try:
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        yield unfinished
        _check_is_new(name)
        unfinished.replace(target)
    except OSError as error:
        raise ImportRefused(f"{name} cannot be written into {folder()} ({error.strerror}).") from None
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        tidy()


def _check_is_new(name: str) -> None:
    if stored_path(name).exists():
        raise ImportRefused(f"There is a model {name} already; remove it first, or give another --name.")


def put(file: Path, name: str) -> Path:
    """Puts a GGUF file into the store, as a hard link if that is possible. Raises ``ImportRefused``."""
    with new_model(name) as unfinished:
        try:
            unfinished.hardlink_to(file.resolve())
        except OSError:  # the file is on another disk, or the disk has no links
            shutil.copyfile(file, unfinished)
    return stored_path(name)


def remove(name: str) -> int:
    """Deletes a model and the remains of an interrupted transfer. Returns the number of bytes that were deleted.

    Raises ``ModelMissing``, and ``OSError`` if a file cannot be deleted.
    """
    found = [path for path in (stored_path(name), *part_files(name)) if path.is_file()] if is_name(name) else []
    if not found:
        hint = "it ships with codegemma-lsp" if name == BUNDLED else did_you_mean(name, list(here()))
        raise ModelMissing(f"There is no model {name} to remove; {hint}")
    size = sum(path.stat().st_size for path in found)
    for path in found:
        path.unlink(missing_ok=True)
    tidy()
    return size


def lock_path(name: str) -> Path:
    """Returns the file that keeps two transfers of a model apart. It is empty and is never deleted: if it were deleted
    while another process waits for it, two of them could enter."""
    return parts_folder() / f"{name}.lock"


def part_files(name: str) -> list[Path]:
    """Returns the files that interrupted transfers of a model have left."""
    return sorted(parts_folder().glob(f"{name}@*.part"))


def tidy() -> None:
    """Deletes the hidden folder if it is empty."""
    with suppress(OSError):
        parts_folder().rmdir()
