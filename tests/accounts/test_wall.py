"""The database itself walls organisations off."""

import pytest
from django.apps import apps
from django.db import DatabaseError, IntegrityError, connection, transaction

from portal.accounts.models import AuditEvent, Membership, Team, TeamMembership
from portal.accounts.tenancy import TenantKey, TenantModel, asking_as, set_tenant, sweep, tenant, tenant_keys
from portal.provisioning.models import LogLine, Run, Step

# Tables without an organisation, each with its reason. Everything else must carry a forced policy.
EXEMPT = {
    "accounts_user": "a person belongs to several organisations",
    "accounts_organisation": "the gate finds the organisation by slug before a tenant can be set",
    "account_emailaddress": "allauth: belongs to a person",
    "account_emailconfirmation": "allauth: belongs to a person",
    "mfa_authenticator": "allauth: belongs to a person",
    "usersessions_usersession": "allauth: belongs to a person",
    "socialaccount_socialaccount": "allauth: belongs to a person",
    "socialaccount_socialapp": "allauth: configuration of this installation",
    "socialaccount_socialtoken": "allauth: belongs to a person",
    "auth_group": "Django's own; not used for rights here",
    "auth_group_permissions": "Django's own; not used for rights here",
    "auth_permission": "Django's own; not used for rights here",
    "django_content_type": "Django's own",
    "django_migrations": "Django's own",
    "django_session": "sessions belong to people",
    "live_dutylease": "which process of this installation does which duty; nothing of an organisation",
}


@pytest.mark.django_db
def test_every_table_is_walled_or_exempt_by_name() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,
                   EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant')
            FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
            """
        )
        rows = cursor.fetchall()
    naked = {name for name, forced, has_policy in rows if not (forced and has_policy)}
    assert naked == set(EXEMPT), "walled off too little, or an exemption is stale"


def test_every_model_with_an_organisation_is_a_tenant_model() -> None:
    strays = [
        model.__name__
        for model in apps.get_models()
        if any(f.name == "organisation" for f in model._meta.concrete_fields) and not issubclass(model, TenantModel)
    ]
    assert strays == []


@pytest.mark.django_db
def test_the_application_role_cannot_bypass_the_wall() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False, False, False)
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user")
        assert cursor.fetchone() == (0,)


@pytest.mark.django_db(transaction=True)
def test_raw_sql_without_a_tenant_gets_no_rows(committed_world) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM accounts_membership")
        assert cursor.fetchone() == (0,)
    with tenant(committed_world.acme), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM accounts_membership")
        assert cursor.fetchone() == (4,)
    # The setting is '' rather than NULL after a transaction: the policy must still answer with nothing.
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM accounts_membership")
        assert cursor.fetchone() == (0,)


@pytest.mark.django_db
def test_a_forgotten_filter_shows_only_the_tenant(world) -> None:
    with tenant(world.rival):
        assert [m.user for m in Membership.objects.all()] == [world.eve]


@pytest.mark.django_db
def test_writing_into_another_organisation_is_refused_by_the_database(world) -> None:
    with pytest.raises(DatabaseError, match="row-level security"), tenant(world.rival):
        Team.objects.create(organisation=world.acme, slug="x", name="X", ref="group:default/x")


@pytest.mark.django_db
def test_a_sweep_reads_only_sweepable_tables_and_writes_nothing(world) -> None:
    with tenant(world.acme):
        AuditEvent.objects.create(organisation=world.acme, actor_label="x", verb="x.y", summary="x")
    set_tenant(0)
    with sweep():
        assert not AuditEvent.objects.exists()


@pytest.mark.django_db
def test_a_person_reads_their_own_memberships_everywhere(world) -> None:
    with tenant(world.rival):
        Membership.objects.create(organisation=world.rival, user=world.mae, role="viewer")
    set_tenant(0)
    with asking_as(world.mae.pk):
        assert {m.organisation.slug for m in Membership.objects.select_related("organisation")} == {"acme", "rival"}


@pytest.mark.django_db(transaction=True)
def test_the_tenant_can_only_be_set_inside_a_transaction() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        set_tenant(1)


@pytest.mark.django_db
def test_the_audit_log_only_grows(world) -> None:
    with tenant(world.acme):
        event = AuditEvent.objects.create(
            organisation=world.acme, actor=world.vic, actor_label="Vic", verb="x.y", summary="As it was"
        )
        for change in (
            lambda: AuditEvent.objects.filter(pk=event.pk).update(summary="As it never was"),
            lambda: AuditEvent.objects.filter(pk=event.pk).update(actor=None, summary="As it never was"),
            lambda: AuditEvent.objects.filter(pk=event.pk).delete(),
        ):
            with pytest.raises(DatabaseError, match="the audit log only grows"), transaction.atomic():
                change()
        world.vic.delete()
        event.refresh_from_db()
        assert (event.actor, event.actor_label, event.summary) == (None, "Vic", "As it was")


# --- foreign keys ---

TENANT_KEYS = [key for model in apps.get_models() for key in tenant_keys(model)]


def constraints_of(key: TenantKey) -> set[tuple[str, ...]]:
    """The column lists of the foreign keys from the key's table to the other one that are in force."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT array(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY k(num, place)
                         JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num ORDER BY k.place)
            FROM pg_constraint c
            WHERE c.contype = 'f' AND c.convalidated AND c.conrelid = %s::regclass AND c.confrelid = %s::regclass
            """,
            [key.table, key.other],
        )
        return {tuple(columns) for (columns,) in cursor.fetchall()}


@pytest.mark.django_db
@pytest.mark.parametrize("key", TENANT_KEYS, ids=lambda key: f"{key.table}.{key.column}")
def test_a_foreign_key_between_tenants_tables_names_the_organisation(key) -> None:
    """A new one? Its migration needs `WallForeignKeys("<model>")`: portal/accounts/tenancy.py, docs/adr/0023."""
    assert ("organisation_id", key.column) in constraints_of(key)
    assert (key.column,) not in constraints_of(key), "the narrow one would be looked up for nothing"


def test_the_walk_finds_the_foreign_keys() -> None:
    found = {(key.table, key.column) for key in TENANT_KEYS}
    assert {
        ("accounts_team", "parent_id"),
        ("catalog_body", "entity_id"),
        ("provisioning_step", "run_id"),
    } < found
    assert len(found) >= 16
    assert not any(key.other in {"accounts_user", "accounts_organisation"} for key in TENANT_KEYS)


def next_door(world, make) -> None:
    """What somebody's code does in rival, with the constraints looked at when it ends."""
    with transaction.atomic():
        set_tenant(world.rival)
        make()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def crossing(world, make) -> None:
    with pytest.raises(IntegrityError, match="_wall"):
        next_door(world, make)


