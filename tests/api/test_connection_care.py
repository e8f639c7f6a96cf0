"""What a connection knows about itself: requests, usage, alerts, its key's age, rotation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import pytest

from junctor.adapters.postgres.connections import State, Usage
from junctor.app.care import alerts_of, days_of, key_of
from junctor.app.core import open_core
from junctor.app.owner import ensure_owner
from junctor.app.server import open_application
from junctor.app.settings import Settings
from junctor.errors import Uncertain
from junctor.language import ids
from junctor.language.connector import Request
from junctor.runtime.recorder import MOST, shown_url
from junctor.simulators import make
from junctor.simulators.faults import Fault
from junctor.simulators.kit import running
from tests.support import asynchronous

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "query", "shown"),
    [
        ("https://u:p@x.test:8/a/b?key=s&n=1#f", (), "https://x.test:8/a/b?key=…&n=…"),
        ("https://x.test/", {"token": "s"}, "https://x.test/?token=…"),
        ("https://x.test/?a=1", (("b", "2"),), "https://x.test/?a=…&b=…"),
        ("https://x.test", (), "https://x.test"),
    ],
)
def test_addresses_are_shown_without_values(url: str, query: Any, shown: str) -> None:
    assert shown_url(url, query) == shown


def state(age: int, remind: int) -> State:
    at = NOON - timedelta(days=age)
    return State(uuid4(), None, 0, None, None, None, None, at, remind, False)


@pytest.mark.parametrize(
    ("age", "remind", "due"), [(10, 90, False), (90, 90, True), (900, 0, False)]
)
def test_a_key_has_an_age_and_a_date(age: int, remind: int, due: bool) -> None:
    key = key_of(state(age, remind), NOON)
    assert (key.age_days, key.due) == (age, due)
    assert (key.remind_at is None) == (remind == 0)


def hours(*requests: int, refused: int = 0) -> list[Usage]:
    """One hour after the other, the last at noon."""
    first = NOON - timedelta(hours=len(requests) - 1)
    return [
        Usage(first + timedelta(hours=n), requests=count, refused=refused if not n else 0)
        for n, count in enumerate(requests)
    ]


@pytest.mark.parametrize(
    ("usage", "alerts"),
    [
        (hours(), 0),
        (hours(10_000), 0),  # nothing is known of it yet
        (hours(10, 10, 10, 200), 0),  # too few to be worth a word
        (hours(100, 100, 100, 499), 0),
        (hours(100, 100, 100, 501), 1),
        (hours(100, 5000, 100, 100, 5001), 0),
        (hours(5, refused=2), 0),
        (hours(5, refused=3), 1),
        (hours(5, *[0] * 30, refused=3), 0),  # long ago
    ],
)
def test_what_is_unusual(usage: list[Usage], alerts: int) -> None:
    assert len(alerts_of(usage, NOON + timedelta(minutes=30))) == alerts


def test_usage_is_summed_by_day() -> None:
    rows = days_of(hours(*[1] * 14))
    assert [(each.day.day, each.requests) for each in rows] == [(4, 13), (3, 1)]


@pytest.fixture
def toky(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Any]:
    """The application with a connection to a simulated Toky."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[tuple[Any, Any, httpx.AsyncClient, str]]:
        async with running(make("toky", seed=2)) as sim:
            settings = Settings(
                data_dir=tmp_path_factory.getbasetemp() / "api",
                egress_allow=(urlsplit(sim.base_url).netloc,),
            )
            async with (
                open_core(settings, database_url) as core,
                open_application(settings, database_url, name="servertest") as application,
            ):
                await ensure_owner(core)
                organization = (await core.catalog.organizations())[0].organization_id
                _, text = await core.catalog.create_token(
                    organization, actor="test", name="owner", scopes=["owner"]
                )
                async with httpx.AsyncClient(
                    transport=httpx.ASGITransport(application, raise_app_exceptions=False),
                    base_url="http://testserver",
                    headers={"authorization": f"Bearer {str.__str__(text)}"},
                ) as client:
                    made = await client.post(
                        "/api/v1/connections",
                        json={
                            "connector": "toky",
                            "name": f"T {uuid4()}",
                            "base_url": sim.base_url,
                            "values": {"api_key": sim.credentials["api_key"]},
                        },
                    )
                    assert made.status_code == 201, made.text
                    assert made.json()["authorized"] is None
                    yield core, sim, client, made.json()["id"]

    return opened


async def send(core: Any, shown_id: str, times: int = 1, run: UUID | None = None) -> None:
    organization = (await core.catalog.organizations())[0].organization_id
    account = await core.accounts.get(organization, ids.read("con", shown_id))
    for _ in range(times):
        request = Request("GET", "/agents", query={"limit": "1"})
        await core.accounts.send_as(account, request, run_id=run)
    await core.accounts.recorder.flush()


def counted(found: Any) -> tuple[int, int, int]:
    """A connection's requests, those that failed and those that were refused: of all days, as
    midnight may have passed since it was made.
    """
    days = found["usage"]
    of = {name: sum(day[name] for day in days) for name in ("requests", "failed", "refused")}
    return of["requests"], of["failed"], of["refused"]


