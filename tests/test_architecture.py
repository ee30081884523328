"""Imports go one way, and each library stays in its room (codegemma_lsp/ARCHITECTURE.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "codegemma_lsp"

MAY_IMPORT: dict[str, set[str]] = {
    "__main__": {"cli"},
    "bench": {"chat", "document", "engines", "models", "outputs", "prompt", "server", "settings"},
    "chat": {"context", "document", "engines", "prompt", "settings", "syntax", "text"},
    "cli": {
        "bench",
        "doctor",
        "engines",
        "evaluate",
        "files",
        "headless",
        "layers",
        "models",
        "server",
        "settings",
        "terminal",
    },
    "completion": {"context", "document", "engines", "prompt", "settings", "syntax", "text"},
    "context": {"document", "prompt", "syntax"},
    "doctor": {"completion", "document", "engines", "models", "prompt", "settings", "syntax"},
    "document": set(),
    "engines": {"models", "prompt", "settings", "text"},
    "evaluate": {"completion", "context", "document", "engines", "models", "outputs", "prompt", "settings", "syntax"},
    "files": {"document", "outputs", "syntax"},
    "headless": {"completion", "document", "engines", "files", "prompt", "settings"},
    "layers": {"models", "outputs", "settings"},
    "models": set(),
    "outputs": set(),
    "prompt": {"text"},
    "server": {"chat", "completion", "document", "engines", "session", "settings"},
    "session": {"chat", "completion", "context", "document", "engines", "layers", "models", "settings", "text"},
    "settings": {"prompt"},
    "syntax": {"document", "text"},
    "terminal": {"chat", "document", "engines", "files", "session", "settings"},
    "text": set(),
}
HOME_OF = {
    "lsprotocol": {"server", "bench/ours.py", "bench/chats.py"},
    "pygls": {"server", "bench/ours.py", "bench/chats.py"},
    "tree_sitter": {"syntax"},
    "llama_cpp": {
        "engines/backends/llama_weights.py",
        "engines/backends/llama_cpp.py",
        "engines/backends/llama_quantize.py",
    },
    "jinja2": {"prompt/chat_template.py"},
    "torch": {"engines/backends/transformers.py"},
    "transformers": {"engines/backends/transformers.py"},
    "tokenizers": {"engines/backends/transformers.py"},
    "matplotlib": {"bench/plot.py", "evaluate/confidence.py", "evaluate/report.py", "outputs"},
    "httpx": {"bench/llama_server.py", "bench/peer.py"},
    "httpx2": {"models/download/hub.py"},
    "huggingface_hub": {"models/download/hub.py"},
    "filelock": {"models/download/pull.py"},
    "tomlkit": {"layers"},
    "psutil": {"bench"},
    "xllamacpp": {"bench/peer_server.py"},
    "typer": {"cli"},
    "rich": {"bench", "cli", "evaluate", "headless", "terminal"},
}


def imports(path: Path) -> set[str]:
    """Dotted names of the modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def room(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_directions(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        return
    rooms = {p.stem if p.is_file() else p.name for p in PACKAGE.iterdir()}
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("codegemma_lsp.")}
    assert (ours & rooms) - {here} <= MAY_IMPORT[here]
    for name in imports(path):
        homes = HOME_OF.get(name.split(".")[0])
        assert homes is None or here in homes or str(path.relative_to(PACKAGE)) in homes, name


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_sizes(path: Path) -> None:
    source = path.read_text("utf-8")
    assert source.count("\n") <= 330
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno <= 50, node.name
