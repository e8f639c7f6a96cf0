"""What a scrape reads, that it is on its page, and what the settings of telemetry may be."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from junctor.app.metrics import METRICS, Installation, Listener, registry
from junctor.app.settings import Settings, free_port
from junctor.app.telemetry import look_at_lag, watched
from junctor.errors import Misconfigured
from junctor.runtime.meter import Meter
from junctor.runtime.telemetry import LISTENING
from tests.support import ROOT, asynchronous

AWAY = "postgresql://127.0.0.1:1/nothing?connect_timeout=1"


def counted() -> Meter:
    meter = Meter()
    meter.accepted, meter.duplicates, meter.begun = 5, 2, 4
    meter.refuse("unauthorized")
    meter.effect("crisp", "done")
    meter.vendor("crisp", 0.2)
    meter.commit(3, 0.002)
    return meter


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_was_counted_is_what_a_scrape_reads() -> None:
    found = samples(generate_latest(registry(counted(), None)).decode())
    assert found["junctor_deliveries_accepted_total",] == 5
    assert found["junctor_deliveries_duplicate_total",] == 2
    assert found["junctor_deliveries_refused_total", "unauthorized"] == 1
    assert found["junctor_effects_total", "crisp", "done"] == 1
    assert found["junctor_vendor_request_seconds_bucket", "crisp", "0.1"] == 0
    assert found["junctor_vendor_request_seconds_bucket", "crisp", "0.25"] == 1
    assert found["junctor_vendor_request_seconds_count", "crisp"] == 1
    assert found["junctor_commit_group_size_sum",] == 3
    assert found["process_resident_memory_bytes",] > 1_000_000


def test_a_server_says_what_lies_in_its_spool_and_others_say_nothing() -> None:
    meter = counted()
    found = samples(generate_latest(registry(meter, None)).decode())
    assert not any("spool" in name for name, *_ in found)
    meter.spool = {"deliveries": 3, "bytes": 900, "oldest_at": int(time.time()) - 60}
    found = samples(generate_latest(registry(meter, None)).decode())
    assert found["junctor_spool_deliveries",] == 3
    assert found["junctor_spool_bytes",] == 900
    assert 59 <= found["junctor_spool_oldest_seconds",] < 70
    meter.spool = {"deliveries": 0, "bytes": 0, "oldest_at": 0}
    found = samples(generate_latest(registry(meter, None)).decode())
    assert found["junctor_spool_oldest_seconds",] == 0


def test_a_database_that_is_away_is_said_once_per_while_and_breaks_nothing() -> None:
    now = 0.0
    away = Installation(AWAY, clock=lambda: now)
    first = list(away.collect())
    assert [metric.name for metric in first] == ["junctor_database_up"]
    assert next(iter(away.collect())) is first[0]
    now = 6.0
    assert next(iter(away.collect())) is not first[0]
    away.close()


@pytest.mark.timeout(20)
def test_a_database_that_hangs_keeps_no_scrape() -> None:
    """Stopped, or behind a network that swallows everything: no error comes, and no answer."""
    moments = count(0.0, 10.0)
    goes_on = threading.Event()

    class Hanging(Installation):
        asked = 0

        def _ask(self, sql: Mapping[str, str]) -> Iterator[Metric]:
            del sql
            self.asked += 1
            assert goes_on.wait(15)
            yield Metric("junctor_nodes", "", "gauge")

    hanging = Hanging("", clock=lambda: next(moments), patience=0.01)
    for _ in range(2):
        assert [metric.name for metric in hanging.collect()] == ["junctor_database_up"]
    assert hanging.asked == 1, "nobody queues up behind it"
    hanging.close()
    goes_on.set()
    assert hanging._asking is not None
    hanging._asking.join()
    again = Hanging("", clock=lambda: next(moments), patience=15)
    assert [metric.name for metric in again.collect()] == ["junctor_nodes"]


def test_every_metric_is_on_the_page_as_it_is() -> None:
    page = (ROOT / "docs" / "telemetry.md").read_text()
    rows = dict(re.findall(r"^\| `(junctor_\w+)` (\| .*) \|$", page, re.MULTILINE))
    wanted = {
        name: f"| {said.kind} | {', '.join(f'`{each}`' for each in said.labels) or '-'} "
        f"| {said.help}"
        for name, said in METRICS.items()
    }
    assert rows == wanted


def test_names_follow_the_conventions() -> None:
    for name, said in METRICS.items():
        assert name.endswith("_total") is (said.kind == "counter"), name
        assert "scenario" not in said.labels or "JUNCTOR_METRICS_SCENARIOS" in said.help


def test_processes_of_one_machine_have_ports_of_their_own() -> None:
    # Where the system gives out no ports, and another run of these tests looks elsewhere.
    port = free_port("127.0.0.1", 20_000 + os.getpid() % 10_000)
    made = [
        Listener("127.0.0.1", port, registry(counted(), None), first=first) for first in (0, 1, 1)
    ]
    try:
        assert made[0].address == f"127.0.0.1:{port}"
        assert len({each.address for each in made}) == 3
        for each in made:
            with urllib.request.urlopen(f"http://{each.address}/metrics", timeout=120) as answer:
                assert b"junctor_runs_started_total 4.0" in answer.read()
    finally:
        for each in made:
            each.close()


@asynchronous
async def test_lateness_is_measured() -> None:
    meter = Meter()
    looking = asyncio.create_task(look_at_lag(meter, every=0.0))
    while not sum(meter.lag.counts):
        await asyncio.sleep(0)
    looking.cancel()
    assert meter.lag.sum >= 0


@asynchronous
async def test_with_nothing_set_nothing_listens(tmp_path: Path) -> None:
    async with watched(Settings(data_dir=tmp_path), "", role="worker", process="w"):
        assert LISTENING.tracing is None
        assert LISTENING.ends is None


@asynchronous
async def test_traces_are_made_for_the_time_of_the_process(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, traces="http://127.0.0.1:9/v1/traces")
    async with watched(settings, "", role="worker", process="w"):
        assert LISTENING.tracing is not None
    assert LISTENING.tracing is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JUNCTOR_METRICS", "127.0.0.1"),
        ("JUNCTOR_METRICS", "127.0.0.1:none"),
        ("JUNCTOR_METRICS", "127.0.0.1:99999"),
        ("JUNCTOR_TRACES", "collector:4318"),
        ("JUNCTOR_TRACES_SHARE", "101"),
        ("JUNCTOR_LOG_FORMAT", "xml"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=name):
        Settings.from_env({name: value})


def test_settings_are_read() -> None:
    read = Settings.from_env(
        {
            "JUNCTOR_METRICS": "[::1]:9464",
            "JUNCTOR_TRACES": "http://127.0.0.1:4318/v1/traces",
            "JUNCTOR_TRACES_HOSTS": "a.test, *.b.test",
            "JUNCTOR_LOG_STREAM": "file:/x.ndjson,https://h/x",
            "JUNCTOR_LOG_STREAM_SECRET": "canary",
        }
    )
    assert read.metrics == ("::1", 9464)
    assert read.traces_hosts == ("a.test", "*.b.test")
    assert read.log_stream == ("file:/x.ndjson", "https://h/x")
    assert "canary" not in repr(read)
    assert Settings.from_env({"JUNCTOR_METRICS": "9464"}).metrics == ("127.0.0.1", 9464)
