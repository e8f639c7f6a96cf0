"""Workers and a vendor in virtual time, around one `Bucket`.

The workers are far simpler than `runtime.governor`: they ask for what waits, use units as soon as
they may, and report at the next exchange.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from junctor.language.budgets import Bucket, Grant, Learned, Observation, Report


@dataclass
class Vendor:
    """Counts in fixed windows, the first of which begins at ``starts``; tells what remains."""

    limit: int = 100
    window: float = 10.0
    starts: float = 0.0
    tells: bool = True
    arrivals: list[float] = field(default_factory=list)
    refusals: int = 0
    _number: int = -1
    _used: int = 0

    def ask(self, now: float) -> tuple[bool, Learned]:
        number = int((now - self.starts) // self.window)
        if number != self._number:
            self._number, self._used = number, 0
        admitted = self._used < self.limit
        self._used += admitted
        self.refusals += not admitted
        if admitted:
            self.arrivals.append(now)
        return admitted, Learned(remaining=self.limit - self._used if self.tells else None)


@dataclass
class Worker:
    """Sends as soon as it may; ``demand(now)`` is how many requests it has had by then."""

    name: str
    demand: Callable[[float], int]
    bulk: bool = True
    rtt: tuple[float, float] = (0.02, 0.08)
    most: int = 20
    lanes: int = 50
    """Requests under way at a time."""
    units: list[float] = field(default_factory=list)
    sent: int = 0
    flying: int = 0
    waits: list[float] = field(default_factory=list)
    asked_at: float = -1.0
    answers: list[tuple[float, Learned | None, bool]] = field(default_factory=list)


class World:
    """Runs until a time; every event is at a moment of its own."""

    def __init__(self, vendor: Vendor, bucket: Bucket, *workers: Worker, seed: int = 1) -> None:
        self.vendor, self.bucket, self.workers = vendor, bucket, workers
        self.chance = random.Random(seed)
        self.exchanges = 0
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, time: float, what: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (time, self._count, what))

    def run(self, until: float, *, strangers: float = 0.0) -> None:
        """``strangers``: requests a second that somebody else sends."""
        for worker in self.workers:
            self.at(self.now, lambda worker=worker: self.step(worker))  # type: ignore[misc]  # bound now
        for number in range(int(strangers * (until - self.now))):
            self.at(self.now + (number + 0.5) / strangers, self.stranger)
        while self._events and self._events[0][0] <= until:
            self.now, _, what = heapq.heappop(self._events)
            what()
        self._events.clear()
        self.now = until

    def stranger(self) -> None:
        refusals = self.vendor.refusals
        admitted, _ = self.vendor.ask(self.now)
        if admitted:
            self.vendor.arrivals.pop()  # not ours
        self.vendor.refusals = refusals

    def step(self, worker: Worker) -> None:
        waiting = worker.demand(self.now) - worker.sent - worker.flying
        while waiting > 0 and worker.units and worker.units[0] <= self.now:
            if worker.flying >= worker.lanes:
                break
            worker.units.pop(0)
            worker.flying += 1
            waiting -= 1
            self.send(worker)
        again = 0.05
        if waiting > len(worker.units) and self.now >= worker.asked_at:
            grant = self.exchange(worker, min(waiting, worker.most))
            worker.asked_at = self.now + max(grant.retry_in, 0.01)
        elif worker.answers and not worker.units:
            self.exchange(worker, 0)
        if worker.units and waiting > 0:
            again = min(again, max(0.0, worker.units[0] - self.now))
        self.at(self.now + max(again, 0.005), lambda: self.step(worker))

    def send(self, worker: Worker) -> None:
        span = self.chance.uniform(*worker.rtt)
        arrives = self.now + self.chance.uniform(0.0, span)
        begun = self.now

        def arrive() -> None:
            admitted, learned = self.vendor.ask(self.now)

            def answered() -> None:
                worker.flying -= 1
                worker.sent += admitted
                worker.waits.append(self.now - begun)
                worker.answers.append((self.now, learned, admitted))

            self.at(begun + span, answered)

        self.at(arrives, arrive)

    def exchange(self, worker: Worker, wanted: int) -> Grant:
        self.exchanges += 1
        answers, worker.answers = worker.answers, []
        held = len(worker.units) + worker.flying
        kind = (0, 1) if worker.bulk else (1, 0)
        grant = self.bucket.exchange(
            self.now,
            worker.name,
            Report(
                spent=[(self.now - at, *kind) for at, _, _ in answers],
                holds=(held * kind[0], held * kind[1]),
                observed=[
                    Observation(self.now - at, learned)
                    for at, learned, _ in answers
                    if learned is not None
                ],
                refused=sum(not admitted for _, _, admitted in answers),
            ),
            ordinary=wanted * kind[0],
            bulk=wanted * kind[1],
        )
        worker.units += [self.now + delay for delay in (*grant.ordinary, *grant.bulk)]
        worker.units.sort()
        return grant


def most_in_any_window(arrivals: list[float], window: float) -> int:
    """The largest number of arrivals in any half-open window."""
    most = begin = 0
    times = sorted(arrivals)
    for end, at in enumerate(times):
        while times[begin] <= at - window:
            begin += 1
        most = max(most, end - begin + 1)
    return most
