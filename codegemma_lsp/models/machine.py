"""What this machine has for models: memory, and whether llama.cpp was built for a GPU."""

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
"""Share of the memory that a model may take: the rest is for the editor and whatever else runs."""
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_GPU_LIBRARIES = ("*ggml-cuda*", "*ggml-metal*", "*ggml-vulkan*", "*ggml-hip*", "*ggml-sycl*")


@dataclass(frozen=True, slots=True)
class Machine:
    """``memory`` is in bytes, 0 where it is unknown: then every model fits."""

    memory: int
    has_gpu: bool

    def fits(self, needed: int) -> bool:
        """Whether a model that needs so many bytes leaves enough for everything else."""
        return not self.memory or needed <= _COMFORTABLE * self.memory


@cache
def this_machine() -> Machine:
    return Machine(_memory(), _has_gpu())


def _memory() -> int:
    """Memory in bytes, or a container's limit where that is less."""
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


def _has_gpu() -> bool:
    """Whether llama.cpp's libraries include one for a GPU. Looked up and not loaded, which would take a second."""
    spec = find_spec("llama_cpp")
    roots = [Path(place) / "lib" for place in (spec.submodule_search_locations or () if spec else ())]
    return any(next(root.glob(pattern), None) for root in roots for pattern in _GPU_LIBRARIES)
