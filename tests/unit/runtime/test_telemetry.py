"""What is counted and traced while a run is driven, over fakes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from junctor.engine.journal import Tag
from junctor.errors import Fault, NotSent, RateLimited, Uncertain
from junctor.language.connector import Request, Response
from junctor.runtime import telemetry, tracing
from junctor.runtime.meter import MOST_SCENARIOS, Histogram, Meter, outcome_of
from junctor.runtime.telemetry import LISTENING, WORKING
from junctor.runtime.tracing import Tracing
from tests.support import asynchronous
from tests.unit.runtime.drive_kit import OK, SCENARIO, Bench, placed

SEND = placed(2, "send", {"text": "{{1.n}}"})


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    """Counts from nothing."""
    fresh = Meter()
    monkeypatch.setattr(telemetry, "METER", fresh)
    return fresh


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What is exported while all is traced."""
    exporter = InMemorySpanExporter()
    made = Tracing(exporter, service="test", hosts=("vendor.test",), processor=SimpleSpanProcessor)
    monkeypatch.setattr(LISTENING, "tracing", made)
    yield exporter
    made.close()


def named(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def ids_of(span: ReadableSpan) -> tuple[int, int]:
    assert span.context is not None
    return span.context.trace_id, span.context.span_id


# Counts.


def test_a_histogram_counts_each_value_once_and_sums_up() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.1, 0.5, 1.0, 7.0):
        histogram.observe(value)
    assert histogram.buckets() == [("0.1", 1.0), ("1.0", 3.0), ("+Inf", 4.0)]
    assert histogram.sum == pytest.approx(8.6)


def test_scenarios_are_counted_only_when_asked_for_and_never_without_end() -> None:
    meter = Meter()
    meter.end(SCENARIO, "finished", 1.0)
    assert not meter.scenarios
    meter.by_scenario = True
    for number in range(MOST_SCENARIOS + 50):
        meter.end(UUID(int=number), "finished", 1.0)
    assert len(meter.scenarios) == MOST_SCENARIOS + 1
    assert meter.scenarios["other", "finished"] == 50


def test_codes_are_never_without_end() -> None:
    meter = Meter()
    for number in range(2000):
        meter.refuse(f"code{number}")
        meter.effect(f"connector{number}", "done")
        meter.vendor(f"connector{number}", 0.1)
    assert len(meter.refused) <= 501
    assert len(meter.effects) <= 501
    assert len(meter.vendors) <= 501
    assert meter.refused["other"] == 1500


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "done"),
        (NotSent(host="h", reason="r"), "not_sent"),
        (RateLimited(), "rate_limited"),
        (Uncertain("cut"), "uncertain"),
        (Fault(reason="bug"), "failed"),
    ],
)
def test_outcomes_have_classes(error: Exception | None, outcome: str) -> None:
    assert outcome_of(error) == outcome


@asynchronous
async def test_a_call_that_is_refused_is_counted_by_its_code(meter: Meter) -> None:
    begun = time.perf_counter()
    telemetry.delivered({"headers": []}, begun, 200, "")
    telemetry.delivered({"headers": []}, begun, 401, "unauthorized")
    telemetry.delivered({"headers": []}, begun, 503, "fault")
    telemetry.delivered({"headers": []}, begun, 500, "fault")
    assert dict(meter.refused) == {"unauthorized": 1, "not_stored": 1, "fault": 1}
    assert sum(meter.answers.counts) == 4


@asynchronous
async def test_effects_and_vendors_are_counted_by_connector(meter: Meter) -> None:
    bench = Bench(SEND, handler=lambda _: OK)
    flight = await bench.run(n=1)
    assert flight.state == "finished"
    refusing = Bench(SEND, handler=lambda _: Response(400, {}, b"no"))
    await refusing.run(n=1)
    assert dict(meter.effects) == {("world", "done"): 1, ("world", "refused"): 1}
    assert sum(meter.vendors["world"].counts) == 2
    assert sum(meter.commits.counts) >= 2
    assert meter.groups.sum >= 2


# Traces.


@asynchronous
async def test_a_runs_spans_are_one_trace_that_has_the_runs_id(
    spans: InMemorySpanExporter,
) -> None:
    bench = Bench(SEND, handler=lambda _: OK)
    flight = await bench.run(n=1)
    telemetry.ended(flight)
    found = named(spans)
    run, operation = found["run"], found["operation world:send"]
    request = found["request POST"]
    assert f"{ids_of(run)[0]:032x}" == tracing.trace_of(flight.run_id)
    assert {ids_of(each)[0] for each in (run, operation, request)} == {flight.run_id.int}
    assert operation.parent is not None
    assert operation.parent.span_id == ids_of(run)[1]
    assert request.parent is not None
    assert request.parent.span_id == ids_of(operation)[1]
    assert attributes(run)["junctor.state"] == "finished"
    assert attributes(operation)["junctor.outcome"] == "done"
    assert attributes(request)["http.response.status_code"] == 200
    assert attributes(request)["server.address"] == "vendor.test"
    linked = [link.context.span_id for link in found["commit"].links]
    assert ids_of(run)[1] in linked


