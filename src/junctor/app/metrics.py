"""Prometheus metrics: what this process counted, and what a server knows of the installation.

`METRICS` describes every metric; ``docs/telemetry.md`` is tested against it. Counting costs the
work next to nothing (`runtime.meter`): names, labels and text are made here, when a scrape comes,
in the listener's own thread and, for the installation, over a connection of its own.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from wsgiref.simple_server import WSGIServer

import psycopg
import structlog
from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from junctor.adapters.postgres.queries import load
from junctor.errors import Misconfigured
from junctor.language.budgets import Bucket
from junctor.runtime.meter import Histogram, Meter

__all__ = ["METRICS", "Described", "Installation", "Listener", "OfProcess", "registry"]

log = structlog.get_logger(__name__)

CACHED = 5.0
"""Seconds for which what the database said is said again."""
PATIENCE = 4.0
"""Seconds that a scrape waits for the database; Prometheus waits ten for all."""
MOST_COUNTED = 100_000
"""Rows that are counted at most: a gauge that stands here says "or more"."""
MOST_PORTS = 64
"""Ports that are tried, where several processes run on one machine."""


class Described(NamedTuple):
    """One metric."""

    kind: str
    help: str
    labels: tuple[str, ...] = ()
    of: str = "process"
    """``process``: each process counts its own; ``installation``: every server says the same."""


METRICS: Mapping[str, Described] = {
    "junctor_deliveries_accepted_total": Described(
        "counter", "Deliveries made durable, runs started by hand included."
    ),
    "junctor_deliveries_duplicate_total": Described(
        "counter", "Deliveries that had come before and were answered as the first one."
    ),
    "junctor_deliveries_refused_total": Described(
        "counter", "Calls of hooks that were not taken, by the error's code.", ("code",)
    ),
    "junctor_delivery_answer_seconds": Described(
        "histogram", "From a hook's call to its answer; where a scenario responds, its work too."
    ),
    "junctor_runs_started_total": Described("counter", "Runs begun from a delivery or a start."),
    "junctor_runs_resumed_total": Described("counter", "Runs gone on with after a wait or retry."),
    "junctor_runs_ended_total": Described(
        "counter",
        "Runs that ended in this process, by state; waiting: they left to wait.",
        ("state",),
    ),
    "junctor_run_seconds": Described(
        "histogram", "From a run's first start to its end, waits included."
    ),
    "junctor_scenario_runs_ended_total": Described(
        "counter",
        "The same by scenario; only with JUNCTOR_METRICS_SCENARIOS=1.",
        ("scenario", "state"),
    ),
    "junctor_effects_total": Described(
        "counter",
        "Operations that asked a vendor or a service of Junctor, by the class of their outcome.",
        ("connector", "outcome"),
    ),
    "junctor_vendor_request_seconds": Described(
        "histogram",
        "Requests to vendors, their wait for a place in the vendor's budget included.",
        ("connector",),
    ),
    "junctor_commit_seconds": Described("histogram", "Until a group of writes was durable."),
    "junctor_commit_group_size": Described("histogram", "Writes that became durable together."),
    "junctor_event_loop_lag_seconds": Described(
        "histogram", "How much later than it should a task's turn came, looked at twice a second."
    ),
    "junctor_log_streamed_total": Described(
        "counter", "Lines that a log stream's destination took.", ("destination",)
    ),
    "junctor_log_dropped_total": Described(
        "counter", "Lines that it could not take, as its queue was full.", ("destination",)
    ),
    "junctor_spool_deliveries": Described(
        "gauge", "Deliveries in this server's spool; only of a server that has one."
    ),
    "junctor_spool_bytes": Described("gauge", "Their size on its disk."),
    "junctor_spool_oldest_seconds": Described("gauge", "Age of the oldest of them."),
    "junctor_inbox_deliveries": Described(
        "gauge",
        "Deliveries in the inbox, by state: ready or parked (of the first 100,000).",
        ("state",),
        "installation",
    ),
    "junctor_backlog_rows": Described(
        "gauge", "Scenarios, by order key, that have work.", (), "installation"
    ),
    "junctor_backlog_blocked": Described(
        "gauge", "Those that stand behind a run, to keep their order.", (), "installation"
    ),
    "junctor_backlog_claims": Described(
        "gauge", "Those that a worker owns at the moment.", (), "installation"
    ),
    "junctor_backlog_oldest_seconds": Described(
        "gauge", "Age of the oldest work.", (), "installation"
    ),
    "junctor_runs_unfinished": Described(
        "gauge",
        "Runs that wait, are incomplete or uncertain (of the first 100,000).",
        ("state",),
        "installation",
    ),
    "junctor_jobs": Described(
        "gauge", "Jobs of the installation: todo, doing, failed.", ("status",), "installation"
    ),
    "junctor_nodes": Described(
        "gauge", "Processes heard of in the last 30 seconds.", ("role",), "installation"
    ),
    "junctor_budget_used_ratio": Described(
        "gauge",
        "Share of a vendor's budget that is used or lent out, of the fullest account.",
        ("connector", "budget"),
        "installation",
    ),
    "junctor_database_up": Described(
        "gauge", "Whether the database answered: 1 or 0.", (), "installation"
    ),
}

Rows = Iterable[tuple[tuple[str, ...], float]]


def _family(name: str, rows: Rows) -> Metric:
    said = METRICS[name]
    kind: type[Any] = CounterMetricFamily if said.kind == "counter" else GaugeMetricFamily
    family: Metric = kind(name, said.help, labels=said.labels)
    for labels, value in rows:
        family.add_metric(labels, value)  # type: ignore[attr-defined]  # both kinds have it
    return family


def _histogram(name: str, rows: Iterable[tuple[tuple[str, ...], Histogram]]) -> Metric:
    said = METRICS[name]
    family = HistogramMetricFamily(name, said.help, labels=said.labels)
    for labels, found in rows:
        family.add_metric(labels, found.buckets(), found.sum)
    return family


class OfProcess(Collector):
    """What a process counted."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def collect(self) -> Iterator[Metric]:
        """Everything, as it is now."""
        meter = self._meter
        for name, value in (
            ("junctor_deliveries_accepted_total", meter.accepted),
            ("junctor_deliveries_duplicate_total", meter.duplicates),
            ("junctor_runs_started_total", meter.begun),
            ("junctor_runs_resumed_total", meter.resumed),
        ):
            yield _family(name, [((), value)])
        for name, counted in (
            ("junctor_deliveries_refused_total", meter.refused),
            ("junctor_runs_ended_total", meter.ended),
            ("junctor_log_streamed_total", meter.streamed),
            ("junctor_log_dropped_total", meter.dropped),
        ):
            yield _family(name, [((key,), count) for key, count in _copied(counted)])
        if meter.spool is not None:
            yield from _spool(meter.spool)
        yield _family("junctor_effects_total", _copied(meter.effects))
        if meter.by_scenario:
            yield _family("junctor_scenario_runs_ended_total", _copied(meter.scenarios))
        for name, found in (
            ("junctor_delivery_answer_seconds", meter.answers),
            ("junctor_run_seconds", meter.durations),
            ("junctor_commit_seconds", meter.commits),
            ("junctor_commit_group_size", meter.groups),
            ("junctor_event_loop_lag_seconds", meter.lag),
        ):
            yield _histogram(name, [((), found)])
        vendors = [((name,), found) for name, found in _copied(meter.vendors)]
        yield _histogram("junctor_vendor_request_seconds", vendors)


