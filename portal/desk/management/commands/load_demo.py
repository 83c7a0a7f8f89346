"""manage.py load_demo: two organisations with their people, teams, catalogs, golden paths and workloads. Once only."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from catalog.actions import add_source
from catalog.models import Source
from catalog.ownership import confirming
from portal.accounts.actor import Actor
from portal.accounts.models import Membership, Organisation, Team, TeamMembership, User
from portal.accounts.tenancy import tenant
from portal.clusters.actions import register_cluster, replace_credential
from portal.clusters.kube import connect
from portal.clusters.models import Cluster
from portal.demo_people import SIGN_INS
from portal.goldenpaths.actions import publish_shipped
from portal.kit.errors import Refusal
from portal.kit.yamltext import load_all


@dataclass(frozen=True)
class Member:
    """A person of the demo: role, and the team they lead."""

    name: str
    role: str
    teams: tuple[str, ...]


@dataclass(frozen=True)
class Company:
    """One demo organisation. `people` is by the part before the @ of the sign-in."""

    slug: str
    name: str
    people: dict[str, Member]

    @property
    def folder(self) -> Path:
        return Path(settings.BASE_DIR) / "demo" / self.slug


COMPANIES = (
    Company(
        "parcelwright",
        "Parcelwright",
        {
            "ada": Member("Ada Fenwright", "admin", ("platform", "core-tech")),
            "mae": Member("Mae Tolliver", "manager", ("engineering", "booking")),
            "dev": Member("Dev Ranasuri", "developer", ("payments",)),
            "vic": Member("Vic Albrook", "viewer", ("customer-experience",)),
        },
    ),
    Company(
        "kelpline",
        "Kelpline",
        {
            "eve": Member("Eve Sandmoor", "admin", ("kelpline", "science")),
            "mae": Member("Mae Tolliver", "manager", ("kelpline",)),
        },
    ),
)
CLUSTER = "Northern cluster"


class Command(BaseCommand):
    """Loads the demo, if it is not there yet."""

    help = "Load the two demo organisations, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--workloads", action="store_true", help="also put the demo's workloads into the cluster of KUBECONFIG"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # People first, of all companies and committed: a right password is refused to nobody while the rest is read.
        for company in COMPANIES:
            with transaction.atomic():
                settle(company)
        for company in COMPANIES:
            organisation = Organisation.objects.get(slug=company.slug)
            with tenant(organisation):
                count = furnish(organisation, company)
            if count:
                self.stdout.write(f"  {company.name}: {len(company.people)} people, {count} entities.")
        if kubeconfig := os.environ.get("KUBECONFIG", ""):
            self._connect(COMPANIES[0], Path(kubeconfig), with_workloads=options["workloads"])

    def _connect(self, company: Company, kubeconfig: Path, *, with_workloads: bool) -> None:
        """Registers the cluster, and may put the demo's workloads into it; one that is away is no reason to stop."""
        organisation = Organisation.objects.get(slug=company.slug)
        try:
            with tenant(organisation):
                is_new = connect_cluster(organisation, kubeconfig.read_text())
            if is_new and not with_workloads:
                self.stdout.write(f"  {CLUSTER}: connected. The demo's workloads stay out of a cluster of yours.")
            elif is_new:
                self.stdout.write(f"  {CLUSTER}: {apply_manifests(organisation, company.folder / 'cluster')} objects.")
        except Refusal as refusal:
            self.stderr.write(f"  The demo's cluster is left out: {refusal.text}")
        except OSError as error:
            self.stderr.write(f"  The demo's cluster is left out: {kubeconfig} cannot be read ({error.strerror}).")


def settle(company: Company) -> None:
    """Makes the organisation with its people, once: who left it since stays out."""
    organisation, is_new = Organisation.objects.get_or_create(slug=company.slug, defaults={"name": company.name})
    if not is_new:
        return
    with tenant(organisation):
        for key, member in company.people.items():
            Membership.objects.create(organisation=organisation, user=person(key, member), role=member.role)


def furnish(organisation: Organisation, company: Company) -> int:
    """Reads the catalog and publishes the paths, once; returns how many entities there are, 0 if nothing was to do.

    Runs inside the tenant's transaction: a start that was interrupted here is made up for by the next one.
    """
    if Source.objects.for_tenant(organisation).exists():
        return 0
    users = {key: person(key, member) for key, member in company.people.items()}
    admin = next(users[key] for key, member in company.people.items() if member.role == "admin")
    source = add_source(
        organisation=organisation, actor=Actor.command(admin), kind="folder", target=str(company.folder / "catalog")
    )
    # Who loads the demo knows its files: its teams stand where these say.
    confirming.confirm_all(organisation=organisation, actor=Actor.command(admin))
    for key, member in company.people.items():
        join_teams(organisation, users[key], member.teams)
    publish_shipped(organisation=organisation, actor=Actor.command(admin))
    return source.entity_count


def person(key: str, member: Member) -> User:
    """The demo's person, made when first met; somebody may belong to both organisations."""
    email = next(address for address, _ in SIGN_INS.people if address.startswith(f"{key}@"))
    user = User.objects.filter(email=email).first()
    if user is None:
        user = User.objects.create_user(email, SIGN_INS.password, name=member.name)
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


def join_teams(organisation: Organisation, user: User, teams: tuple[str, ...]) -> None:
    """Puts the person into the teams that the catalog's groups made, as a lead."""
    for team in Team.objects.for_tenant(organisation).filter(slug__in=teams):
        TeamMembership.objects.create(organisation=organisation, team=team, user=user, is_lead=True)


def connect_cluster(organisation: Organisation, kubeconfig: str) -> bool:
    """Registers the cluster, or renews its credential; True when it is new."""
    known = Cluster.objects.for_tenant(organisation).filter(name=CLUSTER).first()
    if known is not None:
        replace_credential(organisation=organisation, actor=Actor.command(), cluster=known, kubeconfig=kubeconfig)
        return False
    register_cluster(organisation=organisation, actor=Actor.command(), name=CLUSTER, kubeconfig=kubeconfig)
    return True


def apply_manifests(organisation: Organisation, folder: Path) -> int:
    """Applies the demo's manifests in the order of their files; kinds that the cluster does not serve are left out."""
    with tenant(organisation):
        kube = connect(Cluster.objects.for_tenant(organisation).get(name=CLUSTER))
    served = kube.discovery()
    applied = 0
    for file in sorted(folder.glob("*.yaml")):
        for manifest in (document.data for document in load_all(file.read_text(), file.name)):
            if manifest and served.serves(manifest["apiVersion"], manifest["kind"]):
                kube.apply(manifest)
                applied += 1
    return applied
