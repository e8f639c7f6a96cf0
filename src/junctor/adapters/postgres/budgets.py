"""Vendors' budgets on Postgres: one row each, changed under its lock, by the server's clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from psycopg import AsyncConnection

from junctor.adapters.postgres.hot import Line
from junctor.adapters.postgres.queries import load
from junctor.language.budgets import Bucket, Budget
from junctor.ports.budgets import BudgetKey

__all__ = ["PostgresBudgets"]

T = TypeVar("T")
Row = tuple[Any, ...]


class PostgresBudgets:
    """`ports.budgets.Budgets`; a change is one short transaction."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._sql = load("budgets")

    async def change(self, key: BudgetKey, budget: Budget, work: Callable[[Bucket, float], T]) -> T:
        """As the port says."""
        where = _where(key)

        async def transaction(connection: AsyncConnection[Row]) -> T:
            async with connection.transaction():
                await connection.execute(self._sql["budget_begin"])
                cursor = await connection.execute(self._sql["budget_lock"], where)
                row = await cursor.fetchone()
                if row is None:
                    await connection.execute(self._sql["budget_new"], where)
                    cursor = await connection.execute(self._sql["budget_lock"], where)
                    row = await cursor.fetchone()
                    assert row is not None
                bucket = Bucket.of(budget, msgspec.json.decode(row[0]))
                result = work(bucket, row[1])
                state = msgspec.json.encode(bucket.as_record()).decode()
                await connection.execute(self._sql["budget_put"], {**where, "state": state})
                return result

        return await self._line.run(transaction)

    async def look(self, key: BudgetKey, budget: Budget) -> tuple[Bucket, float]:
        """As the port says."""

        async def read(connection: AsyncConnection[Row]) -> tuple[Bucket, float]:
            cursor = await connection.execute(self._sql["budget_read"], _where(key))
            row = await cursor.fetchone()
            if row is None:
                return Bucket.of(budget, None), 0.0
            return Bucket.of(budget, msgspec.json.decode(row[0])), row[1]

        return await self._line.run(read)


def _where(key: BudgetKey) -> dict[str, Any]:
    organization, connector, name, value = key
    return {"organization": organization, "connector": connector, "name": name, "key": value}
