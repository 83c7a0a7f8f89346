"""How the team that a Group describes is reached: its profile, its links, and annotations that are widely used."""

from collections.abc import Mapping
from typing import Any

from portal.accounts.contact import WAYS, Contact

# Words in a link's type, icon or title that say what it is for, the surest first.
WORDS: Mapping[str, tuple[str, ...]] = {
    "chat": ("chat", "slack", "teams", "mattermost", "discord", "matrix", "zulip"),
    "on_call": ("on-call", "on call", "oncall", "pagerduty", "opsgenie", "pager"),
    "runbook": ("runbook", "playbook"),
}
ANNOTATIONS: Mapping[str, tuple[str, str]] = {
    "slack.com/channel": ("chat", "Slack {}"),
    "pagerduty.com/service-id": ("on_call", "PagerDuty service {}"),
    "pagerduty.com/integration-key": ("on_call", "PagerDuty"),
    "opsgenie.com/team": ("on_call", "Opsgenie team {}"),
}
TEXT = 300


def contact_of(document: Mapping[str, Any]) -> Contact:
    """The contact that a Group's document gives; links before annotations."""
    metadata, spec = _mapping(document.get("metadata")), _mapping(document.get("spec"))
    found = {"mail": str(_mapping(spec.get("profile")).get("email") or "")}
    if phone := _mapping(spec.get("profile")).get("phone"):
        found["phone"] = str(phone)
    for link in metadata.get("links") or []:
        url = str(_mapping(link).get("url") or "")
        if url.lower().startswith("tel:"):
            found.setdefault("phone", url[4:])
            continue
        name = _purpose(_mapping(link))
        if name and name not in found:
            found[name] = str(_mapping(link).get("url") or "")
    annotations = _mapping(metadata.get("annotations"))
    for key, (name, words) in ANNOTATIONS.items():
        if name not in found and annotations.get(key):
            found[name] = words.format(annotations[key])
    return Contact(**{name: found.get(name, "")[:TEXT] for name in WAYS})


def links_of(contact: Contact) -> list[dict[str, str]]:
    """The links that a Group's document says it with, so that `contact_of` reads the same again."""
    titles = {"chat": "Chat", "on_call": "On call", "runbook": "Runbook"}
    return [
        {"url": getattr(contact, name), "title": title, "type": name.replace("_", "-")}
        for name, title in titles.items()
        if getattr(contact, name)
    ]


def _purpose(link: Mapping[str, Any]) -> str:
    for part in ("type", "icon", "title"):
        said = str(link.get(part) or "").lower()
        for name, words in WORDS.items():
            if any(word in said for word in words):
                return name
    return ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
