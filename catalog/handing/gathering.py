"""What is known that tells whose something is: of the catalog and its people from the database, of repositories from
git. For jobs and commands: git and clusters are asked outside any request."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from django.utils.timezone import now

from catalog.asking.query import entities_of
from catalog.descriptors.kinds import KINDS
from catalog.handing import codeowners
from catalog.handing.weighing import GitHistory, TouchedFiles
from catalog.lists.reading import unknown_owners
from catalog.models import How, Source
from portal.accounts.models import Organisation, Team, TeamMembership
from portal.clusters import status
from portal.clusters.models import Cluster
from portal.githosts import bare
from portal.githosts.errors import GitFailed
from portal.githosts.histories import touched
from portal.githosts.models import Repository
from portal.kit.refs import completed, name_of

YEAR = timedelta(days=365)
# So many things that are nobody's are looked into at once.
MOST = 20_000
# The kinds of which one without an owner is worth a word.
OWNED = tuple(name for name, kind in KINDS.items() if kind.is_owned)
# A room above fills this: references of entities -> (the person's id, their name) of whoever launched what made them.
LAUNCHED: dict[str, Callable[[int, Collection[str]], Mapping[str, tuple[int, str]]]] = {}


@dataclass(frozen=True)
class Known:
    """An entity as far as suggestions go.

    repository, folder  where its file lies on the built-in host, "" for elsewhere and for the root
    place               the system or domain that it is part of, "" for none
    owner               whom its record names and who is there; "" for nobody
    """

    key: str
    ref: str
    title: str
    repository: str
    folder: str
    place: str
    owner: str


@dataclass
class Gathered:
    """members: mail address in lower case -> teams; names: what CODEOWNERS may call a team or person -> teams;
    launches and namespaces: by key, of things that are nobody's."""

    known: Sequence[Known] = ()
    histories: Mapping[str, GitHistory] = field(default_factory=dict)
    members: Mapping[str, Sequence[str]] = field(default_factory=dict)
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    launches: Mapping[str, tuple[Sequence[str], str]] = field(default_factory=dict)
    namespaces: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)


def facts_of(organisation: Organisation) -> Gathered:
    """Everything that the database and the clusters' cache know. Must run inside the tenant; some statements."""
    known = _known(organisation)
    members, by_user = _members(organisation)
    lost = [each for each in known if not each.owner][:MOST]
    launches: dict[str, tuple[Sequence[str], str]] = {}
    for told in LAUNCHED.values():
        by_ref = told(organisation.pk, [each.ref for each in lost])
        for each in lost:
            if each.ref in by_ref:
                user, name = by_ref[each.ref]
                launches[each.key] = by_user.get(user, ()), name
    return Gathered(
        known, {}, members, _names(organisation, members), launches, _namespaces(organisation, [e.key for e in lost])
    )  # fmt: skip


def _known(organisation: Organisation) -> list[Known]:
    strangers = unknown_owners(organisation)
    rows = entities_of(organisation).filter(kind__in=OWNED)
    found = []
    columns = ("uid", "ref", "title", "name", "source__kind", "source__target", "path", "system_ref", "owner_ref",
               "owner_how")  # fmt: skip
    for uid, ref, title, name, kind, target, path, place, owner, how in rows.values_list(*columns).order_by("ref"):
        is_named = owner and how != How.INHERITANCE.value and owner not in strangers
        is_ours = kind == Source.Kind.REPOSITORY
        found.append(
            Known(
                str(uid), ref, title or name, target if is_ours else "", path.rpartition("/")[0] if is_ours else "",
                place, owner if is_named else "",
            )
        )  # fmt: skip
    return found


def _members(organisation: Organisation) -> tuple[dict[str, list[str]], dict[int, list[str]]]:
    """(mail address -> teams, person's id -> teams): who joined a team here, and whom a file puts into one."""
    by_mail, by_user = defaultdict[str, list[str]](list), defaultdict[int, list[str]](list)
    places = TeamMembership.objects.for_tenant(organisation).filter(team__waits_since=None, user__is_active=True)
    for user, mail, ref in places.values_list("user_id", "user__email", "team__ref").order_by("pk"):
        by_mail[mail.lower()].append(ref)
        by_user[user].append(ref)
    for row in entities_of(organisation).filter(kind="User").select_related("body").iterator(chunk_size=500):
        mail = str((row.spec.get("profile") or {}).get("email", "")).lower()
        if mail and mail not in by_mail:
            said = [group for group in row.spec.get("memberOf") or () if isinstance(group, str)]
            by_mail[mail] = [completed(group.lower(), kind="group") for group in said]
    return by_mail, by_user


