"""Which servers and workers live: by their heartbeats; on this machine by a look at them, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from junctor.adapters import neighbours
from junctor.app.core import Core

__all__ = ["ended", "heard", "worker_alive"]

HEARD = {"worker": 10.0}
"""Seconds after its last heartbeat that a process counts as alive: three heartbeats, and as long
as a worker's leases.
"""
HEARD_OTHERS = 15.0
"""The same for other roles, whose heart beats slower."""


def heard(role: str, silent: float) -> bool:
    """Whether one that was last heard of so many seconds ago counts as alive."""
    return silent < HEARD.get(role, HEARD_OTHERS)


def ended(details: Mapping[str, Any]) -> bool:
    """Whether the process of a node's row has ended for certain; only of this machine's it can be
    known.
    """
    machine = neighbours.machine()
    return (
        bool(machine)
        and details.get("machine") == machine
        and neighbours.gone(str(details.get("process")))
    )


async def worker_alive(core: Core) -> bool:
    """Whether a worker was heard of lately, by the database's clock, and isn't known to be dead."""
    async with core.engine.connection() as connection:
        cursor = await connection.execute(
            "select extract(epoch from clock_timestamp() - seen_at)::float8, details"
            " from nodes where role = 'worker'"
        )
        return any(
            heard("worker", silent) and not ended(details)
            for silent, details in await cursor.fetchall()
        )
