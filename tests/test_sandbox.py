"""Programs of models are judged by tests in another process, behind walls of the system."""

from __future__ import annotations

import ast
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegemma_lsp.benchmarks.sandbox import judging
from codegemma_lsp.benchmarks.sandbox.values import Other, decoded, encoded

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")
REPOSITORY = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("program", "verdict"),
    [
        ("assert sum([1, 2]) == 3", ""),
        ("print('hello')", ""),
        ("assert False", "AssertionError"),
        ("def f(:", "SyntaxError"),
        ("raise SystemExit(0)", "SystemExit"),
        ("import os\nos._exit(0)", "killed"),
        ("while True:\n    pass", "timeout"),
        ("x = 'a' * 10 ** 10", "MemoryError"),
        ("def f():\n    f()\nf()", "RecursionError"),
        ("b'\\xff'.decode()", "UnicodeDecodeError"),
        ("class Own(Exception): ...\nraise Own", "Own"),
        ("open('written', 'w')", "PermissionError"),
        ("import socket\nsocket.socket()", "PermissionError"),
        ("import subprocess\nsubprocess.run(['true'])", "PermissionError"),
        ("import os\nos.remove(__import__('tempfile').__file__)", "PermissionError"),
        ("import sqlite3\nsqlite3.connect('made.db')", "PermissionError"),
        ("import multiprocessing.util as u\nu.spawnv_passfds(b'/bin/true', [b'true'], [])", "TypeError"),
        ("from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    x: int", ""),
        ("import asyncio\nasync def f():\n    pass\nasyncio.run(f())", ""),
        ("import os\nopen(os.devnull, 'w').write('x')\nos.environ['A'] = '1'", ""),
    ],
)
def test_a_program_without_a_test(program: str, verdict: str) -> None:
    judged = judging.run(program, seconds=1.0 if verdict == "timeout" else 10.0)
    assert (judged.passed, judged.reason) == (verdict == "", verdict)


TEST = "def check(f):\n    assert f([3, 1]) == [1, 3]\n    assert f(()) == []\ncheck(ordered)\n"
RIGHT = "def ordered(values):\n    return sorted(values)\n"


@pytest.mark.parametrize(
    ("program", "verdict"),
    [
        (RIGHT, ""),
        ("ordered = sorted", ""),
        ("class Sorter:\n    def __call__(self, values): return sorted(values)\nordered = Sorter()", ""),
        ("def ordered(values):\n    return values", "AssertionError"),
        ("def ordered(values):\n    return tuple(sorted(values))", "AssertionError"),
        ("def ordered(values):\n    return values[9]", "IndexError"),
        ("def ordered(values):\n    while True: pass", "timeout"),
        ("def other(values): ...", "NameError"),
        ("", "NameError"),
        # These forge the verdict, or the values that the test sees.
        ("class Same(list):\n    def __eq__(self, other): return True\ndef ordered(values): return Same()",
         "AssertionError"),
        ("class Same:\n    def __eq__(self, other): return True\ndef ordered(values): return Same()", "AssertionError"),
        ("import sys\nsys.modules['__main__'].check = print\ndef ordered(values): ...\ndef check(f): ...",
         "AssertionError"),
        ("import builtins\nbuiltins.AssertionError = ZeroDivisionError\ndef ordered(values): ...", "AssertionError"),
        ("import os\nfor one in range(32):\n    try: os.write(one, b'{\"value\": null}\\n')\n"
         "    except OSError: pass\nos._exit(0)", "killed"),
        ("import os\nfor one in range(32):\n    try: os.write(one, b'{\"passed\": true, \"reason\": \"\"}\\n' * 9)\n"
         "    except OSError: pass", "KeyError"),
        ("import os\ndef ordered(values):\n    os._exit(0)", "killed"),
        ("def ordered(values):\n    raise SystemExit(0)", "SystemExit"),
        ("def ordered(values):\n    yield from sorted(values)", "AssertionError"),
        ("import sys\nframe, found = sys._getframe(), ''\nwhile frame:\n    found += repr(frame.f_locals)\n"
         "    frame = frame.f_back\nassert '[1, 3]' not in found\ndef ordered(values): ...", "AssertionError"),
    ],
)  # fmt: skip
def test_a_test_sees_what_the_program_returns_and_nothing_of_the_program(program: str, verdict: str) -> None:
    judged = judging.run(program, TEST, seconds=1.0 if verdict == "timeout" else 10.0)
    assert (judged.passed, judged.reason) == (verdict == "", verdict)


