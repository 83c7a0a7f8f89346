"""Stars, saved views, lists and changes of many over the API: what the pages do, to exactly whom they let."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from catalog.lists.models import Bulk, SavedView, Star
from catalog.models import Entity, Source
from portal.accounts.access import digest_of
from portal.accounts.models import ApiToken, AuditEvent
from portal.jobs.models import Job
from portal.jobs.work import work
from tests.catalog.test_lists import write

BASE = "/api/o/acme/catalog/"


@pytest.fixture
def shop(world):
    with world.tenant():
        write(world, "gateway", metadata="tags: [tier-1, pci]")
        write(world, "ledger", lifecycle="deprecated")
        write(world, "tracker", owner="tracking")
    return world


class Caller:
    """Somebody with a token of these scopes."""

    def __init__(self, world, client, person, scopes):
        secret = f"slw_{person.pk}_{'_'.join(scopes)}"
        with world.tenant():
            ApiToken.objects.get_or_create(
                organisation=world.acme, digest=digest_of(secret),
                defaults={"user": person, "name": "lists", "prefix": "slw_l", "scopes": scopes,
                          "expires_at": timezone.now() + timedelta(days=1)},
            )  # fmt: skip
        self.client, self.headers = client, {"Authorization": f"Bearer {secret}"}

    def __call__(self, method, path, body=None, *, status=200, **query):
        send = getattr(self.client, method)
        if method == "get":
            answer = send(BASE + path, query, headers=self.headers)
        else:
            answer = send(BASE + path, body or {}, content_type="application/json", headers=self.headers)
        assert answer.status_code == status, answer.content[:2000]
        return answer.json() if answer.content else None


@pytest.fixture
def caller(shop, client):
    return lambda person, *scopes: Caller(shop, client, person, list(scopes) or ["write"])


def uid_of(world, name):
    with world.tenant():
        return Entity.objects.for_tenant(world.acme).get(name=name).uid


def names(page):
    return [row["name"] for row in page["items"]]


# --- lists ---


def test_a_list_is_what_its_page_shows_page_by_page(shop, caller):
    ask = caller(shop.dev, "read")
    first = ask("get", "list", kind="Component", sort="-name", limit=2)
    assert names(first) == ["tracker", "ledger"]
    assert (first["totalItems"], first["query"]) == (3, "kind=Component&sort=-name")
    rest = ask("get", "list", kind="Component", sort="-name", limit=2, cursor=first["pageInfo"]["nextCursor"])
    assert names(rest) == ["gateway"]
    assert rest["pageInfo"] == {}
    assert (rest["items"][0]["tier"], rest["items"][0]["owner"]) == ("1", "group:default/payments")
    assert names(ask("get", "list", owner="payments", lifecycle="deprecated")) == ["ledger"]
    assert names(ask("get", "list", starred="false", tag="pci")) == ["gateway"]
    ask("get", "list", sort="colour", status=400)
    ask("get", "list", sort="name", cursor=first["pageInfo"]["nextCursor"], status=400)


def test_what_nobody_saw_for_thirty_days_is_found(shop, caller):
    ask = caller(shop.vic, "read")
    assert names(ask("get", "list", unseen="true")) == []
    with shop.tenant():
        old = timezone.now() - timedelta(days=31)
        source = Source.objects.create(
            organisation=shop.acme, kind="folder", target="/gone", refreshed_at=old, entity_count=1
        )
        Entity.objects.for_tenant(shop.acme).filter(name="ledger").update(source=source)
    assert names(ask("get", "list", unseen="true")) == ["ledger"]
    with shop.tenant():
        Source.objects.for_tenant(shop.acme).filter(pk=source.pk).update(refreshed_at=timezone.now())
    assert names(ask("get", "list", unseen="true")) == []


# --- stars ---


def test_stars_are_ones_own(shop, caller):
    vic, dev, uid = caller(shop.vic), caller(shop.dev), uid_of(shop, "gateway")
    vic("put", f"stars/{uid}", status=204)
    vic("put", f"stars/{uid}", status=204)
    assert vic("get", "stars")["items"] == [str(uid)]
    assert names(vic("get", "list", starred="true")) == ["gateway"]
    assert vic("get", "list", starred="true")["items"][0]["isStarred"]
    assert dev("get", "stars")["items"] == []
    dev("delete", f"stars/{uid}", status=204)
    assert vic("get", "stars")["items"] == [str(uid)]
    vic("delete", f"stars/{uid}", status=204)
    assert vic("get", "stars")["items"] == []
    vic("put", f"stars/{uuid.uuid4()}", status=404)


def test_a_token_that_only_reads_changes_nothing(shop, caller):
    ask, uid = caller(shop.ada, "read"), uid_of(shop, "gateway")
    said = ask("put", f"stars/{uid}", status=403)
    assert "was not given that scope" in said["error"]["message"]
    ask("delete", f"stars/{uid}", status=403)
    ask("post", "views", {"name": "Mine", "query": ""}, status=403)
    ask("post", "bulk", {"act": "tag", "value": "pci", "query": "kind=Component"}, status=403)
    with shop.tenant():
        view = SavedView.objects.create(organisation=shop.acme, owner=shop.ada, name="Kept")
        bulk = Bulk.objects.create(organisation=shop.acme, actor=shop.ada, act="tag", value="x")
    ask("patch", f"views/{view.pk}", {"name": "Other"}, status=403)
    ask("put", f"views/{view.pk}/opens", {"on": True}, status=403)
    ask("delete", f"views/{view.pk}", status=403)
    ask("post", f"bulk/{bulk.pk}/undo", status=403)
    assert ask("get", f"views/{view.pk}")["name"] == "Kept"
    assert ask("get", f"bulk/{bulk.pk}")["act"] == "tag"
    with shop.tenant():
        assert Star.objects.count() == 0
        assert Bulk.objects.count() == SavedView.objects.count() == 1


# --- views ---


def test_a_view_is_kept_changed_and_deleted_with_its_events(shop, caller):
    dev = caller(shop.dev)
    made = dev("post", "views", {"name": " Old  things", "query": "lifecycle=deprecated&junk=1"}, status=201)
    assert (made["name"], made["query"], made["isShared"]) == ("Old things", "kind=&lifecycle=deprecated", False)
    dev("post", "views", {"name": "Old things", "query": ""}, status=409)
    changed = dev("patch", f"views/{made['id']}", {"columns": ["tier", "owner"], "isShared": True})
    assert (changed["columns"], changed["isShared"], changed["query"]) == (["tier", "owner"], True, made["query"])
    dev("patch", f"views/{made['id']}", {"columns": ["colour"]}, status=400)
    dev("patch", f"views/{made['id']}", {}, status=400)
    assert dev("put", f"views/{made['id']}/opens", {"on": True})["opensForMe"]
    assert not dev("put", f"views/{made['id']}/opens", {"on": False})["opensForMe"]
    dev("delete", f"views/{made['id']}", status=204)
    dev("get", f"views/{made['id']}", status=404)
    with shop.tenant():
        events = AuditEvent.objects.for_tenant(shop.acme).filter(verb__startswith="view.").order_by("pk")
        told = [(event.verb, event.actor_id, event.way) for event in events]
    assert told == [(verb, shop.dev.pk, "api") for verb in ("view.saved", "view.changed", "view.removed")]


def test_who_may_do_what_with_views(shop, caller):
    vic, dev, mae = caller(shop.vic), caller(shop.dev), caller(shop.mae)
    own = vic("post", "views", {"name": "Mine", "query": "whose=mine"}, status=201)
    vic("post", "views", {"name": "Ours", "query": "", "isShared": True}, status=403)
    for other in (dev, mae):
        other("get", f"views/{own['id']}", status=404)
        other("patch", f"views/{own['id']}", {"name": "Theirs"}, status=404)
        other("put", f"views/{own['id']}/opens", {"on": True}, status=404)
        other("delete", f"views/{own['id']}", status=404)
    shared = dev("post", "views", {"name": "Ours", "query": "", "isShared": True}, status=201)
    assert [(view["name"], view["mayChange"]) for view in vic("get", "views")["items"]] == [
        ("Mine", True), ("Ours", False)]  # fmt: skip
    vic("patch", f"views/{shared['id']}", {"name": "Theirs"}, status=403)
    vic("delete", f"views/{shared['id']}", status=403)
    dev("put", f"views/{shared['id']}/opens", {"on": True, "whom": "all"}, status=403)
    assert mae("put", f"views/{shared['id']}/opens", {"on": True, "whom": "all"})["isDefault"]
    assert mae("patch", f"views/{shared['id']}", {"name": "Everybody’s"})["name"] == "Everybody’s"


# --- many at once ---


def do(world):
    with world.tenant():
        waiting = list(Job.objects.for_tenant(world.acme).filter(kind="catalog.bulk", state="queued"))
    for job in waiting:
        work(world.acme.pk, job.pk)


def test_many_are_changed_as_their_asker_may_and_undone(shop, caller):
    """Dev leads payments: what tracking owns is refused, each by itself."""
    dev = caller(shop.dev)
    asked = dev("post", "bulk", {"act": "tag", "value": "audited", "query": "kind=Component"}, status=202)
    assert (asked["counts"], asked["isOver"], asked["canUndo"]) == ({"waiting": 3}, False, False)
    do(shop)
    over = dev("get", f"bulk/{asked['id']}")
    assert {row["ref"].rpartition("/")[2]: row["outcome"] for row in over["items"]} == {
        "gateway": "done", "ledger": "done", "tracker": "refused"}  # fmt: skip
    assert over["isOver"]
    assert over["canUndo"]
    refused = dev("get", f"bulk/{asked['id']}", outcome="refused")["items"]
    assert [row["sentence"].endswith(".") for row in refused] == [True]
    assert dev("get", f"bulk/{asked['id']}", after=10**17)["items"] == []
    assert sorted(names(dev("get", "list", tag="audited"))) == ["gateway", "ledger"]
    dev("post", f"bulk/{asked['id']}/undo", status=202)
    do(shop)
    assert names(dev("get", "list", tag="audited")) == []
    dev("post", f"bulk/{asked['id']}/undo", status=409)
    with shop.tenant():
        events = AuditEvent.objects.for_tenant(shop.acme).filter(verb="bulk.asked")
        assert {(event.actor_id, event.way) for event in events} == {(shop.dev.pk, "api")}
        assert len(events) == 2


def test_what_cannot_be_asked_of_many(shop, caller):
    dev = caller(shop.dev)
    some = {"entities": ["component:default/gateway"]}
    for body in (
        {"act": "tag", "value": "pci"},
        {"act": "tag", "value": "pci", "query": "", **some},
        {"act": "tag", "value": "No Tag", **some},
        {"act": "owner", "value": "nobody-here", **some},
        {"act": "undo", **some},
        {"act": "tag", "value": "pci", "entities": []},
        {"act": "tag", "value": "pci", "entities": ["gateway"]},
        {"act": "tag", "value": "pci", "entities": ["component:gateway", "component:default/none"]},
        {"act": "tag", "value": "pci", "query": "tag=none-has-it"},
    ):
        assert dev("post", "bulk", body, status=400)["error"]["message"].endswith((".", "gateway")), body
    with shop.tenant():
        assert not Bulk.objects.for_tenant(shop.acme).exists()
        assert not Job.objects.for_tenant(shop.acme).filter(kind="catalog.bulk").exists()


def test_what_became_of_many_is_for_its_asker_and_for_readers_of_the_audit_log(shop, caller):
    dev, mae, vic = caller(shop.dev), caller(shop.mae), caller(shop.vic)
    asked = dev("post", "bulk", {"act": "refresh", "entities": ["Component:gateway"]}, status=202)
    assert mae("get", f"bulk/{asked['id']}")["items"][0]["ref"] == "component:default/gateway"
    vic("get", f"bulk/{asked['id']}", status=404)
    vic("post", "bulk", {"act": "refresh", "entities": ["component:gateway"]}, status=403)
