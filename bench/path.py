"""The whole path under load: signed hooks over HTTP → inbox → runs → journal, all of it durable.

    python bench/path.py [ingest] [runs] [post] [get] [lanes]

2 cores are shared by wrk, server, worker and Postgres. Runs per second are finished runs in the
database over wall time, load included. What dominated, and what was done, is in docs/benchmarks.md.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import kit

BARE = """
import sys, uvicorn
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
    await send({"type": "http.response.body", "body": b"Accepted"})
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools",
            log_level="error", access_log=False, lifespan="off")
"""


def bare_asgi(directory: Path) -> dict[str, float]:
    """The same load on an application that does nothing."""
    port = kit.free_port()
    child = kit.Child(
        kit.PYTHON, "-c", BARE, str(port), env=dict(os.environ), log=directory / "bare.log"
    )
    kit.wait_for(lambda: kit._answers(f"http://127.0.0.1:{port}/") or True, "bare")
    time.sleep(0.5)
    try:
        kit.wrk(f"http://127.0.0.1:{port}", seconds=2, signed=True)
        return kit.wrk(f"http://127.0.0.1:{port}", seconds=5, signed=True)
    finally:
        child.stop()


def ingest(st: kit.Stack) -> None:
    print("\nIngest: HMAC-verified 400-byte hook, answered after commit, 64 connections")
    server = st.start("server")
    _, path = st.scenario([kit.SET_THREE, kit.FILTERED_JSON], signed=True)
    url = f"http://127.0.0.1:{st.port}"
    kit.wrk(url, paths=[path], seconds=2, signed=True)
    rates, bases, p99s, errors = [], [], [], 0.0
    for _ in range(3):
        base = bare_asgi(st.directory)
        got = kit.wrk(url, paths=[path], seconds=5, signed=True)
        rates.append(got["rate"])
        bases.append(base["rate"])
        p99s.append(got["p99"])
        errors += got["errors"]
        with st.connect() as db:
            db.execute("truncate inbox, backlog")
    ratio = kit.median([a / b for a, b in zip(rates, bases, strict=True)])
    kit.row("bare ASGI app", f"{kit.median(bases):,.0f}/s")
    kit.row("hook, worker idle", f"{kit.median(rates):,.0f}/s")
    kit.row("  share of the bare app", f"{ratio:.2f}", "≥ 0.30", ratio >= 0.3)
    kit.row("  p99", f"{kit.median(p99s):.1f} ms", "≤ 25 ms", kit.median(p99s) <= 25)
    kit.row("  errors", f"{errors:.0f}", "0", errors == 0)
    worker = st.start("worker")
    busy = kit.wrk(url, paths=[path], seconds=5, signed=True)
    kit.row("hook, worker busy", f"{busy['rate']:,.0f}/s, p99 {busy['p99']:.1f} ms")
    st.stop(worker)
    st.stop(server)
    with st.connect() as db:
        db.execute("truncate inbox, backlog")
    st.forget_runs()


def drained(st: kit.Stack, paths: list[str], count: int) -> float:
    """Runs per second from the first request to the last finished run."""
    st.forget_runs()
    begun = time.perf_counter()
    got = kit.wrk(f"http://127.0.0.1:{st.port}", paths=paths, seconds=120, count=count, signed=True)
    if got["errors"]:
        raise SystemExit(f"{got['errors']:.0f} deliveries were refused")
    st.wait_finished(count)
    return count / (time.perf_counter() - begun)


def runs(st: kit.Stack) -> None:
    print("\n20,000 events → set 3 expressions → filter → JSON, one worker, history full")
    server, worker = st.start("server"), st.start("worker")
    for scenarios in (1, 100, 1000):
        paths = [
            path
            for _, path in st.scenarios(scenarios, [kit.SET_THREE, kit.FILTERED_JSON], signed=True)
        ]
        drained(st, paths, 4000)
        before = server.cpu(), worker.cpu(), st.postgres_cpu()
        rates = [drained(st, paths, 20_000) for _ in range(3)]
        after = server.cpu(), worker.cpu(), st.postgres_cpu()
        spent = [(b - a) / 3 for a, b in zip(before, after, strict=True)]
        rate = kit.median(rates)
        kit.row(f"{scenarios} scenarios", f"{rate:,.0f} runs/s", "≥ 4,000", rate >= 4000)
        kit.row("  CPU seconds: server, worker, Postgres", " + ".join(f"{s:.2f}" for s in spent))
    kit.row("  worker RSS", f"{worker.rss():.0f} MB")
    st.stop(worker)
    st.stop(server)


def effects(st: kit.Stack, method: str, target: float) -> None:
    print(f"\nThe same with one {method.upper()} to a local vendor in between")
    port = kit.free_port()
    vendor = kit.Child(
        kit.PYTHON, str(kit.ROOT / "bench/dummy.py"), str(port),
        env=dict(os.environ), log=st.directory / "dummy.log",
    )  # fmt: skip
    st.children.append(vendor)
    st.allow = [f"127.0.0.1:{port}"]
    server, worker = st.start("server"), st.start("worker")
    flow = [kit.SET_THREE, kit.http_module(method, f"http://127.0.0.1:{port}/x"), kit.FILTERED_JSON]
    for scenarios in (1, 100):
        paths = [path for _, path in st.scenarios(scenarios, flow, signed=True)]
        drained(st, paths, 1000)
        before = worker.cpu()
        rates = [drained(st, paths, 10_000) for _ in range(3)]
        spent = (worker.cpu() - before) / 3
        rate = kit.median(rates)
        kit.row(f"{scenarios} scenarios", f"{rate:,.0f} runs/s", f"≥ {target:,.0f}", rate >= target)
        kit.row("  CPU seconds of the worker per 10,000", f"{spent:.2f}")
    for child in (worker, server, vendor):
        st.stop(child)


def lanes(st: kit.Stack) -> None:
    print("\n2,000 bundles × a GET of 50 ms, 100 lanes")
    port = kit.free_port()
    vendor = kit.Child(
        kit.PYTHON, str(kit.ROOT / "bench/dummy.py"), str(port), "50",
        env=dict(os.environ), log=st.directory / "dummy.log",
    )  # fmt: skip
    st.children.append(vendor)
    st.allow = [f"127.0.0.1:{port}"]
    server, worker = st.start("server"), st.start("worker")
    flow = [
        {
            "id": 5, "module": "builtin:BasicFeeder", "version": 1, "parameters": {},
            "metadata": {"junctor": {"lanes": 100}},
            "mapper": {"array": "{{1.items}}"},
        },
        {**kit.http_module("get", f"http://127.0.0.1:{port}/x?n={{{{5.value}}}}"), "id": 4},
        {
            "id": 6, "module": "util:FunctionAggregator2", "version": 1,
            "parameters": {"feeder": 5, "fn": "count"}, "mapper": {"value": "{{4.data.id}}"},
        },
    ]  # fmt: skip
    _, path = st.scenario(flow)
    import json

    body = json.dumps({"items": list(range(2000))}).encode()
    spent = []
    for _ in range(4):
        st.forget_runs()
        kit.wrk(
            f"http://127.0.0.1:{st.port}",
            paths=[path],
            count=1,
            seconds=30,
            connections=1,
            body=body,
        )
        st.wait_finished(1)
        spent.append(
            float(st.value("select extract(epoch from ended_at - started_at) from runs limit 1"))
        )
    best = kit.median(spent[1:])
    kit.row("one run", f"{best:.2f} s", "≤ 1.5 s", best <= 1.5)
    for child in (worker, server, vendor):
        st.stop(child)


PARTS = {
    "ingest": ingest,
    "runs": runs,
    "post": lambda st: effects(st, "post", 1500),
    "get": lambda st: effects(st, "get", 2000),
    "lanes": lanes,
}


if __name__ == "__main__":
    for name in sys.argv[1:] or list(PARTS):
        with kit.stack() as made:
            PARTS[name](made)
