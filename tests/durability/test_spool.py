"""The database goes away, and the door stays open: what was taken meanwhile is done, once."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from junctor.adapters.postgres.embedded import Embedded
from junctor.adapters.spool import SpoolFolder, look
from junctor.language.connector import Delivery
from junctor.language.ids import uuid7
from junctor.ports.inbox import AppDelivery, NewDelivery
from junctor.runtime.envelope import pack_call
from tests.durability import kit
from tests.durability.outages import (
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
    Door,
    door,
    flow,
    idle,
    plant_hook,
    working,
)
from tests.integration.runtime.test_fanout import App
from tests.integration.runtime.test_waits import sends
from tests.support import run


@pytest.fixture
def database(own_postgres: Embedded) -> str:
    """Its address, with nothing of other tests in it."""
    url = own_postgres.url
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            "truncate organizations, runs, segments, inbox, backlog, seen, hooks, data_keys,"
            " notices cascade"
        )
    return url


@asynccontextmanager
async def spooling(url: str, folder: Path, **given: Any) -> AsyncIterator[Door]:
    """A door with a spool."""
    spool = SpoolFolder(folder, most_bytes=given.pop("most_bytes", 1 << 24))
    async with door(url, patience=0.2, spool=spool, **given) as it:
        yield it


async def ready(it: Door, path: str) -> None:
    """Waits until the door knows this hook without the database."""
    hooks = it.ingest._hooks
    await kit.until(lambda: path.removeprefix("/hook/") in hooks._cache)


async def drained(it: Door) -> None:
    """Waits until the spool's deliveries are in the database."""
    spool = it.ingest.spool
    assert spool is not None
    await kit.until(lambda: not spool.active)


def copies(folder: Path) -> dict[Path, bytes]:
    """The spool's segments as they are now."""
    return {path: path.read_bytes() for path in folder.glob("*.spool")}


def test_while_the_database_is_away_deliveries_are_taken(
    own_postgres: Embedded, database: str, tmp_path: Path
) -> None:
    async def check() -> None:
        async with (
            kit.vendor() as vendor,
            spooling(database, tmp_path) as it,
            working(database, allow=f"127.0.0.1:{vendor.port}"),
        ):
            path = plant_hook(database, flow(WEBHOOK, SET, sends(vendor.port, "{{1.n}}")))
            crowd = Crowd(path, it.port)
            await crowd.more(200)
            await lose(own_postgres)
            await crowd.more(300)
            assert look(tmp_path).deliveries > 200
            await restart(own_postgres)
            await crowd.more(100)
            await drained(it)  # also while more come in
            await crowd.stop()
            await idle(database)
            assert not crowd.refused
            assert not crowd.unanswered
            assert look(tmp_path).bytes == 0
            once(database, vendor, crowd)

    run(check())


def test_their_order_is_kept_and_duplicates_are_found(
    own_postgres: Embedded, database: str, tmp_path: Path
) -> None:
    async def check() -> None:
        async with (
            kit.vendor() as vendor,
            spooling(database, tmp_path) as it,
            working(database, allow=f"127.0.0.1:{vendor.port}"),
        ):
            path = plant_hook(
                database, flow(WEBHOOK, SET, sends(vendor.port, "{{1.n}}"), sequential=True)
            )

            async def post(number: int, key: str = "") -> None:
                more = {"idempotency_key": key} if key else {}
                body = json.dumps({"n": number}).encode()
                answer = await it.post(path, body, content_type="application/json", **more)
                assert answer.status == 200

            await post(0, "first")
            await lose(own_postgres)
            for number in range(1, 30):
                await post(number)
            await post(98, "first")
            await post(30, "second")
            await post(99, "second")
            back = asyncio.create_task(restart(own_postgres))
            for number in range(31, 200):
                await post(number)
            await back
            await drained(it)
            await idle(database)
            assert vendor.order == list(range(200))
            with psycopg.connect(database) as db:
                early = db.execute(
                    "select count(*) from inbox where received_at > now()"
                ).fetchone()
                assert early == (0,)

    run(check())


