"""A run by hand from a command: submitted durably, waited for, with a worker here if none lives."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from junctor.adapters.system import process_name
from junctor.app.core import Core
from junctor.app.living import worker_alive
from junctor.app.running import wait_for_run
from junctor.errors import NotFound
from junctor.ports.catalog import Run, Scenario
from junctor.runtime.ingest import Ingest
from junctor.runtime.worker import Worker

__all__ = ["own_worker", "run_scenario"]

WORKER_PATIENCE = 2.0
"""Seconds in which a worker that seems to live must have begun a run."""


async def run_scenario(
    core: Core,
    scenario: Scenario,
    bundles: list[dict[str, Any]] | None,
    *,
    actor: str,
    version: int | None = None,
    within: float,
    options: Mapping[str, Any] | None = None,
) -> tuple[UUID, Run | None]:
    """The run's id, and the run once it ended; ``None`` if it has not ``within`` so many seconds.

    Runs the draft, unless a version is named. ``options``: see `runtime.envelope.Manual`.
    """
    ingest = Ingest(
        core.url,
        server=f"cli{secrets.token_hex(6)}",
        find=core.registry.find,
        vault=core.vault,
    )
    await ingest.start()
    try:
        run_id = await ingest.submit(
            scenario.organization_id,
            scenario.id,
            bundles,
            actor=actor,
            version=version or scenario.draft,
            options=options,
        )
    finally:
        await ingest.stop()
    if await worker_alive(core):
        # It may have been killed a moment ago, or be busy: then a worker here takes the run.
        patience = min(WORKER_PATIENCE, within)
        done = await wait_for_run(core, scenario.organization_id, run_id, within=patience)
        within -= patience
        if done is not None or within <= 0 or await _begun(core, scenario, run_id):
            rest = max(within, 0.0)
            return run_id, done or await wait_for_run(
                core, scenario.organization_id, run_id, within=rest
            )
    async with own_worker(core):
        return run_id, await wait_for_run(core, scenario.organization_id, run_id, within=within)


async def _begun(core: Core, scenario: Scenario, run_id: UUID) -> bool:
    try:
        await core.catalog.run(scenario.organization_id, run_id)
    except NotFound:
        return False
    return True


@asynccontextmanager
async def own_worker(core: Core) -> AsyncIterator[None]:
    """A worker in this process for the time of the block."""
    stop = asyncio.Event()
    worker = Worker(
        core.url,
        name=process_name("cli"),
        find=core.registry.find,
        connector=core.registry.connector,
        vault=core.vault,
        blobs=core.blobs,
        transport=core.transport,
        mail=core.services.tools.mail,
        public_url=core.settings.public_url,
    )
    task = asyncio.create_task(worker.run(stop), name="worker")
    try:
        yield
    finally:
        stop.set()
        await task
