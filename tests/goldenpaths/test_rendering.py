"""The template language: what it shares with the original engine, where it is stricter, and what stops it."""

import math
import time

import pytest

from portal.goldenpaths.language.expressions import condition, iterations, runs_after_failure
from portal.goldenpaths.language.rendering import (
    Options,
    RenderError,
    RenderJob,
    check_texts,
    matches,
    render_tree,
    render_value,
)

CONTEXT = {
    "parameters": {
        "n": 3, "f": 2.5, "s": "abc", "l": [1, 2, "x"], "o": {"a": 1, "b": "y"}, "t": True, "nul": None, "e": "",
    }
}  # fmt: skip

# Measured against nunjitsu 0.7.0, the original's own engine (createTemplateRenderer, renderValue).
SAME_AS_THE_ORIGINAL = [
    ("${{ parameters.n }}", 3),
    (" ${{ parameters.n }}", " 3"),
    ("${{ parameters.l }}x", "1,2,xx"),
    ("x${{ parameters.nul }}", "x"),
    ("x${{ parameters.t }}", "xtrue"),
    ("${{ parameters.s.length }}", 3),
    ("${{ parameters.l.length }}", 3),
    ("${{ parameters.s.toUpperCase() }}", "ABC"),
    ("${{ parameters.s.split('b') }}", ["a", "c"]),
    ("${{ 'a' + 1 }}", "a1"),
    ("${{ 1 + 'a' }}", "1a"),
    ("${{ true + 1 }}", 2),
    ("${{ 10/4 }}", 2.5),
    ("${{ 6/2 }}x", "3x"),
    ("${{ 7 // 2 }}", 3),
    ("${{ 5 % 3 }}", 2),
    ("${{ 2 ** 3 }}", 8),
    ("${{ parameters.n === 3 }}", True),
    ("${{ parameters.n !== 3 }}", False),
    ("${{ parameters.nope | default('z') }}", "z"),
    ("${{ '' | default('z') }}", ""),
    ("${{ '' | default('z', true) }}", "z"),
    ("{% for k, v in parameters.o %}${{k}}=${{v}};{% endfor %}", "a=1;b=y;"),
    ("{% for i in parameters.l %}${{loop.index}}${{ i }}{% if not loop.last %},{% endif %}{% endfor %}", "11,22,3x"),
    ("${{ parameters.o | dump }}", '{"a":1,"b":"y"}'),
    ("${{ parameters.o | dump(2) }}", '{\n  "a": 1,\n  "b": "y"\n}'),
    ("${{ 'x' if false }}|", "|"),
    ("${{ parameters.l.includes('x') }}", True),
    ("${{ parameters.l.join('-') }}", "1-2-x"),
    ("${{ parameters.s | replace('b','B') }}", "aBc"),
    ("${{ 'a' ~ 1 ~ true ~ null }}", "a1true"),
    ("${{ parameters.s and 'q' }}", "q"),
    ("${{ not parameters.e }}", True),
    ("${{ parameters.l[0] }}", 1),
    ("${{ parameters.s[0] }}", "a"),
    ("${{ {a: 1} }}", {"a": 1}),
    ("${{ parameters.l | join(',') }}", "1,2,x"),
    ("${{ parameters.s is defined }}", True),
    ("${{ 'b' in parameters.s }}", True),
    ("${{ 'a b' | urlencode }}", "a%20b"),
    ("${{ 1.0 }}x", "1x"),
    ("${{ 3 | string }}", "3"),
    ("${{ '12' | int }}", 12),
    ("${{ 'A-b'.toLowerCase().replace('-','_') }}", "a_b"),
    ("{% set q = 5 %}${{ q }}", "5"),
    ("{% macro m(a) %}<${{a}}>{% endmacro %}${{ m(1) }}", "<1>"),
    ("{% switch parameters.n %}{% case 3 %}three{% default %}other{% endswitch %}", "three"),
    ("{% switch parameters.n %}{% case 2 %}{% case 3 %}two or three{% endswitch %}", "two or three"),
    ("{% switch parameters.n %}{% case 9 %}nine{% default %}other{% endswitch %}", "other"),
    ("${{ [3,1,2] | sort | join }}", "123"),
    ("${{ parameters.l | reverse | dump }}", '["x",2,1]'),
    ("${{ range(3) | dump }}", "[0,1,2]"),
    ("${{ 'abc'.slice(1) }}", "bc"),
    ("${{ 'abc'.substring(0,2) }}", "ab"),
    ("${{ r/b/.test(parameters.s) }}", True),
    ("${{ parameters.s | replace(r/[a-b]/g, '-') }}", "--c"),
    ("{% raw %}${{ x }}{% endraw %}", "${{ x }}"),
    ("{% verbatim %}${{ x }}{% endverbatim %}", "${{ x }}"),
    ("${{ parameters.o | dictsort | dump }}", '[["a",1],["b","y"]]'),
    ("${{ 2.567 | round(1) }}", 2.6),
    ("${{ '<a>' }}", "<a>"),
    ("${{ '<a>' | escape }}", "&lt;a&gt;"),
    ("{%- if parameters.n -%} y {%- endif -%} z", "yz"),
    ("${{ [{'a':1},{'a':2}] | join(',', 'a') }}", "1,2"),
    ("{# a note #}left", "left"),
    ("no template at all", "no template at all"),
]

