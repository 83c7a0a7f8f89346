"""The repository pages: what they show, and that what somebody pushed never becomes a page of ours."""

import html
import re
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.accounts.tenancy import tenant
from portal.githosts import bare
from portal.githosts.fetch import check_ref, fetch_tree
from portal.githosts.hosts import HOSTS
from portal.githosts.models import Repository
from portal.githosts.weburls import edit_page
from portal.kit.errors import Invalid
from tests.githosts.conftest import ADA, FILES, WHEN, Plain, make_repository

pytestmark = pytest.mark.django_db
host = HOSTS["slipway"]


def url(name: str, **kwargs) -> str:
    return reverse(name, kwargs={"org": "acme", **kwargs})


@pytest.fixture
def vic(world, client_for):
    return client_for(world.vic)


def test_the_list_says_what_there_is_and_where_to_begin(world, vic, client_for):
    assert "No repositories yet" in vic.get(url("repos")).content.decode()
    assert "Choose a golden path" in client_for(world.dev).get(url("repos")).content.decode()
    make_repository(world.acme)
    make_repository(world.rival, name="theirs", marker="x")
    text = vic.get(url("repos")).content.decode()
    assert "checkout" in text
    assert "Takes the money" in text
    assert "theirs" not in text
    assert "No repository matches" in vic.get(url("repos"), {"q": "nothing like it"}).content.decode()
    assert "checkout" in vic.get(url("repos"), {"q": "MONEY check"}).content.decode()
    assert vic.get(url("repos"), {"q": "\0", "after": "\0"}).status_code == 200


def test_the_list_pages_in_a_fixed_number_of_queries(world, vic):
    vic.get(url("repos"))

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            vic.get(url("repos"))
        return len(captured)

    make_repository(world.acme)
    few = queries()
    with tenant(world.acme):
        Repository.objects.bulk_create(
            Repository(organisation=world.acme, name=f"repo-{number:03d}", marker="m") for number in range(60)
        )
    assert queries() == few
    first = vic.get(url("repos"))
    second = vic.get(url("repos"), {"after": first.context["after"]})
    names = [row.name for page in (first, second) for row in page.context["repositories"]]
    assert names == sorted(set(names))
    assert len(names) == 61


def test_a_repository_shows_files_readme_and_how_to_clone(world, vic, client_for):
    make_repository(world.acme, created_by_run=7)
    text = vic.get(url("repo", repo="checkout")).content.decode()
    for words in ("README.md", "<em>money</em>", "/o/acme/git/checkout.git", "repo:read", "1 commit", "Run 7"):
        assert words in text
    assert "repo:write" not in text, "a viewer may not push"
    assert "repo:write" in client_for(world.dev).get(url("repo", repo="checkout")).content.decode()


def test_an_empty_repository_says_how_to_fill_it(world, vic, client_for):
    make_repository(world.acme, files={})
    for name in ("repo", "repo-commits"):
        assert "Nothing has been pushed yet" in vic.get(url(name, repo="checkout")).content.decode()
    assert "git push -u origin" in client_for(world.dev).get(url("repo", repo="checkout")).content.decode()
    assert vic.get(url("repo-file", repo="checkout", path="a")).status_code == 404
    assert vic.get(url("repo-raw", repo="checkout", path="a")).status_code == 404


def test_a_repository_with_only_another_branch_shows_that_branch(world, vic):
    repo = make_repository(world.acme, files={})
    host.push_tree(repo, FILES, message="Old habits", author=ADA, when=WHEN, branch="master")
    page = vic.get(url("repo", repo="checkout"))
    assert page.context["place"].ref == "master"


def test_files_folders_and_what_cannot_be_shown(world, vic):
    make_repository(world.acme, files={**FILES, "big.txt": Plain(b"x" * 600_000), "latin.txt": Plain(b"caf\xe9")})

    def text(path: str, **query) -> str:
        page = vic.get(url("repo-file", repo="checkout", path=path), query)
        assert page.status_code == 200
        return page.content.decode()

    code = text("src/app/main.py")
    assert 'id="L2"' in code
    assert "return 1 &lt; 2" in code
    assert "main.py" in text("src/app")
    assert "main.py" in text("src/app/"), "a trailing slash means the same folder"
    assert "This file is binary." in text("logo.png")
    assert "This file is binary." in text("latin.txt")
    assert "too large to show" in text("big.txt")
    assert "This file is empty." in text("empty.txt")
    assert "<em>money</em>" in text("README.md")
    assert "Takes the *money*." in text("README.md", source="1")
    assert "&lt;script&gt;" in text("page.html")
    assert "<script>alert" not in text("page.html")


@pytest.mark.parametrize("name", ["repo-file", "repo-raw"])
@pytest.mark.parametrize(
    "path",
    ["nothing", "../secret", "src/../../x", "%2e%2e/x", ".git/config", "a\\b", "a%00b", "src//app", "/etc/passwd"],
)
def test_paths_that_are_not_there_or_lead_out(world, vic, name, path):
    make_repository(world.acme)
    begin = url(name, repo="checkout", path="X").removesuffix("X")
    answer = vic.get(begin + path.replace("\\", "%5C"))
    assert answer.status_code in {400, 404}
    assert "Traceback" not in answer.content.decode()


@pytest.mark.parametrize("ref", ["nowhere", "--help", "main..x", "HEAD", "0" * 40, "a b", "\0", "refs/slipway/x"])
def test_refs_that_are_not_there(world, vic, ref):
    make_repository(world.acme)
    for name in ("repo", "repo-commits"):
        assert vic.get(url(name, repo="checkout"), {"ref": ref}).status_code in {400, 404}


