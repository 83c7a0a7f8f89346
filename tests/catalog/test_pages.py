"""The catalog's pages, as the people of the small world meet them."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog import actions
from catalog.models import Entity, Source
from catalog.ownership import confirming
from catalog.views_lists import PAGE_SIZE
from portal.accounts.models import AuditEvent
from tests.conftest import by

DEMO = Path(__file__).resolve().parents[2] / "demo" / "parcelwright" / "catalog"
BASE = "/o/acme/catalog/"
TEXT = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: {name}
spec:
  type: service
  lifecycle: production
  owner: {owner}
"""


@pytest.fixture
def company(world):
    with world.tenant():
        actions.add_source(organisation=world.acme, actor=by(world.dev), kind="folder", target=str(DEMO))
    return world


def page(client, address, status=200, **data):
    answer = client.get(address, data, follow=False)
    assert answer.status_code == status, answer.content[:2000]
    return answer.content.decode()


def test_an_empty_catalog_says_what_to_do(world, client_for):
    html = page(client_for(world.dev), BASE, kind="")
    assert "The catalog is empty" in html
    assert "/o/acme/catalog/sources/register/" in html


def listed(answer):
    return [row.ref for row in answer.context["page"].page.rows]


def test_the_list_shows_kinds_with_counts_and_pages(company, client_for):
    client = client_for(company.vic)
    html = page(client, BASE, kind="")
    assert 'All <span class="count ms-1">172</span>' in html
    assert 'Components <span class="count ms-1">55</span>' in html
    assert f"{PAGE_SIZE} of 172" in html
    seen, address = [], f"{BASE}?kind="
    while address:
        answer = client.get(address)
        seen += listed(answer)
        after = answer.context["page"].page.after
        address = f"{BASE}?kind=&after={after}" if after else ""
    assert len(seen) == len(set(seen)) == 172
    last = client.get(f"{BASE}?kind=&before={answer.context['page'].page.before}")
    start = len(seen) - len(listed(answer)) - PAGE_SIZE
    assert listed(last) == seen[start : start + PAGE_SIZE]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"kind": "API", "type": "grpc"}, {"sort-plan-api", "hub-control-api"}),
        ({"kind": "Component", "lifecycle": "deprecated"}, {"quote-engine-legacy", "yard-cameras"}),
        ({"tag": "pci", "kind": "Component"}, {"payment-gateway", "refund-worker"}),
        ({"owner": "group:default/claims", "kind": "Resource"}, {"claim-db"}),
        ({"q": "quote", "kind": "Resource"}, {"quote-cache"}),
        ({"q": "dunn"}, {"dunning-job"}),
        ({"q": '"sort plan" -grpc', "kind": "API"}, set()),
        ({"q": "thermal printers"}, {"label-printer-bridge"}),
        ({"q": "Lanehart"}, {"priya"}),
    ],
)
def test_choices_narrow_the_list(company, client_for, query, expected):
    answer = client_for(company.vic).get(BASE, query)
    assert {row.name for row in answer.context["page"].page.rows} == expected


@pytest.mark.parametrize(
    "text", ["' OR 1=1 --", "a & | !", "(((", "\x00", "%", "*", "\\", "😀", "<script>alert(1)</script>", "a" * 5000]
)
def test_any_search_text_is_answered(company, client_for, text):
    html = page(client_for(company.vic), BASE, q=text)
    assert "<script>alert(1)" not in html


def test_no_match_offers_the_way_back(company, client_for):
    html = page(client_for(company.vic), BASE, kind="API", lifecycle="nowhere")
    assert "Nothing matches" in html
    assert "nowhere (0)" in html
    assert 'href="?kind=API">Clear' in html


def test_a_made_up_cursor_is_a_sentence(company, client_for):
    assert "The cursor is not one of ours" in page(client_for(company.vic), BASE, 400, after="abc")


def test_htmx_gets_the_results_alone(company, client_for):
    answer = client_for(company.vic).get(BASE, {"q": "quote"}, headers={"HX-Request": "true"})
    html = answer.content.decode()
    assert html.strip().startswith('<div id="results"')
    assert "<html" not in html


def test_the_list_costs_the_same_whatever_its_length(company, client_for):
    client = client_for(company.vic)
    page(client, BASE, kind="")
    with CaptureQueriesContext(connection) as full:
        page(client, BASE, kind="")
    with CaptureQueriesContext(connection) as few:
        page(client, BASE, kind="Domain")
    assert len(full) - len(few) <= 1  # domains have no health
    # One for the titles of all owners and systems, one for the person's own columns and views.
    assert len(full) <= 9


