"""What people keep of the catalog: stars, and lists under a name."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from catalog.asking.query import entities_of
from catalog.lists import actions, kept
from catalog.lists.choosing import ListChoice
from catalog.lists.models import SavedView
from catalog.views_lists import address_of
from portal.accounts.access import TenantRequest, gate
from portal.kit.errors import NotFound, Refusal


@gate("catalog.view")
@require_POST
def entity_stars(request: TenantRequest) -> HttpResponseBase:
    """Stars an entity, or takes its star away, and goes back to where that was asked."""
    access = request.access
    pk = request.POST.get("star") or request.POST.get("unstar") or ""
    found = entities_of(access.organisation).filter(pk=int(pk)).first() if pk.isdigit() and len(pk) < 18 else None
    if found is None:
        raise NotFound("There is no such entity.")
    act = actions.star if "star" in request.POST else actions.unstar
    act(organisation=access.organisation, user=access.user, entity=found)
    if request.wants_fragment:
        return HttpResponse(status=204)
    return redirect(_way_back(request))


def _way_back(request: TenantRequest) -> str:
    """Where the form says that it stands, if that is a page of this site."""
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
        return wanted
    return reverse("catalog", kwargs={"org": request.access.organisation.slug})


class ViewForm(forms.Form):
    """What a saved view is called and who sees it."""

    name = forms.CharField(max_length=80)
    is_shared = forms.BooleanField(
        label="Share it with everybody here", required=False, help_text="They see the list, each with their own rights."
    )
    opens = forms.BooleanField(label="Open the catalog with it, for me", required=False)


@gate("catalog.view")
def views(request: TenantRequest) -> HttpResponse:
    """The person's own views and those that are shared."""
    access = request.access
    rows = list(kept.views_of(access).select_related("owner"))
    context = {
        "rows": [(view, address_of(view), kept.may_change(access, view)) for view in rows],
        "opens_with": kept.kept_of(access).opens_with,
        "may_set_for_all": access.can(kept.CARE),
    }
    return render(request, "catalog/views.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@gate("catalog.view")
def view_new(request: TenantRequest) -> HttpResponseBase:
    """Keeps the list whose address came along under a name."""
    asked = request.POST if request.method == "POST" else request.GET
    wanted = ListChoice.from_query(asked.get("query", "")) if "query" in asked else ListChoice.read(asked)
    opened = asked.get("view", "")
    source = kept.find_view(request.access, int(opened)) if opened.isdigit() and len(opened) < 18 else None
    columns = list(source.columns) if source else _columns(request, wanted.kind)
    return _form(request, None, ViewForm(request.POST or None), wanted, columns)


def _columns(request: TenantRequest, kind: str) -> list[str]:
    """The columns that the person sees it with now."""
    return list(kept.kept_of(request.access).columns.get(kind, []))


@require_http_methods(["GET", "HEAD", "POST"])
@gate("catalog.view")
def view_edit(request: TenantRequest, view: int) -> HttpResponseBase:
    """Another name, another audience, or the list as it was changed meanwhile."""
    found = kept.find_view(request.access, view)
    kept.require_change(request.access, found, is_shared=False)
    asked = request.POST if request.method == "POST" else request.GET
    wanted = ListChoice.from_query(asked.get("query", found.query))
    opens = kept.kept_of(request.access).opens_with == found.pk
    said = {"name": found.name, "is_shared": found.is_shared, "opens": opens}
    return _form(request, found, ViewForm(request.POST or None, initial=said), wanted, list(found.columns))


def _form(
    request: TenantRequest, view: SavedView | None, form: ViewForm, wanted: ListChoice, columns: list[str]
) -> HttpResponseBase:
    access = request.access
    if not access.can(kept.SHARE):
        del form.fields["is_shared"]
    if request.method == "POST" and form.is_valid():
        is_shared = form.cleaned_data.get("is_shared", False)
        kept.require_change(access, view, is_shared=is_shared)
        try:
            saved = actions.save_view(
                organisation=access.organisation,
                actor=access.actor,
                name=form.cleaned_data["name"],
                wanted=wanted,
                columns=columns,
                is_shared=is_shared,
                view=view,
            )
        except Refusal as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.text)
        else:
            _open_with(request, saved, form.cleaned_data["opens"])
            messages.success(request, f"The view {saved.name} is saved.")
            return redirect(f"{reverse('catalog', kwargs={'org': access.organisation.slug})}?{address_of(saved)}")
    context = {"form": form, "view": view, "wanted": wanted, "chosen": _in_words(wanted)}
    return render(request, "catalog/view_edit.html", context, status=422 if form.errors else 200)


def _open_with(request: TenantRequest, view: SavedView, wanted: bool) -> None:
    access = request.access
    if wanted != (kept.kept_of(access).opens_with == view.pk):
        chosen = view if wanted else None
        actions.open_with(organisation=access.organisation, user=access.user, view=chosen)


def _in_words(wanted: ListChoice) -> list[str]:
    """What the list shows, for whoever is about to keep it."""
    said = [wanted.kind or "All kinds"]
    said += [f"{name}: {value}" if value is not True else name for name, value in wanted.chosen.items()]
    column, is_down = wanted.order
    return [*said, f"by {column}{', the other way round' if is_down else ''}"]


@require_POST
@gate("catalog.view")
def view_remove(request: TenantRequest, view: int) -> HttpResponse:
    """Deletes a view."""
    access = request.access
    found = kept.find_view(access, view)
    kept.require_change(access, found, is_shared=False)
    actions.remove_view(organisation=access.organisation, actor=access.actor, view=found)
    messages.success(request, f"The view {found.name} is deleted.")
    return redirect("views", org=request.access.organisation.slug)


@require_POST
@gate("catalog.view")
def view_opens(request: TenantRequest, view: int) -> HttpResponse:
    """What the catalog opens with: for oneself, or for everybody."""
    access = request.access
    found = kept.find_view(access, view)
    is_on = request.POST.get("on") == "1"
    if request.POST.get("whom") == "all":
        access.require(kept.CARE)
        actions.open_with_for_all(organisation=access.organisation, actor=access.actor, view=found, is_default=is_on)
    else:
        actions.open_with(organisation=access.organisation, user=access.user, view=found if is_on else None)
    messages.success(request, f"The catalog {'opens' if is_on else 'no longer opens'} with {found.name}.")
    return redirect("views", org=access.organisation.slug)
