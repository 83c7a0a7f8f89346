"""What is followed is told of: its owner, its health, its lifecycle, its file, its end; and what fails or waits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from catalog import actions, noticing
from catalog.intake import ingest
from catalog.lists.actions import star
from catalog.models import Entity, Source
from catalog.owners.stating import state
from portal.accounts.models import Membership, Team, TeamMembership
from portal.accounts.teams import create_team
from portal.clusters.models import Cluster, Transition
from portal.notices import consuming
from portal.notices.actions import follow_team
from portal.notices.models import Notice
from tests.catalog.test_pages import TEXT
from tests.conftest import by

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(committed_world, tmp_path, monkeypatch):
    monkeypatch.setattr(consuming, "nudge", lambda organisation_id: True)
    world = committed_world
    (tmp_path / "catalog-info.yaml").write_text(TEXT.format(name="till", owner="payments"))
    with world.tenant():
        actions.add_source(organisation=world.acme, actor=by(world.ada), kind="folder", target=str(tmp_path))
        star(organisation=world.acme, user=world.vic, entity=Entity.objects.get(name="till"))
        member = Membership.objects.get(user=world.mae)
        follow_team(membership=member, team=world.payments, follows=True)
    look(world)
    return world


def look(world):
    """A minute of the live process; returns what is new, as (person's name, title, why)."""
    noticing.sweep()
    consuming.turn()
    with world.tenant():
        rows = Notice.objects.filter(read_at=None).select_related("membership__user").order_by("membership__user", "pk")
        told = [(row.membership.user.name, row.title, row.why) for row in rows]
        Notice.objects.update(read_at=now())
        Membership.objects.update(unread_notices=0)
    return sorted(told)


def names(told):
    return sorted({name for name, _, _ in told})


def reread(world, folder, text):
    (folder / "catalog-info.yaml").write_text(text)
    with world.tenant():
        ingest.ingest(Source.objects.exclude(kind="portal").get())


def test_the_owner_changes_by_the_portal_and_both_sides_and_followers_hear(world):
    with world.tenant():
        desk = Team.objects.create(organisation=world.acme, slug="desk", name="Desk", ref="group:default/desk")
        TeamMembership.objects.create(organisation=world.acme, team=desk, user=world.ada)
        till = Entity.objects.get(name="till")
        state(organisation=world.acme, actor=by(world.ada), changes=[(till, "owner", desk.ref)], how="transfer")
    told = look(world)
    assert names(told) == ["Dev", "Mae", "Vic"], "Ada, who did it and is in Desk, knows"
    assert {title for _, title, _ in told} == {"till belongs to desk, before payments"}
    assert ("Vic", "till belongs to desk, before payments", "You starred it.") in told
    assert ("Mae", "till belongs to desk, before payments", "You follow Payments.") in told
    assert ("Dev", "till belongs to desk, before payments", "You lead Payments.") in told


def test_lifecycle_file_and_end_are_told_once_to_who_follows(world, tmp_path):
    assert look(world) == []
    good = TEXT.format(name="till", owner="payments")
    reread(world, tmp_path, good.replace("lifecycle: production", "lifecycle: deprecated"))
    told = look(world)
    assert names(told) == ["Mae", "Vic"]
    assert {title for _, title, _ in told} == {"till is now deprecated"}
    assert look(world) == []
    reread(world, tmp_path, "kind: [")
    assert {title for _, title, _ in look(world)} == {"The file of till is broken"}
    reread(world, tmp_path, TEXT.format(name="other", owner="claims") + "# so till is gone for good\n")
    told = look(world)
    assert ("Vic", "till was removed", "You starred it.") in told
    assert look(world) == []


def test_who_changed_it_by_hand_is_not_told(world):
    with world.tenant():
        entity = actions.write_entity(
            organisation=world.acme, actor=by(world.vic), text=TEXT.format(name="mine", owner="payments")
        )
        star(organisation=world.acme, user=world.vic, entity=entity)
        star(organisation=world.acme, user=world.ada, entity=entity)
    look(world)
    with world.tenant():
        actions.remove_entity(organisation=world.acme, actor=by(world.vic), entity=Entity.objects.get(name="mine"))
    told = [one for one in look(world) if "mine" in one[1]]
    assert names(told) == ["Ada", "Mae"]


def test_down_and_healthy_again_without_the_flicker(world):
    with world.tenant():
        till = Entity.objects.get(name="till")
        cluster = Cluster.objects.create(
            organisation=world.acme, slug="north", name="North", server="https://127.0.0.1:1", credential_kind="token",
            credential_fingerprint="x", sealed="x",
        )  # fmt: skip

        def became(was, word, ago):
            Transition.objects.create(
                organisation=world.acme, cluster=cluster, entity_uid=till.uid, entity_ref=till.ref, was=was,
                became=word, code="x", sentence="It crashes.", at=now() - timedelta(seconds=ago),
            )  # fmt: skip

        became("Unknown", "Healthy", 600)
        became("Healthy", "Down", 500)
        became("Down", "Progressing", 400)
        became("Progressing", "Down", 300)
    told = look(world)
    assert told == [
        ("Mae", "till is down in North", "You follow Payments."),
        ("Vic", "till is down in North", "You starred it."),
    ]
    with world.tenant():
        became("Down", "Progressing", 200)
        became("Progressing", "Healthy", 100)
    assert {title for _, title, _ in look(world)} == {"till is healthy again in North"}
    assert look(world) == []


def test_a_source_that_fails_is_told_once_to_whoever_registered_it(world, tmp_path):
    with world.tenant():
        source = Source.objects.exclude(kind="portal").get()
        for _ in range(3):
            source.refresh_from_db()
            ingest.fail(source, "The folder is not there.")
    told = look(world)
    assert [one for one in told if "cannot be read" in one[1]] == [
        ("Ada", f"{source.label} cannot be read", "You registered it.")
    ]
    assert look(world) == []
    reread(world, tmp_path, TEXT.format(name="till", owner="payments"))
    with world.tenant():
        ingest.fail(Source.objects.get(pk=source.pk), "Gone again.")
    assert names(look(world)) == ["Ada"], "a new time is told anew"


def test_a_team_that_waits_is_told_to_who_may_confirm_it_and_not_to_who_made_it(world):
    with world.tenant():
        create_team(
            actor=by(world.mae), organisation=world.acme, name="Tea", slug="tea", stands=False, parent=world.payments
        )
    told = [one for one in look(world) if "Tea" in one[1]]
    assert told == [("Ada", "The team Tea waits to be confirmed", "You are an admin.")]
    assert look(world) == []


def test_what_nobody_follows_is_not_kept(world):
    from catalog.lists.models import FollowedEntity, Star
    from portal.notices.models import FollowedTeam

    with world.tenant():
        assert FollowedEntity.objects.count() == 1
        Star.objects.all().delete()
        FollowedTeam.objects.all().delete()
    look(world)
    with world.tenant():
        assert not FollowedEntity.objects.exists()
