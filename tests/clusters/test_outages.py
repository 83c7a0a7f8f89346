"""What goes away under live, and comes back: its owner frozen, its cluster killed, its credential revoked."""

import json
import os
import signal
import sys
import time
import uuid

import pytest

from portal.clusters import actions, status
from portal.clusters.models import LIMITED, SYNCED, UNAUTHORIZED, UNREACHABLE, Cluster, Transition
from portal.clusters.watching import opening
from portal.kit.valkey import valkey
from tests.clusters.conftest import until, watchers
from tests.clusters.test_live import deployment
from tests.conftest import by, free_port

ENTITY = uuid.uuid4()
LIVE = [sys.executable, "manage.py", "live"]


class KeptSandbox:
    """A sandbox that keeps its state in a file, so that it can be killed and come back as the same cluster."""

    def __init__(self, start_process, folder):
        self.start_process, self.folder = start_process, folder
        self.kubeconfig, self.state = folder / "kubeconfig", folder / "state.json"
        self.port = free_port()
        self.process = None

    def start(self):
        argv = [sys.executable, "-m", "portal.sandbox", "--port", str(self.port), "--kubeconfig", str(self.kubeconfig)]
        self.process = self.start_process("kept-sandbox", [*argv, "--state", str(self.state), "--speed", "5"])
        self.process.wait_for("Kubernetes API at")

    def kill(self):
        self.process.popen.kill()
        self.process.popen.wait(5)

    def revoke(self):
        """Stops it and gives its users other tokens, as after a rotation."""
        self.process.stop()
        identity = self.state.with_name("state.json.identity")
        known = json.loads(identity.read_text())
        identity.write_text(json.dumps({**known, "admin": f"rotated-{known['admin']}"}))


@pytest.fixture
def kept(start_process, tmp_path):
    sandbox = KeptSandbox(start_process, tmp_path)
    sandbox.start()
    return sandbox


@pytest.fixture
def sandbox_kubeconfig(kept):
    return kept.kubeconfig


@pytest.fixture
def bound(committed_world, cluster):
    with committed_world.tenant():
        actions.set_bindings(
            committed_world.acme, ENTITY, "component:default/shop", {"backstage.io/kubernetes-id": "shop"}
        )


def badge(world):
    with world.tenant():
        return status.of_entity(world.acme.pk, ENTITY).badge


def is_worn(world, word):
    return lambda: badge(world) == word


def row(world):
    with world.tenant():
        return Cluster.objects.for_tenant(world.acme).get()


def is_in(world, state):
    return lambda: (found := row(world)).state == state and found


@pytest.mark.slow
def test_a_frozen_owner_is_replaced_and_is_not_heard_when_it_thaws(
    committed_world, cluster, bound, kube, start_process
):
    quick = {"CLUSTER_LEASE_SECONDS": "3"}
    frozen = start_process("live-frozen", LIVE, **quick)
    kube.apply(deployment())
    until(is_worn(committed_world, "Healthy"), "the first process watches", 30)
    other = start_process("live-other", LIVE, **quick)
    other.wait_for("live process ready")
    assert f":{frozen.popen.pid}:" in row(committed_world).lease_owner
    key = status.hash_key(committed_world.acme.pk, cluster.uid)
    before = int(valkey().hget(key, status.EPOCH_FIELD))

    os.kill(frozen.popen.pid, signal.SIGSTOP)
    try:
        until(lambda: int(valkey().hget(key, status.EPOCH_FIELD)) > before, "the second process took over", 40)
        kube.apply(deployment(image="registry.example/shop:crash"))
        # Without a readiness probe a crashing pod counts as available for a moment, and the old ones go.
        until(is_worn(committed_world, "Down"), "the second process tells the truth", 30)
    finally:
        os.kill(frozen.popen.pid, signal.SIGCONT)
    kube.apply(deployment(image="registry.example/shop:2"))
    until(is_worn(committed_world, "Healthy"), "mended")
    # The thawed one has its old memory and its old epoch: nothing of it may be seen.
    end = time.monotonic() + 6
    while time.monotonic() < end:
        assert int(valkey().hget(key, status.EPOCH_FIELD)) == before + 1
        assert badge(committed_world) == "Healthy"
        time.sleep(0.05)
    assert f":{other.popen.pid}:" in row(committed_world).lease_owner

    # It is no zombie either: when the other ends, it watches again, in an epoch of its own.
    other.stop()
    kube.apply(deployment(image="registry.example/shop:oom"))
    until(is_worn(committed_world, "Down"), "the thawed process watches again", 40)
    assert f":{frozen.popen.pid}:" in row(committed_world).lease_owner
    assert int(valkey().hget(key, status.EPOCH_FIELD)) == before + 2


def test_a_killed_cluster_is_unknown_in_words_and_heals_when_it_is_back(committed_world, cluster, bound, kube, kept):
    with watchers():
        kube.apply(deployment())
        until(is_worn(committed_world, "Healthy"), "healthy")
        until(lambda: kept.state.exists() and "shop" in kept.state.read_text(), "the sandbox has kept it")
        kept.kill()
        until(is_worn(committed_world, "Unknown"), "unknown")
        found = until(is_in(committed_world, UNREACHABLE), "the row says so")
        assert found.state_text == "The cluster refuses the connection."
        kept.start()
        until(is_worn(committed_world, "Healthy"), "healed", 40)
        until(is_in(committed_world, SYNCED), "the row says so")


