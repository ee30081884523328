"""Decides which files of the workspace may reach a prompt: none that is ignored, looks like a secret, or lies
outside."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path

import pathspec

from codegemma_lsp.document import NOT_OPEN, Document
from codegemma_lsp.syntax import language_name

MOST_BYTES = 1_000_000
"""The maximum length in bytes of a file on disk that is read for a prompt."""

_KEPT_AS_TEXT = ("password", "passwords", "token", "tokens", "api_key", "api_keys", "apikey", "apikeys", "api-key")
"""Names that are secret only with a text suffix, because source files have them too."""
_SECRET_FILES = (
    *(".env", ".env.*", ".env-*", ".env_*", "*.env", ".envrc", ".flaskenv", "env.local"),
    *(".netrc", "_netrc", ".npmrc", ".yarnrc", ".yarnrc.yml", ".pypirc", ".gemrc", ".git-credentials", ".gitcookies"),
    *(".pgpass", ".my.cnf", ".mylogin.cnf", ".vault-token", ".vault_pass*", "vault_pass*", ".htpasswd", "htpasswd"),
    *(".dockercfg", ".dockerconfigjson", ".s3cfg", ".boto", ".rclone.conf", "rclone.conf", ".smbcredentials"),
    *("kubeconfig*", "*.kubeconfig", "service-account*", "service_account*", "client_secret*", "client-secret*"),
    *("application_default_credentials.json", "gcloud-*.json", "*-credentials.json", "firebase-adminsdk*"),
    *(
        "secret",
        "secrets",
        "secret.*",
        "secrets.*",
        "secrets-*",
        "*.secret",
        "*.secrets",
        "credentials",
        "credentials.*",
    ),
    *("credential", "password", "passwords", "passwd", "shadow", "token", "tokens", "*.token", "auth.json", ".auth"),
    *(f"{name}.{end}" for name in _KEPT_AS_TEXT for end in ("txt", "json", "yml", "yaml", "toml", "ini", "csv", "md")),
    *("*.ovpn",),
    *(
        "*.pem",
        "*.key",
        "*.p8",
        "*.p12",
        "*.pfx",
        "*.pkcs12",
        "*.jks",
        "*.keystore",
        "*.kdbx",
        "*.asc",
        "*.gpg",
        "*.ppk",
    ),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.agekey", "*.tfstate", "*.tfvars", "*.tfvars.json"),
    *(".bash_history", ".zsh_history", ".python_history", ".psql_history", ".mysql_history", "*_history"),
)
_BACKUP = re.compile(r"(?:~|\.(?:bak|old|orig|backup|save|saved|copy|tmp|swp|swo|disabled|\d+))+$")
"""Matches the suffixes of backup files."""
_NO_SECRETS = ("*.example", "*.sample", "*.template", "*.dist", "*.example.*", "*.sample.*", "*.template.*")
_SECRET_FOLDERS = frozenset(
    {".git", ".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker", ".gcloud", ".password-store", ".terraform"}
)
_SECRET_PATHS = (".m2/settings.xml", ".gradle/gradle.properties", ".cargo/credentials*", ".config/gh/hosts.yml")


class NotAllowed(Exception):
    """A file that may not reach a prompt. ``str()`` is one sentence with the reason."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folders of a workspace. ``opened`` returns the editor's own document of a path, or None if it is not open."""

    folders: tuple[Path, ...]
    opened: Callable[[Path], Document | None]

    def find(self, written: str) -> tuple[Document, str]:
        """Returns the file that a user names, by a path relative to a folder of the workspace or absolute in one, and
        its path in that folder. Raises ``NotAllowed``."""
        if not self.folders:
            raise NotAllowed(f"No folder is open, so {written} cannot be found in it.")
        for folder in self.folders:
            path = Path(folder, written)
            with suppress(OSError, ValueError):  # an invalid file name
                if path.is_file():
                    return self.read(path), self.allowed(path).as_posix()
        raise NotAllowed(f"There is no file {written} in the workspace.")

    def allowed(self, path: Path) -> Path:
        """Returns the path relative to the workspace folder that contains it, after links are resolved. Raises
        ``NotAllowed``."""
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
        """Returns the editor's document, or else the file's text. Raises ``NotAllowed``."""
        relative = self.allowed(path)
        known = self.opened(path)
        return known if known is not None else on_disk(path, relative.as_posix())


