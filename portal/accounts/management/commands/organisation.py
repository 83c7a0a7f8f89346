"""manage.py organisation <slug> <name> <e-mail>: the operator makes an organisation for somebody who has an account."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from portal.accounts.actions import found_organisation
from portal.accounts.actor import Actor
from portal.accounts.models import SLUG, User
from portal.kit.errors import Refusal


class Command(BaseCommand):
    """Makes an organisation and its first admin."""

    help = "Make an organisation; the person with this e-mail address becomes its first admin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="stands in every address, such as acme")
        parser.add_argument("name", help="its display name")
        parser.add_argument("email", help="of somebody who has an account")

    def handle(self, *args: Any, **options: Any) -> None:
        admin = User.objects.filter(email__iexact=options["email"]).first()
        if admin is None:
            raise CommandError(f"Nobody has an account with {options['email']}.")
        try:
            SLUG(options["slug"])
            made = found_organisation(actor=Actor.command(admin), name=options["name"], slug=options["slug"])
        except ValidationError as error:
            raise CommandError(error.messages[0]) from error
        except Refusal as refusal:
            raise CommandError(refusal.text) from refusal
        self.stdout.write(f"{made.name} is at /o/{made.slug}/; {admin} is its admin.")
