"""Tokenizers for models that run on a server, which counts tokens, or whose tokens can only be estimated."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain, pairwise

from codegemma_lsp.engines.asked_lines import AskedLines, sent_text
from codegemma_lsp.engines.backends.openai_server import About, Kind, Server, not_json
from codegemma_lsp.engines.protocol import ModelUnusable
from codegemma_lsp.engines.vocabulary import LINE, PROBE, SpecialTokens, first_character_of, no_token, prompt_tokens
from codegemma_lsp.prompt import FAMILIES, PREFIX_ONLY, Family, Layout, Markup, Prompt, Special, Text, unmistakable

_BETWEEN = -1
"""No token, which llama-server repeats as it is, so that it stands between the tokens of two texts."""
_GUARD = "\n"
"""As in ``vocabulary``: before a text, it takes the blank that SentencePiece puts there."""
ESTIMATED_BYTES = 2
_MARKUP = re.compile(r"<(?=[|\uff5c\[][\w\u2581/-]+[|\uff5c\]]>)")
"""Matches the first character of what looks like a special token of some model."""
_SHORT = ("<s>", "</s>", "<unk>", "<pad>")
"""Special tokens of models of an unknown family that may mean something in source code."""

Tokenize = Callable[[Sequence[str], bool], list[list[int]]]
"""Returns the tokens of each text. The second argument says whether special tokens are recognised."""


class Spelled:
    """Where a text spells a special token of a family's models, or of those of other families."""

    def __init__(self, family: Family) -> None:
        own = {*family.texts.values(), *family.ends, *(_SHORT if family is PREFIX_ONLY else ())}
        others = chain.from_iterable(map(unmistakable, FAMILIES))
        self._pattern = re.compile(f"{first_character_of({*own, *others}).pattern}|{_MARKUP.pattern}")

    def parts(self, text: str) -> list[str]:
        """Returns a text cut after the first character of each special token that it spells."""
        cuts = [0, *(match.end() for match in self._pattern.finditer(text)), len(text)]
        return [text[start:end] for start, end in pairwise(cuts) if end > start]

    def broken(self, text: str) -> str:
        """Returns a text with a blank in each special token that it spells."""
        return " ".join(self.parts(text))


