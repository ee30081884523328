"""The wheel, and one that is built from the sdist, in an environment without this checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.client import serving
from tests.test_release import ROOT, names_in, release

SAMPLE = "def area(width, height):\n    return width * \n"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a git checkout, so that nothing says which files belong to it.")
    folder = tmp_path_factory.mktemp("packages")
    release.build(ROOT, folder)
    return folder


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def installed(request: pytest.FixtureRequest, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has the package and sees the dependencies of this one, but not the checkout:
    a folder that a .pth file names does not have its own .pth files read, with which the checkout is installed."""
    home = tmp_path_factory.mktemp(request.param)
    wheel = next(packages.glob("*.whl"))
    if request.param == "sdist":
        sdist = next(packages.glob("*.tar.gz"))
        pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(home), str(sdist))
        built = next(home.glob("*.whl"))
        assert names_in(built) == names_in(wheel)
        wheel = built
    environment = home / "environment"
    venv.create(environment, with_pip=False, symlinks=os.name != "nt")
    programs = environment / ("Scripts" if os.name == "nt" else "bin")
    python = programs / ("python.exe" if os.name == "nt" else "python")
    inner = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    Path(inner, "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    pip("--python", str(python), "install", "--no-deps", "--no-index", "--ignore-installed", str(wheel))
    return programs


def pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def run(programs: Path, cwd: Path, *arguments: str) -> str:
    """What the installed program prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CODEGEMMA_"))}
    here = {"CODEGEMMA_CONFIG": str(cwd / "config.toml"), "CODEGEMMA_DATA": str(cwd), "COLUMNS": "100"}
    done = subprocess.run(
        [programs / "codegemma-lsp", *arguments],
        cwd=cwd,
        env={**kept, **here},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_line_works(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "area.py").write_text(SAMPLE)
    assert run(installed, tmp_path, "-V").startswith("codegemma-lsp ")
    assert run(installed, tmp_path, "help", "architecture").startswith("# Architecture")
    assert "maxTokens" in json.loads(run(installed, tmp_path, "config", "schema"))["properties"]
    assert json.loads(run(installed, tmp_path, "doctor", "--json"))
    completed = json.loads(run(installed, tmp_path, "complete", "area.py:2:20", "--model", "nano", "--json"))
    assert completed["tokens"]["completion"] > 0


def test_the_package_is_typed_licensed_and_its_own(installed: Path, tmp_path: Path) -> None:
    code = """
import importlib.metadata, pathlib, codegemma_lsp
home = pathlib.Path(codegemma_lsp.__file__).parent
found = importlib.metadata.distribution("codegemma-lsp")
print(home, (home / "py.typed").is_file(), any("LICENSE" in str(file) for file in found.files), sep="\\n")
"""
    python = next(installed.glob("python*"))
    done = subprocess.run([python, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    home, typed, licensed = done.stdout.splitlines()
    assert installed.parent in Path(home).parents
    assert (typed, licensed) == ("True", "True")


async def test_the_server_answers(installed: Path) -> None:
    async with serving(
        {"model": "nano", "reportCompletions": True}, command=(str(installed / "codegemma-lsp"), "serve")
    ) as client:
        client.open(SAMPLE)
        await client.complete(len(SAMPLE) - 1, explicit=True)
        assert client.completed[-1].tokens.completion > 0
