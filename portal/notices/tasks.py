"""The one task of the room: a message is a nudge that may be lost, late or doubled."""

import logging

from celery import shared_task
from kombu.exceptions import OperationalError as BrokerAway

from portal.notices.sending.handing import send_due

log = logging.getLogger(__name__)


@shared_task(name="notices.send")
def send(organisation_id: int) -> None:
    """Sends what is due; harmless when delivered twice, or at the same time."""
    if send_due(organisation_id):
        nudge(organisation_id)


def nudge(organisation_id: int) -> bool:
    """Ask a worker to send. False when the broker is away: the sweep asks again."""
    try:
        send.apply_async((organisation_id,), retry=False)
    except BrokerAway as error:
        log.warning("notices of organisation %s wait for the sweep: %s", organisation_id, error)
        return False
    return True
