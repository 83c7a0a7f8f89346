"""The rows of what is wrong: brought in line with each reading, so that a problem keeps its age while it lasts."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.utils.timezone import now

from catalog.descriptors.findings import Finding
from catalog.descriptors.problemkinds import ALARMS
from catalog.models import Entity, Problem, Source
from portal.accounts.tenancy import TenantQuerySet

BATCH = 500
UNREAD = "source-unread"
# What a later reading may say differently of the same problem.
MOVING = [
    "path",
    "line",
    "code",
    "severity",
    "sentence",
    "entity_ref",
    "owner_ref",
    "field",
    "excerpt_json",
    "edit_json",
]
# Without the file's own words: what is compared to know whether a row has to be written.
_COMPARED = ("line", "sentence", "owner_ref", "field", "excerpt_json", "edit_json", "severity")


def rows_of(source: Source) -> TenantQuerySet[Problem]:
    """The problems of a source: what its files say. Alarms about owners are kept by catalog/alarms."""
    return Problem.objects.for_tenant(source.organisation_id).filter(source=source).exclude(code__in=ALARMS)


def keep(source: Source, findings: Iterable[Finding], *, paths: Collection[str] = (), commit: str = "",
         author: str = "") -> list[Problem]:  # fmt: skip
    """Brings the source's problems in line with what was found; returns those that are over. Inside the tenant.

    What is found again keeps its row and its age wherever its line has gone; what is not found is over.
    paths: the files that were read, when not all were; problems of the others stay.
    commit, author: of the state that was read, kept with what is new.
    """
    rows = rows_of(source).filter(path__in=paths) if paths else rows_of(source)
    before, wanted = list(rows), _keyed(findings)
    there = {row.key: row for row in before}
    over = [row for row in before if row.key not in wanted]
    if over:
        rows_of(source).filter(pk__in=[row.pk for row in over]).delete()
    owners = _owners(source, [finding for key, finding in wanted.items() if key not in there])
    unsure = [each for key, each in wanted.items() if key not in there or there[key].owner_ref != each.owner_ref]
    stated = _stated(source, unsure)
    fresh, moved = list[Problem](), list[Problem]()
    for key, finding in wanted.items():
        row = there.get(key)
        values = _values(finding, {finding.entity_ref: row.owner_ref} if row else owners, stated)
        if row is None:
            fresh.append(
                Problem(
                    organisation_id=source.organisation_id, source=source, key=key, commit=commit[:100],
                    author=author[:300], **values,
                )
            )  # fmt: skip
        elif any(getattr(row, name) != values[name] for name in _COMPARED):
            for name, value in values.items():
                setattr(row, name, value)
            moved.append(row)
    Problem.objects.bulk_create(fresh, batch_size=BATCH)
    Problem.objects.bulk_update(moved, MOVING, batch_size=BATCH)
    return over


def note_unread(source: Source, sentence: str) -> None:
    """The source as a whole cannot be read: a problem like any other, older each time it cannot. Inside the tenant."""
    finding = Finding("", 0, UNREAD, sentence)
    key = next(iter(_keyed([finding])))
    row = rows_of(source).filter(key=key).first()
    values = _values(finding, _owners(source, [finding]))
    if row is None:
        Problem.objects.create(organisation_id=source.organisation_id, source=source, key=key, **values)
    elif row.sentence != sentence:
        rows_of(source).filter(pk=row.pk).update(sentence=sentence)


def _keyed(findings: Iterable[Finding]) -> dict[str, Finding]:
    """By what makes each the same problem at the next reading: its file, code, entity and field, never its line.

    Where no field is known, the sentence stands for it; of several that agree in all of this, the first is the first.
    """
    keyed: dict[str, Finding] = {}
    seen: Counter[str] = Counter()
    for finding in sorted(set(findings)):
        place = finding.field or ("" if finding.code == UNREAD else finding.sentence)
        same = "\n".join((finding.path, finding.code, finding.entity_ref, place))
        seen[same] += 1
        keyed[hashlib.sha256(f"{same}\n{seen[same]}".encode()).hexdigest()[:32]] = finding
    return keyed


def _values(
    finding: Finding, owners: Mapping[str, str], stated: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    owner = stated.get(finding.entity_ref) or finding.owner_ref or owners.get(finding.entity_ref) or owners.get("", "")
    return {
        "path": finding.path[:1000],
        "line": finding.line,
        "code": finding.code,
        "severity": finding.kind.rank,
        "sentence": finding.sentence,
        "entity_ref": finding.entity_ref[:200],
        "field": finding.field[:300],
        "owner_ref": owner[:400],
        "excerpt_json": finding.excerpt.plain() if finding.excerpt else None,
        "edit_json": finding.edit.plain() if finding.edit else None,
    }


def _stated(source: Source, findings: Iterable[Finding]) -> dict[str, str]:
    """Owners of those of the source's entities whose owner is not simply as the file says. At most one statement."""
    refs = sorted({finding.entity_ref for finding in findings if finding.entity_ref})
    rows = Entity.objects.for_tenant(source.organisation_id).filter(source=source, removed_at=None, ref__in=refs)
    elsewhere = rows.exclude(owner_how="", owner_since=None)
    return dict(elsewhere.values_list("ref", "owner_ref")) if refs else {}


def _owners(source: Source, findings: Iterable[Finding]) -> dict[str, str]:
    """Who answers where the file does not say it, by the reference of what is wrong: whoever owned it when it was last
    right. At "" who owns all that the source describes, if that is one."""
    silent = [finding for finding in findings if not finding.owner_ref]
    if not silent:
        return {}
    refs = sorted({finding.entity_ref for finding in silent if finding.entity_ref})
    rows = Entity.objects.for_tenant(source.organisation_id).filter(removed_at=None).exclude(owner_ref="")
    owners: dict[str, str] = {}
    for start in range(0, len(refs), 5000):
        owners |= dict(rows.filter(ref__in=refs[start : start + 5000]).values_list("ref", "owner_ref"))
    whole: Sequence[str] = list(rows.filter(source=source).values_list("owner_ref", flat=True).distinct()[:2])
    return owners | ({"": whole[0]} if len(whole) == 1 else {})


def open_of(organisation: Any, moment: datetime | None = None) -> TenantQuerySet[Problem]:
    """Those that nobody has set aside for now, or at that moment."""
    rows = Problem.objects.for_tenant(organisation)
    return rows.exclude(aside_until__gt=moment or now())
