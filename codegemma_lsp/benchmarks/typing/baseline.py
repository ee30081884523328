"""llama-server, used as llama.vim uses it.

Source: autoload/llama.vim of github.com/ggml-org/llama.vim (January 2026), function by function, with its default
settings. Two things are left out, which only saves it work: chunks of other files, because its ring is filled while
nothing is typed, and a process for each request (curl), which is replaced by one kept connection. It samples without a
seed, so that no two runs are equal.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from codegemma_lsp.benchmarks.typing.llama_server import LlamaServer
from codegemma_lsp.benchmarks.typing.replay import Counters, Record
from codegemma_lsp.benchmarks.typing.screen import Shown
from codegemma_lsp.benchmarks.typing.typist import Part
from codegemma_lsp.document import Document, Edit, Span

N_PREFIX, N_SUFFIX, N_PREDICT = 256, 64, 128
MAX_LINE_SUFFIX, MAX_CACHE_KEYS, LOOK_BACK, TRIMMED_LINES = 8, 250, 128, 3
FIRST_PREDICT_MS, AHEAD_PREDICT_MS, RETRY_S = 250, 1000, 0.1
_CUT = "Î"


class LlamaVim:
    """The editor's part: its cache, its one request at a time, its timer, and the hint that it shows."""

    def __init__(
        self, model: Path, threads: int, context_tokens: int, predict: int = N_PREDICT, gpu_layers: int = -1
    ) -> None:
        self.name, self.threads, self._predict = "llama-server", threads, predict
        batch = min(1024, context_tokens * 3 // 4)
        self._server = LlamaServer(model, threads, context_tokens, batch, gpu_layers)
        self.kernels = ""
        self._cache: OrderedDict[str, str] = OrderedDict()
        self._record, self._document, self._offset = Record(), Document(uri="", text=""), 0
        self._job: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._hint: list[str] | None = None
        self._can_accept, self._indent = False, 0
        self._read = self._generated = 0

    async def start(self) -> None:
        """Raises ``RuntimeError`` if the server does not start."""
        await self._server.start()
        self._http, self.kernels = self._server.http, self._server.kernels

    async def open(self, document: Document, record: Record) -> None:
        self._record, self._document = record, document
        self._cache.clear()
        self._hint = None

    def key(self, document: Document, offset: int, edit: Edit) -> bool:
        """Does what ``CursorMovedI`` does: s:on_move, then llama#fim."""
        self._document, self._offset, self._hint = document, offset, None
        self._record.screen.edit(edit)
        self._try_hint(reused=True)
        if self._hint is None:
            self._record.screen.clear()
        self._fim(None)
        return self._record.first(document.version) is not None or len(self._context(None).rest) <= MAX_LINE_SUFFIX

    def move(self, document: Document, offset: int) -> None:
        """Handles a move, which is made in normal mode, where nothing is asked."""
        self._document, self._offset, self._hint = document, offset, None
        self._record.screen.clear()

    def accept(self, shown: Shown, part: Part) -> None:
        """Does nothing, because llama#fim_accept sends nothing to the server."""

    def _lines(self) -> list[str]:
        """Returns the lines as Vim counts them: a line end at the text's end begins no further line."""
        lines = self._document.text.split("\n")
        return lines[:-1] if not lines[-1] and len(lines) > 1 + self._at() else lines

    def _at(self) -> int:
        return self._document.line_at(self._offset)

    def _column(self) -> int:
        return self._offset - self._document.line_span(self._at()).start

    def _context(self, ahead: list[str] | None, at: int | None = None) -> LlamaContext:
        """Does what s:fim_ctx_local does, as if ``ahead`` were accepted."""
        at = self._at() if at is None else at
        lines = self._lines()
        line = lines[at] if at < len(lines) else ""
        first = max(0, at - N_PREFIX + (len(ahead) - 1 if ahead else 0))
        before, after = lines[first:at], lines[at + 1 : at + 1 + N_SUFFIX]
        indent, rest = len(line) - len(line.lstrip()), ""
        if ahead:
            middle, indent = line + ahead[0] if len(ahead) == 1 else ahead[-1], self._indent
            before += [line + ahead[0], *ahead[1:-1]] if len(ahead) > 1 else []
        elif not line.strip():
            middle, indent = "", 0
        else:
            middle, rest = line[: self._column()], line[self._column() :]
        return LlamaContext(
            prefix="\n".join(before) + "\n",
            middle=middle,
            rest=rest,
            suffix="\n" + "\n".join(after) + "\n",
            indent=indent,
        )

    def _fim(self, ahead: list[str] | None, at: int | None = None) -> None:
        """Does what llama#fim does: it makes one request at a time, and tries again after a moment while one is
        running."""
        if self._job is not None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(RETRY_S, self._retry, ahead, at)
            return
        context = self._context(ahead, at)
        keys = [context.key()]
        if len(context.rest) > MAX_LINE_SUFFIX:
            return
        for _ in range(TRIMMED_LINES):
            context = replace(context, prefix=context.prefix.partition("\n")[2])
            if not context.prefix:
                break
            keys.append(context.key())
        if any(self._cached(key) is not None for key in keys):
            return
        context = self._context(ahead, at)
        self._indent = context.indent
        self._job = asyncio.create_task(self._request(self._body(context, ahead=bool(ahead)), keys))

    def _body(self, context: LlamaContext, *, ahead: bool) -> dict[str, Any]:
        return {
            "id_slot": 0,
            "input_prefix": context.prefix,
            "input_suffix": context.rest + context.suffix,
            "input_extra": [],
            "prompt": context.middle,
            "n_predict": self._predict,
            "stop": [],
            "n_indent": context.indent,
            "top_k": 40,
            "top_p": 0.90,
            "samplers": ["top_k", "top_p", "infill"],
            "stream": False,
            "cache_prompt": True,
            "t_max_prompt_ms": 500,
            "t_max_predict_ms": AHEAD_PREDICT_MS if ahead else FIRST_PREDICT_MS,
        }

    def _retry(self, ahead: list[str] | None, at: int | None) -> None:
        self._timer = None
        self._fim(ahead, at)

    async def _request(self, body: dict[str, Any], keys: list[str]) -> None:
        """Does what s:fim_on_response does, then s:fim_on_exit."""
        try:
            content = await self._content(body)
            for key in keys:
                self._remember(key, content)
            if self._hint is None or not self._can_accept:
                self._try_hint(reused=False)
        except (httpx.HTTPError, ValueError, KeyError) as error:
            self._record.fail(f"llama-server failed ({type(error).__name__}: {error}).")
        finally:
            if self._job is asyncio.current_task():
                self._job = None

    async def _content(self, body: dict[str, Any]) -> str:
        answer = (await self._http.post("/infill", json=body)).raise_for_status().json()
        timings = answer["timings"]
        self._count(timings["prompt_n"], timings["predicted_n"])
        return str(answer["content"])

    def _count(self, prefill_tokens: int, completion_tokens: int) -> None:
        self._read += prefill_tokens
        self._generated += completion_tokens
        self._record.add_prefill(self._document.version, prefill_tokens)
        self._record.completion_tokens[self._document.version] = completion_tokens

    def _try_hint(self, *, reused: bool) -> None:
        """Does what s:fim_try_hint does: it uses what is cached for this position, or for up to 128 characters before
        it if they were typed as suggested."""
        context = self._context(None)
        content = self._cached(context.key())
        if content is None:
            before, best = context.prefix + context.middle, 0
            for i in range(min(LOOK_BACK, len(before) - 1)):
                known = self._cached(before[: -1 - i] + _CUT + context.rest + context.suffix)
                if not known or not known.startswith(before[-1 - i :]) or len(known) == i + 1:
                    continue
                # llama.vim does not record the first match as the best one, so neither does this.
                if content is None:
                    content = known[i + 1 :]
                elif len(known) - i - 1 > best:
                    content, best = known[i + 1 :], len(known) - i - 1
        if content is not None:
            self._render(content, reused)
            self._fim(self._hint, self._at())

    def _render(self, content: str, reused: bool) -> None:
        """Does what s:fim_render does: it drops what repeats the text that follows and, on a line of blanks, the blanks
        that already exist."""
        at, column, lines = self._at(), self._column(), self._lines()
        line = lines[at] if at < len(lines) else ""
        parts = content.rstrip("\n").split("\n")
        self._can_accept = bool(content.rstrip("\n"))
        if not line.strip():
            lead = min(len(parts[0]) - len(parts[0].lstrip()), len(line))
            line, parts[0] = parts[0][:lead], parts[0][lead:]
        if repeats(parts, line[:column], line[column:], lines[at + 1 :]):
            parts = [""]
        insert = "\n".join(parts)
        parts[-1] += line[column:]
        self._can_accept = self._can_accept and bool("".join(parts).strip())
        self._hint = parts
        shown = insert if self._can_accept else ""
        self._record.answer(self._document.version, shown, Span(self._offset, self._offset), reused)
        self._record.screen.show(self._offset, shown)

    def _cached(self, key: str) -> str | None:
        if key in self._cache:
            self._cache.move_to_end(key)
        return self._cache.get(key)

    def _remember(self, key: str, content: str) -> None:
        while len(self._cache) >= MAX_CACHE_KEYS:
            self._cache.popitem(last=False)
        self._cache[key] = content
        self._cache.move_to_end(key)

    async def settle(self) -> None:
        await self.close()

    async def close(self) -> None:
        """Waits until the running request is finished."""
        while self._job is not None or self._timer is not None:
            await asyncio.sleep(0.01)
        self._record.check()

    async def counters(self) -> Counters:
        times, rss = self._server.process.cpu_times(), self._server.process.memory_info().rss / 1e6
        return Counters(
            prefill_tokens=self._read,
            completion_tokens=self._generated,
            rejected_tokens=0,
            cpu_s=times.user + times.system,
            rss_mb=rss,
        )

    async def cancel(self, document: Document, offset: int, after_s: float) -> tuple[float, int | None] | None:
        """Closes the connection of a request, which llama.vim never does but an editor could do. The tokens prefilled
        then are not known."""
        await self.close()
        self._document, self._offset, self._hint = document, offset, None
        self._cache.clear()
        self._fim(None)
        job = self._job
        if job is None:
            return None
        await asyncio.sleep(after_s)
        if job.done():
            await self.close()
            return None
        began = time.perf_counter()
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job
        while any(slot["is_processing"] for slot in (await self._http.get("/slots")).json()):
            await asyncio.sleep(0.001)
        return 1000 * (time.perf_counter() - began), None

    async def stop(self) -> None:
        await self._server.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class LlamaContext:
    """A prompt's parts. ``rest`` follows the cursor on its line, and ``suffix`` begins with that line's end."""

    prefix: str
    middle: str
    rest: str
    suffix: str
    indent: int

    def key(self) -> str:
        return self.prefix + self.middle + _CUT + self.rest + self.suffix


def repeats(content: list[str], before: str, rest: str, below: list[str]) -> bool:
    """Returns whether a suggestion equals what follows anyway: the next lines, the rest of its line, or lines below
    blank ones."""
    if len(content) > 1 and not content[0] and content[1:] == below[: len(content) - 1]:
        return True
    if content == [rest]:
        return True
    first = next((i for i, line in enumerate(below[:-1]) if line.strip()), max(0, len(below) - 1))
    nonblank = below[first:]
    if not nonblank or before + content[0] != nonblank[0]:
        return False
    if len(content) == 2:
        return len(nonblank) > 1 and nonblank[1].startswith(content[1])
    return content[1:] == nonblank[1 : len(content)]
