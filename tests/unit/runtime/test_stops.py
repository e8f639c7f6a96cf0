"""Wishes that runs end, and when they count as fulfilled."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest

from junctor.language.connector import Request, Response
from junctor.ports.ledger import Write
from junctor.runtime.stops import Stops, Wish
from junctor.testing.hot import MemoryLedger
from tests.support import asynchronous
from tests.unit.runtime.drive_kit import OK, ORGANIZATION, RUN, Bench, placed


class Rows:
    """The table of wishes."""

    def __init__(self) -> None:
        self.wishes: dict[UUID, Wish] = {}

    async def fetch(
        self, name: str, parameters: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        if name == "stopped":
            assert parameters is not None
            for run in list(self.wishes):
                del self.wishes[run]
            return []
        return [
            (ORGANIZATION, run, wish.keep, wish.actor, False) for run, wish in self.wishes.items()
        ]


class Watched(MemoryLedger):
    """Looks for wishes just before a run's end is stored; perhaps it can't be any more."""

    def __init__(self, bench: Bench, stops: Stops, rows: Rows) -> None:
        super().__init__(bench.store)
        self._bench, self._stops, self._rows = bench, stops, rows
        self.left: list[int] = []
        self.lost = False

    async def commit(self, writes: Sequence[Write]) -> list[bool]:
        if any(write.row is not None and write.row.ended_at for write in writes):
            await self._stops.look()
            self.left.append(len(self._rows.wishes))
            if self.lost:
                self._bench.store.backlog.popitem()
        return await super().commit(writes)


@pytest.mark.parametrize("lost", [False, True])
@asynchronous
async def test_a_wish_is_kept_until_the_end_of_its_run_is_stored(lost: bool) -> None:
    """Its worker may die before, and its heir must know."""
    rows = Rows()
    line: Any = rows
    stops = Stops(line)

    async def handler(_request: Request) -> Response:
        rows.wishes[RUN] = Wish(keep=True, actor="Ada")
        await stops.look()
        return OK

    bench = Bench(placed(2, "send"), placed(3, "send"), handler=handler)
    bench.driver._stops = stops
    ledger = Watched(bench, stops, rows)
    ledger.lost = lost
    bench.committer._ledger = ledger
    flight = await bench.run()
    assert len(bench.transport.sent) == 1
    assert flight.state == ("stale" if lost else "incomplete")
    assert ledger.left == [1]
    await stops.look()
    assert len(rows.wishes) == lost


@asynchronous
async def test_a_watcher_ends_though_it_is_told_of_a_wish_at_that_moment() -> None:
    """Its worker ends, and would wait for it for ever."""
    stops = Stops(Rows())  # type: ignore[arg-type]  # all that is asked of a line
    watching = asyncio.create_task(stops.watch())
    resting = asyncio.create_task(stops.rest(RUN, 3600.0, asyncio.sleep))
    await turns(10)
    stops.hint()
    stops.wish({RUN: (ORGANIZATION, Wish(keep=True, actor="Ada"))})
    await asyncio.sleep(0)
    for task in (watching, resting):
        task.cancel()
    await turns(10)
    assert (watching.cancelled(), resting.cancelled()) == (True, True)


async def turns(count: int) -> None:
    """Lets the loop turn so often."""
    for _ in range(count):
        await asyncio.sleep(0)
