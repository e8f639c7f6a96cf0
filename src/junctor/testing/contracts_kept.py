"""What a ledger must do with what runs write to data stores and remember."""

from __future__ import annotations

from uuid import UUID

from junctor.ports.backlog import Claim
from junctor.ports.ledger import Kept, RecordWrite, SegmentRow, StateWrite, Write
from junctor.testing.hot_stand import Check, Given, Stand

__all__ = ["CHECKS"]

STORE = UUID(int=77)
CHECKS: list[Check] = []


def _check(check: Check) -> Check:
    CHECKS.append(check)
    return check


def _put(key: str, n: int | None, expected: int | None = None) -> RecordWrite:
    return RecordWrite(STORE, key, None if n is None else {"n": n}, expected)


def _write(claim: Claim, run: UUID, seq: int, kept: Kept) -> Write:
    return Write(claim, run, "standard", segments=(SegmentRow(seq, b"s", b""),), kept=kept)


async def _begun(stand: Stand) -> tuple[Given, UUID, Claim]:
    given = Given(stand)
    stand.plant_store(given.organization, STORE)
    (run,) = await given.accepted()
    return given, run, await given.claimed()


@_check
async def what_is_kept_is_applied_with_its_segment(stand: Stand) -> None:
    given, run, claim = await _begun(stand)
    kept = Kept([_put("a", 1, 0), _put("b", 2)], states=[StateWrite(3, {"at": "x"}, 0)])
    assert await stand.ledger.commit([_write(claim, run, 0, kept)]) == [True]
    assert stand.records(given.organization, STORE) == {"a": {"n": 1}, "b": {"n": 2}}
    assert stand.remembered(given.organization, given.scenario) == {3: {"at": "x"}}
    assert [row[0] for row in await given.a.recorded(given.organization, run)] == [0]


@_check
async def what_somebody_changed_meanwhile_is_not_overwritten(stand: Stand) -> None:
    given, run, claim = await _begun(stand)
    await stand.ledger.commit([_write(claim, run, 0, Kept([_put("a", 1, 0)]))])
    late = _write(claim, run, 1, Kept([_put("b", 5), _put("a", 2, 0)]))
    other = _write(claim, run, 2, Kept([_put("c", 3)]))
    assert await stand.ledger.commit([late, other]) == [True, True]
    assert "a" in late.conflict
    assert other.conflict == ""
    assert stand.records(given.organization, STORE) == {"a": {"n": 1}, "c": {"n": 3}}
    assert [row[0] for row in await given.a.recorded(given.organization, run)] == [0, 2]


@_check
async def of_one_group_the_second_sees_the_first(stand: Stand) -> None:
    given, run, claim = await _begun(stand)
    first = _write(claim, run, 0, Kept(states=[StateWrite(1, 1, 0)]))
    second = _write(claim, run, 1, Kept(states=[StateWrite(1, 2, 0)]))
    await stand.ledger.commit([first, second])
    assert first.conflict == ""
    assert "module 1" in second.conflict
    assert stand.remembered(given.organization, given.scenario) == {1: 1}


@_check
async def a_record_made_again_is_another_one(stand: Stand) -> None:
    given, run, claim = await _begun(stand)
    await stand.ledger.commit([_write(claim, run, 0, Kept([_put("a", 1)]))])
    first = stand.revision(given.organization, STORE, "a")
    await stand.ledger.commit([_write(claim, run, 1, Kept([_put("a", None)]))])
    assert stand.records(given.organization, STORE) == {}
    await stand.ledger.commit([_write(claim, run, 2, Kept([_put("a", 1)]))])
    late = _write(claim, run, 3, Kept([_put("a", 9, first)]))
    await stand.ledger.commit([late])
    assert late.conflict
    right = stand.revision(given.organization, STORE, "a")
    good = _write(claim, run, 4, Kept([_put("a", 9, right)]))
    await stand.ledger.commit([good])
    assert not good.conflict
    assert stand.records(given.organization, STORE) == {"a": {"n": 9}}


@_check
async def a_store_is_emptied_before_its_records_are_put(stand: Stand) -> None:
    given, run, claim = await _begun(stand)
    await stand.ledger.commit([_write(claim, run, 0, Kept([_put("a", 1), _put("b", 1)]))])
    kept = Kept([_put("c", 1)], cleared=frozenset({STORE}))
    await stand.ledger.commit([_write(claim, run, 1, kept)])
    assert stand.records(given.organization, STORE) == {"c": {"n": 1}}


@_check
async def the_same_write_twice_is_as_once(stand: Stand) -> None:
    given, run, claim = await _begun(stand)
    write = _write(claim, run, 0, Kept([_put("a", 1, 0)]))
    await stand.ledger.commit([write])
    await stand.ledger.commit([_write(claim, run, 1, Kept([_put("a", 2)]))])
    again = _write(claim, run, 0, Kept([_put("a", 1, 0)]))
    assert await stand.ledger.commit([again]) == [True]
    assert again.conflict == ""
    assert stand.records(given.organization, STORE) == {"a": {"n": 2}}


@_check
async def a_stale_claim_applies_nothing(stand: Stand) -> None:
    given = Given(stand)
    stand.plant_store(given.organization, STORE)
    (run,) = await given.accepted()
    old, _heir = await given.crashed()
    assert await stand.ledger.commit([_write(old, run, 0, Kept([_put("a", 1)]))]) == [False]
    assert stand.records(given.organization, STORE) == {}
