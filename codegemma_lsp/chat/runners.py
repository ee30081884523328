"""The programs that run a project's tests: how each is called for one file, and what its output says of each test."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from codegemma_lsp.chat.types import RequestRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one test. ``name`` is the test's own, without the file and the parameters, and ``why`` a line on
    its failure, or ""."""

    name: str
    passed: bool
    why: str = ""


Parse = Callable[[str], Iterator[Outcome]]
"""Yields what became of each test, from a program's output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A program that runs tests. ``command`` is run in the project's folder, with ``environment`` added."""

    name: str
    command: tuple[str, ...]
    outcomes: Parse
    environment: Mapping[str, str]


MARKERS: Mapping[str, tuple[str, ...]] = {
    "python": ("pyproject.toml", "setup.py", "setup.cfg", "pytest.ini", "tox.ini"),
    "go": ("go.mod",),
    "rust": ("Cargo.toml",),
    "javascript": ("package.json",),
    "typescript": ("package.json",),
    "typescriptreact": ("package.json",),
}
"""The files that a project's folder has, by language."""


def runner_for(language: str, project: Path, copy: Path, file: Path) -> Runner:
    """Returns the runner for a file of tests in a copy of a project, whose own folder is ``project``. Raises
    ``RequestRefused`` if there is none on this machine."""
    known = _RUNNERS.get(language)
    if known is None:
        raise RequestRefused("For this language it is not known how tests are run; leave out --run.")
    return known(project, copy, file)


def _pytest(project: Path, copy: Path, file: Path) -> Runner:
    sources = os.pathsep.join(str(folder) for folder in (copy, copy / "src") if folder.is_dir())
    before = os.environ.get("PYTHONPATH")
    return Runner(
        name="pytest",
        # The project's own options may measure coverage or need plugins.
        command=(
            _python(project), "-m", "pytest", "-q", "-rA", "--tb=line", "-p", "no:cacheprovider", "-o", "addopts=",
            str(file.relative_to(copy)),
        ),
        outcomes=_pytest_outcomes,
        environment={
            "PYTHONPATH": f"{sources}{os.pathsep}{before}" if before else sources,
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "200",
        },
    )  # fmt: skip


def _python(project: Path) -> str:
    """Returns the interpreter of a project's virtual environment, or of the active one, or else the one on PATH."""
    folders = [project / ".venv", project / "venv"]
    if active := os.environ.get("VIRTUAL_ENV"):
        folders.append(Path(active))
    names = [folder / inner for folder in folders for inner in ("bin/python", "Scripts/python.exe")]
    found = next((str(path) for path in names if path.is_file()), None)
    return found or _program("python3", "") or _program("python", "") or sys.executable


def _pytest_outcomes(output: str) -> Iterator[Outcome]:
    for match in re.finditer(r"^(PASSED|FAILED|ERROR) [^\s:]+::(\S+?)(?:\[.*?\])?(?: - (.*))?$", output, re.MULTILINE):
        yield Outcome(name=match[2].split("::")[-1], passed=match[1] == "PASSED", why=match[3] or "")


def _go(project: Path, copy: Path, file: Path) -> Runner:
    package = file.parent.relative_to(copy).as_posix()
    return Runner(
        name="go test",
        command=(_needed("go", "Go"), "test", "-json", f"./{package}"),
        outcomes=_go_outcomes,
        environment={},
    )


def _go_outcomes(output: str) -> Iterator[Outcome]:
    said: dict[str, str] = {}
    for event in _json_lines(output):
        name, action = event.get("Test"), event.get("Action")
        if not name or "/" in name:
            continue
        if action == "output" and event["Output"].startswith("    "):
            said.setdefault(name, event["Output"].strip())
        elif action in ("pass", "fail"):
            yield Outcome(name=name, passed=action == "pass", why=said.get(name, "") if action == "fail" else "")


def _json_lines(output: str) -> Iterator[dict[str, str]]:
    for line in output.splitlines():
        if line.startswith("{"):
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _cargo(project: Path, copy: Path, file: Path) -> Runner:
    return Runner(
        name="cargo test",
        command=(_needed("cargo", "Rust"), "test", "--quiet", "--offline", "--lib", "--bins", "--", "--format=pretty"),
        outcomes=_cargo_outcomes,
        environment={"CARGO_TERM_COLOR": "never"},
    )


def _cargo_outcomes(output: str) -> Iterator[Outcome]:
    for match in re.finditer(r"^test (\S+?)(?: - should panic)? \.\.\. (ok|FAILED)$", output, re.MULTILINE):
        panic = re.search(rf"^thread '{re.escape(match[1])}'.*panicked at .*\n(.*)", output, re.MULTILINE)
        why = panic[1].strip() if panic is not None and match[2] == "FAILED" else ""
        yield Outcome(name=match[1].split("::")[-1], passed=match[2] == "ok", why=why)


def _script(project: Path, copy: Path, file: Path) -> Runner:
    shown = file.relative_to(copy).as_posix()
    programs = project / "node_modules" / ".bin"
    if (vitest := programs / "vitest").is_file():
        return _with_json("vitest", (str(vitest), "run", shown, "--reporter=json"))
    if (jest := programs / "jest").is_file():
        return _with_json("jest", (str(jest), shown, "--json"))
    return Runner(
        name="node --test",
        command=(_needed("node", "Node.js"), "--test", "--test-reporter=tap", shown),
        outcomes=_tap_outcomes,
        environment={},
    )


def _with_json(name: str, command: tuple[str, ...]) -> Runner:
    return Runner(name=name, command=command, outcomes=_json_outcomes, environment={"CI": "1", "NO_COLOR": "1"})


def _json_outcomes(output: str) -> Iterator[Outcome]:
    """Yields the outcomes in the JSON of jest, which vitest writes too."""
    for line in (line for line in output.splitlines() if line.startswith("{")):
        try:
            files = json.loads(line).get("testResults", [])
        except ValueError:
            continue
        for one in (one for file in files for one in file.get("assertionResults", [])):
            why = (one.get("failureMessages") or [""])[0].split("\n")[0]
            yield Outcome(name=one["title"], passed=one["status"] != "failed", why=why)


def _tap_outcomes(output: str) -> Iterator[Outcome]:
    pattern = r"^( *)(not ok|ok) \d+ - (.*?)(?: # .*)?\n((?:\1  .*\n)*)"
    for match in re.finditer(pattern, output, re.MULTILINE):
        if "type: 'suite'" not in match[4]:
            why = re.search(r"^ *error: (?:\|-\n)? *(.*)$", match[4], re.MULTILINE)
            failed = match[2] == "not ok"
            yield Outcome(name=match[3], passed=not failed, why=why[1].strip("'") if why is not None and failed else "")


def _needed(name: str, of: str) -> str:
    return _program(name, f"{name} cannot be found, which runs the tests; install {of}, or add its folder to PATH.")


def _program(name: str, refusal: str) -> str:
    """Returns the path of a program, without entries of PATH that are not absolute, which mean the folder in which the
    program runs. Raises ``RequestRefused`` if it is missing and ``refusal`` is not ""."""
    folders = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if Path(folder).is_absolute()]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None and refusal:
        raise RequestRefused(refusal)
    return found or ""


_RUNNERS: Mapping[str, Callable[[Path, Path, Path], Runner]] = {
    "python": _pytest,
    "go": _go,
    "rust": _cargo,
    "javascript": _script,
    "typescript": _script,
    "typescriptreact": _script,
}
