"""What the tab key offers, in a real bash with the completion that the program installs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMPLETE = "_CODEGEMMA_LSP_COMPLETE"
PROGRAM = Path(sys.executable).with_name("codegemma-lsp")
ENVIRONMENT = {
    "PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}",
    "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
}


def offered(line: str, home: Path) -> list[str]:
    """The words that bash would offer at the end of a line."""
    script = subprocess.run(
        [PROGRAM, "--show-completion", "bash"],
        env={**ENVIRONMENT, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    words = line.split(" ")
    asked = f"""
COMP_WORDS=({" ".join(f"'{word}'" for word in words)}); COMP_CWORD={len(words) - 1}
COMP_LINE='{line}'; COMP_POINT={len(line)}
"$(complete -p codegemma-lsp | sed 's/.*-F \\([^ ]*\\).*/\\1/')" codegemma-lsp
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", script + asked],
        env={**ENVIRONMENT, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="There is no bash.")
@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("codegemma-lsp com", ["complete"], id="a-command"),
        pytest.param("codegemma-lsp models pu", ["pull"], id="a-command-of-a-group"),
        pytest.param("codegemma-lsp models pull qwen2.5-coder-0", ["qwen2.5-coder-0.5b"], id="a-model"),
        pytest.param("codegemma-lsp chat --model nan", ["nano"], id="the-value-of-an-option"),
        pytest.param("codegemma-lsp complete -s maxT", ["maxTokens="], id="a-setting"),
        pytest.param("codegemma-lsp help arch", ["architecture"], id="a-topic"),
    ],
)
def test_bash_offers(line: str, words: list[str], tmp_path: Path) -> None:
    assert offered(line, tmp_path) == words


@pytest.mark.parametrize(
    ("line", "word"),
    [("codegemma-lsp complete -s layout=", "layout=psm"), ("codegemma-lsp complete -s heal=f", "heal=false")],
)
@pytest.mark.parametrize("shell", ["zsh", "fish", "bash"])
def test_every_shell_is_offered_the_values_of_a_setting(shell: str, line: str, word: str, tmp_path: Path) -> None:
    """By the protocol that the installed scripts use."""
    variables = {
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "COMP_WORDS": line,
        "COMP_CWORD": str(line.count(" ")),
    }
    environment = {**ENVIRONMENT, "HOME": str(tmp_path), COMPLETE: f"complete_{shell}", **variables}
    done = subprocess.run([PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert word in done.stdout


def test_the_completion_is_installed_for_a_shell(tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "HOME": str(tmp_path), "SHELL": "/bin/bash"}
    done = subprocess.run(
        [PROGRAM, "--install-completion", "bash"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert list(tmp_path.rglob("codegemma-lsp.sh"))
