"""The catalog on Postgres: `ports.catalog` part by part, one file each."""

from __future__ import annotations

from junctor.adapters.postgres.catalog.accounts import PostgresAccounts
from junctor.adapters.postgres.catalog.history import PostgresHistory
from junctor.adapters.postgres.catalog.organizations import PostgresOrganizations
from junctor.adapters.postgres.catalog.scenarios import PostgresScenarios
from junctor.adapters.postgres.catalog.stores import PostgresStores
from junctor.adapters.postgres.catalog.structures import PostgresStructures

__all__ = ["PostgresCatalog"]


class PostgresCatalog(
    PostgresOrganizations,
    PostgresScenarios,
    PostgresAccounts,
    PostgresHistory,
    PostgresStores,
    PostgresStructures,
):
    """All of `ports.catalog.Catalog`.

    ``api`` and ``engine`` are open pools of these roles. What is an organisation's is done through
    ``api``, under row level security; ``engine`` serves what goes across: a token's owner, new
    organisations, the list of processes.
    """
