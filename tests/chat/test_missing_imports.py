"""What an edit imports: names of the standard library that it uses and that the file does not know."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot
from lsprotocol import types

from codegemma_lsp.chat import Action
from codegemma_lsp.chat.diff import apply
from codegemma_lsp.chat.missing_imports import missing_imports
from codegemma_lsp.document import Encoding
from codegemma_lsp.server.conversions import workspace_edit
from tests.chat.story import javascript, python


def test_the_import_is_a_part_of_the_edit_above_the_region() -> None:
    shown = python('''\
"""Prices."""

import os


def total(text):
    return sum(int(x) for x in text.split(","))<CURSOR>
''').edited_by('return sum(map(Decimal, re.split(r"[,;]", text)))\n```')
    assert shown == snapshot('''\
"""Prices."""

import os
⟦import re
from decimal import Decimal
⟧

def total(text):
    return sum(⟦map⟧(⟦Decimal,⟧ ⟦re⟧.split(⟦r"[,;]⟧",⟦ text)⟧))
''')


def test_the_import_has_the_files_line_ends() -> None:
    shown = python("import os\n\n\ndef now():\n    pass<CURSOR>\n", newline="\r\n").edited_by(
        "return datetime.now()\n```"
    )
    assert shown == snapshot("""\
import os\r
⟦from datetime import datetime\r
⟧\r
\r
def now():\r
⟦    return datetime.now()⟧\r
""")


def test_a_file_that_is_rewritten_as_a_whole_gets_the_import_within_it() -> None:
    shown = python("<SELECTED>x = 1\ny = 2</SELECTED>\n").edited_by("x = math.pi\ny = 2\n```")
    assert shown == snapshot("""\
⟦import math

⟧x = ⟦math.pi⟧
y = 2
""")


def test_an_editor_asks_about_the_import_on_its_own() -> None:
    story = python("import os\n\n\ndef now():\n    pass<CURSOR>\n")
    proposal = story.proposal(Action.EDIT, "return datetime.now()\n```")
    able = types.WorkspaceEditClientCapabilities(
        document_changes=True, change_annotation_support=types.ChangeAnnotationsSupportOptions()
    )
    capabilities = types.ClientCapabilities(workspace=types.WorkspaceClientCapabilities(workspace_edit=able))
    edit = workspace_edit(proposal, Encoding.UTF16, capabilities)
    assert {name: one.label for name, one in (edit.change_annotations or {}).items()} == snapshot(
        {"codegemma": "shorten", "codegemma-imports": "from datetime import datetime"}
    )


def test_an_import_below_imports_that_are_rewritten_is_a_line_of_its_own() -> None:
    shown = python("<SELECTED>import os</SELECTED>\nx = 1\n").edited_by("import os; p = Path('.')\n```")
    assert shown == snapshot("""\
⟦import os; p = Path('.')
from pathlib import Path⟧
x = 1
""")


def test_other_languages_are_left_as_they_are() -> None:
    shown = javascript("let a = 1;<CURSOR>\n").edited_by("let a = fs.readFileSync('a');\n```")
    assert shown == snapshot("⟦let a = fs.readFileSync('a');⟧\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", "import re\nre.sub()", id="imported already"),
        pytest.param("", "from a import *\nre.sub()", id="imported with everything else"),
        pytest.param("", "def f(re):\n    return re.sub()", id="a parameter"),
        pytest.param("", "for json in x:\n    json.load()", id="a variable"),
        pytest.param("re.sub()", "re.sub(1)", id="unknown before as well"),
        pytest.param("", "string = token", id="a variable that was forgotten"),
        pytest.param("", "x = sqrt", id="a function that is not called"),
        pytest.param("", "orders.total()", id="not of the standard library"),
        pytest.param("", "def f(:\n    re.sub()", id="no Python"),
        pytest.param("", "print(len(__name__))", id="built in"),
        pytest.param("", "match x:\n    case {**json}:\n        json.load()", id="bound by a pattern"),
        pytest.param("", "\x00", id="no text"),
    ],
)
def test_what_needs_no_import(before: str, after: str) -> None:
    assert missing_imports(before, after) is None


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(
            "re.sub()",
            snapshot("""\
import re

re.sub()\
"""),
            id="code only",
        ),
        pytest.param(
            "#!/usr/bin/python\n# A script.\nre.sub()\n",
            snapshot("""\
#!/usr/bin/python
import re

# A script.
re.sub()
"""),
            id="below the first comments",
        ),
        pytest.param(
            '"""Doc."""\nre.sub()\n',
            snapshot('''\
"""Doc."""

import re

re.sub()
'''),
            id="below a docstring",
        ),
        pytest.param(
            '"""Doc."""\n\n\ndef f(): re.sub()\n',
            snapshot('''\
"""Doc."""

import re


def f(): re.sub()
'''),
            id="a function below a docstring",
        ),
        pytest.param(
            "def f():\n    return defaultdict(list)",
            snapshot("""\
from collections import defaultdict


def f():
    return defaultdict(list)\
"""),
            id="before a function",
        ),
        pytest.param(
            "import b\n\nx: Path = datetime.date(1, 2, 3)",
            snapshot("""\
import b
import datetime
from pathlib import Path

x: Path = datetime.date(1, 2, 3)\
"""),
            id="a module and a name",
        ),
        pytest.param(
            "@dataclass\nclass A:\n    b: int = field()",
            snapshot("""\
from dataclasses import dataclass, field


@dataclass
class A:
    b: int = field()\
"""),
            id="two names of a module",
        ),
        pytest.param(
            "from __future__ import annotations\nos.fork()",
            snapshot("""\
from __future__ import annotations

import os
os.fork()\
"""),
            id="below __future__",
        ),
        pytest.param(
            "import a\nos.fork()",
            snapshot("""\
import a
import os
os.fork()\
"""),
            id="no line end",
        ),
        pytest.param(
            "class A: b = enum.auto()\nimport a",
            snapshot("""\
import enum


class A: b = enum.auto()
import a\
"""),
            id="an import further down",
        ),
    ],
)
def test_where_imports_go(after: str, expected: str) -> None:
    edit = missing_imports("", after)
    assert edit is not None
    assert apply(after, (edit,)) == expected
