"""The catalog API: shapes, paging and errors as clients of Backstage's catalog expect them."""

import base64
import json
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils.timezone import now

from catalog import actions
from catalog.asking.filters import matches, parse_filters, parse_query
from catalog.asking.paging import seal
from catalog.index.reading import find
from catalog.models import Entity, Source
from portal.accounts.access import digest_of
from portal.accounts.models import ApiToken
from portal.accounts.tenancy import tenant
from tests.catalog.whole_index import facts_meant
from tests.conftest import by

DEMO = Path(__file__).resolve().parents[2] / "demo" / "parcelwright" / "catalog"
API = "/api/o/acme/catalog"
COMPONENT = {
    "apiVersion": "backstage.io/v1alpha1",
    "kind": "Component",
    "metadata": {"name": "a"},
    "spec": {"type": "service", "lifecycle": "production", "owner": "x"},
}


@pytest.fixture
def company(world):
    with world.tenant():
        actions.add_source(organisation=world.acme, actor=by(world.dev), kind="folder", target=str(DEMO))
    return world


@pytest.fixture
def vic(company, client_for):
    return client_for(company.vic)


def get(client, path, status=200, **query):
    answer = client.get(f"{API}{path}", query)
    assert answer.status_code == status, answer.content[:1000]
    return answer.json() if answer.content else None


def post(client, path, body, status=200):
    answer = client.post(f"{API}{path}", json.dumps(body), content_type="application/json")
    assert answer.status_code == status, answer.content[:1000]
    return answer.json() if answer.content else None


def names(entities):
    return [entity["metadata"]["name"] for entity in entities]


def test_entities_is_a_bare_list_in_the_order_of_references(vic):
    found = get(vic, "/entities", filter="kind=api,spec.type=grpc")
    assert names(found) == ["hub-control-api", "sort-plan-api"]
    entity = found[0]
    assert entity["metadata"]["namespace"] == "default"
    assert entity["metadata"]["uid"]
    assert entity["relations"] == sorted(entity["relations"], key=lambda each: (each["type"], each["targetRef"]))
    assert {"type": "apiConsumedBy", "targetRef": "component:default/scanner-app"} in entity["relations"]
    location = entity["metadata"]["annotations"]["backstage.io/managed-by-location"]
    assert location == f"file:{DEMO}/network/catalog-info.yaml"


def test_fields_keep_what_is_asked(vic):
    found = get(
        vic, "/entities", filter="metadata.name=quote-engine",
        fields="kind,metadata.name,metadata.annotations.backstage.io/kubernetes-id,relations,spec.nothing",
    )  # fmt: skip
    assert found[0]["metadata"] == {
        "name": "quote-engine",
        "annotations": {"backstage.io/kubernetes-id": "quote-engine"},
    }
    assert set(found[0]) == {"kind", "metadata", "relations"}
    assert "dot path" in get(vic, "/entities", 400, fields="metadata.tags[0]")["error"]["message"]


def test_limit_and_after_follow_the_link(vic):
    seen, answer = (
        [],
        vic.get(f"{API}/entities", {"filter": "kind=component", "limit": 20, "order": "desc:metadata.name"}),
    )
    while True:
        seen += names(answer.json())
        if "Link" not in answer:
            break
        answer = vic.get(answer["Link"].split(">")[0][1:])
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 55


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        ("/entities", {"order": "metadata.name"}, "is no order"),
        ("/entities", {"limit": "0"}, "at least 1"),
        ("/entities", {"limit": "many"}, "whole number"),
        ("/entities", {"offset": "-1"}, "whole number"),
        ("/entities", {"after": "rubbish"}, "not a cursor"),
        ("/entities", {"filter": "=x"}, "no key"),
        ("/entities/by-query", {"cursor": "rubbish"}, "not one of ours"),
        ("/entities/by-query", {"orderField": "metadata.name,up"}, "is no order"),
        ("/entity-facets", {}, "at least one facet"),
    ],
)
def test_bad_questions_are_input_errors(vic, path, query, words):
    body = get(vic, path, 400, **query)
    assert body["error"]["name"] == "InputError"
    assert words in body["error"]["message"]
    assert body["response"] == {"statusCode": 400}
    assert body["request"]["method"] == "GET"


