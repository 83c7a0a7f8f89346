"""What turns or hides text is drawn by its number, wherever a template draws a value."""

from __future__ import annotations

import pytest
from django.template import Context, Template

from portal.kit.paths import unseen_in, visible_text
from portal.kit.prose import to_html

ODD = ["\u202e", "\u2066", "\u200b", "\u200f", "\u2060", "\ufeff", "\U000e0041", "\u00ad", "\u3164", "\u2028"]
DRAWN = [
    "{{ x }}", "{{ x|upper }}", "{% firstof x %}", "{% cycle x x %}", "{{ x|truncatechars:40 }}", '<a title="{{ x }}">',
    "{% load ui %}{{ x|visible }}", "{% load ui %}{% markdown x %}", "{% with y=x %}{{ y }}{% endwith %}",
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: f"{ord(odd):04X}")
@pytest.mark.parametrize("way", DRAWN)
def test_no_way_to_draw_a_value_draws_it_raw(odd: str, way: str) -> None:
    drawn = Template(way).render(Context({"x": f"pay{odd}roll"}))
    assert odd not in drawn
    assert f"U+{ord(odd):04X}" in drawn


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: f"{ord(odd):04X}")
def test_markdown_and_the_author_hear_of_it(odd: str) -> None:
    assert odd not in to_html(f"# pay{odd}roll")
    assert unseen_in(f"pay{odd}roll") == f"U+{ord(odd):04X}"


@pytest.mark.parametrize(
    "text", ["", "plain", "Zoë — “über”", "line\nline\ttab", "👩\u200d💻", "می\u200cخواهم", "❤\ufe0f"]
)
def test_what_people_write_stays(text: str) -> None:
    assert visible_text(text) == text
    assert unseen_in(text) == ""
