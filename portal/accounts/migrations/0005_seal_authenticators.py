"""Fill: the secrets of authenticators that stand in clear are sealed; sessions, which held some, end.

What is written here is what portal/accounts/sealing.py reads: AES-256-GCM under HKDF-SHA256 of SECRET_KEY.
"""

import base64
import os
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import migrations

MARK = "sealed.1."
FIELDS = {"totp": "secret", "recovery_codes": "seed"}
AT_ONCE = 500


def sealed(text: str) -> str:
    hkdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"slipway people 1")
    nonce = os.urandom(12)
    hidden = AESGCM(hkdf.derive(settings.SECRET_KEY.encode())).encrypt(nonce, text.encode(), b"authenticator")
    return MARK + base64.urlsafe_b64encode(nonce + hidden).decode()


def seal_all(apps: Any, schema_editor: Any) -> None:
    Authenticator = apps.get_model("mfa", "Authenticator")
    for row in Authenticator.objects.filter(type__in=FIELDS).iterator(AT_ONCE):
        name = FIELDS[row.type]
        if not row.data[name].startswith(MARK):
            row.data[name] = sealed(row.data[name])
            row.save(update_fields=["data"])


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_audit_by_agent"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("sessions", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(seal_all, migrations.RunPython.noop),
        migrations.RunSQL("DELETE FROM django_session", migrations.RunSQL.noop),
    ]
