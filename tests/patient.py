"""A worker at hand: most tests here lie in one transaction that no other process sees, so they take its turns.

That a real worker does the same, and that nobody waits inside a transaction, tests/jobs and test_outside.py show.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from portal.jobs import waiting
from portal.jobs.models import Job

JOB_PAGE = re.compile(r"^/o/(?P<org>[^/]+)/jobs/[0-9a-f-]{36}/$")
# The form again, or a review: that is what the browser asked for.
LEADS_TO = re.compile(r"\?job=|/review/[0-9a-f-]{36}/$")


class Patient(Client):
    """A browser that stays on a job's page until it leads on: to the form again, or with a redirect to the result."""

    worlds: dict[str, Any]
    do_jobs: Callable[[Any], list[Any]]

    def post(self, *args: Any, **kwargs: Any) -> Any:
        answer = super().post(*args, **kwargs)
        match = JOB_PAGE.match(answer.get("Location", ""))
        if match is None:
            return answer
        self.do_jobs(self.worlds[match["org"]])
        led = self.get(answer["Location"])
        return self.get(led["Location"]) if LEADS_TO.search(led.get("Location", "")) else led


@pytest.fixture
def client_for(db: None, request: pytest.FixtureRequest, do_jobs: Any) -> Callable[[Any], Client]:
    def sign_in(user: Any) -> Client:
        world = request.getfixturevalue("committed_world" if "committed_world" in request.fixturenames else "world")
        client = Patient()
        client.worlds = {"acme": world.acme, "rival": world.rival}
        client.do_jobs = do_jobs
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return sign_in


@pytest.fixture(autouse=True)
def who_waits_lets_the_worker_begin(monkeypatch: pytest.MonkeyPatch, do_jobs: Any) -> None:
    real = waiting.wait

    def wait(organisation_id: int, uid: Any, seconds: float) -> Job:
        if not connection.in_atomic_block:
            return real(organisation_id, uid, seconds)
        do_jobs(organisation_id)
        found: Job = Job.objects.get(uid=uid)
        return found

    monkeypatch.setattr(waiting, "wait", wait)
