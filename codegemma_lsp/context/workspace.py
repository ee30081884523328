"""Files of the workspace that may reach a prompt: none that is ignored, looks like a secret, or lies outside."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path

import pathspec

from codegemma_lsp.document import NOT_OPEN, Document
from codegemma_lsp.syntax import language_name

MOST_CHARS = 1_000_000
"""Of a file on disk that is read for a prompt."""

_SECRET_FILES = [
    ".env",
    ".envrc",
    "*.env",
    ".env.*",
    ".pgpass",
    ".vault-token",
    ".dockercfg",
    "kubeconfig*",
    "service-account*.json",
    "secret.*",
    ".env.*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.asc",
    "*.gpg",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".htpasswd",
    "credentials",
    "credentials.*",
    "secrets",
    "secrets.*",
    "*.tfstate",
    "*.tfvars",
]
_NO_SECRETS = ("*.example", "*.sample", "*.template", "*.py", "*.js", "*.ts", "*.go", "*.rs", "*.java")
_SECRET_FOLDERS = frozenset({".git", ".ssh", ".aws", ".gnupg", ".kube", ".docker"})


class NotAllowed(Exception):
    """A file that is not for prompts; ``str()`` is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """``opened`` gives the editor's own document of a path, where it has one."""

    folders: tuple[Path, ...]
    opened: Callable[[Path], Document | None]

    def find(self, written: str) -> tuple[Document, str]:
        """The file of a path as a user writes it, relative to a folder of the workspace or absolute in one, and its
        path in there. Raises ``NotAllowed``."""
        if not self.folders:
            raise NotAllowed(f"No folder is open, so {written} cannot be found in it.")
        for folder in self.folders:
            path = Path(folder, written)
            with suppress(OSError, ValueError):  # of names that no file can have
                if path.is_file():
                    return self.read(path), self.allowed(path).as_posix()
        raise NotAllowed(f"There is no file {written} in the workspace.")

    def allowed(self, path: Path) -> Path:
        """The path relative to the workspace's folder that holds it, links followed. Raises ``NotAllowed``."""
        real = path.resolve()
        for folder in self.folders:
            if real.is_relative_to(root := folder.resolve()):
                relative = real.relative_to(root)
                if looks_secret(relative):
                    raise NotAllowed(f"{relative.as_posix()} looks like a secret, so it is not given to a model.")
                if is_ignored(relative, root):
                    raise NotAllowed(f"{relative.as_posix()} is ignored by .gitignore, so it is not given to a model.")
                return relative
        raise NotAllowed(f"{path} is outside the workspace, so it is not given to a model.")

    def read(self, path: Path) -> Document:
        """The editor's document, else the file's text. Raises ``NotAllowed``."""
        relative = self.allowed(path)
        known = self.opened(path)
        return known if known is not None else on_disk(path, relative.as_posix())


def on_disk(path: Path, shown: str) -> Document:
    """A file's text as a document of version 0. Raises ``NotAllowed``."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_CHARS + 1)
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise NotAllowed(f"{shown} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise NotAllowed(f"{shown} is not UTF-8 text.") from None
    if len(raw) > MOST_CHARS:
        raise NotAllowed(f"{shown} is too long to be given to a model ({MOST_CHARS} bytes at most).")
    return Document(path.as_uri(), text, language_name("", path.name) or "plaintext", NOT_OPEN)


def looks_secret(relative: Path) -> bool:
    """Whether a path's name is one under which secrets are kept."""
    if not _SECRET_FOLDERS.isdisjoint(part.lower() for part in relative.parts[:-1]):
        return True
    name = relative.name.lower()
    return any(fnmatch(name, known) for known in _SECRET_FILES) and not any(fnmatch(name, n) for n in _NO_SECRETS)


def is_ignored(relative: Path, root: Path) -> bool:
    """Whether git would ignore a path in a folder: by the files of the repository that the folder is in. What is in a
    folder that is ignored, nothing brings back (gitignore(5))."""
    top = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    path = root.relative_to(top) / relative
    for depth in range(1, len(path.parts) + 1):
        part = Path(*path.parts[:depth])
        if _said(part, top, is_folder=depth < len(path.parts)):
            return True
    return False


def _said(part: Path, top: Path, *, is_folder: bool) -> bool:
    """What the files from the repository's top down to a path's folder say of it; the last word counts."""
    ignored = False
    sources = [(top / ".git" / "info" / "exclude", Path())]
    sources += [(top.joinpath(*part.parts[:n], ".gitignore"), Path(*part.parts[:n])) for n in range(len(part.parts))]
    for source, folder in sources:
        try:
            status = source.stat()
        except OSError:
            continue
        name = part.relative_to(folder).as_posix() + ("/" if is_folder else "")
        found = _spec(source, status.st_mtime_ns, status.st_size).check_file(name).include
        ignored = ignored if found is None else found
    return ignored


@lru_cache(maxsize=256)
def _spec(source: Path, changed_ns: int, size: int) -> pathspec.GitIgnoreSpec:
    """The patterns of a file as it was when it changed last; those that make no sense are left out."""
    try:
        lines = source.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    good = []
    for line in lines:
        with suppress(ValueError, re.error):
            pathspec.GitIgnoreSpec.from_lines([line])
            good.append(line)
    return pathspec.GitIgnoreSpec.from_lines(good)
