"""Deliveries that stand behind a run are offered once, in turns, also those stored late."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from junctor.adapters.postgres.waits import Stuck, StuckLine
from junctor.language.ids import uuid7
from junctor.runtime import behind
from junctor.runtime.behind import Behind
from tests.support import asynchronous

ORGANIZATION, SCENARIO, HOOK, RUN = (UUID(int=number) for number in (1, 2, 3, 4))
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
FLOOR = uuid7(int(BEGAN.timestamp() * 1000), bytes(10))


@dataclass
class Standing:
    """What the database would say. Instants are seconds since `BEGAN`."""

    now: float = 100.0
    lines: dict[str, int] = field(default_factory=lambda: {"": 0})
    """Signals, by order key."""
    stood: dict[str, list[tuple[UUID, datetime]]] = field(default_factory=dict)
    run: UUID = RUN
    read: int = 0
    """How often deliveries were looked for."""

    def at(self, seconds: float) -> datetime:
        return BEGAN + timedelta(seconds=seconds)

    def stands(self, number: int, *, key: str = "", made: float | None = None) -> UUID:
        """Stores one now; its id may have been ``made`` long before."""
        made = self.now if made is None else made
        found = uuid7(int(self.at(made).timestamp() * 1000), (number << 8).to_bytes(10, "big"))
        self.stood.setdefault(key, []).append((found, self.at(self.now)))
        self.lines[key] = self.lines.get(key, 0) + 1
        return found

    async def stuck_lines(self, after: StuckLine | None, most: int) -> list[StuckLine]:
        settled = uuid7(int(self.at(self.now - 5).timestamp() * 1000), bytes(10))
        known = sorted(key for key in self.lines if after is None or key > after.order_key)
        return [
            StuckLine(
                ORGANIZATION, SCENARIO, key, HOOK, self.run, self.lines[key], FLOOR, settled,
                self.at(self.now),
            )
            for key in known[:most]
        ]  # fmt: skip

    async def stuck(
        self, fronts: Sequence[tuple[StuckLine, UUID]], known: Collection[UUID], most: int
    ) -> list[Stuck]:
        self.read += 1
        found = [
            _row(each, at)
            for at, (line, front) in enumerate(fronts, start=1)
            for each in sorted(self.stood.get(line.order_key, ()))
            if each[0] > front and each[0] not in known
        ]
        return found[:most]

    async def stuck_late(
        self,
        fronts: Sequence[tuple[StuckLine, UUID]],
        since: datetime,
        known: Collection[UUID],
        most: int,
    ) -> list[Stuck]:
        found = [
            _row(each, at)
            for at, (line, front) in enumerate(fronts, start=1)
            for each in sorted(self.stood.get(line.order_key, ()))
            if each[0] <= front and each[1] >= since and each[0] not in known
            and (each[0].int >> 80) < (each[1].timestamp() - 1) * 1000
        ]  # fmt: skip
        return found[:most]


def _row(stored: tuple[UUID, datetime], at: int) -> Stuck:
    return Stuck(ORGANIZATION, stored[0], b"x", stored[1], HOOK, "gateway", "h", at)


class Offered:
    """Notes what it is offered; ``fails`` is refused once."""

    def __init__(self, fails: UUID | None = None) -> None:
        self.ids: list[UUID] = []
        self.fails = fails

    async def __call__(self, stuck: Stuck) -> bool:
        if stuck.id == self.fails:
            self.fails = None
            raise ConnectionError
        self.ids.append(stuck.id)
        return True


def of(standing: Standing) -> Behind:
    waits: Any = standing
    return Behind(waits)


@asynchronous
async def test_each_is_offered_once_and_a_line_at_rest_is_not_read() -> None:
    standing, offered = Standing(), Offered()
    looking = of(standing)
    first = [standing.stands(number) for number in range(3)]
    assert await looking.look(offered) == 3
    for _ in range(3):
        await looking.look(offered)
    assert (offered.ids, standing.read) == (first, 1)
    standing.now += 2
    more = standing.stands(9)
    standing.now += 60
    last = standing.stands(10)
    await looking.look(offered)
    await looking.look(offered)
    assert (offered.ids, standing.read) == ([*first, more, last], 2)


@asynchronous
async def test_what_is_stored_a_moment_after_a_later_one_is_found() -> None:
    standing, offered = Standing(), Offered()
    looking = of(standing)
    later = standing.stands(1)
    await looking.look(offered)
    standing.now += 1
    earlier = standing.stands(2, made=standing.now - 3)
    await looking.look(offered)
    assert offered.ids == [later, earlier]


@asynchronous
async def test_what_is_stored_long_after_it_came_is_found_within_half_a_minute() -> None:
    standing, offered = Standing(), Offered()
    looking = of(standing)
    standing.stands(1)
    await looking.look(offered)
    standing.now += 20
    standing.stands(2)
    await looking.look(offered)
    spooled = standing.stands(3, made=standing.now - 60)
    await looking.look(offered)
    assert spooled not in offered.ids
    standing.now += 31
    await looking.look(offered)
    assert offered.ids.count(spooled) == 1
    standing.now += 31
    await looking.look(offered)
    assert offered.ids.count(spooled) == 1


@asynchronous
async def test_many_are_offered_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind, "MOST_STUCK", 3)
    standing, offered = Standing(lines={}), Offered()
    looking = of(standing)
    long = [standing.stands(number, key="k:a") for number in range(7)]
    standing.now += 10
    short = standing.stands(8, key="k:b")
    standing.now += 10
    await looking.look(offered)
    await looking.look(offered)
    assert offered.ids == [*long[:3], short, *long[3:5]], "the other line has its turn"
    for _ in range(3):
        await looking.look(offered)
    assert sorted(offered.ids) == sorted([*long, short])


@asynchronous
async def test_lines_beyond_those_of_one_look_are_looked_at_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(behind, "MOST_LINES", 2)
    standing, offered = Standing(lines={}), Offered()
    looking = of(standing)
    stood = [standing.stands(number, key=f"k:{number}") for number in range(5)]
    for _ in range(3):
        await looking.look(offered)
    assert sorted(offered.ids) == sorted(stood)
    new = standing.stands(7, key="k:0")
    await looking.look(offered)
    assert offered.ids[-1] == new


@asynchronous
async def test_what_could_not_be_offered_is_offered_again() -> None:
    standing = Standing()
    stood = [standing.stands(number) for number in range(4)]
    looking, offered = of(standing), Offered(fails=stood[2])
    with pytest.raises(ConnectionError):
        await looking.look(offered)
    await looking.look(offered)
    assert offered.ids == stood


@asynchronous
async def test_a_line_behind_another_run_is_read_on() -> None:
    standing, offered = Standing(), Offered()
    looking = of(standing)
    first = standing.stands(1)
    standing.now += 10
    await looking.look(offered)
    standing.run, standing.lines[""] = UUID(int=5), 0
    second = standing.stands(2)  # as many signals as before, counted anew
    await looking.look(offered)
    assert offered.ids == [first, second]