def _spool(figures: Mapping[str, int]) -> Iterator[Metric]:
    since = figures["oldest_at"]
    for name, value in (
        ("junctor_spool_deliveries", figures["deliveries"]),
        ("junctor_spool_bytes", figures["bytes"]),
        ("junctor_spool_oldest_seconds", max(0.0, time.time() - since) if since else 0),
    ):
        yield _family(name, [((), value)])


def _copied(counted: Mapping[Any, Any]) -> list[Any]:
    """The items as they are now: the work goes on in another thread."""
    return list(dict(counted).items())


class Installation(Collector):
    """What the database knows, asked at most every `CACHED` seconds. For servers.

    Asked in a thread: a database that hangs must not keep a scrape from what the process counted.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        self._url = url
        self._patience = patience
        self._clock = clock
        self._lock = threading.Lock()
        self._said: list[Metric] = []
        self._until = float("-inf")
        self._connection: psycopg.Connection[Any] | None = None
        self._asking: threading.Thread | None = None

    def collect(self) -> Iterator[Metric]:
        """Everything; of a database that is away, only that it is."""
        with self._lock:
            if self._clock() >= self._until:
                self._said = self._answer() or [_family("junctor_database_up", [((), 0)])]
                self._until = self._clock() + CACHED
            yield from self._said

    def _answer(self) -> list[Metric]:
        """What the database says within `PATIENCE`; nothing if it does not."""
        if self._asking is not None and self._asking.is_alive():  # it hangs since an earlier scrape
            return []
        said: list[Metric] = []

        def ask() -> None:
            try:
                said.extend(list(self._ask(load("metrics"))))
            except (psycopg.Error, OSError) as error:
                log.warning("metrics_not_read", error=str(error).partition("\n")[0])
                self._drop()

        self._asking = threading.Thread(target=ask, name="metrics", daemon=True)
        self._asking.start()
        self._asking.join(self._patience)
        if self._asking.is_alive():
            log.warning("metrics_not_read", error="the database does not answer")
            return []
        return said

    def close(self) -> None:
        """Gives its connection back, unless the database hangs: then the process' end does."""
        if self._asking is None or not self._asking.is_alive():
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, sql: Mapping[str, str]) -> Iterator[Metric]:
        db = self._connection
        if db is None:
            db = self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=3,
                tcp_user_timeout=5000,
                application_name="junctor metrics",
            )
            db.execute("set role junctor_engine")
            db.execute("set statement_timeout = '3s'")
        most = {"most": MOST_COUNTED}
        ready, parked = _one(db.execute(sql["inbox"].encode(), most))
        yield _family("junctor_inbox_deliveries", [(("ready",), ready), (("parked",), parked)])
        rows, blocked, claims, oldest = _one(db.execute(sql["backlog"].encode()))
        yield _family("junctor_backlog_rows", [((), rows)])
        yield _family("junctor_backlog_blocked", [((), blocked)])
        yield _family("junctor_backlog_claims", [((), claims)])
        yield _family("junctor_backlog_oldest_seconds", [((), max(0.0, oldest))])
        for name, query, always in (
            ("junctor_runs_unfinished", "unfinished", ("waiting", "incomplete", "uncertain")),
            ("junctor_jobs", "jobs", ("todo", "doing", "failed")),
            ("junctor_nodes", "nodes", ("server", "worker")),
        ):
            given = most if query == "unfinished" else None
            found = dict.fromkeys(always, 0) | dict(db.execute(sql[query].encode(), given))
            yield _family(name, [((key,), value) for key, value in found.items()])
        yield _family("junctor_budget_used_ratio", _budgets(db.execute(sql["budgets"].encode())))
        yield _family("junctor_database_up", [((), 1)])


