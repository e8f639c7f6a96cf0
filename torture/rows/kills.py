"""Processes killed with SIGKILL while events come in."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

from torture.account import conclude, in_order, latencies
from torture.attendant import Operator
from torture.load import Load
from torture.outcome import Options, Outcome
from torture.rig import Process, Rig
from torture.rows import row
from torture.scenarios import mixed
from torture.takeover import Takeovers

__all__ = [
    "BESIDE_OTHERS",
    "TAKEOVER",
    "background",
    "hurt",
    "judge",
    "note_speed",
    "pound",
    "shown",
]

WEIGHTS = {"worker": 14, "server": 5, "postgres": 1}
TAKEOVER = 15.0
"""Seconds within which a dead worker's work must be taken over."""
BESIDE_OTHERS = 60.0
"""As long in the short form, whose machine works for other tests, too."""


async def background(stack: AsyncExitStack, *works: Coroutine[Any, Any, None]) -> None:
    """Tasks that are cancelled at the end of the block."""
    tasks = [asyncio.get_running_loop().create_task(work) for work in works]

    async def end() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    stack.push_async_callback(end)


async def hurt(rig: Rig, kind: str, draw: random.Random, takeovers: Takeovers) -> None:
    """Kills one of a kind and starts it again a moment later."""
    if kind == "postgres":
        rig.kill_postgres()
        await asyncio.sleep(draw.random() * 0.5)
        await rig.start_postgres()
        return
    victim: Process = draw.choice(rig.workers if kind == "worker" else rig.servers)
    victim.resting = True
    victim.kill()
    if kind == "worker":
        takeovers.died(victim)
    await asyncio.sleep(draw.random() * 0.5)
    victim.start()
    victim.resting = False


def note_speed(rig: Rig, load: Load, outcome: Outcome) -> None:
    """Latencies, answers and lateness, beside the table."""
    spent = latencies(rig, load)
    if spent:
        middle, late = spent[len(spent) // 2], spent[int(len(spent) * 0.99)]
        outcome.notes.append(
            f"event to first effect: p50 {middle * 1000:.0f} ms, p99 {late:.1f} s,"
            f" longest {spent[-1]:.1f} s"
        )
    said = ", ".join(
        f"{status or 'none'} ×{count}" for status, count in sorted(load.answers().items())
    )
    outcome.notes.append(f"answers: {said}; the sender was late by {load.late:.1f} s at most")


async def pound(
    rig: Rig, load: Load, takeovers: Takeovers, draw: random.Random, options: Options,
    *, kills: int, every: float,
) -> Counter[str]:  # fmt: skip
    """So many kills, one every so many seconds on average; how many of each kind. What a slow
    restart of Postgres holds up is not made good by kills in quick succession.
    """
    kinds = draw.choices(list(WEIGHTS), list(WEIGHTS.values()), k=kills)
    if kills < 20:  # a few: one of each at least
        kinds[:3] = list(WEIGHTS)
    due = time.monotonic()
    for number, kind in enumerate(kinds, start=1):
        due = max(due, time.monotonic() - every) + draw.uniform(0.5, 1.5) * every
        await asyncio.sleep(max(0.1, due - time.monotonic()))
        await hurt(rig, kind, draw, takeovers)
        if number % 25 == 0:
            options.say(f"{number} kills, {len(load.acknowledged)} acknowledged")
    return Counter(kinds)


@row("kill", short=True, alone=True)
async def kill(options: Options) -> Outcome:
    """Workers, servers and Postgres killed at random moments under load: nothing lost or repeated.

    Every fifth scenario is sequential and every fifth in order by caller; that order is checked at
    the vendor. Uncertain runs are settled by what the vendor did and parked ones resumed, and then
    every event must be finished, each of its effects there exactly once.
    """
    begun = time.monotonic()
    draw = options.draw("kill")
    kills = options.kills or int(options.pick(4, 60, 60))
    rate = options.rate or options.pick(30, 60, 100)
    outcome = Outcome()
    async with (
        Rig.up(options, workers=int(options.pick(2, 3, 3))) as rig,
        AsyncExitStack() as stack,
    ):
        load = await stack.enter_async_context(Load(rig, mixed(rig, 20)))
        takeovers, operator = Takeovers(rig, options.say), Operator(rig)
        sending = asyncio.create_task(load.run(rate))
        await background(stack, takeovers.watch(), operator.work(), rig.keep())
        done = await pound(
            rig, load, takeovers, draw, options, kills=kills, every=options.pick(1.2, 2.0, 2.0)
        )
        load.stop()
        await sending
        await conclude(rig, load, outcome, operator=operator, seconds=180)
        judge(rig, load, takeovers, outcome)
        outcome.notes.append(f"{kills} kills ({shown(done)}) at {rate:g} events/s")
    outcome.seconds = time.monotonic() - begun
    return outcome


def shown(counts: Counter[str]) -> str:
    """Each with how often it was."""
    return ", ".join(f"{what} ×{count}" for what, count in sorted(counts.items()))


def judge(rig: Rig, load: Load, takeovers: Takeovers | None, outcome: Outcome) -> None:
    """Takeover and order, and the figures beside the table."""
    if takeovers is not None:
        outcome.takeover = takeovers.longest
        most = rig.options.pick(BESIDE_OTHERS, TAKEOVER, TAKEOVER)
        outcome.expect((takeovers.longest or 0) <= most, f"takeover within {most:g} s")
    wrong = in_order(rig, load)
    outcome.expect(not wrong, f"order: {len(wrong)} out of order, such as {wrong[:3]}")
    note_speed(rig, load, outcome)
