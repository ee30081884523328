"""Infill formats, byte for byte, and how a model's family is found."""

from __future__ import annotations

import pytest

from codegemma_lsp.completion import DocumentState, Query, complete
from codegemma_lsp.document import Document
from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
from codegemma_lsp.engines.protocol import Options
from codegemma_lsp.models import BUNDLED, model_path
from codegemma_lsp.prompt import (
    BY_NAME,
    CODEGEMMA,
    PREFIX_ONLY,
    UNKNOWN,
    About,
    Budget,
    CursorContext,
    Family,
    InfillFormat,
    Layout,
    OtherFile,
    Prompt,
    Special,
    Text,
    build_fim,
    count_tokens,
    family_of,
)
from codegemma_lsp.settings import Settings
from tests.scripted import Bytes

PREFIX, SUFFIX = "def add(a, b):\n    total = ", "\n    return total\n"
BAR, LOW = "\uff5c", "\u2581"
ROOM = Budget(4000)


class Named(Bytes):
    """A vocabulary of single bytes with a family's special tokens."""

    begins_with_bos = True

    def __init__(self, family: Family) -> None:
        self.family = family


def spelled(prompt: Prompt, family: Family) -> str:
    """The prompt as a text, its special tokens in their own spelling."""
    return "".join(s.text if isinstance(s, Text) else family.texts.get(Special(s), "") for s in prompt.segments)  # type: ignore[arg-type]


def written(family: Family, layout: Layout = Layout.PSM, *others: OtherFile, path: str = "", project: str = "") -> str:
    context = CursorContext(path, PREFIX + SUFFIX, len(PREFIX), other_files=others, repository=project)
    prompt, _ = build_fim(context, layout, ROOM, Named(family), heal=False)
    assert prompt.tokens == count_tokens(prompt.segments, Named(family))
    return spelled(prompt, family)


ONE_FILE = {
    "codegemma": "<bos><|fim_prefix|>{p}<|fim_suffix|>{s}<|fim_middle|>",
    "qwen": "<|fim_prefix|>{p}<|fim_suffix|>{s}<|fim_middle|>",
    "starcoder2": "<fim_prefix>{p}<fim_suffix>{s}<fim_middle>",
    "starcoder": "<fim_prefix>{p}<fim_suffix>{s}<fim_middle>",
    "granite": "<fim_prefix>{p}<fim_suffix>{s}<fim_middle>",
    "granite4": "<|fim_prefix|>{p}<|fim_suffix|>{s}<|fim_middle|>",
    "deepseek": f"<{BAR}begin{LOW}of{LOW}sentence{BAR}><{BAR}fim{LOW}begin{BAR}>{{p}}<{BAR}fim{LOW}hole{BAR}>{{s}}"
    f"<{BAR}fim{LOW}end{BAR}>",
    "codellama": f"<s>{LOW}<PRE> {{p}}{LOW}<SUF>{{s}}{LOW}<MID>",
    "codestral": "<s>[SUFFIX]{s}[PREFIX] {p}",
    "mellum": "<fim_suffix>{s}<fim_prefix>{p}<fim_middle>",
    "seed-coder": f"<[begin{LOW}of{LOW}sentence]><[fim-suffix]>{{s}}<[fim-prefix]>{{p}}<[fim-middle]>",
    "aixcoder": f"<s>{LOW}<AIX-SPAN-PRE>{LOW}<AIX-SPAN-POST>{{s}}{LOW}<AIX-SPAN-MIDDLE> {{p}}",
    "santacoder": "<fim-prefix>{p}<fim-suffix>{s}<fim-middle>",
    "none": "{p}",
}
"""The sources stand beside each family in ``prompt/families.py``."""


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_the_infill_of_one_file(name: str) -> None:
    assert written(BY_NAME[name]) == ONE_FILE[name].format(p=PREFIX, s=SUFFIX)


SUFFIX_FIRST = {
    "codegemma": "<bos><|fim_suffix|>{s}<|fim_prefix|>{p}<|fim_middle|>",
    "starcoder2": "<fim_prefix><fim_suffix>{s}<fim_middle>{p}",
    "codellama": f"<s>{LOW}<PRE>{LOW}<SUF>{{s}}{LOW}<MID> {{p}}",
}


