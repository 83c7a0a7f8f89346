"""Whom a run concerns: whoever launched it is told how it ended, and when it cannot go on without them."""

from __future__ import annotations

from django.urls import reverse

from portal.notices.registry import MAIL, NOW, PORTAL, Audience, Happened, NoticeKind, NoticeText, register_kind
from portal.notices.telling import Telling, tell
from portal.provisioning.models import Run, Step

ENDED, WAITS = "run.ended", "run.waits"


def tell_end(run: Run) -> None:
    """Tells of a run that has just ended; inside the transaction that ends it.

    One that was stopped over objects that stand there already waits for its requester: they may take them over.
    """
    details = Step.objects.for_tenant(run.organisation_id).filter(run=run, status="failed")
    has_claims = run.status == "failed" and any(
        detail.get("claims") for detail in details.values_list("error_detail", flat=True)
    )
    called = f"{run.subject or 'The run'} ({run.title})"
    said = f"{called} needs your decision" if has_claims else f"{called}: {run.state.label.lower()}"
    # A stop or an undo ends as its person asked: they know.
    steered = run.steered_by if run.status in ("cancelled", "undone") else None
    thing = Telling(
        kind=WAITS if has_claims else ENDED,
        key=f"{run.pk}:{run.status}:{run.epoch}",
        summary=said,
        by=steered.pk if steered else None,
        by_name=str(steered or ""),
        subject_kind="run",
        subject_id=str(run.pk),
        subject_label=str(run),
        data={"requester": run.requester_id, "owner": run.owner_ref, "text": run.error_text[:800]},
    )
    tell(run.organisation_id, [thing])


def _requester(happened: Happened) -> Audience:
    requester, owner = happened.data.get("requester"), str(happened.data.get("owner", ""))
    people = {int(requester): "You launched it."} if requester else {}
    return Audience(people, teams=[owner] if owner else [])


def _words(happened: Happened) -> NoticeText:
    link = reverse("run", kwargs={"org": happened.org, "run": int(happened.subject_id)})
    return NoticeText(happened.summary, link, str(happened.data.get("text", "")))


def register() -> None:
    """Makes the kinds known."""
    register_kind(
        NoticeKind(
            ENDED,
            "Your runs",
            "Runs",
            "a run that you launched ends, well or not.",
            _requester,
            _words,
            channels={PORTAL: NOW, MAIL: "off"},
            permission="runs.view",
        ),
        NoticeKind(
            WAITS,
            "Runs that wait for you",
            "Runs",
            "a run that you launched cannot go on without your decision.",
            _requester,
            _words,
            channels={PORTAL: NOW, MAIL: NOW},
            permission="runs.view",
        ),
    )
