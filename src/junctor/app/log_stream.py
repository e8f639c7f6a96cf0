"""Log streaming: the same redacted lines, and the runs that ended, to files, syslog and webhooks.

Each destination has a queue of bounded length and a thread. Who logs only appends to the queue: a
destination that hangs costs the work nothing, and what it can't take is dropped and counted
(`runtime.meter.Meter.dropped`). What it takes comes in order and at least once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

import msgspec
import structlog

from junctor.app import logs
from junctor.language import ids
from junctor.ports.ledger import Write
from junctor.runtime.meter import METER, Meter

__all__ = ["Destination", "Line", "Outlet", "Stream", "Unwanted", "ended_run"]

log = structlog.get_logger(__name__)

MOST_QUEUED = 20_000
"""Lines that wait for one destination; what comes then is dropped."""
MOST_BATCH = 500
HEAVIEST_BATCH = 512 * 1024
"""Bytes after which a batch takes no more."""
GATHER = 0.2
"""Seconds that lines are gathered before they are sent."""
PAUSES = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds between tries while a destination fails."""
GRACE = 2.0
"""Seconds that what is queued may take when the process ends."""


class Line(NamedTuple):
    """What is streamed: one object of JSON, its level and its instant (seconds since 1970)."""

    text: str
    level: int
    at: float


Queued = Line | Write


class Unwanted(Exception):
    """The destination will never take this batch."""


class Destination(Protocol):
    """Where lines go. Used by one thread only."""

    kind: str
    """``file``, ``syslog`` or ``webhook``, for logs and metrics: an address may hold a secret."""

    def send(self, lines: Sequence[Line]) -> None:
        """Takes them, or raises: `Unwanted` if trying again is of no use."""
        ...

    def close(self) -> None:
        """Ends it."""
        ...


class Outlet:
    """One destination's queue and thread. ``pauses`` are those between tries, in seconds."""

    def __init__(
        self,
        destination: Callable[[], Destination],
        kind: str,
        *,
        meter: Meter = METER,
        most: int = MOST_QUEUED,
        gather: float = GATHER,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self._make = destination
        self._kind = kind
        self._meter = meter
        self._most = most
        self._gather = gather
        self._pauses = pauses
        self._queue: deque[Queued] = deque()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._until = float("inf")
        self._thread = threading.Thread(target=self._run, name=f"log stream {kind}", daemon=True)
        self._thread.start()

    @property
    def thread(self) -> threading.Thread:
        """Where lines are sent."""
        return self._thread

    def put(self, item: Queued) -> None:
        """Queues a line or an ended run; never waits."""
        if len(self._queue) >= self._most:
            self._meter.dropped[self._kind] += 1
            return
        self._queue.append(item)
        if not self._wake.is_set():
            self._wake.set()

    def close(self, grace: float = GRACE) -> None:
        """Sends what is queued for so many seconds, then drops and counts the rest."""
        self._until = time.monotonic() + grace
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout=grace + 1.0)

    def _run(self) -> None:
        destination: Destination | None = None
        batch: list[Line] = []
        failures = 0
        while True:
            if not batch:
                if not self._stop.is_set():
                    self._wake.wait()
                    self._stop.wait(self._gather)
                self._wake.clear()
                batch = self._batch()
                if not batch:
                    if self._stop.is_set():
                        break
                    continue
            try:
                if destination is None:
                    destination = self._make()
                destination.send(batch)
                self._meter.streamed[self._kind] += len(batch)
                failures = 0
            except Unwanted as error:
                self._lose(len(batch), str(error))
            except Exception as error:  # whatever it is: logs must not stop, nor stop anything
                if failures == 0:
                    said = str(error).partition("\n")[0] or type(error).__name__
                    log.warning("log_stream_failed", destination=self._kind, error=said)
                if time.monotonic() >= self._until:
                    break
                self._stop.wait(self._pauses[min(failures, len(self._pauses) - 1)])
                if self._stop.is_set():  # told to end: tries go on, quickly, for as long as it may
                    time.sleep(min(0.1, *self._pauses))
                failures += 1
                continue
            batch = []
            if time.monotonic() >= self._until:
                break
        self._meter.dropped[self._kind] += len(batch) + len(self._queue)
        if destination is not None:
            destination.close()

    def _lose(self, count: int, reason: str) -> None:
        self._meter.dropped[self._kind] += count
        log.warning("log_stream_refused", destination=self._kind, lines=count, error=reason)

    def _batch(self) -> list[Line]:
        batch: list[Line] = []
        weight = 0
        while self._queue and len(batch) < MOST_BATCH and weight < HEAVIEST_BATCH:
            item = self._queue.popleft()
            line = item if isinstance(item, Line) else ended_run(item)
            weight += len(line.text)
            batch.append(line)
        if self._queue:
            self._wake.set()
        return batch


class Stream(logging.Handler):
    """Gives every line of the process' logs, and every ended run, to all outlets."""

    def __init__(self, outlets: Sequence[Outlet]) -> None:
        super().__init__()
        self._outlets = tuple(outlets)
        self._threads = {outlet.thread.ident for outlet in self._outlets}

    def emit(self, record: logging.LogRecord) -> None:
        """A line; but none about the streams themselves, which would feed on their failures."""
        if record.thread in self._threads:
            return
        try:
            line = Line(self.format(record), record.levelno, record.created)
        except Exception:  # what can't be written as a line is standard error's to tell
            return
        for outlet in self._outlets:
            outlet.put(line)

    def ended(self, write: Write) -> None:
        """A run ended; its line is made in the outlets' threads."""
        for outlet in self._outlets:
            outlet.put(write)

    def shut(self) -> None:
        """Takes no more, sends what is queued, ends."""
        logging.getLogger().removeHandler(self)
        for outlet in self._outlets:
            outlet.close()


def ended_run(write: Write) -> Line:
    """The line of a run that ended: who, how, how long, how much; nothing of its bundles.

    Of an error only its code: its message may hold what a vendor or a scenario said.
    """
    row, claim = write.row, write.claim
    assert row is not None
    ended = row.ended_at or datetime.now(UTC)
    event = {
        "event": "run ended",
        "level": "info",
        "timestamp": ended.isoformat().replace("+00:00", "Z"),
        "run": ids.show("run", write.run_id),
        "scenario": ids.show("scn", claim.scenario_id),
        "organization": ids.show("org", claim.organization_id),
        "version": row.version,
        "state": row.state,
        "trigger": row.trigger,
        "seconds": round((ended - row.started_at).total_seconds(), 3),
        "operations": row.operations,
        "bytes": row.bytes,
        "warnings": row.warnings,
    }
    if row.error is not None:
        event["code"] = _code(row.error)
        event["failed_module"] = row.failed_module
    if row.origin is not None:
        event["origin"] = ids.show("run", row.origin)
    level = logging.INFO if row.state in {"finished", "discarded"} else logging.WARNING
    return Line(logs.line(event), level, ended.timestamp())


def _code(error: str) -> str:
    found = msgspec.json.decode(error)
    return str(found.get("code", "error")) if isinstance(found, dict) else "error"
