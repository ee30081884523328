"""Describes what a prompt consists of, for people who want to inspect it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from codegemma_lsp.completion.types import Plan
from codegemma_lsp.context import Selection, Weighed
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.prompt import Special, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedSegment:
    """A segment of a prompt, and ``why`` it is there. The segment is a text, or a special token as the vocabulary
    spells it."""

    text: str
    tokens: int
    why: str
    is_special: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedPiece:
    """A piece of another file that was found for the cursor, and why it was taken or ``left_out``.

    ``why`` says what the piece is for. ``left_out`` is "" if the prompt shows it.
    """

    path: str
    source: str
    tokens: int
    why: str
    left_out: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A prompt, segment by segment, and the pieces of other files that were found for it.

    ``forced_prefix`` is the text with which generation has to begin (token healing). ``quiet`` says why nothing is
    shown at this moment unless the user asks, or is "".
    """

    family: str
    title: str
    tokens: int
    forced_prefix: str
    segments: tuple[ExplainedSegment, ...]
    pieces: tuple[ExplainedPiece, ...] = ()
    quiet: str = ""

    def as_markdown(self) -> str:
        """Returns a page for an editor: the pieces of other files as a table, then the prompt as the model gets it."""
        return "\n".join([*self._summary(), *self._table(), *self._segments()])

    def _summary(self) -> Iterator[str]:
        yield "# The prompt at the cursor\n"
        yield f"{self.tokens} tokens in the infill format {self.family} ({self.title})."
        if self.quiet:
            yield f"\nNothing is shown here unless you ask for it, because {self.quiet}."
        if self.forced_prefix:
            yield f"\nThe completion has to begin with {self.forced_prefix!r} (token healing)."

    def _table(self) -> Iterator[str]:
        yield "\n## Other files\n"
        if not self.pieces:
            yield "No piece of another file was found for this cursor."
            return
        yield "| Tokens | File | Source | Why |"
        yield "|---:|---|---|---|"
        for piece in self.pieces:
            why = f"left out: {piece.left_out}" if piece.left_out else f"taken: {piece.why}"
            yield f"| {piece.tokens} | `{piece.path}` | {piece.source} | {why} |"

    def _segments(self) -> Iterator[str]:
        yield "\n## Segments\n"
        for segment in self.segments:
            if segment.is_special:
                yield f"`{segment.text}` ({segment.why})\n"
                continue
            fence = "`" * max(3, 1 + _longest_run(segment.text))
            yield f"{segment.tokens} tokens, {segment.why}:\n\n{fence}\n{segment.text}\n{fence}\n"


def explain(plan: Plan, engine: Engine, found: Selection, quiet: str = "") -> Explanation:
    """Returns what the prompt of a plan consists of. ``found`` holds the pieces from which its other files were taken,
    and ``quiet`` says why nothing is shown, if so."""
    family = engine.tokenizer.family
    return Explanation(
        family=family.name,
        title=family.title,
        tokens=plan.prompt.tokens,
        forced_prefix=plan.prompt.forced_prefix.decode(errors="replace"),
        segments=tuple(_segments(plan, engine)),
        pieces=tuple(_piece(one) for one in (*found.taken, *found.left_out)),
        quiet=quiet,
    )


def _segments(plan: Plan, engine: Engine) -> Iterator[ExplainedSegment]:
    for segment in plan.prompt.segments:
        if isinstance(segment, Text):
            count = len(engine.tokenizer.encode(segment.text))
            yield ExplainedSegment(text=segment.text, tokens=count, why=segment.reason)
        elif isinstance(segment, Special):
            name, why = engine.tokenizer.name(segment), f"special token: {segment.value}"
            yield ExplainedSegment(text=name, tokens=1, why=why, is_special=True)


def _piece(one: Weighed) -> ExplainedPiece:
    piece = one.piece
    return ExplainedPiece(
        path=piece.path, source=piece.kind.value, tokens=one.tokens, why=piece.reason, left_out=one.left_out
    )


def _longest_run(text: str) -> int:
    """Returns the length of the longest run of backticks."""
    longest = run = 0
    for character in text:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    return longest
