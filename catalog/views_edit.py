"""Writing entities in the portal."""

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from catalog import actions
from catalog.descriptors.parsing import parse
from catalog.descriptors.relations import owner_of
from catalog.forms import EntityForm
from catalog.models import Entity, Source
from catalog.teams import is_written_here
from catalog.views import entity_address, find_entity
from portal.accounts.access import TenantRequest, gate
from portal.kit.errors import NotFound, Refusal

STARTER = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: my-service
  description: What it does, in one sentence.
spec:
  type: service
  lifecycle: experimental
  owner: my-team
"""


@require_http_methods(["GET", "HEAD", "POST"])
@gate("catalog.register")
def new_entity(request: TenantRequest) -> HttpResponseBase:
    """A new entity that lives in the portal."""
    return _edit(request, None, STARTER)


@require_http_methods(["GET", "HEAD", "POST"])
@gate("catalog.edit")
def edit_entity(request: TenantRequest, kind: str, namespace: str, name: str) -> HttpResponseBase:
    """Changes an entity that lives in the portal."""
    found = _portal_entity(request, kind, namespace, name)
    request.access.require("catalog.edit", found.owner_ref or None)
    return _edit(request, found, found.raw)


@require_POST
@gate("catalog.remove")
def remove_entity(request: TenantRequest, kind: str, namespace: str, name: str) -> HttpResponseBase:
    """Removes an entity that lives in the portal."""
    found = _portal_entity(request, kind, namespace, name)
    request.access.require("catalog.remove", found.owner_ref or None)
    actions.remove_entity(organisation=request.access.organisation, actor=request.access.actor, entity=found)
    messages.success(request, f"Removed {found.ref}.")
    return redirect("catalog", org=request.access.organisation.slug)


def _portal_entity(request: TenantRequest, kind: str, namespace: str, name: str) -> Entity:
    found = find_entity(request, kind, namespace, name)
    if found is None or found.removed_at:
        raise NotFound("There is no such entity.")
    if found.source is None or found.source.kind != Source.Kind.PORTAL:
        raise NotFound(f"This entity is edited where it comes from: {found.path}.")
    if is_written_here(found):
        raise NotFound("This is the Group of a team that was made in the portal. Change the team.")
    return found


def _edit(request: TenantRequest, found: Entity | None, text: str) -> HttpResponseBase:
    form = EntityForm(request.POST or None, initial={"text": text})
    if request.method == "POST" and form.is_valid():
        try:
            written = _write(request, form.cleaned_data["text"], found)
        except Refusal as refusal:
            for sentence in refusal.text.split("\n"):
                form.add_error("text", sentence)
        else:
            messages.success(request, f"Saved {written.ref}.")
            return redirect(entity_address(request, written))
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "catalog/edit.html", {"form": form, "entity": found}, status=status)


def _write(request: TenantRequest, text: str, found: Entity | None) -> Entity:
    """Saves the text, if the person may act for the owner that it names, where it names another than before."""
    text = text.replace("\r\n", "\n")
    actions.check_text(text, found)
    owner = owner_of(parse(text, "").entities[0].document)
    if found is None or owner != owner_of(found.document):
        request.access.require("catalog.edit", owner or None)
    return actions.write_entity(
        organisation=request.access.organisation, actor=request.access.actor, text=text, entity=found
    )
