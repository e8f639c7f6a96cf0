"""Processes that are slow, asleep, cut off, or have the wrong time: the dead that come back."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

from torture.account import conclude, in_order
from torture.attendant import Operator
from torture.load import Load
from torture.outcome import Options, Outcome
from torture.proxy import Proxy
from torture.rig import Rig
from torture.rows import row
from torture.rows.kills import BESIDE_OTHERS, TAKEOVER, background, note_speed
from torture.scenarios import mixed
from torture.takeover import Takeovers

LEASE = 10.0
"""Of the product: seconds until a silent worker's claims are taken over."""

Marks = dict[tuple[str, Any], tuple[Any, ...]]


def marks(rig: Rig) -> Marks:
    """Who wrote each ended run and its journal last: ``xmin`` changes with every write."""
    with rig.db() as db:
        runs = db.execute(
            "select id, xmin::text, state from runs where state in"
            " ('finished', 'uncertain', 'discarded')"
        ).fetchall()
        pieces = db.execute(
            "select s.run_id, count(*), max(s.xmin::text::bigint) from segments s"
            " join runs r on r.organization_id = s.organization_id and r.id = s.run_id"
            " where r.state in ('finished', 'uncertain', 'discarded') group by 1"
        ).fetchall()
    return {("run", each[0]): tuple(each) for each in runs} | {
        ("journal", each[0]): tuple(each) for each in pieces
    }


def late_writes(before: Marks, after: Marks) -> list[str]:
    """What was written to runs that had ended."""
    return [f"{kind} {run}" for (kind, run), mark in before.items() if after[kind, run] != mark]


@row("sleep", short=True)
async def sleep(options: Options) -> Outcome:
    """Workers and servers stopped (SIGSTOP) beyond the lease and continued: late writes refused.

    A worker sleeps until its claims have other owners and the runs that it had begun have ended
    there. Then it wakes, with answers to requests in its sockets and commits half made. Nothing of
    what has ended may be written again. Nobody settles anything before all sleepers are awake.
    """
    begun = time.monotonic()
    draw = options.draw("sleep")
    rounds = int(options.pick(1, 3, 8))
    rate = options.rate or options.pick(20, 30, 50)
    outcome = Outcome()
    taken = 0
    async with (
        Rig.up(options, workers=int(options.pick(2, 3, 3))) as rig,
        AsyncExitStack() as stack,
    ):
        load = await stack.enter_async_context(Load(rig, mixed(rig, 10)))
        takeovers = Takeovers(rig, options.say)
        sending = asyncio.create_task(load.run(rate))
        await background(stack, takeovers.watch())
        for _ in range(rounds):
            await asyncio.sleep(draw.uniform(1.0, 2.0))
            worker, server = draw.choice(rig.workers), draw.choice(rig.servers)
            while True:  # a sleeper that owns nothing proves nothing
                worker.signal(signal.SIGSTOP)
                owned = await asyncio.to_thread(rig.owned, worker.owner)
                if owned:
                    break
                worker.signal(signal.SIGCONT)
                await asyncio.sleep(0.05)
            server.signal(signal.SIGSTOP)
            rig.absences.begin(worker.name)
            takeovers.died(worker)
            taken += len(owned)
            options.say(f"{worker.name} sleeps with {len(owned)} claims, and {server.name}")
            await asyncio.sleep(LEASE + draw.uniform(2.0, 4.0))
            before = await asyncio.to_thread(marks, rig)
            takeovers.back(worker)
            worker.signal(signal.SIGCONT)
            server.signal(signal.SIGCONT)
            rig.absences.end(worker.name)
            await asyncio.sleep(2.0)
            after = await asyncio.to_thread(marks, rig)
            late = late_writes(before, after)
            outcome.expect(not late, f"{len(late)} late writes, such as {late[:3]}")
        load.stop()
        await sending
        await conclude(rig, load, outcome, operator=Operator(rig), seconds=120)
        outcome.takeover = takeovers.longest
        most = options.pick(BESIDE_OTHERS, TAKEOVER, TAKEOVER)
        outcome.expect((takeovers.longest or 0) <= most, f"takeover within {most:g} s")
        wrong = in_order(rig, load)
        outcome.expect(not wrong, f"order: {len(wrong)} out of order, such as {wrong[:3]}")
        outcome.notes.append(f"{rounds} sleeps over {taken} claims, {len(before)} records watched")
        note_speed(rig, load, outcome)
    outcome.seconds = time.monotonic() - begun
    return outcome


