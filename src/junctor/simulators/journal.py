"""What a simulator received and what came of it: tests count effects here."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from junctor.simulators.wire import Request

__all__ = ["Entry", "Journal"]

KEPT = 20_000
"""Requests kept whole; older ones stay in the counts."""

_SECRET_HEADERS = frozenset({"authorization", "x-toky-key", "cookie", "proxy-authorization"})


@dataclass(slots=True)
class Entry:
    """One request received."""

    number: int
    at: float
    """Simulated seconds."""
    operation: str
    request: Request
    status: int | None = None
    """What was answered; ``None``: nothing complete was."""
    processed: bool = False
    """Whether the vendor's work was done, whatever the client saw of it."""
    fault: str | None = None

    def as_record(self) -> dict[str, Any]:
        """Plain data, without the client's credentials."""
        return {
            "number": self.number,
            "at": round(self.at, 6),
            "operation": self.operation,
            "method": self.request.method,
            "target": self.request.target,
            "headers": {
                name: "…" if name in _SECRET_HEADERS else value
                for name, value in self.request.headers.items()
            },
            "body": self.request.body[:4096].decode("utf-8", "replace"),
            "status": self.status,
            "processed": self.processed,
            "fault": self.fault,
        }


@dataclass(slots=True)
class Counts:
    """Sums for one operation."""

    received: int = 0
    processed: int = 0
    """Work done: the effects. A request cut after its work counts, one refused doesn't."""
    refused: int = 0
    """Complete answers of 400 and above."""
    unanswered: int = 0
    """No complete answer: cut, hung, garbled or left by the client."""


class Journal:
    """Every request in its order, with sums by operation."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=KEPT)
        self.counts: dict[str, Counts] = {}
        self.total = 0
        self.in_flight = 0
        self.peak = 0

    def open(self, operation: str, request: Request, at: float) -> Entry:
        """Writes a request down as it arrives."""
        self.total += 1
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        counts = self.counts.get(operation)
        if counts is None:
            counts = self.counts[operation] = Counts()
        counts.received += 1
        entry = Entry(self.total, at, operation, request)
        self.entries.append(entry)
        return entry

    def close(self, entry: Entry, status: int | None) -> None:
        """Writes down what was answered; ``None``: nothing complete."""
        entry.status = status
        self.in_flight -= 1
        counts = self.counts.get(entry.operation)
        if counts is None:  # the journal was cleared meanwhile
            return
        counts.processed += entry.processed
        if status is None:
            counts.unanswered += 1
        elif status >= 400:
            counts.refused += 1

    def clear(self) -> None:
        """Forgets everything but the requests still in flight."""
        self.entries.clear()
        self.counts.clear()
        self.total = 0
        self.peak = self.in_flight

    def processed(self, operation: str) -> int:
        """How many times an operation's work was done."""
        counts = self.counts.get(operation)
        return counts.processed if counts else 0

    def as_record(self, *, limit: int = 100, operation: str | None = None) -> dict[str, Any]:
        """Sums, and the newest ``limit`` requests, oldest first."""
        chosen = [e for e in self.entries if operation is None or e.operation == operation]
        return {
            "total": self.total,
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak,
            "counts": {
                name: {
                    "received": c.received,
                    "processed": c.processed,
                    "refused": c.refused,
                    "unanswered": c.unanswered,
                }
                for name, c in sorted(self.counts.items())
            },
            "requests": [entry.as_record() for entry in chosen[-limit:] if limit > 0],
        }
