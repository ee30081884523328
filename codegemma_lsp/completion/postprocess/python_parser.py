"""What Python's own compiler says of a text: whether it is a program, the beginning of one, or neither.

The compiler knows more than the grammar: it also finds a ``return`` outside of functions and two equal parameters.
"""

from __future__ import annotations

import re
import warnings
from codeop import PyCF_ALLOW_INCOMPLETE_INPUT  # type: ignore[attr-defined]  # missing from typeshed
from functools import lru_cache

_FILENAME = "<codegemma-lsp suggestion>"
_INCOMPLETE = "incomplete input"

# The compiler warns of some valid code, such as an escape sequence that is none. This is nothing that a user of the
# server should read, and ``warnings.catch_warnings`` is not safe with threads.
warnings.filterwarnings("ignore", module=re.escape(_FILENAME))


def is_program(source: str) -> bool:
    """Returns whether a text compiles as a file."""
    return _error(source) == ""


def may_end_here(source: str) -> bool:
    """Returns whether a line may end after a text: it is a program, or a bracket, a string over several lines or a
    block waits for more lines. The colon of a block's header may still be missing."""
    return any(_error(f"{source}{colon}\n") in ("", _INCOMPLETE) for colon in ("", ":"))


def may_go_on(source: str) -> bool:
    """Returns whether a program can begin with the tokens of a text."""
    # The compiler reads no further than the first token that is wrong. It reaches the end of a last line that claims to
    # be continued only if no token before is wrong.
    error = _error(source.rstrip().rstrip("\\") + "\\\n")
    return error in ("", _INCOMPLETE) or error.startswith("unterminated")


@lru_cache(maxsize=32)
def _error(source: str) -> str:
    """Returns the compiler's message, or "" if there is none."""
    try:
        compile(source, _FILENAME, "exec", PyCF_ALLOW_INCOMPLETE_INPUT, dont_inherit=True)
    except SyntaxError as error:
        return error.msg
    except (ValueError, OverflowError, RecursionError, MemoryError) as error:
        return str(error) or "too deep"
    return ""
