"""llama-server, driven as llama.vim drives it.

Source: autoload/llama.vim of github.com/ggml-org/llama.vim (January 2026), function by function; settings are its
defaults. Left out, which only spares the peer work: chunks of other files (its ring is filled while nothing is typed),
and a process for each request (curl), in whose stead one connection is kept.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from codegemma_lsp.bench.replay import Counters, Record
from codegemma_lsp.document import Document, Edit, Span

N_PREFIX, N_SUFFIX, N_PREDICT = 256, 64, 128
MAX_LINE_SUFFIX, MAX_CACHE_KEYS, LOOK_BACK, TRIMMED_LINES = 8, 250, 128, 3
FIRST_PREDICT_MS, AHEAD_PREDICT_MS, RETRY_S = 250, 1000, 0.1
_CUT = "Î"


class LlamaVim:
    """The editor's side: its cache, its one request at a time, its timer."""

    def __init__(self, model: Path, threads: int, context_tokens: int, predict: int = N_PREDICT) -> None:
        self.name, self._predict = "llama-server", predict
        batch = min(1024, context_tokens * 3 // 4)
        self._command = (str(model), str(threads), str(context_tokens), str(batch))
        self._cache: OrderedDict[str, str] = OrderedDict()
        self._record, self._document, self._offset = Record(), Document("", ""), 0
        self._job: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._hint = ""
        self._read = self._generated = 0

    async def start(self) -> None:
        """Raises ``RuntimeError`` where the server does not start."""
        self._server = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "codegemma_lsp.bench.peer_server",
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert self._server.stdout is not None
        while line := (await self._server.stdout.readline()).decode():
            if line.startswith("LISTENING "):
                self._http = httpx.AsyncClient(base_url=line.split()[1], timeout=600)
                self._process = psutil.Process(self._server.pid)
                return
        raise RuntimeError("llama-server did not start; see whether python -m codegemma_lsp.bench.peer_server does.")

    async def open(self, document: Document, record: Record) -> None:
        self._record, self._document = record, document
        self._cache.clear()
        self._hint = ""

    def key(self, document: Document, offset: int, edit: Edit) -> bool:
        """``CursorMovedI``: s:on_move, then llama#fim."""
        self._document, self._offset = document, offset
        self._hint = ""
        self._try_hint(reused=True)
        self._fim(None)
        return self._asks()

    def move(self, document: Document, offset: int) -> None:
        """Moves are made in normal mode, where nothing is asked."""
        self._document, self._offset, self._hint = document, offset, ""

    def _asks(self) -> bool:
        line_end = self._document.line_span(self._document.line_at(self._offset)).end
        return line_end - self._offset <= MAX_LINE_SUFFIX

    def _context(self, ahead: list[str] | None) -> tuple[str, str, str, int]:
        """s:fim_ctx_local: prefix, middle, suffix and indentation."""
        document, at = self._document, self._document.line_at(self._offset)
        lines = document.text.split("\n")
        line, column = lines[at], self._offset - document.line_span(at).start
        first = max(0, at - N_PREFIX + (len(ahead) - 1 if ahead else 0))
        before, after = lines[first:at], lines[at + 1 : at + 1 + N_SUFFIX]
        indent = len(line) - len(line.lstrip())
        if ahead:
            current = line + ahead[0] if len(ahead) == 1 else ahead[-1]
            before += [line + ahead[0], *ahead[1:-1]] if len(ahead) > 1 else []
            start, rest = current, ""
        elif not line.strip():
            start, rest, indent = "", "", 0
        else:
            start, rest = line[:column], line[column:]
        return "\n".join(before) + "\n", start, rest + "\n" + "\n".join(after) + "\n", indent

    def _fim(self, ahead: list[str] | None) -> None:
        """llama#fim: one request at a time, asked again after a moment while one is under way."""
        if self._job is not None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(RETRY_S, self._retry, ahead)
            return
        prefix, middle, suffix, indent = self._context(ahead)
        if not self._asks():
            return
        keys = [prefix + middle + _CUT + suffix]
        trimmed = prefix
        for _ in range(TRIMMED_LINES):
            trimmed = trimmed.partition("\n")[2]
            if not trimmed:
                break
            keys.append(trimmed + middle + _CUT + suffix)
        if any(self._cached(key) is not None for key in keys):
            return
        body = {
            "id_slot": 0,
            "input_prefix": prefix,
            "input_suffix": suffix,
            "input_extra": [],
            "prompt": middle,
            "n_predict": self._predict,
            "stop": [],
            "n_indent": indent,
            "top_k": 40,
            "top_p": 0.90,
            "samplers": ["top_k", "top_p", "infill"],
            "stream": False,
            "cache_prompt": True,
            "t_max_prompt_ms": 500,
            "t_max_predict_ms": AHEAD_PREDICT_MS if ahead else FIRST_PREDICT_MS,
        }
        self._job = asyncio.create_task(self._request(body, keys))

    def _retry(self, ahead: list[str] | None) -> None:
        self._timer = None
        self._fim(ahead)

    async def _request(self, body: dict[str, Any], keys: list[str]) -> None:
        """s:fim_on_response, then s:fim_on_exit."""
        try:
            answer = (await self._http.post("/infill", json=body)).json()
            timings = answer.get("timings", {})
            self._read += timings.get("prompt_n", 0)
            self._record.read(self._document.version, timings.get("prompt_n", 0))
            self._generated += timings.get("predicted_n", 0)
            if "content" in answer:
                for key in keys:
                    self._remember(key, answer["content"])
                if not self._hint:
                    self._try_hint(reused=False)
        finally:
            self._job = None

    def _try_hint(self, *, reused: bool) -> None:
        """s:fim_try_hint: what is cached for here, or for up to 128 characters back where they were typed as given."""
        prefix, middle, suffix, _ = self._context(None)
        content = self._cached(prefix + middle + _CUT + suffix)
        if content is None:
            before, best = prefix + middle, 0
            for i in range(min(LOOK_BACK, len(before) - 1)):
                known = self._cached(before[: -1 - i] + _CUT + suffix)
                if known and known.startswith(before[-1 - i :]) and len(known) - i - 1 > best:
                    content, best = known[i + 1 :], len(known) - i - 1
        if content is None:
            return
        self._show(content, reused)
        if self._hint:
            self._fim(self._hint.split("\n"))

    def _show(self, content: str, reused: bool) -> None:
        """s:fim_render: on a line of blanks, what is there already is not inserted again."""
        document, offset = self._document, self._offset
        start = document.line_span(document.line_at(offset)).start
        before = document.text[start:offset]
        if not before.strip():
            lead = len(content) - len(content.lstrip(" \t"))
            content = content[min(lead, len(before)) :]
        self._hint = content.rstrip("\n")
        self._record.answer(document.version, self._hint, Span(offset, offset), reused)

    def _cached(self, key: str) -> str | None:
        if key in self._cache:
            self._cache.move_to_end(key)
        return self._cache.get(key)

    def _remember(self, key: str, content: str) -> None:
        while len(self._cache) >= MAX_CACHE_KEYS:
            self._cache.popitem(last=False)
        self._cache[key] = content
        self._cache.move_to_end(key)

    async def close(self) -> None:
        """Lets what was asked come to its end."""
        while self._job is not None or self._timer is not None:
            await asyncio.sleep(0.01)

    async def counters(self) -> Counters:
        times = self._process.cpu_times()
        return Counters(self._read, self._generated, times.user + times.system, self._process.memory_info().rss / 1e6)

    async def cancel(self, document: Document, offset: int, after_s: float) -> tuple[float, int] | None:
        """llama.vim never does; an editor that did would close the connection. What is read then cannot be seen."""
        self._document, self._offset = document, offset
        self._cache.clear()
        self._fim(None)
        job = self._job
        if job is None:
            return None
        await asyncio.sleep(after_s)
        if job.done():
            return None
        began = time.perf_counter()
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job
        while any(slot["is_processing"] for slot in (await self._http.get("/slots")).json()):
            await asyncio.sleep(0.001)
        return 1000 * (time.perf_counter() - began), 0

    async def stop(self) -> None:
        await self._http.aclose()
        assert self._server.stdin is not None
        self._server.stdin.close()
        try:
            await asyncio.wait_for(self._server.wait(), 5)
        except TimeoutError:
            self._server.kill()
            await self._server.wait()
