"""Pages where admins add cards to entities' pages, and the address that asks for what the cards show."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from catalog import configured, refreshing
from catalog.asking.filters import In
from catalog.configured import CardSaid, Header
from catalog.descriptors.kinds import KINDS
from catalog.index.rows import first
from catalog.models import ConfiguredCard
from catalog.views import entity_address, find_entity
from portal.accounts.access import TenantRequest, gate
from portal.accounts.models import Organisation
from portal.accounts.permissions import PERMISSIONS
from portal.jobs.lease import as_refusal
from portal.jobs.models import Job
from portal.jobs.views import follow
from portal.kit.errors import Invalid, NotFound, Refusal
from portal.kit.refs import BadRef, normal


class CardForm(forms.Form):
    """What a card says. The value of its header is never shown again."""

    title = forms.CharField(max_length=80)
    shows = forms.ChoiceField(label="Shows", choices=ConfiguredCard.Shows.choices, initial=ConfiguredCard.Shows.LINK)
    address = forms.CharField(
        max_length=1000,
        help_text="After its host may stand {name}, {namespace}, {kind} and {annotation:key}. "
        "An entity without the annotation has no such card.",
    )
    label = forms.CharField(label="Words of the link", max_length=80, required=False, help_text="Empty: the title.")
    template = forms.CharField(
        required=False,
        strip=False,
        max_length=configured.TEMPLATE_MOST,
        widget=forms.Textarea(attrs={"rows": 6, "class": "mono", "spellcheck": "false", "autocapitalize": "off"}),
        help_text="Markdown, in the language of golden paths: ${{ answer.status }} is a field of the answer, "
        "${{ entity.name }} one of the entity.",
    )
    refresh_seconds = forms.IntegerField(
        label="Asked again after (seconds)",
        min_value=configured.REFRESH_LEAST,
        max_value=configured.REFRESH_MOST,
        initial=300,
        required=False,
    )
    header_name = forms.CharField(
        label="Header", max_length=100, required=False, help_text="Sent along, such as Authorization. Empty: none."
    )
    header_value = forms.CharField(
        label="Value of the header",
        max_length=4000,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Kept sealed: only workers open it, and only for this site.",
    )
    kinds = forms.MultipleChoiceField(
        choices=[(name, kind.plural) for name, kind in KINDS.items()],
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        help_text="None: entities of any kind.",
    )
    permission = forms.ChoiceField(label="Shown to", choices=list(configured.AUDIENCES.items()), initial="catalog.view")
    entity = forms.CharField(
        label="Preview with",
        max_length=400,
        required=False,
        help_text="An entity whose card is tried, such as component:default/payment-gateway.",
    )
    tried = forms.CharField(required=False, widget=forms.HiddenInput)

    def said(self, organisation: Organisation, kept: Header | None) -> CardSaid:
        """What a valid form says; `kept` is the header that stays where no value was written. Raises Invalid."""
        given = self.cleaned_data
        fields = ("title", "shows", "address", "label", "template", "kinds", "permission")
        return CardSaid(
            **{name: given[name] for name in fields},
            refresh_seconds=given["refresh_seconds"] or 300,
            header=self._header(organisation, kept),
        )

    def _header(self, organisation: Organisation, kept: Header | None) -> Header:
        name, value = self.cleaned_data["header_name"], self.cleaned_data["header_value"]
        if self.cleaned_data["shows"] == ConfiguredCard.Shows.LINK or not name:
            return Header()
        if value:
            return configured.seal_header(organisation, self.cleaned_data["address"], name, value)
        if kept is None or kept.name != name:
            raise Invalid("Write the value of the header.", field="header_value")
        return kept


def _card(request: TenantRequest, pk: int) -> ConfiguredCard:
    found = ConfiguredCard.objects.for_tenant(request.access.organisation).filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such card.")
    return found


@gate("org.manage")
def cards(request: TenantRequest) -> HttpResponse:
    """Every card that was added here."""
    rows = ConfiguredCard.objects.for_tenant(request.access.organisation).order_by("title")
    shown = [(card, configured.AUDIENCES.get(card.permission, card.permission)) for card in rows]
    return render(request, "catalog/configured.html", {"cards": shown})


@gate("org.manage")
def card_new(request: TenantRequest) -> HttpResponseBase:
    """Adds one."""
    return _form(request, None)


@gate("org.manage")
def card_edit(request: TenantRequest, card: int) -> HttpResponseBase:
    """Changes one."""
    return _form(request, _card(request, card))


def _form(request: TenantRequest, row: ConfiguredCard | None) -> HttpResponseBase:
    """The form; "Preview" asks a worker to try what is written, and leads back here with it. `tried` names that job:
    it keeps the sealed header, so that nobody writes it twice."""
    tried = _tried(request, request.POST.get("tried") or request.GET.get("job", ""))
    if request.method == "POST":
        form = CardForm(request.POST)
        if form.is_valid() and (answer := _done(request, row, form, tried)) is not None:
            return answer
        return _page(request, row, form)
    if tried is None:
        return _page(request, row, CardForm(initial=_initial(request, row)))
    form = CardForm({**tried.arguments, "tried": str(tried.uid)})
    form.is_valid()
    if tried.refusal:
        refusal = as_refusal(tried.refusal)
        form.add_error(refusal.field if refusal.field in form.fields else None, refusal.text)
    return _page(request, row, form, tried)


def _page(request: TenantRequest, row: ConfiguredCard | None, form: CardForm, tried: Job | None = None) -> HttpResponse:
    kept = _kept(row, tried)
    context = {
        "form": form,
        "title": f"Change {row.title}" if row else "Add a card",
        "preview": tried.result if tried and tried.state == "succeeded" else None,
        "kept": kept if kept and kept.name else None,
    }
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "catalog/configured_edit.html", context, status=status)


def _done(
    request: TenantRequest, row: ConfiguredCard | None, form: CardForm, tried: Job | None
) -> HttpResponseBase | None:
    """Where a valid form leads; None when something was refused, which the form says then."""
    access = request.access
    try:
        said = form.said(access.organisation, _kept(row, tried))
        if "preview" in request.POST:
            return follow(access.organisation, _ask_preview(request, row, form, said))
        if row is None:
            configured.add_card(organisation=access.organisation, actor=access.actor, said=said)
        else:
            configured.change_card(organisation=access.organisation, actor=access.actor, card=row, said=said)
    except Refusal as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, refusal.text)
        return None
    messages.success(request, f"The card {said.title} is saved.")
    return redirect("cards", org=access.organisation.slug)


def _ask_preview(request: TenantRequest, row: ConfiguredCard | None, form: CardForm, said: CardSaid) -> Job:
    checked = said.checked()
    if said.shows == ConfiguredCard.Shows.LINK:
        raise Invalid("A link asks nothing: there is nothing to preview.", field="shows")
    if not form.cleaned_data["entity"].strip():
        raise Invalid("Say which entity to try it with.", field="entity")
    org = request.access.organisation
    place = reverse("card-edit", kwargs={"org": org.slug, "card": row.pk}) if row else None
    try:
        ref = normal(form.cleaned_data["entity"].strip(), kind="component")
    except BadRef as error:
        raise Invalid(str(error), field="entity") from error
    return refreshing.ask_preview(
        org, request.access.actor, checked, ref, place or reverse("card-new", kwargs={"org": org.slug})
    )


def _kept(row: ConfiguredCard | None, tried: Job | None) -> Header | None:
    """The header that stays where none is written: what was tried a moment ago, or what the card has."""
    if tried is not None:
        return refreshing.header_in(tried.arguments)
    return configured.header_of(row) if row else None


def _initial(request: TenantRequest, row: ConfiguredCard | None) -> dict[str, Any]:
    said = {name: getattr(row, name) for name in CardForm.base_fields if hasattr(row, name)} if row else {}
    kinds = row.kinds if row and row.kinds else ["Component"]
    some, _ = first(request.access.organisation, In("kind", tuple(kind.lower() for kind in kinds)), 1)
    return {**said, "entity": some[0].ref if some else ""}


def _tried(request: TenantRequest, uid: str) -> Job | None:
    """The person's own preview of this number."""
    try:
        wanted = UUID(uid)
    except ValueError:
        return None
    rows = Job.objects.for_tenant(request.access.organisation).filter(uid=wanted, actor=request.access.user)
    found: Job | None = rows.filter(kind=refreshing.PREVIEW).defer("payload").first()
    return found


