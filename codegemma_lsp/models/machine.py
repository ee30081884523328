"""The resources of this machine: its memory, and for which kinds of GPU llama.cpp was built."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_COMFORTABLE = 0.6
"""The share of the memory that a model may take. The rest is for the editor and other programs."""
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_GPU_LIBRARIES = {"cuda": "CUDA", "metal": "Metal", "vulkan": "Vulkan", "hip": "ROCm", "sycl": "SYCL"}
"""The names of llama.cpp's libraries for GPUs, and the names that users know."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine's resources. ``memory`` is in bytes, or 0 if it is unknown; then every model fits."""

    memory: int
    has_gpu: bool

    def fits(self, needed: int) -> bool:
        """Returns whether a model that needs this number of bytes leaves enough for everything else."""
        return not self.memory or needed <= _COMFORTABLE * self.memory


@cache
def this_machine() -> Machine:
    return Machine(_memory(), bool(gpu_builds()))


def _memory() -> int:
    """Returns the memory in bytes, or a container's limit if that is less."""
    total = 0
    if sys.platform == "win32":
        total = _windows_memory()
    else:
        with suppress(ValueError, OSError):
            total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):
            total = min(total, int(file.read_text("ascii")))
    return total


def _windows_memory() -> int:
    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *(
                (name, ctypes.c_ulonglong)
                for name in ("total", "free", "page", "page_free", "virtual", "v_free", "ext")
            ),
        )

    status = Status()
    status.length = ctypes.sizeof(status)
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 -- not there on other systems, for mypy neither
    return int(status.total) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else 0


def gpu_builds() -> list[str]:
    """Returns the kinds of GPU that llama.cpp was built for. It looks for the files only, because loading them would
    take a second."""
    spec = find_spec("llama_cpp")
    roots = [Path(place) / "lib" for place in (spec.submodule_search_locations or () if spec else ())]
    return [shown for name, shown in _GPU_LIBRARIES.items() if any(next(r.glob(f"*ggml-{name}*"), None) for r in roots)]
