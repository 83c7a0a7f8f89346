"""Widen: a member's number of unread notices; which consumers of the outbox are behind can be asked of all at once."""

from django.db import migrations, models

from portal.accounts.tenancy import SWEEP


class Migration(migrations.Migration):
    dependencies = [("accounts", "0014_teams_wait")]

    operations = [
        migrations.AddField(
            "membership", "unread_notices", models.PositiveIntegerField(blank=True, db_default=0, default=0)
        ),
        migrations.RunSQL(
            f"CREATE POLICY sweep ON accounts_outboxcursor FOR SELECT USING ({SWEEP})",
            "DROP POLICY sweep ON accounts_outboxcursor",
        ),
    ]
