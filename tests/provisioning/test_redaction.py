"""No costume hides a secret."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.provisioning.redaction import MASK, Redactor, derived

SECRET = 'pa55 "wörd"/&+%\\x'


@pytest.mark.parametrize(
    "dress",
    [
        lambda s: s,
        lambda s: quote(s),
        lambda s: quote(s, safe=""),
        lambda s: quote_plus(s).lower(),
        lambda s: json.dumps({"password": s}),
        lambda s: json.dumps({"password": s}, ensure_ascii=False),
        lambda s: str({"password": s}),
        lambda s: base64.b64encode(s.encode()).decode(),
        lambda s: base64.b64encode(b"user:" + s.encode() + b"@host").decode(),
        lambda s: base64.b64encode(b"ab" + s.encode()).decode(),
        lambda s: base64.b64encode(b"abc" + s.encode() + b"z").decode(),
        lambda s: base64.urlsafe_b64encode(b"a" + s.encode() + b"zz").decode(),
    ],
)
def test_each_costume_is_seen_through(dress):
    shown = Redactor([SECRET]).clean(f"before {dress(SECRET)} after")
    assert MASK in shown
    assert SECRET not in shown
    assert "wörd" not in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


def test_each_line_of_a_long_secret_counts():
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n"
    shown = Redactor([key]).clean("line two was kqhkiG9w0BAQEF indeed")
    assert shown == f"line two was {MASK} indeed"


def test_two_secrets_that_share_letters_leave_nothing_behind():
    assert Redactor(["abcdefgh", "efghijkl"]).clean("xabcdefghijkly") == f"x{MASK}y"


def test_words_shorter_than_the_bound_are_left_alone():
    redactor = Redactor(["the", "", "a b"])
    assert not redactor
    assert redactor.clean("the cat, a b c") == "the cat, a b c"


def test_json_is_cleaned_at_any_depth():
    value = {"list": [{"token": "s3cr3t-token"}], "s3cr3t-token": 1, "n": None}
    assert Redactor(["s3cr3t-token"]).clean_value(value) == {"list": [{"token": MASK}], MASK: 1, "n": None}


@given(
    before=st.text(alphabet="ab=%/ ", max_size=30),
    after=st.text(alphabet="ab=%/ ", max_size=30),
    cuts=st.lists(st.integers(0, 90), max_size=8),
)
def test_a_secret_cut_in_pieces_is_found_across_the_borders(before, after, cuts):
    text = before + "hunter2-hunter2" + after
    redactor, shown, at = Redactor(["hunter2-hunter2"]), "", 0
    for cut in [*sorted({min(cut, len(text)) for cut in cuts}), len(text)]:
        shown += redactor.feed(text[at:cut])
        at = cut
    shown += redactor.flush()
    assert shown == before + MASK + after


def test_what_a_template_made_of_a_secret_is_secret_too():
    with_secrets = {"header": "Basic xyz-derived", "plain": "hello", "list": ["TOKEN-UPPER"]}
    without = {"header": "Basic placeholder", "plain": "hello", "list": ["PLACEHOLDER"]}
    assert derived(with_secrets, without) == ["Basic xyz-derived", "TOKEN-UPPER"]
