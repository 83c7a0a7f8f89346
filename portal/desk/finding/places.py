"""Pages and commands as things that are found."""

from __future__ import annotations

from django.urls import reverse

from portal.accounts.access import Access
from portal.kit import navigation, searching
from portal.kit.searching import Command, Hit, Searchable, Sought, register_command, register_searchable


def pages(access: Access) -> list[Hit]:
    """Every page of the menu that the person may open."""
    org = access.organisation.slug
    return [
        Hit(
            key=f"page:{entry.name}",
            title=entry.label,
            kind="Page",
            icon=entry.icon,
            url=reverse(entry.name, kwargs={"org": org}) + entry.query,
            names=(entry.label,),
            words=tuple(entry.words.split()),
            weight=26,
        )
        for entry in navigation.in_order()
        if access.can(entry.permission)
    ]


def find_pages(access: Access, asked: Sought, most: int) -> list[Hit]:
    return pages(access)


def find_commands(access: Access, asked: Sought, most: int) -> list[Hit]:
    """Everything that rooms have said can be done, as far as the person may."""
    return [_command(access, row) for row in searching.COMMANDS.values() if access.can(row.permission)]


def _command(access: Access, row: Command) -> Hit:
    where = {"org": access.organisation.slug} if row.org else {}
    return Hit(
        key=f"do:{row.name}",
        title=row.label,
        kind="Action",
        icon=row.icon,
        url=reverse(row.view, kwargs=where) + row.query,
        names=(row.label,),
        words=tuple(row.words.split()),
        weight=12,
        does=row.does,
    )


def register() -> None:
    """Called when the app is ready."""
    register_searchable(
        Searchable("pages", "Go to", "org.view", 80, find_pages, frozenset({"page"})),
        Searchable("commands", "Actions", "org.view", 6, find_commands, frozenset({"action"})),
    )
    for name, icon, words in (
        ("dark", "moon", "night mode appearance colours"),
        ("light", "sun", "day mode appearance colours"),
        ("system", "sun-moon", "auto mode appearance colours"),
    ):
        label = "Theme as the system" if name == "system" else f"{name.capitalize()} theme"
        register_command(
            Command(f"theme-{name}", label, icon, "org.view", "profile", words, org=False, does=f"theme:{name}")
        )