@asynchronous
async def test_spans_hold_no_data_of_bundles(spans: InMemorySpanExporter) -> None:
    bench = Bench(SEND, handler=lambda _: Response(400, {}, b"canary-answer"))
    flight = await bench.run(n="canary-4711")
    telemetry.ended(flight)
    said = "".join(span.to_json() for span in spans.get_finished_spans())
    assert "run" in said
    assert "canary" not in said


@asynchronous
async def test_the_delivery_is_the_parent_and_its_callers_trace_is_linked(
    spans: InMemorySpanExporter,
) -> None:
    theirs = "4bf92f3577b34da6a3ce929d0e0e4736"
    run = UUID("019a0000-0000-7000-8000-000000000abc")
    WORKING.set((run, SCENARIO))
    given = [(b"traceparent", f"00-{theirs}-00f067aa0ba902b7-01".encode())]
    telemetry.delivered({"headers": given}, time.perf_counter(), 200, "")
    bench = Bench(SEND, handler=lambda _: OK)
    flight = await bench.run(n=1)
    flight.run_id, flight.trigger = run, "delivery"
    assert LISTENING.tracing is not None
    telemetry.ended(flight)
    delivery, of_run = (named(spans)[name] for name in ("delivery", "run"))
    assert ids_of(delivery) == (run.int, run.int & (2**64 - 1))
    assert [f"{link.context.trace_id:032x}" for link in delivery.links] == [theirs]
    assert of_run.parent is not None
    assert ids_of(of_run)[0] == run.int
    assert of_run.parent.span_id == ids_of(delivery)[1]


@pytest.mark.parametrize(
    ("hosts", "url", "told"),
    [
        ((), "https://vendor.test/x", False),
        (("vendor.test",), "https://vendor.test/x", True),
        (("vendor.test",), "https://api.vendor.test/x", False),
        (("*.vendor.test",), "https://api.vendor.test/x", True),
        (("*.vendor.test",), "https://vendor.test/x", False),
        (("vendor.test",), "https://vendor.test.evil.test/x", False),
    ],
)
@asynchronous
async def test_only_hosts_that_may_know_are_told_the_trace(
    hosts: tuple[str, ...], url: str, told: bool
) -> None:
    bench = Bench(SEND, handler=lambda _: OK)
    flight = await bench.run(n=1)
    made = Tracing(
        InMemorySpanExporter(), service="test", hosts=hosts, processor=SimpleSpanProcessor
    )
    _, request = made.request(flight, "world", Request("GET", url))
    assert ("traceparent" in request.headers) is told
    if told:
        assert request.headers["traceparent"].split("-")[1] == tracing.trace_of(flight.run_id)
    made.close()


@asynchronous
async def test_a_header_of_ours_changes_no_intent(spans: InMemorySpanExporter) -> None:
    bench = Bench(SEND, handler=lambda _: OK)
    await bench.run(n=1)
    assert "traceparent" in bench.transport.sent[0].headers
    intents = bench.records(Tag.INTENT)
    plain = Bench(SEND, handler=lambda _: OK)
    LISTENING.tracing = None
    await plain.run(n=1)
    assert "traceparent" not in plain.transport.sent[0].headers
    assert intents[0][-2] == plain.records(Tag.INTENT)[0][-2]
    assert spans.get_finished_spans()


@asynchronous
async def test_a_trace_is_kept_or_not_by_its_id_alone() -> None:
    bench = Bench(SEND, handler=lambda _: OK)
    flight = await bench.run(n=1)
    kept = InMemorySpanExporter()
    none = Tracing(kept, service="test", share=0.0, processor=SimpleSpanProcessor)
    none.run(flight)
    none.ended(flight)
    none.close()
    assert kept.get_finished_spans() == ()


@asynchronous
async def test_runs_that_nobody_ends_do_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "MOST_RUNS", 3)
    exporter = InMemorySpanExporter()
    made = Tracing(exporter, service="test", processor=SimpleSpanProcessor)
    bench = Bench(SEND, handler=lambda _: OK)
    flight = await bench.run(n=1)
    for number in range(1, 6):
        flight.run_id = UUID(int=number)
        made.run(flight)
    states = [attributes(span)["junctor.state"] for span in exporter.get_finished_spans()]
    assert states == ["left", "left"]
    made.close()
    assert len(exporter.get_finished_spans()) == 5