# Deliberately not the original's behaviour: it would drop the key, print nothing, or keep the text as it stands.
ERRORS_HERE = [
    ("${{ parameters.nope }}", "There is no “nope” in parameters."),
    ("x${{ parameters.nope }}", "There is no “nope” in parameters."),
    ("${{ nope }}", "“nope” is not a name that is known here."),
    ("${{ parameters.o.zzz.y }}", "The object has no “zzz”."),
    ("${{ parameters.l[9] }}", "The list has no “9”."),
    ("${{ 'x' | nofilter }}", "There is no filter called “nofilter”."),
    ("${{ parameters.o }}x", "An object cannot be written into text"),
    ("${{ parameters.n && true }}", "The template does not parse"),
    ("${{ parameters.n ", "The template does not parse"),
    ("{% if true %}", "The template does not parse"),
    ("{% include 'x' %}", "cannot be worked out"),
    ("${{ [1] | random }}", "There is no filter called “random”."),
    ("${{ 1 / 0 }}", "Division by zero."),
    ("${{ 'a' * 3 }}", "“*” works on numbers; one side is text."),
    ("${{ parameters.s.toUpperCase }}x", "A function cannot be written into text"),
    ("${{ 'component' | parseEntityRef }}", "does not say its kind"),
    ("${{ 'github.com?owner=me' | parseRepoUrl }}", "lacks “repo”"),
    ("${{ 9999 ** 9999 }}", "A power is limited"),
]

ESCAPES = [
    "${{ ''.__class__ }}",
    "${{ parameters.__class__ }}",
    "${{ parameters.o['__class__'] }}",
    "${{ parameters.s.split.func }}",
    "${{ parameters.s['format'] }}",
    "${{ range.__globals__ }}",
    "${{ cycler.__init__ }}",
    "${{ [1] | map('upper') }}",
    "${{ 'a' | attr('upper') }}",
    "{% set x = joiner() %}${{ x.__init__.__globals__ }}",
    "{% for i in [1] %}${{ loop.__class__ }}{% endfor %}",
    "{% macro m() %}{% endmacro %}${{ m.__class__.__mro__ }}",
]


def test_the_shared_semantics() -> None:
    rendered = render_value([text for text, _ in SAME_AS_THE_ORIGINAL], CONTEXT)
    assert list(zip([text for text, _ in SAME_AS_THE_ORIGINAL], rendered, strict=True)) == SAME_AS_THE_ORIGINAL


@pytest.mark.parametrize(("text", "sentence"), ERRORS_HERE)
def test_a_mistake_is_an_error_in_words(text: str, sentence: str) -> None:
    with pytest.raises(RenderError, match=r".") as caught:
        render_value(text, CONTEXT)
    assert sentence in caught.value.text


@pytest.mark.parametrize("text", ESCAPES)
def test_nothing_of_python_is_reachable(text: str) -> None:
    with pytest.raises(RenderError):
        render_value(text, CONTEXT)


def test_an_unanswered_question_prints_nothing_and_gives_way_to_a_default() -> None:
    texts = ["[${{ parameters.nul }}]", "${{ parameters.nul | default('z') }}", "${{ parameters.nul.deeper }}"]
    assert render_value(texts, CONTEXT) == ["[]", "z", None]


def test_the_scaffolder_filters() -> None:
    assert render_value(
        {
            "repo": "${{ 'github.com?owner=me&repo=it' | parseRepoUrl }}",
            "own": "${{ 'slipway?repo=it' | parseRepoUrl | pick('repo') }}",
            "slug": "${{ 'github.com?owner=me&repo=it' | projectSlug }}",
            "ref": "${{ 'group:team-a' | parseEntityRef }}",
            "short": "${{ ('a' | parseEntityRef({defaultKind: 'Group', defaultNamespace: 'x'})).namespace }}",
            "deep": "${{ parameters.o | pick('a') }}",
        },
        CONTEXT,
    ) == {
        "repo": {"host": "github.com", "owner": "me", "repo": "it"},
        "own": "it",
        "slug": "me/it",
        "ref": {"kind": "group", "namespace": "default", "name": "team-a"},
        "short": "x",
        "deep": 1,
    }