@pytest.mark.parametrize(
    ("program", "test", "verdict"),
    [
        ("def f(n):\n    yield from range(n)", "assert list(f(3)) == [0, 1, 2]\nassert next(f(1)) == 0", ""),
        ("def f(n):\n    return range(n)", "assert f(3) == range(3)", ""),
        ("LIMIT = 3\ndef f(n):\n    return n < LIMIT", "assert f(LIMIT - 1) and not f(LIMIT)", ""),
        ("class Own(ValueError): ...\ndef f():\n    raise Own", "try:\n    f()\nexcept ValueError:\n    pass", ""),
        ("def f():\n    b'\\xff'.decode()", "try:\n    f()\nexcept ValueError:\n    pass", ""),
        ("class Own(ValueError): ...\ndef f():\n    raise Own", "f()", "Own"),
        ("def f(): ...", "print(f())", ""),
        ("def f(): ...", "import sys\nsys.exit(0)", "SystemExit"),
        ("import os\ndef f():\n    os._exit(0)", "try:\n    f()\nexcept Exception:\n    pass", "killed"),
        ("def f():\n    while True: ...", "try:\n    f()\nexcept:\n    pass", "timeout"),
        ("def f(n):\n    return {k * (2 ** 61 - 1) for k in range(n)}", "f(30_000)", "timeout"),
        ("import time\ntime.sleep(99)\ndef f(text): ...", "f('x' * 3_000_000)", "timeout"),
    ],
)
def test_a_test_may_do_what_tests_do(program: str, test: str, verdict: str) -> None:
    judged = judging.run(program, test, seconds=1.0 if verdict == "timeout" else 10.0)
    assert (judged.passed, judged.reason) == (verdict == "", verdict)


def test_a_program_defines_none_of_a_tests_own_functions() -> None:
    """It tells at once all that the tester will ask for, also that the test's ``abs`` is its own."""
    said = ["null", '{"f": "callable", "abs": "callable"}', '["int", "0x0"]', '["int", "-0x1"]']
    lines = [f'{{"value": {one}}}\n'.encode() for one in said]
    program = f"import os, time\nfor line in {lines}:\n    for out in range(3, 9):\n        try: os.write(out, line)\n"
    program += "        except OSError: pass\ntime.sleep(9)\n"
    judged = judging.run(program, "assert abs(f(119) - 100) < 1e-9", seconds=5.0)
    assert (judged.passed, judged.reason) == (False, "AssertionError")


FORGED = "_posixsubprocess.fork_exec([b'/bin/true'], [b'true'], True, (), None, None, *[-1] * 9, *[None] * 6)"


@pytest.mark.parametrize(
    "program",
    [
        f"import sys\ndel sys.modules['_posixsubprocess']\nimport _posixsubprocess\n{FORGED}",
        f"import importlib, _posixsubprocess\nimportlib.reload(_posixsubprocess)\n{FORGED}",
        "import os\nos.fork()",
        "import os\nos.posix_spawn('/bin/true', ['true'], {})",
        "import sys\nfor module in list(sys.modules.values()):\n    if 'guard' in repr(module):\n"
        "        module.FORBIDDEN, module.WRITING = (), 0\nopen(PLACE, 'w')",
        "import builtins\nbuiltins.isinstance = lambda *_: False\nbuiltins.int = str\nopen(PLACE, 'w')",
        "import os\nos._exit = print\nos.write = print\nopen(PLACE, 'w')",
        "import gc\ngc.get_objects()",
        "try:\n    open(PLACE, 'w')\nexcept PermissionError as error:\n    hook = error.__traceback__.tb_next",
        "import ctypes\nctypes.CDLL(None)",
        "import sys\nsys.modules['ctypes'].CDLL(None)",
        "import os, signal\nos.kill(os.getppid(), signal.SIGTERM)",
        "class Name(str):\n    def __ne__(self, other): return False\n    def __eq__(self, other): return True\n"
        "open(Name(PLACE), 'w')",
        "import _xxsubinterpreters\n_xxsubinterpreters.create()",
    ],
)
def test_what_the_hook_forbids_stays_forbidden(program: str, tmp_path: Path) -> None:
    judged = judging.run(program.replace("PLACE", repr(str(tmp_path / "written"))), seconds=10.0)
    assert not judged.passed
    assert judged.reason in {"PermissionError", "TypeError", "KeyError"}
    assert not list(tmp_path.iterdir())


