"""Trouble to order: an image's tag says what goes wrong with its container."""

from typing import Any

FAULTS = ("crash", "bad-image", "nonexistent", "oom", "slow", "unschedulable", "config-error", "not-ready")


def tag(image: str) -> str:
    last = image.split("@")[0].rsplit("/", 1)[-1]
    return last.partition(":")[2]


def of_image(image: str) -> str:
    """The fault that an image's tag asks for: `web:crash`, `web:oom-2`; otherwise empty."""
    text = tag(image)
    found = next((fault for fault in FAULTS if text == fault or text.startswith(f"{fault}-")), "")
    return "bad-image" if found == "nonexistent" else found


def of_spec(spec: dict[str, Any]) -> str:
    """The first fault among a pod's containers."""
    found = (of_image(container["image"]) for container in spec.get("containers", ()))
    return next((fault for fault in found if fault), "")
