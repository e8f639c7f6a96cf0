"""Traces of OpenTelemetry, from a delivery to its vendors' answers; loaded only if they are wanted.

A run's id is its trace's id, and the second half of it the id of the delivery's span. So whoever
works on a run, in whatever process and however much later, adds to the same trace without anything
being stored or passed on; and who has the one id has the other (ADR 0045). Whether a trace is kept
is decided by its id alone, so all processes decide alike.

Spans name what was done and how it ended; they hold no data of bundles, no headers and no queries.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.trace.status import Status, StatusCode

from junctor.engine.commands import Call, Outcome
from junctor.language import ids
from junctor.language.connector import Request
from junctor.ports.ledger import Write
from junctor.runtime.flight import Flight
from junctor.runtime.meter import outcome_of

__all__ = ["MOST_RUNS", "Tracing", "trace_of"]

MOST_RUNS = 10_000
"""Runs whose span is open; the oldest is closed for another: its worker lost it."""
MOST_LINKS = 64
"""Runs that a commit's span names."""
_HALF = (1 << 64) - 1
_WELL = frozenset({"finished", "waiting"})


def trace_of(run_id: UUID) -> str:
    """The trace id of a run, as trace viewers write it: 32 hexadecimal digits."""
    return run_id.hex


def _context(run_id: UUID, span: int) -> SpanContext:
    return SpanContext(run_id.int, span, is_remote=True, trace_flags=TraceFlags(1))


class _Ids(RandomIdGenerator):
    """Random, but for the next span if its ids are given."""

    trace: int = 0
    span: int = 0

    def generate_trace_id(self) -> int:
        """128 bits."""
        return self.trace or super().generate_trace_id()

    def generate_span_id(self) -> int:
        """64 bits."""
        return self.span or super().generate_span_id()


