"""The live parts of the pages about runs: each rendered once for everybody who looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.template.loader import render_to_string
from django.urls import reverse

from catalog import naming
from portal.accounts.models import Organisation
from portal.kit import icons
from portal.kit.announcing import TopicKind, register_topic
from portal.kit.plain import split_url
from portal.kit.references import named
from portal.kit.templatetags.ui import state
from portal.provisioning import states
from portal.provisioning.listing import PAGE
from portal.provisioning.models import Effect, LogLine, Run, Step

TAIL = 400


@dataclass(frozen=True)
class Made:
    """An effect as a page shows it: with the address of the thing, where it has a page here."""

    effect: Effect
    url: str


@dataclass(frozen=True)
class Link:
    """One link that the path promised as output."""

    title: str
    url: str = ""
    entity_ref: str = ""
    icon: str = "external-link"


def find(organisation: Organisation, key: str) -> Run | None:
    """The run that a topic's key names."""
    if not key.isdecimal() or len(key) > 18:
        return None
    rows = Run.objects.for_tenant(organisation).select_related("requester", "version__path")
    run: Run | None = rows.filter(pk=int(key)).first()
    return run


def run_context(organisation: Organisation, run: Run, *, also_named: Sequence[str] = ()) -> dict[str, Any]:
    """What the fragment of a run shows; `also_named` are references that its page shows beside it."""
    steps = list(Step.objects.for_tenant(organisation).filter(run=run))
    effects = Effect.objects.for_tenant(organisation).filter(run=run)
    links = links_of(run)
    linked = {link.entity_ref.lower() for link in links}
    return {
        "org": organisation,
        "run": run,
        "names": named(organisation.pk, [run.owner_ref, *run.entity_refs, *linked, *also_named]),
        "steps": steps,
        "done": sum(step.status in ("succeeded", "skipped") for step in steps),
        "stopped_at": next((step for step in steps if step.status in ("failed", "cancelled")), None),
        "made": [Made(effect, address_of(organisation, effect)) for effect in effects],
        "links": links,
        # The path's own words for an entity stand in for its bare name.
        "entities": [ref for ref in run.entity_refs if ref not in linked],
        "texts": [{**text, "icon": _icon(text)} for text in _listed(run.output, "text") if text.get("content")],
    }


def address_of(organisation: Organisation, effect: Effect) -> str:
    """The page of the thing, if it has one here and still stands."""
    if effect.undo == "undone" or not effect.confirmed_at:
        return ""
    at = effect.reference
    if effect.kind == "repository":
        return reverse("repo", kwargs={"org": organisation.slug, "repo": at["name"]})
    if effect.kind == "object":
        return reverse("cluster", kwargs={"org": organisation.slug, "cluster": at["cluster"]})
    return naming.address(organisation.slug, str(at.get("entityRef", "")))


def links_of(run: Run) -> list[Link]:
    """The output's links; an address that a browser should not follow is left out."""
    found = []
    for item in _listed(run.output, "links"):
        url, ref = str(item.get("url") or ""), str(item.get("entityRef") or "")
        title = str(item.get("title") or ref or url)[:200]
        if ref:
            found.append(Link(title, entity_ref=ref))
        elif _may_be_followed(url):
            found.append(Link(title, url, icon=_icon(item) or "external-link"))
    return found


def _icon(item: Mapping[str, Any]) -> str:
    """The icon that a link or text asks for, if it is one that can be drawn."""
    name = str(item.get("icon") or "")
    return name if icons.drawing(name) else ""


def _may_be_followed(url: str) -> bool:
    """A page of ours, or one on the web; never a script."""
    if url.startswith("/"):
        return not url.startswith(("//", "/\\"))
    parts = split_url(url)
    return parts is not None and parts.scheme in ("http", "https")


def _listed(output: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    items = output.get(name)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def log_context(organisation: Organisation, run: Run) -> dict[str, Any]:
    """The last lines of the log, oldest first, and how many came before them."""
    newest = LogLine.objects.for_tenant(organisation).filter(run=run).order_by("-seq")[:TAIL]
    lines = list(newest)[::-1]
    return {"org": organisation, "run": run, "lines": lines, "hidden": lines[0].seq - 1 if lines else 0}


def buttons_context(organisation: Organisation, run: Run) -> dict[str, Any]:
    """What may be asked of the run as it stands; whether this person may is the page's affair."""
    effects = Effect.objects.for_tenant(organisation).filter(run=run).filter(Q(undo="") | Q(undo="failed"))
    return {
        "org": organisation,
        "run": run,
        "can_cancel": states.can_cancel(run.status) and run.cancel_requested_at is None,
        "can_retry": states.can_retry(run.status),
        "can_undo": states.can_undo(run.status) and effects.exists(),
    }


def _render_run(organisation: Organisation, key: str) -> str | None:
    run = find(organisation, key)
    return render_to_string("provisioning/_run.html", run_context(organisation, run)) if run else None


def _render_log(organisation: Organisation, key: str) -> str | None:
    run = find(organisation, key)
    return render_to_string("provisioning/_log.html", log_context(organisation, run)) if run else None


def _render_buttons(organisation: Organisation, key: str) -> str | None:
    run = find(organisation, key)
    return render_to_string("provisioning/_buttons.html", buttons_context(organisation, run)) if run else None


def _render_row(organisation: Organisation, key: str) -> str | None:
    run = find(organisation, key)
    return render_to_string("provisioning/_row.html", _row_context(organisation, [run])) if run else None


def _render_badge(organisation: Organisation, key: str) -> str | None:
    run = find(organisation, key)
    return state(run.state.badge, run.state.label) if run else None


def _render_newest(organisation: Organisation, key: str) -> str | None:
    rows = Run.objects.for_tenant(organisation).select_related("requester", "version__path")
    newest = rows.defer("values", "output", "secrets", "version__document").order_by("-pk")[:PAGE]
    return render_to_string("provisioning/_rows.html", _row_context(organisation, list(newest)))


def _row_context(organisation: Organisation, runs: list[Run]) -> dict[str, Any]:
    """Rows of a list of runs; one alone is `run`."""
    names = named(organisation.pk, [run.owner_ref for run in runs])
    return {"org": organisation, "runs": runs, "run": runs[0] if runs else None, "names": names}


def register() -> None:
    """Make the topics known; called when the app is ready."""
    for kind, render in (
        ("run", _render_run),
        ("run-log", _render_log),
        ("run-buttons", _render_buttons),
        ("run-row", _render_row),
        ("runs", _render_newest),
    ):
        register_topic(TopicKind(kind=kind, permission="runs.view", render=render))
    register_topic(TopicKind(kind="run-badge", permission="runs.view", render=_render_badge, follows="run"))
