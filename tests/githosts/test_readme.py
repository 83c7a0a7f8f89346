"""A repository's README: relative links lead to its files, pictures show their words, headings can be linked to."""

from pathlib import Path

import pytest
from django.urls import reverse

from portal.kit.prose import to_html
from tests.githosts.conftest import Plain, make_repository

CASE = Path(__file__).parent / "readme"
FILES = {
    path.relative_to(CASE).as_posix(): Plain(path.read_bytes()) for path in sorted(CASE.rglob("*")) if path.is_file()
}


@pytest.mark.django_db
def test_a_readme_leads_where_it_says(world, client_for):
    make_repository(world.acme, files=FILES)
    vic = client_for(world.vic)
    page = reverse("repo", kwargs={"org": "acme", "repo": "checkout"})
    html = vic.get(page).content.decode()
    record, drawing = f"{page}files/docs/adr.md?ref=main", f"{page}files/docs/d.svg?ref=main"
    assert f'<a href="{record}"' in html
    assert vic.get(record).status_code == 200
    assert f'<a href="{drawing}" rel="noopener noreferrer nofollow">drawing</a>' in html
    assert vic.get(drawing).status_code == 200
    assert "<img" not in html
    assert '<h2 id="doc-what-is-it">' in html
    assert '<a href="#doc-what-is-it"' in html


@pytest.mark.django_db
def test_a_readme_in_a_folder_is_read_from_there(world, client_for):
    text = b"[up](../README.md) [beside](d.svg) [root](/bin/run) [out](../../../etc/passwd) [part](adr.md#Why) [x](..)"
    make_repository(world.acme, files={**FILES, "docs/README.md": Plain(text), "bin/run": Plain(b"x")})
    page = reverse("repo", kwargs={"org": "acme", "repo": "checkout"})
    for place in ("docs", "docs/README.md"):
        html = client_for(world.vic).get(f"{page}files/{place}?ref=main").content.decode()
        for name, target in {
            "up": f"{page}files/README.md?ref=main",
            "beside": f"{page}files/docs/d.svg?ref=main",
            "root": f"{page}files/bin/run?ref=main",
            "part": f"{page}files/docs/adr.md?ref=main#doc-why",
            "x": f"{page}?ref=main",
            "out": "",
        }.items():
            assert f'<a href="{target}" rel="noopener noreferrer nofollow">{name}</a>' in html, name


def test_headings_of_one_name_are_told_apart_and_take_no_name_of_the_page():
    html = to_html("# About title\n\n## A `b` & c!\n\n## A\n\n## A\n")
    assert [f'id="doc-{name}"' in html for name in ("about-title", "a-b--c", "a", "a-1")] == [True] * 4


def test_what_bites_is_still_drawn():
    html = to_html(
        "[a](javascript:alert(1)) ![p](javascript:alert(1)) <b>b</b> ![pic](https://t.example/track.gif)\n\n# <i>x",
        link=lambda target: f"/files/{target}",
    )
    assert "javascript" not in html.replace("](javascript:alert(1))", "").replace("[a", "")
    assert "track.gif" not in html
    assert "<b" not in html
    assert "pic" in html


def test_lists_of_tasks_show_boxes_that_nobody_can_tick():
    html = to_html("- [x] a `b`\n- [ ] **c**\n- [X] d\n- [x]e\n- [ ]\n- f [x] g\n\n[x] h\n")
    done = '<li class="task"><input type="checkbox" disabled="" aria-label="Done" checked="">'
    todo = '<li class="task"><input type="checkbox" disabled="" aria-label="To do">'
    assert f"{done}a <code>b</code></li>" in html
    assert f"{todo}<strong>c</strong></li>" in html
    assert f"{done}d</li>" in html
    for plain in ("<li>[x]e</li>", "<li>[ ]</li>", "<li>f [x] g</li>", "<p>[x] h</p>"):
        assert plain in html


def test_a_box_of_the_texts_own_stays_text():
    assert "<input" not in to_html('- <input type="text" name="password">\n')
