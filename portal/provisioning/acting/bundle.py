"""What the fetching actions say when they are done, and the files they read."""

from collections.abc import Mapping

from portal.accounts.tenancy import tenant
from portal.goldenpaths.files import File
from portal.goldenpaths.vocabulary import TEXT, Schema
from portal.provisioning.acting.contract import StepContext

MOST_NAMES = 60
SOURCE: dict[str, Schema] = {"url": TEXT, "targetPath": TEXT, "token": TEXT}


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