def walk(client, **query):
    """All pages forwards; then all pages back again."""
    pages, page = [], get(client, "/entities/by-query", **query)
    assert "prevCursor" not in page["pageInfo"]
    while True:
        pages.append(names(page["items"]))
        if "nextCursor" not in page["pageInfo"]:
            break
        page = get(client, "/entities/by-query", cursor=page["pageInfo"]["nextCursor"], limit=query["limit"])
    back = [pages[-1]]
    while "prevCursor" in page["pageInfo"]:
        page = get(client, "/entities/by-query", cursor=page["pageInfo"]["prevCursor"], limit=query["limit"])
        back.insert(0, names(page["items"]))
    assert back == pages
    return [name for each in pages for name in each], page["totalItems"]


@pytest.mark.parametrize(
    "order", ["", "metadata.name,asc", "metadata.name,desc", "spec.lifecycle,asc", "spec.lifecycle,desc"]
)
def test_pages_neither_lose_nor_repeat(vic, order):
    seen, total = walk(
        vic, limit=13, filter=["kind=component", "kind=resource"], **({"orderField": order} if order else {})
    )
    # The 25 resources have no lifecycle: who lacks the field is neither shown nor counted (backstage-compat 4b.4).
    assert len(seen) == len(set(seen)) == total == (55 if "lifecycle" in order else 80)


def test_entities_without_the_order_field_come_last_in_the_plain_list(vic):
    query = {"filter": ["kind=component", "kind=resource"], "order": "desc:spec.lifecycle"}
    seen = names(get(vic, "/entities", **query))
    assert len(seen) == 80
    assert "payment-db" in seen[55:]
    paged = [names(get(vic, "/entities", **query, limit=20, offset=offset)) for offset in range(0, 80, 20)]
    assert [name for page in paged for name in page] == seen


def test_a_page_of_none_counts(vic):
    body = get(vic, "/entities/by-query", limit=0, filter="kind=api")
    assert (body["items"], body["totalItems"], body["pageInfo"]) == ([], 28, {})
    assert get(vic, "/entities/by-query", limit=1, totalItems="exclude")["totalItems"] == 0


def test_text_is_looked_for_in_the_named_fields(vic):
    body = get(
        vic, "/entities/by-query", fullTextFilterTerm="LOCKER", fullTextFilterFields="metadata.name,metadata.title"
    )
    assert all("locker" in json.dumps(each["metadata"]).lower() for each in body["items"])
    assert body["totalItems"] == 8


def test_the_post_form_takes_a_predicate_and_continues_by_cursor(vic):
    query = {"$all": [{"kind": "component"}, {"$not": {"spec.type": {"$in": ["service", "website"]}}}]}
    page = post(
        vic, "/entities/by-query", {"query": query, "limit": 5, "orderBy": [{"field": "metadata.name", "order": "asc"}]}
    )
    rest = post(vic, "/entities/by-query", {"cursor": page["pageInfo"]["nextCursor"], "limit": 50})
    assert page["totalItems"] == rest["totalItems"] == len(page["items"] + rest["items"]) == 12
    assert "must be an object" in post(vic, "/entities/by-query", {"query": []}, 400)["error"]["message"]


def test_by_refs_keeps_order_and_length(vic):
    refs = ["component:default/Quote-Engine", "component:default/none", "user:default/ada"]
    body = post(vic, "/entities/by-refs", {"entityRefs": refs, "fields": ["kind"]})
    assert body["items"] == [{"kind": "Component"}, None, {"kind": "User"}]
    filtered = post(vic, "/entities/by-refs?filter=kind%3Duser", {"entityRefs": refs})
    assert [bool(each) for each in filtered["items"]] == [False, False, True]
    post(vic, "/entities/by-refs", {"entityRefs": "x"}, 400)


