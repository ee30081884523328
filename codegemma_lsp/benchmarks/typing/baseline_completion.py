"""llama-server, used on ``/completion`` by llama.vim's client with two differences in its favour: the newest key ends
the request before it, and the prompt is the model family's own infill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codegemma_lsp.benchmarks.typing.baseline import N_PREDICT, LlamaContext, LlamaVim
from codegemma_lsp.document import Document, Edit
from codegemma_lsp.prompt import Family, Slot

_CHARS_PER_TOKEN = 2.5
"""The number of characters that a prompt may have for each token of the context, which is fewer than source code has on
average."""

_HEAD_CHARS = 200
"""The number of characters by which the beginning of the previous window is found again."""


class LlamaCompletion(LlamaVim):
    """A client whose answers are streamed, because llama-server continues one that is not streamed when its connection
    is closed.

    They are shown when they are complete. Tokens of cancelled requests are counted as far as the server reported them.
    """

    def __init__(
        self,
        model: Path,
        threads: int,
        context_tokens: int,
        family: Family,
        predict: int = N_PREDICT,
        gpu_layers: int = -1,
    ) -> None:
        super().__init__(model, threads, context_tokens, predict, gpu_layers)
        self.name, self._family = "llama-server /completion", family
        self._head = ""
        self._most_chars = int(_CHARS_PER_TOKEN * max(0, context_tokens - predict))

    def key(self, document: Document, offset: int, edit: Edit) -> bool:
        if self._job is not None:
            self._job.cancel()
            self._job = None
        return super().key(document, offset, edit)

    def _body(self, context: LlamaContext, *, ahead: bool) -> dict[str, Any]:
        suffix = (context.rest + context.suffix)[: self._most_chars // 3]
        prefix = self._window(context.prefix + context.middle, self._most_chars - self._most_chars // 3)
        texts = {Slot.PREFIX: self._family.prefix_lead + prefix, Slot.SUFFIX: suffix}
        parts = self._family.psm or self._family.spm
        prompt = "".join(texts[part] if isinstance(part, Slot) else self._family.texts[part] for part in parts)
        timed = {"t_max_predict_ms": super()._body(context, ahead=ahead)["t_max_predict_ms"]}
        return {
            "id_slot": 0,
            "prompt": prompt,
            "n_predict": self._predict,
            "temperature": 0,
            "stop": list(self._family.ends),
            "stream": True,
            "return_progress": True,
            "timings_per_token": True,
            "cache_prompt": True,
            **timed,
        }

    def _window(self, prefix: str, most_chars: int) -> str:
        """Returns the end of a prefix. It begins where the previous one began as long as it fits, so that prompts share
        their beginning with the one in the cache."""
        at = prefix.find(self._head) if self._head else -1
        if at < 0 or len(prefix) - at > most_chars:
            at = max(0, len(prefix) - most_chars * 3 // 4)
            at = prefix.find("\n", at) + 1 if at else 0
            self._head = prefix[at : at + _HEAD_CHARS]
        return prefix[at:]

    async def _content(self, body: dict[str, Any]) -> str:
        content, prefill_tokens, completion_tokens = "", 0, 0
        try:
            async with self._http.stream("POST", "/completion", json=body) as answer:
                answer.raise_for_status()
                async for line in answer.aiter_lines():
                    if not line.startswith("data: "):
                        continue
                    chunk = json.loads(line.removeprefix("data: "))
                    content += chunk.get("content", "")
                    progress, timings = chunk.get("prompt_progress", {}), chunk.get("timings", {})
                    prefill_tokens = max(prefill_tokens, progress.get("processed", 0) - progress.get("cache", 0))
                    prefill_tokens = timings.get("prompt_n", prefill_tokens)
                    completion_tokens = timings.get("predicted_n", completion_tokens)
        finally:
            self._count(prefill_tokens, completion_tokens)
        return content
