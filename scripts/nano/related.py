"""Files of one package that belong together: what a file imports, and a test beside the code it tests."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

PYTHON = re.compile(
    r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+(\([^)]{0,800}\)|[^\n#]*)|import[ \t]+([\w.]+))", re.M
)
SCRIPT = re.compile(
    r"""^(?:import|export)[ \t]([^'";]{0,400}?)from[ \t]*['"](\.[^'"]+)['"]"""
    r"""|^(?:const|let|var)[ \t]([^=\n]{0,400})=[ \t]*require\(['"](\.[^'"]+)['"]\)""",
    re.M,
)
SCRIPT_ENDINGS = ("", ".js", ".ts", ".mjs", ".tsx", ".jsx", "/index.js", "/index.ts")
HEAD_LINES = 12


class Package:
    """The files of a package, and which of them use which."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files
        self._uses: dict[str, dict[str, set[str]]] = {}

    def uses(self, path: str) -> dict[str, set[str]]:
        """The package's files that this one imports, with the names imported from each."""
        if path not in self._uses:
            found: dict[str, set[str]] = {}
            for other, names in imports(path, self.files[path]):
                target = next((c for c in candidates(other) if c in self.files and c != path), None)
                if target:
                    found.setdefault(target, set()).update(names)
            self._uses[path] = found
        return self._uses[path]

    def related(self, path: str) -> list[tuple[str, str]]:
        """What a file uses of its package's other files, as (path, piece), dependencies before dependents.

        A piece is the definition of an imported name where the file has it, or else the file's first lines.
        """
        found = self.uses(path)
        order: list[str] = []
        seen = {path}

        def visit(target: str) -> None:
            if target not in seen:
                seen.add(target)
                for other in self.uses(target):
                    if other in found:
                        visit(other)
                order.append(target)

        for target in found:
            visit(target)
        return [(target, piece(self.files[target], found[target])) for target in order]


def imports(path: str, text: str) -> Iterator[tuple[str, list[str]]]:
    """Imported modules as paths without an ending, and the names imported from them."""
    folder = posixpath.dirname(path)
    if path.endswith(".py"):
        for module, names, plain in PYTHON.findall(text):
            dotted = module or plain
            level = len(dotted) - len(dotted.lstrip("."))
            base = folder
            for _ in range(level - 1):
                base = posixpath.dirname(base)
            inner = dotted.lstrip(".").replace(".", "/")
            words = [n.split(" as ")[0].strip(" ()\\\n") for n in names.split(",") if n.strip()]
            target = posixpath.join(base, inner) if level else inner
            yield target, words
            yield from ((posixpath.join(target, word), []) for word in words if word.isidentifier())
    else:
        for names, module, required, requires in SCRIPT.findall(text):
            yield posixpath.normpath(posixpath.join(folder, module or requires)), re.findall(r"\w+", names or required)


def candidates(target: str) -> list[str]:
    plain = target.removesuffix(".js")
    return [target + ".py", target + "/__init__.py", target, *(plain + ending for ending in SCRIPT_ENDINGS)]


def piece(text: str, names: set[str]) -> str:
    """The definitions of the names, each its first lines; the file's first lines where it defines none."""
    parts = []
    for name in sorted(names):
        pattern = rf"^(?:export +)?(?:async +)?(?:def|class|function|const|let|var|interface|type) +{re.escape(name)}\b"
        if name.isidentifier() and (match := re.search(pattern, text, re.M)):
            parts.append(first_lines(text[match.start() :]))
    return "\n".join(parts[:3]) or first_lines(text)


def first_lines(text: str) -> str:
    """Up to ``HEAD_LINES`` lines, ended early where the next definition begins."""
    lines = text.split("\n")[:HEAD_LINES]
    for number, line in enumerate(lines[1:], start=1):
        if re.match(r"(def|class|function|export|@)\b", line):
            lines = lines[:number]
            break
    return "\n".join(lines).rstrip()
