"""Secrets in every place from which a prompt is made. None of them may be in the very tokens of a prompt."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from codegemma_lsp import engines
from codegemma_lsp.completion import Query
from codegemma_lsp.context import DiskFiles, Source, Workspace, similar_code
from codegemma_lsp.document import Change, Document, Edit, Span
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.index.build import update
from codegemma_lsp.index.store import Index
from codegemma_lsp.session.code_index import CodeIndex
from codegemma_lsp.session.session import Session
from codegemma_lsp.settings import Settings
from scripts.trials.trial import Case, Failed, Trial, check, shown
from tests.planted_secrets import IN_PYTHON, drawn, secret
from tests.scripted import ScriptedEngine

_SETTINGS = {"minConfidence": -99, "answerWithinMs": 0, "otherFilesTokens": 1200, "contextTokens": 4096, "usage": False}
_MAIN = """\
import os
from helpers import Client, connect
from hidden import hidden
from linked import linked
from nested.inner import inner
from secrets_of import of
{import_secrets}

def run(path):
    {first}
    client = Client(path, retries=3)
    rows = read_rows(client, path, limit=10)
    hidden(linked(inner(of(path))))
    {second}
    connect(client, <CURSOR>
    return {third_name}


{third}
"""
_HELPERS = """\
{first}


class Client:
    {second}

    def __init__(self, path: str, key="{argument}", retries: int = 3) -> None:
        {third}


def connect(client: Client, rows: list[str], password="{password}") -> None:
    return client
"""
_SIMILAR = """\
def other_run(path):
    client = Client(path, retries=3)
    rows = read_rows(client, path, limit=10)
    connect(client, rows)
    {first}
    return rows
"""
_SIBLING = """\
import main


def test_run():
    {first}
    assert main.run("path") == []


def check(expected="{argument}"):
    {second}
"""
_EDITED = "def edit(client, rows):\n    connect(client, rows)\n    {first}\n    return rows\n"
_MARKED = 'def {name}(value):\n    """{marker}"""\n    {marker} = value\n    return {marker}\n'


class _Listening(ScriptedEngine):
    """Has nanos vocabulary and says nothing, so that only prompts are made."""

    context_tokens = 4096


@dataclass
class _Plant:
    """A workspace with secrets. ``secrets`` may be nowhere in a prompt."""

    chance: random.Random
    root: Path
    secrets: list[str] = field(default_factory=list)

    def write(self) -> tuple[str, int]:
        """Writes the files, and returns the text of the file with the cursor, and the cursor."""
        self._text("helpers.py", _HELPERS)
        self._text("similar.py", _SIMILAR)
        self._text(self.chance.choice(["test_main.py", "tests/test_main.py", "main_test.py"]), _SIBLING)
        self._forbidden()
        marked = self._filled(_MAIN).replace("{import_secrets}", "import settings")
        (self.root / "main.py").write_text(marked.replace("<CURSOR>", ""))
        return marked.replace("<CURSOR>", ""), marked.index("<CURSOR>")

    def edited(self) -> str:
        """Returns the text of a file that is edited while it is open."""
        return self._filled(_EDITED)

    def _text(self, name: str, template: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(self._filled(template))

    def _filled(self, template: str) -> str:
        lines = {f"{{{name}}}": self._line() for name in ("first", "second", "third")}
        lines |= {"{argument}": self._plain("ghp_", 36), "{password}": self._plain("", 14), "{third_name}": "client"}
        for mark, line in lines.items():
            template = template.replace(mark, line)
        self.secrets = [one for one in self.secrets if one]
        return template

    def _line(self) -> str:
        """Returns a line, of which only some have a secret: a piece with one is not shown at all."""
        if self.chance.random() < 0.6:
            return f"value = compute({self.chance.randrange(100)})"
        line, text = secret(self.chance, self.chance.choice(IN_PYTHON))
        self.secrets.append(text)
        return line

    def _plain(self, prefix: str, size: int) -> str:
        if self.chance.random() < 0.6:
            return "{}"
        self.secrets.append(text := prefix + drawn(self.chance, size))
        return text

    def _forbidden(self) -> None:
        """Files of which nothing may be shown, whatever is in them."""
        outside = self.root.parent / f"{self.root.name} outside.py"
        self._marked(outside, "linked")
        (self.root / "linked.py").symlink_to(outside)
        self._marked(self.root / "hidden.py", "hidden")
        (self.root / ".gitignore").write_text("hidden.py\n")
        (self.root / ".git").mkdir()
        nested = self.root / "nested"
        (nested / ".git" / "info").mkdir(parents=True)
        where = self.chance.choice([".gitignore", ".git/info/exclude"])
        (nested / where).write_text("inner.py\n")
        self._marked(nested / "inner.py", "inner")
        names = [".env", "secrets.py", "SECRETS.PY", "id_rsa.py", "credentials.py", ".aws/config.py", "token.json"]
        for name in names:
            self._marked(self.root / name, "of")
        (self.root / "secrets_of.py").symlink_to(self.root / self.chance.choice(names))

    def _marked(self, path: Path, name: str) -> None:
        marker = f"marker_{drawn(self.chance, 12)}"
        self.secrets.append(marker)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_MARKED.format(name=name, marker=marker))


class _ReadIndex:
    """An index that is read at once, in memory."""

    def __init__(self, files: DiskFiles) -> None:
        self._index = Index(None, files.root)
        update(self._index, files)

    def source(self, folder: Path) -> Source:
        return similar_code(self._index.search)

    async def shut_down(self) -> None:
        """There is nothing to be ended."""


@asynccontextmanager
async def _prepared(folder: Path) -> AsyncIterator[Case]:
    nano = engines.load(Settings(model="nano", threads=1, context_tokens=256))
    seen = 0

    async def case(chance: random.Random) -> int:
        nonlocal seen
        root = folder / drawn(chance, 8)
        root.mkdir()
        plant = _Plant(chance, root)
        try:
            prompts = await _prompts(plant, nano)
        finally:
            shutil.rmtree(root)
        check(bool(prompts), "no prompt was made")
        for one in plant.secrets:
            found = next((prompt for prompt in prompts if one[4:] in prompt), "")
            at = found.find(one[4:])
            check(not found, f"{one} is in a prompt: {shown(found[max(0, at - 100) : at + 60])}")
        seen += any("helpers.py" in prompt or "similar.py" in prompt for prompt in prompts)
        return len(plant.secrets)

    yield case
    nano.close()
    if not seen:
        raise Failed("no prompt showed any other file")


async def _prompts(plant: _Plant, nano: Engine) -> list[str]:
    """Returns the tokens of all prompts as a text."""
    engine = _Listening("x")
    engine.tokenizer = cast(Any, nano.tokenizer)
    text, offset = plant.write()
    workspace = Workspace((plant.root,), lambda _: None)
    index = _ReadIndex(DiskFiles(root=plant.root, workspace=workspace))
    session = Session(lambda _: None, load=lambda *_: engine, index=cast(CodeIndex, index))
    session.configure(_SETTINGS)
    session.take_folders((plant.root,))
    document = Document(uri=(plant.root / "main.py").as_uri(), text=text, language="python", version=1)
    session.open(document)
    await session.load()
    _edit(session, plant)
    query = Query(document=document, offset=offset, path="main.py")
    session.rest(query)
    async with asyncio.timeout(30):
        while not session.completions.prefetcher.idle:
            await asyncio.sleep(0.002)
    await session.complete(query)
    await session.complete(Query(document=document, offset=len(text), path="main.py", explicit=True))
    await session.shut_down()
    return [_decoded(engine.requests[at].prompt, nano) for at in range(len(engine.requests))]


def _edit(session: Session, plant: _Plant) -> None:
    """Another open document is edited, line by line."""
    path, text = plant.root / "edited.py", plant.edited()
    document = Document(uri=path.as_uri(), text="", language="python", version=1)
    session.open(document)
    for line in text.splitlines(keepends=True):
        after = document.with_edit(edit := Edit(Span(len(document.text), len(document.text)), line))
        session.change(after, [Change(before=document, edit=edit, after=after)])
        document = after
    path.write_text(text)


def _decoded(prompt: Any, nano: Engine) -> str:
    tokenizer = cast(Any, nano.tokenizer)
    tokens: Sequence[int] = tokenizer.tokens(prompt)
    return (b"".join(map(tokenizer.piece, tokens)) + prompt.forced_prefix).decode("utf-8", "replace")


TRIAL = Trial(
    name="secrets",
    about="secrets planted everywhere: in no token of a prompt",
    unit="secrets",
    weight=40,
    prepared=_prepared,
)
