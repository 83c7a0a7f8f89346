"""The one task of golden paths: asking a cluster what it serves, which only a worker can."""

from celery import shared_task

from portal.goldenpaths import discovery


@shared_task(name=discovery.TASK)
def discover(organisation_id: int, key: str, cluster_id: int, kinds: list[list[str]]) -> None:
    """Answer a preview's question; nobody may be waiting any more, and then the answer expires."""
    discovery.answer(organisation_id, key, cluster_id, kinds)
