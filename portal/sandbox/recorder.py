"""Events as components report them: repeated ones are counted, old ones dropped."""

import itertools
from collections import OrderedDict
from datetime import datetime

from portal.sandbox import clock
from portal.sandbox.kinds import EVENT, NAMESPACE
from portal.sandbox.store import Object, Store

# A real server keeps events for an hour; the sandbox keeps this many.
LIMIT = 5_000
Key = tuple[str, ...]


class Recorder:
    """Writes events about objects."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known: OrderedDict[Key, tuple[str, str]] = OrderedDict()
        self._numbers = itertools.count(int(clock.now().timestamp() * 1_000_000))

    def normal(self, obj: Object, reason: str, message: str, component: str, path: str = "", host: str = "") -> None:
        self._record("Normal", obj, reason, message, component, path, host)

    def warning(self, obj: Object, reason: str, message: str, component: str, path: str = "", host: str = "") -> None:
        self._record("Warning", obj, reason, message, component, path, host)

    def _record(self, kind: str, obj: Object, reason: str, message: str, component: str, path: str, host: str) -> None:
        metadata = obj["metadata"]
        namespace = metadata.get("namespace", "default")
        if self.store.get(NAMESPACE, "", namespace) is None:
            return
        key = (metadata["uid"], kind, reason, message, component, path)
        now = clock.now()
        known = self._known.get(key)
        seen = self.store.get(EVENT, *known) if known else None
        if seen:
            count = seen.get("count", 1) + 1
            again = seen | {"metadata": dict(seen["metadata"]), "count": count, "lastTimestamp": clock.stamp(now)}
            self.store.put(EVENT, again)
            self._known.move_to_end(key)
            return
        event = self._event(kind, obj, reason, message, component, path, host, now)
        self.store.put(EVENT, event)
        self._known[key] = (namespace, event["metadata"]["name"])
        while len(self._known) > LIMIT:
            _, old = self._known.popitem(last=False)
            self.store.remove(EVENT, *old)

    def _event(
        self,
        kind: str,
        obj: Object,
        reason: str,
        message: str,
        component: str,
        path: str,
        host: str,
        now: datetime,
    ) -> Object:
        metadata, time = obj["metadata"], clock.stamp(now)
        involved = {
            "kind": obj["kind"],
            "apiVersion": obj["apiVersion"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        }
        if metadata.get("namespace"):
            involved["namespace"] = metadata["namespace"]
        if path:
            involved["fieldPath"] = path
        number = next(self._numbers)
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name']}.{number:x}",
                "namespace": metadata.get("namespace", "default"),
                "uid": f"{number:032x}"[-32:],
                "creationTimestamp": time,
            },
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "source": {"component": component} | ({"host": host} if host else {}),
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
            "type": kind,
            "eventTime": None,
            "reportingComponent": component,
            "reportingInstance": host,
        }