def test_one_entity_by_name_and_by_uid(vic):
    entity = get(vic, "/entities/by-name/Component/default/quote-engine")
    assert get(vic, f"/entities/by-uid/{entity['metadata']['uid']}") == entity
    assert get(vic, "/entities/by-name/component/default/none", 404)["error"]["name"] == "NotFoundError"
    ancestry = get(vic, "/entities/by-name/component/default/quote-engine/ancestry")
    assert ancestry["rootEntityRef"] == "component:default/quote-engine"
    assert ancestry["items"][0]["entity"] == entity


def test_facets_count_values_in_their_own_case(vic):
    body = get(vic, "/entity-facets", facet=["kind", "spec.type", "relations.ownedBy", "nothing"], filter="kind=api")
    assert body["facets"]["kind"] == [{"value": "API", "count": 28}]
    assert {"value": "grpc", "count": 2} in body["facets"]["spec.type"]
    assert {"value": "group:default/sorting", "count": 3} in body["facets"]["relations.ownedBy"]
    assert body["facets"]["nothing"] == []
    same = post(vic, "/entity-facets", {"facets": ["kind"], "query": {"kind": "api"}})
    nothing = post(vic, "/entity-facets", {"facets": ["kind", "relations.ownedBy"], "query": {"$any": []}})
    assert nothing["facets"] == {"kind": [], "relations.ownedBy": []}
    assert same["facets"] == {"kind": body["facets"]["kind"]}


@pytest.mark.parametrize(
    "filters",
    [
        ["kind=component,spec.type=service"],
        ["kind=component,spec.lifecycle=deprecated", "kind=user"],
        ["metadata.tags.pci"],
        ["metadata.annotations.backstage.io/kubernetes-id"],
        ["relations.ownedby=group:default/booking"],
        ["relations.apiconsumedby"],
        ["spec.owner=claims,kind=API,kind=Resource"],
        ["metadata.name=' OR 1=1"],
    ],
)
def test_the_index_means_what_the_pure_filters_mean(company, filters):
    node = parse_filters(filters)
    with company.tenant():
        known = {}
        for (key, value, _), numbers in facts_meant(company.acme).items():
            for number in numbers:
                known.setdefault(number, set()).add(value if key == "=has" else f"{key}={value}")
        expected = {number for number, facts in known.items() if matches(node, facts)}
        assert set(find(company.acme, node).numbers()) == expected
        assert expected or "OR 1=1" in filters[0]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 172),
        ({"$any": []}, 0),
        ({"$all": []}, 172),
        ({"kind": {"$in": []}}, 0),
        ({"metadata.name": {"$hasPrefix": "quote-"}}, 5),
        ({"metadata.name": {"$hasPrefix": "%"}}, 0),
        ({"$not": {"kind": {"$in": ["component", "api"]}}}, 89),
        ({"relations": {"$contains": {"type": "ownedBy", "targetRef": "group:default/lockers"}}}, 8),
    ],
)
def test_predicates_by_the_index(company, query, count):
    with company.tenant():
        assert find(company.acme, parse_query(query)).total == count


def test_validation_says_every_sentence(vic):
    post(vic, "/validate-entity", {"entity": COMPONENT, "location": "url:https://a.example/b"})
    bad = {**COMPONENT, "metadata": {"name": "a b"}, "spec": {"type": "service"}}
    errors = post(vic, "/validate-entity", {"entity": bad, "location": "url:x"}, 400)["errors"]
    assert [each["path"] for each in errors] == ["metadata.name", "spec.lifecycle", "spec.owner"]
    post(vic, "/validate-entity", {}, 400)
    post(vic, "/validate-entity", [], 400)


