"""Pages where admins add cards to entities' pages: the list, adding, changing and removing."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from catalog import configured
from catalog.descriptors.kinds import KINDS
from catalog.models import ConfiguredCard
from portal.accounts.access import TenantRequest, gate
from portal.kit.errors import NotFound, Refusal


class CardForm(forms.Form):
    """What a card says."""

    title = forms.CharField(max_length=80)
    address = forms.CharField(
        max_length=1000,
        help_text="After its host may stand {name}, {namespace}, {kind} and {annotation:key}. "
        "An entity without the annotation has no such card.",
    )
    label = forms.CharField(label="Words of the link", max_length=80, required=False, help_text="Empty: the title.")
    kinds = forms.MultipleChoiceField(
        choices=[(name, kind.plural) for name, kind in KINDS.items()],
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        help_text="None: entities of any kind.",
    )
    permission = forms.ChoiceField(label="Shown to", choices=list(configured.AUDIENCES.items()))


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
    return _form(request, None, CardForm(request.POST or None, initial={"permission": "catalog.view"}))


@gate("org.manage")
def card_edit(request: TenantRequest, card: int) -> HttpResponseBase:
    """Changes one."""
    row = _card(request, card)
    said = {name: getattr(row, name) for name in CardForm.base_fields}
    return _form(request, row, CardForm(request.POST or None, initial=said))


def _form(request: TenantRequest, row: ConfiguredCard | None, form: CardForm) -> HttpResponseBase:
    access = request.access
    if request.method == "POST" and form.is_valid():
        try:
            if row is None:
                configured.add_card(organisation=access.organisation, actor=access.actor, **form.cleaned_data)
            else:
                configured.change_card(
                    organisation=access.organisation, actor=access.actor, card=row, **form.cleaned_data
                )
        except Refusal as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.text)
        else:
            messages.success(request, f"The card {form.cleaned_data['title']} is saved.")
            return redirect("cards", org=access.organisation.slug)
    context = {"form": form, "title": f"Change {row.title}" if row else "Add a card"}
    return render(request, "catalog/configured_edit.html", context, status=422 if form.errors else 200)


@require_POST
@gate("org.manage")
def card_remove(request: TenantRequest, card: int) -> HttpResponse:
    """Takes one away."""
    row = _card(request, card)
    configured.remove_card(organisation=request.access.organisation, actor=request.access.actor, card=row)
    messages.success(request, f"The card {row.title} is removed.")
    return redirect("cards", org=request.access.organisation.slug)
