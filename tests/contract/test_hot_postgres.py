"""The hot path's contract on Postgres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from junctor.adapters.postgres.hot import Line, PostgresBacklog, PostgresInbox, PostgresLedger
from junctor.adapters.postgres.queries import load
from junctor.ports.backlog import Backlog, Claim
from junctor.runtime.heartbeat import renewed
from junctor.testing.contracts_hot import CHECKS, LEASE, Check, Stand
from tests.support import run

SQL = load("hot")
TEAM = UUID(int=3)
TABLES = (
    "inbox", "backlog", "runs", "segments", "seen", "answers",
    "data_store_records", "module_states",
)  # fmt: skip


class PostgresStand(Stand):
    """Time passes by setting what is to come back."""

    def __init__(self, line: Line, connection: psycopg.Connection[Any]) -> None:
        self._line = line
        self._connection = connection
        self.inbox = PostgresInbox(line)
        self.ledger = PostgresLedger(line)

    def backlog(self, owner: str) -> Backlog:
        return PostgresBacklog(self._line, owner=owner, lease=LEASE)

    def plant(self, organization_id: UUID, scenario_id: UUID, *, active: bool = True) -> None:
        given = {"o": organization_id, "s": scenario_id, "t": TEAM, "active": active}
        self._do(
            "insert into organizations (organization_id, name, created_by) values (%(o)s, 'o', 't')"
            " on conflict do nothing",
            given,
        )
        self._do(
            "insert into teams (organization_id, id, name, created_by)"
            " values (%(o)s, %(t)s, 't', 't') on conflict do nothing",
            given,
        )
        self._do(
            "insert into scenarios (organization_id, id, team_id, name, draft, published, active,"
            " created_by, updated_by) values (%(o)s, %(s)s, %(t)s, 's', 1, 1, %(active)s, 't', 't')"
            " on conflict (organization_id, id) do update set active = excluded.active",
            given,
        )

    def forget(self, organization_id: UUID, scenario_id: UUID) -> None:
        query = "delete from scenarios where (organization_id, id) = (%(o)s, %(s)s)"
        self._connection.execute("reset role")  # workers delete none
        self._do(query, {"o": organization_id, "s": scenario_id})
        self._connection.execute("set role junctor_engine")

    def plant_store(self, organization_id: UUID, store_id: UUID) -> None:
        self._do(
            "insert into data_stores (organization_id, id, team_id, name, created_by, updated_by)"
            " values (%(o)s, %(s)s, %(t)s, 's', 't', 't') on conflict do nothing",
            {"o": organization_id, "s": store_id, "t": TEAM},
        )

    def records(self, organization_id: UUID, store_id: UUID) -> dict[str, Any]:
        query = (
            "select key, data from data_store_records where (organization_id, store_id) = (%s, %s)"
        )
        return dict(self._connection.execute(query, (organization_id, store_id)).fetchall())

    def revision(self, organization_id: UUID, store_id: UUID, key: str) -> int:
        query = (
            "select revision from data_store_records"
            " where (organization_id, store_id, key) = (%s, %s, %s)"
        )
        rows = self._connection.execute(query, (organization_id, store_id, key)).fetchall()
        return int(rows[0][0])

    def remembered(self, organization_id: UUID, scenario_id: UUID) -> dict[int, Any]:
        query = (
            "select module, state from module_states"
            " where (organization_id, scenario_id) = (%s, %s)"
        )
        return dict(self._connection.execute(query, (organization_id, scenario_id)).fetchall())

    def now(self) -> datetime:
        return datetime.now(UTC)

    def elapse(self, seconds: float) -> None:
        given = {"seconds": seconds}
        self._do(
            "update backlog set lease_until = lease_until - make_interval(secs => %(seconds)s),"
            " due_at = due_at - make_interval(secs => %(seconds)s),"
            " oldest_at = oldest_at - make_interval(secs => %(seconds)s)",
            given,
        )
        self._do("update runs set due_at = due_at - make_interval(secs => %(seconds)s)", given)

    def renew(self, owner: str, claims: Sequence[Claim]) -> None:
        self._do(SQL["renew"], {"owner": owner, "lease": LEASE, **renewed(claims)})

    def resume(self, organization_id: UUID, run_id: UUID) -> None:
        self._do(SQL["resume"], {"organization": organization_id, "run": run_id})

    def discard(self, organization_id: UUID, run_id: UUID) -> None:
        self._do(SQL["discard"], {"organization": organization_id, "run": run_id})

    def _do(self, query: str, given: Mapping[str, Any]) -> None:
        self._connection.execute(query.encode(), given)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_postgres_keeps_the_contract(check: Check, database_url: str) -> None:
    async def work() -> None:
        line = Line(database_url, patience=0)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("set role junctor_engine")
            for table in TABLES:
                connection.execute(f"delete from {table}".encode())
            try:
                await check(PostgresStand(line, connection))
            finally:
                await line.close()

    run(work())
