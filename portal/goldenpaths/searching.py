"""What search finds among golden paths, and launching them."""

from __future__ import annotations

from django.urls import reverse

from portal.accounts.access import Access
from portal.goldenpaths.models import GoldenPath
from portal.kit.searching import Command, Hit, Searchable, Sought, register_command, register_searchable

MOST_PATHS = 300
LAUNCH = frozenset({"launch", "new", "create", "start", "make", "scaffold", "begin"})
# For whoever is about to launch, that is likelier meant than reading about it.
_ROWS = ("slug", "ref", "name", "title", "description", "owner_ref", "type", "tags")


def find_paths(access: Access, asked: Sought, most: int) -> list[Hit]:
    """Paths as such; ranking leaves few of them."""
    rows = GoldenPath.objects.for_tenant(access.organisation).order_by("title")[:MOST_PATHS]
    return [_found(access, *row) for row in rows.values_list(*_ROWS)]


def find_launches(access: Access, asked: Sought, most: int) -> list[Hit]:
    """`launch python`: the path's form, where the words say that something is to be made."""
    verb = next((word for word in asked.words if word in LAUNCH), "")
    if not verb:
        return []
    rows = GoldenPath.objects.for_tenant(access.organisation).order_by("title")[:MOST_PATHS]
    return [_launch(access, verb, *row) for row in rows.values_list(*_ROWS)]


def _found(
    access: Access, slug: str, ref: str, name: str, title: str, about: str, owner: str, kind: str, tags: list[str]
) -> Hit:
    return Hit(
        key=ref,
        title=title,
        note=about,
        kind="Golden path",
        icon="route",
        url=reverse("path", kwargs={"org": access.organisation.slug, "path": slug}),
        names=(title, name),
        words=(kind, *tags, "launch", "new", "create", "template", "scaffold"),
        weight=9,
        owner_ref=owner,
    )


def _launch(
    access: Access, verb: str, slug: str, ref: str, name: str, title: str, about: str, owner: str, kind: str,
    tags: list[str],
) -> Hit:  # fmt: skip
    return Hit(
        key=f"do:launch:{ref}",
        title=f"Launch {title}",
        note=about,
        kind="Action",
        icon="rocket",
        url=reverse("path", kwargs={"org": access.organisation.slug, "path": slug}),
        names=(f"{verb} {title}", f"{verb} {name}"),
        words=(kind, *tags, *LAUNCH, "service"),
        weight=20,
        owner_ref=owner,
    )


def register() -> None:
    """Called when the app is ready."""
    kinds = frozenset({"path", "template", "golden-path"})
    register_searchable(
        Searchable("paths", "Golden paths", "paths.view", 40, find_paths, kinds),
        Searchable("launches", "Actions", "runs.launch", 4, find_launches, frozenset({"action"})),
    )
    register_command(
        Command(
            "candidates", "Candidates for publication", "route", "paths.view", "candidates", "review publish paths"
        ),
    )
