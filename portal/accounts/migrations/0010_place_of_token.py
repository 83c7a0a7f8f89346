"""A function that tells which organisation a token belongs to, for addresses that do not name one.

Whoever sends the secret may find the row that holds its digest, and nothing else: the policy `bearer` opens exactly
that row, for reading. The digest of 256 random bits cannot be guessed.
"""

from django.db import migrations

BEARER = """
CREATE POLICY bearer ON accounts_apitoken FOR SELECT
    USING (digest = (SELECT nullif(current_setting('app.credential', true), '')))
"""

PLACE = """
CREATE FUNCTION slipway_place_of_token(wanted_digest text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = public, pg_temp AS $$
DECLARE found_slug text;
BEGIN
    PERFORM set_config('app.credential', wanted_digest, true);
    SELECT o.slug INTO found_slug FROM accounts_apitoken t
        JOIN accounts_organisation o ON o.id = t.organisation_id WHERE t.digest = wanted_digest;
    PERFORM set_config('app.credential', '', true);
    RETURN found_slug;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_team_is_one_thing")]

    operations = [
        migrations.RunSQL(BEARER, "DROP POLICY bearer ON accounts_apitoken"),
        migrations.RunSQL(PLACE, "DROP FUNCTION slipway_place_of_token(text)"),
    ]
