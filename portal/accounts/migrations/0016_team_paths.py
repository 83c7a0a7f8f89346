"""Every team with every team above it, kept by the database itself: whoever writes a team's place, and in whatever order,
the paths are right when the statement ends. docs/adr/0191."""

from typing import Any

from django.db import migrations, models

from portal.accounts.tenancy import EnableTenantPolicy

# Everything below a team that moved is told anew from the places of the teams: cheap, and right also where data forms a
# circle. One mover at a time, so that nobody tells from what another is just changing.
KEEP = """
CREATE FUNCTION accounts_keep_team_paths() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    organisation bigint := coalesce(NEW.organisation_id, OLD.organisation_id);
    moved bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock(20263, organisation::int);
    IF TG_OP = 'DELETE' THEN
        DELETE FROM accounts_teampath
        WHERE organisation_id = organisation AND (below_id = OLD.id OR above_id = OLD.id);
        RETURN NULL;
    END IF;
    WITH RECURSIVE tree AS (
        SELECT NEW.id AS id
      UNION
        SELECT t.id FROM accounts_team t JOIN tree ON t.parent_id = tree.id WHERE t.organisation_id = organisation
    )
    SELECT array_agg(id) INTO moved FROM tree;
    DELETE FROM accounts_teampath WHERE organisation_id = organisation AND below_id = ANY(moved);
    INSERT INTO accounts_teampath (organisation_id, below_id, above_id, depth, stands)
    WITH RECURSIVE up AS (
        SELECT t.id AS below_id, t.id AS above_id, t.parent_id AS following, 0 AS depth, t.waits_since IS NULL AS stands
        FROM accounts_team t WHERE t.organisation_id = organisation AND t.id = ANY(moved)
      UNION ALL
        SELECT up.below_id, t.id, t.parent_id, up.depth + 1, up.stands AND t.waits_since IS NULL
        FROM up JOIN accounts_team t ON t.id = up.following AND t.organisation_id = organisation
        WHERE up.depth < 50
    )
    SELECT DISTINCT ON (below_id, above_id) organisation, below_id, above_id, depth, stands
    FROM up ORDER BY below_id, above_id, depth;
    RETURN NULL;
END $$;
CREATE TRIGGER keep_paths AFTER INSERT OR DELETE ON accounts_team
    FOR EACH ROW EXECUTE FUNCTION accounts_keep_team_paths();
CREATE TRIGGER move_paths AFTER UPDATE OF parent_id, waits_since ON accounts_team
    FOR EACH ROW WHEN (OLD.parent_id IS DISTINCT FROM NEW.parent_id
        OR (OLD.waits_since IS NULL) IS DISTINCT FROM (NEW.waits_since IS NULL))
    EXECUTE FUNCTION accounts_keep_team_paths();
"""
LEAVE = """
DROP TRIGGER move_paths ON accounts_team;
DROP TRIGGER keep_paths ON accounts_team;
DROP FUNCTION accounts_keep_team_paths();
"""
FILL = """
INSERT INTO accounts_teampath (organisation_id, below_id, above_id, depth, stands)
WITH RECURSIVE up AS (
    SELECT organisation_id, id AS below_id, id AS above_id, parent_id AS following, 0 AS depth,
      waits_since IS NULL AS stands
    FROM accounts_team
  UNION ALL
    SELECT up.organisation_id, up.below_id, t.id, t.parent_id, up.depth + 1, up.stands AND t.waits_since IS NULL
    FROM up JOIN accounts_team t ON t.id = up.following AND t.organisation_id = up.organisation_id
    WHERE up.depth < 50
)
SELECT DISTINCT ON (below_id, above_id) organisation_id, below_id, above_id, depth, stands
FROM up ORDER BY below_id, above_id, depth
"""


def fill(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id FROM accounts_organisation")
        for (organisation,) in cursor.fetchall():
            cursor.execute("SELECT set_config('app.tenant', %s, true)", [str(organisation)])
            cursor.execute(FILL)
        cursor.execute("SELECT set_config('app.tenant', '', true)")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0015_for_notices")]

    operations = [
        migrations.CreateModel(
            name="TeamPath",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organisation_id",
                        "below_id",
                        "above_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("below_id", models.BigIntegerField()),
                ("above_id", models.BigIntegerField()),
                ("depth", models.SmallIntegerField()),
                ("stands", models.BooleanField()),
                (
                    "organisation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=models.CASCADE,
                        related_name="+",
                        to="accounts.organisation",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["organisation", "above_id", "below_id"], name="team_path_down"),
                ],
            },
        ),
        EnableTenantPolicy("teampath"),
        migrations.RunSQL(KEEP, LEAVE),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
