"""Scenarios held, run dry and let go on; runs stopped, or left behind by those that follow."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from uuid import UUID

import structlog

from junctor.adapters.postgres.database import tenant, unlocked
from junctor.adapters.postgres.queries import load as queries
from junctor.app.core import Core
from junctor.errors import Conflict, JunctorError, NotFound
from junctor.language import ids
from junctor.ports.catalog import Queue, Run, Scenario

__all__ = [
    "Waiting", "at_once", "end_drained", "skip", "stop", "stop_all", "waiting", "watch_drains",
]  # fmt: skip

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""Between looks at whether a draining scenario has done all that waited."""
MOST_STOPPED = 10_000
"""Runs stopped at once."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a scenario, over all its order keys."""

    scenario: Scenario
    queues: list[Queue]

    @property
    def deliveries(self) -> int:
        """That nobody has finished; those under way count."""
        return sum(queue.deliveries for queue in self.queues)

    @property
    def parked(self) -> int:
        """Deliveries set aside because they stopped their worker."""
        return sum(queue.parked for queue in self.queues)

    @property
    def oldest(self) -> Any:
        """When the oldest of them came, or ``None``."""
        return min((q.oldest_at for q in self.queues if q.oldest_at is not None), default=None)

    @property
    def blocked(self) -> list[Queue]:
        """Queues that stand behind a run."""
        return [queue for queue in self.queues if queue.blocked_by_run is not None]


async def waiting(core: Core, scenario: Scenario) -> Waiting:
    """What waits for the scenario now."""
    queues = await core.catalog.queues(
        scenario.organization_id, scenario_id=scenario.id, limit=1_000_000
    )
    return Waiting(scenario, queues.items)


async def stop(
    core: Core, organization_id: UUID, run_id: UUID, *, actor: str, keep: bool = False
) -> Run | None:
    """Ends a run: one that waits or is incomplete at once, one under way before its next operation.

    It is discarded; with ``keep`` it becomes incomplete, and can be retried from where it was.
    Returns the run as it is now; ``None`` if it has not begun, and so has no row yet. `Conflict` if
    it has ended, or is uncertain; `NotFound` if there is no such run.
    """
    shown = ids.show("run", run_id)
    values = {"organization": organization_id, "run": run_id, "keep": keep, "actor": actor}
    row = await _one(core, organization_id, "stop", values)
    assert row is not None
    was, wanted = row[0], row[1]
    if not wanted:
        if was is None:
            raise NotFound(what=f"The run {shown}")
        mend = " Settle or discard it." if was == "uncertain" else ""
        raise Conflict(f"The run is {was}, so it can't be stopped.{mend}", state=was, run=shown)
    await core.catalog.note(
        organization_id, actor=actor, verb="run.stop", object=shown, details={"state": was}
    )
    return await core.catalog.run(organization_id, run_id) if was is not None else None


def at_once(run: Run | None) -> bool:
    """Whether a run that was stopped has ended; else the worker that is at it ends it."""
    return run is not None and run.state in {"incomplete", "discarded"} and run.due_at is None


async def stop_all(core: Core, scenario: Scenario, *, actor: str, keep: bool = False) -> int:
    """Stops the scenario's runs that are under way; how many were asked to stop."""
    async with tenant(core.api, scenario.organization_id) as connection:
        cursor = await connection.execute(
            queries("stops")["in_flight"],
            {
                "organization": scenario.organization_id,
                "scenario": scenario.id,
                "limit": MOST_STOPPED,
            },
        )
        found = [row[0] for row in await cursor.fetchall()]
    count = 0
    for run_id in found:
        try:
            await stop(core, scenario.organization_id, run_id, actor=actor, keep=keep)
        except Conflict:  # it has just ended
            continue
        count += 1
    return count


async def skip(core: Core, organization_id: UUID, run_id: UUID, *, actor: str) -> Run:
    """What stands behind a stopped run goes on without it. The run stays as it is, and may be
    retried later: then out of its order. `Conflict` if nothing can stand behind it.
    """
    run = await core.catalog.run(organization_id, run_id)
    shown = ids.show("run", run_id)
    values = {"organization": organization_id, "run": run_id}
    row = await _one(core, organization_id, "skip", values)
    if row is None:
        why = "has been skipped already" if run.skipped else f"is {run.state}"
        raise Conflict(
            f"The run {why}; only an incomplete, uncertain or waiting one can be skipped, once.",
            state=run.state,
            run=shown,
        )
    await core.catalog.note(
        organization_id, actor=actor, verb="run.skip", object=shown, details={"state": run.state}
    )
    return await core.catalog.run(organization_id, run_id)


async def _one(
    core: Core, organization_id: UUID, query: str, values: dict[str, Any]
) -> tuple[Any, ...] | None:
    async def asked() -> tuple[Any, ...] | None:
        async with tenant(core.api, organization_id) as connection:
            cursor = await connection.execute(queries("stops")[query], values)
            return await cursor.fetchone()

    return await unlocked(asked)


async def end_drained(core: Core) -> int:
    """Switches off the draining scenarios that have done all that waited; how many."""
    async with core.engine.connection() as connection:
        await connection.execute(queries("stops")["forget_stops"])
        cursor = await connection.execute(queries("stops")["drained"])
        rows = await cursor.fetchall()
    ended = 0
    for organization_id, scenario_id in rows:
        try:
            scenario = await core.catalog.scenario(organization_id, scenario_id)
            if scenario.draining_at is None:
                continue
            # In a thread: workers load it with the first drain that ends, and runs are under way.
            activation = await asyncio.to_thread(import_module, "junctor.app.activation")
            await activation.deactivate(
                core, scenario, actor="system:drain", revision=scenario.revision
            )
        except JunctorError as error:  # another worker was faster, or a person changed it
            log.info("drain_not_ended", scenario=str(scenario_id), error=error.message)
            continue
        log.info("drained", scenario=str(scenario_id))
        ended += 1
    return ended


async def watch_drains(core: Core, stop_event: asyncio.Event) -> None:
    """Ends drained scenarios until told to stop; part of every worker process."""
    while not stop_event.is_set():
        try:
            await end_drained(core)
        except Exception as error:  # whatever it is, the next look may do better
            log.warning("drains_not_read", error=str(error))
        try:
            await asyncio.wait_for(stop_event.wait(), LOOK_SECONDS)
        except TimeoutError:
            continue
