"""Workspaces that try to show a model what it may not see, and to run programs; settings that make no sense."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codegemma_lsp.chat import RequestRefused
from codegemma_lsp.chat.commit import staged
from codegemma_lsp.context import DiskFiles, NotAllowed, Workspace
from codegemma_lsp.settings import Settings, parse
from scripts.trials.abuse import JUNK
from scripts.trials.trial import Case, Failed, LeftOut, Trial, check, shown

_FOLDERS = ("", "src", "src/deep", "build", "lib", "node", "a b")
_NAMES = ("a.py", "b.py", "main.js", "notes.txt", "x.log", "é.py", "local.cfg")
_SECRET_NAMES = (".env", "id_rsa", "server.pem", "SECRETS.json", ".aws/config", "prod.env.bak", ".ssh/known")
# Without folder/**, which excludes the folder itself here and not in git, so that it hides more than git does.
_PATTERNS = (
    *("*.log", "/a.py", "build/", "src/deep", "**/b.py", "!b.py", "!x.log", "lib/*", "!lib/a.py", "[ab].py", "*.txt"),
    *("# a.py", "\\#", "src/*.py", "deep/", "?.py", "node/*", "!node/a.py", "", "  ", "local.*", "/src/**/x.log", "*"),
)
_PROGRAM = "#!/bin/sh\ntouch {sentinel}\ncat\n"
_CONFIGURATION = """\
[core]
    fsmonitor = {program}
    pager = {program}
    editor = {program}
    sshCommand = {program}
    hooksPath = {hooks}
    gitProxy = {program}
    attributesFile = {attributes}
    askPass = {program}
[diff]
    external = {program}
    orderFile = {program}
[diff "own"]
    textconv = {program}
    command = {program}
[filter "own"]
    clean = {program}
    smudge = {program}
    process = {program}
[pager]
    diff = {program}
[alias]
    diff = !{program}
[credential]
    helper = {program}
[interactive]
    diffFilter = {program}
