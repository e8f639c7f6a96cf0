"""What one run costs: CPU of each part, commits, bytes of the write-ahead log, bytes that stay.

The figures of docs/scaling.md. One server, one worker, 100 scenarios, history in full, signed hooks
of 400 bytes; the second flow has one POST to a vendor in between, whose intent is durable first.
"""

from __future__ import annotations

import os
import time

import kit
import psutil

STORED = """
select sum(pg_total_relation_size(c.oid)) from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind = 'r' and (c.relname like 'runs%%' or c.relname like 'segments%%')"""


def postgres_cpu(st: kit.Stack) -> float:
    """Seconds of the server and its processes so far; of those that ended, too."""
    server = psutil.Process(st.postgres.pid)
    own = server.cpu_times()
    live = [child.cpu_times() for child in server.children(recursive=True)]
    return sum(t.user + t.system for t in [own, *live]) + own.children_user + own.children_system


def measure(st: kit.Stack, name: str, flow: list[dict[str, object]], count: int) -> None:
    server, worker = st.start("server"), st.start("worker")
    paths = [path for _, path in st.scenarios(100, flow, signed=True)]

    def send(number: int) -> None:
        url = f"http://127.0.0.1:{st.port}"
        got = kit.wrk(url, paths=paths, seconds=120, count=number, signed=True)
        if got["errors"]:
            raise SystemExit(f"{got['errors']:.0f} deliveries were refused")
        st.wait_finished(number)

    st.forget_runs()
    send(1000)
    st.forget_runs()
    commits = "select xact_commit from pg_stat_database where datname = current_database()"
    before = [
        float(st.value("select pg_current_wal_lsn() - '0/0'")),
        float(st.value(commits)),
        float(st.value(STORED)),
        server.cpu(),
        worker.cpu(),
        postgres_cpu(st),
    ]
    begun = time.perf_counter()
    send(count)
    took = time.perf_counter() - begun
    time.sleep(1.5)  # statistics of commits come late
    after = [
        float(st.value("select pg_current_wal_lsn() - '0/0'")),
        float(st.value(commits)),
        float(st.value(STORED)),
        server.cpu(),
        worker.cpu(),
        postgres_cpu(st),
    ]
    wal, done, stored, *cpu = ((b - a) / count for a, b in zip(before, after, strict=True))
    print(f"\n{name}: {count:,} runs, {count / took:,.0f}/s")
    kit.row("write-ahead log per run", f"{wal:,.0f} bytes")
    kit.row("stays in runs and segments, indexes included", f"{stored:,.0f} bytes")
    kit.row("commits per run", f"{done:.2f}")
    kit.row(
        "CPU per run: server, worker, PostgreSQL",
        " + ".join(f"{c * 1000:.2f}" for c in cpu) + " ms",
    )
    st.stop(worker)
    st.stop(server)


def main() -> None:
    with kit.stack() as st:
        measure(st, "three expressions → filter → JSON", [kit.SET_THREE, kit.FILTERED_JSON], 10_000)
        port = kit.free_port()
        vendor = kit.Child(
            kit.PYTHON, str(kit.ROOT / "bench/dummy.py"), str(port),
            env=dict(os.environ), log=st.directory / "dummy.log",
        )  # fmt: skip
        st.children.append(vendor)
        st.allow = [f"127.0.0.1:{port}"]
        post = kit.http_module("post", f"http://127.0.0.1:{port}/x")
        measure(st, "the same with a POST", [kit.SET_THREE, post, kit.FILTERED_JSON], 5_000)


if __name__ == "__main__":
    main()
