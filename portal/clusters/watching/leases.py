"""Which live process watches which cluster: lease rows, an epoch that fences whoever held one before. Synchronous."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Case, F, Q, QuerySet, When
from django.db.models.functions import Now
from django.utils import timezone

from portal.accounts.models import Organisation
from portal.accounts.tenancy import sweep, tenant
from portal.clusters.bindings import Bound, bounds_of
from portal.clusters.labels import mark_of
from portal.clusters.models import Binding, Cluster, Transition
from portal.clusters.watching.watch import Change

LEASE = timedelta(seconds=settings.CLUSTER_LEASE_SECONDS)
CLUSTER_ANYWHERE = ""


@dataclass(frozen=True)
class Held:
    """A cluster that this process watches, in one epoch."""

    organisation_id: int
    pk: int
    epoch: int


def claim(owner: str) -> list[tuple[Held, Cluster]]:
    """Takes every cluster that nobody watches. The answer holds what was taken, with the credential still sealed."""
    with sweep():
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
        candidates = list(Cluster.objects.filter(free).values_list("organisation_id", "pk", "epoch"))
    taken = []
    for organisation_id, pk, epoch in candidates:
        with tenant(organisation_id):
            rows = Cluster.objects.for_tenant(organisation_id).filter(free, pk=pk, epoch=epoch)
            if rows.update(lease_owner=owner, lease_until=Now() + LEASE, epoch=F("epoch") + 1):
                cluster = Cluster.objects.for_tenant(organisation_id).get(pk=pk)
                taken.append((Held(organisation_id, pk, cluster.epoch), cluster))
    return taken


# One statement for all clusters of an organisation: this is asked every few seconds, for as long as the process lives.
_RENEW = """
UPDATE clusters_cluster AS mine
SET lease_until = now() + make_interval(secs => %s),
    last_synced_at = CASE WHEN held.is_synced THEN now() ELSE mine.last_synced_at END
FROM unnest(%s::bigint[], %s::bigint[], %s::bool[]) AS held (pk, epoch, is_synced)
WHERE mine.id = held.pk AND mine.epoch = held.epoch AND mine.lease_owner = %s AND mine.organisation_id = %s
RETURNING mine.id, mine.epoch
"""


def renew(owner: str, held: Iterable[Held], synced: Collection[Held] = ()) -> set[Held]:
    """Keeps what is held, and notes of what is in sync that it is so now; answers what is still ours."""
    kept = set()
    by_tenant: dict[int, list[Held]] = defaultdict(list)
    for item in held:
        by_tenant[item.organisation_id].append(item)
    for organisation_id, items in by_tenant.items():
        keys = [item.pk for item in items], [item.epoch for item in items], [item in synced for item in items]
        with tenant(organisation_id), connection.cursor() as cursor:
            cursor.execute(_RENEW, [LEASE.total_seconds(), *keys, owner, organisation_id])
            kept |= {Held(organisation_id, pk, epoch) for pk, epoch in cursor.fetchall()}
    return kept


def keep(owner: str, held: Iterable[Held], synced: Collection[Held]) -> tuple[set[Held], list[tuple[Held, Cluster]]]:
    """What is still ours of what is held, and what was taken besides: `renew` and `claim`, for who asks for ever."""
    return renew(owner, held, synced), claim(owner)


def release(owner: str, held: Iterable[Held]) -> None:
    """Gives back what is held, so that another process need not wait for the lease to end."""
    for item in held:
        with tenant(item.organisation_id):
            rows = Cluster.objects.for_tenant(item.organisation_id)
            rows.filter(pk=item.pk, epoch=item.epoch, lease_owner=owner).update(lease_until=Now())


@dataclass(frozen=True)
class Noted:
    """A cluster's state as its row tells it."""

    state: str
    text: str
    version: str
    is_synced: bool


def note_state(item: Held, noted: Noted) -> None:
    """Writes a cluster's state to its row, if it is still ours."""
    since = Case(When(state=noted.state, then=F("state_since")), default=Now())
    values: dict[str, object] = {"state": noted.state, "state_text": noted.text[:600], "state_since": since}
    if noted.version:
        values["version"] = noted.version[:60]
    if noted.is_synced:
        values["last_synced_at"] = timezone.now()
    with tenant(item.organisation_id):
        rows = Cluster.objects.for_tenant(item.organisation_id)
        rows.filter(pk=item.pk, epoch=item.epoch).update(**values)


_BOUND = ("cluster_slug", "entity_uid", "entity_ref", "kubernetes_id", "selector", "namespace", "slipway_id")


def bounds(organisation_id: int) -> dict[str, list[Bound]]:
    """An organisation's bindings by the cluster that they are limited to; `CLUSTER_ANYWHERE` for the rest."""
    found: dict[str, list[Bound]] = defaultdict(list)
    with tenant(organisation_id):
        organisation = Organisation.objects.get(pk=organisation_id)
        mark = mark_of(organisation.pk, organisation.created_at)
        rows = Binding.objects.for_tenant(organisation_id).values_list(*_BOUND)
        for slug, uid, ref, kubernetes_id, selector, namespace, slipway_id in rows.iterator(chunk_size=1000):
            found[slug] += bounds_of(
                entity_uid=str(uid),
                entity_ref=ref,
                kubernetes_id=kubernetes_id,
                selector=selector,
                namespace=namespace,
                slipway_id=slipway_id,
                organisation=mark,
            )
    return found


def last_badges(item: Held) -> dict[str, tuple[str, datetime]]:
    """What each entity's badge was when somebody last wrote it down, and since when, by uid."""
    with tenant(item.organisation_id):
        rows = _latest(item).values_list("entity_uid", "became", "at")
        return {str(uid): (became, at) for uid, became, at in rows}


def _latest(item: Held) -> QuerySet[Transition]:
    rows = Transition.objects.for_tenant(item.organisation_id).filter(cluster_id=item.pk)
    return rows.order_by("entity_uid", "-at", "-pk").distinct("entity_uid")


def write_changes(waiting: dict[Held, list[Change]]) -> None:
    """Appends badge changes to the history, each once: what a broken connection left undecided is not written again."""
    by_tenant: dict[int, list[tuple[Held, list[Change]]]] = defaultdict(list)
    for item, changes in waiting.items():
        by_tenant[item.organisation_id].append((item, changes))
    for organisation_id, found in by_tenant.items():
        with tenant(organisation_id):
            rows = [row for item, changes in found for row in _rows(item, changes)]
            Transition.objects.bulk_create(rows, batch_size=500)


def _rows(item: Held, changes: list[Change]) -> Iterator[Transition]:
    """The rows of the changes that are not there yet, unless the cluster was forgotten or taken over meanwhile."""
    if not Cluster.objects.for_tenant(item.organisation_id).filter(pk=item.pk, epoch=item.epoch).exists():
        return
    known = _latest(item).filter(entity_uid__in={change.entity_uid for change in changes})
    written = {str(uid): at for uid, at in known.values_list("entity_uid", "at")}
    for change in changes:
        if change.entity_uid in written and change.at <= written[change.entity_uid]:
            continue
        yield Transition(
            organisation_id=item.organisation_id,
            cluster_id=item.pk,
            entity_uid=change.entity_uid,
            entity_ref=change.entity_ref[:300],
            was=change.was,
            became=change.became,
            code=change.code,
            sentence=change.sentence[:1000],
            at=change.at,
        )
