"""The known infill formats, as data.

Each format comes from its maker's model card, paper or reference code, which a comment names. If the makers document
only one order, only that order is here. ``detect`` finds the family of a model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from codegemma_lsp.prompt.segments import Family, Slot, Special

_PRE, _SUF, _MID = Special.FIM_PREFIX, Special.FIM_SUFFIX, Special.FIM_MIDDLE
_FILE, _REPOSITORY, _BOS, _EOS = Special.FILE_SEPARATOR, Special.REPOSITORY, Special.BOS, Special.EOS
_PREFIX_FIRST = (_PRE, Slot.PREFIX, _SUF, Slot.SUFFIX, _MID)
_SUFFIX_FIRST = (_SUF, Slot.SUFFIX, _PRE, Slot.PREFIX, _MID)
_SUFFIX_WITHIN = (_PRE, _SUF, Slot.SUFFIX, _MID, Slot.PREFIX)
"""The order of variant 2 of SPM in Bavarian et al. 2022, section 3. No token separates the prefix from the middle."""
_STARCODER = {_EOS: "<|endoftext|>", _PRE: "<fim_prefix>", _MID: "<fim_middle>", _SUF: "<fim_suffix>"}

CODEGEMMA = Family(
    # arXiv:2406.11409, section 2, and the model card; which form of SPM it was trained in is not published.
    name="codegemma",
    title="CodeGemma",
    texts={
        _EOS: "<eos>",
        _BOS: "<bos>",
        _PRE: "<|fim_prefix|>",
        _MID: "<|fim_middle|>",
        _SUF: "<|fim_suffix|>",
        _FILE: "<|file_separator|>",
        Special.START_OF_TURN: "<start_of_turn>",
        Special.END_OF_TURN: "<end_of_turn>",
    },
    psm=_PREFIX_FIRST,
    spm=_SUFFIX_FIRST,
    bos=True,
    joint=(_FILE,),
    ids={
        _EOS: 1,
        _BOS: 2,
        _PRE: 67,
        _MID: 68,
        _SUF: 69,
        _FILE: 70,
        Special.START_OF_TURN: 106,
        Special.END_OF_TURN: 107,
    },
)
QWEN = Family(
    # github.com/QwenLM/Qwen3-Coder: README.md and examples/Qwen2.5-Coder-repolevel-fim.py; arXiv:2409.12186.
    name="qwen",
    title="Qwen Coder",
    texts={
        _EOS: "<|endoftext|>",
        _PRE: "<|fim_prefix|>",
        _MID: "<|fim_middle|>",
        _SUF: "<|fim_suffix|>",
        _FILE: "<|file_sep|>",
        _REPOSITORY: "<|repo_name|>",
        Special.START_OF_TURN: "<|im_start|>",
        Special.END_OF_TURN: "<|im_end|>",
    },
    psm=_PREFIX_FIRST,
    bos=False,
    heading=(_FILE, "{path}\n"),
    repository=(_REPOSITORY, "{name}\n"),
    names_single_file=False,
    anchors_in_line=True,  # measured: docs/quality.md, "Layouts"
    ends=("<|fim_pad|>",),
)
STARCODER2 = Family(
    # arXiv:2402.19173, section 5.1; SPM as bigcode-project/Megatron-LM, megatron/data/gpt_dataset.py, permutes.
    name="starcoder2",
    title="StarCoder2",
    texts={**_STARCODER, _FILE: "<file_sep>", _REPOSITORY: "<repo_name>"},
    psm=_PREFIX_FIRST,
    spm=_SUFFIX_WITHIN,
    bos=False,
    heading=(_FILE, "{path}\n"),
    repository=(_REPOSITORY, "{name}"),
    names_single_file=False,
    path_in_prefix=True,
    ends=("<fim_pad>",),
)
STARCODER = Family(
    # arXiv:2305.06161; the same program permutes its files. It was trained on one file at a time.
    name="starcoder",
    title="StarCoder",
    texts={**_STARCODER, _FILE: "<filename>"},
    psm=_PREFIX_FIRST,
    spm=_SUFFIX_WITHIN,
    bos=False,
    heading=(),
    ends=("<fim_pad>", "<reponame>"),
)
GRANITE = Family(
    # arXiv:2405.04324, section 3.2: both orders, of which the form of SPM is not shown.
    name="granite",
    title="Granite Code",
    texts={**_STARCODER, _FILE: "<filename>"},
    psm=_PREFIX_FIRST,
    bos=False,
    heading=(),
    ends=("<fim_pad>", "<reponame>", "<|end_of_text|>"),
)
GRANITE4 = Family(
    # ibm.com/granite/docs/models/granite, "fill-in-the-middle".
    name="granite4",
    title="Granite 4",
    texts={_EOS: "<|end_of_text|>", _PRE: "<|fim_prefix|>", _MID: "<|fim_middle|>", _SUF: "<|fim_suffix|>"},
    psm=_PREFIX_FIRST,
    bos=False,
    heading=(),
    ends=("<|fim_pad|>",),
)
DEEPSEEK = Family(
    # github.com/deepseek-ai/DeepSeek-Coder and DeepSeek-Coder-V2: README.md, "Code Insertion".
    name="deepseek",
    title="DeepSeek-Coder",
    texts={
        _BOS: "<\uff5cbegin\u2581of\u2581sentence\uff5c>",
        _EOS: "<\uff5cend\u2581of\u2581sentence\uff5c>",
        _PRE: "<\uff5cfim\u2581begin\uff5c>",
        _SUF: "<\uff5cfim\u2581hole\uff5c>",
        _MID: "<\uff5cfim\u2581end\uff5c>",
    },
    psm=_PREFIX_FIRST,
    bos=True,
    heading=(),
    ends=("<|EOT|>",),
)
CODELLAMA = Family(
    # github.com/meta-llama/codellama, llama/generation.py, infilling_prompt_tokens: a blank before the prefix only.
    name="codellama",
    title="Code Llama",
    texts={_BOS: "<s>", _EOS: "</s>", _PRE: "\u2581<PRE>", _SUF: "\u2581<SUF>", _MID: "\u2581<MID>"},
    psm=_PREFIX_FIRST,
    spm=_SUFFIX_WITHIN,
    bos=True,
    heading=(),
    prefix_lead=" ",
    ends=("\u2581<EOT>",),
    ids={_PRE: 32007, _SUF: 32008, _MID: 32009},
)
CODESTRAL = Family(
    # github.com/mistralai/mistral-common, tokens/tokenizers/instruct.py, encode_fim: no token before the middle.
    name="codestral",
    title="Codestral",
    texts={_BOS: "<s>", _EOS: "</s>", _PRE: "[PREFIX]", _SUF: "[SUFFIX]"},
    psm=(),
    spm=(_SUF, Slot.SUFFIX, _PRE, Slot.PREFIX),
    bos=True,
    heading=(),
    prefix_lead=" ",
    ends=("[MIDDLE]",),
)
MELLUM = Family(
    # The card of JetBrains/Mellum-4b-base, all of whose revisions put the suffix first.
    name="mellum",
    title="Mellum",
    texts={**_STARCODER, _FILE: "<filename>"},
    psm=(),
    spm=_SUFFIX_FIRST,
    bos=False,
    heading=(_FILE, "{path}\n"),
    ends=("<fim_pad>", "<reponame>"),
)
SEED = Family(
    # arXiv:2506.03524, section 2.2: suffix first only.
    name="seed-coder",
    title="Seed-Coder",
    texts={
        _BOS: "<[begin\u2581of\u2581sentence]>",
        _EOS: "<[end\u2581of\u2581sentence]>",
        _PRE: "<[fim-prefix]>",
        _SUF: "<[fim-suffix]>",
        _MID: "<[fim-middle]>",
    },
    psm=(),
    spm=_SUFFIX_FIRST,
    heading=(),
    ends=("<[PAD\u2581TOKEN]>", "<[SEP\u2581TOKEN]>"),
)
AIXCODER = Family(
    # github.com/aixcoder-plugin/aiXcoder-7B, megatron_mini/utils.py; the path stands in comments above the prefix.
    name="aixcoder",
    title="aiXcoder",
    texts={
        _BOS: "<s>",
        _EOS: "</s>",
        _PRE: "\u2581<AIX-SPAN-PRE>",
        _SUF: "\u2581<AIX-SPAN-POST>",
        _MID: "\u2581<AIX-SPAN-MIDDLE>",
    },
    psm=(),
    spm=_SUFFIX_WITHIN,
    bos=True,
    heading=(),
    prefix_lead=" ",
)
SANTACODER = Family(
    # arXiv:2301.03988; the tokens of StarCoder with hyphens.
    name="santacoder",
    title="SantaCoder",
    texts={_EOS: "<|endoftext|>", _PRE: "<fim-prefix>", _MID: "<fim-middle>", _SUF: "<fim-suffix>"},
    psm=_PREFIX_FIRST,
    spm=_SUFFIX_WITHIN,
    bos=False,
    heading=(),
    ends=("<fim-pad>",),
)
PREFIX_ONLY = Family(
    name="none", title="no infill: the text before the cursor only", texts={}, psm=(Slot.PREFIX,), heading=()
)
UNKNOWN = Family(name="unknown", title="infill tokens of no known family", texts={}, psm=_PREFIX_FIRST, heading=())

FAMILIES = (
    CODEGEMMA,
    QWEN,
    STARCODER2,
    STARCODER,
    GRANITE,
    GRANITE4,
    DEEPSEEK,
    CODELLAMA,
    CODESTRAL,
    MELLUM,
    SEED,
    AIXCODER,
    SANTACODER,
)
_UNMISTAKABLE = re.compile(r"<[|\uff5c\[].+[|\uff5c\]]>|<fim[-_]\w+>|<(start|end)_of_turn>|<[be]os>")


def unmistakable(family: Family) -> tuple[str, ...]:
    """Returns the spellings of a family's special tokens that mean nothing else in source code; ``<s>`` and
    ``<filename>`` may."""
    spelled = (*family.texts.values(), *family.ends)
    return tuple(text for text in dict.fromkeys(spelled) if _UNMISTAKABLE.fullmatch(text))


BY_NAME: Mapping[str, Family] = {family.name: family for family in (*FAMILIES, PREFIX_ONLY)}


class InfillFormat(StrEnum):
    """The values of the setting ``infillFormat``: a family's name, or ``auto``, which detects the family."""

    AUTO = "auto"
    CODEGEMMA = "codegemma"
    QWEN = "qwen"
    STARCODER2 = "starcoder2"
    STARCODER = "starcoder"
    GRANITE = "granite"
    GRANITE4 = "granite4"
    DEEPSEEK = "deepseek"
    CODELLAMA = "codellama"
    CODESTRAL = "codestral"
    MELLUM = "mellum"
    SEED = "seed-coder"
    AIXCODER = "aixcoder"
    SANTACODER = "santacoder"
    NONE = "none"
