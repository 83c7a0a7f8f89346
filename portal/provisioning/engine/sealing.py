"""A run's secrets at rest: sealed by whoever takes the answers, opened by workers alone, gone when the run ends."""

from collections.abc import Mapping

from portal.clusters.credentials import Place, seal, unseal
from portal.provisioning.models import Run


def _place(organisation_id: int, idempotency_key: str) -> Place:
    """What the sealed text is bound to: it opens for no other run."""
    return Place(organisation_id, f"run {idempotency_key}", server="", ca="")


def sealed(organisation_id: int, idempotency_key: str, secrets: Mapping[str, str]) -> str:
    """The secrets as text that the web process cannot read back; empty for none."""
    return seal(dict(secrets), _place(organisation_id, idempotency_key)) if secrets else ""


def secrets_of(run: Run) -> dict[str, str]:
    """The run's secrets; only a worker can ask."""
    return unseal(run.secrets, _place(run.organisation_id, run.idempotency_key)) if run.secrets else {}
