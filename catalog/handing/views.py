"""Pages of transfers: what waits for whom, one of them, and handing over."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from catalog.asking.query import entities_of
from catalog.handing import answering, reading
from catalog.handing.carrying import items_of, outcome_of, rows_of
from catalog.handing.forms import HandOverForm
from catalog.handing.models import Transfer, TransferItem
from catalog.handing.offering import hand_over, plan_for, wishes_for
from catalog.handing.states import OUTCOMES
from catalog.lists import bulk as many
from catalog.lists.choosing import ListChoice
from catalog.lists.reading import Listed
from catalog.models import Entity
from catalog.naming import named
from catalog.planning import MOST, Plan
from portal.accounts.access import Access, TenantRequest, gate
from portal.accounts.audit import record
from portal.kit.errors import Invalid, Refusal
from portal.kit.refs import completed, name_of

PAGE, SHOWN = 50, 200
MOST_LINES = 50_000


@gate("catalog.view")
def transfers(request: TenantRequest) -> HttpResponse:
    """The transfers of a box (?box=), the newest first; without one, what waits for the person, if anything does."""
    access = request.access
    counts = reading.counts(access)
    box = request.GET.get("box", "")
    if box not in reading.BOXES:
        box = "waiting" if counts["waiting"] else "asked" if access.can("ownership.state") else "open"
    rows = reading.transfers(access, box)
    before = request.GET.get("before", "")
    if before.isdecimal() and len(before) < 18 and box != "dated":
        rows = rows.filter(pk__lt=int(before))
    found = list(rows[: PAGE + 1])
    samples = reading.sampled(access.organisation, found[:PAGE])
    items = [each for some in samples.values() for each in some]
    context = {
        "box": box,
        "boxes": [(name, label, counts.get(name)) for name, label in reading.BOXES.items()],
        "rows": [(row, samples.get(row.pk, [])) for row in found[:PAGE]],
        "before": found[PAGE - 1].pk if len(found) > PAGE and box != "dated" else 0,
        "may_offer": access.verdict("ownership.state", is_owner=True),
        "names": named(access.organisation.pk, _refs(items, found)),
    }
    return render(request, "handing/transfers.html", context)


def _refs(items: Iterable[TransferItem], found: Iterable[Transfer]) -> list[str]:
    refs = [ref for each in items for ref in (each.ref, each.was_ref)]
    return [*refs, *(each.to_ref for each in found)]


@gate("catalog.view")
def transfers_export(request: TenantRequest) -> HttpResponse:
    """A box as CSV, a line for each entity. Taking it out is an event."""
    box = request.GET.get("box", "")
    box = box if box in reading.BOXES else "past"
    text = io.StringIO()
    csv.writer(text).writerows(reading.exported(request.access, box, MOST_LINES))
    record(
        organisation=request.access.organisation, actor=request.access.actor, verb="transfer.exported",
        summary="Exported transfers as CSV", data={"box": box},
    )  # fmt: skip
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="transfers-{box}.csv"'
    return response


@gate("catalog.view")
def transfer(request: TenantRequest, transfer: int) -> HttpResponse:
    """One transfer: its entities, what has become of them since, and what this person may say to it."""
    return _page(request, answering.transfer_for(request.access, transfer))


def _page(request: TenantRequest, found: Transfer, refusal: Refusal | None = None) -> HttpResponse:
    access, items, is_open = request.access, list(items_of(found)[:SHOWN]), found.shown.is_open
    live = rows_of(found, items) if is_open else {}
    rows = [(item, live.get(item.entity_uid), _word(found, item, live)) for item in items]
    context = {
        "transfer": found,
        "rows": [(item, OUTCOMES["" if is_open and word == "handed" else word]) for item, _, word in rows],
        "more": max(found.count - SHOWN, 0),
        "may_answer": found.state == "asked" and answering.may_answer(access, found),
        "whose_answer": answering.may_answer(access, found).sentence if found.state == "asked" else "",
        "may_withdraw": is_open and answering.may_withdraw(access, found),
        "may_undo": found.state == "done" and answering.may_undo(access, found),
        "called": name_of(found.to_ref),
        "refusal": refusal,
        "names": named(access.organisation.pk, _refs(items, [found])),
    }
    return render(request, "handing/transfer.html", context, status=refusal.status if refusal else 200)


def _word(found: Transfer, item: TransferItem, live: dict[UUID, Entity]) -> str:
    """What became of an entity or, while the transfer is open, what would now."""
    return outcome_of(item, live.get(item.entity_uid), found.to_ref) if found.shown.is_open else item.outcome


@require_POST
@gate("ownership.state")
def transfer_answer(request: TenantRequest, transfer: int) -> HttpResponseBase:
    """Says one thing to a transfer: `say` is accept, decline, withdraw or undo; `reason` goes with it."""
    access, found = request.access, answering.transfer_for(request.access, transfer)
    try:
        answering.say(
            access=access, transfer=found, word=request.POST.get("say", ""), reason=request.POST.get("reason", "")
        )  # fmt: skip
    except Invalid as refusal:
        return _page(request, found, refusal)
    messages.success(request, f"{found.shown.label}.")
    return redirect("transfer", org=access.organisation.slug, transfer=found.pk)


# --- handing over ---


@require_http_methods(["GET", "HEAD", "POST"])
@gate("ownership.state")
def transfer_new(request: TenantRequest) -> HttpResponseBase:
    """Asks to whom, why and when; shows what that comes to; does it when that is confirmed (`token`).

    What is handed over: `entity` or `refs` (references), `e` (ticked rows of a list), or with which=all all of the
    list `query`.
    """
    access = request.access
    refs = _chosen(request)
    if len(refs) > MOST:
        raise Invalid(f"At most {MOST:,} at once. Narrow the list first.")
    form = HandOverForm(request.POST if "holder" in request.POST else None, initial=_initial(request))
    plan = None
    if refs and form.is_bound and form.is_valid():
        try:
            terms = form.terms()
            wishes = wishes_for(refs, form.cleaned_data["holder"], form.cleaned_data["why"])
            plan = plan_for(access, wishes, terms)
            if request.POST.get("token") or (len(refs) == 1 and (plan.changes or plan.offers)):
                return _made(request, hand_over(access, plan, terms, token=request.POST.get("token", "")))
        except Refusal as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.text)
    return render(request, "handing/new.html", _asked(access, refs, form, plan),
                  status=422 if form.errors else 200)  # fmt: skip


def _initial(request: TenantRequest) -> dict[str, str]:
    return {name: value for name in ("holder", "why") if (value := request.GET.get(name, "")[:400])}


def _chosen(request: TenantRequest) -> list[str]:
    """The references of what is handed over, in order; those that are not in the catalog are left out."""
    access, said = request.access, request.POST if request.method == "POST" else request.GET
    if said.get("which") == "all":
        uids = Listed(access, ListChoice.from_query(said.get("query", "")), is_counted=False).uids(MOST + 1)
    else:
        uids = many.chosen(access, said.getlist("e"))
    named_ones = [*said.getlist("entity"), *said.get("refs", "").split()][: MOST + 1]
    refs = [completed(ref.replace("\0", "").lower(), kind="component") for ref in named_ones]
    rows = entities_of(access.organisation)
    found = rows.filter(uid__in=uids) | rows.filter(ref__in=refs)
    return list(found.order_by("ref").values_list("ref", flat=True))


def _asked(access: Access, refs: list[str], form: HandOverForm, plan: Plan | None) -> dict[str, object]:
    shown = refs[:PAGE]
    planned = [*plan.changes[:SHOWN], *plan.offers[:SHOWN]] if plan else []
    owners = dict(entities_of(access.organisation).filter(ref__in=shown).values_list("ref", "owner_ref"))
    told = [ref for each in planned for ref in (each.entity.ref, each.entity.owner_ref, each.holder)]
    return {
        "form": form,
        "refs": refs,
        "sample": [(ref, owners.get(ref, "")) for ref in shown],
        "more": max(len(refs) - PAGE, 0),
        "plan": plan,
        "can_do": plan is not None and not plan.refused and bool(plan.changes or plan.offers),
        "granted": [each.entity.ref for each in (*plan.changes, *plan.offers)] if plan else [],
        "refused": plan.refused[:SHOWN] if plan else [],
        "names": named(access.organisation.pk, [*shown, *owners.values(), *told]),
    }


def _made(request: TenantRequest, made: list[Transfer]) -> HttpResponseBase:
    org = request.access.organisation.slug
    for each in made:
        words = "Handed over" if each.state == "done" else "Offered" if each.state == "asked" else each.shown.label
        messages.success(request, f"{words}: {each.count} to {name_of(each.to_ref)}.")
    if not made:
        messages.success(request, "That is on record already.")
    if len(made) == 1:
        return redirect("transfer", org=org, transfer=made[0].pk)
    return redirect("transfers", org=org)
