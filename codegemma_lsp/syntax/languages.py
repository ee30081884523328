"""The facts about each language: what its grammar calls things, and how its blocks open and close."""

from __future__ import annotations

import importlib
from dataclasses import KW_ONLY, dataclass, replace
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


@dataclass(frozen=True, kw_only=True)
class DocumentationStyle:
    """How documentation is written: ``first``, then ``line`` before each line of text, then ``last``.

    With ``in_body``, it is a string, the first statement of what it documents, instead of a comment above.
    """

    line: str = ""
    first: str = ""
    last: str = ""
    in_body: bool = False


class TestLocation(Enum):
    """The place of a source's tests."""

    __test__ = False

    IN_SOURCE = auto()
    """Tests are in the source itself."""
    BESIDE = auto()
    """Tests are in the source's folder, or in a folder inside it."""
    IN_TEST_FOLDER = auto()
    """Tests are anywhere in the workspace's folder of tests, or beside the source if there is none."""
    IN_ROOT_FOLDER = auto()
    """Tests are in the workspace's folder of tests, which may not exist yet."""
    MIRRORED = auto()
    """Tests are in ``src/test`` as the source is in ``src/main``, or beside the source if that is elsewhere."""


@dataclass(frozen=True, kw_only=True)
class TestConvention:
    """Where a language's tests are, and how they are written.

    ``framework`` names, for a model, what tests are written with. ``files`` are the possible names of a source's test
    file, with its ``{stem}`` and ``{suffix}``. The first one is used for a new file. ``folders`` are those in which
    ``location`` searches. ``blank_lines`` separate a test from the code above it.
    """

    __test__ = False

    framework: str
    location: TestLocation = TestLocation.BESIDE
    files: tuple[str, ...] = ("{stem}_test{suffix}",)
    folders: tuple[str, ...] = ()
    blank_lines: int = 1


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True)
class Language:
    """A language and its grammar. Node types are those of the grammar's ``node-types.json``; ``openers`` and
    ``closers`` are leaf types.

    With ``semicolons``, these end statements. With ``line_ends_statement``, a line end does so whatever follows.
    ``quotes`` delimit strings. ``code_begins`` is the beginning of a file's code if text may stand before it.
    ``colon_opens_block`` is true only for some languages that group statements by indentation. With ``checks_blocks``,
    their grammar accepts blocks without statements and statements at any depth, so these are counted separately.
    ``returns`` is the statement that belongs into functions if their grammar accepts it anywhere. ``file_items`` are
    the node types that a file consists of if their grammar accepts others, and with ``imports_first`` the ``imports``
    stand above the others. ``refused`` is a query of tree-sitter for what their grammar accepts and their compilers do
    not, as ``@refused``.
    Without ``documentation`` or ``tests``, no convention is known for them. ``headers`` are the suffixes of the files
    that declare what a source defines.
    """

    name: str
    package: str
    suffixes: frozenset[str]
    _: KW_ONLY
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
    returns: str = ""
    file_items: frozenset[str] = frozenset()
    imports_first: bool = False
    refused: str = ""
    documentation: DocumentationStyle | None = None
    tests: TestConvention | None = None
    headers: tuple[str, ...] = ()

    @property
    def definitions(self) -> frozenset[str]:
        return self.functions | self.classes


def _quoted(words: str) -> str:
    """Returns words as a query of tree-sitter lists them."""
    return " ".join(f'"{word}"' for word in words.split())


_C_STRINGS = _words("string_literal char_literal system_lib_string")