ODD_BRANCHES = [
    "feature/#12", "fix&improve", "a+b", "grün/ñandú", "100%", "release=1;x", "it's", 'say"hello"', "a|b", "$(touch-x)",
    "@home", "deep/er/{and}/<er>",
]  # fmt: skip


@pytest.mark.parametrize("branch", ODD_BRANCHES)
def test_every_branch_that_git_allows_is_listed_and_opens(world, vic, branch, tmp_path, settings):
    """By each link that its pages show: a branch's `#` is no fragment, its `&` no other question."""
    repo = make_repository(world.acme)
    host.push_tree(repo, FILES, message="On a branch", author=ADA, when=WHEN, branch=branch)
    listed = vic.get(url("repo", repo="checkout"))
    assert branch in listed.context["branches"]
    first = vic.get(url("repo", repo="checkout"), {"ref": branch})
    seen, waiting = set(), [(url("repo", repo="checkout"), first)]
    while waiting:
        here, answer = waiting.pop()
        assert answer.status_code == 200, here
        for href in re.findall(r'href="(/o/acme/repos/checkout/[^"#]*|\?[^"#]*)[#"]', answer.content.decode()):
            address = urljoin(here, html.unescape(href))
            if "ref=" in address and not re.search(r"ref=[0-9a-f]{40}", address) and address not in seen:
                seen.add(address)
                assert parse_qs(urlsplit(address).query)["ref"] == [branch], address
                following = vic.get(address)
                if "/raw/" not in address:
                    waiting.append((address, following))
    assert len(seen) > 8
    assert any("/files/src/app" in address for address in seen)
    settings.SOURCE_FOLDERS = [settings.GIT_ROOT]
    with tenant(world.acme):
        place = Repository.objects.get(name="checkout").path
    into = tmp_path / "into"
    into.mkdir()
    assert fetch_tree(f"file://{place}", branch, into) == host.head(repo, branch)
    page = edit_page("https://git.example/a/b.git", branch, "catalog info.yaml")
    assert unquote(urlsplit(page).path) == f"/a/b/edit/{branch}/catalog info.yaml"


@pytest.mark.parametrize(
    "ref",
    ["-x", "+main", "a..b", "a b", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "a.lock", "a/.b", "a//b", "/a", "a/",
     "a.", "@", "a@{1}", ".a", "a\tb", "a\x7f", "x" * 251, "a.lock/b"],
)  # fmt: skip
def test_what_git_allows_no_branch_to_be_is_refused(ref):
    with pytest.raises(Invalid):
        check_ref(ref)


def test_a_download_is_never_a_page(world, vic):
    make_repository(world.acme)
    for path, kind in (("page.html", "text/plain; charset=utf-8"), ("logo.png", "application/octet-stream")):
        answer = vic.get(url("repo-raw", repo="checkout", path=path))
        assert answer["Content-Type"] == kind
        assert answer["Content-Disposition"].startswith("attachment;")
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer.content == FILES[path].content
    assert vic.get(url("repo-raw", repo="checkout", path="src")).status_code == 404


def test_a_file_name_cannot_write_headers(world, vic):
    name = 'a"; filename=evil.exe; x="ü.txt'
    make_repository(world.acme, files={name: Plain(b"x")})
    answer = vic.get(url("repo-raw", repo="checkout", path=name))
    assert answer.status_code == 200
    assert '"' not in answer["Content-Disposition"]


def test_commits_page_and_follow_a_file(world, vic):
    repo = make_repository(world.acme)
    parent = host.head(repo)
    for number in range(60):
        files = {**FILES, "count.txt": Plain(str(number).encode())}
        parent = host.push_tree(repo, files, message=f"Count {number}", author=ADA, when=WHEN, parent=parent)
    first = vic.get(url("repo-commits", repo="checkout"))
    second = vic.get(url("repo-commits", repo="checkout"), {"page": "2"})
    subjects = [commit.subject for page in (first, second) for commit in page.context["commits"]]
    assert len(subjects) == len(set(subjects)) == 61
    only = vic.get(url("repo-commits", repo="checkout"), {"path": "README.md"})
    assert [commit.subject for commit in only.context["commits"]] == ["First"]
    for page in ("0", "-1", "x", "9" * 30):
        assert vic.get(url("repo-commits", repo="checkout"), {"page": page}).status_code == 200


def test_files_that_left_the_disk_are_said(world, vic):
    make_repository(world.acme)
    with tenant(world.acme):
        bare.remove(Repository.objects.get().path)
    answer = vic.get(url("repo", repo="checkout"))
    assert answer.status_code == 404
    assert "gone from the disk" in answer.content.decode()
    assert vic.get("/api/o/acme/repos/checkout/").json()["branches"] == {}


def test_a_clone_address_in_a_browser_leads_to_the_page(world, vic):
    make_repository(world.acme)
    assert vic.get("/o/acme/git/checkout.git")["Location"] == url("repo", repo="checkout")


def test_the_api_lists_and_describes(world, vic):
    repo = make_repository(world.acme)
    page = vic.get("/api/o/acme/repos/").json()
    assert [item["name"] for item in page["items"]] == ["checkout"]
    assert page["after"] == ""
    one = vic.get("/api/o/acme/repos/checkout/").json()
    assert one["branches"] == {"main": host.head(repo)}
    assert one["clone_url"].endswith("/o/acme/git/checkout.git")
    missing = vic.get("/api/o/acme/repos/nothing/")
    assert missing.status_code == 404
    assert missing.json()["error"]["message"] == "There is no repository named “nothing”."
