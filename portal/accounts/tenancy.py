"""The tenant wall: rows belong to an organisation, and PostgreSQL enforces it per transaction.

The policy reads the setting `app.tenant`, which `tenant()` and the gate set with set_config(…, is_local => true). After
such a transaction PostgreSQL leaves '' rather than NULL behind, hence nullif; the sub-select makes the value an
InitPlan that indexes can use (both observed on PostgreSQL 18; see the reference page, 2.8).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from django.db import connection, models, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

if TYPE_CHECKING:
    from portal.accounts.models import Organisation

_M = TypeVar("_M", bound=models.Model)


class TenantQuerySet(models.QuerySet[_M]):
    """A queryset that knows whose rows it wants."""

    def for_tenant(self, organisation: Organisation | int) -> Self:
        return self.filter(organisation=organisation)


class TenantManager(models.Manager[_M]):
    """`Model.objects.for_tenant(organisation)` is how code reaches rows."""

    def get_queryset(self) -> TenantQuerySet[_M]:
        return TenantQuerySet(self.model, using=self._db)

    def for_tenant(self, organisation: Organisation | int) -> TenantQuerySet[_M]:
        return self.get_queryset().for_tenant(organisation)


class TenantModel(models.Model):
    """A row that belongs to an organisation. Its migration must hold an EnableTenantPolicy for it (a test looks)."""

    organisation = models.ForeignKey("accounts.Organisation", on_delete=models.CASCADE, related_name="+")

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        abstract = True


def _set_local(**values: str) -> None:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("The tenant is set per transaction: open one first.")
    columns = ", ".join("set_config(%s, %s, true)" for _ in values)
    parameters = [part for name, value in values.items() for part in (f"app.{name}", value)]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns}", parameters)


def set_tenant(organisation: Organisation | int, *, user_id: int | None = None) -> None:
    """Sets the tenant (and who asks) for the rest of the current transaction."""
    ident = organisation if isinstance(organisation, int) else organisation.pk
    if user_id is None:
        _set_local(tenant=str(ident))
    else:
        _set_local(tenant=str(ident), user=str(user_id))


@contextmanager
def tenant(organisation: Organisation | int) -> Iterator[None]:
    """One transaction inside an organisation: for tasks, commands and the live process."""
    if not connection.in_atomic_block:
        # What is set for a transaction ends with it.
        with transaction.atomic():
            set_tenant(organisation)
            yield
        return
    with transaction.atomic():
        before = _current()
        set_tenant(organisation)
        yield
        # Nested use (a task that calls another organisation's block) must not leave the inner tenant behind.
        _set_local(tenant=before)


def _current() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting('app.tenant', true), '')")
        row = cursor.fetchone()
    return str(row[0]) if row else ""


@contextmanager
def asking_as(user_id: int) -> Iterator[None]:
    """A transaction in which a person may read their own memberships of every organisation, and nothing else."""
    with transaction.atomic():
        _set_local(user=str(user_id))
        yield


@contextmanager
def sweep() -> Iterator[None]:
    """A transaction that may list (SELECT only) the rows of sweepable tables across organisations.

    For the live process alone: it finds due work here and does it inside `tenant()`.
    """
    is_nested = connection.in_atomic_block
    with transaction.atomic():
        _set_local(sweep="on")
        yield
        if is_nested:
            _set_local(sweep="")


TENANT = "(SELECT nullif(current_setting('app.tenant', true), '')::bigint)"
PERSON = "(SELECT nullif(current_setting('app.user', true), '')::bigint)"
SWEEP = "(SELECT current_setting('app.sweep', true)) = 'on'"


class EnableTenantPolicy(Operation):
    """Migration operation: row-level security, forced on the owner too, for one tenant table.

    sweepable adds a SELECT-only policy for `sweep()`; own_column adds one for rows that name the asking person.
    """

    reversible = True
    reduces_to_sql = True

    def __init__(self, model_name: str, *, sweepable: bool = False, own_column: str = "") -> None:
        self.model_name = model_name
        self.sweepable = sweepable
        self.own_column = own_column

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        kwargs = {"sweepable": self.sweepable, "own_column": self.own_column}
        return self.__class__.__qualname__, [self.model_name], {k: v for k, v in kwargs.items() if v}

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Policies are no part of the model state."""

    def _table(self, app_label: str, state: ProjectState, editor: BaseDatabaseSchemaEditor) -> str:
        table = state.apps.get_model(app_label, self.model_name)._meta.db_table
        return editor.quote_name(table)

    def database_forwards(
        self, app_label: str, editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        table = self._table(app_label, to_state, editor)
        editor.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        editor.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        editor.execute(
            f"CREATE POLICY tenant ON {table}"
            f" USING (organisation_id = {TENANT}) WITH CHECK (organisation_id = {TENANT})"
        )
        if self.sweepable:
            editor.execute(f"CREATE POLICY sweep ON {table} FOR SELECT USING ({SWEEP})")
        if self.own_column:
            column = editor.quote_name(self.own_column)
            editor.execute(f"CREATE POLICY own ON {table} FOR SELECT USING ({column} = {PERSON})")

    def database_backwards(
        self, app_label: str, editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        table = self._table(app_label, from_state, editor)
        for policy in ("tenant", "sweep", "own"):
            editor.execute(f"DROP POLICY IF EXISTS {policy} ON {table}")
        editor.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        editor.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")

    def describe(self) -> str:
        return f"Wall off {self.model_name} by organisation"


class WallForeignKeys(Operation):
    """Migration operation: foreign keys from one tenant table to others cannot cross organisations.

    A foreign key on the id alone lets a row point into another organisation, for PostgreSQL's own look-up sees past
    row-level security. Each becomes (organisation_id, x_id) -> (organisation_id, id): a key on both columns of the
    other table (made concurrently where the migration is not atomic), a constraint that is added without looking at the
    rows, then looked at beside running work, and only then the old one goes.

    Belongs into a migration with `atomic = False` for tables that may hold rows; beside the table's CreateModel it may
    stand in the same migration. Doing it twice is doing it once. model_name may name its app: "catalog.entity".
    """

    reversible = True
    reduces_to_sql = True

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def _keys(self, app_label: str, state: ProjectState) -> list[TenantKey]:
        app, _, name = self.model_name.rpartition(".")
        return tenant_keys(state.apps.get_model(app or app_label, name))

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return self.__class__.__qualname__, [self.model_name], {}

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Constraints of the wall are no part of the model state."""

    def database_forwards(
        self, app_label: str, editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        concurrently = "" if editor.connection.in_atomic_block else "CONCURRENTLY "
        for key in self._keys(app_label, to_state):
            editor.execute(
                f"CREATE UNIQUE INDEX {concurrently}IF NOT EXISTS {key.other}_wall"
                f" ON {key.other} (organisation_id, {key.other_column})"
            )
            editor.execute(f"ALTER TABLE {key.table} DROP CONSTRAINT IF EXISTS {key.name}")
            editor.execute(
                f"ALTER TABLE {key.table} ADD CONSTRAINT {key.name} FOREIGN KEY (organisation_id, {key.column})"
                f" REFERENCES {key.other} (organisation_id, {key.other_column}) DEFERRABLE INITIALLY DEFERRED NOT VALID"
            )
            editor.execute(f"ALTER TABLE {key.table} VALIDATE CONSTRAINT {key.name}")
            editor.execute(_DROP_NARROW % key.literals(), params=None)

    def database_backwards(
        self, app_label: str, editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        for key in self._keys(app_label, from_state):
            editor.execute(
                f"ALTER TABLE {key.table} ADD FOREIGN KEY ({key.column}) REFERENCES {key.other} ({key.other_column})"
                " DEFERRABLE INITIALLY DEFERRED"
            )
            editor.execute(f"ALTER TABLE {key.table} DROP CONSTRAINT IF EXISTS {key.name}")

    def describe(self) -> str:
        return f"Keep the foreign keys of {self.model_name} inside their organisation"


# The single-column constraint that Django made has a hashed name: it is found by what it says.
_DROP_NARROW = """
DO $wall$
DECLARE narrow text;
BEGIN
    FOR narrow IN
        SELECT c.conname FROM pg_constraint c
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attname = '%(column)s'
        WHERE c.contype = 'f' AND c.conrelid = '%(table)s'::regclass AND c.confrelid = '%(other)s'::regclass
          AND c.conkey = ARRAY[a.attnum]
    LOOP
        EXECUTE format('ALTER TABLE %(table)s DROP CONSTRAINT %%I', narrow);
    END LOOP;
END $wall$
"""


@dataclass(frozen=True)
class TenantKey:
    """One foreign key from a tenant's table to a tenant's table."""

    table: str
    column: str
    other: str
    other_column: str

    @property
    def name(self) -> str:
        """What the constraint is called."""
        return f"{self.table}_{self.column}_wall"[-63:].lstrip("_")

    def literals(self) -> dict[str, str]:
        return {"table": self.table, "column": self.column, "other": self.other}


def tenant_keys(model: type[models.Model]) -> list[TenantKey]:
    """The model's foreign keys to rows of an organisation, its own table included."""

    def is_tenants(one: Any) -> bool:
        return any(field.name == "organisation" for field in one._meta.concrete_fields)

    fields: list[Any] = list(model._meta.concrete_fields)
    return [
        TenantKey(
            model._meta.db_table,
            field.column,
            field.related_model._meta.db_table,
            field.target_field.column,
        )
        for field in fields
        if field.is_relation and is_tenants(model) and is_tenants(field.related_model)
    ]
