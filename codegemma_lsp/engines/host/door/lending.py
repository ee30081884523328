"""The engines that requests may use: of the catalogue's models that are on this machine, with the user's settings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from codegemma_lsp.engines.host.pool import Pool
from codegemma_lsp.engines.protocol import ModelNotFound
from codegemma_lsp.engines.scheduler import ScheduledEngine
from codegemma_lsp.engines.selection import select_chat, select_completion
from codegemma_lsp.models import BUNDLED, CATALOGUE, resolve, store
from codegemma_lsp.models.gguf_header import trained_tokens
from codegemma_lsp.settings import Settings

_MOST_KEPT = 2
"""The number of engines that are kept while nothing is asked of them: one for completions and one for chat."""


@dataclass
class _Lent:
    engine: ScheduledEngine
    users: int = 0
    used_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A model by its name, and the number of tokens that the prompt and the answer of a request may have together, for
    a completion and in chat."""

    name: str
    context_tokens: int
    chat_context_tokens: int


class Lender:
    """Lends engines of the pool by the name of their model. Those that were used last are kept for ``idle_s`` seconds,
    so that a request need not wait for the load. Any thread may call it."""

    def __init__(self, pool: Pool, settings: Callable[[], Settings], idle_s: float) -> None:
        self._pool, self._settings, self._idle_s = pool, settings, idle_s
        self._lock = threading.Lock()
        self._lent: dict[ScheduledEngine, _Lent] = {}

    def names(self) -> list[str]:
        """Returns the models that may be asked for. A path is none."""
        found = store.here()
        return [name for name in CATALOGUE if name == BUNDLED or name in found]

    def models(self) -> list[Served]:
        """Returns what requests may ask for."""
        settings = self._settings()
        return [_served(name, settings) for name in self.names()]

    def take(self, name: str, given_up: threading.Event, *, chats: bool = False) -> ScheduledEngine:
        """Returns the engine of a model. It blocks while the model is loaded, until ``given_up`` is set. Raises what
        ``engines.load`` does."""
        engine = self._pool.take(self._settings_of(name, chats), lambda _: not given_up.is_set())
        with self._lock:
            is_known = engine in self._lent
            self._lent.setdefault(engine, _Lent(engine)).users += 1
        if is_known:
            self._pool.give_back(engine)  # once is enough
        return engine

    def take_again(self, engine: ScheduledEngine) -> None:
        """Counts one more user of an engine that has one."""
        with self._lock:
            self._lent[engine].users += 1

    def _settings_of(self, name: str, chats: bool) -> Settings:
        """Raises ``ModelNotFound``."""
        if name not in self.names():
            shown = ", ".join(self.names())
            raise ModelNotFound(f"There is no model of this name here; ask for one of: {shown}.")
        settings = self._settings()
        if chats:
            return select_chat(settings.model_copy(update={"chat_model": name})).settings
        changes = {"model": name} if _is_configured(name, settings) else {"model": name, "adapter": ""}
        return select_completion(settings.model_copy(update=changes)).settings

    def put(self, engine: ScheduledEngine) -> None:
        """Takes an engine that a request needs no more."""
        with self._lock:
            lent = self._lent[engine]
            lent.users -= 1
            lent.used_at = time.monotonic()
        self.tidy()

    def tidy(self) -> None:
        """Gives back what has not been used for long, or is more than is kept."""
        now = time.monotonic()
        with self._lock:
            unused = sorted((one for one in self._lent.values() if not one.users), key=lambda one: -one.used_at)
            old = [one for at, one in enumerate(unused) if at >= _MOST_KEPT or now - one.used_at >= self._idle_s]
            for one in old:
                del self._lent[one.engine]
        for one in old:
            self._pool.give_back(one.engine)


def _served(name: str, settings: Settings) -> Served:
    trained = trained_tokens(resolve(name)) or max(settings.context_tokens, settings.chat_context_tokens)
    return Served(
        name=name,
        context_tokens=min(trained, settings.context_tokens),
        chat_context_tokens=min(trained, settings.chat_context_tokens),
    )


def _is_configured(name: str, settings: Settings) -> bool:
    """Returns whether a name means the user's completion model, for which the user's adapter is made."""
    try:
        return select_completion(settings.model_copy(update={"adapter": ""})).settings.model == str(resolve(name))
    except ModelNotFound:
        return False
