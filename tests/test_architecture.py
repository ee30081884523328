"""Imports go one way, and each library stays in its room (codegemma_lsp/ARCHITECTURE.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "codegemma_lsp"

MAY_IMPORT: dict[str, set[str]] = {
    "__main__": {"cli"},
    "benchmarks": {
        "chat",
        "completion",
        "context",
        "document",
        "engines",
        "files",
        "models",
        "prompt",
        "server",
        "settings",
        "syntax",
    },
    "chat": {"context", "document", "engines", "prompt", "settings", "syntax", "text"},
    "cli": {
        "benchmarks",
        "chat",
        "completion",
        "document",
        "engines",
        "files",
        "models",
        "prompt",
        "server",
        "session",
        "settings",
        "syntax",
    },
    "completion": {"context", "document", "engines", "prompt", "settings", "syntax", "text"},
    "context": {"document", "prompt", "syntax"},
    "document": set(),
    "engines": {"models", "prompt", "settings", "text"},
    "files": set(),
    "models": set(),
    "prompt": {"text"},
    "server": {"chat", "completion", "document", "engines", "session", "settings"},
    "session": {"chat", "completion", "context", "document", "engines", "models", "settings", "text"},
    "settings": {"files", "models", "prompt"},
    "syntax": {"document", "text"},
    "text": set(),
}
HOME_OF = {
    "lsprotocol": {"server", "benchmarks/typing/ours.py", "benchmarks/typing/chats.py"},
    "pygls": {"server", "benchmarks/typing/ours.py", "benchmarks/typing/chats.py"},
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
    "matplotlib": {"benchmarks", "files"},
    "httpx": {"benchmarks/typing/llama_server.py", "benchmarks/typing/peer.py"},
    "httpx2": {"models/download/hub.py"},
    "huggingface_hub": {"models/download/hub.py"},
    "filelock": {"models/download/pull.py"},
    "tomlkit": {"settings"},
    "psutil": {"benchmarks"},
    "xllamacpp": {"benchmarks/typing/peer_server.py"},
    "typer": {"cli"},
    "rich": {"benchmarks", "cli"},
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
