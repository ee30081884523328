"""A commit message from what is staged."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from codegemma_lsp.chat.code import fenced
from codegemma_lsp.chat.generate import generated, rooms
from codegemma_lsp.chat.types import Answer, OnDelta, RequestRefused
from codegemma_lsp.engines.protocol import Engine, Finish
from codegemma_lsp.prompt import Message, Role
from codegemma_lsp.settings import Settings

_TIMEOUT_S = 20.0
# A repository's own configuration may name programs; none of them is run.
_GIT = ("git", "--no-optional-locks", "--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_DIFF = ("diff", "--cached", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--submodule=short")
_ENVIRONMENT = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}


async def commit_message(folder: Path, engine: Engine, settings: Settings, on_delta: OnDelta) -> Answer:
    """A message for what is staged in the repository of a folder. Raises ``RequestRefused``, and what
    ``Engine.generate`` raises."""
    diff = await staged(folder)
    if not diff.strip():
        raise RequestRefused("Nothing is staged; stage what belongs together with git add, and ask again.")
    room, _ = rooms(engine, settings)
    diff = _shortened(diff, max(256, 2 * room))
    question = (
        "Write the commit message for this change: a subject line of at most 60 characters in the imperative, and"
        " where the reason is not plain from it, an empty line and one or two sentences that say why.\n\n"
        f"{fenced(diff, 'diff')}\n\nAnswer with the message only."
    )
    generation = await generated([Message(Role.USER, question)], engine, settings, on_delta)
    text = generation.text.strip().strip("`").strip()
    if not text:
        raise RequestRefused("The model had nothing to say about this change; ask again.")
    return Answer(text, complete=generation.finish is Finish.STOP_TOKEN)


async def staged(folder: Path) -> str:
    """The staged diff. Raises ``RequestRefused``."""
    try:
        git = await asyncio.create_subprocess_exec(
            *_GIT,
            *_DIFF,
            cwd=folder,
            env={**os.environ, **_ENVIRONMENT},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RequestRefused(f"git cannot be run in {folder} ({reason}); install it, or open the folder.") from None
    try:
        out, problem = await asyncio.wait_for(git.communicate(), _TIMEOUT_S)
    except (TimeoutError, asyncio.CancelledError) as error:
        git.kill()
        await git.wait()
        if isinstance(error, asyncio.CancelledError):
            raise
        raise RequestRefused(f"git took more than {_TIMEOUT_S:.0f} seconds to say what is staged; ask again.") from None
    if git.returncode:
        reason = problem.decode(errors="replace").strip().split("\n")[0] or f"code {git.returncode}"
        raise RequestRefused(f"git cannot say what is staged in {folder} ({reason}).")
    return out.decode(errors="replace")


def _shortened(diff: str, most: int) -> str:
    """At most ``most`` code points, whole lines, and a word where lines are missing."""
    if len(diff) <= most:
        return diff
    kept = diff[: diff.rfind("\n", 0, most)]
    return f"{kept}\n… ({diff.count(chr(10)) - kept.count(chr(10))} more lines)"