@pytest.mark.parametrize("name", sorted(SUFFIX_FIRST))
def test_the_suffix_comes_first_in_the_form_that_the_family_was_trained_in(name: str) -> None:
    assert written(BY_NAME[name], Layout.SPM) == SUFFIX_FIRST[name].format(p=PREFIX, s=SUFFIX)


@pytest.mark.parametrize("name", ["qwen", "granite", "deepseek"])
def test_a_family_without_suffix_first_is_never_asked_so(name: str) -> None:
    assert written(BY_NAME[name], Layout.SPM) == written(BY_NAME[name], Layout.PSM)


OTHERS = OtherFile("shop/price.py", "RATE = 0.2\n", ""), OtherFile("shop/cart.py", "class Cart: ...\n", "")
SEVERAL_FILES = {
    # As CodeGemma's report describes them: dependencies first, parted by the separator.
    "codegemma": "<bos>shop/price.py\nRATE = 0.2\n<|file_separator|>shop/cart.py\nclass Cart: ...\n<|file_separator|>"
    "shop/add.py\n<|fim_prefix|>{p}<|fim_suffix|>{s}<|fim_middle|>",
    "qwen": "<|repo_name|>shop\n<|file_sep|>shop/price.py\nRATE = 0.2\n<|file_sep|>shop/cart.py\nclass Cart: ...\n"
    "<|file_sep|>shop/add.py\n<|fim_prefix|>{p}<|fim_suffix|>{s}<|fim_middle|>",
    "starcoder2": "<repo_name>shop<file_sep>shop/price.py\nRATE = 0.2\n<file_sep>shop/cart.py\nclass Cart: ...\n"
    "<file_sep><fim_prefix>shop/add.py\n{p}<fim_suffix>{s}<fim_middle>",
    "mellum": "<filename>shop/price.py\nRATE = 0.2\n<filename>shop/cart.py\nclass Cart: ...\n"
    "<filename>shop/add.py\n<fim_suffix>{s}<fim_prefix>{p}<fim_middle>",
}


@pytest.mark.parametrize("name", sorted(SEVERAL_FILES))
def test_several_files_are_joined_as_the_family_was_trained(name: str) -> None:
    said = written(BY_NAME[name], Layout.PSM, *OTHERS, path="shop/add.py", project="shop")
    assert said == SEVERAL_FILES[name].format(p=PREFIX, s=SUFFIX)


@pytest.mark.parametrize("name", sorted(BY_NAME))
@pytest.mark.parametrize("layout", list(Layout))
def test_what_is_typed_is_appended(name: str, layout: Layout) -> None:
    """Anchored, in every family: the prompt with three more characters is the prompt before, and those."""
    tokenizer, text = Named(BY_NAME[name]), PREFIX + SUFFIX
    before, window = build_fim(CursorContext("", text, len(PREFIX)), layout, ROOM, tokenizer, heal=False)
    context = CursorContext("", f"{PREFIX}sum{SUFFIX}", len(PREFIX) + 3)
    after, _ = build_fim(context, layout, ROOM, tokenizer, heal=False, previous=window)
    if layout is Layout.ANCHORED:
        assert spelled(after, BY_NAME[name]) == spelled(before, BY_NAME[name]) + "sum"
    assert "sum" in spelled(after, BY_NAME[name])