def test_malformed_json_is_an_input_error(vic):
    answer = vic.post(f"{API}/entities/by-refs", "{", content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["error"]["name"] == "InputError"


@pytest.fixture
def website(tmp_path):
    """A web server on an allowed network with one descriptor, one redirect and one endless file."""
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Site(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/moved.yaml":
                self.send_response(302)
                self.send_header("Location", "http://169.254.169.254/")
                self.end_headers()
                return
            self.send_response(200)
            self.end_headers()
            if self.path == "/endless.yaml":
                for _ in range(40):
                    self.wfile.write(b"x" * 65536)
            elif self.path == "/api.txt":
                self.wfile.write(b"hello")
            else:
                api = {**COMPONENT, "kind": "API", "metadata": {"name": "web"}}
                api["spec"] = {**COMPONENT["spec"], "definition": {"$text": "./api.txt"}}
                self.wfile.write(json.dumps(api).encode())

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_locations_come_in_pages(world, client_for):
    """The later pages keep the question and the size of the first, as the client's stream asks for them."""
    with tenant(world.acme):
        made = [
            Source.objects.create(organisation=world.acme, kind=kind, target=f"https://a.example/{n}.yaml")
            for n, kind in enumerate(["url", "git", "url", "url", "url", "git", "url"])
        ]
    client = client_for(world.dev)
    question = {"$not": {"target": "https://a.example/3.yaml"}}
    page = post(client, "/locations/by-query", {"query": question, "limit": 2})
    seen, totals = page["items"], {page["totalItems"]}
    while cursor := page["pageInfo"].get("nextCursor"):
        page = post(client, "/locations/by-query", {"cursor": cursor})
        assert 1 <= len(page["items"]) <= 2
        seen, totals = seen + page["items"], totals | {page["totalItems"]}
    assert [each["id"] for each in seen] == [str(row.uid) for n, row in enumerate(made) if n != 3]
    assert totals == {6}
    for cursor in ("rubbish", seal(["entities", {}, 2, 0])):
        assert "cursor" in post(client, "/locations/by-query", {"cursor": cursor}, 400)["error"]["message"]


def test_locations_come_and_go(world, client_for, website):
    client = client_for(world.dev)
    body = {"type": "url", "target": f"{website}/catalog-info.yaml"}
    dry = post(client, "/locations?dryRun=true", body, 201)
    assert (names(dry["entities"]), dry["exists"]) == (["web"], False)
    assert get(client, "/locations") == []
    made = post(client, "/locations", body, 201)
    assert made["entities"][0]["spec"]["definition"] == "hello"
    location = made["location"]
    assert location["target"] == body["target"]
    assert get(client, "/locations") == [{"data": location}]
    assert get(client, f"/locations/{location['id']}") == location
    assert get(client, "/locations/by-entity/api/default/web") == location
    assert post(client, "/locations/by-query", {"query": {"type": "url"}})["items"] == [location]
    assert post(client, "/locations/by-query", {"query": {"type": "file"}})["items"] == []
    elsewhere = {"type": "url", "target": f"{website}/other.yaml"}
    moved = client.put(f"{API}/locations/{location['id']}", json.dumps(elsewhere), content_type="application/json")
    assert (moved.status_code, moved.json()["id"], moved.json()["target"]) == (200, location["id"], elsewhere["target"])
    nowhere = client.put(
        f"{API}/locations/{location['id']}",
        json.dumps({"type": "url", "target": f"{website}/moved.yaml"}),
        content_type="application/json",
    )
    assert nowhere.status_code == 400
    assert get(client, f"/locations/{location['id']}")["target"] == elsewhere["target"], "a bad address changes nothing"
    back = client.put(f"{API}/locations/{location['id']}", json.dumps(body), content_type="application/json")
    assert back.json() == location
    stranger = client_for(world.vic).put(
        f"{API}/locations/{location['id']}", json.dumps(body), content_type="application/json"
    )
    assert stranger.status_code == 403
    assert post(client, "/locations", body, 409)["error"]["name"] == "ConflictError"
    assert post(client, "/locations?onConflict=refresh", body, 201)["location"] == location
    assert post(client, "/refresh", {"entityRef": "api:default/web"}) is None
    assert client.delete(f"{API}/locations/{location['id']}").status_code == 204
    get(client, f"/locations/{location['id']}", 404)
    get(client, "/entities/by-name/api/default/web", 404)


def test_an_address_is_analysed_before_it_is_registered(world, client_for, website, tmp_path):
    client = client_for(world.dev)
    body = {"location": {"type": "url", "target": f"{website}/catalog-info.yaml"}}
    found = post(client, "/analyze-location", body)
    assert [(each["isRegistered"], each["entity"]["metadata"]["name"]) for each in found["existingEntityFiles"]] == [
        (False, "web")
    ]
    post(client, "/locations", body["location"], 201)
    assert post(client, "/analyze-location", body)["existingEntityFiles"][0]["isRegistered"] is True
    folder = tmp_path / "Order_Desk.git"
    for argv in (["init", "-q", str(folder)], ["-C", str(folder), "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.example", *argv], check=True)
    made = post(client, "/analyze-location", {"location": {"type": "url", "target": f"file://{folder}"}})
    [suggested] = made["generateEntities"]
    assert suggested["entity"]["metadata"]["name"] == "Order-Desk"
    assert suggested["fields"][0]["state"] == "needsUserInput"
    assert post(client, "/analyze-location", {}, 400)["error"]["message"].startswith("Say the location")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"type": "file", "target": "/etc/passwd"}, "Only locations of the type url"),
        ({"type": "url"}, "Say the target"),
        ({"type": "url", "target": "{site}/moved.yaml"}, "Write the address where it ends"),
        ({"type": "url", "target": "{site}/endless.yaml"}, "larger than 1 MiB"),
        ({"type": "url", "target": "http://[::ffff:169.254.169.254]/a.yaml"}, "private network"),
        ({"type": "url", "target": "http://localhost:1/a.yaml"}, "cannot be reached"),
        ({"type": "url", "target": "http://1.2.3.4/a.yaml"}, "must start with https"),
        ({"type": "url", "target": "https://a:99999/x.yaml"}, "not a web address"),
        ({"type": "url", "target": "javascript:alert(1)//.yaml"}, "whole web address"),
    ],
)
def test_locations_that_are_refused(world, client_for, website, body, words):
    body = {key: value.replace("{site}", website) for key, value in body.items()}
    answer = client_for(world.dev).post(f"{API}/locations", json.dumps(body), content_type="application/json")
    assert 400 <= answer.status_code < 600
    assert answer.status_code != 500
    assert words in answer.json()["error"]["message"]