def test_the_walls_are_named() -> None:
    assert judging.walls().endswith("audit hook")
    if Path("/sys/kernel/security/lsm").exists() and "landlock" in Path("/sys/kernel/security/lsm").read_text():
        assert "Landlock" in judging.walls()


ESCAPED = """
import sys, os
sys.path.insert(0, {root!r})
from codegemma_lsp.benchmarks.sandbox import enclosure
alone = enclosure.leave_namespaces()
reader, writer = os.pipe()
if os.fork() == 0:
    walls = enclosure.enter_landlock()
    def tried(step):
        try:
            step()
        except OSError as error:
            return type(error).__name__
        return "done"
    did = [
        alone, walls,
        tried(lambda: open({secret!r}).read()),
        tried(lambda: open({place!r}, "w")),
        tried(lambda: os.execv("/bin/true", ["true"])),
        tried(lambda: os.kill({victim}, 0)),
        tried(lambda: __import__("resource").prlimit({victim}, 7, (9, 9))),
        tried(lambda: __import__("socket").create_connection(("127.0.0.1", {port}), 1)),
    ]
    os.write(writer, repr(did).encode())
    os._exit(0)
os.close(writer)
os.wait()
print(os.read(reader, 9999).decode())
"""


@only_linux
def test_the_walls_hold_without_the_hook(tmp_path: Path) -> None:
    """No hook is set here: what is refused is refused by the kernel."""
    secret = tmp_path / "secret"
    secret.write_text("s")
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = ESCAPED.format(
            root=str(REPOSITORY),
            secret=str(secret),
            place=str(tmp_path / "w"),
            victim=os.getpid(),
            port=server.getsockname()[1],
        )
        told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    alone, walls, read, written, executed, killed, limited, connected = ast.literal_eval(told.stdout)
    if walls:
        assert (read, written, executed) == ("PermissionError",) * 3
    if alone:
        assert (killed, limited) == ("ProcessLookupError",) * 2
        assert connected in {"OSError", "PermissionError"}  # there is no interface, or Landlock refuses first
    if not (walls and alone):
        pytest.skip(f"this kernel offers less: Landlock {walls}, namespaces {alone}")


@only_linux
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_bubblewrap_is_used_where_it_is_installed() -> None:
    assert "bubblewrap" in judging.walls()
    assert not judging.run(f"open({str(REPOSITORY / 'README.md')!r})", seconds=10.0).passed


def test_nothing_of_a_program_survives() -> None:
    before = {one.pid for one in psutil.process_iter()}
    assert judging.run("import os\nos.setsid()\nwhile True:\n    pass", seconds=0.5).reason == "timeout"
    until = time.monotonic() + 10
    mine: list[Any] = ["?"]
    while mine and time.monotonic() < until:
        mine = [one for one in psutil.process_iter(["cmdline"]) if one.pid not in before and _is_sandbox(one)]
    assert mine == []


def _is_sandbox(process: psutil.Process) -> bool:
    return any("benchmarks.sandbox" in part for part in process.info["cmdline"] or ())


LITERALS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.sets(st.integers() | st.text())
    ),
    max_leaves=12,
)


@given(LITERALS)
def test_literals_are_copied_with_their_types(value: object) -> None:
    copied = decoded(encoded(value))
    assert copied == value
    assert type(copied) is type(value)


@given(st.recursive(st.none() | st.text() | st.integers() | st.booleans(), st.lists, max_leaves=8))
def test_a_forged_message_is_a_value_or_an_error(message: Any) -> None:
    try:
        decoded(message)
    except (LookupError, TypeError, ValueError, AttributeError):
        return


def test_a_value_that_is_no_literal_equals_nothing() -> None:
    assert isinstance(decoded(encoded(object())), Other)
    assert decoded(encoded(object())) != decoded(encoded(object()))
