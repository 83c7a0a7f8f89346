"""The one file of icons is made of the vendored drawings."""

from django.conf import settings

from portal.kit.icons import FALLBACK, sprite, svg

VENDORED = settings.BASE_DIR / "static" / "vendor" / "tabler-icons"


def test_the_sprite_is_what_the_vendored_drawings_make():
    """When this fails, run scripts/vendor.py."""
    assert (settings.BASE_DIR / "static" / "icons.svg").read_text() == sprite(VENDORED)


def test_an_icon_points_into_the_sprite():
    assert svg("rocket", "big") == (
        '<svg class="icon big" aria-hidden="true"><use href="/static/icons.svg#rocket"/></svg>'
    )


def test_a_name_that_is_not_vendored_gets_the_fallback():
    assert f"#{FALLBACK}" in svg("no-such-icon")
