"""A reorganisation is drafted, foreseen, applied as a whole, on a date or at once, and undone as a whole."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from catalog import actions
from catalog.handing.models import Reorganisation
from catalog.handing.plans import drafting
from catalog.handing.plans.foreseeing import Foreseen, foresee, still_other
from catalog.handing.sweeping import sweep_transfers
from catalog.lists.models import BulkRow
from catalog.models import Entity, Statement
from catalog.owners.stating import state
from portal.accounts.access import enter
from portal.accounts.models import AuditEvent, Membership, Team, TeamMembership, User, Way
from portal.jobs.models import Job
from portal.jobs.work import work
from portal.kit.errors import Conflict, Forbidden, Invalid, NotFound
from tests.catalog.test_index import component
from tests.conftest import by
from tests.githosts.conftest import Plain, make_repository

PAYMENTS, REFUNDS = "group:default/payments", "group:default/refunds"
HERE, API = "/o/acme/reorganisations/", "/api/o/acme/reorganisations"
FILED = component("filed", owner="refunds")


@pytest.fixture
def shop(world):
    """Dev leads payments, Rita refunds; payments owns pay and ledger, refunds owns back and is on call for pay."""
    with world.tenant():
        refunds = Team.objects.create(organisation=world.acme, slug="refunds", name="Refunds", ref=REFUNDS)
        world.rita = User.objects.create_user("rita@acme.example", "x", name="Rita")
        Membership.objects.create(organisation=world.acme, user=world.rita, role="developer")
        TeamMembership.objects.create(organisation=world.acme, team=refunds, user=world.rita, is_lead=True)
        for name, owner in (("pay", "payments"), ("ledger", "payments"), ("back", "refunds")):
            actions.write_entity(organisation=world.acme, actor=by(world.ada), text=component(name, owner=owner))
        pay = Entity.objects.for_tenant(world.acme).get(name="pay")
        state(organisation=world.acme, actor=by(world.ada), changes=[(pay, "oncall", REFUNDS)], how="transfer")
    return world


def access(world: Any, person: Any) -> Any:
    return enter(person, "acme", way=Way.PAGE, address=None)


def drafted(world: Any, *steps: dict[str, Any]) -> Reorganisation:
    with world.tenant():
        mae = access(world, world.mae)
        plan = drafting.begin(access=mae, name="Spring")
        for step in steps:
            drafting.add_step(access=mae, plan=plan, said=step)
    return plan


def do(world: Any, plan: Reorganisation, verb: str, **more: Any) -> Any:
    with world.tenant():
        mae = access(world, world.mae)
        return getattr(drafting, verb)(access=mae, plan=drafting.plan_for(mae, plan.pk), **more)


def seen(world: Any, plan: Reorganisation) -> Foreseen:
    with world.tenant():
        mae = access(world, world.mae)
        return foresee(mae, drafting.plan_for(mae, plan.pk))


def holders(world: Any) -> dict[str, str]:
    with world.tenant():
        rows = Entity.objects.for_tenant(world.acme).filter(kind="Component").values_list("name", "owner_ref")
        return {name: ref.rpartition("/")[2] for name, ref in rows}


def tree(world: Any) -> dict[str, tuple[str, str]]:
    with world.tenant():
        rows = Team.objects.for_tenant(world.acme).select_related("parent")
        return {team.slug: (team.name, team.parent.slug if team.parent else "") for team in rows}


SPLIT = (
    {"kind": "team", "slug": "books", "name": "Books", "parent": "payments"},
    {"kind": "give", "filter": "kind=component,metadata.name=ledger", "to": "books"},
)
MERGE = ({"kind": "merge", "team": "refunds", "into": "payments"},)


def test_a_split_is_foreseen_applied_as_a_whole_and_undone(shop):
    before, stood = holders(shop), tree(shop)
    plan = drafted(shop, *SPLIT, {"kind": "rename", "team": "payments", "name": "Money"})
    told = seen(shop, plan)
    assert [(each.entity.ref, each.was, each.to) for each in told.changes] == [
        ("component:default/ledger", PAYMENTS, "group:default/books")
    ]
    assert told.teams == ["Books (books) is made, below payments.", "payments is called Money."]
    assert not told.wrong
    assert (holders(shop), tree(shop)) == (before, stood), "looking changes nothing"
    do(shop, plan, "apply")
    assert holders(shop) == {"pay": "payments", "ledger": "books", "back": "refunds"}
    assert tree(shop) == {"payments": ("Money", ""), "books": ("Books", "payments"), "refunds": ("Refunds", "")}
    with shop.tenant():
        assert Statement.objects.for_tenant(shop.acme).get(how="reorganisation").why == "Spring"
        assert AuditEvent.objects.for_tenant(shop.acme).filter(verb="ownership.changed").count() == 2
    do(shop, plan, "undo")
    assert (holders(shop), tree(shop)) == (before, stood)
    with pytest.raises(Conflict):
        do(shop, plan, "undo")


def test_a_merge_takes_owners_roles_and_people_along_and_shows_whose_rights_change(shop):
    plan = drafted(shop, *MERGE)
    told = seen(shop, plan)
    assert {(each.entity.ref.rpartition("/")[2], each.role) for each in told.changes} == {
        ("back", "owner"), ("pay", "oncall"),
    }  # fmt: skip
    assert {(each.person, each.gains, each.loses) for each in told.rights} == {("Dev", 1, 0), ("Rita", 2, 0)}
    assert told.told == 2, "Dev and Rita; who does it is not told"
    do(shop, plan, "apply")
    assert holders(shop)["back"] == "payments"
    with shop.tenant():
        assert TeamMembership.objects.for_tenant(shop.acme).filter(user=shop.rita, team=shop.payments).exists()
    do(shop, plan, "undo")
    assert holders(shop)["back"] == "refunds"
    with shop.tenant():
        assert not TeamMembership.objects.for_tenant(shop.acme).filter(user=shop.rita, team=shop.payments).exists()
        stands = Statement.objects.for_tenant(shop.acme).get(role="oncall", until=None)
        assert (stands.holder_ref, stands.how) == (REFUNDS, "undo")


def test_moving_a_team_gives_rights_to_those_above_it(shop):
    plan = drafted(shop, {"kind": "move", "team": "refunds", "parent": "payments"})
    assert [(each.person, each.gains, each.loses) for each in seen(shop, plan).rights] == [("Dev", 1, 0)]
    do(shop, plan, "apply")
    assert tree(shop)["refunds"] == ("Refunds", "payments")


def test_what_makes_no_sense_is_said_at_its_step_and_nothing_is_done(shop):
    plan = drafted(
        shop, {"kind": "rename", "team": "payments", "name": "Money"},
        {"kind": "rows", "rows": [["ledger", "refunds"], ["nothing", "refunds"]]},
        {"kind": "give", "filter": "kind=component", "to": "nowhere"},
        {"kind": "give", "filter": "metadata.name=none", "to": "refunds"},
    )  # fmt: skip
    wrong = dict(seen(shop, plan).wrong)
    assert wrong[2] == "There is no component:default/nothing."
    assert "called nowhere" in wrong[3]
    assert wrong[4] == "Its filter chooses nothing."
    with pytest.raises(Invalid, match=r"Step 2: .*Nothing was changed"):
        do(shop, plan, "apply")
    assert tree(shop)["payments"] == ("Payments", "")
    circle = drafted(
        shop, {"kind": "move", "team": "refunds", "parent": "payments"},
        {"kind": "move", "team": "payments", "parent": "refunds"},
    )  # fmt: skip
    assert "is Payments itself or below it" in dict(seen(shop, circle).wrong)[0]


def test_undo_leaves_what_went_on_since_and_ends_after_fourteen_days(shop):
    plan = drafted(shop, {"kind": "rows", "rows": [["pay", "refunds"], ["ledger", "refunds"]]})
    do(shop, plan, "apply")
    with shop.tenant():
        pay = Entity.objects.for_tenant(shop.acme).get(name="pay")
        state(organisation=shop.acme, actor=by(shop.ada), changes=[(pay, "owner", "")], how="transfer")
        late = Reorganisation.objects.for_tenant(shop.acme)
        late.update(applied_at=timezone.now() - timedelta(days=15))
    with pytest.raises(Conflict, match="fourteen days"):
        do(shop, plan, "undo")
    with shop.tenant():
        since = Statement.objects.for_tenant(shop.acme).filter(how="reorganisation").values_list("since", flat=True)[0]
        late.update(applied_at=since)
    assert do(shop, plan, "undo") == 1
    assert holders(shop) == {"pay": "", "ledger": "payments", "back": "refunds"}


def test_on_its_day_it_is_applied_or_is_a_draft_again_that_says_why(shop):
    day = timezone.now() + timedelta(days=3)
    plan, other = drafted(shop, *SPLIT), drafted(shop, *MERGE)
    for each in (plan, other):
        do(shop, each, "date", due_at=day)
    with pytest.raises(Conflict):
        do(shop, plan, "add_step", said=MERGE[0])
    with shop.tenant():
        Team.objects.for_tenant(shop.acme).filter(slug="refunds").delete()
    assert sweep_transfers(day - timedelta(seconds=1)) == 0
    assert sweep_transfers(day) == 2
    assert holders(shop)["ledger"] == "books"
    with shop.tenant():
        rows = Reorganisation.objects.for_tenant(shop.acme)
        assert rows.get(pk=plan.pk).applied_at == day
        failed = rows.get(pk=other.pk)
        assert (failed.state, failed.reason) == ("draft", "Step 1: There is no team refunds. Nothing was changed.")


def test_files_that_say_something_else_are_committed_in_one_batch_and_tracked(shop):
    shutil.rmtree(settings.GIT_ROOT, ignore_errors=True)
    make_repository(shop.acme, "real", files={"catalog-info.yaml": Plain(FILED.encode())}, owner_ref=REFUNDS)
    with shop.tenant():
        source = actions.add_source(organisation=shop.acme, actor=by(shop.ada), kind="repository", target="real")
        assert Entity.objects.for_tenant(shop.acme).filter(name="filed").exists()
    plan = drafted(shop, *MERGE)
    assert {(each.ref.rpartition("/")[2], each.is_ours) for each in seen(shop, plan).files} == {
        ("back", True), ("filed", True),
    }  # fmt: skip
    do(shop, plan, "apply")
    number = do(shop, plan, "settle_files")
    with shop.tenant():
        job = Job.objects.for_tenant(shop.acme).get(kind="catalog.bulk")
    work(shop.acme.pk, job.pk)
    with shop.tenant():
        rows = BulkRow.objects.for_tenant(shop.acme).filter(bulk=number)
        assert dict(rows.values_list("ref", "outcome")) == {
            "component:default/back": "done", "component:default/filed": "committed",
        }  # fmt: skip
        actions.refresh_source(organisation=shop.acme, actor=by(shop.ada), source=source)
    for waiting in _queued(shop):
        work(shop.acme.pk, waiting)
    with shop.tenant():
        assert still_other(Reorganisation.objects.for_tenant(shop.acme).get(pk=plan.pk)) == []
    with pytest.raises(Conflict, match="Every file says"):
        do(shop, plan, "settle_files")


def _queued(world: Any) -> list[int]:
    with world.tenant():
        return list(Job.objects.for_tenant(world.acme).filter(state="queued").values_list("pk", flat=True))


# --- who may, pages, programs ---


def test_managers_plan_and_others_read_what_is_shared(shop, client_for):
    mae, dev = client_for(shop.mae), client_for(shop.dev)
    answer = mae.post(HERE, {"name": "Spring"})
    page = answer["Location"]
    assert mae.post(f"{page}step/", {"kind": "merge", "team": "refunds", "into": "payments"}).status_code == 302
    html = mae.get(page).content.decode()
    assert "Merge a team into another" in html
    assert "Apply it now" in html
    assert "Whose rights change" in html
    wrong = mae.post(f"{page}step/", {"kind": "merge", "team": "", "into": "payments"})
    assert wrong.status_code == 400
    assert "Say the team." in wrong.content.decode()
    assert dev.get(page).status_code == 404
    assert mae.post(f"{page}do/", {"do": "share"}).status_code == 302
    shared = dev.get(page).content.decode()
    assert "Spring" in shared
    assert "Apply it now" not in shared
    assert dev.post(f"{page}do/", {"do": "apply"}).status_code == 403
    assert dev.post(HERE, {"name": "Mine"}).status_code == 403
    assert mae.post(f"{page}step/", {"kind": "rows", "rows": "entity,holder\npay,refunds"}).status_code == 302
    assert mae.post(f"{page}step/", {"drop": "2"}).status_code == 302
    assert mae.post(f"{page}do/", {"do": "apply"}).status_code == 302
    assert "Bring 1 file in line" in mae.get(page).content.decode()
    assert holders(shop)["back"] == "payments"


def test_programs_draft_foresee_and_apply(shop, client_for):
    mae = client_for(shop.mae)
    made = mae.post(API, {"name": "Spring", "steps": list(MERGE)}, content_type="application/json").json()
    told = mae.get(f"{API}/{made['id']}").json()
    assert told["changes"][0] == {"entity": "component:default/back", "role": "owner", "from": REFUNDS, "to": PAYMENTS}
    assert told["wrong"] == []

    def post(**body: Any) -> Any:
        return mae.post(f"{API}/{made['id']}", body, content_type="application/json")

    assert post(do="date", on="2000-01-01").status_code == 400
    assert post(do="date", on="2999-01-01").json()["state"] == "dated"
    assert post(do="draft").json()["state"] == "draft"
    assert post(do="apply").json()["state"] == "applied"
    assert post(do="undo").json()["state"] == "undone"
    assert [each["state"] for each in mae.get(API).json()["reorganisations"]] == ["undone"]
    assert client_for(shop.dev).get(API).json()["reorganisations"] == []


def test_a_lead_drafts_nothing_and_a_neighbour_finds_nothing(shop):
    plan = drafted(shop)
    with shop.tenant(), pytest.raises(Forbidden):
        drafting.begin(access=access(shop, shop.dev), name="Mine")
    with shop.tenant(shop.rival), pytest.raises(NotFound):
        drafting.plan_for(enter(shop.eve, "rival", way=Way.PAGE, address=None), plan.pk)
