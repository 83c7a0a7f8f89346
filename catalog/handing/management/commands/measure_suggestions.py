"""manage.py measure_suggestions <organisation>: hides known owners, suggests, tells how often it was right."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalog.handing import gathering
from catalog.handing.judging import in_words, measure
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant


class Command(BaseCommand):
    """Measures the suggestions of owners on what an organisation's repositories hold."""

    help = "Hide owners of what repositories here describe, suggest, compare; prints how often it spoke and was right."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("organisation", help="its slug")
        parser.add_argument("--hide", type=int, default=30, help="so many of a hundred owners are hidden at once")
        parser.add_argument("--turns", type=int, default=10, help="so many times, with other owners each time")
        parser.add_argument("--without-codeowners", action="store_true", help="CODEOWNERS is not looked at")

    def handle(self, *args: Any, **options: Any) -> None:
        organisation = Organisation.objects.filter(slug=options["organisation"]).first()
        if organisation is None:
            raise CommandError(f"There is no organisation {options['organisation']}.")
        if not 1 <= options["hide"] <= 100 or options["turns"] < 1:
            raise CommandError("Hide 1 to 100 of a hundred, in one turn or more.")
        with tenant(organisation):
            facts = gathering.facts_of(organisation)
            places = gathering.repositories(organisation, facts.known)
        facts.histories = gathering.histories_of(places, with_code_owners=not options["without_codeowners"])
        found = measure(facts, share=options["hide"] / 100, turns=options["turns"])
        for line in in_words(found, options["turns"]):
            self.stdout.write(line)
