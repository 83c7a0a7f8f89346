"""The golden path's own files, as the fetching steps read them, and what they say when they are done."""

from collections.abc import Mapping

from portal.accounts.tenancy import tenant
from portal.goldenpaths.files import File
from portal.provisioning.context import StepContext

MOST_NAMES = 60


def bundle_of(ctx: StepContext) -> dict[str, File]:
    """Every file of the version that the run was launched with."""
    with tenant(ctx.organisation):
        return ctx.version.bundle()


def report(ctx: StepContext, verb: str, before: Mapping[str, File]) -> None:
    """Say which files came or changed."""
    fresh = sorted(path for path, file in ctx.workspace.items() if before.get(path) != file)
    ctx.log(f"{verb} {len(fresh)} {'file' if len(fresh) == 1 else 'files'}.")
    for path in fresh[:MOST_NAMES]:
        ctx.log(f"  {path}")
    if len(fresh) > MOST_NAMES:
        ctx.log(f"  … {len(fresh) - MOST_NAMES} files more")
