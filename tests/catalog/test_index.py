"""The index says exactly what the entities say, whatever became of them."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from django.db import connection

from catalog import actions, teams
from catalog.index import writing
from catalog.intake import ingest
from catalog.models import Edge, Entity, Fact, IndexState, Source
from portal.accounts.models import Team, TeamMembership
from portal.accounts.tenancy import tenant
from tests.catalog.test_pages import DEMO
from tests.catalog.whole_index import check, facts_kept
from tests.conftest import by


def component(name: str, owner: str = "payments", **more: Any) -> str:
    lines = [f"  {key}: {value}" for key, value in {"type": "service", "lifecycle": "production", **more}.items()]
    return "\n".join(
        [
            "apiVersion: backstage.io/v1alpha1", "kind: Component", "metadata:", f"  name: {name}",
            "spec:", f"  owner: {owner}", *lines, "",
        ]
    )  # fmt: skip


def write(world: Any, text: str, entity: Entity | None = None) -> Entity:
    return actions.write_entity(organisation=world.acme, actor=by(world.ada), text=text, entity=entity)


@pytest.fixture
def company(world):
    with world.tenant():
        actions.add_source(organisation=world.acme, actor=by(world.dev), kind="folder", target=str(DEMO))
    return world


def test_the_demo_is_told_in_full(company):
    with company.tenant():
        check(company.acme)
        kept = facts_kept(company.acme)
    assert len(kept["=has", "", ""]) == 172
    assert {"Component", "API"} <= {label for key, _, label in kept if key == "kind"}


def test_a_source_that_moves_or_goes_takes_its_facts_along(company):
    with company.tenant():
        [source] = Source.objects.for_tenant(company.acme)
        moved = Source(organisation=company.acme, kind="folder", target=f"{DEMO}/network", path=source.path)
        before = Source.objects.get(pk=source.pk)
        source.target = moved.target
        source.save()
        writing.moved(before, source)
        check(company.acme)
        actions.remove_source(organisation=company.acme, actor=by(company.mae), source=source)
        check(company.acme)
        assert not Fact.objects.for_tenant(company.acme).exists()
        assert not Edge.objects.for_tenant(company.acme).exists()


def test_relations_are_there_for_both_ends_whoever_says_them(world):
    with world.tenant():
        a = write(world, component("a", dependsOn="[component:b, component:gone]"))
        check(world.acme)
        b = write(world, component("b", dependencyOf="[component:a]"))
        check(world.acme)
        a = write(world, component("a"), a)
        check(world.acme)
        assert ("relations.dependson", "component:default/b", "") in facts_kept(world.acme), "b says so as well"
        actions.remove_entity(organisation=world.acme, actor=by(world.ada), entity=b)
        check(world.acme)
        assert ("relations.dependson", "component:default/b", "") not in facts_kept(world.acme)
        write(world, component("b", dependencyOf="[component:a]"))
        check(world.acme)
        write(world, component("self", dependsOn="[component:self]"))
        check(world.acme)


def test_people_who_join_are_said_by_their_group(world):
    with world.tenant():
        write(world, "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: dev}\n"
                     f"spec: {{memberOf: [], profile: {{email: {world.dev.email}}}}}\n")  # fmt: skip
        write(world, "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: payments}\n"
                     "spec: {type: team, children: []}\n")  # fmt: skip
        check(world.acme)
        assert ("relations.hasmember", "user:default/dev", "") in facts_kept(world.acme)
        TeamMembership.objects.for_tenant(world.acme).delete()
        teams.sync_members(world.acme)
        check(world.acme)
        assert ("relations.hasmember", "user:default/dev", "") not in facts_kept(world.acme)
        assert Team.objects.for_tenant(world.acme).exists()


def test_a_fact_of_many_stands_in_blocks(world, tmp_path):
    documents = [component(f"c{number}", owner=f"team-{number % 7}") for number in range(1100)]
    (tmp_path / "a.yaml").write_text("---\n".join(documents[:900]))
    (tmp_path / "b.yaml").write_text("---\n".join(documents[900:]))
    with world.tenant():
        source = actions.add_source(
            organisation=world.acme, actor=by(world.dev), kind="folder", target=str(tmp_path), path="*.yaml"
        )
        check(world.acme)
        assert Fact.objects.for_tenant(world.acme).exclude(blocks=None).filter(value="service").get().n == 1100
        (tmp_path / "b.yaml").unlink()
        ingest.ingest(source)
        check(world.acme)
        writing.lock(world.acme.pk)
        assert writing.rebuild(world.acme.pk) == 900
        check(world.acme)
        assert Fact.objects.for_tenant(world.acme).filter(blocks=None, value="service").get().n == 900


def test_an_index_of_another_format_is_made_anew_before_anything_changes(company):
    with company.tenant():
        Fact.objects.for_tenant(company.acme).filter(value="component").delete()
        IndexState.objects.for_tenant(company.acme).update(format=0)
    writing.after_migration()
    with company.tenant():
        check(company.acme)


@pytest.mark.django_db(transaction=True)
def test_writers_side_by_side_leave_a_true_index(committed_world, tmp_path):
    """Whoever changes, adds and removes at the same time waits for the others."""
    world = committed_world
    done = list[int]()

    def work(number: int) -> None:
        picks = random.Random(number)
        try:
            for turn in range(12):
                with tenant(world.acme):
                    name = f"e{picks.randrange(8)}"
                    writing.lock(world.acme.pk)
                    row = Entity.objects.for_tenant(world.acme).filter(name=name, removed_at=None).first()
                    if row is not None and picks.random() < 0.3:
                        actions.remove_entity(organisation=world.acme, actor=by(world.ada), entity=row)
                        continue
                    text = component(
                        name, owner=f"team-{picks.randrange(3)}", dependsOn=f"[component:e{picks.randrange(8)}]",
                        dependencyOf=f"[component:e{picks.randrange(8)}]", type=f"t{turn}",
                    )  # fmt: skip
                    write(world, text, row)
            done.append(number)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [0, 1, 2]
    with tenant(world.acme):
        check(world.acme)
