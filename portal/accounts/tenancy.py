"""The tenant wall: rows belong to an organisation, and PostgreSQL enforces it per transaction.

The policy reads the setting `app.tenant`, which `tenant()` and the gate set with set_config(…, is_local => true). After
such a transaction PostgreSQL leaves '' rather than NULL behind, hence nullif; the sub-select makes the value an
InitPlan that indexes can use (both observed on PostgreSQL 18; see the reference page, 2.8).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
    with transaction.atomic():
        _set_local(sweep="on")
        yield
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
