"""The bell: the fragment that every page of an organisation carries and the live stream keeps current."""

from __future__ import annotations

from django.template.loader import render_to_string

from portal.accounts.access import Access
from portal.accounts.models import Membership, Organisation
from portal.kit.announcing import TopicKind, register_topic
from portal.kit.errors import NotFound


def bell(organisation: Organisation, key: str) -> str | None:
    """The fragment of the topic `bell:<person>`."""
    if not (key.isdecimal() and len(key) <= 18):
        return None
    rows = Membership.objects.for_tenant(organisation).filter(user=int(key))
    number = rows.values_list("unread_notices", flat=True).first()
    return None if number is None else render_to_string("notices/_bell.html", {"number": number})


def admit_to_bell(access: Access, key: str) -> None:
    """Everybody has their own. Raises NotFound."""
    if key != str(access.user.pk):
        raise NotFound("There is no such bell.")


def register() -> None:
    """Makes the topic known."""
    register_topic(TopicKind(kind="bell", permission="org.view", render=bell, admit=admit_to_bell))
