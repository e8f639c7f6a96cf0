"""What a worker's loop needs of the database stands behind nobody's reading."""

from __future__ import annotations

import asyncio
from typing import Any

from junctor.adapters.postgres.hot import Line, PostgresInbox
from junctor.ports.inbox import NewDelivery
from junctor.runtime.envelope import pack_manual
from tests.durability.kit import ORGANIZATION, new_id, plant
from tests.integration.runtime.door import SET, flow, idle, working
from tests.support import asynchronous

START: tuple[str, dict[str, Any]] = ("scenario-service:StartSubscenario", {})


@asynchronous
async def test_runs_begin_while_others_read_a_large_data_store(database_url: str) -> None:
    """To count a million records takes a second, and hundreds of runs may want to at once."""
    scenario = plant(database_url, flow(START, SET))
    async with working(database_url) as worker:
        reading, over = asyncio.Event(), asyncio.Event()

        async def read(_connection: object) -> None:
            reading.set()
            await over.wait()

        tasks = [asyncio.create_task(worker._reads.run(read)) for _ in range(3)]
        await reading.wait()
        line = Line(database_url, patience=5)
        payload = pack_manual([{}], version=0, actor="t")
        given = NewDelivery(ORGANIZATION, new_id(), scenario, "", None, payload, None, None)
        try:
            await PostgresInbox(line).accept([given])
            await idle(database_url)
        finally:
            over.set()
            await asyncio.gather(*tasks)
            await line.close()
    assert worker.runs == 1
