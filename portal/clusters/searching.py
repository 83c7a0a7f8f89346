"""What search finds among clusters."""

from __future__ import annotations

from django.urls import reverse

from portal.accounts.access import Access
from portal.clusters.models import STATES, Cluster
from portal.kit.searching import Command, Hit, Searchable, Sought, register_command, register_searchable

# An organisation has a handful; whoever has more finds the rest on their page.
MOST_CLUSTERS = 200


def find_clusters(access: Access, asked: Sought, most: int) -> list[Hit]:
    """All of them: there are few."""
    rows = Cluster.objects.for_tenant(access.organisation).order_by("name")[:MOST_CLUSTERS]
    return [
        Hit(
            key=f"cluster:{slug}",
            title=name,
            note=f"{STATES.get(state, state)} · {server}",
            kind="Cluster",
            icon="server-2",
            url=reverse("cluster", kwargs={"org": access.organisation.slug, "cluster": slug}),
            names=(name, slug),
            words=("kubernetes", server),
            weight=7,
        )
        for slug, name, state, server in rows.values_list("slug", "name", "state", "server")
    ]


def register() -> None:
    """Called when the app is ready."""
    register_searchable(
        Searchable("clusters", "Clusters", "clusters.view", 60, find_clusters, frozenset({"cluster"})),
    )
    register_command(
        Command("cluster-new", "Connect a cluster", "server-2", "clusters.manage", "cluster-new", "add kubernetes new"),
    )
