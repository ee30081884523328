"""Finds the files that a module's name means, and the files that are visible without an import, for each language.

Every path is relative to the workspace folder and has ``/``. None is above it.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from codegemma_lsp.context.pieces import CursorInFile, Files

_PYTHON_ENDINGS = (".pyi", ".py", "/__init__.pyi", "/__init__.py")
_SCRIPT_SUFFIXES = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mts", ".mjs", ".cts", ".cjs")
_SCRIPT_ENDINGS = ("", *_SCRIPT_SUFFIXES, *(f"/index{suffix}" for suffix in _SCRIPT_SUFFIXES))
_ENVIRONMENTS = (".venv", "venv", "env")
_MOST_NEAR = 40
"""The maximum number of files of a folder that are considered."""


@dataclass(frozen=True, slots=True)
class ModuleFiles:
    """How a language names the files of other modules.

    ``targets`` yields the files that a module may be, seen from a file, the most likely one first. ``inner`` returns
    the module that a name of a module may be, or "". ``near`` yields the files whose names need no import, or that are
    named by an include or a package line.
    """

    targets: Callable[[str, str, Files], Iterator[str]]
    inner: Callable[[str, str], str]
    near: Callable[[CursorInFile, Files], Iterator[str]]


def module_files(language: str) -> ModuleFiles:
    """Returns the rules of a language. A language without rules finds no files."""
    return _CUSTOMS.get(language, _NONE)


def _no_targets(module: str, path: str, files: Files) -> Iterator[str]:
    return iter(())


def _no_inner(module: str, name: str) -> str:
    return ""


def _nothing_near(cursor: CursorInFile, files: Files) -> Iterator[str]:
    return iter(())


# Python


def _python_targets(module: str, path: str, files: Files) -> Iterator[str]:
    folder = posixpath.dirname(path)
    level = len(module) - len(module.lstrip("."))
    inner = module.lstrip(".").replace(".", "/")
    if level:
        for _ in range(level - 1):
            if not folder:
                return
            folder = posixpath.dirname(folder)
        roots = [folder]
    else:
        # The nearest package of a monorepo comes before the workspace's own folders.
        parents = list(_parents(folder))
        roots = [root for parent in (*parents, "") for root in (parent, posixpath.join(parent, "src"))]
    for root in dict.fromkeys(roots):
        yield from _python_files(posixpath.join(root, inner).rstrip("/"))
    if not level:
        for packages in _site_packages(files):
            yield from _python_files(f"{packages}/{inner.split('/')[0]}-stubs{inner[len(inner.split('/')[0]) :]}")
            yield from _python_files(f"{packages}/{inner}")


def _python_files(base: str) -> Iterator[str]:
    if _is_inside(base):
        yield from (base + ending for ending in _PYTHON_ENDINGS)


def _site_packages(files: Files) -> Iterator[str]:
    for environment in _ENVIRONMENTS:
        if files.exists(f"{environment}/pyvenv.cfg"):
            for version in files.folder(f"{environment}/lib"):
                if version.startswith("python"):
                    yield f"{environment}/lib/{version}site-packages"
            yield f"{environment}/Lib/site-packages"


def _python_inner(module: str, name: str) -> str:
    return f"{module}{name}" if module.endswith(".") else f"{module}.{name}"


# JavaScript and TypeScript


def _script_targets(module: str, path: str, files: Files) -> Iterator[str]:
    folder = posixpath.dirname(path)
    if module.startswith("."):
        yield from _script_files(posixpath.join(folder, module))
        return
    if module.startswith("/"):
        return
    for parent in (*([folder] if folder else []), *_parents(posixpath.dirname(folder)), ""):
        yield from _mapped(module, parent, files)
        yield from _package(module, parent, files)


def _script_files(base: str) -> Iterator[str]:
    base = posixpath.normpath(base)
    # TypeScript imports name the compiled file.
    stems = [base, *(base.removesuffix(suffix) for suffix in (".js", ".mjs", ".cjs", ".jsx") if base.endswith(suffix))]
    for stem in reversed(stems):
        yield from (posixpath.normpath(stem + ending) for ending in _SCRIPT_ENDINGS if _is_inside(stem))


def _mapped(module: str, folder: str, files: Files) -> Iterator[str]:
    """Yields the files to which ``paths`` and ``baseUrl`` of a tsconfig.json map a module's name."""
    options = _json(files.read(posixpath.join(folder, "tsconfig.json"))).get("compilerOptions")
    if not isinstance(options, dict):
        return
    base = posixpath.join(folder, str(options.get("baseUrl") or "."))
    paths = options.get("paths")
    for pattern, places in paths.items() if isinstance(paths, dict) else ():
        start, star, end = pattern.partition("*")
        if module == pattern or (star and module.startswith(start) and module.endswith(end)):
            middle = module[len(start) : len(module) - len(end)] if star else ""
            for place in places if isinstance(places, list) else ():
                yield from _script_files(posixpath.join(base, str(place).replace("*", middle)))
    if options.get("baseUrl"):
        yield from _script_files(posixpath.join(base, module))