_C_REFUSED = r"""
(translation_unit [
  (compound_statement) (if_statement) (for_statement) (while_statement) (do_statement) (switch_statement)
  (return_statement) (break_statement) (continue_statement) (goto_statement) (labeled_statement) (case_statement)
] @refused)
((translation_unit (expression_statement) @refused) (#not-match? @refused "^([A-Z_0-9]+\\s*\\(|;)"))
(translation_unit [(preproc_ifdef (expression_statement) @refused) (preproc_if (expression_statement) @refused)])
(compound_statement (function_definition) @refused)
((preproc_call directive: (_) @refused)
 (#not-match? @refused "^#\\s*(pragma|error|line|warning|undef|ident|import|include_next|embed)?$"))
"""
"""Statements at the top level, except for macros; functions in functions; directives that do not exist; an ``#endif``
without ``#if``."""
_JAVA_RESERVED = _quoted(
    "abstract assert break case catch class const continue default do else enum extends final finally for goto if"
    " implements import instanceof interface native new package private protected public return static switch"
    " synchronized throw throws transient try volatile while"
)
_JAVA_REFUSED = rf"""
([(method_invocation name: (identifier) @refused) (return_statement (identifier) @refused)
  (variable_declarator value: (identifier) @refused)]
 (#any-of? @refused {_JAVA_RESERVED}))
(program [(package_declaration) (import_declaration)] (package_declaration) @refused)
(expression_statement [
  (field_access) (identifier) (binary_expression) (unary_expression) (array_access) (string_literal)
  (decimal_integer_literal) (parenthesized_expression) (this) (true) (false) (null_literal) (lambda_expression)
  (ternary_expression) (cast_expression) (method_reference)
] @refused)
(class_body (field_declaration type: (type_identifier) @refused) (#eq? @refused "var"))
(class_body (method_declaration type: (type_identifier) @refused) (#eq? @refused "var"))
(import_declaration (identifier) @refused . ";")
((character_literal) @refused (#not-match? @refused "^'([^'\\\\]|\\\\[^']+|\\\\')'$"))
"""
"""A package that is named too late; expressions that are no statements; ``var`` where no local variable is declared; an
import without a package; reserved words as names; more than one character between the quotes of one."""
_JAVASCRIPT_REFUSED = r"""
(expression_statement [(object) @refused (sequence_expression . (object) @refused)])
(update_expression argument: [(update_expression) (unary_expression) (binary_expression) (call_expression)
                              (number) (string)] @refused)
(binary_expression right: (assignment_expression) @refused)
(unary_expression argument: (assignment_expression) @refused)
(for_in_statement operator: "of" right: (sequence_expression) @refused)
(object "," . "," @refused)
(object . "{" . "," @refused)
(if_statement consequence: [(lexical_declaration) (class_declaration)] @refused)
(else_clause [(lexical_declaration) (class_declaration)] @refused)
(for_statement body: [(lexical_declaration) (class_declaration)] @refused)
(for_in_statement body: [(lexical_declaration) (class_declaration)] @refused)
(while_statement body: [(lexical_declaration) (class_declaration)] @refused)
"""
_CONSTANT_WITHOUT_VALUE = """
(lexical_declaration kind: "const" (variable_declarator !value) @refused)
"""
_GO_REFUSED = r"""
(source_file (package_clause) (package_clause) @refused)
([(literal_value) (argument_list) (parameter_list)] @refused
 (#match? @refused "(^|\\n)[^\\n/]*[^,{(\\s/][ \\t]*\\n\\s*[})]$"))
"""
"""A last element on a line of its own without its comma."""
_RUST_KEYWORDS = _quoted(
    "as const else enum extern fn for if impl in let loop match mod move mut pub ref static struct trait type unsafe"
    " use where while"
)
_RUST_REFUSED = rf"""
([(let_declaration (identifier) @refused) (assignment_expression (identifier) @refused)
  (expression_statement (identifier) @refused) (call_expression (identifier) @refused)
  (arguments (identifier) @refused) (binary_expression (identifier) @refused)]
 (#any-of? @refused {_RUST_KEYWORDS}))
((block [(expression_statement (macro_invocation)) (macro_invocation)] @refused . (_)) (#match? @refused "[)\\]]$"))
((source_file (expression_statement (macro_invocation)) @refused) (#match? @refused "[)\\]]$"))
(declaration_list (empty_statement) @refused)
(declaration_list (attribute_item) @refused .)
(block (attribute_item) @refused .)
((source_file (macro_invocation) @refused) (#match? @refused "[)\\]]$"))
((char_literal) @refused (#match? @refused "^b?''$"))
"""
"""A macro without the semicolon that it needs; a semicolon between items; an attribute of nothing; quotes with no
character; keywords as values, for which macros have a use."""

_STARS = DocumentationStyle(first="/**", line=" * ", last=" */")
_HASHES = DocumentationStyle(line="# ")

_JAVASCRIPT = Language(
    "javascript",
    "tree_sitter_javascript",
    _words(".js .mjs .cjs .jsx"),
    aliases=_words("javascriptreact"),
    functions=_words(
        "function_declaration generator_function_declaration function_expression generator_function arrow_function "
        "method_definition"
    ),
    classes=_words("class_declaration class"),
    imports=_words("import_statement"),
    strings=_words("string template_string regex"),
    literals=_words("object object_pattern named_imports export_clause jsx_expression"),
    returns="return_statement",
    refused=_JAVASCRIPT_REFUSED + _CONSTANT_WITHOUT_VALUE,
    documentation=_STARS,
    tests=TestConvention(
        framework="the test functions `test` and `expect`",
        files=("{stem}.test{suffix}", "{stem}.spec{suffix}"),
        folders=("__tests__",),
    ),
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
    refused=_JAVASCRIPT_REFUSED,
)

