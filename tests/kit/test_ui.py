"""The tags and filters that pages are written with."""

from portal.kit.templatetags.ui import ticked


def test_words_in_ticks_become_code_and_everything_is_escaped():
    assert ticked("`spec.owner` is missing") == "<code>spec.owner</code> is missing"
    assert ticked("`<b>` & <i>") == "<code>&lt;b&gt;</code> &amp; &lt;i&gt;"
    assert ticked("one ` alone") == "one ` alone"