class Tracing:
    """Makes the spans of one process. ``exporter`` takes them, in a thread of its own.

    ``share``: how many of 1 traces are kept; ``hosts``: whom requests may tell which trace they are
    of (``api.example.com``, or ``*.example.com`` for all below).
    """

    def __init__(
        self,
        exporter: SpanExporter,
        *,
        service: str,
        share: float = 1.0,
        hosts: Collection[str] = (),
        processor: Callable[[SpanExporter], Any] = BatchSpanProcessor,
    ) -> None:
        self._ids = _Ids()
        self._provider = TracerProvider(
            sampler=TraceIdRatioBased(share),
            resource=Resource.create({"service.name": "junctor", "service.instance.id": service}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor(exporter))
        self._tracer = self._provider.get_tracer("junctor")
        self._hosts = frozenset(host.lower() for host in hosts)
        self._runs: dict[UUID, Span] = {}
        self._carrier = TraceContextTextMapPropagator()

    def close(self) -> None:
        """Ends what is open and sends what is left; blocks while it does."""
        for run_id in list(self._runs):
            self._lose(run_id)
        self._provider.shutdown()

    def delivery(
        self,
        headers: Sequence[tuple[bytes, bytes]],
        run_id: UUID,
        scenario: UUID,
        seconds: float,
        status: int,
    ) -> None:
        """A call that became a delivery and has its answer. What its caller traced is linked: a
        stranger must not choose in whose trace a run is.
        """
        given = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in headers
            if name in {b"traceparent", b"tracestate"}
        }
        theirs = trace.get_current_span(self._carrier.extract(given)).get_span_context()
        now = time.time_ns()
        self._ids.trace, self._ids.span = run_id.int, run_id.int & _HALF
        try:
            span = self._tracer.start_span(
                "delivery",
                context=Context(),
                kind=SpanKind.SERVER,
                links=[Link(theirs)] if theirs.is_valid else [],
                start_time=now - int(seconds * 1e9),
                attributes=_named(run_id, scenario) | {"http.response.status_code": status},
            )
        finally:
            self._ids.trace = self._ids.span = 0
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(now)

    def run(self, flight: Flight, *, started: int = 0) -> Span:
        """The span of a run's stretch in this process, begun if it is not (epoch nanoseconds)."""
        span = self._runs.get(flight.run_id)
        if span is not None:
            return span
        while len(self._runs) >= MOST_RUNS:
            self._lose(next(iter(self._runs)))
        context = Context()
        if flight.trigger == "delivery":
            parent = _context(flight.run_id, flight.run_id.int & _HALF)
            context = trace.set_span_in_context(NonRecordingSpan(parent), context)
        self._ids.trace = flight.run_id.int
        try:
            span = self._tracer.start_span(
                "run",
                context=context,
                kind=SpanKind.CONSUMER,
                start_time=started or int(flight.started_at.timestamp() * 1e9),
                attributes=_named(flight.run_id, flight.claim.scenario_id)
                | {"junctor.trigger": flight.trigger, "junctor.version": flight.version},
            )
        finally:
            self._ids.trace = 0
        self._runs[flight.run_id] = span
        return span

    def ended(self, flight: Flight) -> None:
        """A run ended, or left to wait."""
        span = self.run(flight)
        del self._runs[flight.run_id]
        span.set_attribute("junctor.state", flight.state)
        if flight.error is not None:
            span.set_attribute("junctor.error", flight.error.code)
        if flight.state not in _WELL:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    async def through(
        self, flight: Flight, call: Call, done: Coroutine[Any, Any, Outcome]
    ) -> Outcome:
        """A module's work on one bundle, in a span of its own."""
        address = call.address
        span = self._tracer.start_span(
            f"operation {call.module.id}",
            context=trace.set_span_in_context(self.run(flight), Context()),
            attributes={
                "junctor.module": call.module.id,
                "junctor.module.number": address.module,
                "junctor.cycle": address.cycle,
                "junctor.effect": call.module.effect or "none",
            },
        )
        with trace.use_span(span, end_on_exit=True, record_exception=False):
            outcome = await done
            _say(span, outcome_of(outcome.error))
            return outcome

    def request(self, flight: Flight, connector: str, request: Request) -> tuple[Span, Request]:
        """The span of a request, below its operation's, and the request that is to be sent."""
        here = trace.get_current_span()
        if not here.get_span_context().is_valid:
            here = self.run(flight)
        parts = urlsplit(request.url)
        host = (parts.hostname or "").lower()
        span = self._tracer.start_span(
            f"request {request.method.upper()}",
            context=trace.set_span_in_context(here, Context()),
            kind=SpanKind.CLIENT,
            attributes={
                "junctor.connector": connector,
                "http.request.method": request.method.upper(),
                "server.address": host,
            },
        )
        if self._may_know(host) and parts.scheme in {"http", "https"}:
            header: dict[str, str] = {}
            self._carrier.inject(header, trace.set_span_in_context(span, Context()))
            request = replace(request, headers={**request.headers, **header})
        return span, request

    @staticmethod
    def over(span: Span, outcome: str) -> None:
        """What was begun is over."""
        _say(span, outcome)
        span.end()

    def commit(self, writes: Sequence[Write], seconds: float) -> None:
        """A group of writes became durable: a trace of its own, with links to its runs."""
        now = time.time_ns()
        runs = dict.fromkeys(write.run_id for write in writes)
        links = [
            Link(self._runs[run].get_span_context()) for run in list(runs) if run in self._runs
        ]
        self._tracer.start_span(
            "commit",
            context=Context(),
            links=links[:MOST_LINKS],
            start_time=now - int(seconds * 1e9),
            attributes={"junctor.writes": len(writes), "junctor.runs": len(runs)},
        ).end(now)

    def _may_know(self, host: str) -> bool:
        if not self._hosts:
            return False
        above = host.split(".")
        return host in self._hosts or any(
            "*." + ".".join(above[n:]) in self._hosts for n in range(1, len(above))
        )

    def _lose(self, run_id: UUID) -> None:
        span = self._runs.pop(run_id)
        span.set_attribute("junctor.state", "left")
        span.end()


def _say(span: Span, outcome: str) -> None:
    span.set_attribute("junctor.outcome", outcome)
    if outcome != "done":
        span.set_status(Status(StatusCode.ERROR))


def _named(run_id: UUID, scenario: UUID) -> dict[str, Any]:
    return {
        "junctor.run": ids.show("run", run_id),
        "junctor.scenario": ids.show("scn", scenario),
    }
