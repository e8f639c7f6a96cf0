"""Schedules fired by several processes at once, which die and disagree about the time."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from uuid import UUID

from torture.attendant import Operator
from torture.outcome import Options, Outcome
from torture.rig import ORGANIZATION, Rig, until
from torture.rows import row
from torture.rows.kills import background
from torture.scenarios import plant, post

INTERVAL = 60
AHEAD = 6.0
"""Seconds from the planting to the first instant."""


@row("schedules")
async def schedules(options: Options) -> Outcome:
    """Every worker is a scheduler: each instant of each schedule fires once.

    Three of them, an hour ahead, an hour behind and right, of which the first two are killed around
    the first instant and started again. Each firing has an effect at the vendor.
    """
    begun = time.monotonic()
    draw = options.draw("schedules")
    count, instants = int(options.pick(10, 40, 400)), int(options.pick(1, 2, 5))
    outcome = Outcome(events=count * instants, acknowledged=count * instants)
    async with Rig.up(options, servers=0, workers=0) as rig, AsyncExitStack() as stack:
        assert rig.sink is not None
        for name, offset in (("ahead", 3600), ("behind", -3600), ("right", 0)):
            worker = rig.add_worker(name)
            worker.kill()
            worker.command = [
                sys.executable, "-m", "torture.shifted", str(offset), *worker.command[3:],
            ]  # fmt: skip
            worker.start()
        await rig.ready()
        await background(stack, Operator(rig, steps={3: "a"}).work())
        for number in range(1, count + 1):
            step = post(3, rig.sink.port, "brief", "a")
            step["mapper"]["data"] = json.dumps({"n": number})
            first = {
                "id": 2, "module": "scenario-service:NameExecution", "version": 1,
                "parameters": {}, "mapper": {"name": str(number)},
            }  # fmt: skip
            settings = {"instant": False, "version": 1, "scenario": {}}
            text = json.dumps({"name": "due", "flow": [first, step], "metadata": settings})
            _schedule(rig, plant(rig, text, steps=("a",)).scenario)
        with rig.db() as db:
            db.execute(
                "update schedules set next_at = now() + make_interval(secs => %s),"
                " anchor_at = now() + make_interval(secs => %s)",
                (AHEAD, AHEAD),
            )
        start = time.monotonic() + AHEAD
        for worker in rig.workers[:2]:
            await asyncio.sleep(max(0.0, start - time.monotonic() + draw.uniform(-0.5, 1.0)))
            worker.kill()
            worker.start()

        def fired() -> bool:
            effects = Counter(number for number, _, _ in rig.effects())
            return all(effects[number] >= instants for number in range(1, count + 1))

        await until(fired, "every instant", seconds=instants * INTERVAL + 60, pause=0.5)
        after = start + (instants - 1) * INTERVAL + 20 - time.monotonic()
        await asyncio.sleep(max(0.0, after))  # whoever would fire it again has had the time
        effects = Counter(number for number, _, _ in rig.effects())
        outcome.repeated = [number for number, n in effects.items() if n > instants]
        outcome.lost = [n for n in range(1, count + 1) if effects[n] < instants]
        with rig.db() as db:
            for state, n in db.execute("select state, count(*) from runs group by 1").fetchall():
                outcome.ends[state] = n
        outcome.notes.append(f"{count} schedules, {instants} instants each, three schedulers")
    outcome.seconds = time.monotonic() - begun
    return outcome


def _schedule(rig: Rig, scenario: UUID) -> None:
    """Every minute; nothing is planned yet."""
    with rig.db() as db:
        db.execute(
            "insert into schedules (organization_id, scenario_id, scheduling, updated_by)"
            " values (%s, %s, %s, 't')",
            (ORGANIZATION, scenario, json.dumps({"type": "indefinitely", "interval": INTERVAL})),
        )
