"""Runs of a million bundles and gigabytes of bodies, and the journal cut at every point."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from torture.account import conclude
from torture.attendant import Operator
from torture.load import Load
from torture.outcome import Failed, Options, Outcome
from torture.rig import ROOT, Process, Rig, until
from torture.rows import row
from torture.rows.doors import Caller
from torture.rows.kills import background
from torture.scenarios import flow, plant, two_effects

MOST_RSS = 300.0
"""Megabytes that any of our processes may hold."""

EACH = 1_000
"""Bundles of the inner repeater for each of the outer: one gives at most 10,000, as in Make."""

BUNDLES: tuple[dict[str, Any], ...] = (
    {
        "id": 4, "module": "builtin:BasicRepeater", "version": 1, "parameters": {},
        "mapper": {"start": "0", "repeats": "{{1.times}}", "step": "{{1.each}}"},
    },
    {
        "id": 5, "module": "builtin:BasicRepeater", "version": 1, "parameters": {},
        "mapper": {"start": "{{4.i + 1}}", "repeats": "{{1.each}}", "step": "1"},
    },
    {
        "id": 6, "module": "util:SetVariables", "version": 1, "parameters": {},
        "mapper": {
            "scope": "roundtrip",
            "variables": [
                {"name": "label", "value": "item {{5.i}}"},
                {"name": "twice", "value": "{{5.i * 2 + 1}}"},
            ],
        },
    },
    {
        "id": 7, "module": "util:FunctionAggregator2", "version": 1,
        "parameters": {"feeder": 4, "fn": "count"}, "mapper": {"value": "{{6.twice}}"},
    },
)  # fmt: skip


@row("size")
async def size(options: Options) -> Outcome:
    """A run of a million bundles, then 5 GB of bodies: no process of ours above 300 MB.

    Bodies are a megabyte each, kept while the database is, so that the disk must hold them.
    """
    begun = time.monotonic()
    bundles = int(options.pick(10_000, 100_000, 1_000_000) * options.scale)
    each = max(1, min(EACH, bundles))
    times = bundles // each
    bundles = times * each
    megabytes = int(options.pick(30, 300, 5_000) * options.scale)
    outcome = Outcome()
    async with Rig.up(options, servers=1, workers=1) as rig, AsyncExitStack() as stack:
        load = await stack.enter_async_context(Load(rig, []))
        peak: dict[str, float] = {}

        async def watch() -> None:
            while True:
                for process in (*rig.servers, *rig.workers):
                    peak[process.name] = max(peak.get(process.name, 0.0), process.rss())
                await asyncio.sleep(0.1)

        await background(stack, watch())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        caller = Caller(session, rig.servers[0].port)
        many = plant(rig, flow(*BUNDLES))
        event = load.make(many)
        body = json.dumps({"n": event.number, "times": times, "each": each}).encode()
        if await caller.post(many.path, body, idempotency_key=event.key or "") == 200:
            event.acknowledged = time.monotonic()
        took = await until(
            lambda: rig.value("select count(*) from runs where state <> 'running'") == 1,
            "the long run", seconds=300 + bundles / 1000,
        )  # fmt: skip
        state = rig.value("select state::text from runs")
        done = rig.value("select operations from runs")
        # once: the hook, the name, the outer repeater, the count of all; `times`: the inner one
        due = 4 + times + bundles
        outcome.expect(state == "finished", f"the run of {bundles} bundles is {state}")
        outcome.expect(done == due, f"{done} operations, not {due}, for {bundles} bundles")
        after_bundles = dict(peak)
        load.padding = "x" * 1_000_000
        large = plant(rig, flow())
        sent = time.monotonic()
        for _ in range(0, megabytes, 16):
            await load.some(min(16, megabytes), large)
        await conclude(rig, load, outcome, seconds=120 + megabytes / 5)
        speed = megabytes / (time.monotonic() - sent)
        highest = max(peak.values())
        outcome.expect(highest <= MOST_RSS, f"{highest:.0f} MB held: {peak}")
        outcome.expect(outcome.ends["finished"] == len(load.events), "everything is finished")
        outcome.notes.append(
            f"{bundles} bundles in {took:.1f} s, worker {after_bundles['worker0']:.0f} MB;"
            f" {megabytes} MB of bodies at {speed:.0f} MB/s, server {peak['server0']:.0f} MB,"
            f" worker {peak['worker0']:.0f} MB"
        )
    outcome.seconds = time.monotonic() - begun
    return outcome


@row("points")
async def points(options: Options) -> Outcome:
    """A worker killed at each named point of claim, intent, send, result and commit, over and over.

    The next victim is the last one's heir, so work is interrupted at one point after another. The
    points are those of `tests/durability/victim.py`, which kills its own process there.
    """
    from tests.durability.victim import POINTS

    begun = time.monotonic()
    draw = options.draw("points")
    turns = int(options.pick(1, 1, 5))
    outcome = Outcome()
    async with Rig.up(options, servers=1, workers=0, prepare=_test_key) as rig:
        assert rig.sink is not None
        async with Load(rig, [two_effects(rig) for _ in range(4)]) as load:
            deaths = 0
            for turn in range(turns):
                for point in draw.sample(POINTS, len(POINTS)):
                    victim = _victim(rig, point, draw.randint(1, 3 + turn))
                    victim.start()
                    try:
                        await _until_dead(load, victim)
                    except Failed:
                        victim.kill()
                        outcome.broken.append(f"{point} was never reached")
                    deaths += 1
            heir = _victim(rig, "", 1)
            heir.start()
            operator = Operator(rig)
            await conclude(rig, load, outcome, operator=operator, seconds=120)
            heir.kill()
            outcome.notes.append(f"{deaths} deaths, at {len(POINTS)} points")
    outcome.seconds = time.monotonic() - begun
    return outcome


def _test_key(rig: Rig) -> None:
    """The master key that victims have."""
    file = rig.folder / "master.key"
    file.write_text("test:" + base64.b64encode(bytes(32)).decode() + "\n")
    file.chmod(0o600)


def _victim(rig: Rig, point: str, nth: int) -> Process:
    assert rig.sink is not None
    file = ROOT / "tests" / "durability" / "victim.py"
    command = [
        sys.executable, str(file), rig.url, point, str(nth), f"127.0.0.1:{rig.sink.port}",
        "1.0", "0",
    ]  # fmt: skip
    return Process("victim", command, rig.env, rig.folder / "victim.log")


async def _until_dead(load: Load, victim: Process, *, seconds: float = 40.0) -> None:
    """Sends a few events at a time until the victim has met its point."""
    end = time.monotonic() + seconds
    assert victim.child is not None
    while time.monotonic() < end:
        await load.some(4)
        try:
            await asyncio.to_thread(victim.child.wait, 1.5)
        except subprocess.TimeoutExpired:
            continue
        return
    raise Failed("it lives")