def test_a_revoked_credential_is_told_and_a_new_one_is_used_at_once(committed_world, cluster, bound, kube, kept):
    with watchers():
        kube.apply(deployment())
        until(is_worn(committed_world, "Healthy"), "healthy")
        kept.revoke()
        kept.start()
        found = until(is_in(committed_world, UNAUTHORIZED), "the row says so", 40)
        assert "does not accept Slipway's credential" in found.state_text
        assert badge(committed_world) == "Unknown"
        with committed_world.tenant():
            actions.replace_credential(
                organisation=committed_world.acme,
                actor=by(committed_world.ada),
                cluster=found,
                kubeconfig=kept.kubeconfig.read_text(),
            )
        until(is_worn(committed_world, "Healthy"), "healed by the new credential", 20)


def test_kinds_that_may_not_be_watched_are_named_and_the_rest_works(committed_world, kube, kept):
    with committed_world.tenant():
        limited = actions.register_cluster(
            organisation=committed_world.acme,
            actor=by(committed_world.ada),
            name="Sandbox",
            kubeconfig=kept.kubeconfig.with_name("kubeconfig.viewer.kubeconfig").read_text(),
        )
        actions.set_bindings(
            committed_world.acme, ENTITY, "component:default/shop", {"backstage.io/kubernetes-id": "shop"}
        )
    assert "may not watch nodes" in limited.advice
    with watchers():
        kube.apply(deployment())
        until(is_worn(committed_world, "Healthy"), "what may be seen is judged")
        found = until(is_in(committed_world, LIMITED), "the row says so")
        assert "nodes is forbidden" in found.state_text
        kinds = status.of_clusters([limited])[limited.pk].kinds
    assert [item.kind for item in kinds if not item.is_followed] == ["Node"]


def test_a_cluster_that_falls_silent_is_unknown_on_every_kind_and_heals(
    committed_world, cluster, bound, kube, kept, monkeypatch
):
    """Stopped, not dead: the kernel still takes what is sent to it, and no stream of it ever breaks."""
    assert opening.PROBE_AFTER + opening.PROBE_TICK + opening.PROBE_PATIENCE <= 12
    monkeypatch.setattr(opening, "PROBE_AFTER", 0.3)
    monkeypatch.setattr(opening, "PROBE_TICK", 0.1)
    monkeypatch.setattr(opening, "PROBE_PATIENCE", 0.5)
    monkeypatch.setattr(opening, "PROBE_AGAIN", 0.1)
    with watchers():
        kube.apply(deployment())
        until(is_worn(committed_world, "Healthy"), "healthy")
        os.kill(kept.process.popen.pid, signal.SIGSTOP)
        try:
            until(is_worn(committed_world, "Unknown"), "unknown", 10)
            found = until(is_in(committed_world, UNREACHABLE), "the row says so")
            assert found.state_text == "The cluster has gone silent."
        finally:
            os.kill(kept.process.popen.pid, signal.SIGCONT)
        until(is_worn(committed_world, "Healthy"), "healed")
        # and it is followed again, not merely believed
        kube.apply(deployment(image="registry.example/shop:crash"))
        until(lambda: badge(committed_world) not in ("Healthy", "Unknown"), "its news are heard")


@pytest.mark.slow
def test_a_killed_live_process_is_stale_within_ten_seconds_and_the_next_one_knows_what_it_knew(
    committed_world, cluster, bound, kube, start_process
):
    first = start_process("live-first", LIVE, CLUSTER_LEASE_SECONDS="5")
    kube.apply(deployment(image="registry.example/shop:crash"))
    until(is_worn(committed_world, "Down"), "it crashes again and again", 30)
    key = status.hash_key(committed_world.acme.pk, cluster.uid)

    def remembered():
        return {name for name in valkey().hkeys(key) if name.startswith(status.MEMORY_FIELD.encode())}

    until(remembered, "what is known of its past is kept")
    history = transitions(committed_world)
    first.popen.kill()
    killed = time.monotonic()
    until(is_worn(committed_world, "Unknown"), "stale", 10)
    assert time.monotonic() - killed <= 10
    start_process("live-second", LIVE)
    until(is_worn(committed_world, "Down"), "the next one says the same", 30)
    assert remembered()
    assert transitions(committed_world)[: len(history)] == history
    assert "Healthy" not in [became for _, became in transitions(committed_world)[len(history) :]]


def transitions(world):
    with world.tenant():
        return list(Transition.objects.for_tenant(world.acme).order_by("pk").values_list("was", "became"))


def test_what_ships_takes_over_a_killed_live_process_within_ten_seconds() -> None:
    """Whoever is next asks when the lease has ended, and at most one turn of renewing later."""
    from portal.clusters.watching import hub, leases

    assert leases.LEASE.total_seconds() + hub.RENEW_EVERY < 10
    assert leases.LEASE.total_seconds() > hub.RENEW_EVERY * 2, "one late renewal loses nothing"
