"""How the installation does, at a glance: processes, queues, lag, budgets, stopped runs, database.

The same for the page, the API and the command line, as data.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import dict_row

from junctor.adapters.postgres.queries import load as queries
from junctor.app.core import Core
from junctor.app.living import ended, heard
from junctor.language import ids
from junctor.language.budgets import Bucket

__all__ = [
    "BudgetStatus",
    "DatabaseStatus",
    "NodeStatus",
    "QueueStatus",
    "SpoolStatus",
    "StartStatus",
    "Status",
    "status",
]


class SpoolStatus(msgspec.Struct):
    """What lay in a server's spool when it was last heard of: deliveries that are acknowledged and
    not in the inbox yet, their bytes, the age of the oldest in seconds.
    """

    deliveries: int
    bytes: int
    oldest: float


class NodeStatus(msgspec.Struct):
    """A server or worker. ``alive``: heard of within 15 seconds, a worker within 10, and not
    ``gone``: its process has ended for certain, which is known only on the machine that looks.
    Times are in seconds.

    ``active``: runs under way, of a worker. ``spool``: what lies in a server's, if it has one.
    """

    name: str
    role: str
    alive: bool
    uptime: float
    silent: float
    started_at: datetime
    version: str
    active: int | None
    spool: SpoolStatus | None = None
    gone: bool = False


class QueueStatus(msgspec.Struct):
    """What waits. ``deliveries`` nobody has finished, those under way included. ``oldest``: the age
    of the first of them, ``lag``: how long the first that could be run has waited; in seconds.

    ``queues`` are scenarios, or order keys of them, with work: ``claimed`` by a worker, ``blocked``
    by a run, ``held`` because their scenario is paused or off.
    """

    deliveries: int
    parked: int
    oldest: float
    lag: float
    queues: int
    claimed: int
    blocked: int
    held: int


class StartStatus(msgspec.Struct):
    """How soon deliveries were begun in the last minute: seconds, ``null`` if there were none."""

    runs: int
    p50: float | None
    p95: float | None


class BudgetStatus(msgspec.Struct):
    """A vendor's budget: ``taken`` of ``limit`` in any ``window`` seconds, as we count it, and what
    others are known to have spent of it. ``pause``: seconds that the vendor asked us to wait.
    ``connection`` is its name, where ``key`` is one.
    """

    connector: str
    name: str
    key: str
    limit: int
    window: float
    taken: int
    others: int
    pause: float
    connection: str | None = None


class DatabaseStatus(msgspec.Struct):
    """The database: its size in bytes, and how many of its connections are in use."""

    version: str
    bytes: int
    connections: int
    most_connections: int


class Status(msgspec.Struct):
    """Everything. ``scenarios``: how many are active, paused, draining; ``runs``: how many are
    waiting, incomplete, uncertain; ``jobs``: by their state.
    """

    nodes: list[NodeStatus]
    queues: QueueStatus
    starts: StartStatus
    scenarios: dict[str, int]
    runs: dict[str, int]
    budgets: list[BudgetStatus]
    database: DatabaseStatus
    jobs: dict[str, int]


async def status(core: Core, organization_id: UUID | None = None) -> Status:
    """How it does now. Queues, runs, scenarios and budgets: an organisation's, or everyone's."""
    where = {"organization": organization_id}
    async with (
        core.engine.connection() as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):

        async def rows(name: str) -> list[dict[str, Any]]:
            await cursor.execute(queries("status")[name], where)
            return await cursor.fetchall()

        (queued,) = await rows("queued")
        (lines,) = await rows("lines")
        (starts,) = await rows("starts")
        (scenarios,) = await rows("scenarios_held")
        (database,) = await rows("database")
        p50, p95 = starts["delays"] or (None, None)
        try:
            jobs = {row["status"]: row["count"] for row in await rows("jobs")}
        except psycopg.errors.UndefinedTable:  # a database whose jobs live elsewhere
            jobs = {}
        return Status(
            nodes=[_node(row) for row in await rows("nodes")],
            queues=QueueStatus(**queued, **lines),
            starts=StartStatus(starts["runs"], p50, p95),
            scenarios=scenarios,
            runs={
                **dict.fromkeys(("waiting", "incomplete", "uncertain"), 0),
                **{row["state"]: row["count"] for row in await rows("stopped_runs")},
            },
            budgets=[_budget(row) for row in await rows("budgets")],
            database=DatabaseStatus(
                database["version"], database["bytes"], database["connections"], database["most"]
            ),
            jobs=jobs,
        )


def _node(row: dict[str, Any]) -> NodeStatus:
    details = row["details"]
    gone = ended(details)
    return NodeStatus(
        name=row["name"],
        role=row["role"],
        alive=not gone and heard(row["role"], row["silent"]),
        uptime=round(row["uptime"], 1),
        silent=round(row["silent"], 1),
        started_at=row["started_at"],
        version=str(details.get("version", "")),
        active=details.get("active"),
        spool=_spool(details.get("spool"), row["now"]),
        gone=gone,
    )


def _spool(figures: Any, now: float) -> SpoolStatus | None:
    if not isinstance(figures, dict) or "deliveries" not in figures:
        return None
    since = figures["oldest_at"]
    oldest = max(0.0, round(now - since, 1)) if since else 0.0
    return SpoolStatus(figures["deliveries"], figures["bytes"], oldest)


def _budget(row: dict[str, Any]) -> BudgetStatus:
    record = json.loads(row["state"])
    now = row["now"]
    bucket = Bucket(**record) if record else Bucket(limit=0, window=0.0)
    return BudgetStatus(
        connector=row["connector"],
        name=row["name"],
        key=row["key"] if row["connection"] is None else ids.show("con", UUID(row["key"])),
        connection=row["connection"],
        limit=bucket.limit,
        window=bucket.window,
        taken=sum(bucket.taken(now)),
        others=bucket.others_at(now),
        pause=max(0.0, round(bucket.paused_until - now, 1)),
    )
