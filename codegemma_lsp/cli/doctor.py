"""``codegemma-lsp doctor`` checks an installation and prints a sentence for each check."""

from __future__ import annotations

import asyncio
import json
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Annotated

import typer
from rich.text import Text

from codegemma_lsp import engines
from codegemma_lsp.cli.common import Failure, Model, Settings_, plain_console, read_settings
from codegemma_lsp.cli.host import described
from codegemma_lsp.cli.user_data import data_folder
from codegemma_lsp.completion import DocumentState, Query, complete
from codegemma_lsp.document import Document
from codegemma_lsp.engines.host import client
from codegemma_lsp.engines.host.place import HostUnavailable, HostUnsupported
from codegemma_lsp.engines.protocol import Engine, EngineError
from codegemma_lsp.engines.selection import select_completion
from codegemma_lsp.models import Choice, is_url, model_files, store
from codegemma_lsp.models.machine import gpu_builds
from codegemma_lsp.prompt import UNKNOWN, BudgetTooSmall, InfillFormat
from codegemma_lsp.settings import Settings
from codegemma_lsp.settings.sources import config_path
from codegemma_lsp.syntax import LANGUAGES, parse
from codegemma_lsp.usage import state_folder

_EXAMPLE = "def add(a, b):\n    return "


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    name: str
    ok: bool
    detail: str


def doctor_command(
    model: Model = None,
    settings: Settings_ = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as one JSON array.")] = False,
) -> None:
    """Check the installation, and print what to do if a check fails."""
    console = plain_console(soft_wrap=True)
    done = []
    for check in checks(read_settings(model, settings)):
        done.append(check)
        if not as_json:
            mark = ("ok   ", "green") if check.ok else ("fails ", "red")
            console.print(Text.assemble(mark, (check.name, "bold"), f": {check.detail}"))
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in done], ensure_ascii=False, indent=2))
    failed = sum(not check.ok for check in done)
    if failed:
        raise Failure(f"{failed} of the checks failed; see above what to do.")


def checks(settings: Settings) -> Iterator[Check]:
    """Yields each check when it is done. Checks that depend on a failed one are left out."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("codegemma-lsp", "pygls", "llama-cpp-python"))
    yield Check(name="program", ok=True, detail=f"{packages} on Python {platform.python_version()}")
    yield _files()
    yield _grammars()
    yield _processor(settings)
    yield _host(settings)
    try:
        selection = select_completion(settings)
        engine = engines.load(selection.settings)
    except EngineError as error:
        yield Check(name="model", ok=False, detail=str(error))
        return
    try:
        yield Check(name="model", ok=True, detail=f"{selection.choice.sentence} ({_about(engine, selection.choice)})")
        yield _infill_format(engine, settings)
        yield _completion(engine, settings)
    finally:
        engine.close()


def _about(engine: Engine, choice: Choice) -> str:
    context = f"{engine.context_tokens} tokens of context"
    if choice.path is None:
        return f"{engine.name} on a server, {context}"
    size = sum(file.stat().st_size for file in model_files(choice.path)) / 1e6
    return f"{choice.path}, {size:.0f} MB, {context}"


def _files() -> Check:
    where = f"settings in {config_path()}, models in {store.folder()}, chat history in {data_folder()}"
    where = f"{where}, counts of suggestions in {state_folder()}"
    return Check(name="files", ok=True, detail=f"{where}; editors keep the server's log")


def _processor(settings: Settings) -> Check:
    """Returns the device that a GGUF model runs on. A build of llama.cpp without GPU support always uses the
    processor."""
    builds = gpu_builds()
    if not builds:
        detail = "llama.cpp runs on the processor, because it was built without GPU support"
        return Check(name="device", ok=True, detail=f"{detail}; codegemma-lsp help troubleshooting says how to get it")
    detail = f"llama.cpp was built for {' and '.join(builds)}"
    layers = {-1: "all layers run", 0: "no layer runs"}.get(settings.gpu_layers, f"{settings.gpu_layers} layers run")
    return Check(name="device", ok=True, detail=f"{detail}; {layers} on the GPU (gpuLayers)")


def _host(settings: Settings) -> Check:
    """Returns what the process says that windows share. That it cannot be used fails only if the settings want it, and
    if this system could have one."""
    own = "" if settings.share_model else "shareModel is off, so each window has a process of its own; "
    try:
        return Check(name="host", ok=True, detail=own + described(client.status()))
    except HostUnsupported as error:
        return Check(name="host", ok=True, detail=str(error))
    except HostUnavailable as error:
        return Check(name="host", ok=not settings.share_model, detail=own + str(error))


def _grammars() -> Check:
    broken = []
    for language in LANGUAGES:
        try:
            parse("x", language.name)
        except Exception as error:
            broken.append(f"{language.name} ({error})")
    if broken:
        return Check(
            name="grammars", ok=False, detail=f"these do not load: {', '.join(broken)}; install codegemma-lsp again."
        )
    return Check(name="grammars", ok=True, detail=f"{len(LANGUAGES)} languages")


def _infill_format(engine: Engine, settings: Settings) -> Check:
    family = engine.tokenizer.family
    set_by_user = settings.infill_format is not InfillFormat.AUTO
    found = "found by its name" if is_url(settings.model) else "found by its vocabulary and its file's metadata"
    how = "as the setting infillFormat says" if set_by_user else found
    if family.name == UNKNOWN.name:
        tokens = " ".join(family.texts.values())
        how = f"{tokens}, in the usual order; where that does badly, set infillFormat"
    elif not family.infills and not set_by_user:
        how = "it has no infill tokens, so it is asked at the ends of lines only; a coder model does better"
    return Check(name="infill", ok=True, detail=f"{family.title} ({how})")


def _completion(engine: Engine, settings: Settings) -> Check:
    query = Query(
        document=Document(uri="file:///doctor.py", text=_EXAMPLE, language="python"),
        offset=len(_EXAMPLE),
        path="doctor.py",
        explicit=True,
    )
    try:
        outcome = asyncio.run(complete(query, DocumentState(), engine, settings))
    except (EngineError, BudgetTooSmall) as error:
        return Check(name="completion", ok=False, detail=str(error))
    said = repr(outcome.suggestion.text) if outcome.suggestion else f"nothing ({outcome.reason})"
    last = _EXAMPLE.rsplit("\n", 1)[-1].strip()
    return Check(
        name="completion", ok=True, detail=f"after {last!r} it suggests {said} in {outcome.ms['total']:.0f} ms"
    )
