"""Two workers' governors, one database, and a simulated HighLevel that counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from junctor.adapters.postgres.budgets import PostgresBudgets
from junctor.adapters.postgres.hot import Line
from junctor.adapters.transport import AiohttpTransport
from junctor.connectors.highlevel import highlevel
from junctor.connectors.toky import toky
from junctor.connectors.toky.assumptions import RATE
from junctor.errors import NotSent, RateLimited
from junctor.language.budgets import Budget
from junctor.language.connector import Connection, Connector, Request, Response, Secret
from junctor.runtime.accounts import Account, absolute
from junctor.runtime.governor import Governor
from junctor.simulators.clock import Clock
from junctor.simulators.highlevel import HighLevelSimulator
from junctor.simulators.kit import running
from junctor.simulators.toky import TokySimulator
from tests.support import asynchronous

FACTOR = 10.0
"""Simulated seconds per real one: a window of 10 s takes 1 s."""


@asynccontextmanager
async def governor(url: str) -> AsyncIterator[Governor]:
    line = Line(url, patience=0.0)
    made = Governor(PostgresBudgets(line))
    try:
        yield made
    finally:
        await made.close()
        await line.close()


@dataclass
class Caller:
    """Asks for the location, as fast as it may."""

    transport: AiohttpTransport
    account: Account
    statuses: list[int] = field(default_factory=list)

    async def ask(self, governor: Governor, run_id: UUID | None) -> None:
        target = absolute(highlevel_test(self.account), self.account.base_url)

        async def send() -> tuple[Response, None]:
            signed = self.account.definition.sign(target, self.account.form)
            return await self.transport.send(signed), None

        response, _ = await governor.through(self.account, target, run_id, send)
        self.statuses.append(response.status)

    async def lane(self, governor: Governor, run_id: UUID, until: int) -> None:
        """Asks until so many answers are here, of all lanes."""
        while len(self.statuses) < until:
            await self.ask(governor, run_id)


def highlevel_test(account: Account) -> Request:
    test = account.definition.test
    assert callable(test)
    request = test(account.form)
    assert request is not None
    return request


@asynccontextmanager
async def location() -> AsyncIterator[tuple[HighLevelSimulator, Caller]]:
    async with (
        running(HighLevelSimulator(seed=3, clock=Clock(FACTOR))) as sim,
        AiohttpTransport([sim.origin.removeprefix("http://")]) as transport,
    ):
        definition = highlevel.connections["private_integration"]
        form = definition.form(
            token=Secret(sim.credentials["token"]), location_id=sim.credentials["location_id"]
        )
        yield (
            sim,
            Caller(
                transport,
                Account(
                    highlevel,
                    definition,
                    sim.base_url,
                    form,
                    organization_id=uuid4(),
                    connection_id=uuid4(),
                ),
            ),
        )


@asynchronous
async def test_bulk_spends_what_is_permitted_and_is_never_refused(database_url: str) -> None:
    async with (
        location() as (sim, caller),
        governor(database_url) as a,
        governor(database_url) as b,
    ):
        assert sim.meter is not None
        one, other = uuid4(), uuid4()

        async def lanes(until: int) -> None:
            runs = ((a, one), (b, other))
            await asyncio.gather(*(caller.lane(*run, until) for run in runs for _ in range(8)))

        await lanes(100)
        await lanes(400)  # four windows; how much of each is spent: bench/governor.py
        shown = (await a.budgets_of(caller.account))[0]
        assert sim.meter.refused == 0
        assert set(caller.statuses) == {200}
        assert shown["name"] == "burst"
        assert shown["limit"] == 100
        assert shown["window_seconds"] == pytest.approx(1.0)
        assert shown["spent"] <= 100
        assert shown["others"] == shown["refused"] == 0
        ordinary = Caller(caller.transport, caller.account)
        await ordinary.ask(b, None)
        assert ordinary.statuses == [200]


@asynchronous
async def test_a_refusal_pauses_every_worker(database_url: str) -> None:
    async with (
        location() as (sim, caller),
        governor(database_url) as a,
        governor(database_url) as b,
    ):
        assert sim.meter is not None
        at = time.monotonic()
        sim.clock._source = lambda: at  # its window does not end as long as we are at it
        await caller.ask(a, None)
        while sim.meter.remaining:  # a stranger spends all of it
            sim.meter.take()
        await caller.ask(a, None)
        assert caller.statuses == [200, 429]
        sim.clock._source = time.monotonic
        await asyncio.gather(*(caller.ask(each, None) for each in (a, a, b, b)))
        assert caller.statuses[2:] == [200] * 4
        shown = (await b.budgets_of(caller.account))[0]
        assert shown["refused"] == 1


def scripted(*budgets: Budget) -> Account:
    @dataclass(frozen=True, kw_only=True)
    class Form:
        pass

    kind = Connection(form=Form, base_url="", sign=lambda r, _: r, budgets=budgets)
    connector = Connector(name="scripted", label="Scripted", connections={"c": kind})
    return Account(connector, kind, "", Form(), organization_id=uuid4(), connection_id=uuid4())


def answering(status: int = 200) -> Callable[[], Awaitable[tuple[Response, None]]]:
    async def send() -> tuple[Response, None]:
        return Response(status, {}, b""), None

    return send


REQUEST = Request("POST", "https://api.example.com/x")


@asynchronous
async def test_a_long_wait_is_left_to_the_run(database_url: str) -> None:
    account = scripted(Budget(name="day", amount=2, window=86_400.0))
    async with governor(database_url) as a, governor(database_url) as b:
        for each in (a, b):
            await each.through(account, REQUEST, None, answering())
        with pytest.raises(RateLimited) as caught:
            await a.through(account, REQUEST, None, answering())
        assert caught.value.retry_after is not None
        assert caught.value.retry_after > 80_000
        assert "scripted" in caught.value.message


@asynchronous
async def test_what_is_not_sent_is_not_spent(database_url: str) -> None:
    account = scripted(Budget(name="one", amount=1, window=3600.0))

    async def unreachable() -> tuple[Response, None]:
        raise NotSent(host="api.example.com", reason="refused")

    async with governor(database_url) as a:
        for _ in range(3):
            with pytest.raises(NotSent):
                await a.through(account, REQUEST, None, unreachable)
        response, _ = await a.through(account, REQUEST, None, answering())
        assert response.status == 200


@asynchronous
async def test_units_that_were_not_used_are_given_back(database_url: str) -> None:
    account = scripted(Budget(name="few", amount=10, window=3600.0))
    async with governor(database_url) as a:
        for _ in range(4):
            await a.through(account, REQUEST, None, answering())
    async with governor(database_url) as b:
        shown: dict[str, Any] = (await b.budgets_of(account))[0]
        assert (shown["spent"], shown["leased"]) == (4, 0)


@asynchronous
async def test_a_hundred_requests_cost_a_handful_of_statements(database_url: str) -> None:
    account = scripted(Budget(name="many", amount=1000, window=10.0))
    run = uuid4()
    with psycopg.connect(database_url, autocommit=True) as db:
        async with governor(database_url) as a:
            for _ in range(100):
                await a.through(account, REQUEST, run, answering())
            assert a.exchanges <= 10
        rows = db.execute("select count(*) from budgets where connector = 'scripted'").fetchone()
        assert rows is not None
        assert rows[0] >= 1


@asynchronous
async def test_without_the_database_nothing_goes_out() -> None:
    account = scripted(Budget(name="few", amount=10, window=3600.0))
    sent = 0

    async def send() -> tuple[Response, None]:
        nonlocal sent
        sent += 1
        return Response(200, {}, b""), None

    async with governor("postgresql://nobody@127.0.0.1:1/none") as a:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await a.through(account, REQUEST, None, send)
    assert sent == 0


@asynchronous
async def test_accounts_without_budgets_pass_at_once() -> None:
    async with governor("postgresql://nobody@127.0.0.1:1/none") as a:
        response, _ = await a.through(scripted(), REQUEST, None, answering())
        free = scripted(
            Budget(name="writes", amount=1, window=10.0, key=lambda _form, _asked: None)
        )
        for _ in range(3):
            await a.through(free, REQUEST, None, answering())
        assert response.status == 200


@asynchronous
async def test_a_vendor_that_publishes_no_limits_is_asked_at_an_assumed_rate(
    database_url: str,
) -> None:
    async with (
        running(TokySimulator(seed=3)) as sim,
        AiohttpTransport([sim.origin.removeprefix("http://")]) as transport,
        governor(database_url) as one,
    ):
        definition = toky.connections["toky"]
        key = Secret(sim.credentials["api_key"])
        for corrections, limit in (("", RATE[0]), ("rate = 7 in 2", 7)):
            account = Account(
                toky,
                definition,
                sim.base_url,
                definition.form(api_key=key, corrections=corrections),
                organization_id=uuid4(),
                connection_id=uuid4(),
            )
            target = Request("GET", f"{sim.base_url}/agents")

            async def send(
                account: Account = account, target: Request = target
            ) -> tuple[Response, None]:
                signed = account.definition.sign(target, account.form)
                return await transport.send(signed), None

            response, _ = await one.through(account, target, None, send)
            assert response.status == 200
            [shown] = await one.budgets_of(account)
            assert (shown["limit"], shown["spent"] + shown["leased"] > 0) == (limit, True)
