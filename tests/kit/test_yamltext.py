"""YAML as descriptors need it: lines, the 1.2 scalars, and bounds against hostile input."""

import pytest

from portal.kit.yamltext import MAX_ALIASES, MAX_BYTES, Unreadable, YamlError, load_all, read_documents


def read_stream(text):
    found = list(read_documents(text))
    troubles = [each for each in found if isinstance(each, Unreadable)]
    return [each for each in found if each not in troubles], troubles


def value_of(text):
    documents, troubles = read_stream(text)
    assert not troubles
    return documents[0].data


def sentence_of(text):
    documents, findings = read_stream(text)
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b: &b {x: 1}\nm:\n  <<: *b\n  y: 2", {"x": 1, "y": 2}),
        ("b: &b {x: 1, y: 1}\nm:\n  y: 2\n  <<: *b", {"x": 1, "y": 2}),
        ("m:\n  <<: {x: 1}\n  y: 2", {"x": 1, "y": 2}),
        ("b: &b {x: 1}\nc: &c {x: 2, z: 3}\nm:\n  <<: [*b, *c]", {"x": 1, "z": 3}),
        ("b: &b {x: 1}\nc: &c {<<: *b, y: 2}\nm: {<<: *c, z: 3}", {"x": 1, "y": 2, "z": 3}),
        ("b: &b {x: {deep: 1}}\nm:\n  <<: *b\n  x: {other: 2}", {"x": {"other": 2}}),
        ("m:\n  '<<': text", {"<<": "text"}),
    ],
)
def test_merge_keys_are_merged(text, expected):
    assert value_of(text)["m"] == expected


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("m:\n  <<: 5", 2, "The merge key << takes a mapping"),
        ("m:\n  <<: [1]", 2, "The merge key << takes a mapping"),
        ("b: &b {x: 1}\nm:\n  <<: *b\n  <<: *b", 4, "The merge key << stands here and on line 3"),
    ],
)
def test_what_cannot_be_merged_names_the_merge_key(text, line, words):
    documents, [trouble] = read_stream(text)
    assert (documents, trouble.line) == ([], line)
    assert words in trouble.sentence


def test_what_is_merged_knows_its_line():
    [document], _ = read_stream("b: &b {x: 1}\nm:\n  y: 2\n  <<: *b\n")
    assert (document.line_of(("m", "x")), document.line_of(("m", "y"))) == (4, 3)


def test_a_value_knows_where_it_begins():
    [document], _ = read_stream("a:\n  b: |\n    text\n  c: [1,\n    2]\n  d: x\n")
    assert [document.line(path) for path in (("a",), ("a", "b"), ("a", "c", 1), ("a", "d"))] == [2, 3, 5, 6]
    assert [document.line_of(path) for path in (("a",), ("a", "b"), ("a", "d"))] == [1, 2, 6]


def test_merging_cannot_make_a_small_file_large():
    lines = ["a0: &a0 {" + ", ".join(f"k{n}: [x, x, x, x, x, x, x, x, x]" for n in range(9)) + "}"]
    for level in range(1, 10):
        merged = ", ".join(f"k{level}{n}: {{<<: *a{level - 1}}}" for n in range(9))
        lines.append(f"a{level}: &a{level} {{{merged}}}")
    assert "grows too large" in sentence_of("\n".join(lines))


def test_a_text_that_must_be_right_is_refused_with_its_file_and_line():
    assert [document.data for document in load_all("a: 1\n---\nb: 2", "x.yaml")] == [{"a": 1}, {"b": 2}]
    with pytest.raises(YamlError, match=r"x\.yaml, line 4: This is not valid YAML"):
        load_all("a: 1\n---\nb: [", "x.yaml")


def test_keys_become_text():
    assert value_of("1: a\ntrue: b\n2024-01-01: c") == {"1": "a", "true": "b", "2024-01-01": "c"}


def test_every_field_knows_its_line():
    documents, _ = read_stream("# top\nkind: A\n---\nkind: B\nspec:\n  tags:\n    - one\n    - two: 2\n")
    second = documents[1]
    assert (documents[0].first_line, second.first_line) == (2, 4)
    assert second.line_of(("spec", "tags", 0)) == 7
    assert second.line_of(("spec", "tags", 1, "two")) == 8
    assert second.line_of(("spec", "tags", 1, "two", "absent")) == 8
    assert second.line_of(("metadata",)) == 4


def test_a_broken_document_does_not_stop_the_others():
    documents, findings = read_stream("a: 1\n---\nb: [1\n---\nc: 3\n")
    assert [document.data for document in documents] == [{"a": 1}, {"c": 3}]
    assert [trouble.line for trouble in findings] == [4]


@pytest.mark.parametrize("text", ["", "---\n", "# only a comment\n", "---\nnull\n---\n~\n", "%YAML 1.2\n---\n"])
def test_empty_documents_are_left_out(text):
    assert read_stream(text) == ([], [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: b: c", "needs quotes"),
        ("a: 1\na: 2", 'The key "a" stands here and on line 1'),
        ("a: [1", "not valid YAML"),
        ("\tb: 1", "Indent with spaces"),
        ("a: *nowhere", "not marked &nowhere above"),
        ("a: &x [*x]", "lies inside what it repeats"),
        ("a: !!binary aGVsbG8=", "The tag !!binary is not known here"),
        ("a: !!set {b}", "The tag !!set is not known here"),
        ("a: .inf", "not a number that can be kept"),
        ("a: 1e999", "too large"),
        ("a: " + "9" * 50, "too long"),
        ('a: "\\0"', "the character U+0000"),
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
    assert "1.0 MiB; a file may have at most 1 MiB" in sentence_of("a: " + "x" * MAX_BYTES)