def _package(module: str, folder: str, files: Files) -> Iterator[str]:
    """Yields the declarations of an installed package, or of a package of the same monorepo that is linked among
    them."""
    parts = module.split("/")
    name = "/".join(parts[: 2 if module.startswith("@") else 1])
    inner = module[len(name) + 1 :]
    home = posixpath.join(folder, "node_modules", name)
    about = _json(files.read(f"{home}/package.json"))
    if not about:
        return
    if inner:
        yield from _script_files(f"{home}/{inner}")
    exports = about.get("exports")
    entry = exports.get(f"./{inner}" if inner else ".") if isinstance(exports, dict) else None
    told = [*_types_in(entry), *([] if inner else [about.get("types"), about.get("typings"), about.get("main")])]
    for place in told:
        if isinstance(place, str):
            yield from _script_files(re.sub(r"\.[cm]?js$", "", f"{home}/{place}"))
            yield from _script_files(f"{home}/{place}")
    if not inner:
        yield from _script_files(f"{home}/index")


def _types_in(entry: object) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, dict):
        for key in ("types", "import", "require", "default"):
            yield from _types_in(entry.get(key))


@lru_cache(maxsize=64)
def _json(text: str | None) -> dict[str, object]:
    """Returns the object in a text, which may have comments and trailing commas as in a tsconfig.json, or {}."""
    if text is None:
        return {}
    bare = re.sub(r'("(?:\\.|[^"\\\n])*")|//[^\n]*|/\*.*?\*/', lambda m: m[1] or "", text, flags=re.DOTALL)
    try:
        found = json.loads(re.sub(r",(\s*[}\]])", r"\1", bare))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


# Languages whose files see each other in a folder, or name files and packages line by line


def _c_near(cursor: CursorInFile, files: Files) -> Iterator[str]:
    folder = posixpath.dirname(cursor.path)
    for name in re.findall(r'^[ \t]*#[ \t]*include[ \t]+"([^"\n]+)"', cursor.text, re.MULTILINE):
        for root in (folder, "include", "src", "", posixpath.join(posixpath.dirname(folder), "include")):
            if _is_inside(path := posixpath.normpath(posixpath.join(root, name))):
                yield path


def _jvm_near(cursor: CursorInFile, files: Files) -> Iterator[str]:
    folder = posixpath.dirname(cursor.path)
    package = re.search(r"^[ \t]*package[ \t]+([\w.]+)", cursor.text, re.MULTILINE)
    depth = package[1].count(".") + 1 if package is not None else 0
    root = folder
    for _ in range(depth):
        root = posixpath.dirname(root)
    for name in re.findall(r"^[ \t]*import[ \t]+(?:static[ \t]+)?([\w.]+)", cursor.text, re.MULTILINE):
        for dotted in (name, name.rpartition(".")[0]):
            base = posixpath.join(root, dotted.replace(".", "/"))
            yield from (f"{base}{suffix}" for suffix in (".java", ".kt"))
            yield from _sources_in(base, files, (".java", ".kt"))
    yield from _sources_in(folder, files, (".java", ".kt"))


