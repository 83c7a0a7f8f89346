"""Where a source points and who may write there: what a trust holds on to."""

from __future__ import annotations

from typing import Any

from catalog.models import Source
from portal.accounts.models import TeamOrigin
from portal.githosts.fetch import parse_location
from portal.githosts.models import Repository
from portal.githosts.rights import granted, owning_team, protected_ref, times_changed
from portal.goldenpaths.origins import Origin
from portal.kit.errors import Refusal

Place = dict[str, str]


def origin_of(source: Source, revision: str = "") -> Origin:
    """The origin that a source's paths have; `revision` is the state that was read."""
    return Origin(
        key=f"source:{source.uid}",
        label=source.label,
        address=address_of(source),
        detail=revision[:12],
    )


def address_of(source: Source) -> str:
    """By what a source that is registered again is known to be the same origin; "" where there is no such thing.

    A file's name is no place: anybody may upload a file of any name, so each upload is an origin of its own.
    """
    if source.kind in (Source.Kind.UPLOAD, Source.Kind.PORTAL):
        return ""
    return " ".join(f"{name}={value}" for name, value in place_of(source).items())


def place_of(source: Source) -> Place:
    """Host, repository, branch and path of a source, by name."""
    host, repository = _host_and_repository(source)
    return {
        "kind": source.kind,
        "host": host,
        "repository": repository,
        "branch": source.revision,
        "path": source.path,
    }


def _host_and_repository(source: Source) -> tuple[str, str]:
    if source.kind == Source.Kind.REPOSITORY:
        return "slipway", source.target
    if source.kind == Source.Kind.GIT:
        try:
            return parse_location(source.target).host, source.target
        except Refusal:
            return "", source.target
    return "", source.target


def rights_of(source: Source) -> dict[str, Any]:
    """Who may write there, as far as Slipway can know it: of its own repositories all of it, of other places nothing.

    Equal values mean equal rights. Who is in the owning team or in a team that was granted is not in it: a team looks
    after its members itself. Runs inside the tenant.
    """
    if source.kind != Source.Kind.REPOSITORY:
        return {}
    row = Repository.objects.for_tenant(source.organisation_id).filter(name=source.target).first()
    if row is None:
        return {"repository": None}
    return {
        "repository": row.pk,
        "owner": row.owner_ref,
        "owning team": _answering(row),
        "default branch": row.default_branch,
        "protection": "the default branch" if protected_ref(row) else "nothing",
        "grants": granted(row),
        "times changed": times_changed(row),
    }


def _answering(row: Repository) -> int | None:
    """The team behind the owner's name, by its number: another team of the same name is another team."""
    team = owning_team(row)
    return team.pk if team is not None and team.origin != TeamOrigin.GONE else None


def unknowable(source: Source) -> str:
    """What Slipway cannot see change at this place, in words; "" where it sees everything."""
    if source.kind == Source.Kind.REPOSITORY:
        return ""
    if source.kind == Source.Kind.GIT:
        host = place_of(source)["host"] or "the other host"
        return f"Slipway cannot see who may push to “{source.revision}” on {host}: protect that branch there."
    if source.kind == Source.Kind.FOLDER:
        return "Slipway cannot see who may write to this folder: whoever can decides what is published."
    return "Slipway cannot see who may change what is served there: whoever can decides what is published."


def not_trustable(source: Source) -> str:
    """Why nobody can trust this source, or ""."""
    if source.kind in (Source.Kind.UPLOAD, Source.Kind.PORTAL):
        return "An upload is somebody's act each time: publish what it brings yourself."
    if source.kind == Source.Kind.GIT and not source.revision:
        return (
            "This source follows the repository's default branch, which can be pointed elsewhere unseen. "
            "Register it with the name of a branch, then trust it."
        )
    return ""
