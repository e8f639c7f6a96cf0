"""Many events at once: workers killed, ended, and side by side."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter, defaultdict
from uuid import UUID

import pytest

from tests.durability import kit
from tests.integration.runtime.door import WEBHOOK, door, flow, idle, plant_hook, working
from tests.integration.runtime.test_waits import SLEEP, sends
from tests.support import run


def test_workers_killed_under_load_lose_and_repeat_nothing(database_url: str) -> None:
    """Three times, at a moment drawn from a seed: when the vendor has acted so often."""

    async def check() -> None:
        draw = random.Random(20_260_101)
        async with kit.vendor(delay=0.005) as vendor:
            scenarios = [kit.plant(database_url, kit.blueprint(vendor.port)) for _ in range(10)]
            workers = [
                await kit.WorkerProcess.start(database_url, port=vendor.port, held=True)
                for _ in range(4)
            ]
            runs: dict[UUID, int] = {}
            for round_, victim in enumerate(workers[:3]):
                for at, scenario in enumerate(scenarios):
                    first = round_ * 100 + at * 10
                    runs |= await kit.deliver(database_url, scenario, range(first, first + 10))
                enough = vendor.done.total() + draw.randrange(1, 90)
                victim.go()
                await kit.until(lambda enough=enough: vendor.done.total() >= enough)  # type: ignore[misc]  # bound as it is now
                victim.kill()
                await victim.died()
            workers[3].go()
            try:
                found = await kit.settle(database_url, runs)
            finally:
                await workers[3].stop()
        for delivery, number in runs.items():
            assert found[delivery] in {"finished", "uncertain"}
            assert vendor.done[number] <= 1
            assert found[delivery] == "uncertain" or vendor.done[number] == 1
        # At most what was in flight at a death is in doubt.
        assert Counter(found.values())["uncertain"] <= 3 * 64

    run(check())


def test_a_worker_told_to_end_leaves_nothing_undone_or_in_doubt(database_url: str) -> None:
    async def check() -> None:
        async with kit.vendor(delay=kit.NEVER) as vendor:  # so not all of them can be begun
            scenarios = [kit.plant(database_url, kit.blueprint(vendor.port)) for _ in range(4)]
            # With so long a lease, the heir can only go on because the claims were given back.
            worker, heir = [
                await kit.WorkerProcess.start(database_url, port=vendor.port, lease=60.0, held=True)
                for _ in range(2)
            ]
            runs: dict[UUID, int] = {}
            for at, scenario in enumerate(scenarios):
                numbers = range(at * 400, at * 400 + 400)
                runs |= await kit.deliver(database_url, scenario, numbers)
            worker.go()
            await kit.until(lambda: vendor.done.total() >= 20)
            worker.process.send_signal(signal.SIGTERM)
            vendor.answer()
            assert await worker.died() == 0
            begun = time.monotonic()
            assert len(kit.states(database_url).keys() & runs.keys()) < len(runs)
            heir.go()
            try:
                found = await kit.settle(database_url, runs)
            finally:
                await heir.stop()
            assert time.monotonic() - begun <= kit.TAKEOVER
        assert set(found.values()) == {"finished"}
        assert vendor.done == dict.fromkeys(range(1600), 1)

    run(check())


def test_two_workers_share_and_keep_every_order(database_url: str) -> None:
    """20 scenarios: of each four, one sequential, one in order by key, two free."""

    async def check() -> None:
        async with kit.vendor(delay=0.005) as vendor:
            workers = [
                await kit.WorkerProcess.start(database_url, port=vendor.port, held=True)
                for _ in range(2)
            ]
            action = sends(vendor.port, "{{1.n}}")
            paths = []
            for at in range(20):
                settings = {"sequential": True} if at % 4 == 0 else {}
                key = "{{1.key}}" if at % 4 == 1 else ""
                text = flow(WEBHOOK, action, order_key=key, **settings)
                paths.append(plant_hook(database_url, text))
            async with door(database_url) as it:

                async def send(at: int) -> None:
                    for turn in range(10):
                        number = at * 100 + turn
                        body = f'{{"n": {number}, "key": "caller {turn % 3}"}}'
                        answer = await it.post(
                            paths[at], body.encode(), content_type="application/json"
                        )
                        assert answer.status == 200

                for worker in workers:
                    worker.go()
                await asyncio.gather(*(send(at) for at in range(20)))
                try:
                    await kit.until(lambda: vendor.done.total() >= 200)
                    await idle(database_url)
                finally:
                    await asyncio.gather(*(worker.stop() for worker in workers))
        numbers = [at * 100 + turn for at in range(20) for turn in range(10)]
        assert vendor.done == dict.fromkeys(numbers, 1)
        lines = defaultdict(list)
        for number in vendor.order:
            at, turn = divmod(number, 100)
            if at % 4 == 0:
                lines[at, 0].append(turn)
            elif at % 4 == 1:
                lines[at, turn % 3].append(turn)
        assert len(lines) == 5 + 15
        for line in lines.values():
            assert line == sorted(line)

    run(check())


@pytest.mark.parametrize(
    ("point", "end"), [("after send", "uncertain"), ("before result", "finished")]
)
def test_a_worker_killed_after_a_long_wait_repeats_nothing(
    point: str, end: str, database_url: str
) -> None:
    async def check() -> None:
        async with kit.vendor() as vendor:
            text = flow(
                WEBHOOK, sends(vendor.port, "{{1.n}}1"), SLEEP, sends(vendor.port, "{{1.n}}2")
            )
            scenario = kit.plant(database_url, text)
            victim, heir = [
                await kit.WorkerProcess.start(
                    database_url, port=vendor.port, point=where, ahead=300, held=True
                )
                for where in (point, "")
            ]
            async with working(database_url, allow=f"127.0.0.1:{vendor.port}"):
                runs = await kit.deliver(database_url, scenario, [7])
                await kit.waiting(database_url)
            await kit.make_due(database_url)
            victim.go()
            assert await victim.died() == -signal.SIGKILL
            heir.go()
            try:
                found = await kit.settle(database_url, runs)
            finally:
                await heir.stop()
        assert set(found.values()) == {end}
        assert vendor.order == [71, 72]

    run(check())
