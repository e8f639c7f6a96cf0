"""Where the work tells what it does: counted always, traced and streamed only if that is wanted.

The door, the worker and the commit each call one of these functions; what they cost is a comparison
when nothing listens. Whoever listens (`watch`, ``runtime.tracing``) is set when the process starts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from junctor.language.connector import Request, Response
from junctor.ports.ledger import Write
from junctor.runtime.flight import Flight
from junctor.runtime.meter import METER, outcome_of

if TYPE_CHECKING:  # traces are loaded only if they are wanted
    from opentelemetry.trace import Span

    from junctor.runtime.tracing import Tracing

__all__ = [
    "LISTENING",
    "METER",
    "WORKING",
    "Sink",
    "committed",
    "delivered",
    "ended",
    "outcome_of",
    "resumed",
    "stored",
    "taking",
    "traced",
    "working",
]

WORKING: ContextVar[tuple[UUID, UUID] | None] = ContextVar("working", default=None)
"""(run, scenario) that this task works on, for its log lines. A delivery's id is its run's."""

Sink = Callable[[Write], None]


class _Listening:
    """Who wants to know, in this process."""

    tracing: Tracing | None = None
    ends: Sink | None = None
    """Told of the last write of each run that ended; must return at once and never raise."""


LISTENING = _Listening()
_GOES_ON = frozenset({"running", "waiting"})


# The door.


def taking(delivery: UUID, scenario: UUID) -> None:
    """A call became a delivery: log lines of its task name it."""
    WORKING.set((delivery, scenario))


def stored(count: int, duplicates: int) -> None:
    """So many deliveries are durable, of which some had come before."""
    METER.accepted += count - duplicates
    METER.duplicates += duplicates


def delivered(scope: MutableMapping[str, Any], begun: float, status: int, refusal: str) -> None:
    """A hook's caller is about to be answered. ``begun``: `time.perf_counter` when it called;
    ``refusal``: the code of why the call was not taken, empty if it was.
    """
    spent = time.perf_counter() - begun
    METER.answers.observe(spent)
    if refusal:
        METER.refuse("not_stored" if (refusal, status) == ("fault", 503) else refusal)
    if LISTENING.tracing is not None:
        work = WORKING.get()
        if work is not None:
            LISTENING.tracing.delivery(scope["headers"], *work, spent, status)


# Runs.


def working(flight: Flight) -> None:
    """This task goes on with a run: its log lines name it."""
    WORKING.set((flight.run_id, flight.claim.scenario_id))


def resumed(flight: Flight) -> None:
    """A run goes on after a wait or a retry."""
    METER.resumed += 1
    working(flight)
    if LISTENING.tracing is not None:
        LISTENING.tracing.run(flight, started=time.time_ns())


def ended(flight: Flight) -> None:
    """A run ended here, or left to wait."""
    seconds = time.time() - flight.started_at.timestamp()
    state = "discarded" if flight.state == "failed" else flight.state
    METER.end(flight.claim.scenario_id, state, seconds)
    if LISTENING.tracing is not None:
        LISTENING.tracing.ended(flight)


# Effects.


class traced:  # noqa: N801 - read as a word: ``with traced(connector, flight) as sent``
    """One request to a vendor, timed, and traced if traces are on.

    ``request`` is what to send: with our ``traceparent`` where its host is one that may know.
    """

    __slots__ = ("_begun", "_connector", "_flight", "_span", "request")

    def __init__(self, connector: str, flight: Flight, request: Request) -> None:
        self._connector = connector
        self._flight = flight
        self.request = request

    def __enter__(self) -> Self:
        """Begins."""
        self._begun = time.perf_counter()
        self._span: Span | None = None
        if LISTENING.tracing is not None:
            self._span, self.request = LISTENING.tracing.request(
                self._flight, self._connector, self.request
            )
        return self

    def answered(self, response: Response) -> None:
        """A complete answer came."""
        if self._span is not None:
            self._span.set_attribute("http.response.status_code", response.status)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Ends."""
        METER.vendor(self._connector, time.perf_counter() - self._begun)
        if self._span is not None and LISTENING.tracing is not None:
            LISTENING.tracing.over(self._span, outcome_of(error))


# Commits.


def committed(writes: Sequence[Write], stored: Sequence[bool], seconds: float) -> None:
    """A group of writes is durable, but for those whose claim was not ours any more."""
    METER.commit(len(writes), seconds)
    if LISTENING.tracing is not None:
        LISTENING.tracing.commit(writes, seconds)
    if LISTENING.ends is not None:
        for write, ours in zip(writes, stored, strict=True):
            if ours and write.row is not None and write.row.state not in _GOES_ON:
                LISTENING.ends(write)