def test_owners_and_systems_go_by_their_titles(company, client_for):
    client = client_for(company.vic)
    rows = page(client, BASE, kind="Resource")
    assert '<a href="/o/acme/teams/claims/"' in rows
    assert ">Claims</a>" in rows
    assert "Claims (" in rows
    assert 'href="?kind=Resource&amp;sort=system">System</a>' in rows
    entity = page(client, f"{BASE}component/default/payment-gateway/")
    assert ">Payments</a>" in entity
    with CaptureQueriesContext(connection) as asked:
        page(client, BASE, kind="")
    assert sum("unnest" in query["sql"] and "wanted" in query["sql"] for query in asked) == 1


def test_the_entity_page_tells_everything(company, client_for):
    client = client_for(company.vic)
    address = f"{BASE}component/default/quote-engine/"
    html = page(client, address)
    drawn = page(client, f"{address}dependencies/")
    for words in (
        "under 80 ms", "group:default/booking", "Provides", "quote-api", "Consumes", "network-load-api",
        "relation-graph",
        "booking/catalog-info.yaml:", "https://dash.parcelwright.example/d/quote-engine", "backstage.io/kubernetes-id",
    ):  # fmt: skip
        assert words in html + drawn
    assert "To look at" not in html


def test_an_address_in_any_case_finds_the_entity(company, client_for):
    assert "Quote API" in page(client_for(company.vic), f"{BASE}API/default/Quote-Api/")


def test_an_api_shows_its_definition(company, client_for):
    html = page(client_for(company.vic), f"{BASE}api/default/hub-control-api/api/")
    assert "service HubControl" in html


def test_blemishes_are_said_on_the_page(company, client_for):
    client = client_for(company.vic)
    assert "resource:default/photo-archive (depends on), which is not in the catalog" in page(
        client, f"{BASE}component/default/parcel-photos/"
    )
    legacy = page(client, f"{BASE}component/default/quote-engine-legacy/")
    assert "It is deprecated, and still used by business-portal, returns-kiosk." in legacy
    missing = page(client, f"{BASE}resource/default/photo-archive/", 404)
    assert "parcel-photos" in missing
    assert "There is no component:default/nobody" in page(client, f"{BASE}component/default/nobody/", 404)


def test_a_tombstone_says_why(company, client_for):
    with company.tenant():
        source = Source.objects.for_tenant(company.acme).get()
        actions.remove_source(organisation=company.acme, actor=by(company.mae), source=source)
    html = page(client_for(company.vic), f"{BASE}component/default/quote-engine/", 410)
    assert "was removed by Mae" in html


def test_hostile_links_and_text_stay_text(world, client_for):
    text = TEXT.format(name="evil", owner="payments").replace(
        "  name: evil",
        "  name: evil\n  title: <script>alert(1)</script>\n  description: '<img src=x onerror=alert(1)>'\n"
        "  links: [{url: 'javascript:alert(1)', title: run}, {url: 'https://ok.example', title: fine}]",
    )
    with world.tenant():
        actions.write_entity(organisation=world.acme, actor=by(world.dev), text=text)
    html = page(client_for(world.vic), f"{BASE}component/default/evil/")
    assert "<script>alert(1)" not in html
    assert "<img src=x" not in html
    assert 'href="javascript:' not in html
    assert 'href="https://ok.example"' in html


def test_the_problems_page_names_file_and_line(company, client_for):
    html = page(client_for(company.vic), f"{BASE}problems/")
    assert "network/fleet.yaml:7" in html
    assert "Write &quot;edge&quot;" in html


def test_registering_looks_first_and_then_takes_in(world, client_for, tmp_path):
    (tmp_path / "catalog-info.yaml").write_text(TEXT.format(name="a", owner="payments"))
    client = client_for(world.dev)
    form = {"kind": "folder", "target": str(tmp_path)}
    looked = client.post(f"{BASE}sources/register/", {**form, "look": "1"})
    assert "component:default/a" in looked.content.decode()
    with world.tenant():
        assert not Source.objects.for_tenant(world.acme).exists()
    done = client.post(f"{BASE}sources/register/", {**form, "register": "1"})
    assert done.status_code == 302
    assert "component:default/a" in page(client, done["Location"])
    again = client.post(f"{BASE}sources/register/", form)
    assert again.status_code == 422
    assert "is registered already" in again.content.decode()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"kind": "folder", "target": "/etc"}, "not open to the portal"),
        ({"kind": "url", "target": "https://127.0.0.2.nip.invalid/x"}, "cannot be found"),
        ({"kind": "git", "target": ""}, "Say where the descriptors are"),
        ({"kind": "nonsense", "target": "x"}, "Select a valid choice"),
        ({"kind": "upload"}, "Choose a file to upload"),
        (
            {"kind": "git", "target": "https://example.com/a.git", "revision": "--upload-pack=x"},
            "not the name of a branch",
        ),
        ({"kind": "folder", "target": "/tmp", "path": "../../etc/passwd"}, "leads out of the source"),
    ],
)
def test_a_wrong_source_is_a_sentence_at_its_field(world, client_for, form, words):
    answer = client_for(world.dev).post(f"{BASE}sources/register/", form)
    assert answer.status_code == 422
    assert words in answer.content.decode()


