"""Which paths a file may have, and what the workspace actions do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.goldenpaths import workspace
from portal.goldenpaths.files import MAX_FILES, File, checked, join, tree_digest
from portal.goldenpaths.globs import select
from portal.goldenpaths.language.rendering import RenderError
from portal.kit.errors import Conflict, Invalid, NotFound, Refusal, TooLarge
from portal.kit.paths import safe_path
from portal.provisioning.steps.fs_delete import delete
from portal.provisioning.steps.fs_rename import rename

BAD = [
    "", "/etc/passwd", "../x", "a/../b", "a/..", "..", "a\\b", "a\x00b", "a\nb", "C:/x", ".git/config", "a/.GIT/x",
    ".git. /x", "a/.Git", "GIT~1/x", "./", "x" * 500, "a/" + "y" * 256,
]  # fmt: skip


@pytest.mark.parametrize("path", BAD)
def test_a_path_that_could_leave_its_folder_is_refused(path: str) -> None:
    with pytest.raises(Invalid):
        safe_path(path)


@pytest.mark.parametrize("path", ["/etc/passwd", "//x", "a/../../x"])
def test_a_path_below_a_folder_stays_below_it_and_is_never_made_relative(path: str) -> None:
    with pytest.raises(Invalid):
        join("folder", path)
    assert join("folder", "./x") == "folder/x"


@pytest.mark.parametrize(
    ("path", "safe"), [("./a//b", "a/b"), (".gitignore", ".gitignore"), ("a/.github/x", "a/.github/x"), ("é", "é")]
)
def test_a_harmless_path_has_one_spelling(path: str, safe: str) -> None:
    assert safe_path(path) == safe


@given(st.text(max_size=60))
def test_whatever_passes_stays_inside(path: str) -> None:
    try:
        safe = safe_path(path)
    except Refusal:
        return
    assert not safe.startswith("/")
    assert not {"..", ".", "", ".git"} & set(safe.lower().split("/"))
    assert safe_path(safe) == safe


def test_a_tree_is_bounded_and_consistent() -> None:
    with pytest.raises(TooLarge):
        checked({f"f{n}": File(b"") for n in range(MAX_FILES + 1)})
    with pytest.raises(TooLarge):
        checked({"big": File(b"x" * (2 * 1024 * 1024 + 1))})
    with pytest.raises(Invalid, match=r"both a file and a folder"):
        checked({"a": File(b""), "a/b": File(b"")})
    with pytest.raises(Invalid, match=r"same path"):
        checked({"a/b": File(b""), "a//b": File(b"")})


def test_a_digest_knows_names_modes_and_contents() -> None:
    base = {"a": File(b"1"), "b": File(b"2")}
    assert tree_digest(base) == tree_digest(dict(reversed(base.items())))
    others = [{"a": File(b"1")}, {"a": File(b"1", 0o755), "b": File(b"2")}, {"a": File(b"2"), "b": File(b"2")}]
    assert len({tree_digest(tree) for tree in [base, *others]}) == 4


PATHS = ["README.md", "src/app.py", "src/sub/x.py", ".github/workflows/ci.yml", "docs/a.md", "[odd]/f.txt"]


@pytest.mark.parametrize(
    ("patterns", "selected"),
    [
        (["*.md"], {"README.md"}),
        (["**/*.md"], {"README.md", "docs/a.md"}),
        (["src"], {"src/app.py", "src/sub/x.py"}),
        (["src/*"], {"src/app.py", "src/sub/x.py"}),
        (["src/**/*.py"], {"src/app.py", "src/sub/x.py"}),
        (["./src/", "!src/sub"], {"src/app.py"}),
        ([".github/workflows/*"], {".github/workflows/ci.yml"}),
        (["**/*.{md,yml}"], {"README.md", "docs/a.md", ".github/workflows/ci.yml"}),
        (["docs/?.md"], {"docs/a.md"}),
        (["docs/[!b].md"], {"docs/a.md"}),
        (["nothing"], set()),
    ],
)
def test_patterns_select(patterns: list[str], selected: set[str]) -> None:
    assert select(PATHS, patterns) == selected


BUNDLE = {
    "skeleton/${{ values.name }}.py": File(b"# ${{ values.name }}\n", 0o755),
    "skeleton/.ci/flow.yml": File(b"run: ${{ github.ref }}\n"),
    "skeleton/${{ 'extra.txt' if values.extra }}": File(b"extra"),
    "skeleton/logo.png": File(b"\x89PNG\x00${{ values.name }}"),
    "skeleton/page.html.njk": File(b"<${{ values.name }}>"),
}
INPUT = {"url": "./skeleton", "values": {"name": "shop", "extra": False}, "copyWithoutTemplating": [".ci/*"]}


def test_a_skeleton_renders_names_and_contents_and_keeps_modes_and_binaries() -> None:
    made = workspace.fetch_template({}, INPUT, BUNDLE)
    assert made == {
        ".ci/flow.yml": File(b"run: ${{ github.ref }}\n"),
        "logo.png": File(b"\x89PNG\x00${{ values.name }}"),
        "page.html.njk": File(b"<shop>"),
        "shop.py": File(b"# shop\n", 0o755),
    }


def test_only_files_with_the_extension_are_rendered_when_one_is_named() -> None:
    step = {"url": "skeleton", "values": INPUT["values"], "templateFileExtension": True}
    made = workspace.fetch_template({}, step, BUNDLE)
    assert made["page.html"].content == b"<shop>"
    assert made["shop.py"].content == b"# ${{ values.name }}\n"
    with pytest.raises(Invalid, match=r"cannot be combined"):
        workspace.fetch_template({}, {**INPUT, "templateFileExtension": True}, BUNDLE)


def test_existing_files_are_kept_unless_replace_is_said() -> None:
    before = {"shop.py": File(b"mine")}
    assert workspace.fetch_template(before, INPUT, BUNDLE)["shop.py"].content == b"mine"
    assert workspace.fetch_template(before, {**INPUT, "replace": True}, BUNDLE)["shop.py"].content == b"# shop\n"


def test_files_go_below_the_target() -> None:
    assert "services/shop/shop.py" in workspace.fetch_template({}, {**INPUT, "targetPath": "./services/shop"}, BUNDLE)
    assert "x/logo.png" in workspace.fetch_plain({}, {"url": "skeleton", "targetPath": "x"}, BUNDLE)
    with pytest.raises(Invalid):
        workspace.fetch_plain({}, {"url": "skeleton", "targetPath": "../x"}, BUNDLE)


@pytest.mark.parametrize("name", ["../../etc/passwd", ".git/hooks/post-checkout", "a\\b", "C:/x"])
def test_a_name_from_an_answer_cannot_leave_the_workspace(name: str) -> None:
    bundle = {"s/${{ values.name }}": File(b"x")}
    with pytest.raises(Refusal):
        workspace.fetch_template({}, {"url": "s", "values": {"name": name}}, bundle)


def test_a_name_with_an_empty_part_leaves_the_file_out() -> None:
    bundle = {"s/${{ values.name }}/x": File(b"x"), "s/y": File(b"y")}
    assert set(workspace.fetch_template({}, {"url": "s", "values": {"name": ""}}, bundle)) == {"y"}
    assert set(workspace.fetch_template({}, {"url": "s", "values": {"name": "/etc"}}, bundle)) == {"y"}


def test_two_files_of_the_same_name_are_an_error() -> None:
    bundle = {"s/${{ values.a }}": File(b"1"), "s/${{ values.b }}": File(b"2")}
    with pytest.raises(RenderError, match=r"same name"):
        workspace.fetch_template({}, {"url": "s", "values": {"a": "x", "b": "x"}}, bundle)


@pytest.mark.parametrize("url", ["https://example.com/skeleton", "file:///etc", "../other", "/etc"])
def test_a_path_fetches_only_its_own_files(url: str) -> None:
    with pytest.raises(Refusal):
        workspace.fetch_template({}, {"url": url, "values": {}}, BUNDLE)


def test_a_missing_folder_is_named() -> None:
    with pytest.raises(NotFound, match=r"no folder “skel”"):
        workspace.fetch_template({}, {"url": "./skel", "values": {}}, BUNDLE)


def test_files_and_folders_are_renamed() -> None:
    tree = {"a/x": File(b"1"), "a/y": File(b"2"), "b": File(b"3")}
    assert set(rename(tree, [{"from": "a", "to": "c"}])) == {"b", "c/x", "c/y"}
    with pytest.raises(Conflict):
        rename(tree, [{"from": "a/x", "to": "b"}])
    moved = rename(tree, [{"from": "a/x", "to": "b", "overwrite": True}])
    assert moved == {"a/y": File(b"2"), "b": File(b"1")}
    with pytest.raises(NotFound):
        rename(tree, [{"from": "z", "to": "q"}])


def test_files_are_deleted_by_pattern() -> None:
    tree = {"a/x": File(b"1"), "a/y.md": File(b"2"), "b": File(b"3")}
    assert set(delete(tree, ["a/*.md", "nothing"])) == {"a/x", "b"}
    assert set(delete(tree, ["a"])) == {"b"}
    with pytest.raises(Invalid):
        delete(tree, ["../*"])
