"""What an object of Kubernetes may be called: one rule for the review, the run and every address; pure.

A name becomes a segment of the API's path, so `..` or a slash would name another object than the one that was judged.
The shapes are Kubernetes' own ("Object Names and IDs"): a subdomain of DNS for nearly every kind, a label for
namespaces and services, and for access rules whatever fits one segment of a path.
"""

import re

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
MOST = 253
ACCESS_RULES = "rbac.authorization.k8s.io/"


def is_segment(name: str) -> bool:
    """Whether it stands for itself as one segment of a path."""
    return name not in ("", ".", "..") and len(name) <= MOST and not re.search(r"[/%\x00-\x1f\x7f]", name)


def fault(api_version: str, kind: str, name: str) -> str:
    """What is wrong with an object's name, as the end of a sentence; "" when nothing is."""
    if api_version.startswith(ACCESS_RULES):
        return "" if is_segment(name) else f"is none: up to {MOST} characters, neither / nor %, not “.” or “..”"
    if (api_version, kind) == ("v1", "Namespace"):
        return namespace_fault(name)
    if (api_version, kind) == ("v1", "Service"):
        is_right, shape = _SERVICE.fullmatch(name), "up to 63 lower-case letters, digits and -, beginning with a letter"
    else:
        is_right = _SUBDOMAIN.fullmatch(name) if len(name) <= MOST else None
        shape = f"up to {MOST} lower-case letters, digits, - and ., beginning and ending with a letter or digit"
    return "" if is_right else f"is none: {shape}"


def namespace_fault(name: str) -> str:
    """The same for the name of a namespace."""
    return "" if _LABEL.fullmatch(name) else "is none: up to 63 lower-case letters, digits and -"
