"""The one task of a run: a message is a wake-up that may be lost, late or doubled."""

import logging
from typing import Any

from celery import shared_task
from kombu.exceptions import OperationalError as BrokerAway

from portal.provisioning.engine.advance import advance

log = logging.getLogger(__name__)


@shared_task(name="provisioning.advance_run")
def advance_run(organisation_id: int, run_id: int) -> None:
    """Take the run one step further, and nudge again while there is more to do."""
    if advance(organisation_id, run_id):
        nudge(organisation_id, run_id)


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
