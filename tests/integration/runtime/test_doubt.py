"""The door in doubt: lost acknowledgements, deliveries that can't be stored, repeated callers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from junctor.adapters.postgres.hot import Line, PostgresInbox
from junctor.language.connector import Delivery, HookDef
from junctor.ports.backlog import Claim
from junctor.ports.inbox import Answered, NewDelivery
from junctor.runtime.hooks import Hook, plain_key
from junctor.runtime.ingest import Ingest
from junctor.runtime.notices import Notices, _End, _Said
from tests.durability.kit import ORGANIZATION, plant
from tests.integration.runtime.door import SET, WEBHOOK, flow
from tests.support import asynchronous, run

HOOKED = flow(WEBHOOK, SET)
NOTHING: Any = None


def delivery(scenario: UUID, order_key: str = "", key: str | None = None) -> NewDelivery:
    hook = uuid4() if key is not None else None
    return NewDelivery(ORGANIZATION, uuid4(), scenario, order_key, hook, b"x", key, None)


class Forgetful(Line):
    """Loses its connection after the first commit, before anyone hears of it."""

    meanwhile: Callable[[], None]
    heard = 0
    """So many statements before it are answered."""
    lost = False

    async def run(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        async def once(connection: Any) -> Any:
            out = await work(connection)
            self.heard -= 1
            if not self.lost and self.heard < 0:
                self.lost = True
                self.meanwhile()
                raise psycopg.OperationalError("server closed the connection unexpectedly")
            return out

        return await super().run(once)


@pytest.mark.parametrize("key", [None, "event-1"])
def test_what_was_done_while_the_acknowledgement_was_lost_does_not_come_back(
    key: str | None, database_url: str
) -> None:
    given = [delivery(plant(database_url, HOOKED), key=key) for _ in range(2)]

    def work_off_the_first() -> None:
        with psycopg.connect(database_url, autocommit=True) as db:
            db.execute("set role junctor_engine")
            db.execute("delete from inbox where id = %s", (given[0].id,))
            db.execute(
                "insert into runs (organization_id, id, retention, scenario_id, version, state,"
                " actor, started_at) values (%s, %s, 'standard', %s, 1, 'finished', 'hook', now())",
                (ORGANIZATION, given[0].id, given[0].scenario_id),
            )

    async def check() -> None:
        line = Forgetful(database_url, patience=5)
        line.meanwhile = work_off_the_first
        assert await PostgresInbox(line).accept(given) == {}
        await line.close()

    run(check())
    with psycopg.connect(database_url) as db:
        left = db.execute(
            "select id from inbox where id = any(%s)", ([each.id for each in given],)
        ).fetchall()
    assert left == [(given[1].id,)]


def test_a_notice_whose_acknowledgement_was_lost_is_written_once(database_url: str) -> None:
    plant(database_url, HOOKED)

    async def check() -> None:
        line = Forgetful(database_url, patience=5)
        line.meanwhile = lambda: None
        await Notices(line).add("spool_damaged", ORGANIZATION, subject="lost")
        await line.close()

    run(check())
    with psycopg.connect(database_url) as db:
        told = db.execute("select count(*) from notices where subject = 'lost'").fetchall()
    assert told == [(1,)]


class Refused(Line):
    """Loses its connection before the first commit."""

    lost = False

    async def run(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        async def once(connection: Any) -> Any:
            if self.lost:
                return await work(connection)
            async with connection.transaction():
                await work(connection)
                self.lost = True
                raise psycopg.OperationalError("server closed the connection unexpectedly")

        return await super().run(once)


@pytest.mark.parametrize("line", [Forgetful, Refused])
def test_a_failure_is_counted_once_whether_or_not_its_lost_commit_was_made(
    line: type[Line], database_url: str
) -> None:
    scenario = plant(database_url, HOOKED)
    claim = Claim(ORGANIZATION, scenario, "", 1, 1, 1, "full", "standard")
    end = _End(claim, uuid4(), True, _Said("data", "DataError"), "incomplete", None)
    with psycopg.connect(database_url) as db:  # one more is the third, which is told
        db.execute("update scenarios set errors_in_row = 2 where id = %s", (scenario,))

    async def check() -> None:
        losing = line(database_url, patience=5)
        losing.meanwhile = lambda: None  # type: ignore[attr-defined]  # of one of them
        await Notices(losing)._written([end])
        await losing.close()

    run(check())
    with psycopg.connect(database_url) as db:
        counted = db.execute("select errors_in_row from scenarios where id = %s", (scenario,))
        assert counted.fetchall() == [(3,)]
        told = db.execute("select kind from notices where scenario_id = %s", (scenario,))
        assert told.fetchall() == [("errors_repeated",)]
    assert claim.errors == 3


def test_a_delivery_that_cannot_be_stored_does_not_take_its_batch_along(database_url: str) -> None:
    scenario = plant(database_url, HOOKED)
    good = [delivery(scenario) for _ in range(5)]
    bad = [delivery(scenario, order_key="a\0"), delivery(scenario, order_key="\ud800")]
    long = delivery(scenario, order_key="".join(map(str, range(5000))))
    batch = [*good[:2], bad[0], *good[2:4], bad[1], long, good[4]]

    async def check() -> None:
        ingest = Ingest(
            database_url, server="s", find=NOTHING, vault=NOTHING, patience=float("inf")
        )
        await ingest.start()
        stored = await asyncio.gather(
            *(ingest._accept(each) for each in batch), return_exceptions=True
        )
        await ingest.stop()
        for each, outcome in zip(batch, stored, strict=True):
            assert isinstance(outcome, Exception) == (each in {*bad, long})

    run(check())


def test_a_key_that_cannot_be_kept_becomes_its_hash() -> None:
    assert plain_key("order-1") == "order-1"
    odd = [plain_key(key) for key in ("a\0", "\ud800", "x" * 300, "ü" * 150)]
    assert all(len(key) == 64 for key in odd)
    assert len(set(odd)) == 4


class Answers:
    """Has the answer to every delivery asked for, once it is given."""

    given: Answered | None = None

    async def answers(self, ids: Sequence[tuple[UUID, UUID]]) -> dict[UUID, Answered]:
        return {each: self.given for _, each in ids} if self.given is not None else {}

    async def unanswered(self, _organization: UUID, _delivery: UUID) -> bool:
        return False


def test_a_caller_and_those_who_sent_the_same_again_get_the_one_answer() -> None:
    async def check() -> None:
        ingest = Ingest("unused", server="s", find=NOTHING, vault=NOTHING, answer_seconds=120)
        accepted: list[UUID] = []

        async def accept(delivery: NewDelivery) -> UUID | None:
            accepted.append(delivery.id)
            return accepted[0] if len(accepted) > 1 else None

        answers = Answers()
        ingest._accept = accept  # type: ignore[method-assign]  # the first is new, others repeat it
        ingest._answers = answers  # type: ignore[assignment]  # no database here
        task = asyncio.create_task(ingest._deliver_answers())
        open_to_all = HookDef(verify=lambda _delivery, _secrets: None)
        hook = Hook(
            ORGANIZATION, uuid4(), uuid4(), NOTHING, open_to_all, {}, {}, True,
            Answered(200, (), b"Accepted"), None,
        )  # fmt: skip
        call = Delivery(
            id="", method="POST", query=(), headers={"idempotency-key": "k"}, body=b"",
            received_at=datetime.now(UTC),
        )  # fmt: skip
        callers = [asyncio.create_task(ingest._take(hook, call)) for _ in range(3)]
        while len(accepted) < 3:
            await asyncio.sleep(0)
        answers.given = Answered(201, (), b"made")
        assert [(await caller).status for caller in callers] == [201, 201, 201]
        assert ingest._waiters == {}
        task.cancel()

    run(check())


@asynchronous
async def test_a_door_closes_though_a_caller_comes_at_that_moment() -> None:
    """Who looks for answers is told of the caller, and to end; its server would wait for ever."""
    ingest = Ingest("unused", server="s", find=NOTHING, vault=NOTHING)
    ingest._answers = Answers()  # type: ignore[assignment]  # no database here
    ingest._waiters[uuid4()] = (ORGANIZATION, [])
    task = asyncio.create_task(ingest._deliver_answers())
    ingest._told.set()
    for _ in range(10):  # until it waits for the next
        await asyncio.sleep(0)
    ingest._told.set()
    await asyncio.sleep(0)
    task.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert task.cancelled()