def test_an_error_names_file_and_line() -> None:
    jobs = [RenderJob("fine", "a.txt"), RenderJob("one\ntwo\n${{ values.nope }}\n", "deploy/b.yaml")]
    with pytest.raises(RenderError) as caught:
        render_tree(jobs, {"values": {}})
    assert (caught.value.path, caught.value.line) == ("deploy/b.yaml", 3)
    assert caught.value.text == "deploy/b.yaml, line 3: There is no “nope” in values."


def test_line_ends_are_kept() -> None:
    text = "a\r\n${{ values.x }}\r\n"
    assert render_tree([RenderJob(text)], {"values": {"x": 1}}) == ["a\r\n1\r\n"]


def test_blocks_are_trimmed_on_request_and_cookiecutter_has_its_own_marks() -> None:
    text = "  {% if true %}\nx\n  {% endif %}\n"
    assert render_tree([RenderJob(text)], {}, Options(trim_blocks=True, lstrip_blocks=True)) == ["x\n"]
    cookies = [RenderJob("{{ cookiecutter.name }} {{ cookiecutter | jsonify }}")]
    assert render_tree(cookies, {"cookiecutter": {"name": "x"}}, Options(cookiecutter=True)) == ['x {"name":"x"}']


def test_memory_is_bounded() -> None:
    with pytest.raises(RenderError, match=r"more memory than a template may"):
        render_value("${{ 'a' | center(400000000) }}", {})


def test_output_is_bounded() -> None:
    with pytest.raises(RenderError, match=r"more memory than a template may|more output than a template may"):
        render_value("{% for i in range(90000) %}${{ 'x' | center(2000) }}{% endfor %}", {})


def test_time_is_bounded() -> None:
    began = time.monotonic()
    text = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(RenderError, match=r"too long"):
        render_value(text, {})
    assert time.monotonic() - began < 11


def test_a_pattern_that_backtracks_for_ever_is_stopped() -> None:
    with pytest.raises(RenderError, match=r"too long"):
        matches([("^(a+)+$", "a" * 40 + "!")])
    assert matches([("^a+$", "aa"), ("^a+$", "b"), ("(", "x")]) == [True, False, None]


def test_checking_finds_what_is_wrong_without_running() -> None:
    filters, syntax, include, fine = check_texts(
        [
            RenderJob("{% if false %}${{ values.x | nofilter }}{% endif %}", line=10),
            RenderJob("a\n{% if %}"),
            RenderJob("{% include 'x' %}"),
            RenderJob("${{ values.a.b | default(1) }} ${{ values.c }}{% set q = 1 %}${{ q }}"),
        ]
    )
    assert filters.problems == (("There is no filter called “nofilter”.", 10),)
    assert syntax.problems[0][1] == 2
    assert include.problems == (("“include” is not available in golden paths.", 1),)
    assert fine.problems == ()
    assert {(read.path, read.is_guarded) for read in fine.reads if read.path[0] == "values"} == {
        (("values", "a", "b"), True),
        (("values", "c"), False),
    }


@pytest.mark.parametrize(
    ("value", "runs"),
    [
        (None, True),
        (True, True),
        (False, False),
        ("${{ parameters.t }}", True),
        ("${{ parameters.nul }}", False),
        ("${{ parameters.e }}", False),
        ("${{ 0 }}", False),
        ("${{ [] }}", False),
        ("${{ {} }}", True),
        ("false", True),
        ("0", True),
        ("", False),
        ("${{ parameters.n === 3 }}", True),
        ("${{ failure() }}", False),
        ("${{ always() }}", True),
    ],
)
def test_when_a_step_runs(value: object, runs: bool) -> None:
    assert condition(value, CONTEXT) is runs


def test_a_step_may_ask_to_run_after_a_failure() -> None:
    assert runs_after_failure("${{ failure() }}")
    assert not runs_after_failure("${{ parameters.failure }}")
    assert condition("${{ failure() }}", CONTEXT, failed=True)


def test_each_runs_over_lists_and_objects_only() -> None:
    assert iterations("${{ parameters.l }}", CONTEXT)[2] == {"key": "2", "value": "x"}
    assert iterations({"a": "${{ parameters.n }}"}, CONTEXT) == [{"key": "a", "value": 3}]
    with pytest.raises(RenderError, match=r"list or an object"):
        iterations("${{ parameters.n }}", CONTEXT)


def test_numbers_that_json_cannot_hold_are_no_numbers() -> None:
    assert math.isclose(render_value("${{ 0.1 + 0.2 }}", {}), 0.3)
    with pytest.raises(RenderError):
        render_value("${{ '1e999' | float | dump }}", {})
