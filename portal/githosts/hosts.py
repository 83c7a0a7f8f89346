"""The git hosts that the portal can work with: ours by its word in a `repoUrl`, others by their address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from portal.accounts.tenancy import tenant
from portal.githosts.builtin import HOST, BuiltinHost
from portal.githosts.connections import connection_for, credential_of
from portal.githosts.fetch import Credential, Fetched, fetch
from portal.githosts.protocol import GitHost, GitSource

HOSTS: dict[str, GitHost] = {HOST: BuiltinHost()}


@dataclass(frozen=True)
class PlainGit:
    """Any host by git's own protocols: https (with the organisation's credential, if it has one there) and ssh."""

    credential: Credential | None = None

    def fetch(self, url: str, ref: str, into: Path) -> Fetched:
        return fetch(url, ref, into, credential=self.credential)


def host_for(organisation_id: int, url: str) -> GitSource:
    """The client for a repository's address, as this organisation may use it. Call it outside transactions.

    Raises Unavailable where the organisation has a credential for the address and this process cannot open it.
    """
    with tenant(organisation_id):
        connection = connection_for(organisation_id, url)
    return PlainGit(credential_of(connection) if connection else None)
