"""Infill formats, byte for byte, and how a model's family is found."""

from __future__ import annotations

import pytest

from codegemma_lsp.prompt import (
    BY_NAME,
    PREFIX_ONLY,
    UNKNOWN,
    About,
    Family,
    InfillFormat,
    Layout,
    OtherFile,
    Special,
    family_of,
)
from tests.prompt.story import infill, shown

PREFIX, SUFFIX = "def add(a, b):\n    total = ", "\n    return total\n"
INFILL = (Special.FIM_PREFIX, Special.FIM_SUFFIX, Special.FIM_MIDDLE)
BAR, LOW = "\uff5c", "\u2581"


def written(family: Family, layout: Layout = Layout.PSM, *others: OtherFile, path: str = "", project: str = "") -> str:
    marked = f"{PREFIX}<CURSOR>{SUFFIX}"
    found = infill(marked, layout, family=family, path=path, other_files=others, repository=project)
    return shown(found.prompt, family)


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


OTHERS = (
    OtherFile(path="shop/price.py", text="RATE = 0.2\n", reason=""),
    OtherFile(path="shop/cart.py", text="class Cart: ...\n", reason=""),
)
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
def test_what_is_typed_is_appended_to_an_anchored_prompt(name: str) -> None:
    family = BY_NAME[name]
    before = infill(f"{PREFIX}<CURSOR>{SUFFIX}", family=family)
    after = infill(f"{PREFIX}sum<CURSOR>{SUFFIX}", family=family, after=before)
    assert shown(after.prompt, family) == shown(before.prompt, family) + "sum"


@pytest.mark.parametrize("name", sorted(BY_NAME))
@pytest.mark.parametrize("layout", [Layout.PSM, Layout.SPM])
def test_what_is_typed_is_put_where_the_prefix_ends(name: str, layout: Layout) -> None:
    family = BY_NAME[name]
    before = infill(f"{PREFIX}<CURSOR>{SUFFIX}", layout, family=family)
    after = infill(f"{PREFIX}sum<CURSOR>{SUFFIX}", layout, family=family, after=before)
    assert shown(after.prompt, family) == shown(before.prompt, family).replace("total = ", "total = sum")


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
        [BY_NAME["deepseek"].texts[s] for s in INFILL],
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


LIKE_A_FAMILY = [
    pytest.param(ALL["qwen"][0], About("qwen2", "Qwen2.5 7B Instruct", "qwen2"), id="general Qwen"),
    pytest.param(ALL["seed-coder"][0], About("llama", "Zeta 2"), id="made of Seed-Coder for edits"),
    pytest.param(ALL["deepseek"][0], About("deepseek2", "DeepSeek-V3"), id="a chat model of DeepSeek"),
    pytest.param(["<fim_prefix>", "<fim_suffix>", "<fim_middle>"], About("llama", "OpenCoder"), id="never trained so"),
]
"""Models that share a vocabulary with a family and are not of it; prefix, suffix, middle come first."""


@pytest.mark.parametrize(("texts", "about"), LIKE_A_FAMILY)
def test_infill_tokens_of_no_known_family_are_used_as_such(texts: list[str], about: About) -> None:
    family = found(texts, about, (0, 1, 2))
    assert family.name == UNKNOWN.name
    assert dict(family.texts) == dict(zip(INFILL, texts, strict=False))
    assert dict(family.ids) == dict(zip(INFILL, range(3), strict=True))


@pytest.mark.parametrize(("texts", "about"), LIKE_A_FAMILY)
def test_infill_tokens_that_the_runtime_does_not_know_are_not_used(texts: list[str], about: About) -> None:
    assert found(texts, about) is PREFIX_ONLY


def test_ids_in_the_metadata_of_a_model_without_such_tokens_are_not_believed() -> None:
    """Plain Gemma: converters wrote CodeGemma's ids into its files."""
    assert found(["<unused60>", "<unused61>", "<unused62>"], About("gemma", "gemma-2b"), (0, 1, 2)) is PREFIX_ONLY


def test_a_model_without_infill_tokens_goes_on_from_the_prefix() -> None:
    assert found([], About("llama", "SmolLM2 135M")) is PREFIX_ONLY


def test_every_family_can_be_set() -> None:
    assert {"auto", *BY_NAME} == set(InfillFormat)
