"""Writes a commit message for the staged changes."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from codegemma_lsp.chat.code import fenced
from codegemma_lsp.chat.generate import Reveal, generated, token_limits
from codegemma_lsp.chat.types import Answer, ChatContext, RequestRefused
from codegemma_lsp.engines.protocol import Finish
from codegemma_lsp.prompt import Message, Role

_TIMEOUT_S = 20.0
# A repository's own configuration may name programs; none of them is run.
_OPTIONS = ("--no-optional-locks", "--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
# -O: an order file of the repository's may be a pipe that nobody writes to.
_DIFF = (
    "diff",
    "--cached",
    "-O/dev/null",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--no-renames",
    "--submodule=short",
)
_ENVIRONMENT = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}


async def commit_message(chat: ChatContext, folder: Path) -> Answer:
    """Returns a message for the staged changes in the repository of a folder. Raises ``RequestRefused``, and what
    ``Engine.generate`` raises."""
    diff = await staged(folder)
    if not diff.strip():
        raise RequestRefused("Nothing is staged; stage what belongs together with git add, and ask again.")
    question_tokens, _ = token_limits(chat)
    diff = _shortened(diff, max(256, 2 * question_tokens))
    question = (
        "Write the commit message for this change: a subject line of at most 60 characters in the imperative, and"
        " where the reason is not plain from it, an empty line and one or two sentences that say why.\n\n"
        f"{fenced(diff, 'diff')}\n\nAnswer with the message only."
    )
    generation = await generated(chat, [Message(Role.USER, question)], reveal=Reveal.NONE)
    text = generation.text.strip().strip("`").strip()
    if not text:
        raise RequestRefused("The model had nothing to say about this change; ask again.")
    return Answer(text=text, complete=generation.finish is Finish.STOP_TOKEN)


def _git() -> str | None:
    """Returns the path of git. Entries of PATH that are not absolute are passed over: they mean the folder that git
    runs in, where a repository may have put a program of that name."""
    folders = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if Path(folder).is_absolute()]
    found = shutil.which("git", path=os.pathsep.join(folders))
    return found if found is not None and Path(found).is_absolute() else None


async def staged(folder: Path) -> str:
    """Returns the staged diff. Raises ``RequestRefused``."""
    program = _git()
    if program is None:
        raise RequestRefused("git cannot be found; install it, or add its folder to PATH.")
    try:
        git = await asyncio.create_subprocess_exec(
            program,
            *_OPTIONS,
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
    """Returns whole lines of at most ``most`` code points, and a note about the lines that are left out."""
    if len(diff) <= most:
        return diff
    kept = diff[: diff.rfind("\n", 0, most)]
    return f"{kept}\n… ({diff.count(chr(10)) - kept.count(chr(10))} more lines)"
