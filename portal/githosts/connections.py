"""An organisation's accounts at git hosts: added, tried, replaced, removed; and which fetches an address."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.accounts import audit
from portal.accounts.actor import Actor
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.githosts.fetch import Credential, parse_location, probe
from portal.githosts.models import Connection
from portal.jobs.registry import JobDone
from portal.jobs.work import Work
from portal.kit import sealing
from portal.kit.errors import Conflict, Invalid, NotFound, Refusal, Unavailable

JOB = "git-connection"


def _base(url: str) -> str:
    """The address in its one spelling: https, lower-case host, no slash at the end."""
    location = parse_location(url)
    if location.protocol != "https":
        raise Invalid("A git host's address starts with https://.", field="base_url")
    parts = urlsplit(url.strip())
    if parts.query or parts.fragment:
        raise Invalid("Leave out what follows ? or #.", field="base_url")
    if {".", ".."} & {unquote(part) for part in parts.path.split("/")}:
        raise Invalid("Write the address without . and .. in its path.", field="base_url")
    port = f":{location.port}" if location.port != 443 else ""
    return f"https://{location.host.lower()}{port}{parts.path.rstrip('/')}"


def covers(base_url: str, url: str) -> bool:
    """Whether the address lies below the base, by whole path segments: https://h/a covers https://h/a/b, not /ab."""
    try:
        spelled = _base(url)
    except Refusal:
        return False
    return spelled == base_url or spelled.startswith(f"{base_url}/")


def connection_for(organisation_id: int, url: str) -> Connection | None:
    """The connection with the longest base above the address; None for none. Must run inside the tenant."""
    found = [row for row in Connection.objects.for_tenant(organisation_id) if covers(row.base_url, url)]
    return max(found, key=lambda row: len(row.base_url), default=None)


def credential_of(connection: Connection) -> Credential:
    """The opened credential; only a worker can. Raises Unavailable with the reason."""
    try:
        plain = sealing.unseal(connection.sealed, connection.binding)
    except sealing.DoesNotOpen as error:
        raise Unavailable(f"The credential of {connection} does not open: {error.text} Replace it.") from error
    return Credential(connection.username, plain["secret"])


@transaction.atomic
def add_connection(
    *, organisation: Organisation, actor: Actor, base_url: str, probe_url: str, username: str, secret: str
) -> Connection:
    """Keep an account at a git host; the secret is sealed. Raises Invalid or Conflict."""
    row = Connection(
        organisation=organisation,
        base_url=_base(base_url),
        probe_url=probe_url.strip(),
        username=username.strip() or "git",
    )
    _check_probe(row)
    _put(row, secret)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise Conflict(f"{row.base_url} is connected already; replace its credential.", field="base_url") from error
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="git-connection.added",
        subject=row,
        summary=f"Connected the git host {row}",
        data={"username": row.username, "fingerprint": row.fingerprint},
    )
    return row


@transaction.atomic
def replace_credential(
    *, organisation: Organisation, actor: Actor, connection: Connection, username: str, secret: str
) -> None:
    """Another credential for the same address."""
    before = connection.fingerprint
    connection.username = username.strip() or "git"
    _put(connection, secret)
    connection.state, connection.state_text, connection.checked_at = Connection.State.UNTRIED, "", None
    connection.save()
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="git-connection.replaced",
        subject=connection,
        summary=f"Replaced the credential of the git host {connection}",
        data={"username": connection.username, "was": before, "fingerprint": connection.fingerprint},
    )


@transaction.atomic
def remove_connection(*, organisation: Organisation, actor: Actor, connection: Connection) -> None:
    """Forget the account; what was fetched stays."""
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="git-connection.removed",
        subject=connection,
        summary=f"Removed the git host {connection}",
    )
    connection.delete()


def try_connection(work: Work) -> JobDone:
    """The job that tries a connection: reads the branches of its repository with its credential."""
    organisation, pk = work.organisation, int(work.arguments["connection"])
    with tenant(organisation):
        row = Connection.objects.for_tenant(organisation).filter(pk=pk).first()
    if row is None:
        raise NotFound("The connection was removed meanwhile.")
    work.tell(f"Asking {row}")
    try:
        count = probe(row.probe_url, credential=credential_of(row))
    except Refusal as refusal:
        _note(organisation, pk, Connection.State.FAILS, refusal.text)
        raise
    text = f"{row.probe_url} has {count} branch{'' if count == 1 else 'es'}."
    _note(organisation, pk, Connection.State.WORKS, text)
    return JobDone(text=text, goes_to=f"/o/{organisation.slug}/git-hosts/")


def _note(organisation: Organisation, pk: int, state: str, text: str) -> None:
    with tenant(organisation):
        Connection.objects.for_tenant(organisation).filter(pk=pk).update(
            state=state, state_text=text[:500], checked_at=timezone.now()
        )


def _check_probe(row: Connection) -> None:
    if not covers(row.base_url, row.probe_url):
        raise Invalid(f"The repository to try must lie below {row.base_url}.", field="probe_url")


def _put(row: Connection, secret: str) -> None:
    if not secret.strip() or any(ord(character) < 33 or ord(character) == 127 for character in secret.strip()):
        raise Invalid("A token has no spaces or line breaks in it.", field="secret")
    row.sealed = sealing.seal({"secret": secret.strip()}, row.binding)
    row.fingerprint = sealing.fingerprint(secret.strip())