def test_what_is_unknown_or_not_genuine_is_not_taken(
    own_postgres: Embedded, database: str, tmp_path: Path
) -> None:
    async def check() -> None:
        async with spooling(database, tmp_path, most_bytes=4000) as it:
            path = plant_hook(database, flow(WEBHOOK, SET))
            keyed = plant_hook(database, flow(WEBHOOK, SET), apikey="s3cret")
            learning = plant_hook(database, flow(WEBHOOK, SET), learning=True)
            with psycopg.connect(database, autocommit=True) as db:
                db.execute("notify junctor_hooks")
            for each in (path, keyed, learning):  # none of them was ever called
                await ready(it, each)
            await lose(own_postgres)
            assert (await it.post(path)).status == 200
            unknown = await it.post("/hook/" + "0" * 32)
            assert unknown.status == 503
            assert unknown.headers["retry-after"] == "5"
            assert (await it.post(learning, b"{}")).status == 200
            statuses = [(await it.post(path, bytes(1000))).status for _ in range(5)]
            assert statuses[0] == 200
            assert statuses[-1] == 503  # it is full
            await restart(own_postgres)
            await kit.until(lambda: look(tmp_path).bytes == 0)
            taken = statuses.count(200) + 2
            with psycopg.connect(database) as db:
                assert db.execute("select count(*) from inbox").fetchone() == (taken,)

    run(check())


def test_a_delivery_the_database_refuses_is_set_aside_and_told(
    database: str, tmp_path: Path
) -> None:
    async def check() -> None:
        async with spooling(database, tmp_path) as it:
            spool = it.ingest.spool
            assert spool is not None
            path = plant_hook(database, flow(WEBHOOK, SET))
            hook = await it.ingest.hook(path.removeprefix("/hook/"))
            good, bad = (
                NewDelivery(
                    hook.organization_id, kit.new_id(), hook.scenario_id, key, hook.id,
                    b"", None, None,
                )
                for key in ("", "a\0b")
            )  # fmt: skip
            spool.begin("a test")
            futures = [asyncio.get_running_loop().create_future() for _ in range(2)]
            for delivery, future in zip((good, bad), futures, strict=True):
                spool.put(delivery, future)
            await asyncio.gather(*futures)
            await drained(it)
            assert look(tmp_path).aside == (f"{bad.id}.refused",)
            with psycopg.connect(database) as db:
                assert db.execute("select id from inbox").fetchall() == [(good.id,)]
                told = db.execute("select kind, subject from notices").fetchall()
            assert told == [("spool_damaged", f"{bad.id}.refused")]

    run(check())


def test_what_came_for_a_scenario_that_is_gone_is_set_aside(database: str, tmp_path: Path) -> None:
    """In the inbox nobody would ever take it, nor see it."""

    async def check() -> None:
        async with spooling(database, tmp_path) as it:
            paths = [plant_hook(database, flow(WEBHOOK, SET)) for _ in range(2)]
            spool = it.ingest.spool
            assert spool is not None
            made = []
            for path in paths:
                hook = await it.ingest.hook(path.removeprefix("/hook/"))
                made.append(
                    NewDelivery(
                        hook.organization_id, kit.new_id(), hook.scenario_id, "", hook.id, b"",
                        None, None,
                    )
                )  # fmt: skip
            gone, stays = made
            spool.begin("a test")
            futures = [asyncio.get_running_loop().create_future() for _ in made]
            for delivery, future in zip(made, futures, strict=True):
                spool.put(delivery, future)
            with psycopg.connect(database) as db:
                db.execute("delete from scenarios where id = %s", (gone.scenario_id,))
            await asyncio.gather(*futures)
            await drained(it)
            with psycopg.connect(database) as db:
                assert db.execute("select id from inbox").fetchall() == [(stays.id,)]
                backlogs = db.execute("select scenario_id from backlog").fetchall()
            assert backlogs == [(stays.scenario_id,)]
            assert look(tmp_path).aside == (f"{gone.id}.refused",)

    run(check())


def test_a_server_killed_while_it_spools_loses_nothing_it_acknowledged(
    own_postgres: Embedded, database: str, tmp_path: Path
) -> None:
    async def check() -> None:
        old, new = free_ports(2)
        settings = {
            "JUNCTOR_SPOOL_DIR": str(tmp_path / "spool"),
            "JUNCTOR_MASTER_KEY": f"test:{base64.b64encode(bytes(32)).decode()}",
        }
        async with (
            kit.vendor() as vendor,
            server_process(database, tmp_path, old, **settings) as victim,
        ):
            path = plant_hook(database, flow(WEBHOOK, SET, sends(vendor.port, "{{1.n}}")))
            await answering(old)
            crowd = Crowd(path, old)
            await crowd.more(100)
            await lose(own_postgres)
            await kit.until(lambda: look(tmp_path / "spool").deliveries >= 200)
            victim.kill()
            await crowd.stop()
            left = look(tmp_path / "spool")
            assert left.deliveries >= 200
            await restart(own_postgres)
            async with (
                server_process(database, tmp_path, new, **settings),
                working(database, allow=f"127.0.0.1:{vendor.port}"),
            ):
                await kit.until(lambda: look(tmp_path / "spool").bytes == 0)
                await idle(database)
            assert look(tmp_path / "spool").aside == ()
            assert not crowd.refused
            once(database, vendor, crowd)

    run(check())


