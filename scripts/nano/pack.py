"""Stage 3: turn the corpus into rows of ``context`` tokens, laid out as CodeGemma's own training data was.

A document is a stretch of a file that starts at a line: ``<bos>``, sometimes a neighbouring file closed by
``<|file_separator|>``, the file's path, then either plain text or an infill, in PSM or one of the two SPM encodings
(Bavarian et al. 2022, section 3; CodeGemma report, section 2). Documents are cut to fit the room left in a row, so
that no infill is split between two rows.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import sentencepiece
from common import BOS, EOS, FILE_SEPARATOR, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX, PAD, configuration

OPENERS = {"(": ")", "[": "]", "{": "}"}


def main() -> None:
    config, work = configuration(__doc__ or "")
    packer = Packer(config, sentencepiece.SentencePieceProcessor(model_file=str(work / "tokenizer.model")))
    files = [json.loads(line) for line in (work / "corpus.jsonl").open(encoding="utf-8")]
    packer.rng.shuffle(files)
    held_out = max(1, int(len(files) * config["pack"]["validation_share"]))
    for name, part in (("validation", files[:held_out]), ("train", files[held_out:])):
        rows = packer.rows(part, config["pack"]["tokens"])
        np.save(work / f"{name}.npy", rows)
        print(f"{name}: {len(part):,} files, {rows.size:,} tokens, {np.mean(rows == PAD):.1%} padding", flush=True)


@dataclass
class Packer:
    config: dict[str, Any]
    processor: sentencepiece.SentencePieceProcessor

    def __post_init__(self) -> None:
        self.rng = random.Random(self.config["seed"])

    def rows(self, files: list[dict[str, str]], tokens: int) -> np.ndarray[Any, Any]:
        """Rows of token ids, shape (n, context), uint16, ``PAD`` where a row could not be filled."""
        pack, rows, row = self.config["pack"], [], []
        neighbours: dict[str, tuple[str, str]] = {}
        for file in files:
            lines = file["text"].splitlines(keepends=True)
            lengths = [len(ids) for ids in self.processor.encode(lines)]
            at = 0
            while at < len(lines):
                room = pack["context"] - len(row) - 8
                wanted = min(room, int(self.rng.triangular(pack["min_tokens"], pack["context"], pack["context"])))
                end, size = at, 0
                while end < len(lines) and size + lengths[end] <= wanted:
                    size += lengths[end]
                    end += 1
                if end == at or (size < pack["min_tokens"] and end < len(lines)):
                    if not row:
                        at = end + 1
                        continue
                    rows.append(row + [PAD] * (pack["context"] - len(row)))
                    row = []
                    continue
                text = "".join(lines[at:end])
                ids = self.document(file["path"], text, neighbours.get(file["package"]))
                row += ids[: pack["context"] - len(row)]
                neighbours[file["package"]] = (file["path"], text)
                at = end
            if len(rows) * pack["context"] >= tokens:
                break
        return np.array(rows, dtype=np.uint16)

    def document(self, path: str, text: str, neighbour: tuple[str, str] | None) -> list[int]:
        pack, rng = self.config["pack"], self.rng
        head = [BOS]
        if neighbour and rng.random() < pack["neighbour_rate"]:
            other = "\n".join(neighbour[1].split("\n")[: rng.randint(3, 15)])
            head += [*self.processor.encode(f"{neighbour[0]}\n{other}\n"), FILE_SEPARATOR]
        if rng.random() < pack["path_rate"]:
            head += self.processor.encode(path + "\n")
        if rng.random() >= pack["fim_rate"]:
            return [*head, *self.processor.encode(text), EOS]
        begin, end = self.span(text)
        prefix, middle, suffix = self.processor.encode([text[:begin], text[begin:end], text[end:]])
        layout = rng.random()
        if layout < 0.5:
            body = [FIM_PREFIX, *prefix, FIM_SUFFIX, *suffix, FIM_MIDDLE, *middle]
        elif layout < 0.75:
            body = [FIM_SUFFIX, *suffix, FIM_PREFIX, *prefix, FIM_MIDDLE, *middle]
        else:
            body = [FIM_PREFIX, FIM_SUFFIX, *suffix, FIM_MIDDLE, *prefix, *middle]
        return [*head, *body, FILE_SEPARATOR]

    def span(self, text: str) -> tuple[int, int]:
        """A middle to leave out, as editors do: whole lines, a line's rest, a block's rest, an expression, any span."""
        rng = self.rng
        starts = [0, *(m.end() for m in re.finditer("\n", text))]
        kind = rng.random()
        line = rng.randrange(len(starts))
        if kind < 0.3:
            count = min(1 + int(rng.expovariate(0.2)), len(starts) - line)
            end = starts[line + count] if line + count < len(starts) else len(text)
            return starts[line], max(starts[line], end - 1)
        at = self.inside(text, starts, line)
        line_end = text.find("\n", at)
        line_end = len(text) if line_end < 0 else line_end
        if kind < 0.6:
            return at, line_end
        if kind < 0.75:
            return at, block_end(text, at, line_end)
        if kind < 0.9:
            return expression(text, at, line_end)
        other = rng.randint(0, len(text))
        return min(at, other), max(at, other)

    def inside(self, text: str, starts: list[int], line: int) -> int:
        """A position in a line, after its indentation: two times in three between words, else anywhere."""
        begin = starts[line]
        end = starts[line + 1] - 1 if line + 1 < len(starts) else len(text)
        code = begin + len(text[begin:end]) - len(text[begin:end].lstrip())
        if self.rng.random() < 0.66:
            edges = [m.start() + begin for m in re.finditer(r"(?<=\w)(?=\W)|(?<=\W)(?=\w)", text[begin:end])]
            edges = [e for e in edges if e >= code]
            if edges:
                return self.rng.choice(edges)
        return self.rng.randint(min(code, end), end)


def block_end(text: str, at: int, line_end: int) -> int:
    """End of the last line, from the one at ``at``, that is indented deeper than it; its own end if none is."""
    begin = text.rfind("\n", 0, at) + 1
    indent = len(text[begin:line_end]) - len(text[begin:line_end].lstrip())
    end = line_end
    for match in re.finditer(r"\n([ \t]*)([^\n]*)", text[line_end:]):
        if match.group(2) and len(match.group(1)) <= indent:
            break
        if match.group(2):
            end = line_end + match.end()
    return end


def expression(text: str, at: int, line_end: int) -> tuple[int, int]:
    """What stands between the first bracket after ``at`` and its partner on the line; the line's rest if none."""
    for begin in range(at, line_end):
        if closer := OPENERS.get(text[begin]):
            depth = 0
            for end in range(begin, line_end):
                depth += (text[end] == text[begin]) - (text[end] == closer)
                if depth == 0:
                    return begin + 1, end
    return at, line_end


if __name__ == "__main__":
    main()
