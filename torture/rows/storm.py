"""Everything at once: kills, sleepers, a bad network, a bad vendor and bad callers."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from collections import Counter
from contextlib import AsyncExitStack

import aiohttp

from torture.account import conclude
from torture.attendant import Operator
from torture.load import Load
from torture.outcome import Options, Outcome
from torture.proxy import Proxy
from torture.rig import Process, Rig
from torture.rows import row
from torture.rows.doors import NONSENSE, Caller
from torture.rows.kills import background, judge, pound, shown
from torture.scenarios import Hook, flow, mixed, plant
from torture.takeover import Takeovers

NEVER_SENT = 10**9
"""From here on numbers are those of forged events: an effect of one is a forgery that was taken."""
MOST_ASLEEP = 14.0
VENDOR_FAULTS = 2.0
"""Of the vendor, a second; but not for more than one of twenty calls."""
REFUSED = {0, 401, 429, 503}
"""What a forged delivery may be answered with, where servers are killed and the database goes."""


@row("storm", alone=True)
async def storm(options: Options) -> Outcome:
    """Kills, sleepers, a cut network, a bad vendor, copies and forgeries, all at the same time.

    As `kill`, and meanwhile workers and servers are stopped (SIGSTOP) for half a second to 14, one
    worker's network swallows, delays or cuts what it says to Postgres, the vendor hangs, drips,
    resets, acts late, answers garbage, 429, 500 and 503, and callers send copies of what they have
    sent before, forged and malformed ones. ``--faults`` says how often, ``--kills`` and ``--rate``
    how many. The account is as strict as that of `kill`.
    """
    begun = time.monotonic()
    kills = options.kills or int(options.pick(6, 60, 1000))
    rate = options.rate or options.pick(20, 40, 200)
    share = min(50, int(VENDOR_FAULTS * options.faults / (2 * rate) * 1000))
    outcome, done = Outcome(), Counter[str]()
    async with Rig.up(options, servers=3, workers=3) as rig, AsyncExitStack() as stack:
        relay = await stack.enter_async_context(Proxy.to(rig.url))
        rig.add_worker("faraway", JUNCTOR_DATABASE_URL=relay.url)
        await rig.ready()
        vendor = f"storm-{options.seed}-{share}" if share else "brief"
        hooks = mixed(rig, int(options.pick(10, 20, 100)), vendor, timeout=4, signed=True)
        load = await stack.enter_async_context(
            Load(rig, hooks, patience=5.0, most_waiting=int(rate * 10))
        )
        takeovers = Takeovers(rig, options.say)
        operator = Operator(rig, scenarios=[hook.scenario for hook in hooks])
        sending = asyncio.create_task(load.run(rate))
        await background(stack, takeovers.watch(), operator.work(), rig.keep())
        async with AsyncExitStack() as faults:
            if options.faults:
                session = await faults.enter_async_context(
                    aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5.0))
                )
                draws = [options.draw(f"storm {which}") for which in range(5)]
                pause = 1.0 / options.faults
                sick = plant(rig, flow())
                await background(
                    faults,
                    sleepers(rig, rig.workers, draws[0], 6 * pause, done),
                    sleepers(rig, rig.servers, draws[1], 8 * pause, done),
                    bad_network(rig, relay, draws[2], 8 * pause, done),
                    copies(load, draws[3], 0.3 * pause, done),
                    bad_callers(rig, session, hooks, sick, draws[4], 0.5 * pause, done, outcome),
                )
            done += await pound(
                rig, load, takeovers, options.draw("storm"), options,
                kills=kills, every=options.pick(1.5, 2.0, 1.4),
            )  # fmt: skip
        load.stop()
        options.say("the last events are on their way")
        await sending
        await conclude(rig, load, outcome, operator=operator, seconds=options.pick(180, 240, 600))
        judge(rig, load, takeovers, outcome)
        outcome.notes.insert(
            0,
            f"{kills} kills at {rate:g} events/s; {shown(done)}; the vendor did wrong by {share} of"
            f" 1,000 calls; {takeovers.taken} claims taken over, {takeovers.late} of"
            f" them after ten seconds; {operator.put_off} times nobody could say yet that a thing"
            f" was not done; {rig.revived} starts without a database",
        )
    outcome.seconds = time.monotonic() - begun
    return outcome


async def sleepers(
    rig: Rig, some: list[Process], draw: random.Random, pause: float, done: Counter[str]
) -> None:
    """One after another of these is stopped for a while, and goes on, unless it was killed."""
    what = "worker asleep" if some is rig.workers else "server asleep"
    while True:
        await asyncio.sleep(draw.uniform(0.5, 1.5) * pause)
        victim = draw.choice(some)
        end = time.monotonic() + draw.uniform(0.5, MOST_ASLEEP)
        if not victim.alive or victim.name in rig.absences.now:
            continue
        pid = victim.pid
        rig.absences.begin(victim.name)
        try:
            victim.signal(signal.SIGSTOP)
            done[what] += 1
            while time.monotonic() < end and victim.alive and victim.pid == pid:
                await asyncio.sleep(0.05)
        finally:
            if victim.pid == pid:
                victim.signal(signal.SIGCONT)
            rig.absences.end(victim.name)


async def bad_network(
    rig: Rig, relay: Proxy, draw: random.Random, pause: float, done: Counter[str]
) -> None:
    """The worker behind the relay is cut off for a while; then what it said arrives, or is gone."""
    try:
        while True:
            await asyncio.sleep(draw.uniform(0.5, 1.5) * pause)
            seconds, gone = draw.uniform(0.5, MOST_ASLEEP), draw.random() < 0.5
            while (
                "faraway" in rig.absences.now
            ):  # it sleeps: the one who stopped it says when it is back
                await asyncio.sleep(0.05)
            rig.absences.begin("faraway")
            relay.swallow()
            await asyncio.sleep(seconds)
            if gone:
                relay.break_off()
            relay.heal()
            rig.absences.end("faraway")
            done["network cut" if gone else "network late"] += 1
    finally:
        relay.heal()
        rig.absences.end("faraway")


async def copies(load: Load, draw: random.Random, pause: float, done: Counter[str]) -> None:
    """What was sent before is sent again, by some twice at once: copies, and out of order."""
    while True:
        await asyncio.sleep(draw.uniform(0.5, 1.5) * pause)
        last, far, times = len(load.events), draw.random(), draw.randint(1, 3)
        event = load.events.get(max(1, int(last - far**4 * last)))
        if event is None or event.key is None or event.acknowledged is None:
            continue
        await asyncio.gather(*(load.again(event) for _ in range(times)))
        done["copy"] += times


async def bad_callers(
    rig: Rig, session: aiohttp.ClientSession, hooks: list[Hook], sick: Hook, draw: random.Random,
    pause: float, done: Counter[str], outcome: Outcome,
) -> None:  # fmt: skip
    """Forged deliveries to hooks that want signatures, nonsense to one that does not."""
    signed = [hook for hook in hooks if hook.secret]
    number = NEVER_SENT
    while True:
        await asyncio.sleep(draw.uniform(0.5, 1.5) * pause)
        caller = Caller(session, draw.choice(rig.servers).port)
        if draw.random() < 0.5:
            what = draw.choice(list(NONSENSE))
            status = await caller.post(sick.path, NONSENSE[what])
            outcome.expect(status != 500, f"{what} was answered with 500")
            done["nonsense"] += 1
            continue
        number += 1
        hook = draw.choice(signed)
        mark = draw.choice(["", "sha256=", f"sha256={'0' * 64}", "x" * 64])
        body = json.dumps({"n": number, "key": ""}).encode()
        status = await caller.post(hook.path, body, **({"x_signature_256": mark} if mark else {}))
        outcome.expect(status in REFUSED, f"a forged delivery was answered with {status}")
        done["forgery"] += 1