def on_disk(path: Path, shown: str) -> Document:
    """Returns a file's text as a document that no editor has opened (version ``NOT_OPEN``). Raises ``NotAllowed``."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise NotAllowed(f"{shown} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise NotAllowed(f"{shown} is not UTF-8 text.") from None
    if len(raw) > MOST_BYTES:
        raise NotAllowed(f"{shown} is too long to be given to a model ({MOST_BYTES} bytes at most).")
    return Document(
        uri=path.as_uri(), text=text, language=language_name("", path.name) or "plaintext", version=NOT_OPEN
    )


def looks_secret(relative: Path) -> bool:
    """Returns whether a path's name is one under which secrets are stored."""
    if not _SECRET_FOLDERS.isdisjoint(part.lower() for part in relative.parts[:-1]):
        return True
    name = relative.name.lower()
    path = _BACKUP.sub("", relative.as_posix().lower())
    if any(fnmatch(path, known) or fnmatch(path, f"*/{known}") for known in _SECRET_PATHS):
        return True
    is_secret = any(fnmatch(one, known) for known in _SECRET_FILES for one in {name, _BACKUP.sub("", name)})
    return is_secret and not any(fnmatch(name, known) for known in _NO_SECRETS)


def looks_secret_when_open(path: Path) -> bool:
    """Returns ``looks_secret`` for a file that an editor has open, except that git's own folder is allowed, because
    commit messages are written there."""
    return looks_secret(Path(*(part for part in path.parts if part != ".git")))


def is_ignored(relative: Path, root: Path) -> bool:
    """Returns whether git would ignore a path in a folder, by the ignore files of the folder's repository.

    If a folder is ignored, no pattern includes its content again (gitignore(5)).
    """
    top = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    parts = (root.relative_to(top) / relative).parts
    above: list[tuple[int, pathspec.GitIgnoreSpec]] = []
    for depth in range(len(parts)):
        above += [(depth, spec) for spec in _specs(top.joinpath(*parts[:depth]))]
        is_folder = depth + 1 < len(parts)
        if _is_excluded([(spec, "/".join(parts[start : depth + 1]) + "/" * is_folder) for start, spec in above]):
            return True
    return False


def _is_excluded(rules: Iterable[tuple[pathspec.GitIgnoreSpec, str]]) -> bool:
    """Returns whether patterns exclude a path, which comes with each of them as it is called there. The last match
    counts."""
    ignored = False
    for spec, name in rules:
        found = spec.check_file(name).include
        ignored = ignored if found is None else found
    return ignored


def _specs(folder: Path) -> Iterator[pathspec.GitIgnoreSpec]:
    """Yields the patterns of a folder's ignore files. It may be a repository of its own, whose exclude file counts less
    than its ``.gitignore``."""
    for source in (_exclude_file(folder), folder / ".gitignore"):
        try:
            status = source.stat()
        except OSError:
            continue
        yield _spec(source, status.st_mtime_ns, status.st_size)


def _exclude_file(folder: Path) -> Path:
    """Returns where the exclude file of a folder is if the folder is a repository. In a submodule or a linked worktree,
    ``.git`` is a file with the path of the folder that has it (gitrepository-layout(5))."""
    git = folder / ".git"
    return (_linked(git) if git.is_file() else git) / "info" / "exclude"


def _linked(git: Path) -> Path:
    try:
        linked = git.parent / git.read_text("utf-8", "replace").strip().removeprefix("gitdir:").strip()
        common = linked / "commondir"
        return linked / common.read_text("utf-8", "replace").strip() if common.is_file() else linked
    except (OSError, ValueError):
        return git


@lru_cache(maxsize=256)
def _spec(source: Path, changed_ns: int, size: int) -> pathspec.GitIgnoreSpec:
    """Returns the patterns of a file in its state at that time and size. Invalid patterns are left out."""
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
