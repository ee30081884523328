"""Renders a chat template, in this process or, as a program of its own, within limits.

A template comes with a model's file and is a program: ``{{ 9**(9**9) }}`` would hold the interpreter for ever. The
sandbox keeps a template from the system, and not from time and memory. As a program, this module imports nothing of
the package, reads a JSON object with the arguments of ``render`` from stdin, and writes a JSON string or null.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

_SECONDS = 10.0
"""How long a template may take, with the start of an interpreter on a busy machine."""
_PROCESSOR_SECONDS = 3
_MOST_BYTES = 1_000_000_000
"""The memory that a template may take, with the interpreter's."""
_MOST_RENDERED = 1_000_000
"""Code points of the text that a template may write."""


class TemplateTooCostly(Exception):
    """A template took more time or memory than it may."""


def render(template: str, messages: Sequence[Mapping[str, str]], bos: str, eos: str) -> str | None:
    """Returns what a template makes of messages, or None if it raises."""
    try:
        rendered = _compiled(template).render(
            messages=messages, add_generation_prompt=True, bos_token=bos, eos_token=eos
        )
    except Exception:  # a template is a program that the model's maker wrote
        return None
    return rendered if len(rendered) <= _MOST_RENDERED else None


@lru_cache(maxsize=4)
def _compiled(template: str) -> jinja2.Template:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = _refuse
    return environment.from_string(template)


def _refuse(message: str) -> str:
    raise jinja2.TemplateError(message)


def render_within_limits(template: str, messages: Sequence[Mapping[str, str]], bos: str, eos: str) -> str | None:
    """Returns ``render`` of a process that has ten seconds, and on POSIX systems a gigabyte of memory. Raises
    ``TemplateTooCostly``."""
    given = json.dumps({"template": template, "messages": list(messages), "bos": bos, "eos": eos})
    try:
        # -P: the folder of this file is no place to import from.
        done = subprocess.run(
            [sys.executable, "-P", __file__],
            input=given.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        found: str | None = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise TemplateTooCostly from error
    return found


def _limit_this_process() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    for limit, most in (
        (resource.RLIMIT_CPU, _PROCESSOR_SECONDS),
        (resource.RLIMIT_AS, _MOST_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # not every system has every limit
            resource.setrlimit(limit, (most, most))


if __name__ == "__main__":
    _limit_this_process()
    sys.stdout.write(json.dumps(render(**json.load(sys.stdin))))
