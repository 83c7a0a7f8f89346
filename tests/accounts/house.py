"""Acme with one of everything in it, for tests that ask who can reach what."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from catalog import actions as catalog
from catalog.configured import CardSaid, add_card
from catalog.handing.models import Reorganisation, Transfer, TransferItem
from catalog.lists.models import Bulk, SavedView
from catalog.models import CardAnswer, How, NameClaim, Problem
from catalog.owners.stating import state
from portal.accounts import sealing
from portal.accounts.models import ApiToken, Invitation, Membership
from portal.accounts.tenancy import tenant
from portal.clusters import podlogs
from portal.clusters.models import AllowedKind, Cluster
from portal.githosts.actions import let_push
from portal.githosts.connections import add_connection
from portal.githosts.models import Repository
from portal.goldenpaths.models import Candidate, Trust
from portal.jobs.models import Job
from portal.notices.destinations import add_destination
from portal.provisioning import previewing
from portal.provisioning.acting.pretence import Preview
from tests.conftest import by
from tests.githosts.conftest import make_repository
from tests.provisioning.conftest import start_run

# Stands in every object of the house: where it appears, something of acme's was shown.
MARK = "marzipan"
ENTITY = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: {name}
  annotations: {{backstage.io/kubernetes-id: {name}}}
spec: {{type: service, lifecycle: production, owner: payments}}
"""


@dataclass(frozen=True)
class House:
    """`names` fills addresses: converter name -> value; `topics` fills live topics: kind -> key."""

    names: dict[str, Any]
    topics: dict[str, str]
    by_address: dict[str, dict[str, Any]] = field(default_factory=dict)

    def fill(self, address: str, converters: dict[str, str]) -> dict[str, Any]:
        """The values for one address: a `path` is a golden path's name here and a file's there."""
        values = self.names | self.by_address.get(address, {})
        if converters.get("path") == "repopath":
            values = values | {"path": "README.md"}
        return {name: values[name] for name in converters if name in values}


CANDIDATES = (
    "candidate", "candidate-publish", "candidate-decline", "candidate-trust",
    "api-candidate", "api-candidate-publish", "api-candidate-decline",
)  # fmt: skip