def _one(cursor: psycopg.Cursor[Any]) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = cursor.fetchone()
    assert row is not None
    return row


def _budgets(rows: Iterable[tuple[str, str, str, float]]) -> Rows:
    """The fullest account of each budget."""
    fullest: dict[tuple[str, ...], float] = {}
    for connector, name, state, now in rows:
        record = json.loads(state)
        if record.get("limit"):
            bucket = Bucket(**record)
            share = (sum(bucket.taken(now)) + bucket.others_at(now)) / bucket.limit
            fullest[connector, name] = max(fullest.get((connector, name), 0.0), share)
    return fullest.items()


def registry(meter: Meter, installation: Installation | None) -> CollectorRegistry:
    """All metrics of a process: ours, and the usual ones of its memory, CPU and files."""
    made = CollectorRegistry(auto_describe=False)
    made.register(OfProcess(meter))
    if installation is not None:
        made.register(installation)
    ProcessCollector(registry=made)
    return made


class Listener:
    """Serves ``/metrics`` on a port of its own, in a thread.

    ``port`` is where a server listens; workers (``first`` 1) take the next free one above it.
    """

    def __init__(self, host: str, port: int, metrics: CollectorRegistry, *, first: int = 0) -> None:
        taken: OSError | None = None
        for number in range(port + first, port + first + MOST_PORTS):
            if number > 65535:
                break
            try:
                self._server: WSGIServer
                self._server, self._thread = start_http_server(number, host, metrics)
            except OSError as error:
                taken = error
                continue
            self.address = f"{host}:{self._server.server_port}"
            return
        raise Misconfigured(
            f"No port from {port + first} on {host} can be used for metrics: {taken}. "
            "Set JUNCTOR_METRICS to another address.",
            setting="JUNCTOR_METRICS",
        )

    def close(self) -> None:
        """Ends it; blocks for up to half a second."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)
