"""What every inbox, backlog and ledger must do together; run on the fakes and on Postgres alike.

`CHECKS` are coroutine functions over a `Stand`, each to be given an empty one. Here: waits, lines
and what runs write; those on deliveries and claims stand in `contracts_claims`.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from junctor.ports.inbox import Answered
from junctor.ports.ledger import SegmentRow, Write
from junctor.testing import contracts_claims, contracts_kept
from junctor.testing.hot_stand import LEASE, MANY, Check, Given, Stand, ids_of

__all__ = ["CHECKS", "LEASE", "Check", "Stand"]

PAUSE = 3600.0
CHECKS: list[Check] = [*contracts_claims.CHECKS, *contracts_kept.CHECKS]


def _check(check: Check) -> Check:
    CHECKS.append(check)
    return check


# Waits.


@_check
async def a_wait_sleeps_until_it_is_due(stand: Stand) -> None:
    given = Given(stand)
    (run,) = await given.accepted()
    claim = await given.claimed()
    await given.taken(claim)
    await given.ends(claim, run, "waiting", PAUSE)
    claim.waits = True
    assert await given.a.due(claim, MANY) == []
    await given.a.release([claim])
    assert await given.a.claim(MANY, MANY) == []
    stand.elapse(PAUSE + 1)
    claim = await given.claimed()
    assert (claim.due, claim.waits, claim.crashes) == (True, True, 0)
    ((found),) = await given.a.due(claim, MANY)
    assert found[:5] == (run, 1, "standard", "delivery", "hook")
    claim.busy = {run}
    assert await given.a.due(claim, MANY) == []


@_check
async def deliveries_come_while_a_run_waits(stand: Stand) -> None:
    given = Given(stand)
    (run,) = await given.accepted()
    claim = await given.claimed()
    await given.taken(claim)
    await given.ends(claim, run, "waiting", PAUSE)
    claim.waits = True
    await given.a.release([claim])
    (fresh,) = await given.accepted()
    claim = await given.claimed()
    assert claim.waits
    assert await given.taken(claim) == [fresh]
    assert not claim.due
    stand.elapse(1)
    stand.renew("a", [claim])
    await given.ends(claim, fresh, "waiting", -1)
    await given.taken(claim)
    assert claim.due
    assert [(each.id, each.again) for each in await given.a.due(claim, MANY)] == [(fresh, False)]


@_check
async def the_first_of_several_waits_counts(stand: Stand) -> None:
    await _first_counts(stand, (60.0, PAUSE))


@_check
async def the_first_of_several_waits_counts_wherever_it_stands(stand: Stand) -> None:
    await _first_counts(stand, (PAUSE, 60.0))


async def _first_counts(stand: Stand, dues: tuple[float, float]) -> None:
    """Two waits in one commit."""
    given = Given(stand)
    runs = await given.accepted(2)
    claim = await given.claimed()
    await given.taken(claim)
    writes = [given.write(claim, run, "waiting", due) for run, due in zip(runs, dues, strict=True)]
    assert await stand.ledger.commit(writes) == [True, True]
    stand.elapse(61)
    await given.taken(claim)
    assert claim.due
    assert [each.id for each in await given.a.due(claim, MANY)] == [runs[dues.index(60.0)]]
    claim.waits = True
    await given.a.release([claim])
    assert (await given.claimed()).due


@_check
async def due_runs_come_in_the_order_of_their_time(stand: Stand) -> None:
    given = Given(stand)
    runs = await given.accepted(3)
    claim = await given.claimed()
    for run, due in zip(runs, (-1, -3, -2), strict=True):
        await given.ends(claim, run, "waiting" if due < -1 else "incomplete", due)
    found = [(each.id, each.again) for each in await given.a.due(claim, MANY)]
    assert found == [(runs[1], False), (runs[2], False), (runs[0], True)]
    assert [(each.id, each.again) for each in await given.a.due(claim, 2)] == found[:2]


# Lines.


@_check
async def a_line_stands_behind_the_run_that_stopped(stand: Stand) -> None:
    """From the very commit: its owner may die before the release."""
    given = Given(stand)
    head, behind = await given.accepted(2, "k:a")
    claim = await given.claimed()
    await given.ends(claim, head, "incomplete")
    stand.elapse(LEASE + 1)
    await given.accepted(order_key="k:a")
    assert await given.b.claim(MANY, MANY) == []
    stand.discard(given.organization, head)
    (heir,) = await given.b.claim(MANY, MANY)
    assert heir.blocked_by_run is None
    assert ids_of(await given.b.take([(heir, 1)], [])) == [behind]


@_check
async def a_line_stands_behind_what_its_head_set_aside(stand: Stand) -> None:
    """Once the head is over; until then whoever takes over goes on with it."""
    given = Given(stand)
    head, behind = await given.accepted(2, "k:a")
    claim, aside = await given.claimed(), given.new("k:a").id
    assert await stand.ledger.commit([given.write(claim, aside, "incomplete")]) == [True]
    stand.elapse(LEASE + 1)
    (heir,) = await given.b.claim(MANY, MANY)
    assert heir.blocked_by_run is None
    write = given.write(heir, head, "finished")
    write.done, write.stands = True, aside
    assert await stand.ledger.commit([write]) == [True]
    stand.elapse(LEASE + 1)
    assert await given.a.claim(MANY, MANY) == []
    stand.discard(given.organization, aside)
    (last,) = await given.a.claim(MANY, MANY)
    assert ids_of(await given.a.take([(last, 2)], [])) == [behind]


@_check
async def a_blocked_line_is_given_back_and_wakes_when_its_head_goes_on(stand: Stand) -> None:
    given = Given(stand)
    head, _ = await given.accepted(2, "k:a")
    claim = await given.claimed()
    await given.taken(claim)
    await given.ends(claim, head, "incomplete")
    claim.blocked_by_run = head
    await given.a.release([claim])
    assert await given.a.claim(MANY, MANY) == []
    stand.resume(given.organization, head)
    stand.elapse(1)
    claim = await given.claimed()
    assert (claim.due, claim.blocked_by_run) == (True, head)
    assert [each.id for each in await given.a.due(claim, MANY)] == [head]


@_check
async def a_run_given_up_while_its_claim_is_held_blocks_nothing(stand: Stand) -> None:
    given = Given(stand)
    head, behind = await given.accepted(2, "k:a")
    claim = await given.claimed()
    await given.taken(claim, 1)
    await given.ends(claim, head, "incomplete")
    claim.blocked_by_run = head
    stand.discard(given.organization, head)
    await given.a.release([claim])
    again = await given.claimed()
    assert again.blocked_by_run is None
    assert await given.taken(again) == [behind]


# What runs write.


@_check
async def the_same_write_twice_is_as_once(stand: Stand) -> None:
    given = Given(stand)
    (run,) = await given.accepted()
    claim = await given.claimed()
    write = Write(
        claim,
        run,
        "standard",
        segments=(SegmentRow(0, b"zero", b"a" * 16 + b"b" * 16), SegmentRow(1, b"one", b"")),
        row=given.row("finished", operations=3),
        done=True,
        answer=Answered(201, (("x", "1"), ("x", "2")), b"\xff"),
        server="server",
    )
    assert await stand.ledger.commit([write]) == [True]
    first, write.answer = write.answer, Answered(500, (), b"other")
    assert await stand.ledger.commit([write]) == [True]
    assert await given.a.recorded(given.organization, run) == [
        (0, b"zero", [b"a" * 16, b"b" * 16]),
        (1, b"one", []),
    ]
    place = (given.organization, run)
    assert await stand.inbox.answers([place, (given.organization, UUID(int=9))]) == {run: first}
    assert await stand.inbox.answers([(UUID(int=9), run)]) == {}
    assert await given.a.recorded(UUID(int=9), run) == []
    assert await given.a.begun(given.organization, [UUID(int=9), run]) == {run}
    assert await given.a.begun(UUID(int=9), [run]) == set()
    assert await given.a.run_row(UUID(int=9), run) is None
    assert await given.taken(claim) == []


@_check
async def a_run_that_is_over_stays_so(stand: Stand) -> None:
    given = Given(stand)
    finished, given_up, stopped = await given.accepted(3)
    claim = await given.claimed()
    await given.ends(claim, finished, "finished")
    await given.ends(claim, given_up, "uncertain")
    await given.ends(claim, stopped, "incomplete")
    stand.discard(given.organization, given_up)
    stand.discard(given.organization, finished)
    for expected in ("incomplete", "waiting"):  # that of a stopped one counts once it is to go on
        for run in (finished, given_up, stopped):
            assert await stand.ledger.commit([given.write(claim, run, "waiting", -1)]) == [True]
        states = [await given.state(run) for run in (finished, given_up, stopped)]
        assert states == ["finished", "discarded", expected]
        stand.resume(given.organization, stopped)
    assert [each.id for each in await given.a.due(claim, MANY)] == [stopped]


@_check
async def how_a_run_began_is_said_once(stand: Stand) -> None:
    given = Given(stand)
    (run,) = await given.accepted()
    claim = await given.claimed()
    await given.ends(claim, run, "running")
    begun = await given.a.run_row(given.organization, run)
    later = given.row("incomplete", segments=4)._replace(
        version=7, trigger="replay", actor="other", started_at=stand.now() + timedelta(days=1)
    )
    await stand.ledger.commit([Write(claim, run, "standard", row=later)])
    assert begun is not None
    assert await given.a.run_row(given.organization, run) == (
        begun[0]._replace(segments=4),
        "incomplete",
    )
