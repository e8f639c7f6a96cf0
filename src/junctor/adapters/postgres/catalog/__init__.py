"""The catalog on Postgres: `ports.catalog` part by part, one file each."""

from __future__ import annotations

from junctor.adapters.postgres.catalog.accounts import PostgresAccounts
from junctor.adapters.postgres.catalog.apps import PostgresApps
from junctor.adapters.postgres.catalog.history import PostgresHistory
from junctor.adapters.postgres.catalog.organizations import PostgresOrganizations
from junctor.adapters.postgres.catalog.scenarios import PostgresScenarios
from junctor.adapters.postgres.catalog.schedules import PostgresSchedules
from junctor.adapters.postgres.catalog.stores import PostgresStores
from junctor.adapters.postgres.catalog.structures import PostgresStructures
from junctor.adapters.postgres.catalog.variables import PostgresVariables

__all__ = ["PostgresCatalog"]


class PostgresCatalog(
    PostgresOrganizations,
    PostgresScenarios,
    PostgresSchedules,
    PostgresAccounts,
    PostgresApps,
    PostgresHistory,
    PostgresStores,
    PostgresVariables,
    PostgresStructures,
):
    """All of `ports.catalog.Catalog`.

    ``api`` and ``engine`` are open pools of these roles. What is an organisation's is done through
    ``api``, under row level security; ``engine`` serves what goes across: a token's owner, new
    organisations, the list of processes.
    """