ALL = {
    "codegemma": (["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_separator|>"], About("gemma", "any")),
    "qwen": (
        ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>", "<|repo_name|>"],
        About("qwen2", "Qwen2.5 Coder 1.5B Instruct", "qwen2"),
    ),
    "starcoder2": (
        ["<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<file_sep>", "<repo_name>"],
        About("starcoder2", "starcoder2-3b", "starcoder"),
    ),
    "starcoder": (["<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<filename>"], About("starcoder", "StarCoder")),
    "granite": (
        ["<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<filename>"],
        About("llama", "Granite 3b Code Base", "refact"),
    ),
    "granite4": (
        ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|end_of_text|>"],
        About("granitehybrid", "Granite 4.0 H Tiny", "dbrx"),
    ),
    "deepseek": (
        [BY_NAME["deepseek"].texts[s] for s in (Special.FIM_PREFIX, Special.FIM_SUFFIX, Special.FIM_MIDDLE)],
        About("llama", "deepseek-coder-1.3b-base", "deepseek-coder"),
    ),
    "codellama": ([f"{LOW}<PRE>", f"{LOW}<SUF>", f"{LOW}<MID>", f"{LOW}<EOT>"], About("llama", "codellama-7b")),
    "codestral": (["[PREFIX]", "[SUFFIX]"], About("llama", "Codestral-22B-v0.1")),
    "mellum": (["<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<filename>"], About("llama", "", "mellum")),
    "seed-coder": (["<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"], About("llama", "Seed-Coder-8B-Base")),
    "aixcoder": (
        [f"{LOW}<AIX-SPAN-PRE>", f"{LOW}<AIX-SPAN-POST>", f"{LOW}<AIX-SPAN-MIDDLE>"],
        About("llama", "aiXcoder-7b-base"),
    ),
    "santacoder": (["<fim-prefix>", "<fim-suffix>", "<fim-middle>"], About("gpt2", "santacoder")),
}


def found(texts: list[str], about: About, ids: tuple[int, int, int] | None = None) -> Family:
    return family_of(lambda t: texts.index(t) if t in texts else None, about, ids, lambda token: texts[token])


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_family_is_found_by_its_vocabulary_and_what_the_file_says(name: str) -> None:
    texts, about = ALL[name]
    assert found(texts, about).name == name


@pytest.mark.parametrize(
    ("texts", "about", "why"),
    [
        (ALL["qwen"][0], About("qwen2", "Qwen2.5 7B Instruct", "qwen2"), "general Qwen has the same vocabulary"),
        (ALL["seed-coder"][0], About("llama", "Zeta 2"), "made of Seed-Coder, for edits in a form of its own"),
        (ALL["deepseek"][0], About("deepseek2", "DeepSeek-V3"), "DeepSeek's chat models share the tokens"),
        (["<fim_prefix>", "<fim_suffix>", "<fim_middle>"], About("llama", "OpenCoder"), "never trained to infill"),
    ],
)
def test_infill_tokens_of_no_known_family_are_used_as_such(texts: list[str], about: About, why: str) -> None:
    ids = (
        tuple(next(i for i, t in enumerate(texts) if p in t) for p in ("pre", "suf", "mid"))
        if "pre" in texts[0]
        else None
    )
    family = found(texts, about, ids)  # type: ignore[arg-type]
    assert family.name == (UNKNOWN.name if ids else PREFIX_ONLY.name), why


def test_ids_in_the_metadata_of_a_model_without_such_tokens_are_not_believed() -> None:
    """Plain Gemma: converters wrote CodeGemma's ids into its files."""
    assert found(["<unused60>", "<unused61>", "<unused62>"], About("gemma", "gemma-2b"), (0, 1, 2)) is PREFIX_ONLY


def test_a_model_without_infill_tokens_goes_on_from_the_prefix() -> None:
    assert found([], About("llama", "SmolLM2 135M")) is PREFIX_ONLY
    assert not PREFIX_ONLY.infills
    assert CODEGEMMA.infills


def test_every_family_can_be_set() -> None:
    assert {"auto", *BY_NAME} == set(InfillFormat)


async def test_a_model_that_cannot_infill_is_asked_at_the_ends_of_lines_only() -> None:
    engine = LlamaEngine(model_path(BUNDLED), Options(threads=1, infill_format=InfillFormat.NONE))
    text = "def add(a, b):\n    return (a\n"
    try:
        outcomes = {}
        for after in ("return ", "return (a"):
            query = Query(Document("file:///add.py", text, "python"), text.index(after) + len(after), "add.py", True)
            outcomes[after] = await complete(query, DocumentState(), engine, Settings())
    finally:
        engine.close()
    assert outcomes["return "].reason == "this model cannot infill, so it is asked at the end of a line only"
    assert outcomes["return (a"].usage.completion_tokens