def _c_sharp_near(cursor: CursorInFile, files: Files) -> Iterator[str]:
    folder = posixpath.dirname(cursor.path)
    yield from _sources_in(folder, files, (".cs",))
    for parent in (folder, posixpath.dirname(folder)):
        for name in files.folder(parent):
            if name.endswith("/") and name not in ("bin/", "obj/"):
                yield from _sources_in(posixpath.join(parent, name.rstrip("/")), files, (".cs",))
        yield from _sources_in(parent, files, (".cs",))


def _go_near(cursor: CursorInFile, files: Files) -> Iterator[str]:
    folder = posixpath.dirname(cursor.path)
    is_test = cursor.path.endswith("_test.go")
    yield from (p for p in _sources_in(folder, files, (".go",)) if is_test or not p.endswith("_test.go"))
    for root in (folder, *_parents(folder), ""):
        module = re.search(r"^module\s+(\S+)", files.read(posixpath.join(root, "go.mod")) or "", re.MULTILINE)
        if module is not None:
            for name in re.findall(rf'"{re.escape(module[1])}/([^"\n]+)"', cursor.text):
                yield from _sources_in(posixpath.join(root, name), files, (".go",))
            return


def _rust_near(cursor: CursorInFile, files: Files) -> Iterator[str]:
    folder, name = posixpath.split(cursor.path)
    own = folder if name in ("mod.rs", "lib.rs", "main.rs") else posixpath.join(folder, name.removesuffix(".rs"))
    top = next(
        (f"{parent}/src" if parent else "src" for parent in (*_parents(folder), "") if _has_crate(parent, files)), "src"
    )
    for module in re.findall(r"^[ \t]*(?:pub[ \t]+)?mod[ \t]+(\w+)[ \t]*;", cursor.text, re.MULTILINE):
        yield from (posixpath.join(own, module + ending) for ending in (".rs", "/mod.rs"))
    for used in re.findall(r"\b((?:crate|super|self)(?:::\w+)+)", cursor.text):
        start, *parts = used.split("::")
        base = {"crate": top, "super": posixpath.dirname(own), "self": own}[start]
        while parts and parts[0] == "super":
            base, parts = posixpath.dirname(base), parts[1:]
        for count in range(len(parts), 0, -1):
            inner = posixpath.join(base, *parts[:count])
            yield from (f"{inner}{ending}" for ending in (".rs", "/mod.rs"))
        yield from (posixpath.join(base, file) for file in ("mod.rs", "lib.rs", "main.rs"))


def _has_crate(folder: str, files: Files) -> bool:
    return files.exists(posixpath.join(folder, "Cargo.toml"))


def _sources_in(folder: str, files: Files, suffixes: tuple[str, ...]) -> Iterator[str]:
    if folder and not _is_inside(folder):
        return
    names = [name for name in files.folder(folder) if name.endswith(suffixes)]
    yield from (posixpath.join(folder, name) for name in names[:_MOST_NEAR])


def _is_inside(path: str) -> bool:
    return bool(path) and not path.startswith(("/", ".."))


def _parents(folder: str) -> Iterator[str]:
    while folder:
        yield folder
        folder = posixpath.dirname(folder)


_NONE = ModuleFiles(_no_targets, _no_inner, _nothing_near)
_SCRIPT = ModuleFiles(_script_targets, _no_inner, _nothing_near)
_CUSTOMS = {
    "python": ModuleFiles(_python_targets, _python_inner, _nothing_near),
    "javascript": _SCRIPT,
    "typescript": _SCRIPT,
    "typescriptreact": _SCRIPT,
    "c": ModuleFiles(_no_targets, _no_inner, _c_near),
    "cpp": ModuleFiles(_no_targets, _no_inner, _c_near),
    "java": ModuleFiles(_no_targets, _no_inner, _jvm_near),
    "kotlin": ModuleFiles(_no_targets, _no_inner, _jvm_near),
    "csharp": ModuleFiles(_no_targets, _no_inner, _c_sharp_near),
    "go": ModuleFiles(_no_targets, _no_inner, _go_near),
    "rust": ModuleFiles(_no_targets, _no_inner, _rust_near),
}