@asynchronous
async def test_requests_are_kept_and_counted(toky: Any) -> None:
    async with toky() as (core, sim, client, shown_id):
        run = uuid4()
        await send(core, shown_id, run=run)
        sim.faults.add(Fault(kind="cut_before", times=None))
        with pytest.raises(Uncertain):
            await send(core, shown_id)
        await core.accounts.recorder.flush()
        page = (await client.get(f"/api/v1/connections/{shown_id}/requests")).json()
        failed, good = page["items"]
        assert good["url"] == f"{sim.base_url}/agents?limit=…"
        assert (good["method"], good["status"]) == ("GET", 200)
        assert good["run"] == ids.show("run", run)
        assert good["received"] > 0
        assert good["milliseconds"] > 0
        assert (failed["status"], failed["error"]) == (None, "uncertain")
        found = (await client.get(f"/api/v1/connections/{shown_id}")).json()
        assert counted(found) == (2, 1, 0)
        assert found["alerts"] == []
        assert found["key"]["age_days"] == 0


@asynchronous
async def test_only_the_last_requests_are_kept_and_pages_go_on(toky: Any) -> None:
    async with toky() as (core, _sim, client, shown_id):
        await send(core, shown_id, MOST // 2)
        await send(core, shown_id, MOST // 2 + 5)
        first = (await client.get(f"/api/v1/connections/{shown_id}/requests?limit=60")).json()
        cursor = first["next"]
        where = f"/api/v1/connections/{shown_id}/requests?limit=60&cursor={cursor}"
        second = (await client.get(where)).json()
        assert (len(first["items"]), len(second["items"])) == (60, MOST - 60)
        assert second["next"] is None
        found = (await client.get(f"/api/v1/connections/{shown_id}")).json()
        assert counted(found)[0] == MOST + 5


@asynchronous
async def test_a_refused_key_marks_the_connection_until_a_good_test(toky: Any) -> None:
    async with toky() as (core, sim, client, shown_id):
        sim.faults.add(Fault(kind="status", status=401, message="no such key", times=3))
        await send(core, shown_id, 3)
        found = (await client.get(f"/api/v1/connections/{shown_id}")).json()
        assert "no such key" in found["reconnect"]
        assert "3 times" in found["alerts"][0]
        tested = (await client.post(f"/api/v1/connections/{shown_id}/test")).json()
        assert (tested["test_error"], tested["reconnect"]) == (None, None)


@asynchronous
async def test_a_secret_is_rotated_only_if_it_works(toky: Any) -> None:
    async with toky() as (core, sim, client, shown_id):
        where = f"/api/v1/connections/{shown_id}/rotate"
        anyway = {"if-match": "*"}
        bad = await client.post(where, json={"values": {"api_key": "wrong" * 6}}, headers=anyway)
        assert bad.status_code == 502, bad.text
        found = (await client.get(f"/api/v1/connections/{shown_id}")).json()
        assert (found["revision"], found["reconnect"]) == (1, None)  # the old one goes on
        for values, status in (({}, 400), ({"name": "x"}, 400), ({"nothing": "x"}, 400)):
            refused = await client.post(where, json={"values": values}, headers=anyway)
            assert refused.status_code == status, refused.text
        assert (await client.post(where, json={"values": {"api_key": "x"}})).status_code == 428
        stale = {"if-match": '"7"'}
        good = {"values": {"api_key": sim.credentials["api_key"]}}
        assert (await client.post(where, json=good, headers=stale)).status_code == 412
        changed = await client.post(where, json=good, headers={"if-match": '"1"'})
        assert changed.status_code == 200, changed.text
        assert changed.json()["tested_at"]
        await send(core, shown_id)


@asynchronous
async def test_a_reminder_can_be_set(toky: Any) -> None:
    async with toky() as (_core, _sim, client, shown_id):
        where = f"/api/v1/connections/{shown_id}"
        anyway = {"if-match": "*"}
        assert (await client.get(where)).json()["key"]["remind_days"] == 90
        changed = await client.patch(where, json={"remind_days": 7}, headers=anyway)
        assert changed.status_code == 200, changed.text
        assert (await client.get(where)).json()["key"]["remind_days"] == 7
        bad = await client.patch(where, json={"remind_days": -1}, headers=anyway)
        assert bad.status_code == 400


@asynchronous
async def test_a_connection_that_is_removed_takes_all_of_it_along(toky: Any) -> None:
    async with toky() as (core, _sim, client, shown_id):
        await send(core, shown_id)
        organization = (await core.catalog.organizations())[0].organization_id
        account = await core.accounts.get(organization, ids.read("con", shown_id))
        gone = await client.delete(f"/api/v1/connections/{shown_id}", headers={"if-match": "*"})
        assert gone.status_code == 204, gone.text
        await core.accounts.send_as(account, Request("GET", "/agents"))
        await core.accounts.recorder.flush()  # what came late is dropped
        async with core.engine.connection() as connection:
            for table in ("connection_requests", "connection_usage", "connection_states"):
                cursor = await connection.execute(
                    f"select 1 from {table} where connection_id = %s",
                    (ids.read("con", shown_id),),
                )
                assert await cursor.fetchone() is None
