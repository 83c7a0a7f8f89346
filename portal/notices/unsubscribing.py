"""The address in a mail that ends one kind of mail for one recipient, without signing in and nothing else.

What it ends is sealed in it: it cannot be read, guessed or changed, and it opens no other door. It holds for as long as
the mail may lie somewhere.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass

from django.conf import settings
from django.urls import reverse

from portal.accounts.sealing import MARK, Unsealable, seal, unseal
from portal.kit.errors import NotFound

PURPOSE = "notice unsubscribe"
GONE = "This link ends nothing: it is damaged, or whom it was for is not here any more."


@dataclass(frozen=True)
class Ending:
    """Whose preference the address switches off: of a membership or a team, a kind ("" for all), over a channel."""

    organisation: int
    membership: int
    team: int
    kind: str
    channel: str


def address_of(ending: Ending) -> str:
    """The whole address, at PUBLIC_URL."""
    sealed = seal(json.dumps(astuple(ending), separators=(",", ":")), PURPOSE).removeprefix(MARK)
    return settings.PUBLIC_URL + reverse("notice-unsubscribe", kwargs={"token": sealed})


def read(token: str) -> Ending:
    """What the address ends. Raises NotFound."""
    try:
        return Ending(*json.loads(unseal(MARK + token, PURPOSE)))
    except (Unsealable, ValueError, TypeError) as error:
        raise NotFound(GONE) from error
