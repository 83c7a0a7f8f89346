"""The tasks of runs: a message is a wake-up that may be lost, late or doubled; and looking for a review."""

import logging
from typing import Any

from celery import shared_task
from kombu.exceptions import OperationalError as BrokerAway

from portal.provisioning.acting import standing
from portal.provisioning.engine.advance import advance

log = logging.getLogger(__name__)


@shared_task(name="provisioning.advance_run")
def advance_run(organisation_id: int, run_id: int) -> None:
    """Take the run one step further, and nudge again while there is more to do."""
    if advance(organisation_id, run_id):
        nudge(organisation_id, run_id)


@shared_task(name=standing.TASK)
def look(organisation_id: int, key: str, cluster_id: int, question: dict[str, Any]) -> None:
    """Look for a review; nobody may be waiting any more, and then the answer expires."""
    standing.answer(organisation_id, key, cluster_id, question)


def nudge(organisation_id: int, run_id: int) -> bool:
    """Ask a worker to look at the run. False when the broker is away: the sweeper asks again later."""
    return send(advance_run, organisation_id, run_id)


def send(task: Any, *arguments: int) -> bool:
    """Hand a message to the broker, or say that it is away."""
    try:
        task.apply_async(arguments, retry=False)
    except BrokerAway as error:
        log.warning("message %s%s lost: %s", task.name, arguments, error)
        return False
    return True
