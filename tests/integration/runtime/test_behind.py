"""What stands behind a run in the database is found by where it stands."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from junctor.adapters.postgres.hot import Line
from junctor.adapters.postgres.waits import PostgresWaits, Stuck
from junctor.language.ids import milliseconds, uuid7
from junctor.runtime import behind
from junctor.runtime.behind import Behind
from tests.durability import kit
from tests.integration.runtime import waits_kit
from tests.integration.runtime.test_replies import block
from tests.support import asynchronous

OPEN = (
    "insert into waits (organization_id, id, run_id, scenario_id, module, kind, hook_id, sealed,"
    " since, until) values (%(organization)s, %(id)s, %(id)s, %(scenario)s, 2, 'delivery',"
    " %(hook)s, '', clock_timestamp(), clock_timestamp() + interval '1 hour')"
)


@asynchronous
async def test_what_came_since_the_question_is_found_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(behind, "MOST_STUCK", 4)
    waits_kit.cleared(database_url)
    others, hook = waits_kit.replies(database_url)
    elsewhere = waits_kit.hook_of(database_url, others, "another")
    run = kit.new_id()
    offered: list[UUID] = []

    async def offer(stuck: Stuck) -> bool:
        assert (stuck.hook_id, stuck.connector, stuck.kind) == (hook, "gateway", "CustomWebHook")
        assert b"from" in (stuck.payload or b"")
        offered.append(stuck.id)
        return True

    line = Line(database_url, patience=5)
    looking = Behind(PostgresWaits(line))
    # Long before the question: nobody reads it.
    await waits_kit.reply(database_url, others, hook, **{"from": "1"})
    await waits_kit.execute(
        database_url, "update inbox set id = uuid7_floor(now() - interval '1 h')"
    )
    early = await waits_kit.reply(database_url, others, hook, key="k:free", **{"from": "2"})
    await waits_kit.execute(
        database_url, OPEN, id=run, scenario=others, hook=hook, organization=kit.ORGANIZATION
    )
    assert await looking.look(offer) == 0, "nothing is stuck"
    await block(database_url, others, run)
    mine = [await waits_kit.reply(database_url, others, hook, **{"from": "3"}) for _ in range(6)]
    await waits_kit.reply(database_url, others, elsewhere, **{"from": "4"})
    mine.append(await waits_kit.reply(database_url, others, hook, **{"from": "5"}))
    for _ in range(4):
        await looking.look(offer)
    assert offered == mine
    assert early not in offered
    # What a server had spooled: its id is older than what was read, and its question older still.
    monkeypatch.setattr(behind, "LATE", timedelta())
    ago = "since = since - interval '10 min', opened_at = opened_at - interval '10 min'"
    await waits_kit.execute(database_url, f"update waits set {ago}")
    late = await waits_kit.reply(database_url, others, hook, **{"from": "6"})
    older = uuid7(milliseconds(late) - 60_000, bytes(10))
    await waits_kit.execute(
        database_url, "update inbox set id = %(older)s where id = %(id)s", older=older, id=late
    )
    for _ in range(3):
        await looking.look(offer)
    assert offered == [*mine, older]
    # Nobody waits any more.
    await waits_kit.execute(database_url, "update waits set answered_at = clock_timestamp()")
    await waits_kit.reply(database_url, others, hook, **{"from": "7"})
    assert await looking.look(offer) == 0
    await line.close()
