"""Closing brackets and quotes after the cursor: the suggestion overwrites those that it brings itself."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.completion.story import cpp, go, html, java, javascript, kotlin, python, rust


async def test_a_bracket_overwrites_the_one_that_is_there() -> None:
    assert await python("x = f(<CURSOR>)\n").completed_by("1, 2)") == snapshot("x = f(⟦1, 2)⟧\n")


async def test_a_call_within_a_call_overwrites_the_outer_bracket_only() -> None:
    assert await python("x = f(<CURSOR>)\n").completed_by("g(1), 2)") == snapshot("x = f(⟦g(1), 2)⟧\n")


async def test_a_bracket_that_the_model_leaves_out_stays() -> None:
    assert await python("x = f(<CURSOR>)\n").completed_by("g(1), 2") == snapshot("x = f(⟦g(1), 2⟧)\n")


async def test_a_quote_overwrites_the_one_that_is_there() -> None:
    assert await python("x = 'a<CURSOR>'\n").completed_by("bc'") == snapshot("x = 'a⟦bc'⟧\n")


async def test_a_quote_and_a_bracket_are_overwritten_together() -> None:
    assert await python("x = f('a<CURSOR>')\n").completed_by("bc')") == snapshot("x = f('a⟦bc')⟧\n")


async def test_a_square_bracket_overwrites_the_one_that_is_there() -> None:
    assert await python("x = [<CURSOR>]\n").completed_by("1, 2]") == snapshot("x = [⟦1, 2]⟧\n")


async def test_a_bracket_and_a_semicolon_are_overwritten_together() -> None:
    assert await javascript("foo(<CURSOR>);\n").completed_by("1, 2);") == snapshot("foo(⟦1, 2);⟧\n")


async def test_an_arrow_function_overwrites_its_brace_and_bracket() -> None:
    shown = await javascript("xs.map((x) => {<CURSOR>});\n").completed_by(" return x; });")
    assert shown == snapshot("xs.map((x) => {⟦ return x; });⟧\n")


async def test_a_callback_overwrites_both_brackets() -> None:
    shown = await javascript("items.forEach((<CURSOR>))\n").completed_by("""\
item) => {
  console.log(item);
});

foo();
""")
    assert shown == snapshot("""\
items.forEach((⟦item) => {
  console.log(item);
});⟧
""")


async def test_an_object_over_several_lines_overwrites_its_brackets() -> None:
    shown = await javascript("""\
function f() {
  foo({<CURSOR>})
}
""").completed_by("""\

    a: 1,
    b: 2
  });
  return 1;
""")
    assert shown == snapshot("""\
function f() {
  foo({⟦
    a: 1,
    b: 2
  });⟧
}
""")


async def test_a_dictionary_over_several_lines_overwrites_its_brace() -> None:
    shown = await python("x = {<CURSOR>}\n").completed_by("""\

    'a': 1,
    'b': 2
}
y = 1
""")
    assert shown == snapshot("""\
x = {⟦
    'a': 1,
    'b': 2
}⟧
""")


async def test_a_string_is_closed_before_what_the_line_cannot_hold() -> None:
    shown = await javascript('it("<CURSOR>")\n').completed_by("""\
works", () => {
  expect(1).toBe(1);
});
""")
    assert shown == snapshot('it("⟦works⟧")\n')


async def test_a_go_function_is_closed_and_called() -> None:
    shown = await go("""\
package a

func f() {
	go func() {<CURSOR>}
}
""").completed_by("""\

		b()
	}()
	c()
""")
    assert shown == snapshot("""\
package a

func f() {
	go func() {⟦
		b()
	}()⟧
}
""")


async def test_an_expression_leaves_the_semicolon() -> None:
    shown = await java("""\
class A {
  int f() {
    return <CURSOR>;
  }
}
""").completed_by("""\
a + b;
  }
""")
    assert shown == snapshot("""\
class A {
  int f() {
    return ⟦a + b;⟧
  }
}
""")


async def test_a_docstring_overwrites_its_quotes() -> None:
    shown = await python('''\
def f(a):
    """<CURSOR>"""
''').completed_by('''\
Return a."""
    return a\
''')
    assert shown == snapshot('''\
def f(a):
    """⟦Return a."""⟧
