"""The hot path's contract on the fakes, and what only they can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from junctor.ports.backlog import Backlog, Claim
from junctor.ports.inbox import NewDelivery
from junctor.ports.ledger import RunRow, Write
from junctor.testing.contracts_hot import CHECKS, LEASE, Check, Stand
from junctor.testing.hot import MemoryBacklog, MemoryInbox, MemoryLedger, MemoryStore
from tests.support import asynchronous, run


class MemoryStand(Stand):
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0
        self.store = MemoryStore(clock=lambda: self.time)
        self.inbox = MemoryInbox(self.store)
        self.ledger = MemoryLedger(self.store)

    def backlog(self, owner: str) -> Backlog:
        return MemoryBacklog(self.store, owner=owner, lease=LEASE)

    def plant(self, organization_id: UUID, scenario_id: UUID, *, active: bool = True) -> None:
        self.store.plant(organization_id, scenario_id, active=active)

    def forget(self, organization_id: UUID, scenario_id: UUID) -> None:
        del self.store.scenarios[organization_id, scenario_id]

    def plant_store(self, organization_id: UUID, store_id: UUID) -> None:
        pass  # the fake keeps records of any store

    def records(self, organization_id: UUID, store_id: UUID) -> dict[str, Any]:
        place = (organization_id, store_id)
        return {key[2]: kept[1] for key, kept in self.store.records.items() if key[:2] == place}

    def revision(self, organization_id: UUID, store_id: UUID, key: str) -> int:
        return self.store.records[organization_id, store_id, key][0]

    def remembered(self, organization_id: UUID, scenario_id: UUID) -> dict[int, Any]:
        place = (organization_id, scenario_id)
        return {key[2]: kept[1] for key, kept in self.store.states.items() if key[:2] == place}

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time, UTC)

    def elapse(self, seconds: float) -> None:
        self.time += seconds

    def renew(self, owner: str, claims: Sequence[Claim]) -> None:
        self.store.renew(owner, [claim.fence for claim in claims], LEASE)

    def resume(self, organization_id: UUID, run_id: UUID) -> None:
        self.store.resume(organization_id, run_id)

    def discard(self, organization_id: UUID, run_id: UUID) -> None:
        self.store.discard(organization_id, run_id)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_fakes_keep_the_contract(check: Check) -> None:
    async def work() -> None:
        await check(MemoryStand())

    run(work())


@asynchronous
async def test_a_take_is_bounded_by_bytes() -> None:
    stand = MemoryStand()
    one, scenario = UUID(int=1), UUID(int=2)
    stand.plant(one, scenario)
    backlog = MemoryBacklog(stand.store, owner="a", lease=LEASE, taken_bytes=2500)
    await stand.inbox.accept(
        [
            NewDelivery(one, UUID(int=n), scenario, "", None, b"x" * 1000, None, None)
            for n in range(5)
        ]
    )
    (claim,) = await backlog.claim(1, 1)
    ((_, taken),) = await backlog.take([(claim, 64)], [])
    assert [each.id.int for each in taken] == [0, 1, 2]
    assert claim.more


@asynchronous
async def test_what_the_database_refuses_is_refused_before_anything_changes() -> None:
    stand = MemoryStand()
    one, scenario = UUID(int=1), UUID(int=2)
    stand.plant(one, scenario)
    same = [
        NewDelivery(one, UUID(int=n), scenario, "", UUID(int=3), b"", "x", None) for n in range(2)
    ]
    with pytest.raises(ValueError, match="dedup key twice"):
        await stand.inbox.accept(same)
    assert not stand.store.inbox
    assert not stand.store.seen
    await stand.inbox.accept(same[:1])
    (claim,) = await stand.backlog("a").claim(1, 1)
    row = RunRow(1, "running", None, None, "delivery", "hook", stand.now())
    write = Write(claim, UUID(int=0), "standard", row=row)
    with pytest.raises(ValueError, match="row twice"):
        await stand.ledger.commit([write, write])
    assert stand.store.runs == {}