@pytest.mark.django_db
def test_no_row_points_into_another_organisation(world) -> None:
    """PostgreSQL's own look-up of a foreign key sees past row-level security: only the key can refuse."""
    from tests.provisioning.conftest import start_run

    run = start_run(world, [{"id": "say", "action": "debug:log", "input": {"message": "x"}}])
    theirs = world.rival.pk
    crossing(world, lambda: Team.objects.create(organisation_id=theirs, slug="x", name="X", ref="group:default/x",
                                                parent_id=world.payments.pk))  # fmt: skip
    crossing(world, lambda: TeamMembership.objects.create(organisation_id=theirs, team_id=world.payments.pk,
                                                          user=world.eve))  # fmt: skip
    crossing(world, lambda: Step.objects.create(organisation_id=theirs, run_id=run.pk, idx=9, key="k", name="n",
                                                action="a"))  # fmt: skip
    crossing(world, lambda: LogLine.objects.create(organisation_id=theirs, run_id=run.pk, seq=99, text="x"))
    crossing(world, lambda: Run.objects.create(organisation_id=theirs, version_id=run.version_id, title="x",
                                               idempotency_key="x"))  # fmt: skip
    with tenant(world.rival):
        own = Team.objects.create(organisation=world.rival, slug="own", name="Own", ref="group:default/own")
    crossing(world, lambda: Team.objects.filter(pk=own.pk).update(parent_id=world.payments.pk))


@pytest.mark.django_db
def test_inside_an_organisation_nothing_changed(world) -> None:
    with tenant(world.acme):
        below = Team.objects.create(
            organisation=world.acme, slug="b", name="B", ref="group:default/b", parent=world.payments
        )
        world.payments.delete()
        below.refresh_from_db()
        assert below.parent is None
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
