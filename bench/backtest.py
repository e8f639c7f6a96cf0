"""A draft run over recorded runs: how long it takes, beside how long the runs took.

python bench/backtest.py [RUNS]
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import kit

from junctor.adapters.postgres.hot import Line, PostgresInbox
from junctor.adapters.system import system_ids
from junctor.app.core import open_core
from junctor.app.settings import Settings
from junctor.app.telling import Backtest, backtest
from junctor.language.connector import Delivery
from junctor.ports.inbox import NewDelivery
from junctor.runtime.envelope import pack_call

IDS = system_ids()
TARGET = 5.0
"""Seconds for 1,000 runs of five modules."""


def flow(url: str, line: str) -> list[dict[str, Any]]:
    """What follows the hook; the fifth module sums up what the fourth was answered."""
    last = {
        "id": 5,
        "module": "util:SetVariables",
        "version": 1,
        "parameters": {},
        "mapper": {
            "scope": "roundtrip",
            "variables": [
                {"name": "line", "value": line},
                {"name": "got", "value": "{{4.data.id}}"},
            ],
        },
    }
    return [kit.SET_THREE, kit.FILTERED_JSON, kit.http_module("post", url), last]


async def deliver(st: kit.Stack, scenario: UUID, count: int) -> None:
    """So many deliveries of the usual body, in groups as the door stores them."""
    line = Line(st.url, patience=5)
    inbox = PostgresInbox(line)
    try:
        for first in range(0, count, 200):
            await inbox.accept(
                [
                    NewDelivery(
                        st.organization, IDS.new(), scenario, "", None,
                        pack_call(
                            Delivery(
                                id="", method="POST", query=(),
                                headers={"content-type": "application/json"}, body=kit.BODY,
                                received_at=datetime.now(UTC),
                            )
                        ),
                        None, None,
                    )
                    for _ in range(first, min(first + 200, count))
                ]
            )  # fmt: skip
    finally:
        await line.close()


def draft(st: kit.Stack, scenario: UUID, modules: list[dict[str, Any]]) -> None:
    """Another version, made the draft."""
    with st.connect() as db:
        db.execute(
            "insert into scenario_versions (organization_id, scenario_id, version, blueprint, created_by)"
            " select organization_id, scenario_id, 2, jsonb_set(blueprint::jsonb, '{flow}',"
            " jsonb_build_array(blueprint::jsonb->'flow'->0) || %s::jsonb)::text, 'bench'"
            " from scenario_versions where scenario_id = %s",
            (json.dumps(modules), scenario),
        )
        db.execute("update scenarios set draft = 2 where id = %s", (scenario,))


async def told(st: kit.Stack, scenario: UUID, last: int) -> tuple[float, Backtest]:
    """Seconds of one backtest, and what it says."""
    settings = Settings(data_dir=st.directory, database_url=st.url)
    async with open_core(settings, st.url) as core:
        found = await core.catalog.scenario(st.organization, scenario)
        begun = time.perf_counter()
        made = await backtest(core, found, last=last)
        return time.perf_counter() - begun, made


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    print(
        f"\nBacktest of {count:,} runs: hook → 3 expressions → filter → JSON → POST → 2 expressions"
    )
    port = kit.free_port()
    with kit.stack() as st:
        st.allow.append(f"127.0.0.1:{port}")
        vendor = kit.Child(
            kit.PYTHON, str(kit.ROOT / "bench/dummy.py"), str(port),
            env=dict(os.environ), log=st.directory / "dummy.log",
        )  # fmt: skip
        st.children.append(vendor)
        url = f"http://127.0.0.1:{port}/"
        scenario, _ = st.scenario(flow(url, "{{2.line}}"))
        st.start("worker")
        begun = time.perf_counter()
        asyncio.run(deliver(st, scenario, count))
        st.wait_finished(count)
        recorded = time.perf_counter() - begun
        draft(st, scenario, flow(url, "{{lower(2.line)}}"))
        spent, made = min((asyncio.run(told(st, scenario, count)) for _ in range(3)), key=first)
        changed = {each.kind for run in made.changed for each in run.changes}
        if made.runs != count or len(made.changed) != count or changed != {"output"}:
            raise SystemExit(f"{made.runs} runs, {len(made.changed)} changed, by {changed}")
        kit.row("recording them, one worker", f"{recorded:.2f} s")
        limit = TARGET * count / 1_000
        kit.row("telling them again", f"{spent:.2f} s", f"≤ {limit:.1f} s", spent <= limit)
        kit.row("ratio to recording", f"{spent / recorded:.2f}")


def first(pair: tuple[float, Backtest]) -> float:
    return pair[0]


if __name__ == "__main__":
    main()
