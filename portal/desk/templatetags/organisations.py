"""The organisation switcher: where else the person belongs."""

from typing import Any

from django import template
from django.template import Context

from portal.accounts.models import Membership

register = template.Library()


@register.inclusion_tag("desk/organisation_switch.html", takes_context=True)
def organisation_switch(context: Context) -> dict[str, Any]:
    """The current organisation and the person's others; one query, allowed by the person's own-rows policy."""
    access = context["access"]
    rows = Membership.objects.filter(user=access.user).select_related("organisation").order_by("organisation__name")
    return {
        "here": access.organisation,
        "role": access.role,
        "others": [row for row in rows if row.organisation_id != access.organisation.pk],
    }
