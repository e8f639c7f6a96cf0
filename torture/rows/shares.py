"""Many at once: neighbours, upgrades, and a token that a hundred want to renew."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import UUID

from junctor.app.handover import listen
from junctor.language.connector import Delivery
from junctor.runtime.envelope import pack_call
from torture.account import conclude, in_order, latencies
from torture.attendant import Operator
from torture.load import Load
from torture.outcome import Options, Outcome
from torture.rig import ORGANIZATION, ROOT, Rig, until
from torture.rows import row
from torture.rows.kills import note_speed
from torture.scenarios import Hook, flow, mixed, plant, post, two_effects

NEIGHBOUR = UUID(int=77)
QUICK = 0.1
"""Seconds: a p95 below this is not slow, whatever it was without the neighbour."""


@row("neighbour", alone=True)
async def neighbour(options: Options) -> Outcome:
    """An organisation with a million queued deliveries does not slow another's p95 beyond twice."""
    begun = time.monotonic()
    queued = int(options.pick(5_000, 30_000, 1_000_000) * options.scale)
    seconds = options.pick(5, 10, 60)
    rate = options.rate or options.pick(10, 10, 20)
    outcome = Outcome()
    async with Rig.up(options, servers=1, workers=2) as rig, AsyncExitStack() as stack:
        assert rig.sink is not None
        load = await stack.enter_async_context(Load(rig, [two_effects(rig, "ok")]))
        await load.some(20)
        await conclude(rig, load, Outcome(), seconds=30)
        await load.run(rate, seconds=seconds)
        calm = list(load.events)[20:]
        loud = plant(rig, flow(post(3, rig.sink.port, "ok", "x")), organization=NEIGHBOUR)
        await asyncio.to_thread(_queue, rig, loud, queued)
        await load.run(rate, seconds=seconds)
        left = rig.value("select count(*) from inbox where organization_id = %s", NEIGHBOUR)
        stormy = [number for number in load.events if number > calm[-1]]
        await conclude(rig, load, outcome, organization=ORGANIZATION)
        before, during = (latencies(rig, load, numbers) for numbers in (calm, stormy))
        quiet, storm = (some[int(len(some) * 0.95)] for some in (before, during))
        outcome.expect(storm <= max(2 * quiet, QUICK), f"p95 {quiet:.3f} s became {storm:.3f} s")
        outcome.expect(left > 0, "the neighbour's queue outlasted the measurement")
        outcome.notes.append(
            f"{queued} queued by the neighbour, {left} still at the end; p95 of the other"
            f" {quiet * 1000:.0f} ms before, {storm * 1000:.0f} ms beside it"
        )
    outcome.seconds = time.monotonic() - begun
    return outcome


def _queue(rig: Rig, hook: Hook, count: int) -> None:
    """So many deliveries, in one statement, as if they had been taken in."""
    call = Delivery(
        id="", method="POST", query=(), headers={"content-type": "application/json"},
        body=b'{"who": "loud"}', received_at=datetime.now(UTC),
    )  # fmt: skip
    with rig.db() as db, db.transaction():
        db.execute(
            "insert into inbox (organization_id, id, scenario_id, order_key, hook_id, payload)"
            " select %s, (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12,"
            " '0') || '7' || substr(md5(i::text || random()), 1, 19))::uuid, %s, '', %s, %s"
            " from generate_series(1, %s) i",
            (NEIGHBOUR, hook.scenario, hook.id, pack_call(call), count),
        )
        db.execute(
            "insert into backlog (organization_id, scenario_id, order_key) values (%s, %s, '')",
            (NEIGHBOUR, hook.scenario),
        )
        db.execute("notify junctor_wake")


