"""What search finds among the repositories of the built-in git host."""

from __future__ import annotations

from django.db.models.functions import Collate
from django.urls import reverse

from portal.accounts.access import Access
from portal.githosts.models import Repository
from portal.kit.searching import Command, Hit, Searchable, Sought, register_command, register_searchable

LAST = "\U0010ffff"


def find_repositories(access: Access, asked: Sought, most: int) -> list[Hit]:
    """Those whose name begins with what was typed, as it was typed or with dashes between the words."""
    starts = dict.fromkeys(start for start in (asked.text.lower(), "-".join(asked.words), asked.whole) if start)
    rows = Repository.objects.for_tenant(access.organisation).alias(called=Collate("name", "C"))
    # No name has a space. Each beginning is a range of its own, all of them one statement.
    first, *others = [
        rows.filter(called__gte=start, called__lt=start + LAST).order_by("called")[:most]
        for start in starts
        if " " not in start
    ] or [rows.none()]
    found = {row.pk: row for row in first.union(*others)}
    return [
        Hit(
            key=f"repo:{row.name}",
            title=row.name,
            note=row.description,
            kind="Repository",
            icon="git-branch",
            url=reverse("repo", kwargs={"org": access.organisation.slug, "repo": row.name}),
            names=(row.name,),
            words=("git", "code", "readme"),
            weight=3,
            owner_ref=row.owner_ref,
        )
        for row in found.values()
    ]


def register() -> None:
    """Called when the app is ready."""
    register_searchable(
        Searchable("repos", "Repositories", "repos.view", 50, find_repositories, frozenset({"repo", "repository"})),
    )
    register_command(
        Command("git-hosts", "Git hosts", "brand-git", "repos.connect", "git-hosts", "connection github gitlab gitea"),
        Command("git-host-new", "Connect a git host", "plug", "repos.connect", "git-host-new", "github gitlab gitea"),
    )
