"""A mountain of work costs its owner time, and others next to nothing.

Counted are places and the database's pages, not seconds: `bench/fairness.py` measures those.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import psycopg
import pytest

from junctor.adapters.postgres.hot import _PLANS
from junctor.adapters.postgres.queries import load
from tests.durability import kit
from tests.integration.runtime.test_claims import execute, new, parts
from tests.support import run

BIG, SMALL = UUID(int=7), UUID(int=8)
HEIGHT = 20_000
MOST_PAGES = 1_500
"""Of 8 kB; reading all of the mountain's rows would be more than 20,000."""


def mountain(url: str, organization: UUID, *, keys: bool = True, active: bool = True) -> UUID:
    """A scenario for which so much waits: a line for each delivery, or one line."""
    scenario = kit.plant(url, "{}", organization)
    key = "'k:' || g" if keys else "''"
    execute(
        url,
        "insert into inbox (organization_id, id, scenario_id, order_key, payload)"
        " select %(o)s, ('019a0000-0000-7000-8000-' || lpad(to_hex(g), 12, '0'))::uuid, %(s)s,"
        f" {key}, 'x' from generate_series(1, %(n)s::int) g",  # our words
        {"o": organization, "s": scenario, "n": HEIGHT},
    )
    execute(
        url,
        "insert into backlog (organization_id, scenario_id, order_key)"
        " select distinct organization_id, scenario_id, order_key from inbox"
        " where scenario_id = %(s)s",
        {"s": scenario},
    )
    with psycopg.connect(url, autocommit=True) as db:  # what is known of the tables misleads most
        db.execute("analyze inbox, backlog")
    if not active:
        execute(url, "update scenarios set paused_at = now() where id = %(s)s", {"s": scenario})
    return scenario


def pages(url: str, name: str, parameters: dict[str, Any]) -> int:
    """How many pages a statement of the hot path looks at, planned as there."""
    with psycopg.connect(url) as db:
        db.execute("set role junctor_engine")
        db.execute(_PLANS)
        text = "explain (analyze, buffers, format json) " + load("hot")[name]
        row = db.execute(text, parameters).fetchone()
        db.rollback()
    assert row is not None
    plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
    top = plan[0]["Plan"]
    return int(top["Shared Hit Blocks"]) + int(top["Shared Read Blocks"])


CLAIM = {"limit": 64, "each": 64, "lease": 10, "owner": "me", "full": []}


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("owner", [BIG, SMALL])
def test_a_claim_gets_the_small_ones_and_reads_little(
    database_url: str, owner: UUID, active: bool
) -> None:
    async def check() -> None:
        async with parts(database_url) as (inbox, backlog, _):
            big = mountain(database_url, owner, active=active)
            small = kit.plant(database_url, "{}", SMALL)
            await inbox.accept([new(SMALL, small)])
            assert pages(database_url, "claim", CLAIM) < MOST_PAGES
            claims = await backlog.claim(64, 64)
            found = [claim.scenario_id for claim in claims]
            assert small in found
            assert found.count(big) == (32 if active else 0)
            await inbox.accept([new(SMALL, other := kit.plant(database_url, "{}", SMALL))])
            assert other in [claim.scenario_id for claim in await backlog.claim(64, 64)]

    run(check())


def test_what_is_taken_reads_little_of_a_long_line(database_url: str) -> None:
    async def check() -> None:
        async with parts(database_url) as (inbox, backlog, _):
            big = mountain(database_url, SMALL, keys=False)
            small = kit.plant(database_url, "{}", SMALL)
            await inbox.accept([new(SMALL, small)])
            claims = await backlog.claim(64, 64)
            assert {claim.scenario_id for claim in claims} == {big, small}
            given = {
                "organizations": [claim.organization_id for claim in claims],
                "scenarios": [claim.scenario_id for claim in claims],
                "order_keys": [claim.order_key for claim in claims],
                "fences": [claim.fence for claim in claims],
                "limits": [16 for _ in claims],
                "busy": [],
                "most": 1_000_000,
            }
            assert pages(database_url, "take", given) < 200

    run(check())


def test_a_scenario_that_is_full_is_left_alone(database_url: str) -> None:
    async def check() -> None:
        async with parts(database_url) as (inbox, backlog, _):
            first, second = (kit.plant(database_url, "{}", BIG) for _ in range(2))
            third = kit.plant(database_url, "{}", SMALL)
            await inbox.accept([new(BIG, first), new(BIG, second), new(SMALL, third)])
            claims = await backlog.claim(64, 64, [first, SMALL])
            assert [claim.scenario_id for claim in claims] == [second]
            later = await backlog.claim(64, 64)
            assert {claim.scenario_id for claim in later} == {first, third}

    run(check())