def upload(client, name, content):
    return client.post(f"{BASE}sources/register/", {"kind": "upload", "upload": SimpleUploadedFile(name, content)})


def archive(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return buffer.getvalue()


def tar_with(entry, content=b""):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        entry.size = len(content)
        packed.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def link(name, target):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    return entry


def test_uploads_of_a_file_and_of_an_archive(world, client_for):
    client = client_for(world.dev)
    assert upload(client, "one.yaml", TEXT.format(name="one", owner="payments").encode()).status_code == 302
    files = {"a/two.yaml": TEXT.format(name="two", owner="payments"), "b.yml": TEXT.format(name="three", owner="x")}
    assert upload(client, "some.zip", archive(files)).status_code == 302
    with world.tenant():
        names = set(Entity.objects.for_tenant(world.acme).values_list("name", flat=True))
    assert names == {"one", "two", "three"}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("huge.yaml", b"a: " + b"x" * (5 * 2**20), "5.0 MiB; an upload may have at most 4 MiB"),
        ("big.yaml", b"a: " + b"x" * (2 * 2**20), "may have at most 1 MiB"),
        ("broken.yaml", b"a: [", "This is not valid YAML"),
        ("widget.yaml", b"apiVersion: v1\nkind: Widget\nmetadata: {name: a}\n", "is not known"),
        ("latin.yaml", "name: Zoë".encode("latin-1"), "is not text in UTF-8"),
        ("empty.yaml", b"", "no entity in it"),
        ("fake.zip", b"PK not really", "is not a zip archive"),
        ("up.zip", archive({"../../evil.yaml": "a: 1"}), "leads out of the source"),
        ("abs.zip", archive({"/etc/evil.yaml": "a: 1"}), "lies outside this source"),
        ("git.zip", archive({".git/config": "a"}), "own .git folder"),
        ("bomb.zip", None, "when unpacked"),
        ("link.tgz", tar_with(link("a.yaml", "/etc/passwd")), "link or a device"),
        ("torn.tgz", tar_with(tarfile.TarInfo("a.yaml"), b"a: 1")[:40], "damaged"),
    ],
)
def test_bad_uploads_are_sentences(world, client_for, name, content, words):
    if content is None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("a.yaml", b"0" * (20 * 2**20))
        content = buffer.getvalue()
    answer = upload(client_for(world.dev), name, content)
    if answer.status_code == 302:
        assert words in page(client_for(world.dev), answer["Location"])
    else:
        assert answer.status_code == 422
        assert words in answer.content.decode()


def test_a_source_page_refreshes_and_removes(company, client_for):
    client = client_for(company.dev)
    with company.tenant():
        source = Source.objects.for_tenant(company.acme).get()
    address = f"{BASE}sources/{source.pk}/"
    html = page(client, address)
    assert 'data-live="source:' in html
    assert "network/fleet.yaml:7" in html
    assert client.post(f"{address}refresh/").status_code == 302
    with company.tenant():
        source.refresh_from_db()
        assert source.state == "pending"
        assert AuditEvent.objects.for_tenant(company.acme).filter(verb="source.refreshed").exists()
    assert client.post(f"{address}remove/").status_code == 302
    assert "No source yet" in page(client, f"{BASE}sources/")


def test_viewers_only_look(company, client_for):
    client = client_for(company.vic)
    with company.tenant():
        source = Source.objects.for_tenant(company.acme).get()
    assert "You cannot register sources as a viewer" in page(client, f"{BASE}sources/register/", 403)
    for verb in ("refresh", "remove"):
        assert client.post(f"{BASE}sources/{source.pk}/{verb}/").status_code == 403
    assert "Refresh" not in page(client, f"{BASE}sources/{source.pk}/")


