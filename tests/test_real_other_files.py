"""In every language, a signature in another file makes a suggestion of a real model right that is wrong without it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from codegemma_lsp.completion import DocumentState, Query, complete
from codegemma_lsp.context import CursorInFile, gather, piece_tokens
from codegemma_lsp.context.definitions import imported_definitions
from codegemma_lsp.document import Document
from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
from codegemma_lsp.engines.protocol import Engine, Options
from codegemma_lsp.settings import Settings
from codegemma_lsp.syntax import language_name
from tests.context.files import InMemory
from tests.context.test_definitions import project

PROJECTS = {
    "python": """\
--- desk.py
from shop.till import Till


def seats_left(till: Till, booking: str) -> int:
    return till.<CURSOR>
--- shop/till.py
class Till:
    def remaining_after(self, booking: str, guests: int) -> int:
        return self.seats - guests
""",
    "typescript": """\
--- desk.ts
import { Till } from "./till";

function seatsLeft(till: Till, booking: string): number {
  return till.<CURSOR>
}
--- till.ts
export class Till {
  remaining_after(booking: string, guests: number): number {
    return this.seats - guests;
  }
}
""",
    "javascript": """\
--- desk.js
import { openTill } from "./till.js";

export function seatsLeft(booking) {
  const till = openTill();
  return till.<CURSOR>
}
--- till.js
export const openTill = () => ({ remaining_after: (booking, guests) => 20 - guests });
""",
    "java": """\
--- shop/Desk.java
package shop;

class Desk {
  int seatsLeft(Till till, String booking) {
    return till.<CURSOR>
  }
}
--- shop/Till.java
package shop;

class Till {
  int remaining_after(String booking, int guests) {
    return seats - guests;
  }
}
""",
    "kotlin": """\
--- shop/Desk.kt
package shop

fun seatsLeft(till: Till, booking: String): Int {
    return till.<CURSOR>
}
--- shop/Till.kt
package shop

class Till {
    fun remaining_after(booking: String): Int {
        return ask(booking).size
    }
}
""",
    "c": """\
--- desk.c
#include "till.h"

int seats_left(struct till *till, const char *booking) {
    return till_<CURSOR>
}
--- till.h
struct till;
int till_remaining_after(struct till *till, const char *booking);
""",
    "cpp": """\
--- desk.cpp
#include "till.hpp"

int seats_left(Till& till, const std::string& booking) {
    return till.<CURSOR>
}
--- till.hpp
class Till {
 public:
  int remaining_after(const std::string& booking, int guests);
};
""",
    "csharp": """\
--- Shop/Desk.cs
namespace Shop;

class Desk {
    int SeatsLeft(Till till, string booking) {
        return till.<CURSOR>
    }
}
--- Shop/Till.cs
namespace Shop;

class Till {
    public int remaining_after(string booking, int guests) {
        return seats - guests;
    }
}
""",
    "rust": """\
--- src/desk.rs
use crate::till::Till;

pub fn seats_left(till: &Till, booking: &str) -> u32 {
    till.<CURSOR>
}
--- src/till.rs
pub struct Till {
    number: u32,
}

impl Till {
    pub fn remaining_after(&self, booking: &str) -> u32 {
        self.ask(booking)
    }
}
""",
    "go": """\
--- desk.go
package shop

func seatsLeft(till Till, booking string) int {
	return till.<CURSOR>
}
--- till.go
package shop

type Till interface {
	RemainingAfter(booking string) int
}
""",
}


@pytest.fixture(scope="module")
def real(real_model: Path) -> Iterator[Engine]:
    engine = LlamaEngine(real_model, Options(threads=2, batch_threads=2))
    yield engine
    engine.close()


def suggested(engine: Engine, story: str, *, with_other_files: bool) -> str:
    path, marked, files = project(story)
    offset, text = marked.index("<CURSOR>"), marked.replace("<CURSOR>", "")
    cursor = CursorInFile(path=path, language=language_name("", path), text=text, offset=offset)
    sources = (imported_definitions,) if with_other_files else ()
    found = gather(cursor, InMemory(files), sources, 480, lambda piece: piece_tokens(piece, engine.tokenizer))
    document = Document(uri=f"file:///{path}", text=text, language=cursor.language)
    asked = Query(
        document=document, offset=offset, path=path, explicit=True, other_files=found.other_files, repository="shop"
    )
    outcome = asyncio.run(complete(asked, DocumentState(), engine, Settings()))
    return outcome.suggestion.text if outcome.suggestion is not None else ""


@pytest.mark.parametrize("language", PROJECTS)
def test_a_signature_in_another_file_makes_the_suggestion_right(real: Engine, language: str) -> None:
    alone, together = (suggested(real, PROJECTS[language], with_other_files=shown) for shown in (False, True))
    assert "remainingafter" not in alone.replace("_", "").lower()
    assert "remainingafter" in together.replace("_", "").lower()
