"""Everything that is wrong with a golden path is found when it is published, with its file and line."""

from pathlib import Path

import pytest

from portal.goldenpaths.files import File
from portal.goldenpaths.questions import schemas
from portal.goldenpaths.templates import InvalidTemplate, examine, refuse
from portal.goldenpaths.vocabulary import checked_input
from portal.kit.errors import Invalid
from portal.kit.yamltext import YamlError, load_all
from portal.provisioning.steps.publish_slipway import repository_name

CASES = Path(__file__).parent / "templates"
SKELETON = {"skeleton/README.md": File(b"# ${{ values.name }}\n")}


def template(name: str) -> dict[str, File]:
    return {"template.yaml": File((CASES / f"{name}.yaml").read_bytes()), **SKELETON}


def test_a_sound_template_has_no_fault() -> None:
    examined = examine(template("sound"))
    assert examined.findings == []
    assert examined.document is not None
    assert examined.document["metadata"]["name"] == "sound"


@pytest.mark.parametrize(
    ("name", "line", "sentence"),
    [
        ("unknown-filter", 15, "There is no filter called “shout”."),
        ("unknown-action", 12, "There is no action called “publish:everywhere”"),
        ("unknown-parameter", 17, "No page of the form asks for “nmae”."),
        ("unknown-step", 15, "No earlier step has the id “later”."),
        ("unknown-name", 15, "“params” is not a name that is known here"),
        ("bad-syntax", 15, "The template does not parse"),
        ("bad-yaml", 4, "This is not valid YAML"),
        ("duplicate-key", 8, 'The key "type" stands here and on line 6; a key may appear once.'),
        ("missing-input", 14, "The input of step “log2” lacks “url”."),
        ("unknown-input", 14, "has no “messag”"),
        ("missing-skeleton", 16, "The golden path has no folder “skel”."),
        ("outside-skeleton", 16, "lies outside the golden path"),
        ("bad-schema", 13, "“sting” is no type"),
        ("bad-pattern", 14, "is not a valid regular expression"),
        ("required-unknown", 10, "“nmae” is required but the page has no such field."),
        ("reference", 10, "“$ref” is not available"),
        ("same-id", 15, "Two steps have the id “log”."),
        ("no-steps", 8, "must have at least 1 entry"),
        ("wrong-version", 1, "must be scaffolder.backstage.io/v1beta3"),
        ("two-templates", 1, "it has 2"),
        ("not-a-template", 1, "it has no"),
    ],
)
def test_a_fault_is_named_with_its_line(name: str, line: int, sentence: str) -> None:
    faults = examine(template(name)).findings
    assert [fault for fault in faults if fault.line == line and sentence in fault.sentence], [str(f) for f in faults]
    assert all(fault.path == "template.yaml" for fault in faults)


def test_faults_in_the_skeleton_are_found_too() -> None:
    files = template("sound") | {
        "skeleton/a.txt": File(b"one\n${{ values.name | shout }}\n"),
        "skeleton/b.txt": File(b"${{ values.nmae }} ${{ parameters.name }}"),
        "skeleton/${{ values. }}.txt": File(b""),
        "skeleton/fine.bin": File(b"\x00${{ nothing }}"),
    }
    assert [(fault.path, fault.line, fault.sentence) for fault in examine(files).findings][1:] == [
        ("skeleton/a.txt", 2, "There is no filter called “shout”."),
        ("skeleton/b.txt", 1, "The step gives no value called “nmae”."),
        ("skeleton/b.txt", 1, "“parameters” is not a name that is known here; files of a skeleton read “values”."),
    ]


def test_a_template_in_a_folder_has_its_skeleton_beside_it() -> None:
    files = {f"paths/one/{path}": file for path, file in template("sound").items()}
    assert examine(files, "paths/one/template.yaml").findings == []


def test_no_file_is_a_fault_too() -> None:
    assert examine({}).findings[0].sentence == "There is no such file, or it is not text."


