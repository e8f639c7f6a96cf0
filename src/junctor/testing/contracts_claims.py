"""Deliveries in, and who works on them: the first half of the hot path's contract."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from junctor.ports.inbox import Answered
from junctor.ports.ledger import SegmentRow, Write
from junctor.testing.hot_stand import LEASE, MANY, Check, Given, Stand, ids_of

__all__ = ["CHECKS"]

CHECKS: list[Check] = []


def _check(check: Check) -> Check:
    CHECKS.append(check)
    return check


# Inbox.


@_check
async def an_accepted_delivery_is_claimed_and_taken_as_it_was_given(stand: Stand) -> None:
    given = Given(stand)
    delivery = given.new("k:a", payload=b"\0whole")
    await stand.inbox.accept([delivery])
    claim = await given.claimed()
    assert (claim.organization_id, claim.scenario_id) == (given.organization, given.scenario)
    assert (claim.order_key, claim.ordered) == ("k:a", True)
    assert (claim.published, claim.draft, claim.detail) == (1, 1, "full")
    assert claim.retention == "standard"
    assert (claim.due, claim.waits, claim.blocked_by_run) == (False, False, None)
    assert (claim.crashes, claim.cautious_until) == (0, None)
    ((same, (taken,)),) = await given.a.take([(claim, MANY)], [])
    assert same is claim
    assert taken[:3] == (delivery.id, b"\0whole", "server")
    assert abs(taken.received_at - stand.now()) < timedelta(minutes=1)
    assert await given.a.delivery(given.organization, delivery.id) == taken
    assert await given.a.delivery(UUID(int=9), delivery.id) is None


@_check
async def a_duplicate_is_told_its_first_and_not_stored(stand: Stand) -> None:
    given, other = Given(stand), Given(stand, 2)
    first, repeated, plain = given.new(key="x"), given.new(key="x"), given.new()
    assert await stand.inbox.accept([first]) == {}
    assert await stand.inbox.accept([repeated, plain]) == {repeated.id: first.id}
    elsewhere = given.new(key="x")._replace(hook_id=UUID(int=7))
    assert await stand.inbox.accept([elsewhere, other.new(key="x")]) == {}
    claims = await given.a.claim(MANY, MANY)
    (mine,) = (claim for claim in claims if claim.organization_id == given.organization)
    assert await given.taken(mine) == [first.id, plain.id, elsewhere.id]
    await given.ends(mine, first.id, "finished")
    late = given.new(key="x")
    assert await stand.inbox.accept([late]) == {late.id: first.id}


@_check
async def a_batch_of_duplicates_signals_nobody(stand: Stand) -> None:
    given = Given(stand)
    first = given.new(key="x")
    await stand.inbox.accept([first])
    claim = await given.claimed()
    assert await given.taken(claim) == [first.id]
    await given.ends(claim, first.id, "finished")
    await stand.inbox.accept([given.new(key="x")])
    assert await given.taken(claim) == []
    await given.a.release([claim])
    assert await given.a.claim(MANY, MANY) == []


@_check
async def a_batch_accepted_again_is_stored_once(stand: Stand) -> None:
    given = Given(stand)
    batch = [given.new(key="x"), given.new()]
    assert await stand.inbox.accept(batch) == {}
    assert await stand.inbox.accept(batch) == {}
    assert await given.taken(await given.claimed()) == [each.id for each in batch]


@_check
async def what_is_for_a_scenario_that_is_gone_is_neither_stored_nor_remembered(
    stand: Stand,
) -> None:
    given, stays = Given(stand), Given(stand, 2)
    stand.forget(given.organization, given.scenario)
    plain, keyed, kept = given.new(), given.new(key="x"), stays.new()
    refused: dict[UUID, UUID | None] = {plain.id: None, keyed.id: None}
    assert await stand.inbox.accept([plain, keyed, kept]) == refused
    assert await stand.inbox.accept([plain, stays.new()]) == {plain.id: None}
    stand.plant(given.organization, given.scenario)
    again = given.new(key="x")
    assert await stand.inbox.accept([again]) == {}  # no duplicate of what was refused
    claims = await given.a.claim(MANY, MANY)
    (mine,) = (claim for claim in claims if claim.organization_id == given.organization)
    assert await given.taken(mine) == [again.id]
    assert len(claims) == 2


# Claims.


@_check
async def what_is_claimed_is_nobody_elses(stand: Stand) -> None:
    given = Given(stand)
    await given.accepted()
    first = await given.claimed()
    assert first.fence > 0
    assert await given.a.claim(MANY, MANY) == await given.b.claim(MANY, MANY) == []
    await given.a.take([(first, 0)], [])
    await given.a.release([first])
    (second,) = await given.b.claim(MANY, MANY)
    assert second.fence > first.fence
    assert (second.crashes, second.cautious_until) == (0, None)


@_check
async def those_who_waited_longest_are_claimed_first(stand: Stand) -> None:
    given = Given(stand)
    for name in "cab":
        await given.accepted(order_key=f"k:{name}")
        stand.elapse(1)
    (first,) = await given.a.claim(1, 1)
    assert first.order_key == "k:c"
    await given.taken(first, 0)
    await given.a.release([first])  # not all done: to the back of the line
    order = []
    for _ in range(3):
        (claim,) = await given.a.claim(1, 1)
        order.append(claim.order_key)
    assert order == ["k:a", "k:b", "k:c"]


@_check
async def organizations_share_a_claim(stand: Stand) -> None:
    busy, quiet = Given(stand), Given(stand, 2)
    for number in range(10):
        await busy.accepted(order_key=f"k:{number}")
    await quiet.accepted()
    claims = await busy.a.claim(MANY, 6)
    assert [claim.organization_id for claim in claims].count(busy.organization) == 3
    assert [claim.organization_id for claim in claims].count(quiet.organization) == 1
    assert len(await busy.b.claim(MANY, 6)) == 6  # alone now
    assert len(await busy.b.claim(MANY, 0)) == 1  # never none
    await quiet.accepted(order_key="k:new")
    (claim,) = await quiet.b.claim(1, 1)
    assert claim.organization_id in {busy.organization, quiet.organization}


@_check
async def a_scenario_that_is_off_runs_only_by_hand(stand: Stand) -> None:
    given = Given(stand, active=False)
    await given.accepted()
    (byhand,) = await given.accepted(order_key="~1")
    claim = await given.claimed()
    assert claim.order_key == "~1"
    assert await given.taken(claim) == [byhand]
    stand.plant(given.organization, given.scenario, active=True)
    assert (await given.claimed()).order_key == ""


# Takes.


@_check
async def a_take_leaves_out_the_busy_and_says_if_it_was_cut_off(stand: Stand) -> None:
    given = Given(stand)
    ids = await given.accepted(5)
    claim = await given.claimed()
    assert await given.taken(claim, 2) == ids[:2]
    assert claim.more
    assert await given.taken(claim, 2, ids[:2]) == ids[2:4]
    assert claim.more
    assert await given.taken(claim, 2, [ids[0], ids[2], ids[3]]) == [ids[1], ids[4]]
    assert await given.taken(claim, 2, ids[:4]) == ids[4:]
    assert not claim.more
    assert await given.taken(claim, 6) == ids
    assert not claim.more


@_check
async def one_take_serves_several_claims_each_by_its_own_limit(stand: Stand) -> None:
    given = Given(stand)
    a, b = await given.accepted(3, "k:a"), await given.accepted(3, "k:b")
    claims = {claim.order_key: claim for claim in await given.a.claim(MANY, MANY)}
    wanted = [(claims["k:b"], 1), (claims["k:a"], 9)]
    taken = await given.a.take(wanted, [])
    assert [claim for claim, _ in taken] == [claim for claim, _ in wanted]
    assert [ids_of([each]) for each in taken] == [b[:1], a]
    assert (claims["k:b"].more, claims["k:a"].more) == (True, False)


@_check
async def parked_deliveries_are_kept_and_not_taken(stand: Stand) -> None:
    given = Given(stand)
    bad, good = await given.accepted(2)
    claim = await given.claimed()
    write = Write(claim, bad, claim.retention, row=given.row("incomplete"), parked=True)
    assert await stand.ledger.commit([write]) == [True]
    assert await given.taken(claim) == [good]
    kept = await given.a.delivery(given.organization, bad)
    assert kept is not None
    assert kept.payload == b"x"
    await given.ends(claim, good, "finished")
    assert await given.taken(claim) == []
    await given.a.release([claim])
    assert await given.a.claim(MANY, MANY) == []


# Fences and leases.


@_check
async def who_finds_anothers_segment_in_the_place_of_its_own_is_stale(stand: Stand) -> None:
    given = Given(stand)
    run, other = await given.accepted(2)
    claim = await given.claimed()
    first, second = given.write(claim, run, "running"), given.write(claim, run, "running")
    first.segments, second.segments = (SegmentRow(0, b"a", b""),), (SegmentRow(0, b"b", b""),)
    for _ in range(2):  # as when the first acknowledgement was lost
        assert await stand.ledger.commit([first]) == [True]
    assert await stand.ledger.commit([second]) == [False]
    assert claim.stale
    ((_, data, _),) = await given.a.recorded(given.organization, run)
    assert data == b"a"
    claim.stale = False
    await given.ends(claim, other, "finished")


@_check
async def a_stale_fence_writes_nothing(stand: Stand) -> None:
    given = Given(stand)
    (run, _) = await given.accepted(2)
    old, heir = await given.crashed()
    write = given.write(old, run, "finished")
    write.segments = (SegmentRow(0, b"late", b""),)
    write.answer, write.blocks, write.due_at = Answered(200, (), b""), True, stand.now()
    assert await stand.ledger.commit([write]) == [False]
    assert old.stale
    assert await given.state(run) is None
    assert await given.a.recorded(given.organization, run) == []
    assert await stand.inbox.answers([(given.organization, run)]) == {}
    assert await given.a.attempt([(old, run)]) == {}
    old.stale = False
    assert await given.a.take([(old, MANY)], []) == []
    assert old.stale
    old.stale = False
    await given.a.release([old])
    assert len(ids_of(await given.b.take([(heir, MANY)], []))) == 2
    assert not heir.due
    assert await given.a.claim(MANY, MANY) == []


@_check
async def in_a_group_only_the_stale_are_refused(stand: Stand) -> None:
    given = Given(stand)
    one, two = await given.accepted(2)
    old, heir = await given.crashed()
    writes = [given.write(old, one, "finished"), given.write(heir, two, "finished")]
    assert await stand.ledger.commit(writes) == [False, True]
    assert (old.stale, heir.stale) == (True, False)
    assert (await given.state(one), await given.state(two)) == (None, "finished")
    assert ids_of(await given.b.take([(heir, MANY)], [])) == [one]


@_check
async def a_lease_that_ran_out_makes_the_heir_cautious(stand: Stand) -> None:
    given = Given(stand)
    ids = await given.accepted(3)
    old, heir = await given.crashed()
    assert heir.fence > old.fence
    assert (heir.crashes, heir.cautious_until) == (1, ids[-1])
    assert await given.accepted()
    stand.elapse(LEASE + 1)
    third = await given.claimed()
    assert third.crashes == 2
    await given.taken(third)
    for each in ids:
        await given.ends(third, each, "finished")
    third.cautious_until = None
    await given.a.release([third])
    assert await given.a.claim(MANY, MANY) == []
    await given.accepted()
    assert (await given.claimed()).crashes == 0


@_check
async def a_heartbeat_keeps_what_it_names(stand: Stand) -> None:
    given = Given(stand)
    await given.accepted(order_key="k:kept")
    await given.accepted(order_key="k:lost")
    claims = {claim.order_key: claim for claim in await given.a.claim(MANY, MANY)}
    stand.elapse(LEASE - 1)
    stand.renew("a", [claims["k:kept"]])
    stand.renew("b", [claims["k:lost"]])  # not its own
    stand.elapse(LEASE - 1)
    (heir,) = await given.b.claim(MANY, MANY)
    assert heir.order_key == "k:lost"


@_check
async def half_looked_through_after_a_crash_stays_as_crashed(stand: Stand) -> None:
    given = Given(stand)
    ids = await given.accepted(3)
    _, heir = await given.crashed()
    await given.b.take([(heir, 1)], [])
    await given.b.release([heir])
    again = await given.claimed()
    assert (again.cautious_until, again.crashes) == (ids[-1], 1)


@_check
async def tries_are_counted(stand: Stand) -> None:
    given = Given(stand)
    one, two = await given.accepted(2)
    claim = await given.claimed()
    assert await given.a.attempt([(claim, one), (claim, two)]) == {one: 1, two: 1}
    assert await given.a.attempt([(claim, one), (claim, UUID(int=5))]) == {one: 2}
    ((_, taken),) = await given.a.take([(claim, MANY)], [])
    assert [each.attempts for each in taken] == [2, 1]
    assert await given.a.attempt([(claim, one)], by=-1) == {one: 1}
    assert [await given.a.attempt([(claim, two)], by=-1) for _ in range(2)] == [{two: 0}] * 2


@_check
async def tries_of_runs_are_counted_until_their_state_is_written(stand: Stand) -> None:
    given = Given(stand)
    one, two = await given.accepted(2)
    claim = await given.claimed()
    for run in (one, two):
        await given.ends(claim, run, "waiting", -1)
    assert await given.a.tried(claim, [one, two]) == {one: 1, two: 1}
    assert await given.a.tried(claim, [one, UUID(int=5)]) == {one: 2}
    assert await given.a.tried(claim, [two], by=-1) == {two: 0}
    await given.ends(claim, two, "waiting", -1)
    assert {run.id: run.tries for run in await given.a.due(claim, MANY)} == {one: 2, two: 0}
    await given.ends(claim, two, "finished")
    assert await given.a.tried(claim, [two]) == {}
    stand.elapse(LEASE + 1)
    await given.b.claim(MANY, MANY)
    assert await given.a.tried(claim, [one]) == {}


# Releases.


@_check
async def an_empty_claim_given_back_is_gone(stand: Stand) -> None:
    given = Given(stand)
    (run,) = await given.accepted()
    claim = await given.claimed()
    await given.taken(claim)
    await given.ends(claim, run, "finished")
    await given.a.release([claim])
    assert await given.a.claim(MANY, MANY) == []
    assert await stand.ledger.commit([given.write(claim, run, "running")]) == [False]


@_check
async def what_is_signalled_between_look_and_release_is_not_lost(stand: Stand) -> None:
    given = Given(stand)
    (run,) = await given.accepted()
    claim = await given.claimed()
    await given.taken(claim)
    await given.ends(claim, run, "finished")
    (late,) = await given.accepted()
    await given.a.release([claim])
    again = await given.claimed()
    assert (again.crashes, again.cautious_until) == (0, None)
    assert await given.taken(again) == [late]


@_check
async def what_was_not_looked_at_stays_claimable(stand: Stand) -> None:
    given = Given(stand)
    await given.accepted(2)
    claim = await given.claimed()
    await given.a.release([claim])
    claim = await given.claimed()
    await given.taken(claim, 1)
    await given.a.release([claim])
    assert len(await given.taken(await given.claimed())) == 2