def test_what_comes_to_an_apps_address_is_taken_and_handed_on_later(
    own_postgres: Embedded, database: str, tmp_path: Path
) -> None:
    async def check() -> None:
        app = App(database)
        here = app.connection("location:L1")
        first, second = app.scenario(here), app.scenario(here)
        other = app.scenario(app.connection("location:L2"))
        async with spooling(database, tmp_path) as it, working(database):
            apps = it.ingest._fanout.apps
            await kit.until(lambda: apps.knows(app.token))  # it was never called
            again = app.event("TaskCreate")
            assert (await app.tell(it, again)).status == 200
            await idle(database)
            await lose(own_postgres)
            events = [app.event("TaskCreate") for _ in range(5)]
            for event in (*events, events[0], again, app.event("TaskCreate", "L2")):
                assert (await app.tell(it, event)).status == 200
            assert (await app.tell(it, app.event("TaskCreate"), x_other="1")).status == 401
            unknown = await it.post("/hook/app-" + "0" * 32, b"{}")
            assert (unknown.status, unknown.headers["retry-after"]) == (503, "5")
            assert look(tmp_path).deliveries == 8
            copied = copies(tmp_path)
            await restart(own_postgres)
            spool = it.ingest.spool
            assert spool is not None
            await drained(it)
            await idle(database)
            assert app.runs(first, second, other) == [6, 6, 1]
            # A crash before the segment was removed: all of it is drained once more.
            for path, data in copied.items():
                path.write_bytes(data)
            await spool.adopt()
            await kit.until(lambda: not spool.active and look(tmp_path).bytes == 0)
            await idle(database)
            assert app.runs(first, second, other) == [6, 6, 1]
            assert look(tmp_path).aside == ()
            assert (await app.tell(it, app.event("TaskCreate"))).status == 200
            await idle(database)
            assert app.runs(first, second, other) == [7, 7, 1]

    run(check())


def test_what_came_to_an_address_that_is_gone_is_set_aside(database: str, tmp_path: Path) -> None:
    async def check() -> None:
        gone, stays = App(database), App(database)
        scenario = stays.scenario(stays.connection("location:L1"))
        async with spooling(database, tmp_path) as it:
            spool = it.ingest.spool
            assert spool is not None
            for each in (gone, stays):
                assert (await each.tell(it, each.event("TaskCreate", "L9"))).status == 200
            gone.do("delete from app_hooks where id = %s", gone.id)
            futures = []
            body = {"type": "TaskCreate", "locationId": "L1", "webhookId": kit.new_id().hex}
            made = [_raw(each, {**body, "appId": each.name}) for each in (gone, stays)]
            spool.begin("a test")
            for raw in made:
                futures.append(asyncio.get_running_loop().create_future())
                spool.put(raw, futures[-1])
            await asyncio.gather(*futures)
            await drained(it)
            assert look(tmp_path).aside == (f"{made[0].id}.refused",)
            with psycopg.connect(database) as db:
                rows = db.execute(
                    "select scenario_id, received_at < now() - interval '1 hour' from inbox"
                ).fetchall()
            assert rows == [(scenario, True)]  # it came when its id says

    run(check())


def _raw(app: App, event: dict[str, Any]) -> AppDelivery:
    """A delivery of two hours ago, as it lies in the spool."""
    at = datetime.now(UTC) - timedelta(hours=2)
    delivery = Delivery(
        id="", method="POST", query=(), headers={}, body=json.dumps(event).encode(),
        received_at=at, remote="", settings={},
    )  # fmt: skip
    made = uuid7(int(at.timestamp() * 1000), os.urandom(10))
    return AppDelivery(kit.ORGANIZATION, made, app.token, pack_call(delivery))
