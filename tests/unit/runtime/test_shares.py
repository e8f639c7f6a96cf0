"""A worker's places and passes: something is always left for others."""

from __future__ import annotations

from uuid import UUID

from junctor.ports.backlog import Claim
from junctor.runtime.shares import LEAST, full, little_first, spread

PLACES = 704


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


def test_a_pass_is_spread_over_claims() -> None:
    claims = [(claim(1, number, 0), 500) for number in range(10)]
    assert {limit for _, limit in spread(claims, 500)} == {50}
    assert spread(claims[:1], 500) == claims[:1]
    assert {limit for _, limit in spread(claims * 10, 500)} == {LEAST}


def test_who_has_little_to_start_is_first() -> None:
    much, little = claim(1, 2, 0), claim(3, 4, 0)
    ordered = little_first([(much, [None] * 3), (little, [None])])  # type: ignore[list-item]  # counted only
    assert [each for each, _ in ordered] == [little, much]
