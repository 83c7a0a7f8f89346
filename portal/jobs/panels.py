"""The fragment of a job: the same for its page, for its live topic, and for a page of another room that shows it."""

from typing import Any
from uuid import UUID

from django.template.loader import render_to_string

from portal.accounts.models import Organisation
from portal.jobs.models import Job
from portal.kit.announcing import TopicKind, register_topic


def context(organisation: Organisation, job: Job) -> dict[str, Any]:
    """What the fragment shows. The rest of a job, such as its result, is for its own person."""
    return {"org": organisation, "job": job}


def job_html(organisation: Organisation, key: str) -> str | None:
    """The fragment of the topic `job:<uid>`."""
    try:
        uid = UUID(key)
    except ValueError:
        return None
    found = Job.objects.for_tenant(organisation).defer("payload", "result").filter(uid=uid).first()
    return render_to_string("jobs/_job.html", context(organisation, found)) if found else None


def register() -> None:
    """Makes the topic known."""
    register_topic(TopicKind("job", "org.view", job_html))
