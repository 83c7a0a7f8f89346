"""Many calls of one token at once: none waits for another, and a read writes nothing."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.accounts import api
from portal.accounts.models import ApiToken
from portal.accounts.tenancy import tenant
from tests.githosts.conftest import token_for

__all__ = ["token_for"]
AT_ONCE = 8


def ask(secret: str, path: str = "/api/o/acme/me/") -> int:
    return Client().get(path, headers={"Authorization": f"Bearer {secret}"}).status_code


def used(world):
    with tenant(world.acme):
        return ApiToken.objects.get().last_used_at


@pytest.mark.django_db(transaction=True)
def test_calls_of_one_token_do_not_wait_for_one_another(committed_world, token_for, monkeypatch):
    """All are inside the view at once: with the row locked for the request, the first would keep the others out."""
    secret = token_for(committed_world.dev, committed_world.acme, "read")
    together = threading.Barrier(AT_ONCE, timeout=20)
    get = api.Me.get

    def wait_for_all(self, request, org):
        together.wait()
        return get(self, request, org)

    monkeypatch.setattr(api.Me, "get", wait_for_all)
    answers: list[int] = []

    def call() -> None:
        try:
            answers.append(ask(secret))
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [200] * AT_ONCE
    assert used(committed_world) is not None


@pytest.mark.django_db
def test_a_read_writes_once_a_minute_at_most(world, token_for):
    secret = token_for(world.dev, world.acme, "read")
    assert ask(secret) == 200
    first = used(world)
    with CaptureQueriesContext(connection) as captured:
        assert ask(secret) == 200
    assert not [q["sql"] for q in captured if q["sql"].startswith(("UPDATE", "INSERT", "DELETE"))]
    assert used(world) == first
    with tenant(world.acme):
        ApiToken.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    assert ask(secret) == 200
    assert used(world) > first


@pytest.mark.django_db
def test_a_refused_call_counts_as_use(world, token_for):
    assert ask(token_for(world.dev, world.acme, "read"), "/api/o/acme/audit/") == 403
    assert used(world) is not None


@pytest.mark.django_db
def test_a_token_that_is_not_accepted_is_not_noted(world, token_for):
    secret = token_for(world.dev, world.acme, "read", revoked_at=timezone.now())
    assert ask(secret) == 401
    assert used(world) is None