def test_strangers_find_nothing(company, client_for):
    client = client_for(company.eve)
    with company.tenant():
        source = Source.objects.for_tenant(company.acme).get()
    for place in (
        f"{BASE}?kind=",
        f"{BASE}component/default/quote-engine/",
        f"{BASE}sources/{source.pk}/",
        "/o/acme/teams/",
    ):
        assert client.get(place).status_code == 404
    assert client.get(f"/o/rival/catalog/sources/{source.pk}/").status_code == 404
    assert client.get("/o/rival/catalog/component/default/quote-engine/").status_code == 404


def test_writing_an_entity_in_the_portal(world, client_for):
    client = client_for(world.dev)
    assert "my-service" in page(client, f"{BASE}new/")
    done = client.post(f"{BASE}new/", {"text": TEXT.format(name="mine", owner="payments")})
    assert done.status_code == 302
    assert "Edit" in page(client, done["Location"])
    bad = client.post(
        f"{done['Location']}edit/",
        {"text": TEXT.format(name="mine", owner="payments").replace("type: service", "type: [")},
    )
    assert bad.status_code == 422
    assert "type: [" in bad.content.decode()
    assert "Line " in bad.content.decode()
    renamed = client.post(f"{done['Location']}edit/", {"text": TEXT.format(name="other", owner="payments")})
    assert "This would become component:default/other" in renamed.content.decode()
    taken = client.post(f"{BASE}new/", {"text": TEXT.format(name="Mine", owner="payments")})
    assert "component:default/mine exists already. Choose another name." in taken.content.decode()
    assert client.post(f"{done['Location']}remove/").status_code == 302
    assert page(client, done["Location"], 410)


def test_what_another_team_owns_is_written_by_its_team_or_a_manager(world, client_for):
    text = {"text": TEXT.format(name="theirs", owner="lockers")}
    refused = client_for(world.dev).post(f"{BASE}new/", text)
    assert refused.status_code == 422
    assert "You cannot edit what another team owns as a developer" in refused.content.decode()
    assert client_for(world.mae).post(f"{BASE}new/", text).status_code == 302


def test_what_comes_from_a_file_is_not_edited_here(company, client_for):
    html = page(client_for(company.ada), f"{BASE}component/default/quote-engine/edit/", 404)
    assert "edited where it comes from: booking/catalog-info.yaml" in html


@pytest.mark.parametrize(
    "place",
    [
        "catalog/sources/99999999999999999999999999/",
        "catalog/sources/0/",
        "catalog/problems/?source=9999999999999999999999",
        "catalog/problems/?source=x",
        "teams/none/",
        "teams/of/%00/",
        "teams/of/group:default/none/",
        "catalog/a/b/c/",
        "catalog/component/default/" + "a" * 3000 + "/",
        "catalog/?kind=%00&tag='&owner=%F0%9F%98%80",
        "catalog/?after=&before=",
    ],
)
def test_odd_addresses_are_answered(company, client_for, place):
    assert client_for(company.vic).get(f"/o/acme/{place}").status_code in (200, 404)


def test_the_teams_page_is_a_tree_with_what_each_owns(company, client_for):
    with company.tenant():
        confirming.confirm_all(organisation=company.acme, actor=by(company.ada))
    html = page(client_for(company.dev), "/o/acme/teams/")
    assert html.index("Commercial Technology") < html.index(">Booking<") < html.index("Core Technology")
    assert "yours" in html
    assert "label-printer-bridge" in html


def test_a_team_page_shows_people_and_things(company, client_for):
    client = client_for(company.vic)
    html = page(client, "/o/acme/teams/payments/")
    assert "Dev" in html
    assert "lead" in html
    assert "payment-gateway" in html
    assert "Suki Narrowby" in html
    with CaptureQueriesContext(connection) as small:
        page(client, "/o/acme/teams/claims/")
    with CaptureQueriesContext(connection) as large:
        page(client, "/o/acme/teams/booking/")
    assert len(small) == len(large) <= 22
    assert client.get("/o/acme/teams/of/group:default/claims/")["Location"] == "/o/acme/teams/claims/"


def test_teams_in_a_circle_are_still_shown(world, client_for):
    group = "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: %s}\nspec:\n"
    group += "  {type: team, parent: %s, children: []}\n"
    with world.tenant():
        for name, parent in (("x", "y"), ("y", "x")):
            actions.write_entity(organisation=world.acme, actor=by(world.ada), text=group % (name, parent))
    html = page(client_for(world.vic), "/o/acme/teams/")
    assert "/o/acme/teams/x/" in html
    assert "/o/acme/teams/y/" in html
