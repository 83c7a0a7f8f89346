"""The workspace between two steps: the files of a run as gzipped tar in its row. The end of the run takes it away."""

import io
import tarfile
from collections.abc import Mapping

from django.conf import settings

from portal.goldenpaths.files import MAX_FILE_BYTES, MAX_TREE_BYTES, File, checked, tree_digest
from portal.kit.errors import TooLarge
from portal.provisioning.engine import keys, sealing
from portal.provisioning.models import Run, Workspace


def packed(files: Mapping[str, File]) -> bytes:
    """The files as a gzipped tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=6) as archive:
        for path, file in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(file.content), file.mode
            archive.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()


def unpacked(content: bytes) -> dict[str, File]:
    """The files again. What we packed ourselves is read with the same care as a stranger's archive."""
    files: dict[str, File] = {}
    room = MAX_TREE_BYTES
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for entry in archive:
            stream = archive.extractfile(entry) if entry.isfile() else None
            if stream is None:
                continue
            room -= entry.size
            if entry.size > MAX_FILE_BYTES or room < 0:
                raise TooLarge("The run's workspace is larger than a workspace may be.")
            files[entry.name] = File(stream.read(), entry.mode)
    return checked(files)


def read(run: Run) -> dict[str, File]:
    """What lies on the run's bench; nothing before its first step."""
    kept = Workspace.objects.for_tenant(run.organisation_id).filter(run_id=run.pk).first()
    return unpacked(sealing.opened_files(run, bytes(kept.content))) if kept else {}


def keep(run: Run, files: Mapping[str, File]) -> None:
    """Write the files down if they changed, in the caller's transaction; sealed, where a secret may be in them."""
    digest = tree_digest(files)
    if run.secret_names:
        digest = keys.hidden(digest, settings.SECRET_KEY)
    rows = Workspace.objects.for_tenant(run.organisation_id).filter(run_id=run.pk)
    if rows.filter(digest=digest).exists() or not (files or rows.exists()):
        return
    content = packed(checked(files))
    rows.update_or_create(
        run_id=run.pk,
        defaults={
            "organisation_id": run.organisation_id,
            "content": sealing.sealed_files(run, content) if run.secret_names else content,
            "digest": digest,
        },
    )
