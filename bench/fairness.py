"""Noisy neighbours: how soon a small tenant's deliveries start beside one that has a mountain to do.

    python bench/fairness.py [100000] [1000000]

The mountain is put into the inbox by SQL, in four forms: one scenario's single queue, one scenario
with an order key for each delivery, forty scenarios, and one scenario that is paused. The small
tenant calls its hook over HTTP all the while. In the last column, the small scenario and the
mountain are of the same organisation. Figures are the small one's start latency (see latency.py).
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any
from uuid import UUID

import kit
from latency import send, starts

from junctor.runtime.envelope import pack_manual

BIG = UUID(int=77)
RATE, SECONDS = 20, 8


def tenant(st: kit.Stack, organization: UUID) -> None:
    """An organisation, if it isn't there."""
    with st.connect() as db:
        db.execute(
            "insert into organizations (organization_id, name, created_by)"
            " values (%s, 'big', 'bench') on conflict do nothing",
            (organization,),
        )
        db.execute(
            "insert into teams (organization_id, id, name, created_by)"
            " values (%s, %s, 'big', 'bench') on conflict do nothing",
            (organization, st.team),
        )


def mountain(st: kit.Stack, organization: UUID, count: int, form: str) -> list[UUID]:
    """So many deliveries that wait; of scenarios that are paused until `release`."""
    own, st.organization = st.organization, organization
    try:
        flow = [kit.SET_THREE, kit.FILTERED_JSON]
        made = [each for each, _ in st.scenarios(40 if form == "scenarios" else 1, flow)]
    finally:
        st.organization = own
    payload = pack_manual([{"state": "x", "agent": {"name": "J"}}], version=0, actor="bench")
    key = "'k:' || g" if form == "keys" else "''"
    with st.connect() as db:
        db.execute("update scenarios set paused_at = now() where id = any(%s)", (made,))
        db.execute(
            "insert into inbox (organization_id, id, scenario_id, order_key, payload)"
            " select %(o)s, (lpad(to_hex((extract(epoch from now()) * 1000)::bigint), 12, '0')"
            "   || '7' || lpad(to_hex(g %% 4096), 3, '0') || '8' || lpad(to_hex(g), 15, '0'))::uuid,"
            f"   (%(s)s::uuid[])[1 + g %% %(n)s::int], {key}, %(p)s"
            " from generate_series(1, %(c)s::int) g",
            {"o": organization, "s": made, "n": len(made), "p": payload, "c": count},
        )
        db.execute(
            "insert into backlog (organization_id, scenario_id, order_key)"
            " select distinct organization_id, scenario_id, order_key from inbox"
            " where scenario_id = any(%s)",
            (made,),
        )
        db.execute("analyze inbox")
        db.execute("analyze backlog")
    return made


def level(st: kit.Stack, made: list[UUID]) -> None:
    """Takes a mountain away."""
    with st.connect() as db:
        db.execute("update scenarios set active = false where id = any(%s)", (made,))
    kit.wait_for(
        lambda: (
            st.value(
                "select count(*) from backlog where scenario_id = any(%s)"
                " and lease_until > clock_timestamp()",
                made,
            )
            == 0
        ),
        "the end of the mountain's runs",
    )
    with st.connect() as db:
        db.execute("delete from inbox where scenario_id = any(%s)", (made,))
        db.execute("delete from backlog where scenario_id = any(%s)", (made,))
        db.execute("truncate runs, segments")
        db.execute("vacuum inbox, backlog")


def p95(st: kit.Stack, scenario: UUID, path: str) -> tuple[float, float]:
    """The small tenant's start latency while it calls its hook: p50 and p95, in milliseconds."""
    url = f"http://127.0.0.1:{st.port}"
    asyncio.run(send(url, [path], rate=RATE, seconds=1))
    st.value("select 1")
    with st.connect() as db:
        db.execute("delete from runs where scenario_id = %s", (scenario,))
    count = asyncio.run(send(url, [path], rate=RATE, seconds=SECONDS))
    done = "select count(*) from runs where scenario_id = %s and state = 'finished'"
    kit.wait_for(lambda: st.value(done, scenario) >= count, "the small tenant's runs", seconds=120)
    found = starts(st, "where scenario_id = %s", (scenario,))
    return kit.quantile(found, 0.5), kit.quantile(found, 0.95)


def main(counts: list[int]) -> None:
    with kit.stack() as st:
        tenant(st, BIG)
        st.start("server")
        st.start("worker")
        scenario, path = st.scenario([kit.SET_THREE, kit.FILTERED_JSON], signed=True)
        for count in counts:
            for form in os.environ.get("FORMS", "one keys scenarios paused").split():
                for name, organization in (("other", BIG), ("same", st.organization)):
                    measure(st, scenario, path, count, form, name, organization)


def measure(
    st: kit.Stack,
    scenario: UUID,
    path: str,
    count: int,
    form: str,
    name: str,
    organization: UUID,
) -> None:
    """One row: alone, beside the mountain, alone again."""
    before = p95(st, scenario, path)
    made = mountain(st, organization, count, form)
    if form != "paused":
        with st.connect() as db:
            db.execute("update scenarios set paused_at = null where id = any(%s)", (made,))
            db.execute("notify junctor_wake")
    left = "select count(*) from inbox where scenario_id = any(%s)"
    first, at = st.value(left, made), time.perf_counter()
    beside = p95(st, scenario, path)
    rest: Any = st.value(left, made)
    rate = (first - rest) / (time.perf_counter() - at)
    level(st, made)
    after = p95(st, scenario, path)
    alone = (before[1] + after[1]) / 2
    kit.row(
        f"{count:,} {form}, {name} organisation: p95 {alone:.0f} → {beside[1]:.0f} ms"
        f" (p50 {before[0]:.0f} → {beside[0]:.0f})",
        f"x {beside[1] / alone:.1f}",
        f"≤ 2; {rest:,} still wait, {rate:,.0f}/s",
        beside[1] / alone <= 2,
    )


if __name__ == "__main__":
    main([int(each) for each in sys.argv[1:]] or [100_000])
