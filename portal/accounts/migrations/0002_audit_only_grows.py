"""The database keeps what the audit log promises: events are added, never changed and never deleted.

The one exception is the link to a person who is deleted; their name at the time stays in `actor_label`.
"""

from django.db import migrations

ONLY_GROWS = """
CREATE FUNCTION accounts_audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.actor_id IS NULL AND to_jsonb(NEW) - 'actor_id' = to_jsonb(OLD) - 'actor_id' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit log only grows';
END $$;
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON accounts_auditevent
    FOR EACH ROW EXECUTE FUNCTION accounts_audit_only_grows();
"""
MAY_SHRINK = """
DROP TRIGGER only_grows ON accounts_auditevent;
DROP FUNCTION accounts_audit_only_grows();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [migrations.RunSQL(ONLY_GROWS, MAY_SHRINK)]
