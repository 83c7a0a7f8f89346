"""The organisation switcher: where else the person belongs."""

from typing import Any, NamedTuple

from django import template
from django.template import Context

from portal.accounts.access import entering_of
from portal.accounts.models import Membership

register = template.Library()


class Place(NamedTuple):
    """An organisation that the person is in."""

    slug: str
    name: str
    role: str


@register.inclusion_tag("desk/organisation_switch.html", takes_context=True)
def organisation_switch(context: Context) -> dict[str, Any]:
    """The current organisation and the person's others: told when they entered, else one query of their own rows."""
    access, request = context["access"], context.get("request")
    entering = entering_of(request) if request is not None else None
    if entering is not None and entering.places is not None:
        places = entering.places
    else:
        rows = Membership.objects.filter(user=access.user).order_by("organisation__name")
        places = list(rows.values_list("organisation__slug", "organisation__name", "role"))
    return {
        "here": access.organisation,
        "role": access.role,
        "others": [Place(*place) for place in places if place[0] != access.organisation.slug],
    }
