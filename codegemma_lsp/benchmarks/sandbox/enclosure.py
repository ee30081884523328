"""What the system offers to keep a program from the rest of it: bubblewrap, namespaces, Landlock and limits.

All of it is tried, nothing is required. ``guard`` enters it before it runs a program; what it cannot enter, its audit
hook makes up for as far as a hook can. On systems other than Linux there is only the hook, and where they exist,
limits.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
SIGKILL = 9
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_CREATE_RULESET_VERSION, LANDLOCK_RULE_PATH_BENEATH = 1, 1
WRITE_FILE, READ_FILE, READ_DIR = 1 << 1, 1 << 2, 1 << 3
RIGHTS_ON_FILES = ((1, 13), (2, 14), (3, 15), (5, 16))
"""Since which version of Landlock there are how many rights on files. All of them are handled, so that what no rule
allows is forbidden; executing is allowed nowhere."""
NETWORK, SCOPES = 0b11, 0b11
"""Binding and connecting (since version 4); signals and sockets of others (since version 6)."""
SYSTEM_FOLDERS = ("/usr", "/lib", "/lib64", "/bin")
READABLE = ("/etc/ld.so.cache", "/etc/localtime", "/dev/urandom", "/dev/zero")


@cache
def bubblewrap() -> str:
    """Returns the path of bubblewrap, or "" where it is not installed or may not be used."""
    program = shutil.which("bwrap")
    if sys.platform != "linux" or program is None:
        return ""
    try:
        tried = subprocess.run(
            [program, "--unshare-all", "--ro-bind", "/", "/", "true"], capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return program if tried.returncode == 0 else ""


def python(module: str, root: Path) -> list[str]:
    """Returns a command that calls ``main`` of a module of this package, which is in ``root``, in an interpreter with
    the standard library alone."""
    path = f"{__package__}.{module}"
    start = f"import sys; sys.path.append(sys.argv[1]); from {path} import main; main()"
    return [os.path.realpath(sys.executable), "-I", "-S", "-c", start, str(root)]


def bubblewrapped(program: str, command: list[str], root: Path) -> list[str]:
    """Returns a command that runs ``command`` by bubblewrap: without network, among processes of its own, and without
    any files but those of the system, of Python and of this package in ``root``."""
    package = root / "codegemma_lsp"
    seen = [*SYSTEM_FOLDERS, sys.base_prefix, str(package)]
    binds = [part for folder in seen for part in ("--ro-bind-try", folder, folder)]
    alone = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    return [program, *alone, *binds, "--dev", "/dev", "--chdir", "/", "--", *command]


def leave_namespaces() -> bool:
    """Gives this process no network, and the processes that it starts a tree of their own, which ends with the first
    of them. Returns whether the kernel allows it. No thread can be started afterwards."""
    if sys.platform != "linux":
        return False
    flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC
    try:
        return bool(ctypes.CDLL(None, use_errno=True).unshare(flags) == 0)
    except (OSError, AttributeError):
        return False


def enter_landlock() -> bool:
    """Leaves this process the files of the system and of Python to read, and none to write or to execute. Returns
    whether the kernel has Landlock (since Linux 5.13; https://docs.kernel.org/userspace-api/landlock.html)."""
    if sys.platform != "linux":
        return False
    kernel = ctypes.CDLL(None, use_errno=True)
    version = kernel.syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_CREATE_RULESET_VERSION)
    if version < 1:
        return False
    rights = (1 << next(count for since, count in reversed(RIGHTS_ON_FILES) if since <= version)) - 1
    handled = struct.pack("<QQQ", rights, NETWORK * (version >= 4), SCOPES * (version >= 6))
    rules = kernel.syscall(LANDLOCK_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0)
    if rules < 0:
        return False
    for name in (*SYSTEM_FOLDERS, sys.base_prefix, *READABLE):
        _allow(kernel, rules, name, (READ_FILE | READ_DIR) if Path(name).is_dir() else READ_FILE)
    _allow(kernel, rules, os.devnull, READ_FILE | WRITE_FILE)
    kernel.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    entered = kernel.syscall(LANDLOCK_RESTRICT_SELF, rules, 0)
    os.close(rules)
    return bool(entered == 0)


def _allow(kernel: ctypes.CDLL, rules: int, name: str, rights: int) -> None:
    with suppress(OSError):
        place = os.open(name, os.O_PATH)
        rule = struct.pack("<Qi", rights, place)
        kernel.syscall(LANDLOCK_ADD_RULE, rules, LANDLOCK_RULE_PATH_BENEATH, rule, 0)
        os.close(place)


def end_with_parent() -> None:
    """Has the kernel kill this process when the one that started it ends."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)


def limit(seconds: int, megabytes: int) -> None:
    """Limits the processor seconds, memory and files of this process, as far as the system can."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    limits = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_AS: megabytes * 2**20,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 32,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in limits.items():
        with suppress(ValueError, OSError):  # not on every system
            resource.setrlimit(kind, (value, value))