class ServerTokenizer:
    """A ``Tokenizer`` that asks the server for lines that it has not seen. Any thread may call it, except that of an
    event loop. It does not know its tokens' pieces."""

    def __init__(
        self, family: Family, specials: SpecialTokens, tokenize: Tokenize, *, begins_with_bos: bool = True
    ) -> None:
        """Raises what ``tokenize`` raises."""
        self.family, self.begins_with_bos = family, begins_with_bos
        self._specials, self._tokenize = specials, tokenize
        self.spelled = Spelled(family)
        guard, one, both = tokenize([_GUARD, "x", _GUARD + "x"], False)
        self._guard = guard if both != guard + one and both[: len(guard)] == guard else None
        lines = LINE.findall(PROBE)
        *found, whole = self._encode([*lines, PROBE])
        self._lines = AskedLines(self._encode, by_line=list(chain.from_iterable(found)) == whole)

    def encode(self, text: str) -> list[int]:
        return self._lines.encode(text)

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Returns the tokens of texts in which nothing is a special token, as ``Vocabulary`` finds them."""
        parts = [self.spelled.parts(text) for text in texts]
        tokens = iter(self._without_lead([part for one in parts for part in one]))
        return [list(chain.from_iterable(next(tokens) for _ in one)) for one in parts]

    def _without_lead(self, parts: Sequence[str]) -> list[list[int]]:
        guard = self._guard
        if guard is None:
            return self._tokenize(parts, False)
        found = self._tokenize([_GUARD + part for part in parts], False)
        return [
            tokens[len(guard) :] if tokens[: len(guard)] == guard else self._tokenize([part], False)[0]
            for part, tokens in zip(parts, found, strict=True)
        ]

    def encode_markup(self, text: str) -> list[int]:
        return self._tokenize([sent_text(text)], True)[0]

    def name(self, special: Special) -> str:
        return self._specials.names.get(special, "")

    def piece(self, token: int) -> bytes:
        return b""

    def special(self, special: Special) -> int:
        try:
            return self._specials.ids[special]
        except KeyError:
            raise ModelUnusable(no_token(special)) from None

    def prompt(self, prompt: Prompt) -> list[int]:
        """Returns a prompt as its token ids. Raises ``EngineError``."""
        return prompt_tokens(prompt, self)


class EstimatingTokenizer:
    """A ``Tokenizer`` for servers that do not count tokens: two bytes count as one, which is more tokens than code
    has."""

    begins_with_bos = False
    """The server puts it there."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.spelled = Spelled(family)

    def encode(self, text: str) -> list[int]:
        return [0] * -(-len(text.encode("utf-8", "replace")) // ESTIMATED_BYTES)

    def encode_markup(self, text: str) -> list[int]:
        return self.encode(text)

    def name(self, special: Special) -> str:
        return self.family.texts.get(special, "")

    def piece(self, token: int) -> bytes:
        return b""

    def special(self, special: Special) -> int:
        if not self.name(special):
            raise ModelUnusable(no_token(special))
        return 0

    def prompt(self, prompt: Prompt) -> str:
        """Returns a prompt as a text in which only the prompt's own special tokens are spelled. The server puts the one
        that begins a text. Raises ``ModelUnusable``."""
        parts = []
        for segment in prompt.segments:
            if isinstance(segment, Text):
                parts.append(self.spelled.broken(sent_text(segment.text)))
            elif isinstance(segment, Markup):
                parts.append(segment.text)
            elif segment is not Special.BOS:
                self.special(segment)
                parts.append(self.name(segment))
        return "".join(parts)


def tokenizer(server: Server, about: About, family: Family) -> ServerTokenizer | EstimatingTokenizer:
    """Returns the tokenizer of a server's model. Raises ``EngineError``."""
    if about.kind not in (Kind.LLAMA_SERVER, Kind.VLLM):
        return EstimatingTokenizer(family)
    asked = _Asked(server, about)
    texts = {**family.texts, **about.names}
    ids = {special: found[0] for special, text in texts.items() if len(found := asked([text], True)[0]) == 1}
    names = {special: text for special, text in texts.items() if special in ids}
    if not {part for part in family.order(Layout.PSM) if isinstance(part, Special)} <= set(ids):
        family = PREFIX_ONLY
    bos = asked.bos()
    if bos is not None:
        ids[Special.BOS] = bos
    return ServerTokenizer(family, SpecialTokens(ids=ids, names=names), asked, begins_with_bos=bos is not None)


class _Asked:
    """The tokens that a server counts, in one call for all texts where it takes several."""

    def __init__(self, server: Server, about: About) -> None:
        self._server, self._about = server, about
        self._url = f"{server.address.root}/tokenize"
        several = about.kind is Kind.LLAMA_SERVER and self._ask(["a", _BETWEEN, "b"], False).count(_BETWEEN) == 1
        self._takes_several = several

    def __call__(self, texts: Sequence[str], markup: bool) -> list[list[int]]:
        if not self._takes_several:
            return [self._ask(text, markup) for text in texts]
        content: list[str | int] = []
        for text in texts:
            content += (text, _BETWEEN)
        found: list[list[int]] = [[]]
        for token in self._ask(content, markup):
            if token == _BETWEEN:
                found.append([])
            else:
                found[-1].append(token)
        if len(found) != len(texts) + 1:
            raise not_json(self._server.address)
        return found[:-1]

    def bos(self) -> int | None:
        """Returns the token that the model expects at the beginning of a prompt, or None."""
        plain, begun = self._ask("a", False), self._ask("a", False, added=True)
        return begun[0] if begun[1 : 1 + len(plain)] == plain else None

    def _ask(self, content: str | list[str | int], markup: bool, *, added: bool = False) -> list[int]:
        if self._about.kind is Kind.LLAMA_SERVER:
            body: dict[str, object] = {"content": content, "add_special": added, "parse_special": markup}
        else:
            body = {"model": self._about.model, "prompt": content, "add_special_tokens": added}
        answer = self._server.ask("POST", self._url, body)
        tokens = answer.get("tokens") if isinstance(answer, dict) else None
        if not isinstance(tokens, list) or not all(isinstance(token, int) for token in tokens):
            raise not_json(self._server.address)
        return tokens
