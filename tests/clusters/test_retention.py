"""The history of badges: in full for ninety days, then a line a day, and never a chain that does not join."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.clusters.models import Transition
from portal.clusters.retention import KEPT, fold_transitions
from tests.clusters.test_pages import make_cluster

ENTITY = uuid.uuid4()


@pytest.fixture
def history(world):
    """history(days ago, "A>B", "B>C", …): changes of one day, an hour apart."""
    with world.tenant():
        cluster = make_cluster(world.acme)

    def write(days_ago, *changes, uid=ENTITY):
        noon = (timezone.now() - timedelta(days=days_ago)).replace(hour=2, minute=0)
        with world.tenant():
            for number, change in enumerate(changes):
                was, became = change.split(">")
                Transition.objects.create(
                    organisation=world.acme,
                    cluster=cluster,
                    entity_uid=uid,
                    entity_ref="component:default/api",
                    was=was,
                    became=became,
                    code="serving",
                    sentence="",
                    at=noon + timedelta(hours=number),
                )

    return write


def told(world, uid=ENTITY):
    with world.tenant():
        rows = Transition.objects.for_tenant(world.acme).filter(entity_uid=uid).order_by("at")
        return [f"{row.was}>{row.became}" for row in rows]


def test_an_old_day_becomes_one_line_and_a_young_one_stays(world, history):
    other = uuid.uuid4()
    history(100, "Unknown>Progressing", "Progressing>Healthy", "Healthy>Down")
    history(100, "Healthy>Down", uid=other)
    history(95, "Down>Healthy", "Healthy>Stuck", "Stuck>Down")
    history(10, "Down>Progressing", "Progressing>Healthy")
    assert timedelta(days=90) == KEPT
    assert fold_transitions() == 5
    assert told(world) == ["Unknown>Down", "Down>Progressing", "Progressing>Healthy"]
    assert told(world, other) == ["Healthy>Down"]
    assert fold_transitions() == 0
