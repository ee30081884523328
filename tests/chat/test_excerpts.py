"""What of a long file a question is given along with."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.chat.excerpts import part_about
from codegemma_lsp.syntax import parse
from tests.scripted import Bytes

SHOP = '''\
"""A shop."""
import json

RETRIES_AFTER_TIMEOUT = 4


class Till:
    """Takes money."""

    def pay(self, sum):
        if sum < 0:
            raise ValueError("nobody pays less than nothing")
        self.sum += sum

    def close(self):
        """Writes the day's sum."""
        with open("sums.json", "a") as file:
            json.dump(self.sum, file)


# Tea is weighed, so that it is sold by the gram.
def weigh(tea):
    grams = tea.weight * 1000
    grams -= tea.tin.weight * 1000
    return round(grams)


def greet(name):
    print("Good day,", name)
    print("what may it be?")
    print("We have tea.")


def closing_time(day):
    if day == "sunday":
        return None
    return 18 if day == "saturday" else 20
'''


def part(question: str, tokens: int = 420, text: str = SHOP, language: str = "python") -> str:
    return part_about(parse(text, language), question, tokens, Bytes()).text


def test_a_definition_is_whole_and_others_have_their_heads() -> None:
    assert part("When does the shop close on Saturday?", 500) == snapshot('''\
"""A shop."""
import json

RETRIES_AFTER_TIMEOUT = 4


class Till:
    """Takes money."""

    def pay(self, sum):
        if sum < 0:
            raise ValueError("nobody pays less than nothing")
        self.sum += sum

    def close(self):
        """Writes the day's sum."""
        with open("sums.json", "a") as file:
…
def weigh(tea):
…
def greet(name):
    print("Good day,", name)
…
def closing_time(day):
    if day == "sunday":
        return None
    return 18 if day == "saturday" else 20
''')


def test_the_comment_above_belongs_to_the_definition() -> None:
    assert part("How is the weight of tea computed?", 420) == snapshot('''\
"""A shop."""
import json

RETRIES_AFTER_TIMEOUT = 4


class Till:
    """Takes money."""

    def pay(self, sum):
        if sum < 0:
…
# Tea is weighed, so that it is sold by the gram.
def weigh(tea):
    grams = tea.weight * 1000
    grams -= tea.tin.weight * 1000
    return round(grams)


def greet(name):
    print("Good day,", name)
    print("what may it be?")
    print("We have tea.")


def closing_time(day):
…\
''')


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("How often is it tried again after a timeout?", "RETRIES_AFTER_TIMEOUT = 4"),
        ("What happens if a negative sum is paid?", "nobody pays less"),
        ("Into which file are sums written?", "sums.json"),
        ("How are customers greeted?", "Good day"),
    ],
)
def test_the_fact_is_there(question: str, fact: str) -> None:
    assert fact in part(question)


def test_what_shares_no_word_is_shown_from_its_beginning() -> None:
    assert part("Why?", 45, "one two three\n" * 10, "") == snapshot("""\
one two three
one two three
one two three
…\
""")


@pytest.mark.parametrize("tokens", [0, 1, 40, 300, 600, 5000])
@pytest.mark.parametrize("text", [SHOP, "", "\n" * 50, "x " * 500, "a\n\nb\n\nc\n" * 30])
def test_it_fits(text: str, tokens: int) -> None:
    found = part_about(parse(text, "python"), "How is tea sold?", tokens, Bytes())
    kept = [line for line in found.text.split("\n") if line != "…"]
    assert sum(len(Bytes().encode(line + "\n")) for line in kept) <= tokens
    assert found.missing == text.count("\n") + 1 - len(kept) or not found.text