def _names(organisation: Organisation, members: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Teams by their address and Group's name, described people by their name, members by their mail address."""
    found: dict[str, Sequence[str]] = dict(members)
    users = entities_of(organisation).filter(kind="User").select_related("body").iterator(chunk_size=500)
    for row in users:
        mail = str((row.spec.get("profile") or {}).get("email", "")).lower()
        if teams := members.get(mail):
            found[row.name.lower()] = teams
    for slug, ref in Team.objects.for_tenant(organisation).filter(waits_since=None).values_list("slug", "ref"):
        found[slug.lower()] = [ref]
        found[name_of(ref)] = [ref]
    return found


def _namespaces(organisation: Organisation, keys: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """By key, the teams that the namespaces of its workloads are labelled with, and which namespaces."""
    clusters = list(Cluster.objects.for_tenant(organisation))
    rows = status.of_clusters(clusters) if clusters and keys else {}
    labels = {cluster.slug: row.teams for cluster in clusters if (row := rows.get(cluster.pk)) is not None}
    if not any(labels.values()):
        return {}
    refs = dict(Team.objects.for_tenant(organisation).values_list("slug", "ref"))
    found: dict[str, dict[str, list[str]]] = {}
    for key, seen in status.of_entities(organisation.pk, keys).items():
        names = {(placed.cluster_slug, each.namespace) for placed in seen.places for each in placed.row.workloads}
        for cluster_slug, namespace in sorted(names):
            if ref := refs.get(labels.get(cluster_slug, {}).get(namespace, "")):
                found.setdefault(key, {}).setdefault(ref, []).append(namespace)
    return found


# --- git ---


def repositories(organisation: Organisation, known: Sequence[Known]) -> dict[str, tuple[Path, str]]:
    """Where the repositories lie in which things are described, and their branch, by name: one statement."""
    names = {each.repository for each in known if each.repository}
    rows = Repository.objects.for_tenant(organisation).filter(name__in=names)
    return {row.name: (row.path, row.default_branch) for row in rows}


def histories_of(places: Mapping[str, tuple[Path, str]], *, with_code_owners: bool = True) -> dict[str, GitHistory]:
    """The histories of these repositories, by name; those that cannot be read are left out. Asks git."""
    told = {name: history_of(path, branch) for name, (path, branch) in places.items()}
    found = {name: history for name, history in told.items() if history is not None}
    return found if with_code_owners else {name: replace(each, code_owners=None) for name, each in found.items()}


def history_of(path: Path, branch: str) -> GitHistory | None:
    """A repository's files, its commits of a year, and its CODEOWNERS; None where it is empty or cannot be read.

    Asks git: outside transactions.
    """
    try:
        head = bare.resolve(path, branch)
        if head is None:
            return None
        files = [entry.path for entry in bare.tree(path, head) if entry.kind == "file"]
        changes = [TouchedFiles(each.mail, each.at, each.paths) for each in touched(path, head, since=now() - YEAR)]
        return GitHistory(files, changes, _code_owners(path, head, files))
    except GitFailed:
        return None


def _code_owners(path: Path, head: str, files: Sequence[str]) -> codeowners.CodeOwners | None:
    there = set(files)
    for place, dialect in codeowners.PLACES.items():
        if place in there:
            text = bare.content(path, head, place, limit=bare.FILE_LIMIT)
            return codeowners.parse(text.decode("utf-8", "replace"), dialect)
    return None


def counted_by_place(known: Sequence[Known]) -> dict[str, Counter[str]]:
    """By system or domain, how much of it each owns."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for each in known:
        if each.place and each.owner:
            found[each.place][each.owner] += 1
    return found
