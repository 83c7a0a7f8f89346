"""CODEOWNERS by the rules of each host: who is named for a path."""

from __future__ import annotations

import time

import pytest

from catalog.handing.codeowners import GITEA, GITHUB, GITLAB, MOST_BYTES, parse

CASES = [
    # GitHub: the last matching line counts, an owner-less one clears.
    (GITHUB, "* @org/all\n/pay/ @org/pay", "pay/a.py", "@org/pay"),
    (GITHUB, "/pay/ @org/pay\n* @org/all", "pay/a.py", "@org/all"),
    (GITHUB, "* @org/all\n/docs/", "docs/a.md", ""),
    (GITHUB, "* @org/all # everybody\n# pay @org/pay", "pay", "@org/all"),
    (GITHUB, "*.js @js", "deep/down/a.js", "@js"),
    (GITHUB, "*.js @js", "a.jsx", ""),
    (GITHUB, "/build/logs/ @doctocat", "build/logs/x/y", "@doctocat"),
    (GITHUB, "/build/logs/ @doctocat", "x/build/logs/y", ""),
    (GITHUB, "docs/* @x", "docs/a.md", "@x"),
    (GITHUB, "docs/* @x", "docs/deep/a.md", ""),
    (GITHUB, "apps/ @x", "deep/apps/a/b", "@x"),
    (GITHUB, "/apps/github @x", "apps/github/a", "@x"),
    (GITHUB, "**/logs @x", "build/logs/a", "@x"),
    (GITHUB, "**/logs @x", "logs/a", "@x"),
    (GITHUB, "/a/**/b @x", "a/b", "@x"),
    (GITHUB, "/a/**/b @x", "a/1/2/b/c", "@x"),
    (GITHUB, "pay @one @two me@acme.example", "pay/x", "@one @two me@acme.example"),
    (GITHUB, "/with\\ space/ @x", "with space/a", "@x"),
    (GITHUB, "a?c @x", "abc", "@x"),
    (GITHUB, "* @all\n!/pay/ @pay", "pay/a", "@all"),
    (GITHUB, "* @all\n/p[ao]y/ @pay", "pay/a", "@all"),
    (GITHUB, "* @all\n/pay/ nobody-at-all", "pay/a", "@all"),
    # GitLab: sections, all of them together; defaults; exclusions; roles are nobody.
    (GITLAB, "* @all\n[Docs]\n*.md @docs", "a.md", "@all @docs"),
    (GITLAB, "[Pay][2] @org/pay\n/pay/\n/pay/special @one", "pay/a", "@org/pay"),
    (GITLAB, "[Pay][2] @org/pay\n/pay/\n/pay/special @one", "pay/special", "@one"),
    (GITLAB, "^[Optional] @o\n*.py", "deep/a.py", "@o"),
    (GITLAB, "[A]\n*.py @a\n[a]\n*.py @b", "x.py", "@b"),
    (GITLAB, "* @all\n!*.md", "a.md", ""),
    (GITLAB, "* @all\n!*.md", "a.py", "@all"),
    (GITLAB, "* @@developer @org/pay", "a", "@org/pay"),
    (GITLAB, "docs/ @d", "deep/docs/a", "@d"),
    (GITLAB, "/docs @d", "docs/a", ""),
    (GITLAB, "/docs/*.md @d", "docs/a.md", "@d"),
    # Gitea and Forgejo: regular expressions, all that match, turned round by !.
    (GITEA, r".*\.go @go" + "\n" + r"pay/.* @org/pay", "pay/a.go", "@go @org/pay"),
    (GITEA, r"!docs/.* @code", "pay/a", "@code"),
    (GITEA, r"!docs/.* @code", "docs/a", ""),
    (GITEA, r"docs @d", "docs/a", ""),
    (GITEA, r"( @d", "(", ""),
]


@pytest.mark.parametrize(("dialect", "text", "path", "owners"), CASES)
def test_who_is_named(dialect, text, path, owners):
    assert " ".join(parse(text, dialect).of(path)) == owners


def test_the_dialect_is_told_from_sections_and_faults_from_their_lines():
    assert parse("* @all").dialect == GITHUB
    assert parse("* @all\n[Docs]\n*.md @docs").dialect == GITLAB
    assert parse("* @all\n!/x @y\n/z what").faults == (2, 3)


def test_what_is_too_large_names_nobody():
    assert parse("#" * MOST_BYTES + "\n* @all").of("a") == ()


@pytest.mark.parametrize(
    ("dialect", "line"),
    [
        (GITHUB, "*" * 60 + "x" + "*a" * 30 + " @x"), (GITHUB, "/" + "**/" * 40 + "x @x"),
        (GITHUB, "/" + "**/a/" * 40 + "x @x"), (GITLAB, "**/" * 40 + "x @x"), (GITEA, "(a+)+b @x"),
        (GITEA, "(a*)*b @x"), (GITEA, "(a|a)*b @x"), (GITEA, ".*.*.*.*.*.*b @x"), (GITEA, ".*.*.*b @x"),
    ],
)  # fmt: skip
def test_no_line_of_a_stranger_runs_for_ever(dialect, line):
    began = time.process_time()
    parse(line, dialect).of("a/" * 100 + "a" * 90)
    assert time.process_time() - began < 2