''')


async def test_an_f_string_overwrites_all_that_closes_it() -> None:
    assert await python('print(f"{<CURSOR>}")\n').completed_by('x.name}")') == snapshot('print(f"{⟦x.name}")⟧\n')


async def test_a_template_literal_overwrites_all_that_closes_it() -> None:
    assert await javascript("let s = `a ${<CURSOR>}`;\n").completed_by("b.c}`;") == snapshot("let s = `a ${⟦b.c}`;⟧\n")


async def test_an_object_between_blanks_overwrites_its_brace() -> None:
    shown = await javascript("const o = { <CURSOR> };\n").completed_by("a: 1, b: 2 };")
    assert shown == snapshot("const o = { ⟦a: 1, b: 2 };⟧\n")


async def test_a_list_between_blanks_overwrites_its_bracket() -> None:
    assert await python("x = [ <CURSOR> ]\n").completed_by("1, 2 ]") == snapshot("x = [ ⟦1, 2 ]⟧\n")


async def test_arguments_between_blanks_leave_the_bracket() -> None:
    assert await python("x = f( <CURSOR> )\n").completed_by("1, 2") == snapshot("x = f( ⟦1, 2⟧ )\n")


async def test_a_lambda_between_blanks_overwrites_its_brace() -> None:
    shown = await kotlin("val a = xs.map { <CURSOR> }\n").completed_by("it + 1 }")
    assert shown == snapshot("val a = xs.map { ⟦it + 1 }⟧\n")


async def test_a_struct_tag_overwrites_its_quotes() -> None:
    shown = await go("""\
package a

type A struct {
	B string `json:"<CURSOR>"`
}
""").completed_by('b"`')
    assert shown == snapshot("""\
package a

type A struct {
	B string `json:"⟦b"`⟧
}
""")


async def test_an_attribute_overwrites_its_quote_and_bracket() -> None:
    assert await html('<p class="<CURSOR>"></p>\n').completed_by('big">') == snapshot('<p class="⟦big⟧"></p>\n')


async def test_an_include_overwrites_its_bracket() -> None:
    assert await cpp("#include <<CURSOR>>\n").completed_by("vector>") == snapshot("#include <⟦vector>⟧\n")


async def test_a_generic_overwrites_its_bracket_and_brings_a_comma() -> None:
    shown = await rust("""\
struct P {
    a: Option<<CURSOR>>
}
""").completed_by("u8>,")
    assert shown == snapshot("""\
struct P {
    a: Option<⟦u8>,⟧
}
""")


async def test_a_template_overwrites_its_bracket_and_brings_a_name() -> None:
    assert await cpp("std::vector<<CURSOR>>\n").completed_by("int> v;") == snapshot("std::vector<⟦int> v;⟧\n")


async def test_a_lifetime_is_no_quote() -> None:
    shown = await rust("""\
fn f() {
    g(&'a <CURSOR>);
}
""").completed_by("str);")
    assert shown == snapshot("""\
fn f() {
    g(&'a ⟦str);⟧
}
""")


async def test_an_apostrophe_in_a_comment_is_no_quote() -> None:
    assert await python("# don't f(<CURSOR>)\n").completed_by("x)") == snapshot("# don't f(⟦x)⟧\n")


async def test_a_go_body_overwrites_its_brace() -> None:
    shown = await go("""\
package a

func main() {<CURSOR>}
""").completed_by("""\

	b()
}\
""")
    assert shown == snapshot("""\
package a

func main() {⟦
	b()
}⟧
""")


async def test_a_bracket_that_is_there_is_not_offered() -> None:
    shown = await python("x = f(a<CURSOR>)\n").completed_by(")\n")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_a_function_as_argument_overwrites_the_bracket() -> None:
    shown = await go("""\
package a

func f() {
	b(<CURSOR>)
}
""").completed_by("""\
func() {
		c()
	})
	d()
""")
    assert shown == snapshot("""\
package a

func f() {
	b(⟦func() {
		c()
	})⟧
}
""")


async def test_arguments_on_several_lines_overwrite_the_bracket() -> None:
    shown = await python("""\
def f():
    x = foo(a,
            <CURSOR>)
""").completed_by("""\
b,
            c)
    return x\
""")
    assert shown == snapshot("""\
def f():
    x = foo(a,
            ⟦b,
            c)⟧
""")


async def test_a_bracket_more_than_there_are_is_not_offered() -> None:
    assert await python("x = f(<CURSOR>)\n").completed_by("1, 2))") == snapshot(
        "no suggestion: nothing was left that fits the code around the cursor"
    )


async def test_a_semicolon_that_the_suggestion_brings_is_overwritten() -> None:
    assert await javascript("f(<CURSOR>);\n").completed_by("a);") == snapshot("f(⟦a);⟧\n")


async def test_a_semicolon_that_the_suggestion_lacks_stays() -> None:
    assert await javascript("f(<CURSOR>);\n").completed_by("a)") == snapshot("f(⟦a)⟧;\n")
