"""What a run knows in confidence, at rest: sealed by whoever takes the answers, opened by workers, gone at the end."""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from portal.clusters.credentials import CredentialPlace, seal, unseal
from portal.goldenpaths.questions.unseen import PREFIX, Place, replaced, unseen_in
from portal.kit.errors import Unavailable
from portal.provisioning.models import Run
from portal.provisioning.redaction import leaves

# Before sealed files: the length of the sealed key that follows, in four bytes, then a nonce, then the files.
MAGIC = b"slipway-sealed-1"
NONCE = 12


@dataclass(frozen=True)
class Confided:
    """Secrets by name, and the answers with those that were given unseen in their places; these also by place."""

    secrets: dict[str, str]
    values: dict[str, Any]
    unseen: dict[Place, Any] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        """Every text that must not be read again."""
        return [*self.secrets.values(), *(leaf for value in self.unseen.values() for leaf in leaves(value))]


def _place(organisation_id: int, idempotency_key: str) -> CredentialPlace:
    """What the sealed text is bound to: it opens for no other run."""
    return CredentialPlace(organisation_id, f"run {idempotency_key}", server="", ca="")


def sealed(organisation_id: int, idempotency_key: str, secrets: Mapping[str, str]) -> str:
    """The secrets as text that the web process cannot read back; empty for none."""
    return seal(dict(secrets), _place(organisation_id, idempotency_key)) if secrets else ""


def secrets_of(run: Run) -> dict[str, str]:
    """The run's secrets; only a worker can ask."""
    return unseal(run.secrets, _place(run.organisation_id, run.idempotency_key)) if run.secrets else {}


def confided(run: Run, opened: Mapping[str, str]) -> Confided:
    """What the sealed text of a run holds, sorted. Raises Unavailable where something is missing that was confided.

    An undo comes after the end, when nothing of it is left: it needs none.
    """
    told = {name: text for name, text in opened.items() if not name.startswith(PREFIX)}
    if not any(name.startswith(PREFIX) for name in run.secret_names) or run.status == "undoing":
        return Confided(told, run.values)
    if missing := [name for name in run.secret_names if name not in opened]:
        raise Unavailable(f"The run was not told {', '.join(missing)}.")
    answers = {
        one.place: json.loads(opened[one.name])
        for one in unseen_in(run.version.document, run.values)
        if one.name in opened
    }
    return Confided(told, replaced(run.values, answers), answers)


def sealed_files(run: Run, packed: bytes) -> bytes:
    """A run's packed files as bytes that only a worker can read back."""
    key, nonce = AESGCM.generate_key(256), os.urandom(NONCE)
    place = _place(run.organisation_id, f"{run.idempotency_key} files")
    wrapped = seal({"key": base64.b64encode(key).decode()}, place).encode()
    return MAGIC + len(wrapped).to_bytes(4, "big") + wrapped + nonce + AESGCM(key).encrypt(nonce, packed, wrapped)


def opened_files(run: Run, kept: bytes) -> bytes:
    """The packed files again; bytes that were not sealed come back as they are."""
    if not kept.startswith(MAGIC):
        return kept
    at = len(MAGIC) + 4
    end = at + int.from_bytes(kept[len(MAGIC) : at], "big")
    wrapped = kept[at:end]
    key = unseal(wrapped.decode(), _place(run.organisation_id, f"{run.idempotency_key} files"))["key"]
    try:
        return AESGCM(base64.b64decode(key)).decrypt(kept[end : end + NONCE], kept[end + NONCE :], wrapped)
    except InvalidTag as error:
        raise Unavailable("The run's files do not belong to this run.") from error
