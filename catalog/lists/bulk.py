"""Many entities changed at once: what can be asked for, who may, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.urls import reverse
from django.utils.timezone import now

from catalog.asking.query import entities_of
from catalog.descriptors import rules
from catalog.lists.models import Bulk, BulkRow
from catalog.models import Entity
from portal.accounts.access import Access
from portal.accounts.audit import record
from portal.accounts.models import Organisation
from portal.jobs.actions import submit
from portal.jobs.models import Job
from portal.kit.errors import Conflict, Invalid, NotFound

JOB = "catalog.bulk"
# So many entities are changed at once, and for so long it is kept what became of them.
MOST = 5000
KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Act:
    """One thing to do to many. `asks` names what has to be said with it, "" for nothing.

    page  the name of the address that does it, where it is no change of texts and no job
    """

    name: str
    label: str
    permission: str
    asks: str = ""
    hint: str = ""
    can_undo: bool = True
    page: str = ""


ACTS: Mapping[str, Act] = {
    act.name: act
    for act in (
        Act("tag", "Add a tag", "catalog.edit", "Tag", "Small letters, digits, - + # and :, such as pci."),
        Act("untag", "Take a tag away", "catalog.edit", "Tag"),
        Act("owner", "Change the owner", "ownership.state", page="transfer-new"),
        Act("settle", "Bring files in line with the owner on record", "catalog.edit"),
        Act("lifecycle", "Change the lifecycle", "catalog.edit", "Lifecycle", "Such as production or deprecated."),
        Act("refresh", "Read again", "catalog.refresh", can_undo=False),
        Act("remove", "Remove", "catalog.remove"),
    )
}
UNDO = Act("undo", "Undo", "catalog.edit", can_undo=False)


@dataclass(frozen=True)
class Outcome:
    """What can become of one entity; `badge` is the word whose badge it wears."""

    label: str
    badge: str


OUTCOMES: Mapping[str, Outcome] = {
    "waiting": Outcome("Waiting", "queued"),
    "done": Outcome("Done", "succeeded"),
    "committed": Outcome("Committed", "succeeded"),
    "same": Outcome("As it was", "skipped"),
    "elsewhere": Outcome("Needs a commit", "waiting"),
    "refused": Outcome("Refused", "rejected"),
    "gone": Outcome("Gone", "skipped"),
}


def act_of(name: str) -> Act:
    """Raises Invalid for what cannot be done to many."""
    if name == UNDO.name:
        return UNDO
    if name not in ACTS:
        raise Invalid("Choose what to do.", field="act")
    return ACTS[name]


def clean_value(act: Act, text: str) -> str:
    """What goes with the act, in the spelling that a file has; raises Invalid (field "value")."""
    value = " ".join(text.replace("\0", "").split())[:200]
    if not act.asks:
        return ""
    if not value:
        raise Invalid(f"{act.asks}: say which.", field="value")
    if act.name == "tag" and not rules.is_tag(value):
        raise Invalid(f"“{value}” is no tag: small letters, digits, + # : and single hyphens.", field="value")
    return value


def begin(*, access: Access, act: Act, value: str, uids: Sequence[UUID], back_to: str = "") -> Bulk:
    """Writes down what is to be done to which entities, and asks a worker to do it, each as this person may.

    Raises Invalid for nobody or for too many, Forbidden where the person may do it to nothing, TooMany.
    """
    if act.page:
        raise Invalid(
            f"“{act.label}” is not done by a job: it is asked for on a page, and by the API, of its own.", field="act"
        )
    if not uids:
        raise Invalid("Select at least one entity.", field="e")
    if len(uids) > MOST:
        raise Invalid(f"At most {MOST} at once. Narrow the list first.", field="e")
    found = entities_of(access.organisation).filter(uid__in=uids).only("uid", "ref", "title", "name", "sort_name")
    rows = [BulkRow(entity_uid=row.uid, ref=row.ref, title=row.display_name) for row in found.order_by("sort_name")]
    words = f"{act.label}{f' {value}' if value else ''}: {len(rows)} entit{'y' if len(rows) == 1 else 'ies'}"
    return _start(access, Bulk(act=act.name, value=value), rows, words, back_to)


def _start(access: Access, bulk: Bulk, rows: list[BulkRow], words: str, back_to: str) -> Bulk:
    organisation = access.organisation
    with transaction.atomic():
        Bulk.objects.for_tenant(organisation).filter(created_at__lt=now() - KEPT).delete()
        bulk.organisation, bulk.actor = organisation, access.user
        bulk.save()
        for row in rows:
            row.organisation, row.bulk = organisation, bulk
        BulkRow.objects.bulk_create(rows, batch_size=500)
        record(
            organisation=organisation,
            actor=access.actor,
            verb="bulk.asked",
            subject=bulk,
            summary=f"Asked for {words[:1].lower()}{words[1:]}",
            data={"act": bulk.act, "value": bulk.value, "entities": len(rows)},
        )
        job: Job = submit(
            organisation=organisation,
            actor=access.actor,
            kind=JOB,
            title=words,
            arguments={"bulk": bulk.pk},
            back_to=back_to,
        )
        bulk.job_uid = job.uid
        bulk.save(update_fields=["job_uid"])
    return bulk


def undo(*, access: Access, bulk: Bulk) -> Bulk:
    """Asks for everything that was done to be as it was; what was changed since stays. Raises Conflict."""
    if not can_undo(bulk):
        raise Conflict("There is nothing of it to undo.", code="nothing-to-undo")
    done = BulkRow.objects.for_tenant(access.organisation).filter(bulk=bulk, outcome="done").order_by("pk")
    rows = [
        BulkRow(entity_uid=row.entity_uid, ref=row.ref, title=row.title, before=row.after, after=row.before)
        for row in done
    ]
    words = f"Undo: {act_of(bulk.act).label.lower()} {bulk.value}".strip()
    return _start(access, Bulk(act=UNDO.name, undoes=bulk), rows, words, page_of(access.organisation, bulk))


def can_undo(bulk: Bulk) -> bool:
    """Whether something was done that can be taken back and was not yet."""
    rows = BulkRow.objects.for_tenant(bulk.organisation_id).filter(bulk=bulk)
    return act_of(bulk.act).can_undo and rows.filter(outcome="done").exists() and not bulk.undone_by.exists()


def find(access: Access, pk: int) -> Bulk:
    """For whoever asked for it, and for those who may read the audit log; raises NotFound."""
    found: Bulk | None = Bulk.objects.for_tenant(access.organisation).select_related("actor").filter(pk=pk).first()
    if found is None or not (found.actor_id == access.user.pk or access.can("audit.view")):
        raise NotFound("There is no such change of many. What is over is kept for thirty days.")
    return found


def page_of(organisation: Organisation, bulk: Bulk) -> str:
    """Where it is seen what became of it."""
    return reverse("bulk", kwargs={"org": organisation.slug, "bulk": bulk.pk})


def chosen(access: Access, pks: Sequence[str]) -> list[UUID]:
    """The uids of entities that were ticked, by the numbers of their rows; what is no number is left out."""
    known = [int(pk) for pk in pks[: MOST + 1] if pk.isdigit() and len(pk) < 18]
    rows = entities_of(access.organisation).filter(pk__in=known)
    return list(rows.values_list("uid", flat=True))


def entities_by_uid(access: Access, uids: Sequence[UUID]) -> dict[UUID, Entity]:
    """The entities with their sources, tombstones included."""
    rows = Entity.objects.for_tenant(access.organisation).filter(uid__in=uids).select_related("source", "body")
    return {row.uid: row for row in rows}
