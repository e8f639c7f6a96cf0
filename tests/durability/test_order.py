"""Order: what must follow one another does, whatever fails."""

from __future__ import annotations

import json

import psycopg

from tests.durability import kit
from tests.integration.runtime.test_aside import breaking
from tests.support import run


def test_a_sequential_scenario_acts_in_order_though_the_first_is_refused_twice(
    database_url: str,
) -> None:
    async def check() -> None:
        busy = (429, {"retry-after": "0"})
        async with kit.vendor(script={1: [busy, busy]}) as vendor:
            scenario = kit.plant(database_url, kit.blueprint(vendor.port, sequential=True))
            runs = await kit.deliver(database_url, scenario, [1, 2, 3])
            worker = await kit.WorkerProcess.start(database_url, port=vendor.port)
            try:
                found = await kit.settle(database_url, runs)
            finally:
                await worker.stop()
            assert set(found.values()) == {"finished"}
            assert vendor.order == [1, 2, 3]

    run(check())


def test_what_stands_behind_a_stopped_run_waits(database_url: str) -> None:
    async def check() -> None:
        async with kit.vendor(script={1: [(422, {})]}) as vendor:
            scenario = kit.plant(database_url, kit.blueprint(vendor.port, sequential=True))
            runs = await kit.deliver(database_url, scenario, [1, 2])
            first, second = runs
            worker = await kit.WorkerProcess.start(database_url, port=vendor.port)
            try:
                found = await kit.settle(database_url, {first: 1})
                assert found == {first: "incomplete"}
                with psycopg.connect(database_url, autocommit=True) as db:
                    while True:
                        row = db.execute(
                            "select blocked_by_run, owner from backlog where scenario_id = %s",
                            (scenario,),
                        ).fetchone()
                        if row == (first, None):
                            break
                    assert second not in kit.states(database_url)
                    from junctor.adapters.postgres.queries import load

                    db.execute("set role junctor_engine")
                    db.execute(
                        load("hot")["resume"], {"organization": kit.ORGANIZATION, "run": first}
                    )
                found = await kit.settle(database_url, runs)
            finally:
                await worker.stop()
            assert set(found.values()) == {"finished"}
            assert vendor.order == [1, 2]

    run(check())


def test_a_run_whose_worker_dies_after_it_set_a_bundle_aside_goes_on(database_url: str) -> None:
    """What follows it stands behind that bundle; the run itself does not."""

    async def check() -> None:
        async with kit.vendor() as vendor:
            made = json.loads(breaking(vendor.port, sequential=True))
            reads = {**made["flow"][3]["mapper"], "method": "get", "data": "", "bodyType": ""}
            made["flow"].append({**made["flow"][3], "id": 5, "mapper": reads})
            scenario = kit.plant(database_url, json.dumps(made))
            (first,) = await kit.deliver(database_url, scenario, [1])
            victim = await kit.WorkerProcess.start(
                database_url, port=vendor.port, point="after result", nth=3
            )
            await victim.died()
            assert vendor.order == [1, 3]
            assert kit.states(database_url)[first] == "running"
            (behind,) = await kit.deliver(database_url, scenario, [2])
            worker = await kit.WorkerProcess.start(database_url, port=vendor.port)
            try:
                found = await kit.settle(database_url, {first: 1}, seconds=kit.TAKEOVER)
                assert found == {first: "finished"}
                with psycopg.connect(database_url, autocommit=True) as db:
                    line = "select blocked_by_run, owner from backlog where scenario_id = %s"
                    forks = "select id, null::text from runs where origin = %s"
                    fork = db.execute(forks, (first,)).fetchall()
                    await kit.until(lambda: db.execute(line, (scenario,)).fetchall() == fork)
                assert behind not in kit.states(database_url)
            finally:
                await worker.stop()
            assert vendor.order == [1, 3]

    run(check())