@row("partition")
async def partition(options: Options) -> Outcome:
    """A worker cut off from Postgres while it reaches the vendor: its late writes are refused.

    Its connections go through a relay that swallows everything for longer than a lease, and then
    delivers what it had swallowed, late: commits and renewals of another time.
    """
    begun = time.monotonic()
    draw = options.draw("partition")
    rounds = int(options.pick(1, 2, 6))
    rate = options.rate or options.pick(20, 30, 50)
    outcome = Outcome()
    async with Rig.up(options, workers=1) as rig, AsyncExitStack() as stack:
        relay = await stack.enter_async_context(Proxy.to(rig.url))
        cut_off = rig.add_worker("faraway", JUNCTOR_DATABASE_URL=relay.url)
        await rig.ready()
        load = await stack.enter_async_context(Load(rig, mixed(rig, 10)))
        takeovers = Takeovers(rig, options.say)
        sending = asyncio.create_task(load.run(rate))
        await background(stack, takeovers.watch())
        for turn in range(rounds):
            await asyncio.sleep(draw.uniform(2.0, 4.0))
            await relay_holds_something(rig, relay, cut_off.owner)
            rig.absences.begin(cut_off.name)
            takeovers.died(cut_off)
            await asyncio.sleep(LEASE + draw.uniform(3.0, 5.0))
            before = await asyncio.to_thread(marks, rig)
            takeovers.back(cut_off)
            if turn % 2:
                relay.break_off()
            relay.heal()
            rig.absences.end(cut_off.name)
            await asyncio.sleep(3.0)
            late = late_writes(before, await asyncio.to_thread(marks, rig))
            outcome.expect(not late, f"{len(late)} late writes, such as {late[:3]}")
            outcome.expect(cut_off.alive, "the worker that was cut off lives")
        load.stop()
        await sending
        await conclude(rig, load, outcome, operator=Operator(rig), seconds=120)
        outcome.takeover = takeovers.longest
        outcome.expect((takeovers.longest or 0) <= TAKEOVER, f"takeover within {TAKEOVER:g} s")
        wrong = in_order(rig, load)
        outcome.expect(not wrong, f"order: {len(wrong)} out of order, such as {wrong[:3]}")
        outcome.notes.append(f"{rounds} partitions of {LEASE + 3:g} s and more")
        note_speed(rig, load, outcome)
    outcome.seconds = time.monotonic() - begun
    return outcome


async def relay_holds_something(rig: Rig, relay: Proxy, owner: str) -> None:
    """Cuts the relay at a moment when the worker behind it owns something."""
    while True:
        relay.swallow()
        if await asyncio.to_thread(rig.owned, owner):
            return
        relay.heal()
        await asyncio.sleep(0.05)


@row("clock")
async def clock(options: Options) -> Outcome:
    """Workers whose clocks are an hour ahead and an hour behind: leases and order do not care.

    Leases are the database's time. A worker is killed while the clocks disagree. (That schedules
    fire once when clocks are put forward and back is the business of their own tests.)
    """
    begun = time.monotonic()
    draw = options.draw("clock")
    rate = options.rate or options.pick(20, 30, 50)
    outcome = Outcome()
    async with Rig.up(options, workers=0) as rig, AsyncExitStack() as stack:
        for name, offset in (("ahead", 3600), ("behind", -3600), ("right", 0)):
            worker = rig.add_worker(name)
            worker.kill()
            worker.command = [
                sys.executable, "-m", "torture.shifted", str(offset), *worker.command[3:],
            ]  # fmt: skip
            worker.start()
        await rig.ready()
        load = await stack.enter_async_context(Load(rig, mixed(rig, 10)))
        takeovers, operator = Takeovers(rig, options.say), Operator(rig)
        sending = asyncio.create_task(load.run(rate))
        await background(stack, takeovers.watch(), operator.work())
        for worker in draw.sample(rig.workers, 2):
            await asyncio.sleep(draw.uniform(2.0, 4.0))
            worker.kill()
            takeovers.died(worker)
            worker.start()
        await asyncio.sleep(options.pick(2, 10, 40))
        load.stop()
        await sending
        await conclude(rig, load, outcome, operator=operator, seconds=120)
        outcome.takeover = takeovers.longest
        outcome.expect((takeovers.longest or 0) <= TAKEOVER, f"takeover within {TAKEOVER:g} s")
        wrong = in_order(rig, load)
        outcome.expect(not wrong, f"order: {len(wrong)} out of order, such as {wrong[:3]}")
        note_speed(rig, load, outcome)
    outcome.seconds = time.monotonic() - begun
    return outcome
