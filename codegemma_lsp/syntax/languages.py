"""What each language's grammar calls things, and how its blocks open and close."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import cache
from pathlib import PurePosixPath

import tree_sitter


class Blocks(Enum):
    """How a language groups statements."""

    INDENT = auto()
    BRACE = auto()
    KEYWORD = auto()
    TAG = auto()


DEFAULT_QUOTES = "\"'`"
BRACKETS = {"(": ")", "[": "]", "{": "}"}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True)
class Language:
    """Node types are those of the grammar's ``node-types.json``; ``openers`` and ``closers`` are leaf types.

    ``semicolons`` end statements; where ``line_ends_statement``, a line end does whatever follows. ``quotes`` delimit
    strings. ``code_begins`` is what a file's code begins with where text may stand before it. A ``colon_opens_block``
    only in some languages that group statements by indentation, and where ``checks_blocks`` their grammar accepts
    blocks without statements and statements at any depth, which therefore have to be counted apart.
    """

    name: str
    package: str
    suffixes: frozenset[str]
    blocks: Blocks = Blocks.BRACE
    entry: str = "language"
    aliases: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    comments: frozenset[str] = frozenset({"comment"})
    strings: frozenset[str] = frozenset({"string"})
    literals: frozenset[str] = frozenset()
    openers: frozenset[str] = frozenset()
    closers: frozenset[str] = frozenset()
    semicolons: bool = False
    line_ends_statement: bool = False
    quotes: str = DEFAULT_QUOTES
    code_begins: str = ""
    colon_opens_block: bool = False
    checks_blocks: bool = False

    @property
    def definitions(self) -> frozenset[str]:
        return self.functions | self.classes


_C_STRINGS = _words("string_literal char_literal system_lib_string")

_JAVASCRIPT = Language(
    "javascript",
    "tree_sitter_javascript",
    _words(".js .mjs .cjs .jsx"),
    aliases=_words("javascriptreact"),
    functions=_words(
        "function_declaration generator_function_declaration function_expression arrow_function method_definition"
    ),
    classes=_words("class_declaration class"),
    imports=_words("import_statement"),
    strings=_words("string template_string regex"),
    literals=_words("object object_pattern named_imports export_clause jsx_expression"),
)
_TYPESCRIPT = replace(
    _JAVASCRIPT,
    name="typescript",
    package="tree_sitter_typescript",
    suffixes=_words(".ts .mts .cts"),
    entry="language_typescript",
    aliases=frozenset(),
    classes=_words(
        "class_declaration class abstract_class_declaration interface_declaration enum_declaration internal_module"
    ),
    literals=_JAVASCRIPT.literals | {"object_type"},
)

LANGUAGES: tuple[Language, ...] = (
    Language(
        "python",
        "tree_sitter_python",
        _words(".py .pyi"),
        Blocks.INDENT,
        functions=_words("function_definition"),
        classes=_words("class_definition"),
        imports=_words("import_statement import_from_statement future_import_statement"),
        colon_opens_block=True,
        checks_blocks=True,
    ),
    _JAVASCRIPT,
    _TYPESCRIPT,
    replace(
        _TYPESCRIPT,
        name="typescriptreact",
        suffixes=_words(".tsx"),
        entry="language_tsx",
        aliases=_words("tsx"),
    ),
    Language(
        "java",
        "tree_sitter_java",
        _words(".java"),
        functions=_words("method_declaration constructor_declaration compact_constructor_declaration"),
        classes=_words("class_declaration interface_declaration enum_declaration record_declaration"),
        imports=_words("import_declaration package_declaration"),
        comments=_words("line_comment block_comment"),
        strings=_words("string_literal character_literal"),
        literals=_words("array_initializer element_value_array_initializer"),
        semicolons=True,
    ),
    Language(
        "kotlin",
        "tree_sitter_kotlin",
        _words(".kt .kts"),
        functions=_words("function_declaration secondary_constructor"),
        classes=_words("class_declaration object_declaration companion_object"),
        imports=_words("import package_header"),
        comments=_words("line_comment block_comment"),
        strings=_words("string_literal multiline_string_literal character_literal"),
    ),
    Language(
        "c",
        "tree_sitter_c",
        _words(".c .h"),
        functions=_words("function_definition"),
        classes=_words("struct_specifier union_specifier enum_specifier"),
        imports=_words("preproc_include"),
        strings=_C_STRINGS,
        literals=_words("initializer_list"),
        semicolons=True,
    ),
    Language(
        "cpp",
        "tree_sitter_cpp",
        _words(".cpp .cc .cxx .hpp .hh .hxx"),
        aliases=_words("c++"),
        functions=_words("function_definition"),
        classes=_words("class_specifier struct_specifier union_specifier enum_specifier namespace_definition"),
        imports=_words("preproc_include using_declaration"),
        strings=_C_STRINGS | {"raw_string_literal"},
        literals=_words("initializer_list"),
        semicolons=True,
    ),
    Language(
        "csharp",
        "tree_sitter_c_sharp",
        _words(".cs"),
        aliases=_words("c_sharp c-sharp"),
        functions=_words("method_declaration constructor_declaration local_function_statement property_declaration"),
        classes=_words(
            "class_declaration struct_declaration interface_declaration record_declaration enum_declaration"
            " namespace_declaration"
        ),
        imports=_words("using_directive file_scoped_namespace_declaration"),
        strings=_words(
            "string_literal verbatim_string_literal raw_string_literal interpolated_string_expression character_literal"
        ),
        literals=_words("initializer_expression"),
        semicolons=True,
    ),
    Language(
        "rust",
        "tree_sitter_rust",
        _words(".rs"),
        functions=_words("function_item"),
        classes=_words("impl_item struct_item enum_item trait_item mod_item union_item"),
        imports=_words("use_declaration"),
        comments=_words("line_comment block_comment"),
        strings=_words("string_literal raw_string_literal char_literal"),
        literals=_words("field_initializer_list use_list"),
        quotes='"',
    ),
    Language(
        "go",
        "tree_sitter_go",
        _words(".go"),
        functions=_words("function_declaration method_declaration"),
        classes=_words("type_declaration"),
        imports=_words("import_declaration package_clause"),
        strings=_words("interpreted_string_literal raw_string_literal rune_literal"),
        literals=_words("literal_value"),
        line_ends_statement=True,
    ),
    Language(
        "ruby",
        "tree_sitter_ruby",
        _words(".rb .rake"),
        Blocks.KEYWORD,
        functions=_words("method singleton_method"),
        classes=_words("class module singleton_class"),
        strings=_words("string heredoc_body regex subshell"),
        literals=_words("hash"),
        openers=_words("def class module if unless while until case begin do for"),
        closers=_words("end"),
    ),
    Language(
        "php",
        "tree_sitter_php",
        _words(".php"),
        entry="language_php",
        functions=_words("function_definition method_declaration"),
        classes=_words("class_declaration interface_declaration trait_declaration enum_declaration"),
        imports=_words("namespace_use_declaration"),
        strings=_words("string encapsed_string heredoc nowdoc"),
        semicolons=True,
        code_begins="<?php",
    ),
    Language(
        "shellscript",
        "tree_sitter_bash",
        _words(".sh .bash"),
        Blocks.KEYWORD,
        aliases=_words("bash sh"),
        functions=_words("function_definition"),
        strings=_words("string raw_string heredoc_body ansi_c_string"),
        openers=_words("if case do"),
        closers=_words("fi esac done"),
    ),
    Language(
        "html",
        "tree_sitter_html",
        _words(".html .htm"),
        Blocks.TAG,
        strings=_words("quoted_attribute_value"),
    ),
    Language("css", "tree_sitter_css", _words(".css"), strings=_words("string_value"), semicolons=True),
    Language("json", "tree_sitter_json", _words(".json .jsonc"), aliases=_words("jsonc"), literals=_words("object")),
    Language(
        "yaml",
        "tree_sitter_yaml",
        _words(".yaml .yml"),
        Blocks.INDENT,
        strings=_words("double_quote_scalar single_quote_scalar block_scalar"),
    ),
    Language("toml", "tree_sitter_toml", _words(".toml"), literals=_words("inline_table")),
    Language(
        "lua",
        "tree_sitter_lua",
        _words(".lua"),
        Blocks.KEYWORD,
        functions=_words("function_declaration function_definition"),
        literals=_words("table_constructor"),
        openers=_words("function do if repeat"),
        closers=_words("end until"),
    ),
    Language(
        "sql",
        "tree_sitter_sql",
        _words(".sql"),
        comments=_words("comment marginalia"),
        strings=_words("literal"),
        semicolons=True,
    ),
)

_BY_NAME = {name: language for language in LANGUAGES for name in (language.name, *language.aliases)}
_BY_SUFFIX = {suffix: language for language in LANGUAGES for suffix in language.suffixes}


def find_language(name: str, path: str = "") -> Language | None:
    """The language of an LSP ``languageId``, else of the path's suffix; None where no grammar is known."""
    return _BY_NAME.get(name.lower()) or _BY_SUFFIX.get(PurePosixPath(path).suffix.lower())


def language_name(name: str, path: str = "") -> str:
    """As ``find_language``; "" where no grammar is known."""
    language = find_language(name, path)
    return language.name if language is not None else ""


@cache
def grammar(language: Language) -> tree_sitter.Language:
    """The compiled grammar, imported from its own wheel when first used."""
    module = importlib.import_module(language.package)
    return tree_sitter.Language(getattr(module, language.entry)())
