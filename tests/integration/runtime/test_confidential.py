"""What is left of a confidential run once it has ended, and what of one that is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from junctor.adapters.postgres.confidential import KNOWN, Confidential
from junctor.ports.backlog import Claim
from junctor.ports.ledger import RunRow, SegmentRow, Write
from tests.durability import kit
from tests.integration.runtime.test_claims import execute, new, parts
from tests.support import asynchronous


def ends(claim: Claim, delivery: UUID, state: str) -> Write:
    now = datetime.now(UTC)
    error = '{"code": "refused", "type": "DataError", "message": "ada@example.com"}'
    row = RunRow(
        1, state, None, None, "delivery", "hook", now, now, 1, 0, 1, error, name="Ada"
    )  # fmt: skip
    segment = SegmentRow(0, b"sealed", b"")
    return Write(claim, delivery, claim.retention, segments=(segment,), row=row, done=True)


def left(url: str, run: UUID) -> tuple[int, int, bool]:
    """Its segments, its blobs, whether its name is there."""
    query = (
        "select (select count(*) from segments where run_id = r.id),"
        " (select count(*) from blobs where owner = r.id), name is not null"
        " from runs r where id = %(run)s"
    )
    ((segments, blobs, named),) = execute(url, query, {"run": run})
    return segments, blobs, named


@asynchronous
async def test_it_is_wiped_with_the_write_that_ends_it_and_no_other_is(database_url: str) -> None:
    async with parts(database_url) as (inbox, backlog, ledger):
        secret, plain = (kit.plant(database_url, "{}") for _ in range(2))
        with psycopg.connect(database_url, autocommit=True) as db:
            db.execute("update scenarios set confidential = true where id = %s", (secret,))
        given = [new(kit.ORGANIZATION, each, f"k:{n}") for each in (secret, plain) for n in "abc"]
        await inbox.accept(given)
        for delivery in given:
            execute(
                database_url,
                "insert into blobs (organization_id, owner, id, size)"
                " values (%(o)s, %(run)s, %(id)s, 1)",
                {"o": kit.ORGANIZATION, "run": delivery.id, "id": bytes(16)},
            )
        claims = {(each.scenario_id, each.order_key): each for each in await backlog.claim(64, 64)}
        states = {"k:a": "finished", "k:b": "incomplete", "k:c": "discarded"}
        writes = [
            ends(claims[each.scenario_id, each.order_key], each.id, states[each.order_key])
            for each in given
        ]
        lost = replace(writes[2], claim=replace(writes[2].claim, fence=1))
        ours = await ledger.commit([*writes[:2], lost, *writes[3:]])
        assert ours == [True, True, False, True, True, True]
        nothing, everything = (0, 0, False), (1, 1, True)
        assert left(database_url, given[0].id) == nothing
        assert left(database_url, given[1].id) == everything  # it may be resumed
        for each in given[3:]:
            assert left(database_url, each.id) == everything
        assert await ledger.commit([writes[2]]) == [True]
        assert left(database_url, given[2].id) == nothing
        # Again, after a lost connection; and nothing of what was said is left.
        assert await ledger.commit(writes[:1]) == [True]
        assert left(database_url, given[0].id) == nothing
        ((error, wiped),) = execute(
            database_url,
            "select error, wiped_at is not null from runs where id = %(id)s",
            {"id": given[0].id},
        )
        assert (error["code"], wiped) == ("refused", True)
        assert "@" not in str(error)


@asynchronous
async def test_what_it_asked_and_was_answered_goes_too_and_who_it_was_about(
    database_url: str,
) -> None:
    async with parts(database_url) as (inbox, backlog, ledger):
        scenario = kit.plant(database_url, "{}")
        execute(
            database_url,
            "update scenarios set confidential = true where id = %(id)s",
            {"id": scenario},
        )
        caller = "k:+12025550142"
        delivery, reply = (new(kit.ORGANIZATION, scenario, each) for each in (caller, "k:other"))
        await inbox.accept([delivery, reply])
        for number, answered_by in enumerate((None, kit.new_id(), reply.id)):
            execute(
                database_url,
                "insert into waits (organization_id, id, run_id, scenario_id, module, kind, sealed,"
                " until, answer, answered_at, delivery_id, closed_at)"
                " values (%(o)s, %(id)s, %(run)s, %(s)s, %(n)s, 'delivery', 'who', now(), 'answer',"
                " now(), %(by)s, now())",
                {
                    "o": kit.ORGANIZATION, "id": kit.new_id(), "run": delivery.id, "s": scenario,
                    "n": number, "by": answered_by,
                },
            )  # fmt: skip
        claim = next(each for each in await backlog.claim(64, 64) if each.order_key == caller)
        assert await ledger.commit([ends(claim, delivery.id, "finished")]) == [True]
        # Only what says to whom a delivery was given, as long as that is there.
        waits = "select delivery_id, answer from waits where run_id = %(id)s"
        assert execute(database_url, waits, {"id": delivery.id}) == [(reply.id, None)]
        keys = "select order_key from runs where id = %(id)s"
        assert execute(database_url, keys, {"id": delivery.id}) == [("",)]


@asynchronous
async def test_which_scenarios_are_is_asked_now_and_then() -> None:
    now = [0.0]
    asked: list[str] = []
    known: list[tuple[Any, ...]] = []

    async def fetch(name: str, _parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        asked.append(name)
        return known

    claim = Claim(UUID(int=1), UUID(int=2), "", 1, 1, 1, "full", "standard")
    given = [ends(claim, UUID(int=3), "finished")]
    it = Confidential(fetch, clock=lambda: now[0])
    for _ in range(100):
        assert await it.ending(given) == []
    assert asked == ["confidential_scenarios"]
    known.append((UUID(int=1), UUID(int=2)))
    now[0] = KNOWN
    assert await it.ending(given) == given
    assert len(asked) == 2