def test_deleting_what_comes_from_a_file_is_a_conflict(company, client_for):
    client = client_for(company.mae)
    uid = get(client, "/entities/by-name/component/default/quote-engine")["metadata"]["uid"]
    answer = client.delete(f"{API}/entities/by-uid/{uid}")
    assert (answer.status_code, answer.json()["error"]["name"]) == (409, "ConflictError")


def test_viewers_and_strangers(company, client_for):
    vic, eve = client_for(company.vic), client_for(company.eve)
    body = {"type": "url", "target": "https://example.com/a.yaml"}
    assert post(vic, "/locations", body, 403)["error"]["name"] == "NotAllowedError"
    get(eve, "/entities", 404)
    with company.tenant():
        uid = Entity.objects.for_tenant(company.acme).first().uid
        source = Source.objects.for_tenant(company.acme).get().uid
    for place in (f"entities/by-uid/{uid}", f"locations/{source}", "entities/by-name/component/default/quote-engine"):
        assert eve.get(f"/api/o/rival/catalog/{place}").status_code == 404
    assert eve.get("/api/o/rival/catalog/entities").json() == []


def test_a_bearer_token_opens_the_door(company, client):
    with company.tenant():
        ApiToken.objects.create(
            organisation=company.acme, user=company.vic, name="t", prefix="slw", digest=digest_of("slw_secret"),
            scopes=["read"], expires_at=now() + timedelta(days=1),
        )  # fmt: skip
    answer = client.get(f"{API}/entities?limit=1", headers={"Authorization": "Bearer slw_secret"})
    assert answer.status_code == 200
    assert client.get(f"{API}/entities").status_code == 401


@pytest.mark.parametrize(
    "text", ['{"limit": Infinity, "offset": 0}', "[" * 2500, '{"limit": 1e400, "offset": 1}', "{}", '{"limit": 1}']
)
def test_a_cursor_of_somebody_elses_making_is_refused_in_words(vic, text):
    refusal = get(vic, "/entities", 400, after=base64.b64encode(text.encode()).decode())
    assert "is not a cursor of ours" in refusal["error"]["message"]
