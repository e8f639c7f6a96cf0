"""A worker's places: who holds many, and waits for a vendor, leaves some to others."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from junctor.language.connector import Request, Response
from junctor.runtime import worker as worker_module
from junctor.runtime.worker import Worker
from tests.support import asynchronous
from tests.unit.runtime.drive_kit import OK, ORGANIZATION, Bench
from tests.unit.runtime.test_worker import BUSY, SEND, accept, planted, worker_on


async def stopped(bench: Bench, worker: Worker) -> None:
    """Lets go of what waits for a vendor that says nothing."""
    for task in worker.starter.tasks:
        task.cancel()
    await asyncio.gather(*worker.starter.tasks, return_exceptions=True)
    await bench.committer.stop()


@asynchronous
async def test_many_scenarios_of_one_organization_leave_places_to_others() -> None:
    """Their vendor answers nobody; what they hold, nobody gets until it does."""
    asked = asyncio.Event()
    other, small = UUID(int=9), UUID(int=77)

    async def handler(request: Request) -> Response:
        if request.json["text"] == "99":
            asked.set()
            return OK
        await asyncio.Event().wait()
        return OK

    bench = Bench(SEND, handler=handler)
    worker = worker_on(bench)
    planted(bench, worker, other, small)
    for scenario in range(1000, 1064):
        planted(bench, worker, ORGANIZATION, UUID(int=scenario))
        await accept(bench, *(scenario * 1000 + n for n in range(30)), scenario=UUID(int=scenario))
    bench.committer.start()
    for _ in range(3):
        await worker._pass()
    assert 500 < worker.active < worker_module.MOST_RUNS
    await accept(bench, 99, organization=other, scenario=small)
    await worker._pass()
    await asked.wait()
    await stopped(bench, worker)


@asynchronous
async def test_runs_that_come_due_together_leave_places_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As many as there are of them: what waited for nine o'clock all goes on then."""
    monkeypatch.setattr(worker_module, "MOST_RUNS", 20)
    asked = asyncio.Event()
    other, small = UUID(int=9), UUID(int=77)

    async def handler(request: Request) -> Response:
        if request.json["text"] == "99":
            asked.set()
            return OK
        if go_on.is_set():
            await asyncio.Event().wait()
        return BUSY

    go_on = asyncio.Event()
    bench = Bench(SEND, handler=handler)
    worker = worker_on(bench)
    planted(bench, worker, other, small)
    await accept(bench, *range(1, 16))
    bench.committer.start()
    for number in range(4):
        await accept(bench, *range(100 * number + 100, 100 * number + 115))
        await worker._pass()
        while worker.starter.tasks:
            await asyncio.wait(worker.starter.tasks)
    waiting = [each for each in bench.store.runs.values() if each.row.due_at is not None]
    assert len(waiting) > 40
    go_on.set()
    bench.time += 120
    for _ in range(3):
        await worker._pass()
    assert 10 < worker.active < 20
    await accept(bench, 99, organization=other, scenario=small)
    await worker._pass()
    await asked.wait()
    await stopped(bench, worker)
