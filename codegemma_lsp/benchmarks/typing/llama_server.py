"""Starts and stops a llama-server process."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx
import psutil

_KEPT_S = 2.0
"""The number of seconds for which an idle connection is used again. llama-server closes it after 5."""


class LlamaServer:
    """A llama-server process. Call ``start`` before ``http`` and ``process`` are used. Its batches have
    ``batch_tokens``."""

    http: httpx.AsyncClient
    process: psutil.Process

    def __init__(self, model: Path, threads: int, context_tokens: int, batch_tokens: int, gpu_layers: int = -1) -> None:
        self._command = (str(model), *map(str, (threads, context_tokens, batch_tokens, gpu_layers)))
        self.kernels = ""

    async def start(self) -> None:
        """Raises ``RuntimeError`` if the server does not start."""
        self._server = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "codegemma_lsp.benchmarks.typing.baseline_server",
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl+C must reach only the benchmark; this server ends with its input
        )
        assert self._server.stdout is not None
        while line := (await self._server.stdout.readline()).decode(errors="replace"):
            if line.startswith("KERNELS "):
                self.kernels = line.removeprefix("KERNELS ").strip()
            if line.startswith("LISTENING "):
                limits = httpx.Limits(keepalive_expiry=_KEPT_S)
                self.http = httpx.AsyncClient(base_url=line.split()[1], timeout=600, limits=limits)
                self.process = psutil.Process(self._server.pid)
                return
        await self._server.wait()
        raise RuntimeError(
            "llama-server did not start; this says why:"
            f" python -m codegemma_lsp.benchmarks.typing.baseline_server {' '.join(self._command)}"
        )

    async def stop(self) -> None:
        if self._server.returncode is None and hasattr(self, "http"):
            await self.http.aclose()
        assert self._server.stdin is not None
        self._server.stdin.close()
        try:
            await asyncio.wait_for(self._server.wait(), 5)
        except TimeoutError:
            self._server.kill()
            await self._server.wait()