"""


@asynccontextmanager
async def _prepared(folder: Path) -> AsyncIterator[Case]:
    if shutil.which("git") is None:
        raise LeftOut("git, which says what is ignored, is not installed")
    count = 0

    async def case(chance: random.Random) -> int:
        nonlocal count
        count += 1
        own = folder / str(count)
        own.mkdir()
        try:
            checked = _check_files(_Tree(chance, own))
            if chance.random() < 0.3:
                checked += await _check_programs(chance, own)
        finally:
            shutil.rmtree(own)
        return checked + _check_settings(chance)

    yield case


@dataclass
class _Tree:
    """A repository in a folder, with files outside of it, and what git ignores."""

    chance: random.Random
    above: Path
    files: list[Path] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.above / "repository"

    def write(self) -> None:
        _git(self.above, "init", "-q", "repository")
        for folder in _FOLDERS:
            names = self.chance.sample(_NAMES, 3) + self.chance.sample(_SECRET_NAMES, 1)
            self.files += [self._written(self.root / folder / name) for name in names]
            if folder == "" or self.chance.random() < 0.3:
                patterns = self.chance.sample(_PATTERNS, self.chance.randint(0, 4))
                (self.root / folder / ".gitignore").write_text("".join(f"{one}\n" for one in patterns))
        exclude = self.chance.sample(_PATTERNS, 1)[0]
        (self.root / ".git" / "info").mkdir(exist_ok=True)
        (self.root / ".git" / "info" / "exclude").write_text(f"{exclude}\n")
        self._written(self.above / "outside.py")
        self._written(self.above / "repository 2" / "a.py")

    def _written(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {path}\n")
        return path

    def link(self) -> Path:
        """Makes a link to a file or a folder, and returns a path through it."""
        link = self.root / f"link {self.chance.randrange(10**9)}"
        target = self.chance.choice([*self.files, self.above, self.above / "outside.py", self.root / ".git"])
        link.symlink_to(target)
        return link / self.chance.choice(["outside.py", "config", "repository 2/a.py"]) if target.is_dir() else link

    def allowed(self) -> set[Path]:
        """Returns the files that a model may see, by git and by their names."""
        names = [path.relative_to(self.root).as_posix() for path in self.files]
        said = _git(self.root, "-c", "core.excludesFile=", "check-ignore", "-z", "--stdin", given="\0".join(names))
        ignored = {self.root / name for name in said.split("\0") if name}
        secret = {path for path in self.files if any(path.as_posix().endswith(f"/{name}") for name in _SECRET_NAMES)}
        return set(self.files) - ignored - secret


def _git(folder: Path, *arguments: str, given: str = "") -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=folder, input=given, capture_output=True, text=True, check=False).stdout


def _check_files(tree: _Tree) -> int:
    tree.write()
    allowed = tree.allowed()
    workspace = Workspace((tree.root,), lambda _: None)
    written = [path.relative_to(tree.root).as_posix() for path in tree.files]
    for name, path in zip(written, tree.files, strict=True):
        is_read, may_be = _read(workspace, name) is not None, path in allowed
        # git's ? is one byte, and ours one character: a name that is not in ASCII may be refused for that.
        if is_read > may_be or (is_read != may_be and name.isascii()):
            raise Failed(f"{name} is read: {is_read}; {_rules(tree)}")
    tricks = [_trick(tree) for _ in range(8)]
    texts = {f"text of {path}\n" for path in allowed}
    files = DiskFiles(root=tree.root, workspace=workspace)
    for name in tricks:
        for text in (_read(workspace, name), files.read(name)):
            if text is not None and text not in texts:
                raise Failed(f"{shown(name)} shows {shown(text)}; {_rules(tree)}")
    return len(written) + len(tricks)


def _read(workspace: Workspace, name: str) -> str | None:
    try:
        return workspace.find(name)[0].text
    except NotAllowed as error:
        check(str(error).endswith("."), f"what is said of {shown(name)} is no sentence: {shown(str(error))}")
        return None


def _rules(tree: _Tree) -> str:
    sources = [*sorted(tree.root.rglob(".gitignore")), tree.root / ".git" / "info" / "exclude"]
    return shown({str(one.relative_to(tree.root)): one.read_text() for one in sources}, 1500)


def _trick(tree: _Tree) -> str:
    """Returns a path that leads to a file in an unusual way, or to one that may not be read."""
    path = tree.chance.choice([*tree.files, tree.link(), tree.above / "outside.py", tree.root / ".git" / "config"])
    relative = path.relative_to(tree.root).as_posix() if path.is_relative_to(tree.root) else f"../{path.name}"
    kinds = [
        relative,
        str(path),
        f"src/../{relative}",
        f"./{relative}",
        f"src//..//{relative}",
        f"../repository/{relative}",
    ]
    kinds += [f"{relative}/", f"{relative}\0", relative.upper(), f"~/{relative}", f"file://{path}", relative * 200]
    return tree.chance.choice(kinds)


async def _check_programs(chance: random.Random, above: Path) -> int:
    """A diff runs none of the programs that a repository names."""
    root, sentinel = above / "repository", above / "sentinel"
    program, hooks, attributes = above / "program", above / "hooks", above / "attributes"
    program.write_text(_PROGRAM.format(sentinel=sentinel))
    program.chmod(0o755)
    hooks.mkdir()
    for name in ("post-index-change", "pre-commit", "fsmonitor-watchman", "query-watchman"):
        shutil.copy(program, hooks / name)
    attributes.write_text("* diff=own filter=own\n")
    (root / ".gitattributes").write_text(chance.choice(["* diff=own filter=own\n", "*.py diff=own\n", ""]))
    (root / chance.choice(["git", "less", "sh"])).symlink_to(program)
    names = [one.name for one in root.iterdir() if one.is_file() and not one.is_symlink()]
    _git(root, "add", "-f", "--", *names)
    lines = _CONFIGURATION.format(program=program, hooks=hooks, attributes=attributes)
    with (root / ".git" / "config").open("a") as config:
        config.write(lines)
    with suppress(RequestRefused):
        await staged(root)
    check(not sentinel.exists(), "a program of the repository was run for its diff")
    return 1


def _check_settings(chance: random.Random) -> int:
    """Any settings become valid ones, and a sentence for each that is wrong."""
    names = [one.alias or name for name, one in Settings.model_fields.items()]
    raw: dict[str, Any] = {chance.choice([*names, "no", "", "\ud83d"]): chance.choice(JUNK) for _ in range(6)}
    given = chance.choice([raw, {"codegemma": raw}, chance.choice(JUNK)])
    settings, problems = parse(given)
    check(Settings.model_validate(settings.model_dump()) == settings, f"{shown(given)} become invalid settings")
    bad = [one for one in problems if "\n" in one or not one.endswith((".", "?"))]
    check(not bad, f"what is said of settings is no sentence: {shown(bad)}")
    return 1


TRIAL = Trial(
    name="workspaces",
    about="links, paths, ignore files, git's programs, settings",
    unit="checks",
    weight=12,
    prepared=_prepared,
)
