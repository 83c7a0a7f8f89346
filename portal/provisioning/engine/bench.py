"""The workspace between two steps: the files of a run as gzipped tar in its row. The end of the run takes it away."""

from collections.abc import Mapping

from django.conf import settings

from portal.goldenpaths.files import File, checked, tree_digest
from portal.goldenpaths.packing import packed, unpacked
from portal.provisioning.engine import keys, sealing
from portal.provisioning.models import Run, Workspace


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
