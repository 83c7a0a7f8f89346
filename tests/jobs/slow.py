"""A kind of job whose first attempt takes longer than its worker lives."""

import time
from pathlib import Path

from portal.accounts.tenancy import tenant
from portal.jobs.registry import JobDone
from portal.jobs.work import Work


def slow(work: Work) -> JobDone:
    """Notes each beginning; hangs in the first."""
    begun = int(work.notes.get("begun", 0)) + 1
    with tenant(work.organisation):
        work.note(begun=begun)
    Path(work.arguments["file"]).write_text(str(begun))
    if begun == 1:
        time.sleep(60)
    return JobDone("Done.")
