"""What the stages share: the configuration, where they leave their work, and the special tokens."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
MODEL_DIR = CHECKOUT / "codegemma_lsp" / "models" / "nano"

PAD, EOS, BOS, UNK = 0, 1, 2, 3
FIM_PREFIX, FIM_MIDDLE, FIM_SUFFIX, FILE_SEPARATOR = 67, 68, 69, 70
START_OF_TURN, END_OF_TURN = 106, 107


def configuration(description: str) -> tuple[dict[str, Any], Path]:
    """Reads ``--config`` (default: cpu.toml) and returns it with the directory that the stages work in."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", type=Path, default=HERE / "cpu.toml")
    path = parser.parse_args().config
    work = CHECKOUT / ".cache" / "nano" / path.stem
    work.mkdir(parents=True, exist_ok=True)
    return tomllib.loads(path.read_text("utf-8")), work


def control_tokens() -> list[str]:
    """CodeGemma's control tokens with the ids 4 to 107, in order (source: the model's tokenizer.json)."""
    named = {
        4: "<mask>",
        5: "<2mass>",
        6: "[@BOS@]",
        FIM_PREFIX: "<|fim_prefix|>",
        FIM_MIDDLE: "<|fim_middle|>",
        FIM_SUFFIX: "<|fim_suffix|>",
        FILE_SEPARATOR: "<|file_separator|>",
        START_OF_TURN: "<start_of_turn>",
        END_OF_TURN: "<end_of_turn>",
    }
    return [named.get(i, f"<unused{i - 7}>") for i in range(4, 108)]


def whitespace_pieces() -> list[str]:
    """Runs of newlines, spaces and tabs that are pieces of their own, from id 108 on, as in Gemma."""
    newlines = ["\n" * n for n in range(1, 32)]
    spaces = ["\u2581" * n for n in range(2, 32)]
    tabs = ["\t" * n for n in range(1, 32)]
    return newlines + spaces + tabs