def furnish(world: Any, folder: Path) -> House:
    """Puts one of everything into acme; `folder` is for the files of a source."""
    acme = world.acme
    make_repository(acme, MARK)
    with tenant(acme):
        grant = let_push(
            organisation=acme, actor=by(world.ada), repository=Repository.objects.get(name=MARK), person=world.mae
        )
        connection = add_connection(
            organisation=acme,
            actor=by(world.ada),
            base_url=f"https://git.example/{MARK}",
            probe_url=f"https://git.example/{MARK}/x",
            username=MARK,
            secret=MARK,
        )
    run = start_run(
        world, [{"id": "say", "action": "debug:log", "input": {"message": MARK}}], slug=MARK, values={"name": MARK}
    )
    with tenant(acme):
        # Its text names somebody else than the record: there is something to settle.
        said = ENTITY.format(name=MARK).replace("owner: payments", "owner: orders")
        entity = catalog.write_entity(organisation=acme, actor=by(world.dev), text=said)
        handed = [(entity, "owner", "group:default/payments")]
        state(organisation=acme, actor=by(world.ada), changes=handed, how=How.TRANSFER.value)
        offer = Transfer.objects.create(
            organisation=acme, to_ref="group:default/payments", state="asked", count=1, why=MARK, asked_by=world.ada,
            expires_at=timezone.now() + timedelta(days=30),
        )  # fmt: skip
        TransferItem.objects.create(
            organisation=acme, transfer=offer, entity_uid=entity.uid, ref=entity.ref, title=MARK
        )  # fmt: skip
        plan = Reorganisation.objects.create(organisation=acme, name=MARK, is_shared=True)
        broken = ENTITY.format(name=f"{MARK}-broken").replace("metadata:", "metadata:\n  tags: [Marzipan]")
        (folder / "catalog-info.yaml").write_text(f"{ENTITY.format(name=f'{MARK}-filed')}---\n{broken}")
        card = add_card(
            organisation=acme,
            actor=by(world.ada),
            said=CardSaid(title=MARK, address="https://d.example/{name}", shows="json", template=MARK),
        )
        CardAnswer.objects.create(organisation=acme, card=card, entity=entity, text=MARK)
        view = SavedView.objects.create(organisation=acme, owner=world.ada, name=MARK, query="kind=", is_shared=True)
        bulk = Bulk.objects.create(organisation=acme, actor=world.ada, act="tag", value=MARK)
        source = catalog.add_source(organisation=acme, actor=by(world.dev), kind="folder", target=str(folder))
        cluster = Cluster.objects.create(
            organisation=acme,
            slug=MARK,
            name=MARK,
            server="https://127.0.0.1:1",
            credential_kind="token",
            credential_fingerprint="x",
            sealed="x",
        )
        later = timezone.now() + timedelta(days=1)
        token = ApiToken.objects.create(
            organisation=acme, user=world.dev, name=MARK, prefix="slw_x", digest="d", scopes=["read"], expires_at=later
        )
        invitation = Invitation.objects.create(
            organisation=acme, email=f"{MARK}@x.example", digest="i", expires_at=later
        )
        destination, _ = add_destination(
            organisation=acme, actor=by(world.ada), kind="webhook", name=MARK, address="https://hooks.example/x"
        )
        job = Job.objects.create(
            organisation=acme, kind="test", lane="outside", title=MARK, actor=world.ada, arguments={"said": MARK}
        )
        review = Job.objects.create(
            organisation=acme, kind=previewing.REVIEW, lane="asking", title=MARK, actor=world.ada, state="succeeded",
            arguments={
                "version": run.version_id,
                "sealed": sealing.seal("{}", f"review answers {acme.pk} {world.ada.pk}"),
            }, result=previewing.body_of(run.version, Preview()),
        )  # fmt: skip
        candidate = Candidate.objects.create(
            organisation=acme, source=source, origin_key="source:x", origin_label=MARK, origin_address=MARK, ref=MARK,
            template_path="template.yaml", title=MARK, digest="d" * 64, document={},
        )  # fmt: skip
        trust = Trust.objects.create(organisation=acme, source=source, label=MARK, place={}, rights={}, reason=MARK)
        there = catalog.write_entity(organisation=acme, actor=by(world.dev), text=ENTITY.format(name=f"{MARK}-twice"))
        (folder / "twice").mkdir()
        (folder / "twice" / "catalog-info.yaml").write_text(ENTITY.format(name=there.name))
        catalog.add_source(organisation=acme, actor=by(world.dev), kind="folder", target=str(folder / "twice"))
        claim = NameClaim.objects.for_tenant(acme).get()
        problem = Problem.objects.for_tenant(acme).get(source=source)
        member = Membership.objects.for_tenant(acme).get(user=world.dev)
        allowed = AllowedKind.objects.create(organisation=acme, cluster=cluster, path=MARK, kind="ClusterRole")
    log = podlogs.Asked(cluster.pk, MARK, MARK)
    podlogs.write(acme.pk, log.key, "ready", MARK)
    names = {
        "problem": problem.pk,
        "claim": claim.pk,
        "member": member.pk,
        "invitation": invitation.pk,
        "token": token.pk,
        "team": world.payments.slug,
        "person": world.dev.pk,
        "repo": MARK,
        "grant": grant.pk,
        "connection": connection.pk,
        "path": MARK,
        "run": run.pk,
        "source": source.pk,
        "kind": "component",
        "namespace": "default",
        "name": MARK,
        "tab": "ownership",
        "card": card.pk,
        "view": view.pk,
        "bulk": bulk.pk,
        "field": "owner",
        "destination": destination.uid,
        "cluster": MARK,
        "allowed": allowed.pk,
        "pod": MARK,
        "uid": entity.uid,
        "transfer": offer.pk,
        "plan": plan.pk,
        "ref": world.payments.ref,
    }
    runs = {kind: str(run.pk) for kind in ("run", "run-log", "run-buttons", "run-row", "run-badge")}
    topics = {
        **runs,
        "runs": "all",
        "source": str(source.pk),
        "workloads": str(entity.uid),
        "health": str(entity.uid),
        "cluster": MARK,
        "clusters": "all",
        "logs": log.key,
        "job": str(job.uid),
        "bell": str(world.ada.pk),
        "card": f"{card.pk}-{entity.pk}",
    }
    return House(
        names,
        topics,
        {
            **{address: {"uid": job.uid} for address in ("job", "job-cancel", "api-job")},
            **{address: {"uid": candidate.uid} for address in CANDIDATES},
            **{address: {"uid": trust.uid} for address in ("trust-withdraw", "api-trust")},
            "path-reviewed": {"uid": review.uid},
            "api-location": {"uid": source.uid},
            "api-location-by-entity": {"name": f"{MARK}-filed"},
        },
    )
