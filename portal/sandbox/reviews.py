"""Questions about oneself: SelfSubjectAccessReview and SelfSubjectReview."""

from typing import Any

from portal.sandbox.auth import User

_ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def review(path: str, body: dict[str, Any], user: User) -> dict[str, Any] | None:
    """The answered review, or None if the path is no review."""
    if path == _SELF:
        return {
            "kind": "SelfSubjectReview",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {},
            "status": {"userInfo": user.document()},
        }
    if path != _ACCESS:
        return None
    asked = (body.get("spec") or {}).get("resourceAttributes") or {}
    verb, resource = asked.get("verb", ""), asked.get("resource", "")
    allowed = user.may(verb, resource, asked.get("subresource", ""), asked.get("namespace", ""))
    return {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": body.get("spec") or {},
        "status": {"allowed": allowed, "reason": f"the sandbox's role {user.role}"},
    }