@row("rolling")
async def rolling(options: Options) -> Outcome:
    """Servers and workers replaced one by one under load: no refused delivery, nothing uncertain.

    Servers share a listening socket that outlives them. Every old one ends by SIGTERM when its
    heir is ready; a worker ends its runs first.
    """
    begun = time.monotonic()
    rounds = int(options.pick(1, 2, 6))
    rate = options.rate or options.pick(20, 30, 100)
    outcome = Outcome()
    async with Rig.up(options, servers=0, workers=2) as rig, AsyncExitStack() as stack:
        sock = listen("127.0.0.1", 0)
        stack.callback(sock.close)
        for number in range(2):
            rig.add_sharing_server(f"server{number}", sock)
        await until(lambda: _servers(rig) == 2, "servers ready")
        load = await stack.enter_async_context(Load(rig, mixed(rig, 10)))
        sending = asyncio.create_task(load.run(rate))
        for turn in range(rounds):
            for old in list(rig.servers):
                await asyncio.sleep(1.0)
                there = _servers(rig)
                rig.add_sharing_server(f"{old.name.partition('.')[0]}.{turn}", sock)
                options.say(f"{old.name}: {there} servers")
                await until(lambda there=there: _servers(rig) > there, "the new server")  # type: ignore[misc]  # bound as it is now
                rig.servers.remove(old)
                outcome.expect(await old.end() == 0, f"{old.name} ended well")
            for worker in list(rig.workers):
                await asyncio.sleep(1.0)
                heir = rig.add_worker(f"{worker.name.partition('.')[0]}.{turn}")
                await rig.ready(heir)
                rig.workers.remove(worker)
                outcome.expect(await worker.end() == 0, f"{worker.name} ended well")
        load.stop()
        await sending
        await conclude(rig, load, outcome, operator=Operator(rig), seconds=60)
        said = load.answers()
        outcome.expect(set(said) == {200}, f"every delivery is taken at once, not {dict(said)}")
        outcome.expect(not outcome.ends["uncertain"], "an upgrade leaves nothing in doubt")
        wrong = in_order(rig, load)
        outcome.expect(not wrong, f"order: {len(wrong)} out of order, such as {wrong[:3]}")
        outcome.notes.append(f"{rounds} times 2 servers and 2 workers replaced")
        note_speed(rig, load, outcome)
    outcome.seconds = time.monotonic() - begun
    return outcome


def _servers(rig: Rig) -> int:
    return int(rig.value("select count(*) from nodes where role = 'server'"))


@row("token", alone=True)
async def token(options: Options) -> Outcome:
    """An OAuth token at its end, and a hundred worker processes that use it: one renewal.

    The vendor is the simulated HighLevel, whose refresh tokens can be used once; a second renewal
    would be refused, and cost the connection.
    """
    from tests.api.oauth_scene import opened

    begun = time.monotonic()
    processes = int(options.pick(3, 8, 100))
    outcome = Outcome()
    enough = {"max_connections": "900", "shared_buffers": "64MB"}
    async with (
        Rig.up(options, servers=0, workers=0, postgres=enough) as rig,
        opened(rig.url, rig.folder) as it,
    ):
        await it.authorize()
        it.change("update connection_states set expires_at = now() where connection_id = %(id)s")
        arguments = (
            str(it.settings.data_dir), it.url, urlsplit(it.sim.base_url).netloc,
            str(it.organization_id), str(it.connection_id), f"/locations/{it.sim.location_id}",
        )  # fmt: skip
        pipe = asyncio.subprocess.PIPE
        users = [
                await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "tests.api.oauth_process", *arguments,
                    stdin=pipe, stdout=pipe, env=rig.env, cwd=ROOT,
                )
            for _ in range(processes)
        ]  # fmt: skip
        for user in users:
            assert user.stdout is not None
            line = await asyncio.wait_for(user.stdout.readline(), 300)
            assert line == b"ready\n", line
        said = await asyncio.gather(*(user.communicate(b"\n") for user in users))
        statuses = {line.decode().strip() for line, _ in said}
        renewals, refused = it.sim.renewals, it.sim.refused_renewals
        outcome.expect(statuses == {"200"}, f"every call is answered: {statuses}")
        outcome.expect(renewals == 1, f"one renewal, not {renewals}")
        outcome.expect(refused == 0, f"{refused} renewals refused")
        outcome.notes.append(f"{processes} processes, 10 calls each at once: {renewals} renewal")
    outcome.seconds = time.monotonic() - begun
    return outcome
