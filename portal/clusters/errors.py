"""What a cluster can refuse, each as a sentence for the person and a class for the program."""

from __future__ import annotations

from typing import Any

from portal.kit.errors import Away, Refusal


class KubeError(Refusal):
    """Anything that a cluster did not do for us."""

    code = "cluster"
    status = 502


class KubeUnreachable(KubeError, Away):
    """No answer, or none that means anything: trying again later is sensible."""

    code = "cluster-unreachable"
    status = 503


class KubeUnauthorized(KubeError):
    """The cluster does not accept our credential."""

    code = "cluster-unauthorized"


class KubeForbidden(KubeError):
    """The cluster knows us, and does not let us."""

    code = "cluster-forbidden"


class KubeNotFound(KubeError):
    """The object, or the namespace it should be in, is not there."""

    code = "cluster-not-found"
    status = 404


class KubeNotServed(KubeError):
    """The cluster does not know this kind, in this version."""

    code = "cluster-kind-not-served"
    status = 422


class KubeInvalid(KubeError):
    """The cluster understood the object and will never take it as it is."""

    code = "cluster-invalid"
    status = 422


class KubeConflict(KubeError):
    """Somebody else holds fields that we would change. `fields` says which and who: [{field, manager}]."""

    code = "cluster-conflict"
    status = 409

    def __init__(self, text: str, *, fields: list[dict[str, str]] | None = None, **more: Any) -> None:
        super().__init__(text, detail={"fields": fields or []}, **more)
        self.fields = fields or []


class KubeExists(KubeConflict):
    """Something stands there already where something new was to be made."""

    code = "cluster-exists"
