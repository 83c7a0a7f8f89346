"""YAML as descriptors need it: lines, the 1.2 scalars, and bounds against hostile input."""

import pytest

from catalog.descriptors.yamlstream import MAX_ALIASES, MAX_BYTES, read_stream


def value_of(text):
    documents, findings = read_stream(text, "a.yaml")
    assert not findings
    return documents[0].value


def sentence_of(text):
    documents, findings = read_stream(text, "a.yaml")
    assert not documents
    return findings[0].sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: NO", "NO"),
        ("a: no", "no"),
        ("a: yes", "yes"),
        ("a: on", "on"),
        ("a: true", True),
        ("a: False", False),
        ("a: ~", None),
        ("a:", None),
        ("a: 2024-01-01", "2024-01-01"),
        ("a: 12:30:45", "12:30:45"),
        ("a: 1_000", "1_000"),
        ("a: 0o17", 15),
        ("a: 0x1F", 31),
        ("a: 017", 17),
        ("a: 1.10", 1.1),
        ("a: 1e3", 1000.0),
        ("a: '1'", "1"),
        ("a: !!str 1", "1"),
        ("a: !custom x", "x"),
        ("a: |\n  --- not a marker\n  b", "--- not a marker\nb"),
        ("a: &x [1]\nb: *x", [1]),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text, expected):
    assert value_of(text)["a"] == expected


def test_a_merge_key_is_an_ordinary_key():
    assert value_of("base: &b {x: 1}\nmore:\n  <<: *b\n  y: 2")["more"] == {"<<": {"x": 1}, "y": 2}


def test_keys_become_text():
    assert value_of("1: a\ntrue: b\n2024-01-01: c") == {"1": "a", "true": "b", "2024-01-01": "c"}


def test_every_field_knows_its_line():
    documents, _ = read_stream("# top\nkind: A\n---\nkind: B\nspec:\n  tags:\n    - one\n    - two: 2\n", "a.yaml")
    second = documents[1]
    assert (documents[0].line, second.line) == (2, 4)
    assert second.line_of(("spec", "tags", 0)) == 7
    assert second.line_of(("spec", "tags", 1, "two")) == 8
    assert second.line_of(("spec", "tags", 1, "two", "absent")) == 8
    assert second.line_of(("metadata",)) == 4


def test_a_broken_document_does_not_stop_the_others():
    documents, findings = read_stream("a: 1\n---\nb: [1\n---\nc: 3\n", "x.yaml")
    assert [document.value for document in documents] == [{"a": 1}, {"c": 3}]
    assert [(finding.path, finding.line) for finding in findings] == [("x.yaml", 4)]


@pytest.mark.parametrize("text", ["", "---\n", "# only a comment\n", "---\nnull\n---\n~\n", "%YAML 1.2\n---\n"])
def test_empty_documents_are_left_out(text):
    assert read_stream(text, "a.yaml") == ([], [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: b: c", "needs quotes"),
        ("a: 1\na: 2", 'The key "a" stands here and on line 1'),
        ("a: [1", "not valid YAML"),
        ("\tb: 1", "Indent with spaces"),
        ("a: *nowhere", "not marked &nowhere above"),
        ("a: &x [*x]", "lies inside what it repeats"),
        ("a: .inf", "not a number that can be kept"),
        ("a: 1e999", "too large"),
        ("a: " + "9" * 50, "too long"),
        ('a: "\\0"', "NUL"),
        ("? [a, b]\n: c", "plain text"),
        ("a: \x07", "characters"),
        ("[" * 5000, "nested more than"),
        ("a: " + "{a: " * 200, "nested more than"),
        ("x: &x 1\ny: [" + "*x, " * (MAX_ALIASES + 1) + "]", "more than 100 aliases"),
    ],
)
def test_bad_input_is_a_sentence(text, words):
    sentence = sentence_of(text)
    assert words in sentence
    assert sentence.endswith((".", '"'))


def test_a_small_bomb_is_refused_before_it_expands():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    assert "grows too large" in sentence_of("\n".join(lines))


def test_a_file_over_one_mebibyte_is_refused():
    assert "1.0 MiB; a descriptor file may have at most 1 MiB" in sentence_of("a: " + "x" * MAX_BYTES)
