"""A worker's places and passes: something is always left for others."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from junctor.ports.backlog import Claim, Taken
from junctor.runtime.shares import FRESH, LEAST, LOOKING, SAVED, Looks, Places, Rest, full, spread

PLACES = 704
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def claim(organization: int, scenario: int, busy: int) -> Claim:
    made = Claim(UUID(int=organization), UUID(int=scenario), "", 1, 1, 1, "full", "standard")
    made.busy = {UUID(int=1000 * scenario + number) for number in range(busy)}
    return made


def crowd(*claims: Claim, idle: int = 0) -> set[int]:
    free = PLACES - sum(len(each.busy) for each in claims)
    return {found.int for found in full(claims, free, PLACES, lambda _: idle)}


def test_one_alone_gets_nearly_all() -> None:
    assert crowd(claim(1, 2, 527)) == set()
    assert crowd(claim(1, 2, 528)) == {2}


def test_another_scenario_and_another_organization_find_room() -> None:
    assert crowd(claim(1, 2, 528), claim(1, 3, 20)) == {2}
    assert crowd(claim(1, 2, 500), claim(1, 3, 64), claim(9, 8, 5)) == {1, 2}


def test_many_share_and_leave_something() -> None:
    several = [claim(number, 100 + number, 170) for number in range(1, 5)]
    assert {1, 2, 3, 4} <= crowd(*several)


def test_runs_that_only_wait_for_others_hold_no_place() -> None:
    assert crowd(claim(1, 2, 600), idle=600) == set()


def test_what_stands_in_a_line_holds_no_place() -> None:
    line = claim(1, 2, 600)
    line.queued = 599
    assert full([line], PLACES - 1, PLACES, lambda _: 0) == []
    assert crowd(line) == set()


def given(*wanted: tuple[Claim, int], free: int = PLACES, standing: int = 2048) -> list[int]:
    places = Places([each for each, _ in wanted], free, standing, lambda _: 0)
    got = dict(places.fitting(wanted))
    return [got.get(each, 0) for each, _ in wanted]


def test_a_pass_gives_one_scenario_or_organization_no_more_than_its_share() -> None:
    assert given((claim(1, 2, 0), 1000)) == [528]
    assert given((claim(1, 2, 0), 1000), (claim(1, 3, 0), 1000)) == [264, 300]
    assert given((claim(1, 2, 400), 1000), free=304) == [128]
    assert given((claim(1, 2, 528), 1000), free=176) == [0]
    assert sum(given(*((claim(1, number, 0), 128) for number in range(64)))) == 564


def test_the_last_place_is_for_who_has_none() -> None:
    assert given((claim(1, 2, 703), 9), (claim(3, 4, 0), 9), free=1) == [0, 1]
    assert given((claim(3, 4, 0), 9), free=0) == [0]


def test_lines_leave_room_for_those_of_others() -> None:
    lines = [(claim(1, number, 0), 16) for number in range(300)]
    for each, _ in lines:
        each.alone = True
    got = given(*lines)
    assert all(got)
    assert sum(got) - len(got) <= 0.8 * 2048 + 1
    assert all(each.crowded == (count < 16) for (each, _), count in zip(lines, got, strict=True))


def test_what_waits_for_nobody_is_not_kept_waiting() -> None:
    pure = claim(1, 2, 0)
    pure.pure = True
    assert given((pure, 500), free=0) == [500]
    assert not pure.crowded


def test_a_pass_is_spread_over_claims() -> None:
    claims = [(claim(1, number, 0), 500) for number in range(10)]
    assert {limit for _, limit in spread(claims, 500)} == {50}
    assert spread(claims[:1], 500) == claims[:1]
    assert {limit for _, limit in spread(claims * 10, 500)} == {LEAST}


def deliveries(count: int) -> list[Taken]:
    return [Taken(UUID(int=number), b"", None, NOW) for number in range(count)]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def order(rest: Rest, *taken: tuple[Claim, int]) -> list[tuple[Claim, int]]:
    got = rest.with_fresh([(each, deliveries(count)) for each, count in taken])
    return [(each, len(left)) for each, left in got]


def test_who_has_little_to_start_is_first() -> None:
    much, little = claim(1, 2, 0), claim(3, 4, 0)
    assert order(Rest(Clock()), (much, 3), (little, 1)) == [(little, 1), (much, 3)]


def test_what_is_left_comes_nearer_with_each_pass_but_never_before_a_single_one() -> None:
    rest, much = Rest(Clock()), claim(1, 2, 0)
    places = []
    for number in range(6):
        fresh = [(claim(3, 10 + number, 0), 4), (claim(3, 20 + number, 0), 1)]
        taken = fresh + ([(much, 7)] if not number else [])
        got = [each for each, _ in order(rest, *taken)]
        places.append(got.index(much))
        rest.keep([(much, deliveries(7))])
        assert much in rest
    assert places == [2, 2, 2, 1, 1, 1]


def test_nothing_is_kept_for_long_or_for_a_claim_that_is_not_ours() -> None:
    clock = Clock()
    rest, old, lost, stale, ours = Rest(clock), *(claim(1, number, 0) for number in range(4))
    rest.keep([(old, deliveries(2))])
    clock.now += FRESH * 0.75
    rest.keep([(each, deliveries(2)) for each in (old, lost, stale, ours)])
    clock.now += FRESH * 0.75
    lost.lost = stale.stale = True
    for each in (old, lost, stale, ours):
        each.more = False
    assert order(rest) == [(ours, 2)]
    assert [each.more for each in (old, lost, stale, ours)] == [True, True, True, False]
    assert old not in rest


def test_what_is_begun_or_dropped_is_gone() -> None:
    rest, one, other = Rest(Clock()), claim(1, 2, 0), claim(1, 3, 0)
    rest.keep([(one, deliveries(2)), (other, deliveries(2))])
    one.more = other.more = False
    rest.begun(one)
    rest.drop()
    assert (one.more, other.more) == (False, True)
    assert order(rest) == []


def test_many_order_keys_with_one_delivery_each_are_much_to_start() -> None:
    keys, small = [claim(1, 2, 0) for _ in range(20)], claim(9, 8, 0)
    rest = Rest(Clock())
    rest.keep([(key, deliveries(1)) for key in keys[:10]])
    got = order(rest, *((key, 1) for key in keys[10:]), (small, 3))
    assert got[0] == (small, 3)
    assert {id(each) for each, _ in got[1:]} == {id(key) for key in keys}


def test_who_signals_now_and_then_is_looked_for_and_looking_never_becomes_the_whole() -> None:
    clock = Clock()
    looks = Looks(clock)
    for _ in range(100):  # one of 5 ms in 50 ms: a tenth of the time
        clock.now += 0.045
        assert looks.affordable()
        clock.now += 0.005
        looks.spent(0.005)
    looked, begun = 0.0, clock.now
    while looked < 10 and clock.now < 1000:  # always somebody, and looking takes all it can get
        clock.now += 0.001
        if looks.affordable():
            clock.now += 0.01
            looks.spent(0.01)
            looked += 0.01
    assert looked == pytest.approx(LOOKING * (clock.now - begun), rel=0.02, abs=SAVED)
