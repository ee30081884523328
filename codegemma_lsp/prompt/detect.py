"""Detects the family of a model from its vocabulary and its file's metadata.

A model with infill tokens of an unknown family is prompted in the most common format with its own ids. A model without
infill tokens is prompted with the text before the cursor alone. The user is told in both cases.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from codegemma_lsp.prompt import families
from codegemma_lsp.prompt.segments import Family, Special

_LOOKS = {Special.FIM_PREFIX: "pre|begin", Special.FIM_SUFFIX: "suf|hole", Special.FIM_MIDDLE: "mid|end"}
"""Patterns for the texts of infill tokens. Converters have written infill ids into files whose models have other tokens
at these ids."""


@dataclass(frozen=True, slots=True)
class About:
    """The metadata of a model's file: its architecture, its names, and how its vocabulary splits text first."""

    architecture: str = ""
    name: str = ""
    pre_tokenizer: str = ""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule that assigns ``family`` to a model.

    The vocabulary must have the family's infill tokens and ``tells``, and the metadata must match the patterns: names
    are searched, architectures and pre-tokenizers are matched whole. Models that were never trained to infill share
    vocabularies with those that were, so names are needed to tell them apart.
    """

    family: Family
    tells: tuple[str, ...] = ()
    architecture: str = ".*"
    name: str = ""
    pre_tokenizer: str = ".*"
    not_name: str = "(?!)"

    def applies(self, find: Callable[[str], int | None], about: About) -> bool:
        infill = (text for special, text in self.family.texts.items() if special in _LOOKS)
        return (
            re.fullmatch(self.architecture, about.architecture) is not None
            and re.search(self.name, about.name, re.IGNORECASE) is not None
            and re.search(self.not_name, about.name, re.IGNORECASE) is None
            and re.fullmatch(self.pre_tokenizer, about.pre_tokenizer) is not None
            and all(find(text) is not None for text in (*infill, *self.tells))
        )


_RULES = (
    _Rule(families.SEED, not_name="zeta|instruct|reasoning"),
    _Rule(families.DEEPSEEK, name="coder", architecture="llama", pre_tokenizer="deepseek-coder"),
    _Rule(families.DEEPSEEK, name="coder.*lite", architecture="deepseek2"),
    _Rule(families.CODELLAMA, tells=("\u2581<EOT>",)),
    _Rule(families.AIXCODER),
    _Rule(families.CODESTRAL, name="codestral", architecture="llama"),
    _Rule(families.CODEGEMMA, tells=("<|file_separator|>",), architecture="gemma"),
    _Rule(families.QWEN, tells=("<|file_sep|>", "<|repo_name|>"), name="coder", architecture="qwen.*"),
    _Rule(families.GRANITE4, tells=("<|end_of_text|>",), architecture="granite.*"),
    _Rule(families.MELLUM, tells=("<filename>",), pre_tokenizer="mellum"),
    _Rule(families.MELLUM, tells=("<filename>",), name="mellum-4b", architecture="llama"),
    _Rule(families.STARCODER2, tells=("<file_sep>", "<repo_name>"), architecture="starcoder2"),
    _Rule(families.GRANITE, tells=("<filename>",), name="granite.*code|granite-3.3"),
    _Rule(families.GRANITE, architecture="granite", name="granite.*3.3"),
    _Rule(families.STARCODER, tells=("<filename>",), architecture="starcoder"),
    _Rule(families.STARCODER, architecture="refact|stablelm"),
    _Rule(families.SANTACODER),
)


_NAMES = (
    ("codegemma|^nano$", r"-it\b|instruct", families.CODEGEMMA),
    ("qwen.*coder", "", families.QWEN),
    ("starcoder-?2", "instruct", families.STARCODER2),
    ("starcoder|stable-?code|refact", "instruct", families.STARCODER),
    ("santacoder", "", families.SANTACODER),
    ("granite-?4", "", families.GRANITE4),
    ("granite.*code|granite-?3.3", "", families.GRANITE),
    ("deepseek-?coder", "33b", families.DEEPSEEK),
    ("code-?llama", "python|34b|70b", families.CODELLAMA),
    ("codestral", "mamba", families.CODESTRAL),
    ("mellum", "", families.MELLUM),
    ("seed-?coder", "instruct|reasoning", families.SEED),
    ("aixcoder", "", families.AIXCODER),
)
"""Patterns for the names of models, patterns for the names among these that cannot infill, and families."""


def family_by_name(name: str) -> Family:
    """Returns the family of a model of which only the name is known. A path or an owner before it and the ending of a
    file's name are left out."""
    last = re.sub(r"\.gguf$", "", re.split(r"[/\\]", name)[-1], flags=re.IGNORECASE)

    def says(pattern: str) -> bool:
        return bool(pattern) and re.search(pattern, last, re.IGNORECASE) is not None

    return next((family for yes, no, family in _NAMES if says(yes) and not says(no)), families.PREFIX_ONLY)


def family_of(
    find: Callable[[str], int | None],
    about: About,
    infill_ids: tuple[int, int, int] | None,
    name_of: Callable[[int], str],
) -> Family:
    """Returns the family of a model.

    ``find`` returns the id of a special token by its text, or None if the vocabulary has no such token. ``infill_ids``
    are those of prefix, suffix and middle that the runtime found, or None. ``name_of`` returns their texts.
    """
    for rule in _RULES:
        if rule.applies(find, about):
            return rule.family
    texts = {s: name_of(token) for s, token in zip(_LOOKS, infill_ids, strict=True)} if infill_ids is not None else {}
    if not texts or not all(re.search(_LOOKS[special], text, re.IGNORECASE) for special, text in texts.items()):
        return families.PREFIX_ONLY
    assert infill_ids is not None
    return replace(families.UNKNOWN, texts=texts, ids=dict(zip(_LOOKS, infill_ids, strict=True)))
