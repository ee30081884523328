"""Finds the names at a cursor that another file may explain, the most needed one first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from codegemma_lsp.document import Span
from codegemma_lsp.text import line_start

_NAME = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|::)[A-Za-z_$][\w$]*)*")
_RECEIVER = re.compile(r"([A-Za-z_$][\w$]*(?:(?:\.|::|->|\?\.)[A-Za-z_$][\w$]*)*)(?:\(\))?(?:\.|::|->|\?\.)[\w$]*$")
_BEGUN = re.compile(r"(?<![\w$.>:])[A-Za-z_$][\w$]*$")
_SHORTEST_START = 3
_OWN = frozenset({"self", "this", "cls"})
_CLASS = re.compile(
    r"^[ \t]*class[ \t]+\w+[ \t]*\(([^)]{0,400})\)[ \t]*:|\bclass\s+\w+[^{\n]*?\s(?:extends|:)\s*([^{\n]+)",
    re.MULTILINE,
)
"""Matches a class and what it inherits from, in Python and in languages with braces."""
_SEPARATOR = re.compile(r"\.|::|->|\?\.")
_ABOVE, _BELOW, _LONGEST_LINE = 100_000, 10_000, 400
"""The number of code points above and below a cursor in which names are searched, and the maximum length of a line.
Patterns hold the interpreter, and with it the server, so the search must not depend on the length of a file or a
line."""
_IN_REACH = 4_000
"""The number of code points before a cursor in which an open call is looked for."""
RINGS = ((0, 0.85), (5, 0.7), (15, 0.6), (40, 0.45))
"""The value of a name by how many lines it is away from the cursor, at most."""
AT_DOT, IN_CALL, BEGUN = 1.0, 0.95, 0.9
_FEW = 24
_NO_TYPES = frozenset(
    (
        *("None", "str", "int", "float", "bool", "bytes", "list", "dict", "set", "tuple", "type", "object", "typing"),
        *("Optional", "Union", "Any", "Callable", "string", "number", "boolean", "null", "undefined", "void"),
        *("Promise", "Array", "Map", "Set", "Record", "readonly", "const", "let", "var", "return", "new", "async"),
        *("await", "mut", "ref", "dyn", "impl", "Option", "Result", "Vec", "Box", "Arc", "Rc", "String", "usize"),
        *("i32", "i64", "u32", "u64", "f32", "f64", "self", "this", "super", "not", "and", "or", "in", "is", "if"),
    )
)
"""Words in declarations that no file of a project explains."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A name that the text near a cursor uses, with dots as in the text. ``value`` is how much its definition would
    help, from 0 to 1."""

    name: str
    value: float
    reason: str


def wanted_names(text: str, offset: int) -> list[Wanted]:
    """Returns the names near an offset (code points). There are at most a few, and each is there once.

    The object before a dot at the cursor comes first, with the type that assignments and annotations above give it.
    Then comes the function of an open call, and then names by their distance.
    """
    found: dict[str, Wanted] = {}
    for one in _all(*_nearby(text, offset)):
        if one.name not in found:
            found[one.name] = one
    return list(found.values())[:_FEW]


def name_needed_at(text: str, offset: int) -> str:
    """Returns the object whose member is written at an offset, or the function whose arguments are, or ""."""
    span = object_before(text, offset) or called_at(text, offset)
    return text[span.start : span.end] if span is not None else ""


def begun_name(text: str, offset: int) -> str:
    """Returns the beginning of a name, not of a member, that is being written at an offset, or "" if it is too short to
    be useful."""
    match = _BEGUN.search(text[max(0, offset - _LONGEST_LINE) : offset])
    return match[0] if match is not None and len(match[0]) >= _SHORTEST_START else ""


def _nearby(text: str, offset: int) -> tuple[str, int]:
    """Returns the text around an offset without long lines, and the offset in it. The line at the offset is cut to its
    nearest part."""
    *above, before = text[max(0, offset - _ABOVE) : offset].split("\n")
    after, *below = text[offset : offset + _BELOW].split("\n")
    head = "\n".join([*map(_short, above), before[-_LONGEST_LINE:]])
    return head + "\n".join([after[:_LONGEST_LINE], *map(_short, below)]), len(head)


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else ""


def _all(text: str, offset: int) -> Iterator[Wanted]:
    if (span := object_before(text, offset)) is not None:
        yield from _object(text, offset, text[span.start : span.end], AT_DOT)
    if callee := open_call(text, offset):
        yield Wanted(callee, IN_CALL, f"{callee} is called at the cursor")
        owner = _SEPARATOR.split(callee)[:-1]
        if owner:
            yield from _object(text, offset, ".".join(owner), IN_CALL)
    yield from _by_distance(text, offset)


def _object(text: str, offset: int, written: str, value: float) -> Iterator[Wanted]:
    """Yields the names that explain an object's members: its type, or the object itself if it is a module or a
    class."""
    for name in types_of(text[:offset], written):
        yield Wanted(name, value, f"{written} at the cursor is of it")
    if _SEPARATOR.split(written)[0] in _OWN:
        for name in bases_at(text[:offset]):
            yield Wanted(name, value, f"the class around the cursor is a {name}")
    yield Wanted(written.replace("->", ".").replace("?.", "."), value, f"a member of {written} is written")


def _by_distance(text: str, offset: int) -> Iterator[Wanted]:
    lines = text.split("\n")
    here = text.count("\n", 0, offset)
    for reach, value in RINGS:
        near = range(max(0, here - reach), min(len(lines), here + reach + 1))
        for number in sorted(near, key=lambda line: abs(line - here)):
            for name in _NAME.findall(lines[number]):
                yield Wanted(name, value, f"{name} is used near the cursor")


def bases_at(before: str) -> list[str]:
    """Returns the classes from which the nearest class above inherits. ``before`` is the text above."""
    classes = list(_CLASS.finditer(before))
    if not classes:
        return []
    said = next((group for group in classes[-1].groups() if group), "")
    return [one for one in _NAME.findall(said.split("metaclass")[0]) if one not in _NO_TYPES][:3]


def object_before(text: str, offset: int) -> Span | None:
    """Returns where the object stands whose member is being written at an offset, or None if there is no dot. Of the
    line only what is near the offset is looked at."""
    match = _RECEIVER.search(text, max(line_start(text, offset), offset - _LONGEST_LINE), offset)
    return Span(*match.span(1)) if match is not None else None


def open_call(text: str, offset: int) -> str:
    """Returns the function of the innermost call whose arguments are being written at an offset, or ""."""
    span = called_at(text, offset)
    return text[span.start : span.end] if span is not None else ""


def called_at(text: str, offset: int) -> Span | None:
    """Returns where the function of ``open_call`` stands, or None."""
    depth = 0
    for at in range(offset - 1, max(-1, offset - 1 - _IN_REACH), -1):
        character = text[at]
        if character in ")]}":
            depth += 1
        elif character in "([{":
            if depth == 0 and character == "(":
                match = re.search(rf"{_NAME.pattern}$", text[max(0, at - 200) : at])
                return Span(at - len(match[0]), at) if match is not None else None
            depth -= 1
            if depth < 0:
                return None
    return None


def types_of(before: str, written: str) -> list[str]:
    """Returns the types that an object may have, the nearest declaration first, or the functions whose result it is.

    ``before`` is the text above, and ``written`` is the object as the cursor's line has it (``x``, ``self.x``).
    """
    parts = _SEPARATOR.split(written)
    is_own = len(parts) == 2 and parts[0] in _OWN
    if len(parts) > 1 and not is_own:
        return []
    name = re.escape(parts[-1])
    owner = r"(?:self\.|this\.|cls\.)?" if is_own else r"(?<![\w.$])"
    declared = [
        rf"{owner}{name}\s*\??:(?![:=])\s*(?P<type>[^=,;){{}}\n]+)",
        rf"{owner}{name}\s*:?=(?!=)\s*(?:await\s+)?(?:new\s+)?&?(?P<call>[A-Za-z_$][\w$.:]*)\s*(?:<[^>\n]*>)?\s*[({{]",
        rf"\b(?P<before>[A-Z][\w$]*)(?:<[^>\n]*>)?[\s*&]+{name}\b",
        rf"\bexcept[ \t]++\(?(?P<caught>[\w., ]+?)\)?[ \t]+as[ \t]+{name}\b",
        rf"\bwith\s+(?P<with>[A-Za-z_][\w.]*)\([^\n]*\)\s+as\s+{name}\b",
        rf"[(,]\s*{name}\s+\*?(?P<after>[A-Za-z_][\w.]*)",
    ]
    found = [match for pattern in declared for match in re.finditer(pattern, before)]
    names: dict[str, None] = {}
    for match in sorted(found, key=lambda match: -match.start()):
        for said in match.groupdict().values():
            names.update(dict.fromkeys(_NAME.findall(said or "")))
    return [one for one in names if one not in _NO_TYPES][:4]