@require_POST
@gate("org.manage")
def card_remove(request: TenantRequest, card: int) -> HttpResponse:
    """Takes one away."""
    row = _card(request, card)
    configured.remove_card(organisation=request.access.organisation, actor=request.access.actor, card=row)
    messages.success(request, f"The card {row.title} is removed.")
    return redirect("cards", org=request.access.organisation.slug)


@require_POST
@gate("catalog.view")
def card_answers(request: TenantRequest, kind: str, namespace: str, name: str) -> HttpResponseBase:
    """Asks for what an entity's cards show, where that is old; with `card`, for this one now. A worker does it, and
    the page shows it by itself."""
    found = find_entity(request, kind, namespace, name)
    if found is None or found.removed_at:
        raise NotFound(f"There is no {kind}:{namespace}/{name} in this catalog.")
    rows = ConfiguredCard.objects.for_tenant(request.access.organisation).filter(shows=ConfiguredCard.Shows.JSON)
    mine = [
        card
        for card in rows.filter(Q(kinds=[]) | Q(kinds__contains=[found.kind]))
        if card.permission in PERMISSIONS and request.access.can(card.permission)
    ]
    pressed = request.POST.get("card", "")
    due = refreshing.due_cards(mine, found, pressed=int(pressed) if pressed.isdecimal() and len(pressed) < 19 else None)
    if due:
        refreshing.ask_answers(request.access.organisation, request.access.actor, found, due)
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204)
    return redirect(entity_address(request, found))
