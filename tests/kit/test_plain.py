"""Text and JSON from outside are held to what a row can keep, in words."""

import json

import pytest

from portal.kit.errors import Invalid
from portal.kit.plain import MAX_DEPTH, odd_character, read_json


@pytest.mark.parametrize("value", [{"a": [1, "zwölf", {"b": None}]}, "plain", [], "tab\tand\nline", "\U0001f6a2"])
def test_what_can_be_kept_passes(value):
    assert odd_character(value) == ""
    assert read_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("value", "code"),
    [("a\0b", "U+0000"), ("\ud83d", "U+D83D"), ({"a": [{"b\0": 1}]}, "U+0000"), ([[["\udc80"]]], "U+DC80")],
)
def test_what_no_row_can_keep_is_named_at_any_depth(value, code):
    assert odd_character(value) == code
    with pytest.raises(Invalid, match=f"the character {code.replace('+', '.')}, which cannot be kept"):
        read_json(json.dumps(value))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON: Expecting property name enclosed in double quotes .line 1, column 2"),
        ("NaN", "NaN is not a number that JSON knows"),
        ("-Infinity", "-Infinity is not a number"),
        ("9" * 41, "41 digits; at most 40"),
        ("9" * 5000, "5000 digits"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "more than 64 levels"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "more than 64 levels"),
    ],
)
def test_bad_json_is_a_sentence(text, words):
    with pytest.raises(Invalid, match=words):
        read_json(text)


def test_the_deepest_that_is_allowed_is_read():
    assert read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
