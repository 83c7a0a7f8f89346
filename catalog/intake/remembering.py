"""What each file of a source said when it was read last: while it stays the same, it need not be read again."""

from collections.abc import Iterable, Sequence
from typing import Any

from catalog.index import bulk
from catalog.intake.reading import FileRead, Remnant, entity_from, entity_plain, finding_from, plain_of
from catalog.models import Source, SourceFile

BATCH = 2000
MAX_PATH = 1000
COLUMNS = ("path", "mark", "includes", "entities", "kept", "problems", "broken", "is_whole")


def remembered(source: Source) -> dict[str, FileRead]:
    """By path. Must run inside the tenant. Nothing for a source that is not kept yet, or that is rows itself."""
    if source.pk is None or source.kind == Source.Kind.PORTAL:
        return {}
    rows = SourceFile.objects.for_tenant(source.organisation_id).filter(source=source).order_by()
    return {row[0]: _file(*row) for row in rows.values_list(*COLUMNS).iterator(BATCH)}


def paths_of(source: Source) -> set[str]:
    """Of which files something is remembered. Must run inside the tenant."""
    return set(
        SourceFile.objects.for_tenant(source.organisation_id).filter(source=source).values_list("path", flat=True)
    )


def remember(source: Source, files: Iterable[FileRead]) -> None:
    """Keep what these files say, in the transaction that writes their entities. One statement for some thousand."""
    if source.kind == Source.Kind.PORTAL:
        return
    rows = [_row(source, file) for file in files if file.mark and len(file.path) <= MAX_PATH]
    if rows:
        bulk.insert(SourceFile, rows, unique=["organisation", "source", "path"], update=COLUMNS[1:])


def forget(source: Source, paths: Sequence[str]) -> None:
    """These files are no part of the source any more."""
    if paths:
        SourceFile.objects.for_tenant(source.organisation_id).filter(source=source, path__in=paths).delete()


def _row(source: Source, file: FileRead) -> SourceFile:
    return SourceFile(
        organisation_id=source.organisation_id,
        source=source,
        path=file.path,
        mark=file.mark,
        includes=dict(file.includes),
        entities="\n".join(f"{each.digest} {each.line} {each.ref}" for each in file.entities),
        kept=[entity_plain(each) for each in file.kept],
        problems=[plain_of(each) for each in file.problems],
        broken=sorted(file.broken),
        is_whole=file.is_whole,
    )


def _file(
    path: str,
    mark: str,
    includes: dict[str, str],
    entities: str,
    kept: list[list[Any]],
    problems: list[list[Any]],
    broken: list[str],
    is_whole: bool,
) -> FileRead:
    lines = (line.split(" ", 2) for line in entities.split("\n")) if entities else ()
    return FileRead(
        path,
        mark,
        includes,
        [Remnant(ref, int(line), digest, path) for digest, line, ref in lines],
        [entity_from(path, each) for each in kept],
        [finding_from(path, each) for each in problems],
        frozenset(broken),
        is_whole,
        is_known=True,
    )
