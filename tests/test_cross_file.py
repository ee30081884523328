"""Tasks that need another file of a project, as CrossCodeEval makes them, and what each arm shows for them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.benchmarks.cross_file import python_checker, typescript_checker
from codegemma_lsp.benchmarks.cross_file.checked import needs
from codegemma_lsp.benchmarks.cross_file.faults import Need
from codegemma_lsp.benchmarks.cross_file.tasks import Half, Split, half_of, project_tasks
from codegemma_lsp.benchmarks.infilling.answers import Answer
from codegemma_lsp.benchmarks.infilling.arms import Arm, selection
from codegemma_lsp.benchmarks.infilling.measures import identifier_f1
from codegemma_lsp.benchmarks.infilling.tasks import BadTasks, Task
from codegemma_lsp.settings import Settings
from tests.scripted import ScriptedEngine

TILL = '''\
class Till:
    def __init__(self) -> None:
        self.seats = 3

    def remaining_after(self, booking: str, guests: int) -> int:
        """Counts the seats that are left."""
        return self.seats - guests


def opened(owner: str) -> Till:
    return Till()
'''
DESK = """\
import os

from shop.till import Till, opened


def book(name: str) -> int:
    till = Till()
    left = till.remaining_after(name, guests=2)
    path = os.path.join("bookings", name)
    other = opened("somebody at the desk")
    return left + len(path)
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    for name, text in (("__init__.py", ""), ("till.py", TILL), ("desk.py", DESK)):
        (root / name).write_text(text)
    return root


def test_imports_of_the_project_become_empty_classes_on_the_same_lines() -> None:
    text = (
        "import os\nfrom shop.till import (\n    Till,\n    opened,\n)\nfrom .a import *\nimport shop.b as b\nx = 1\n"
    )
    assert python_checker.stubbed(text, "shop") == snapshot("""\
import os
Till = type('Till', (), {}); opened = object()



pass
b = object()
x = 1
""")


def test_lines_that_fail_without_the_other_file_need_it(shop: Path) -> None:
    assert needs(shop, ["desk.py"]) == snapshot(
        [
            Need(path="desk.py", line=7, column=16, owner="Till", member="remaining_after"),
            Need(path="desk.py", line=9, column=19, owner="opened", member=""),
        ]
    )


CART = """\
import fs from "node:fs";
import type { Item } from "./item";
import {
  Till,
  opened as open,
} from "./till.js";
import * as money from "./money";

export { Till };

export function book(item: Item): number {
  const till = new Till("desk");
  const left = till.remainingAfter(item.name, 2);
  fs.writeFileSync("bookings", money.format(left));
  return open("somebody at the desk") ?? left;
}
"""
ITEM = "export interface Item {\n  name: string;\n}\n"
TS_TILL = """\
export class Till {
  constructor(readonly name: string) {}
  remainingAfter(booking: string, guests: number): number {
    return booking.length - guests;
  }
}
export function opened(owner: string): number | undefined {
  return owner.length;
}
"""


def test_imports_of_typescript_become_empty_classes_on_the_same_lines() -> None:
    assert typescript_checker.stubbed(CART, "shop").split("export function")[0] == snapshot("""\
import fs from "node:fs";
class Item {}
class Till {}; const open = {}



const money = {}

export { Till };

""")


def test_lines_of_typescript_that_fail_without_the_other_file_need_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = Path(__file__).parents[1] / "editors/vscode/node_modules/.bin"
    monkeypatch.setenv("PATH", os.pathsep.join([os.environ["PATH"], str(tools)]))
    if shutil.which("tsc") is None:
        pytest.skip("TypeScript's compiler is not here: neither on PATH nor in editors/vscode/node_modules.")
    root = tmp_path / "shop"
    root.mkdir()
    for name, text in (("cart.ts", CART), ("item.ts", ITEM), ("till.ts", TS_TILL)):
        (root / name).write_text(text)
    (root / "money.ts").write_text("export const format = (amount: number): string => `${amount}`;\n")
    found = [(need.owner, need.member, CART.split("\n")[need.line][need.column :]) for need in needs(root, ["cart.ts"])]
    assert found == snapshot(
        [
            ("Till", "", '"desk");'),
            ("Till", "remainingAfter", "remainingAfter(item.name, 2);"),
            ("Item", "name", "name, 2);"),
            ("money", "format", "format(left));"),
            ("open", "", '"somebody at the desk") ?? left;'),
        ]
    )


def test_without_a_compiler_it_is_said_which_one_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    (tmp_path / "cart.ts").write_text(CART)
    with pytest.raises(BadTasks, match="tsc cannot be found; install it with npm install --global typescript"):
        needs(tmp_path, ["cart.ts"])


