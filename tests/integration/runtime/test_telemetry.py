"""Telemetry of real runs: what a server says of the installation, and traces across processes."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from junctor.app.metrics import METRICS, Installation, registry
from junctor.runtime import telemetry
from junctor.runtime.meter import Meter
from junctor.runtime.telemetry import LISTENING
from junctor.runtime.tracing import Tracing
from tests.integration.runtime.door import SET, WEBHOOK, door, flow, plant_hook, working
from tests.integration.runtime.test_answers import JSON, RESPOND
from tests.support import asynchronous


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    """Counts from nothing."""
    fresh = Meter()
    monkeypatch.setattr(telemetry, "METER", fresh)
    return fresh


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    made = Tracing(exporter, service="test", processor=SimpleSpanProcessor)
    monkeypatch.setattr(LISTENING, "tracing", made)
    yield exporter
    made.close()


@asynchronous
async def test_deliveries_and_runs_are_counted_and_traced(
    database_url: str, meter: Meter, spans: InMemorySpanExporter
) -> None:
    path = plant_hook(database_url, flow(WEBHOOK, SET, RESPOND))
    async with door(database_url) as it, working(database_url):
        for n in range(3):
            answer = await it.post(path, f'{{"n": {n}, "name": "x"}}'.encode(), **JSON)
            assert answer.status == 201
        assert (await it.post("/hook/unknown", b"{}", **JSON)).status == 404
    assert (meter.accepted, meter.begun, meter.ended["finished"]) == (3, 3, 3)
    assert sum(meter.refused.values()) == 1
    assert sum(meter.answers.counts) == 4
    found = spans.get_finished_spans()
    deliveries = {span.context.span_id: span for span in found if span.name == "delivery"}
    runs = [span for span in found if span.name == "run"]
    assert len(deliveries) == len(runs) == 3
    for run in runs:
        assert run.parent is not None
        delivery = deliveries[run.parent.span_id]
        assert delivery.context.trace_id == run.context.trace_id
        assert delivery.attributes == {
            "junctor.run": (run.attributes or {})["junctor.run"],
            "junctor.scenario": (run.attributes or {})["junctor.scenario"],
            "http.response.status_code": 201,
        }
    assert [span for span in found if span.name == "commit"]


def test_a_server_says_how_the_installation_does(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute(
            "insert into nodes (name, role) values ('a', 'worker'), ('door', 'door') "
            "on conflict (name) do nothing"
        )
        db.execute(
            "insert into budgets (organization_id, connector, name, key, state) values "
            "(gen_random_uuid(), 'crisp', 'minute', 'k', "
            """ '{"limit": 10, "window": 60, "leases": {"p": [9e12, 2, 1]}}')"""
        )
    installation = Installation(database_url)
    text = generate_latest(registry(Meter(), installation)).decode()
    installation.close()
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["junctor_database_up",] == 1
    assert found["junctor_nodes", "worker"] >= 1
    assert ("junctor_nodes", "door") not in found
    assert found["junctor_inbox_deliveries", "parked"] == 0
    assert found["junctor_budget_used_ratio", "minute", "crisp"] == pytest.approx(0.3)
    assert found["junctor_runs_unfinished", "uncertain"] == 0
    said = {name for name, *_ in found}
    assert {name for name, each in METRICS.items() if each.of == "installation"} <= said
