"""The reflector on every cluster at hand: what it holds is what a list says, through any change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import pytest

from portal.clusters import kubeconfig
from portal.clusters.errors import KubeError
from portal.clusters.health.judging import Around, judge_key, sentence
from portal.clusters.kube import Kube, connect_target
from portal.clusters.network import resolve
from portal.clusters.store import Key, Store, key_of
from portal.clusters.structs import BY_KIND, WATCHED, KubeObject
from portal.clusters.watching.opening import discover, open_session
from portal.clusters.watching.reflector import ApiConnection, Reflector
from tests.contract.planes import ClusterUnderTest
from tests.contract.test_kube_client import config, deployment

LOOPBACK = ["127.0.0.0/8"]


class Memory:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.store = Store()
        self.lists = 0
        self.events = 0
        self.caught_up: set[str] = set()
        self.errors: list[KubeError] = []
        self.bad: list[Key] = []

    async def replace(self, kind: str, objects: dict[Key, KubeObject]) -> None:
        self.lists += 1
        for key in self.store.keys(kind):
            if key not in objects:
                self.store.drop(key)
        for obj in objects.values():
            self.store.put(obj)

    def put(self, obj: KubeObject) -> None:
        self.events += 1
        self.store.put(obj)

    def drop(self, key: Key) -> None:
        self.events += 1
        self.store.drop(key)

    def followed(self, kind: str) -> None:
        self.caught_up.add(kind)

    def lost(self, kind: str, error: KubeError) -> None:
        self.errors.append(error)

    def quarantined(self, key: Key, reason: str) -> None:
        self.bad.append(key)


async def until(check: Callable[[], Any], seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, f"not within {seconds} s"
        await asyncio.sleep(0.02)
    return found


def opened(cluster: ClusterUnderTest) -> AbstractAsyncContextManager[ApiConnection]:
    target = kubeconfig.parse(cluster.kubeconfig.read_text())
    return open_session(target, resolve(target.server))


@pytest.fixture
def kube(cluster: ClusterUnderTest) -> Kube:
    return connect_target(cluster.name, kubeconfig.parse(cluster.kubeconfig.read_text()))


def names(memory: Memory, kind: str, namespace: str) -> dict[str, str]:
    return {
        key.name: obj.metadata.resource_version
        for obj in memory.store.of_kind(kind)
        if (key := key_of(obj)).namespace == namespace
    }


def listed(kube: Kube, api_version: str, kind: str, namespace: str) -> dict[str, str]:
    found = kube.list(api_version, kind, namespace)
    return {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in found}


async def test_it_serves_what_discovery_says(cluster: ClusterUnderTest) -> None:
    async with opened(cluster) as connection:
        served = await discover(connection)
    for item in WATCHED:
        newest = next((version for version in item.served_as if cluster.serves(version, item.kind)), None)
        assert served.get(item.kind) == newest


async def test_pods_and_deployments_are_followed_as_they_are(
    cluster: ClusterUnderTest, kube: Kube, namespace: str
) -> None:
    memory = Memory()
    async with opened(cluster) as connection:
        reflectors = [
            Reflector(connection, BY_KIND[kind], version, memory, asyncio.Semaphore(4))
            for kind, version in (("Pod", "v1"), ("Deployment", "apps/v1"))
        ]
        tasks = [asyncio.create_task(reflector.run()) for reflector in reflectors]
        await until(lambda: {"Pod", "Deployment"} <= memory.caught_up)
        await asyncio.to_thread(kube.apply, deployment(namespace))
        await until(lambda: len(names(memory, "Pod", namespace)) == 2)
        await asyncio.to_thread(kube.patch_scale, "apps/v1", "Deployment", namespace, "web", 1)
        await until(lambda: len(names(memory, "Pod", namespace)) == 1)

        def is_true() -> bool:
            return names(memory, "Pod", namespace) == listed(kube, "v1", "Pod", namespace) and names(
                memory, "Deployment", namespace
            ) == listed(kube, "apps/v1", "Deployment", namespace)

        await until(is_true)
        for task in tasks:
            task.cancel()
    assert memory.bad == []
    assert memory.errors == []


@pytest.mark.parametrize("streams", [True, False], ids=["streamed list", "pages"])
async def test_both_ways_of_listing_agree(cluster: ClusterUnderTest, kube: Kube, namespace: str, streams: bool) -> None:
    memory = Memory()
    await asyncio.to_thread(kube.apply, deployment(namespace))
    async with opened(cluster) as connection:
        connection.streams_lists = streams
        task = asyncio.create_task(
            Reflector(connection, BY_KIND["Namespace"], "v1", memory, asyncio.Semaphore(1)).run()
        )
        await until(lambda: "Namespace" in memory.caught_up)
        task.cancel()
    assert memory.lists == 1
    assert {key.name for key in memory.store.keys("Namespace")} >= {"default", "kube-system", namespace}


async def test_a_list_is_read_through_all_its_pages(
    cluster: ClusterUnderTest, kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.clusters.watching.reflector.PAGE", 2)
    memory = Memory()
    async with opened(cluster) as connection:
        connection.streams_lists = False
        task = asyncio.create_task(
            Reflector(connection, BY_KIND["Namespace"], "v1", memory, asyncio.Semaphore(1)).run()
        )
        await until(lambda: "Namespace" in memory.caught_up)
        task.cancel()
    assert (memory.lists, memory.errors) == (1, [])
    assert {key.name for key in memory.store.keys("Namespace")} >= {"default", "kube-system", "kube-public", namespace}


async def test_every_kind_that_is_served_can_be_read(cluster: ClusterUnderTest, kube: Kube, namespace: str) -> None:
    await asyncio.to_thread(kube.apply, deployment(namespace))
    memory = Memory()
    async with opened(cluster) as connection:
        served = await discover(connection)
        tasks = [
            asyncio.create_task(
                Reflector(connection, BY_KIND[kind], version, memory, asyncio.Semaphore(4)).run(), name=kind
            )
            for kind, version in served.items()
        ]
        await until(lambda: set(served) <= memory.caught_up)
        await until(lambda: len(names(memory, "Pod", namespace)) == 2)
        for task in tasks:
            task.cancel()
    assert memory.errors == []
    assert memory.bad == []


async def test_a_kind_that_never_changes_is_not_called_silent(cluster: ClusterUnderTest) -> None:
    memory = Memory()
    async with opened(cluster) as connection:
        connection.silence = 1.0
        asked: list[dict[str, str]] = []
        get = connection.get

        def noted(path: str, params: dict[str, str], *, read: float) -> AbstractAsyncContextManager[Any]:
            asked.append(params)
            return get(path, params, read=read)

        connection.get = noted  # type: ignore[method-assign]
        kind = BY_KIND["PersistentVolumeClaim"]
        task = asyncio.create_task(Reflector(connection, kind, "v1", memory, asyncio.Semaphore(1)).run())
        await until(lambda: sum(params.get("limit") == "1" for params in asked) >= 2)
        task.cancel()
    assert (memory.lists, memory.errors) == (1, [])


async def test_a_version_that_is_gone_leads_to_a_new_list(
    cluster: ClusterUnderTest, kube: Kube, namespace: str
) -> None:
    memory = Memory()
    async with opened(cluster) as connection:
        reflector = Reflector(connection, BY_KIND["Service"], "v1", memory, asyncio.Semaphore(1))
        reflector.backoff.first = 0.01
        reflector.version = "1"
        task = asyncio.create_task(reflector.run())
        # where version 1 is still at hand, the watch simply begins there
        await until(lambda: "Service" in memory.caught_up)
        await until(lambda: Key("Service", "default", "kubernetes") in memory.store.keys("Service"))
        task.cancel()


async def test_warnings_alone_are_followed(cluster: ClusterUnderTest, kube: Kube, namespace: str) -> None:
    memory = Memory()
    async with opened(cluster) as connection:
        task = asyncio.create_task(Reflector(connection, BY_KIND["Event"], "v1", memory, asyncio.Semaphore(1)).run())
        await until(lambda: "Event" in memory.caught_up)
        huge = deployment(namespace, replicas=1)
        huge["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "5000"}}
        await asyncio.to_thread(kube.apply, huge)
        await until(lambda: any(item.metadata.namespace == namespace for item in memory.store.of_kind("Event")))
        task.cancel()
    assert {getattr(item, "type", "") for item in memory.store.of_kind("Event")} == {"Warning"}


async def test_objects_that_come_and_go_at_once_end_as_the_list_says(
    cluster: ClusterUnderTest, kube: Kube, namespace: str
) -> None:
    memory = Memory()
    async with opened(cluster) as connection:
        task = asyncio.create_task(Reflector(connection, BY_KIND["Service"], "v1", memory, asyncio.Semaphore(1)).run())
        await until(lambda: "Service" in memory.caught_up)

        def churn() -> None:
            for number in range(12):
                service = {
                    **config(namespace, f"s{number}"),
                    "kind": "Service",
                    "spec": {"ports": [{"port": 80, "protocol": "TCP"}]},
                }
                del service["data"]
                kube.apply(service)
                if number % 3:
                    kube.delete("v1", "Service", namespace, f"s{number}")

        await asyncio.to_thread(churn)
        await until(lambda: names(memory, "Service", namespace) == listed(kube, "v1", "Service", namespace))
        task.cancel()
    assert len(names(memory, "Service", namespace)) == 4


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Job"])
async def test_a_quota_is_told_as_the_reason_why_there_are_no_pods(
    cluster: ClusterUnderTest, kube: Kube, namespace: str, kind: str
) -> None:
    quota = {**config(namespace, "none"), "kind": "ResourceQuota", "spec": {"hard": {"pods": "0"}}}
    del quota["data"]
    await asyncio.to_thread(kube.apply, quota)
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    await asyncio.to_thread(cluster.api.until, f"{path}/none", lambda obj: obj.get("status", {}).get("hard"))
    workload = {**deployment(namespace, replicas=1), "kind": kind}
    if kind == "StatefulSet":
        workload["spec"]["serviceName"] = "web"
    elif kind == "DaemonSet":
        del workload["spec"]["replicas"]
    elif kind == "Job":
        template = {"spec": {**workload["spec"]["template"]["spec"], "restartPolicy": "Never"}}
        workload |= {"apiVersion": "batch/v1", "spec": {"template": template}}
    memory = Memory()
    async with opened(cluster) as connection:
        tasks = [
            asyncio.create_task(
                Reflector(connection, BY_KIND[name], BY_KIND[name].served_as[0], memory, asyncio.Semaphore(4)).run()
            )
            for name in (kind, "ReplicaSet", "Pod", "Event")
        ]
        await asyncio.to_thread(kube.apply, workload)

        def told() -> str:
            health = judge_key(Key(kind, namespace, "web"), Around(memory.store, datetime.now(UTC)))
            return sentence(health) if health.code == "quota-exceeded" else ""

        words = await until(told)
        for task in tasks:
            task.cancel()
    assert words == "The namespace's quota none is used up: asked for pods=1, used pods=0, limited to pods=0."
