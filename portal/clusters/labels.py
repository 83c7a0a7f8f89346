"""What Slipway writes on the objects that it makes, and how a long name becomes a label's value; pure."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

MANAGED_BY = "app.kubernetes.io/managed-by"
SLIPWAY = "slipway"
ORGANISATION = "slipway.io/organisation"
ENTITY = "slipway.io/entity"
# On a namespace: the slug of the team that it was made for, or that the cluster's keepers gave it to.
TEAM = "slipway.io/team"
LINEAGE = "slipway.io/lineage"
RUN = "slipway.io/run"
# What all runs of all organisations once applied as; only read any more.
SHARED_MANAGER = "slipway"

MOST = 63
DIGEST = 16


def label_value(text: str) -> str:
    """A text as a label's value: component:default/checkout -> component.default.checkout.

    What does not fit 63 characters keeps its beginning and gains a digest of the whole: two long names never become
    one. Answers "" for a text without a letter or digit.
    """
    plain = _plain(text)
    if len(plain) <= MOST:
        return plain
    digest = hashlib.sha256(text.lower().encode()).hexdigest()[:DIGEST]
    return f"{plain[: MOST - DIGEST - 1].rstrip('._-')}.{digest}"


def recognised(text: str) -> frozenset[str]:
    """Every value that stands for the text: today's, and the cut one that older objects wear."""
    return frozenset({label_value(text), _plain(text)[:MOST].strip("._-")}) - {""}


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", ".", text.lower()).strip("._-")


def mark_of(organisation_id: int, created_at: datetime) -> str:
    """The name of an organisation on a cluster that others use as well: the same for ever, and telling nothing.

    The moment of its founding tells it from an organisation of the same number in another installation.
    """
    text = f"{organisation_id}/{created_at.timestamp():.6f}"
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST]


def manager_of(mark: str) -> str:
    """The field manager that an organisation's runs apply as."""
    return f"slipway-{mark}"