def test_faults_are_refused_as_one_sentence_with_every_reason() -> None:
    with pytest.raises(InvalidTemplate, match=r"template.yaml, line 15: There is no filter") as caught:
        refuse(examine(template("unknown-filter")).findings)
    assert caught.value.detail["faults"][0]["line"] == 15


def test_yaml_is_read_as_version_1_2() -> None:
    (document,) = load_all("on: yes\nday: 2026-01-02\nport: 080\nhex: 0x1F\nn: null\nf: 1.5\nb: true\n", "x.yaml")
    assert document.data == {"on": "yes", "day": "2026-01-02", "port": 80, "hex": 31, "n": None, "f": 1.5, "b": True}


def test_a_yaml_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 12)}]" for n in range(1, 12)]
    with pytest.raises(YamlError, match=r"aliases"):
        load_all("\n".join(lines), "x.yaml")
    with pytest.raises(YamlError, match=r"nested more"):
        load_all("[" * 100 + "]" * 100, "x.yaml")
    with pytest.raises(YamlError, match=r"may have at most 1 MiB"):
        load_all("a" * (1024 * 1024 + 1), "x.yaml")


BRANCHES = {
    "properties": {"kind": {"type": "string", "enum": ["a", "b"]}, "last": {"type": "string"}},
    "ui:order": ["last", "*"],
    "dependencies": {
        "kind": {
            "oneOf": [
                {"properties": {"kind": {"const": "a"}, "port": {"type": "integer"}}, "required": ["port"]},
                {"properties": {"kind": {"enum": ["b"]}, "path": {"type": "string"}}},
            ]
        }
    },
    "if": {"properties": {"last": {"const": "x"}}, "required": ["last"]},
    "then": {"properties": {"why": {"type": "string"}}, "required": ["why"]},
}


def test_branches_follow_the_answers() -> None:
    plain = schemas.resolve(BRANCHES, {})
    assert (list(plain["properties"]), plain["required"]) == (["kind", "last"], [])
    chosen = schemas.resolve(BRANCHES, {"kind": "a", "last": "x"})
    assert (list(chosen["properties"]), chosen["required"]) == (["kind", "last", "why", "port"], ["why", "port"])
    assert chosen["properties"]["kind"] == {"type": "string", "enum": ["a", "b"]}
    assert schemas.ordered(chosen) == ["last", "kind", "why", "port"]
    assert schemas.controllers(BRANCHES) == {"kind", "last"}
    assert set(schemas.declared(BRANCHES)) == {"kind", "last", "port", "path", "why"}


def test_every_declared_question_is_there_for_the_template() -> None:
    document = {"spec": {"parameters": [BRANCHES, {"properties": {"at": {"type": "object", "properties": {"x": {}}}}}]}}
    assert schemas.completed(document, {"kind": "a", "at": {}, "stray": 1}) == {
        "kind": "a", "last": None, "port": None, "path": None, "why": None, "at": {"x": None},
    }  # fmt: skip


def test_an_input_drops_what_was_not_answered_and_names_what_is_wrong() -> None:
    assert checked_input("publish:slipway", {"repo": "x", "description": None}) == {"repo": "x"}
    with pytest.raises(Invalid, match=r"Step “p”: The input needs one of: “repoUrl”, “repo”."):
        checked_input("publish:slipway", {}, step="p")
    with pytest.raises(Invalid, match=r"Step “w”: Timeout does not have the expected form"):
        checked_input("kubernetes:wait", {"cluster": "c", "timeout": "soon"}, step="w")


def test_a_repository_is_named_in_two_ways() -> None:
    assert repository_name({"repo": "a"}) == repository_name({"repoUrl": "slipway?repo=a"}) == "a"
    with pytest.raises(Invalid, match=r"not on “github.com”"):
        repository_name({"repoUrl": "github.com?owner=x&repo=a"})
