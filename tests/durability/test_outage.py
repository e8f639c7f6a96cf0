"""kill -9 of the server and of Postgres, while deliveries come in and runs act."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from junctor.adapters.postgres.embedded import Embedded
from tests.durability import kit
from tests.durability.outages import (
    SENDERS,
    Crowd,
    answering,
    free_ports,
    lose,
    once,
    restart,
    server_process,
)
from tests.integration.runtime.door import (
    SET,
    WEBHOOK,
    door,
    flow,
    idle,
    plant_hook,
    working,
)
from tests.integration.runtime.test_waits import sends
from tests.support import run


def test_a_killed_server_loses_nothing_it_acknowledged(database_url: str, tmp_path: Path) -> None:
    async def check() -> None:
        old, new = free_ports(2)
        async with (
            kit.vendor() as vendor,
            server_process(database_url, tmp_path, old) as victim,
            server_process(database_url, tmp_path, new),
            working(database_url, allow=f"127.0.0.1:{vendor.port}"),
        ):
            path = plant_hook(database_url, flow(WEBHOOK, SET, sends(vendor.port, "{{1.n}}")))
            await asyncio.gather(answering(old), answering(new))
            crowd = Crowd(path, old)
            await crowd.more(200)
            victim.kill()
            crowd.ports.append(new)
            await crowd.more(200)
            await crowd.stop()
            await idle(database_url)
            assert not crowd.refused
            assert len(crowd.unanswered) <= SENDERS
            once(database_url, vendor, crowd)

    run(check())


def test_a_killed_postgres_loses_and_repeats_nothing(own_postgres: Embedded) -> None:
    async def check() -> None:
        url = own_postgres.url
        async with (
            kit.vendor(delay=0.005) as vendor,
            door(url, patience=0.3) as it,
            working(url, allow=f"127.0.0.1:{vendor.port}") as worker,
        ):
            path = plant_hook(url, flow(WEBHOOK, SET, sends(vendor.port, "{{1.n}}")))
            crowd = Crowd(path, it.port)
            await kit.until(lambda: crowd.told() >= 200 and vendor.done.total() >= 50)
            await lose(own_postgres)
            before = crowd.told()
            await kit.until(lambda: len(crowd.refused) >= SENDERS)
            assert crowd.told() <= before + SENDERS  # answers that were on their way
            await restart(own_postgres)
            back = time.monotonic()
            await crowd.more(100)
            await crowd.stop()
            await idle(url)
            assert time.monotonic() - back <= kit.TAKEOVER
            assert set(crowd.refused.values()) == {503}
            assert not crowd.unanswered
            assert worker.active == 0
            once(url, vendor, crowd)

    run(check())
