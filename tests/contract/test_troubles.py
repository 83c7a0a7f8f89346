"""The trouble list through the whole product: a cluster, the live process's watching, Valkey, and what a page reads.

Each trouble is told within 2 s of the moment at which the API server shows it, in the right words; it is no longer told
3 s after the API server shows it mended; and meanwhile its badge does not go to and fro. In the suite the slow ones are
left out; `SLIPWAY_TROUBLES=all pytest tests/contract/test_troubles.py` takes the whole list.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from portal.clusters import actions, status
from portal.clusters.models import Transition
from tests.clusters.conftest import watchers
from tests.conftest import by
from tests.contract.planes import ClusterUnderTest
from tests.contract.troubles import LABEL, Place, Trouble, troubles

TOLD_WITHIN = 2.0
WELL_WITHIN = 3.0
PATIENCE = 120.0
BREATH = 0.1
IS_WHOLE = os.environ.get("SLIPWAY_TROUBLES") == "all"


def _ref(trouble: Trouble) -> str:
    return f"component:default/{trouble.name}"


class Round:
    """All troubles at once, each at its own point of its story."""

    def __init__(self, place: Place, world: Any, listed: list[Trouble]) -> None:
        self.place, self.world, self.listed = place, world, listed
        self.uids = {trouble.name: uuid.uuid4() for trouble in listed}
        self.moments: dict[str, datetime] = {}

    def bind(self) -> None:
        with self.world.tenant():
            for trouble in self.listed:
                actions.set_bindings(self.world.acme, self.uids[trouble.name], _ref(trouble), {LABEL: trouble.name})

    def run(self) -> None:
        for trouble in self.listed:
            trouble.make(self.place)
        end = time.monotonic() + PATIENCE
        while any(not trouble.well_at for trouble in self.listed):
            seen, seen_at = self.place.look(), time.monotonic()
            with self.world.tenant():
                told = status.of_entities(self.world.acme.pk, self.uids.values())
            for trouble in self.listed:
                self._step(trouble, seen, seen_at, told.get(str(self.uids[trouble.name])))
            if time.monotonic() > end:
                break
            time.sleep(BREATH)

    def _step(self, trouble: Trouble, seen: Any, seen_at: float, found: Any) -> None:
        now = time.monotonic()
        trouble.happened_at = trouble.happened_at or (seen_at if trouble.happened(seen) else 0.0)
        is_told = bool(found and found.health.code in trouble.codes and trouble.words in found.sentence)
        if not trouble.told_at:
            if is_told and trouble.happened_at:
                trouble.told_at, trouble.told = now, f"{found.badge}: {found.sentence} {found.hint}"
                self.moments[f"{trouble.name} told"] = datetime.now(UTC)
        elif not trouble.mended_at:
            trouble.badges.append(found.badge if found else "Unknown")
            if now - trouble.told_at >= trouble.holds:
                self.moments[f"{trouble.name} mended"] = datetime.now(UTC)
                trouble.mend(self.place)
                trouble.mended_at = time.monotonic()
        elif not trouble.well_at:
            # a look that was taken before the mending says nothing about it
            trouble.over_at = trouble.over_at or (
                seen_at if seen_at > trouble.mended_at and trouble.is_over(seen) else 0.0
            )
            badge = found.badge if found else "Unknown"
            if trouble.over_at and badge in trouble.well:
                trouble.well_at = now

    def alternations(self, trouble: Trouble) -> list[str]:
        """The badges it wore between being told and being mended, as the history has them."""
        with self.world.tenant():
            rows = Transition.objects.for_tenant(self.world.acme).filter(entity_uid=self.uids[trouble.name])
            told, mended = (self.moments.get(f"{trouble.name} {what}") for what in ("told", "mended"))
            found = rows.filter(at__gt=told, at__lt=mended) if told and mended else rows.none()
            return list(found.order_by("at").values_list("became", flat=True))


@pytest.fixture
def bounded(cluster: ClusterUnderTest, namespace: str) -> Iterator[str]:
    """A second namespace, for a quota."""
    name = f"{namespace}-bounded"
    cluster.api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    cluster.api.until(f"/api/v1/namespaces/{name}/serviceaccounts/default", lambda _: True)
    yield name
    cluster.api.delete(f"/api/v1/namespaces/{name}")


@pytest.mark.slow
def test_every_trouble_is_told_in_time_and_once(
    cluster: ClusterUnderTest, namespace: str, bounded: str, committed_world: Any
) -> None:
    node = cluster.api.json("/api/v1/nodes")["items"][0]["metadata"]["labels"]["kubernetes.io/hostname"]
    listed = [
        trouble for trouble in troubles() if (IS_WHOLE or not trouble.is_slow) and trouble.only in ("", cluster.name)
    ]
    story = Round(Place(cluster, namespace, node, bounded), committed_world, listed)
    with committed_world.tenant():
        actions.register_cluster(
            organisation=committed_world.acme,
            actor=by(committed_world.ada),
            name="Under test",
            kubeconfig=cluster.kubeconfig.read_text(),
        )
    story.bind()
    with watchers():
        story.run()
        time.sleep(1.2)  # the history is written once a second
    report, wrong = [], []
    for trouble in listed:
        late = trouble.told_at - trouble.happened_at
        after = trouble.well_at - trouble.over_at
        report.append(f"{trouble.name:14} told {late:5.2f} s, well {after:5.2f} s  {trouble.told}")
        if not trouble.happened_at:
            wrong.append(f"{trouble.name}: the cluster never showed it")
        elif not trouble.told_at or late > TOLD_WITHIN:
            wrong.append(f"{trouble.name}: not told within {TOLD_WITHIN} s ({late:.2f})")
        elif not trouble.well_at or after > WELL_WITHIN:
            wrong.append(
                f"{trouble.name}: not well within {WELL_WITHIN} s ({after:.2f}, over at {trouble.over_at:.1f})"
            )
        # at most one step, from waiting to worse; never back
        if len(story.alternations(trouble)) > (0 if "crash-loop" in trouble.codes else 1):
            wrong.append(f"{trouble.name}: its badge went {story.alternations(trouble)}")
    print("\n".join(report))
    assert not wrong, "\n".join([*wrong, "", *report])
