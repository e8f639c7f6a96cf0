"""How soon: from a delivery's arrival to its run's first operation, and back to the caller.

    python bench/latency.py [spread] [idle] [respond]

Start latency is a run's start less the millisecond in its delivery's id, which the server gave it
when the body was complete; so it counts storing, waking, claiming and taking.
"""

from __future__ import annotations

import asyncio
import sys
import time

import aiohttp
import kit


def starts(st: kit.Stack, where: str = "", parameters: tuple[object, ...] = ()) -> list[float]:
    """Start latencies of all runs, in milliseconds."""
    with st.connect() as db:
        rows = db.execute(
            "select extract(epoch from started_at) * 1000 -"
            f" ('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint from runs {where}",
            parameters,
        ).fetchall()
    return [max(0.0, float(row[0])) for row in rows]


async def send(url: str, paths: list[str], *, rate: float, seconds: float) -> int:
    """Events at a steady rate, round and round; returns how many were acknowledged."""
    accepted = 0
    headers = {"x-signature-256": kit.signature(), "content-type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:

        async def one(path: str) -> None:
            nonlocal accepted
            async with session.post(url + path, data=kit.BODY, headers=headers) as answer:
                accepted += answer.status == 200

        begun = time.perf_counter()
        tasks = []
        count = int(rate * seconds)
        for number in range(count):
            pause = begun + number / rate - time.perf_counter()
            if pause > 0.001:
                await asyncio.sleep(pause)
            tasks.append(asyncio.create_task(one(paths[number % len(paths)])))
        await asyncio.gather(*tasks)
    return accepted


def spread(st: kit.Stack) -> None:
    print("\n1,000 scenarios × 1 event/s for 30 s")
    server, worker = st.start("server"), st.start("worker")
    paths = [p for _, p in st.scenarios(1000, [kit.SET_THREE, kit.FILTERED_JSON], signed=True)]
    url = f"http://127.0.0.1:{st.port}"
    asyncio.run(send(url, paths, rate=1000, seconds=2))
    st.wait_finished(2000)
    st.forget_runs()
    before = server.cpu(), worker.cpu()
    accepted = asyncio.run(send(url, paths, rate=1000, seconds=30))
    spent = (server.cpu() - before[0]) / 30, (worker.cpu() - before[1]) / 30
    st.wait_finished(accepted)
    found = starts(st)
    p95 = kit.quantile(found, 0.95)
    kit.row("accepted and finished", f"{accepted:,} and {st.finished():,}")
    kit.row(
        "start p50 / p99", f"{kit.quantile(found, 0.5):.1f} / {kit.quantile(found, 0.99):.1f} ms"
    )
    kit.row("start p95", f"{p95:.1f} ms", "≤ 25 ms", p95 <= 25)
    kit.row("share of a core, server and worker", f"{spent[0]:.0%} + {spent[1]:.0%}")
    st.stop(worker)
    st.stop(server)


def idle(st: kit.Stack) -> None:
    print("\nIdle start: one delivery every 50 ms")
    server, worker = st.start("server"), st.start("worker")
    _, path = st.scenario([kit.SET_THREE, kit.FILTERED_JSON], signed=True)
    url = f"http://127.0.0.1:{st.port}"
    asyncio.run(send(url, [path], rate=20, seconds=1))
    st.wait_finished(20)
    st.forget_runs()
    count = asyncio.run(send(url, [path], rate=20, seconds=20))
    st.wait_finished(count)
    found = starts(st)
    p50, p99 = kit.quantile(found, 0.5), kit.quantile(found, 0.99)
    kit.row("start p50", f"{p50:.1f} ms", "≤ 10 ms", p50 <= 10)
    kit.row("start p99", f"{p99:.1f} ms", "≤ 40 ms", p99 <= 40)
    st.stop(worker)
    st.stop(server)


def respond(st: kit.Stack) -> None:
    print("\nWebhook response, 50 connections")
    server, worker = st.start("server"), st.start("worker")
    answer = {
        "id": 5,
        "module": "gateway:WebhookRespond",
        "version": 1,
        "parameters": {},
        "mapper": {"status": "200", "body": '{"who":"{{2.who}}"}', "headers": []},
    }
    plain = st.scenario([kit.SET_THREE], signed=True)[1]
    answering = st.scenario([kit.SET_THREE, answer], signed=True)[1]
    url = f"http://127.0.0.1:{st.port}"
    added, rates = [], []
    for _ in range(3):
        one = kit.wrk(url, paths=[plain], seconds=5, connections=50, signed=True)
        time.sleep(2)
        two = kit.wrk(url, paths=[answering], seconds=5, connections=50, signed=True)
        time.sleep(1)
        added.append(two["p50"] - one["p50"])
        rates.append(two["rate"])
        if two["errors"] or one["errors"]:
            raise SystemExit(f"errors: {one['errors']:.0f} plain, {two['errors']:.0f} answering")
    kit.row("answers", f"{kit.median(rates):,.0f}/s", "≥ 2,000", kit.median(rates) >= 2000)
    kit.row("added p50", f"{kit.median(added):.1f} ms", "≤ 15 ms", kit.median(added) <= 15)
    st.stop(worker)
    st.stop(server)


PARTS = {"spread": spread, "idle": idle, "respond": respond}

if __name__ == "__main__":
    for name in sys.argv[1:] or list(PARTS):
        with kit.stack() as made:
            PARTS[name](made)
