"""The commands that install what optional features need."""

from __future__ import annotations

import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError, requires

_DISTRIBUTION = "codegemma-lsp"


def install_command(extra: str) -> str:
    """Returns the command that installs the packages of an extra for the running Python. It names each package, so that
    it also works for a checkout."""
    try:
        requirements = requires(_DISTRIBUTION) or ()
    except PackageNotFoundError:
        requirements = ()
    marker = re.compile(rf"""extra\s*==\s*["']{re.escape(extra)}["']""")
    needed = [one.partition(";")[0].strip() for one in requirements if marker.search(one)]
    return shlex.join([sys.executable, "-m", "pip", "install", *(needed or [f"{_DISTRIBUTION}[{extra}]"])])
