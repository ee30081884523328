"""Stage 3: turn the corpus into rows of ``context`` tokens, laid out as CodeGemma's own training data was.

A document is a stretch of a file that starts at a line: ``<bos>``, sometimes pieces of the files that it imports, each
closed by ``<|file_separator|>``, dependencies first; the file's path; then either plain text or an infill, in PSM or
one of the two SPM encodings (Bavarian et al. 2022, section 3; CodeGemma report, section 2). Documents are cut to fit
the room left in a row, so that no infill is split between two rows.
"""

from __future__ import annotations

import json
import random
import textwrap
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from common import BOS, EOS, FILE_SEPARATOR, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX, PAD, configuration
from related import Package
from spans import definition, in_prose, span

SHARDS = 16
"""Parts that are packed side by side; their number is part of what a seed repeats."""


def main() -> None:
    config, work = configuration(__doc__ or "")
    with ProcessPoolExecutor(initializer=prepare, initargs=(config, work)) as pool:
        for part in ("validation", "train", "fall"):
            rows = np.concatenate(list(pool.map(shard, [part] * SHARDS, range(SHARDS))))
            rows = np.random.default_rng(config["seed"]).permutation(rows)
            np.save(work / f"{part}.npy", rows)
            print(f"{part}: {rows.size:,} tokens, {np.mean(rows == PAD):.1%} padding", flush=True)


def prepare(config: dict[str, Any], work: Path) -> None:
    """Reads the corpus once in each process."""
    global files, packer
    files = [json.loads(line) for line in (work / "corpus.jsonl").open(encoding="utf-8")]
    packages: dict[str, dict[str, str]] = defaultdict(dict)
    for file in files:
        packages[file["package"]][file["path"]] = file["text"]
    processor = sentencepiece.SentencePieceProcessor(model_file=str(work / "tokenizer.model"))
    packer = Packer(config, processor, {name: Package(members) for name, members in packages.items()})


def shard(name: str, number: int) -> np.ndarray[Any, Any]:
    """One part of a split's rows: its files as often as the configuration says, each time cut elsewhere. ``fall`` is
    another selection of what is trained on: whole functions."""
    pack = packer.pack = packer.config["pack"] | (packer.config["fall"] if name == "fall" else {})
    packer.rng = random.Random(f"{packer.config['seed']}/{name}/{number}")
    split = "train" if name == "fall" else name
    part = [file for file in files[number::SHARDS] if file["split"] == split]
    if split == "train":
        part = [f for f in part for _ in range(pack["often_times"] if f["often"] else pack["times"])]
    packer.rng.shuffle(part)
    return packer.rows(part, pack["tokens"] // SHARDS)


files: list[dict[str, Any]]
packer: Packer


@dataclass
class Packer:
    config: dict[str, Any]
    processor: sentencepiece.SentencePieceProcessor
    packages: dict[str, Package]

    def __post_init__(self) -> None:
        self.rng = random.Random(self.config["seed"])
        self.pack: dict[str, Any] = self.config["pack"]

    def rows(self, files: list[dict[str, Any]], tokens: int) -> np.ndarray[Any, Any]:
        """Rows of token ids, shape (n, context), uint16, ``PAD`` where a row could not be filled."""
        context, rows, row = self.pack["context"], [], list[int]()
        for file in files:
            lines = file["text"].splitlines(keepends=True)
            lengths = [len(ids) for ids in self.processor.encode(lines)]
            at = 0
            while at < len(lines):
                head = self.head(file, context - len(row) - 8)
                room = context - len(row) - len(head) - 8
                if self.pack.get("functions"):
                    at, end = definition(lines, at)
                    if at == len(lines):
                        break
                    end = end if sum(lengths[at:end]) <= room else at
                else:
                    end = self.cut(lines, lengths, at, room)
                if end > at:
                    text = "".join(lines[at:end])
                    text = textwrap.dedent(text) if self.pack.get("functions") else text
                    row += self.document(head, text)[: context - len(row)]
                    at = end
                elif row:
                    rows.append(np.array(row + [PAD] * (context - len(row)), dtype=np.uint16))
                    row = []
                else:
                    at += 1
            if len(rows) * context >= tokens:
                break
        return np.array(rows, dtype=np.uint16).reshape(-1, context)

    def cut(self, lines: list[str], lengths: list[int], at: int, room: int) -> int:
        """Where a document that begins at line ``at`` ends: at a blank line if one is near, ``at`` if nothing fits."""
        pack = self.pack
        wanted = min(room, int(self.rng.triangular(pack["min_tokens"], pack["context"], pack["likely_tokens"])))
        end, size, pause = at, 0, at
        while end < len(lines) and size + lengths[end] <= wanted:
            size += lengths[end]
            end += 1
            if end < len(lines) and not lines[end].strip() and size > wanted / 2:
                pause = end + 1
        if size < pack["min_tokens"] and end < len(lines):
            return at
        return end if end == len(lines) or pause == at else min(pause, len(lines))

    def head(self, file: dict[str, Any], room: int) -> list[int]:
        """``<bos>``, perhaps pieces of files that this one uses, and perhaps its path; within a third of the room."""
        pack, rng, ids = self.pack, self.rng, [BOS]
        if rng.random() < pack["related_rate"]:
            for path, piece in self.packages[file["package"]].related(file["path"])[-rng.randint(1, 3) :]:
                more = [*self.processor.encode(f"{path}\n{piece}\n"), FILE_SEPARATOR]
                if len(ids) + len(more) < room / 3:
                    ids += more
        if rng.random() < pack["path_rate"]:
            ids += self.processor.encode(file["path"] + "\n")
        return ids

    def document(self, head: list[int], text: str) -> list[int]:
        rng = self.rng
        if rng.random() >= self.pack["fim_rate"]:
            return [*head, *self.processor.encode(text), EOS]
        begin, end = span(text, rng)
        if self.pack.get("functions"):
            for _ in range(8):
                if not in_prose(text, begin) and begin:
                    break
                begin, end = span(text, rng)
        prefix, middle, suffix = self.processor.encode([text[:begin], text[begin:end], text[end:]])
        layout = rng.random()
        if layout < 0.5:
            body = [FIM_PREFIX, *prefix, FIM_SUFFIX, *suffix, FIM_MIDDLE, *middle]
        elif layout < 0.75:
            body = [FIM_SUFFIX, *suffix, FIM_PREFIX, *prefix, FIM_MIDDLE, *middle]
        else:
            body = [FIM_PREFIX, FIM_SUFFIX, *suffix, FIM_MIDDLE, *prefix, *middle]
        return [*head, *body, FILE_SEPARATOR]


if __name__ == "__main__":
    main()
