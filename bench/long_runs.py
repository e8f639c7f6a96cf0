"""Long runs: a million bundles in one run, its neighbours meanwhile, and resuming a long journal.

python bench/long_runs.py [million] [detail] [resume]
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time

import kit
import latency

ITERATE = {
    "id": 5,
    "module": "builtin:BasicFeeder",
    "version": 1,
    "parameters": {},
    "mapper": {"array": "{{1.items}}"},
}
SET_THREE = {
    "id": 2,
    "module": "util:SetVariables",
    "version": 1,
    "parameters": {},
    "mapper": {
        "scope": "roundtrip",
        "variables": [
            {"name": "label", "value": "item {{5.value}}"},
            {"name": "size", "value": '{{if(5.value > 500000; "big"; "small")}}'},
            {"name": "twice", "value": "{{5.value * 2 + 1}}"},
        ],
    },
}
COUNT = {
    "id": 6,
    "module": "util:FunctionAggregator2",
    "version": 1,
    "filter": {"name": "big", "conditions": [[{"a": "{{2.size}}", "o": "text:equal", "b": "big"}]]},
    "parameters": {"feeder": 5, "fn": "count"},
    "mapper": {"value": "{{2.twice}}"},
}


TEXT = {
    **COUNT,
    "module": "util:TextAggregator",
    "parameters": {"feeder": 5, "rowSeparator": "\n"},
    "mapper": {"value": "{{2.twice}}"},
}


class Peak(threading.Thread):
    """Watches a process's memory."""

    def __init__(self, child: kit.Child) -> None:
        super().__init__(daemon=True)
        self.child = child
        self.most = child.rss()
        self.over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self.over.wait(0.02):
            self.most = max(self.most, self.child.rss())

    def stop(self) -> float:
        self.over.set()
        self.join()
        return self.most


def million(st: kit.Stack) -> None:
    print("\nIterator of 1,000,000 bundles → set 3 expressions → filter → count, history full")
    server, worker = st.start("server"), st.start("worker")
    _, path = st.scenario([ITERATE, SET_THREE, COUNT])
    neighbour = st.scenario([kit.SET_THREE, kit.FILTERED_JSON], signed=True)[1]
    url = f"http://127.0.0.1:{st.port}"
    body = json.dumps({"items": list(range(1_000_000))}, separators=(",", ":")).encode()

    asyncio.run(latency.send(url, [neighbour], rate=50, seconds=2))
    st.wait_finished(100)
    st.forget_runs()
    asyncio.run(latency.send(url, [neighbour], rate=50, seconds=8))
    st.wait_finished(400)
    alone = kit.quantile(latency.starts(st), 0.95)

    rates, growths, besides, shared = [], [], [], []
    for round_ in range(4):  # twice alone, twice beside its neighbour
        st.forget_runs()
        time.sleep(1)
        before = worker.rss()
        watching = Peak(worker)
        asyncio.run(_post(url + path, body))
        sent = 0
        if round_ > 1:
            sent = asyncio.run(latency.send(url, [neighbour], rate=50, seconds=8))
        st.wait_finished(sent + 1)
        peak = watching.stop()
        with st.connect() as db:
            row = db.execute(
                "select id, extract(epoch from ended_at - started_at), operations, segments, ended_at"
                " from runs order by operations desc limit 1"
            ).fetchone()
            assert row is not None
            db.execute("delete from runs where id = %s or started_at > %s", (row[0], row[4]))
        (shared if sent else rates).append(1_000_000 / float(row[1]))
        growths.append(peak - before)
        if sent:
            besides.append(kit.quantile(latency.starts(st), 0.95))
    rate, growth, beside = kit.median(rates), kit.median(growths), kit.median(besides)
    kit.row("bundles", f"{rate:,.0f}/s", "≥ 100,000", rate >= 100_000)
    kit.row("  beside a neighbour with 50 runs/s", f"{kit.median(shared):,.0f}/s")
    kit.row("  operations, segments", f"{row[2]:,}, {row[3]}")
    kit.row("  RSS growth of the worker at its peak", f"{growth:.0f} MB", "≤ 100 MB", growth <= 100)
    kit.row("a neighbour's start p95, alone and beside", f"{alone:.1f} and {beside:.1f} ms")
    kit.row("  ratio", f"{beside / alone:.1f}", "< 2", beside / alone < 2)
    st.stop(worker)
    st.stop(server)


def detail(st: kit.Stack) -> None:
    print("\nIterator of 1,000,000 bundles → 3 mapped variables → filter → text aggregator")
    server, worker = st.start("server"), st.start("worker")
    _, path = st.scenario([ITERATE, SET_THREE, TEXT])
    url = f"http://127.0.0.1:{st.port}"
    body = json.dumps({"items": list(range(1_000_000))}, separators=(",", ":")).encode()
    rates = {}
    for history in ("first", "full", "errors"):
        with st.connect() as db:
            db.execute("update scenarios set detail = %s", (history,))
        found, grown = [], 0.0
        for _ in range(2):
            st.forget_runs()
            time.sleep(1)
            before = worker.rss()
            watching = Peak(worker)
            asyncio.run(_post(url + path, body))
            st.wait_finished(1)
            grown = max(grown, watching.stop() - before)
            found.append(
                float(st.value("select extract(epoch from ended_at - started_at) from runs"))
            )
        rates[history] = 1_000_000 / kit.median(found)
        first = history == "first"
        aim = "≥ 100,000" if first else ""
        kit.row(
            f"bundles, history {history}",
            f"{rates[history]:,.0f}/s",
            aim,
            not first or rates[history] >= 100_000,
        )
        kit.row("  RSS growth of the worker at its peak", f"{grown:.0f} MB")
    kit.row("full detail costs", f"{1 - rates['full'] / rates['first']:.0%} of the rate")
    st.stop(worker)
    st.stop(server)


def resume(st: kit.Stack) -> None:
    print("\nResume of a run with 100,000 recorded operations")
    server, worker = st.start("server"), st.start("worker")
    flow = [
        ITERATE,
        SET_THREE,
        {**COUNT, "filter": None},
        {
            "id": 7,
            "module": "util:FunctionSleep",
            "version": 1,
            "parameters": {},
            "mapper": {"duration": "31"},
        },
        {
            "id": 8,
            "module": "util:ComposeTransformer",
            "version": 1,
            "parameters": {},
            "mapper": {"value": "{{6.result}}"},
        },
    ]
    _, path = st.scenario(flow)
    body = json.dumps({"items": list(range(100_000))}, separators=(",", ":")).encode()
    spent = []
    for _ in range(3):
        st.forget_runs()
        asyncio.run(_post(f"http://127.0.0.1:{st.port}{path}", body))
        kit.wait_for(
            lambda: st.value("select count(*) from runs where state = 'waiting'") == 1, "the wait"
        )
        due = st.value("select extract(epoch from due_at) from runs")
        st.wait_finished(1)
        spent.append(float(st.value("select extract(epoch from ended_at) from runs") - due))
    kit.row(
        "resumed and finished in", f"{kit.median(spent):.2f} s", "≤ 2 s", kit.median(spent) <= 2
    )
    st.stop(worker)
    st.stop(server)


async def _post(url: str, body: bytes) -> None:
    import aiohttp

    headers = {"content-type": "application/json"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers) as answer,
    ):
        if answer.status != 200:
            raise SystemExit(f"the delivery was refused: {answer.status} {await answer.text()}")


PARTS = {"million": million, "detail": detail, "resume": resume}

if __name__ == "__main__":
    for name in sys.argv[1:] or list(PARTS):
        with kit.stack() as made:
            PARTS[name](made)
