"""Pod logs: made up when they are asked for, the same every time, in step with the container's life."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from portal.sandbox import clock, faults
from portal.sandbox.kinds import POD
from portal.sandbox.store import Object, Store

_EVERY = 6.0
_LONGEST = 2_000
_PATHS = ("/", "/healthz", "/readyz", "/api/items", "/api/items/42", "/metrics", "/api/orders?state=open")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log and its time."""

    at: datetime
    message: str

    def text(self, *, timestamps: bool) -> str:
        prefix = self.at.strftime("%Y-%m-%dT%H:%M:%S.%f000Z ") if timestamps else ""
        return f"{prefix}{self.message}\n"


def _state(pod: Object, container: str) -> Object:
    status = pod.get("status", {})
    entries = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    return next((entry for entry in entries if entry["name"] == container), {})


class Logs:
    """Reads the logs of the sandbox's containers."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def read(self, pod: Object, container: str, *, previous: bool = False) -> list[Line]:
        """The log of the running container, or of the last one that ended."""
        entry = _state(pod, container)
        state = entry.get("state") or {}
        ended = (entry.get("lastState") or {}).get("terminated") or {}
        if previous or ("running" not in state and "terminated" not in state):
            span = ended
        else:
            span = state.get("running") or state.get("terminated") or {}
        if not span.get("startedAt"):
            return []
        start = clock.parse(span["startedAt"])
        end = clock.parse(span["finishedAt"]) if span.get("finishedAt") else clock.now()
        return self._between(pod, container, start, end, span)

    def _between(self, pod: Object, container: str, start: datetime, end: datetime, span: Object) -> list[Line]:
        spec = pod["spec"]
        found = [*spec.get("initContainers", ()), *spec["containers"]]
        image = next((item["image"] for item in found if item["name"] == container), "")
        init = any(item["name"] == container for item in spec.get("initContainers", ()))
        lines = _opening(image, container, start, next((item for item in found if item["name"] == container), {}))
        if "finishedAt" in span:
            return lines + _ending(image, span, max(end, lines[-1].at))
        if init or spec.get("restartPolicy") != "Always":
            return [*lines, Line(lines[-1].at, f"{container}: working")]
        seed = hashlib.sha256(f"{pod['metadata']['uid']}{container}".encode()).digest()
        count = int((end - start).total_seconds() / _EVERY)
        return lines + [_request(seed, start, number) for number in range(max(1, count - _LONGEST), count + 1)]

    @staticmethod
    def since(lines: list[Line], seconds: int) -> list[Line]:
        first = clock.now() - timedelta(seconds=seconds)
        return [line for line in lines if line.at >= first]

    async def follow(self, namespace: str, name: str, container: str) -> AsyncIterator[Line]:
        """Lines as they come, until the container or the pod is gone."""
        pod = self.store.get(POD, namespace, name)
        last = clock.now()
        while pod and "running" in (_state(pod, container).get("state") or {}):
            for line in self.read(pod, container):
                if line.at > last:
                    last = line.at
                    yield line
            started = clock.parse(_state(pod, container)["state"]["running"]["startedAt"])
            passed = (clock.now() - started).total_seconds()
            await asyncio.sleep(_EVERY - passed % _EVERY + 0.01)
            pod = self.store.get(POD, namespace, name)


def _opening(image: str, container: str, start: datetime, spec: dict[str, Any]) -> list[Line]:
    port = next((item["containerPort"] for item in spec.get("ports", ())), 8000)
    words = [f"{container}: starting {image}", f"{container}: configuration read from the environment"]
    if spec.get("ports"):
        words.append(f"{container}: listening on 0.0.0.0:{port}")
    return [Line(start + timedelta(milliseconds=40 * number), text) for number, text in enumerate(words)]


def _ending(image: str, span: Object, end: datetime) -> list[Line]:
    if span.get("reason") == "OOMKilled":
        return [
            Line(end, "loading the working set into memory: 61%"),
            Line(end, "loading the working set into memory: 88%"),
        ]
    if span.get("exitCode"):
        return [
            Line(end, "Traceback (most recent call last):"),
            Line(end, '  File "/app/main.py", line 41, in <module>'),
            Line(end, '    connect(os.environ["DATABASE_URL"])'),
            Line(end, "KeyError: 'DATABASE_URL'"),
        ]
    return [Line(end, "done" if faults.of_image(image) != "crash" else "stopping")]


def _request(seed: bytes, start: datetime, number: int) -> Line:
    chance = random.Random(seed + number.to_bytes(4, "big"))  # noqa: S311 (a picture of traffic, no secret)
    path, took = chance.choice(_PATHS), chance.uniform(0.8, 24)
    status = 200 if chance.random() > 0.02 else 404
    text = f'10.244.0.{chance.randint(2, 9)} "GET {path} HTTP/1.1" {status} {chance.randint(2, 4800)} {took:.1f}ms'
    return Line(start + timedelta(seconds=number * _EVERY), text)
