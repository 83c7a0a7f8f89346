"""manage.py register_cluster: connects a cluster, or gives a connected one its new credential; idempotent."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.text import slugify

from portal.accounts.actor import Actor
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.clusters import actions
from portal.clusters.models import Cluster
from portal.kit.errors import Refusal


class Command(BaseCommand):
    help = "Connects a Kubernetes cluster to an organisation; does nothing when it is connected already."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organisation", required=True, help="slug of the organisation")
        parser.add_argument("--name", required=True, help="what people call the cluster")
        parser.add_argument("--kubeconfig", required=True, type=Path, help="file to take address and credential from")
        parser.add_argument("--context", default=None, help="context of the kubeconfig; its current one by default")

    def handle(self, *args: Any, **options: Any) -> None:
        organisation = Organisation.objects.filter(slug=options["organisation"]).first()
        if organisation is None:
            raise CommandError(f"There is no organisation “{options['organisation']}”.")
        try:
            text = options["kubeconfig"].read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{options['kubeconfig']} cannot be read: {error}.") from error
        try:
            with tenant(organisation):
                cluster = self._register(organisation, options["name"], text, options["context"])
        except Refusal as refusal:
            raise CommandError(refusal.text) from refusal
        self.stdout.write(f"{organisation.slug}: cluster {cluster.slug} ({cluster.server}, {cluster.version})")

    def _register(self, organisation: Organisation, name: str, text: str, context: str | None) -> Cluster:
        found = Cluster.objects.for_tenant(organisation).filter(slug=slugify(name)).first()
        if found:
            return actions.replace_credential(
                organisation=organisation, actor=Actor.command(), cluster=found, kubeconfig=text, context=context
            )
        return actions.register_cluster(
            organisation=organisation, actor=Actor.command(), name=name, kubeconfig=text, context=context
        )