LANGUAGES: tuple[Language, ...] = (
    Language(
        "python",
        "tree_sitter_python",
        _words(".py .pyi"),
        blocks=Blocks.INDENT,
        functions=_words("function_definition"),
        classes=_words("class_definition"),
        imports=_words("import_statement import_from_statement future_import_statement"),
        colon_opens_block=True,
        checks_blocks=True,
        documentation=DocumentationStyle(first='"""', last='"""', in_body=True),
        tests=TestConvention(
            framework="pytest",
            location=TestLocation.IN_TEST_FOLDER,
            files=("test_{stem}.py", "{stem}_test.py"),
            folders=("tests", "test"),
            blank_lines=2,
        ),
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
        file_items=_words(
            "module_declaration package_declaration import_declaration class_declaration interface_declaration "
            "enum_declaration record_declaration annotation_type_declaration"
        ),
        imports_first=True,
        refused=_JAVA_REFUSED,
        documentation=_STARS,
        tests=TestConvention(framework="JUnit 5", location=TestLocation.MIRRORED, files=("{stem}Test{suffix}",)),
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
        documentation=_STARS,
        tests=TestConvention(framework="kotlin.test", location=TestLocation.MIRRORED, files=("{stem}Test{suffix}",)),
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
        refused=_C_REFUSED,
        documentation=_STARS,
        headers=(".h",),
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
        refused=_C_REFUSED,
        documentation=_STARS,
        headers=(".hpp", ".h", ".hh", ".hxx"),
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
        documentation=DocumentationStyle(first="/// <summary>", line="/// ", last="/// </summary>"),
        tests=TestConvention(framework="xUnit", location=TestLocation.MIRRORED, files=("{stem}Tests{suffix}",)),
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
        file_items=_words(
            "shebang inner_attribute_item attribute_item macro_definition macro_invocation mod_item "
            "foreign_mod_item struct_item union_item enum_item type_item function_item function_signature_item "
            "impl_item trait_item associated_type const_item static_item use_declaration extern_crate_declaration"
        ),
        refused=_RUST_REFUSED,
        documentation=DocumentationStyle(line="/// "),
        tests=TestConvention(framework="#[test] functions", location=TestLocation.IN_SOURCE),
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
        file_items=_words(
            "package_clause import_declaration const_declaration var_declaration type_declaration function_declaration "
            "method_declaration"
        ),
        imports_first=True,
        refused=_GO_REFUSED,
        documentation=DocumentationStyle(line="// "),
        tests=TestConvention(framework="the package testing"),
    ),
    Language(
        "ruby",
        "tree_sitter_ruby",
        _words(".rb .rake"),
        blocks=Blocks.KEYWORD,
        functions=_words("method singleton_method"),
        classes=_words("class module singleton_class"),
        strings=_words("string heredoc_body regex subshell"),
        literals=_words("hash"),
        openers=_words("def class module if unless while until case begin do for"),
        closers=_words("end"),
        documentation=_HASHES,
        tests=TestConvention(
            framework="Minitest", location=TestLocation.IN_ROOT_FOLDER, files=("test_{stem}.rb",), folders=("test",)
        ),
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
        documentation=_STARS,
        tests=TestConvention(framework="PHPUnit", location=TestLocation.MIRRORED, files=("{stem}Test{suffix}",)),
    ),
    Language(
        "shellscript",
        "tree_sitter_bash",
        _words(".sh .bash"),
        blocks=Blocks.KEYWORD,
        aliases=_words("bash sh"),
        functions=_words("function_definition"),
        strings=_words("string raw_string heredoc_body ansi_c_string"),
        openers=_words("if case do"),
        closers=_words("fi esac done"),
        documentation=_HASHES,
    ),
    Language(
        "html",
        "tree_sitter_html",
        _words(".html .htm"),
        blocks=Blocks.TAG,
        strings=_words("quoted_attribute_value"),
    ),
    Language("css", "tree_sitter_css", _words(".css"), strings=_words("string_value"), semicolons=True),
    Language("json", "tree_sitter_json", _words(".json .jsonc"), aliases=_words("jsonc"), literals=_words("object")),
    Language(
        "yaml",
        "tree_sitter_yaml",
        _words(".yaml .yml"),
        blocks=Blocks.INDENT,
        strings=_words("double_quote_scalar single_quote_scalar block_scalar"),
    ),
    Language("toml", "tree_sitter_toml", _words(".toml"), literals=_words("inline_table")),
    Language(
        "lua",
        "tree_sitter_lua",
        _words(".lua"),
        blocks=Blocks.KEYWORD,
        functions=_words("function_declaration function_definition"),
        literals=_words("table_constructor"),
        openers=_words("function do if repeat"),
        closers=_words("end until"),
        documentation=DocumentationStyle(line="--- "),
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
    """Returns the language of an LSP ``languageId``, or else of the path's suffix, or None if no grammar is known."""
    return _BY_NAME.get(name.lower()) or _BY_SUFFIX.get(PurePosixPath(path).suffix.lower())


def suffixes() -> frozenset[str]:
    """Returns the suffixes of all languages' files, each with its dot."""
    return frozenset[str]().union(*(language.suffixes for language in LANGUAGES))


def language_name(name: str, path: str = "") -> str:
    """Returns the name of ``find_language``, or "" if no grammar is known."""
    language = find_language(name, path)
    return language.name if language is not None else ""


@cache
def grammar(language: Language) -> tree_sitter.Language:
    """Returns the compiled grammar, which is imported from its own wheel when it is first used."""
    module = importlib.import_module(language.package)
    return tree_sitter.Language(getattr(module, language.entry)())
