"""Two functions that tell in one round trip who asks and where: for a browser's session, and for an API token.

Each sets app.tenant or app.user in a statement of its own before it reads what those settings open: within one
statement the policies would be judged by the settings at its start.
"""

from django.db import migrations

BY_SESSION = """
CREATE FUNCTION slipway_by_session(wanted_key text, wanted_slug text)
RETURNS TABLE (session_data text, person jsonb, tracked jsonb, organisation jsonb, membership jsonb,
    places jsonb)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = public, pg_temp AS $$
DECLARE
    found_places jsonb; found_data text; found_person accounts_user; found_tracked usersessions_usersession;
    found_organisation accounts_organisation; found_membership accounts_membership;
BEGIN
    SELECT s.session_data INTO found_data FROM django_session s
        WHERE s.session_key = wanted_key AND s.expire_date > now();
    IF NOT FOUND THEN RETURN; END IF;
    SELECT t.* INTO found_tracked FROM usersessions_usersession t WHERE t.session_key = wanted_key;
    SELECT u.* INTO found_person FROM accounts_user u WHERE u.id = found_tracked.user_id;
    IF found_person.id IS NOT NULL AND wanted_slug <> '' THEN
        SELECT o.* INTO found_organisation FROM accounts_organisation o WHERE o.slug = wanted_slug;
        PERFORM set_config('app.user', found_person.id::text, true);
        SELECT m.* INTO found_membership FROM accounts_membership m
            WHERE m.organisation_id = found_organisation.id AND m.user_id = found_person.id;
        SELECT jsonb_agg(jsonb_build_array(o.slug, o.name, m.role) ORDER BY o.name) INTO found_places
            FROM accounts_membership m JOIN accounts_organisation o ON o.id = m.organisation_id
            WHERE m.user_id = found_person.id;
    END IF;
    RETURN QUERY SELECT found_data,
        CASE WHEN found_person.id IS NOT NULL THEN to_jsonb(found_person) END,
        CASE WHEN found_tracked.id IS NOT NULL THEN to_jsonb(found_tracked) END,
        CASE WHEN found_organisation.id IS NOT NULL THEN to_jsonb(found_organisation) END,
        CASE WHEN found_membership.id IS NOT NULL THEN to_jsonb(found_membership) END,
        found_places;
END $$
"""

BY_CREDENTIAL = """
CREATE FUNCTION slipway_by_token(wanted_digest text, wanted_slug text)
RETURNS TABLE (organisation jsonb, token jsonb, person jsonb, membership jsonb)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = public, pg_temp AS $$
DECLARE
    found_organisation accounts_organisation; found_token accounts_apitoken;
    found_person accounts_user; found_membership accounts_membership;
BEGIN
    SELECT o.* INTO found_organisation FROM accounts_organisation o WHERE o.slug = wanted_slug;
    IF NOT FOUND THEN RETURN; END IF;
    PERFORM set_config('app.tenant', found_organisation.id::text, true);
    SELECT t.* INTO found_token FROM accounts_apitoken t
        WHERE t.organisation_id = found_organisation.id AND t.digest = wanted_digest;
    IF NOT FOUND THEN RETURN; END IF;
    SELECT u.* INTO found_person FROM accounts_user u WHERE u.id = found_token.user_id;
    PERFORM set_config('app.user', found_person.id::text, true);
    SELECT m.* INTO found_membership FROM accounts_membership m
        WHERE m.organisation_id = found_organisation.id AND m.user_id = found_person.id;
    RETURN QUERY SELECT to_jsonb(found_organisation), to_jsonb(found_token), to_jsonb(found_person),
        CASE WHEN found_membership.id IS NOT NULL THEN to_jsonb(found_membership) END;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_wall_allowed_kinds"),
        ("sessions", "0001_initial"),
        ("usersessions", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(BY_SESSION, "DROP FUNCTION slipway_by_session(text, text)"),
        migrations.RunSQL(BY_CREDENTIAL, "DROP FUNCTION slipway_by_token(text, text)"),
    ]
