"""The check for pipelines: what reading files would find, before they are merged. Nothing of the catalog changes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q

from catalog.asking.query import entities_of
from catalog.descriptors import relations
from catalog.descriptors.findings import Finding, excerpt_of
from catalog.intake import ingest
from catalog.intake.pieces import Pieces
from catalog.intake.reading import FoundEntity
from catalog.intake.sources.registry import start_of
from catalog.intake.sources.tree import FileUnreadable, MemoryTree, inside
from catalog.intake.sources.upload import MAX_FILES, tree_of
from catalog.models import Entity, Source
from portal.accounts.models import Organisation, Team
from portal.accounts.tenancy import tenant
from portal.jobs.registry import JobDone, JobKind, register
from portal.jobs.work import Work
from portal.kit.errors import Invalid, TooLarge
from portal.kit.yamltext import FieldPath, Unreadable, read_document

CHECK = "catalog.check"
PLAIN_NAME = "catalog-info.yaml"
# So many problems are told; how many there are is told whatever their number.
MOST_TOLD = 1000
MOST_ENTITIES = 5000


@dataclass(frozen=True)
class CheckedFiles:
    """What a check found, in the order of the files. entities: (reference, "new" or "known", path, line)."""

    findings: list[Finding] = field(default_factory=list)
    entities: list[tuple[str, str, str, int]] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing would be kept out."""
        return not any(finding.is_error for finding in self.findings)

    def plain(self) -> dict[str, Any]:
        """As the API answers it."""
        return {
            "ok": self.is_good,
            "problemCount": len(self.findings),
            "problems": [finding.plain() for finding in self.findings[:MOST_TOLD]],
            "entities": [
                {"ref": ref, "state": state, "path": path, "line": line}
                for ref, state, path, line in self.entities[:MOST_ENTITIES]
            ],
        }


def files_of(body: Mapping[str, Any]) -> dict[str, str]:
    """The files of a JSON body: `files` by path, or one `text` at `path`. Raises Invalid and TooLarge."""
    given = body.get("files")
    files: dict[str, Any] = dict(given) if given is not None else {body.get("path") or PLAIN_NAME: body.get("text")}
    if not files or not all(isinstance(text, str) for text in files.values()):
        raise Invalid("Send `files` (a text by its path) or `text`.", field="files")
    if len(files) > MAX_FILES:
        raise TooLarge(f"Send at most {MAX_FILES} files.", field="files")
    try:
        return {inside(path): text for path, text in files.items()}
    except FileUnreadable as error:
        raise Invalid(str(error), field="files") from error


def check(
    *,
    organisation: Organisation,
    tree: MemoryTree,
    start: str = "",
    source: str = "",
) -> CheckedFiles:
    """Reads the files as a source and tells what it would find. Outside transactions: it reads what strangers wrote.

    start   the file, or pattern of files, to begin with: catalog-info.yaml where it is there, else every YAML file
    source  the uid or the address of the source that these files belong to: then names that other sources have are
            conflicts, and reading begins where that source begins. Without it names are not judged.
    Raises Refusal when there is nothing to begin with.
    """
    with tenant(organisation):
        ours = _sources(organisation, source)
    begin = start or (start_of(ours[0]) if ours else "") or (PLAIN_NAME if PLAIN_NAME in tree.files else "**")
    draft = Source(organisation=organisation, kind=Source.Kind.UPLOAD, target="check", path=begin)
    with Pieces(draft, tree, begin) as pieces:
        found = [each for piece in pieces for each in piece.fresh]
        reading = pieces.reading()
    findings = {*reading.problems}
    beside = ingest.beside(draft, tree, reading)
    for name, look in ingest.ALSO_CHECK.items():
        findings.update(look(beside.get(name)))
    with tenant(organisation):
        known = _known(organisation, found)
        findings.update(_dangling(organisation, found))
    findings.update(_conflicts(found, known, ours) if source else ())
    entities = [(each.ref, "known" if each.ref in known else "new", each.path, each.line) for each in found]
    return CheckedFiles(sorted(findings), entities)


def _sources(organisation: Organisation, said: str) -> list[Source]:
    if not said:
        return []
    rows = Source.objects.for_tenant(organisation)
    try:
        wanted = Q(uid=UUID(said))
    except ValueError:
        plain = said.strip().rstrip("/").removesuffix(".git")
        wanted = Q(target__in=[said, plain, f"{plain}.git"])
    return list(rows.filter(wanted).order_by("pk")[:50])


def _known(organisation: Organisation, found: list[FoundEntity]) -> dict[str, Entity]:
    refs = [each.ref for each in found]
    rows = Entity.objects.for_tenant(organisation).filter(ref__in=refs, removed_at=None).select_related("source")
    slim = rows.only("id", "ref", "path", "organisation_id", "source__id", "source__target", "source__kind")
    return {row.ref: row for row in slim}


def _conflicts(found: list[FoundEntity], known: Mapping[str, Entity], ours: list[Source]) -> list[Finding]:
    mine = {source.pk for source in ours}
    return [
        ingest.conflict(each, row)
        for each in found
        if (row := known.get(each.ref)) and row.source is not None and row.source.pk not in mine
    ]


def _dangling(organisation: Organisation, found: list[FoundEntity]) -> Iterator[Finding]:
    """What is named and that neither these files nor the catalog describe: owners, systems, dependencies. A hint, for
    the other side may come later; the entity's page says the same once it is in."""
    named = [(each, *said) for each in found for said in relations.named_by(each.entity.document)]
    wanted = {target for *_, target in named} - {each.ref for each in found}
    there = set(entities_of(organisation).filter(ref__in=wanted).values_list("ref", flat=True))
    there |= set(Team.objects.for_tenant(organisation).filter(ref__in=wanted - there).values_list("ref", flat=True))
    lacking = wanted - there
    for each, field_path, _, target in named:
        if target in lacking:
            yield _nowhere(each, field_path, target)


def _nowhere(found: FoundEntity, field_path: FieldPath, target: str) -> Finding:
    entity = found.entity
    line = entity.line
    with contextlib.suppress(Unreadable):
        line = read_document(entity.raw, entity.raw_line).line_of(field_path)
    name = ".".join(str(part) for part in field_path if isinstance(part, str))
    return Finding(
        found.path,
        line,
        "dangling",
        f"`{name}` names {target}, which is not in the catalog.",
        found.ref,
        field=".".join(map(str, field_path)),
        owner_ref=relations.owner_of(entity.document),
        excerpt=excerpt_of(entity.raw.splitlines(), line, first=entity.raw_line),
    )


def run_check(work: Work) -> JobDone:
    """The check as a worker does it: the files are the job's payload, gone when it ends."""
    given = work.arguments
    if given["archive"]:
        tree = tree_of(work.payload, str(given["filename"]))
        tree.is_repository = True  # what is checked is on its way into one
    else:
        files: dict[str, str] = json.loads(work.payload)
        contents = {path: text.encode("utf-8", "surrogatepass") for path, text in files.items()}
        tree = MemoryTree(contents, "", is_repository=True)
    checked = check(organisation=work.organisation, tree=tree, start=given["start"], source=given["source"])
    return JobDone(result=checked.plain())


def register_checking() -> None:
    """Makes the kind of job known."""
    register(JobKind(CHECK, "Check files", run_check, lane="asking", kept=timedelta(hours=1), attempts=2))
