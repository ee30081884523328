"""scripts/setup builds llama.cpp once for each CMAKE_ARGS, and installs what was asked for last."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs that stand in are shell scripts")

PYTHON_OF_VENV = """\
#!/bin/sh
# Stands in for .venv/bin/python: says that it belongs to this folder, builds an empty wheel, notes what it is asked.
case "$*" in
  *sys.prefix*) echo "{version} {root}/.venv" ;;
  *"pip wheel"*)
    for last; do :; done
    echo "wheel with $CMAKE_ARGS" >>calls
    touch "$last/llama_cpp_python-1.0-py3-none-any.whl" ;;
  *editable*) echo "install $*" >>calls ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for folder in ("scripts/build", ".venv/bin", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "setup", tmp_path / "scripts" / "setup")
    (tmp_path / "scripts" / "build" / "lean.cmake").touch()
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "requirements.lock").write_text("llama-cpp-python==1.0 \\\n    --hash=sha256:0\nother==1\n")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    programs = {
        ".venv/bin/python": PYTHON_OF_VENV.format(version=version, root=tmp_path),
        "bin/cmake": "#!/bin/sh\n",
        "bin/c++": "#!/bin/sh\n",
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def set_up(checkout: Path, arguments: str | None = None) -> list[str]:
    """What pip was asked to build and install."""
    (checkout / "calls").write_text("")
    environment = {**os.environ, "PYTHON": sys.executable, "PATH": f"{checkout / 'bin'}:{os.environ['PATH']}"}
    environment.pop("CMAKE_ARGS", None)
    if arguments is not None:
        environment["CMAKE_ARGS"] = arguments
    done = subprocess.run(
        ["bash", "scripts/setup"], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return (checkout / "calls").read_text().splitlines()


def test_other_arguments_for_cmake_have_a_build_of_their_own(checkout: Path) -> None:
    built, installed = set_up(checkout)
    assert built.startswith("wheel with -DGGML_OPENMP=OFF")
    assert " .cache/wheels/llama_cpp_python-1.0-" in installed
    built, with_gpu = set_up(checkout, "-DGGML_CUDA=ON")
    assert "-DGGML_CUDA=ON" in built
    assert "--force-reinstall" in with_gpu
    assert with_gpu != installed
    assert set_up(checkout) == [], "a later run keeps the build for the GPU"
    assert set_up(checkout, "") == [installed], "nothing is built twice"
    assert set_up(checkout, "-DGGML_CUDA=ON") == [with_gpu]


TOOLS = ("bash", "awk", "cat", "cksum", "cut", "dirname", "id", "ls", "mkdir", "sed", "tr", "uname", "rm", "grep")
INSTALLS = {
    "apt-get": "apt-get install python3 python3-venv g++ cmake",
    "dnf": "dnf install python3 gcc-c++ cmake",
    "pacman": "pacman -S python gcc cmake",
    "brew": "brew install python@3.13 gcc cmake",
    "winget": "winget install Python.Python.3.13 Microsoft.VisualStudio.2022.BuildTools Kitware.CMake",
    "": "",
}


def on_a_bare_machine(checkout: Path, manager: str, *there: str) -> str:
    """What setup says where nothing is installed but a package manager and what is ``there``."""
    bare = checkout / "bare"
    bare.mkdir()
    for tool in TOOLS:
        if (found := shutil.which(tool)) is not None:
            (bare / tool).symlink_to(found)
    for name in (manager, *there):
        if name:
            (bare / name).write_text("#!/bin/sh\n")
            (bare / name).chmod(0o755)
    done = subprocess.run(
        [bare / "bash", "scripts/setup"],
        cwd=checkout,
        env={"PATH": str(bare), "HOME": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("manager", INSTALLS)
def test_everything_that_is_missing_is_named_at_once_with_one_command(checkout: Path, manager: str) -> None:
    said = on_a_bare_machine(checkout, manager)
    for name in ("Python 3.11 or later with its venv module", "a C++ compiler", "CMake"):
        assert name in said
    assert INSTALLS[manager] in said
    assert ("Install with:" in said) is bool(manager)


def test_only_what_is_missing_is_named(checkout: Path) -> None:
    said = on_a_bare_machine(checkout, "apt-get", "c++", "cmake")
    assert said.startswith("setup: missing: Python 3.11 or later with its venv module (or name one in PYTHON). Install")
    assert said.rstrip().endswith("apt-get install python3 python3-venv; then run ./scripts/setup again.")
