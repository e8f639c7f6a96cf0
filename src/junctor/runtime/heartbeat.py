"""A thread that says this process lives: renews its leases and its row among the nodes, and ends
the leases of workers of this machine that it sees dead.

It has a connection of its own, so a busy loop or a slow statement can't cost a run its lease. It
stops renewing when the loop has given no sign for a minute: a hung process must lose its work.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg
import structlog

from junctor.adapters import neighbours
from junctor.adapters.postgres.queries import load
from junctor.adapters.system import release, uptime
from junctor.ports.backlog import Claim
from junctor.runtime.complaints import Complaint

__all__ = ["Heartbeat", "renewed"]

log = structlog.get_logger(__name__)

HUNG = 60.0
"""Seconds without a sign from the loop after which leases are let go."""
REMEMBERED = 30.0
"""Seconds after its last sign for which a dead neighbour is looked after."""
SETTLING = 0.2
"""Leases; after a time in which none could be renewed, so long nobody's are taken over."""


def renewed(claims: Sequence[Claim]) -> dict[str, list[Any]]:
    """The parameters of the statement `renew` that say which claims."""
    return {
        "organizations": [claim.organization_id for claim in claims],
        "scenarios": [claim.scenario_id for claim in claims],
        "order_keys": [claim.order_key for claim in claims],
        "fences": [claim.fence for claim in claims],
    }


class Heartbeat:
    """Renews every third of a lease. ``lease`` 0: only the node's row, every 5 seconds.

    ``gap``: this is a server, and a silence of all servers for more than so many minutes is noted,
    so that what was missed is fetched (0: none is).
    """

    def __init__(
        self, url: str, *, name: str, role: str, lease: float = 0.0, gap: int | None = None
    ) -> None:
        self._url = url
        self._name = name
        self._role = role
        self._lease = lease
        self._gap = gap
        self._sql = load("hot")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._sign = time.monotonic()
        self._machine = neighbours.machine()
        self.details: dict[str, object] = {"version": release()}
        if self._machine:
            self.details["machine"] = self._machine
            self.details["process"] = neighbours.process(os.getpid())
        self._kept: dict[int, float] = {}
        """Until when claims are ours since they were last renewed (`uptime`)."""
        self._renewed_at = self._steady_from = float("-inf")
        self.claims: tuple[Claim, ...] = ()
        """Those to renew. Only these: one that was made and not heard of, as its connection
        was lost, must run out, or nobody would ever work on it."""

    def holds(self, claim: Claim) -> bool:
        """Whether the claim's lease has not run out, by this machine's clock: one that was stopped
        or asleep for a while finds out here, before it does what another may be doing by now.
        """
        until = max(claim.until, self._kept.get(claim.fence, 0.0))
        return uptime() < until

    def steady(self) -> bool:
        """Whether leases that are over are those of the dead. While the database was away, or this
        process stood still, nobody could renew: not others, and not we, who would else take over
        from ourselves what is under way here.
        """
        now = uptime()
        known = self._renewed_at == float("-inf") or now - self._renewed_at < self._lease
        return known and now >= self._steady_from

    def alive(self) -> None:
        """The loop's sign of life."""
        self._sign = time.monotonic()

    def start(self) -> None:
        """Begins. From here on leases must be renewed: where that never succeeds, as the database
        has no connection left for it, this worker would take its own runs over from itself.
        """
        self._renewed_at = uptime()
        self._thread.start()

    def stop(self) -> None:
        """Ends, and takes the node's row away."""
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        connection: psycopg.Connection[tuple[object, ...]] | None = None
        pause = self._lease / 3 or 5.0
        failed = Complaint(log.warning, "heartbeat_failed")
        while True:
            try:
                if connection is None or connection.closed:
                    connection = psycopg.connect(
                        self._url,
                        autocommit=True,
                        connect_timeout=5,
                        tcp_user_timeout=5000,
                        application_name=f"junctor heartbeat {self._name}",
                    )
                    connection.execute("set role junctor_engine")
                    # Planned while the backlog was nearly empty, it would go on reading all of it.
                    connection.execute("set enable_seqscan = off")
                if self._stop.is_set():
                    connection.execute(self._sql["leave"], {"name": self._name})
                    connection.close()
                    return
                self._beat(connection)
            except Exception as error:  # whatever it is: a worker without heartbeat loses its work
                failed(str(error).partition("\n")[0])
                if connection is not None:
                    connection.close()
                    connection = None
                if self._stop.is_set():
                    return
            self._stop.wait(min(pause, 1.0) if connection is None else pause)

    def _beat(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        now = uptime()
        if self._lease and time.monotonic() - self._sign < HUNG:
            rows = connection.execute(
                self._sql["renew"],
                {"lease": self._lease, "owner": self._name, **renewed(self.claims)},
            )
            self._kept = dict.fromkeys((int(str(fence)) for (fence,) in rows), now + self._lease)
            if float("-inf") < self._renewed_at < now - self._lease:
                self._steady_from = uptime() + SETTLING * self._lease
            self._renewed_at = now
        if self._lease and self._machine:
            self._bury(connection)
        if self._gap is not None:
            connection.execute(load("gaps")["door_open"], {"minutes": self._gap})
        connection.execute(
            self._sql["heartbeat"],
            {
                "name": self._name,
                "role": self._role,
                "details": msgspec.json.encode(self.details).decode(),
            },
        )

    def _bury(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        """Ends the leases of dead workers of this machine, so that nobody waits for them."""
        sql = load("neighbours")
        given = {"name": self._name, "machine": self._machine}
        living = connection.execute(sql["neighbours"], given).fetchall()
        dead = [str(name) for name, process in living if neighbours.gone(str(process))]
        if dead:
            ended = connection.execute(sql["bury"], {"names": dead, "remembered": REMEMBERED})
            log.info("neighbours_died", workers=dead, leases=ended.fetchall()[0][0])
