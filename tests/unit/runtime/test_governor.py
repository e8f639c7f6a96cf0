"""Turns at the governor, over a bucket in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

import pytest

from junctor.errors import RateLimited
from junctor.language.budgets import Bucket, Budget, rate_headers
from junctor.language.connector import Connection, Connector, Request, Response
from junctor.ports.budgets import BudgetKey
from junctor.runtime.accounts import Account
from junctor.runtime.governor import BULK, ORDINARY, Gate, Governor
from tests.support import asynchronous

T = TypeVar("T")
REQUEST = Request("POST", "https://api.example.com/x")


class MemoryBudgets:
    """`ports.budgets.Budgets`; time stands still unless a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.buckets: dict[BudgetKey, Bucket] = {}

    async def change(self, key: BudgetKey, budget: Budget, work: Callable[[Bucket, float], T]) -> T:
        await asyncio.sleep(0)
        return work(self.buckets.setdefault(key, Bucket.of(budget, None)), self.now)

    async def look(self, key: BudgetKey, budget: Budget) -> tuple[Bucket, float]:
        return self.buckets.get(key, Bucket.of(budget, None)), self.now


@dataclass(frozen=True, kw_only=True)
class Form:
    """No fields."""


def account(*budgets: Budget, connection: bool = True) -> Account:
    kind = Connection(form=Form, base_url="", sign=lambda request, _: request, budgets=budgets)
    connector = Connector(name="scripted", label="Scripted", connections={"c": kind})
    ids = (uuid4(), uuid4()) if connection else (None, None)
    return Account(connector, kind, "", Form(), organization_id=ids[0], connection_id=ids[1])


Sent = asyncio.Future[tuple[Response, None]]


def answer(status: int = 200, **headers: str) -> Callable[[], Sent]:
    def send() -> Sent:
        made: Sent = asyncio.get_running_loop().create_future()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        made.set_result((Response(status, named, b""), None))
        return made

    return send


def test_a_run_that_sends_much_is_bulk_and_no_run_is_ordinary() -> None:
    now = 0.0
    key = BudgetKey(uuid4(), "scripted", "b", "")
    gate = Gate(MemoryBudgets(), key, Budget(name="b", amount=100, window=10.0), lambda: now)
    one, other = uuid4(), uuid4()
    kinds = [gate.kind(one) for _ in range(30)]
    assert kinds == [ORDINARY] * 20 + [BULK] * 10
    assert gate.kind(other) == ORDINARY
    assert {gate.kind(None) for _ in range(50)} == {ORDINARY}
    now = 10.5
    assert gate.kind(one) == BULK  # what it did in the window before counts
    now = 21.0
    assert gate.kind(one) == ORDINARY


@asynchronous
async def test_connections_with_the_same_key_share() -> None:
    store = MemoryBudgets()
    governor = Governor(store)
    shared = Budget(name="day", amount=2, window=86_400.0, key=lambda _form, _request: "place")
    first = account(shared)
    second = Account(
        first.connector,
        first.definition,
        "",
        Form(),
        organization_id=first.organization_id,
        connection_id=uuid4(),
    )
    for each in (first, second):
        await governor.through(each, REQUEST, None, answer())
    with pytest.raises(RateLimited) as caught:
        await governor.through(second, REQUEST, None, answer())
    assert caught.value.params == {"budget": "day"}
    await governor.close()


@asynchronous
async def test_an_account_that_is_not_saved_is_not_counted() -> None:
    governor = Governor(MemoryBudgets())
    tried = account(Budget(name="day", amount=1, window=86_400.0), connection=False)
    for _ in range(3):
        await governor.through(tried, REQUEST, None, answer())
    assert await governor.budgets_of(tried) == []


@asynchronous
async def test_who_gives_up_leaves_its_unit_to_others() -> None:
    governor = Governor(MemoryBudgets())
    it = account(Budget(name="day", amount=1, window=86_400.0))
    never: asyncio.Future[tuple[Response, None]] = asyncio.get_running_loop().create_future()
    tasks = [
        asyncio.create_task(governor.through(it, REQUEST, None, lambda: never)) for _ in range(2)
    ]
    tasks[1].cancel()
    tasks[0].cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in done)
    response, _ = await governor.through(it, REQUEST, None, answer())
    assert response.status == 200
    await governor.close()


@asynchronous
async def test_a_refusal_is_blamed_on_the_budget_that_is_empty() -> None:
    store = MemoryBudgets()
    governor = Governor(store)
    it = account(
        Budget(name="burst", amount=10, window=10.0, learn=rate_headers(remaining="x-left")),
        Budget(name="day", amount=100, window=86_400.0, learn=rate_headers(remaining="x-day")),
    )
    said = {"x_left": "5", "x_day": "0"}
    await governor.through(it, REQUEST, None, answer(429, **said))
    await governor.close()
    refused = {key.name: bucket.refused for key, bucket in store.buckets.items()}
    assert refused == {"burst": 0, "day": 1}
    with pytest.raises(RateLimited) as caught:
        await Governor(store).through(it, REQUEST, None, answer())
    assert (caught.value.retry_after or 0) > 80_000