def test_a_task_is_the_rest_of_such_a_line(shop: Path, tmp_path: Path) -> None:
    tasks = project_tasks(shop, 9, 0, tmp_path / "cache")
    assert tasks == project_tasks(shop, 9, 0, tmp_path / "cache")
    needed = [(t.prefix.split("\n")[-1], t.middle, t.needed) for t in tasks[Split.CROSS_FILE]]
    assert needed == snapshot(
        [
            ("    other = opened(", '"somebody at the desk")', ("opened",)),
            ("    left = till.", "remaining_after(name, guests=2)", ("Till", "remaining_after")),
        ]
    )
    own = [t.middle for t in tasks[Split.SAME_FILE]]
    assert any('os.path.join("bookings", name)' in middle for middle in own)
    for task in (*tasks[Split.CROSS_FILE], *tasks[Split.SAME_FILE]):
        assert task.prefix + task.middle + task.suffix == (tmp_path / task.path).read_text()


def test_what_each_arm_shows(shop: Path, tmp_path: Path) -> None:
    task = next(t for t in project_tasks(shop, 9, 0, tmp_path)[Split.CROSS_FILE] if t.middle.startswith("remaining"))

    def shown(arm: Arm) -> str:
        return "".join(one.piece.text for one in selection(task, arm, ScriptedEngine(), Settings()).taken)

    assert shown(Arm.NONE) == ""
    assert "def remaining_after(self, booking: str, guests: int) -> int:" in shown(Arm.DEFINITIONS)
    assert "def opened" not in shown(Arm.ORACLE)
    assert "return self.seats - guests" in shown(Arm.ORACLE)


RATES = """\
def shipping_rate(weight, distance, express):
    base = weight * RATE_PER_KILO + distance * RATE_PER_KILOMETRE
    surcharge = EXPRESS_SURCHARGE if express else 0
    discount = VOLUME_DISCOUNT if weight > VOLUME_LIMIT else 0
    return base + surcharge - discount
"""
INVOICE = """\
def invoice_rate(weight, distance, express):
    base = weight * RATE_PER_KILO + distance * RATE_PER_KILOMETRE
    surcharge = EXPRESS_SURCHARGE if express else 0
    <CURSOR>
"""


@pytest.mark.parametrize(("project", "found"), [("", True), ("shop/", True), ("other/", False)])
def test_similar_code_is_looked_for_in_the_tasks_project(tmp_path: Path, project: str, found: bool) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "rates.py").write_text(RATES)
    prefix, _, suffix = INVOICE.partition("<CURSOR>")
    task = Task(
        id="1",
        split="line",
        prefix=prefix,
        suffix=suffix,
        middle="",
        path="invoice.py",
        folder=str(tmp_path),
        project=project,
    )
    taken = selection(task, Arm.SIMILAR, ScriptedEngine(), Settings()).taken
    assert any("VOLUME_DISCOUNT" in one.piece.text for one in taken) is found


def test_a_project_is_of_one_half_for_ever() -> None:
    assert {half_of(Path("/a/smolagents")), half_of(Path("/b/smolagents"))} == {Half.LOOK}
    assert half_of(Path("mcp")) is Half.REPORT


@pytest.mark.parametrize(
    ("given", "right", "score"),
    [("add(item)", "add(item)", 1.0), ("add(thing)", "add(item)", 0.5), ("", "add(item)", 0.0), ("1 + 2", "3", 1.0)],
)
def test_identifiers_are_compared(given: str, right: str, score: float) -> None:
    task = Task(id="", split="", prefix="", suffix="", middle=right)
    assert identifier_f1(task, Answer(given)) == score


def test_the_command_line(shop: Path, tmp_path: Path) -> None:
    from tests.test_cli import run as command

    arguments = ["eval", "cross-file", str(shop), "--model", "oracle", "--out", "runs", "--json", "s.json"]
    done = command(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "s.json").read_text())
    assert [(one["split"], one["arm"]) for one in found if one["n"]][:3] == [
        ("cross-file", "none"),
        ("cross-file", "all"),
        ("cross-file", "oracle"),
    ]
    assert {one["exact_match"] for one in found} == {1}
    refused = command("eval", "cross-file", str(shop), "--arm", "some", cwd=tmp_path)
    arms = "none, definitions, sibling, similar, all, ungated, oracle"
    assert f"There is no arm some; choose one of {arms}." in refused.stderr
    refused = command("eval", "cross-file", "nowhere", cwd=tmp_path)
    assert "There is no folder nowhere; name the package of a Python project, or one in TypeScript." in refused.stderr
