"""manage.py reseal: seals people's authenticators with the SECRET_KEY of today, so that its predecessors can go."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from portal.accounts.adapter import SEALED_FIELDS, MFAAdapter
from portal.kit.errors import Unavailable


class Command(BaseCommand):
    """Seals every secret of an authenticator anew."""

    help = "Seal authenticators with today's SECRET_KEY; run it before a key leaves SECRET_KEY_FALLBACKS."

    def handle(self, *args: Any, **options: Any) -> None:
        adapter, lost = MFAAdapter(), 0
        with transaction.atomic():
            rows = list(Authenticator.objects.filter(type__in=SEALED_FIELDS).select_for_update().order_by("pk"))
            for row in rows:
                name = SEALED_FIELDS[row.type]
                try:
                    row.data = {**row.data, name: adapter.encrypt(adapter.decrypt(row.data[name]))}
                except Unavailable:
                    lost += 1
                else:
                    row.save(update_fields=["data"])
        self.stdout.write(f"{len(rows) - lost} authenticators are sealed with today's key.")
        if lost:
            raise CommandError(f"{lost} were sealed with a key that is neither SECRET_KEY nor a fallback of it.")
