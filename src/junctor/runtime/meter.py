"""What a process counts: plain numbers, raised where things happen, read when somebody asks.

Nothing here formats, locks or does I/O. A number is raised by the thread of the event loop and
read by that of a scrape, which may see one event counted and its seconds not yet. Keys are few by
construction: connectors, states, codes of errors; scenarios only if ``by_scenario`` is set, and
then no more than `MOST_SCENARIOS` of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from junctor.errors import (
    JunctorError,
    NotSent,
    RateLimited,
    Reconnect,
    Uncertain,
    VendorRefused,
    VendorUnavailable,
)
from junctor.language import ids

__all__ = ["METER", "MOST_SCENARIOS", "Histogram", "Meter", "outcome_of"]

MOST_SCENARIOS = 1000
"""What comes after so many scenarios is counted as ``other``."""
MOST_NAMES = 500
"""The same for connectors and codes, which are far fewer: nobody should meet it."""

ANSWER = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
RUN = (
    0.001,
    0.005,
    0.01,
    0.05,
    0.1,
    0.5,
    1.0,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
    1800.0,
    7200.0,
    86400.0,
)
VENDOR = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
COMMIT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
GROUP = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)
LAG = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class Histogram:
    """How many values were at most each of ``bounds``; the last count is of the rest."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Counts one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bounds as text with the count of all values up to them; ends with ``+Inf``."""
        total = 0
        out = []
        for bound, count in zip((*self.bounds, float("inf")), list(self.counts), strict=True):
            total += count
            out.append(("+Inf" if bound == float("inf") else f"{float(bound)!r}", float(total)))
        return out


class Meter:
    """The counts of one process since it started. Times are seconds."""

    def __init__(self) -> None:
        self.by_scenario = False
        self.accepted = 0
        """Deliveries made durable, those started by hand included."""
        self.duplicates = 0
        self.refused: Counter[str] = Counter()
        """Calls of hooks that were not taken, by code."""
        self.answers = Histogram(ANSWER)
        self.begun = 0
        self.resumed = 0
        self.ended: Counter[str] = Counter()
        self.durations = Histogram(RUN)
        self.scenarios: Counter[tuple[str, str]] = Counter()
        self.effects: Counter[tuple[str, str]] = Counter()
        self.vendors: dict[str, Histogram] = {}
        self.commits = Histogram(COMMIT)
        self.groups = Histogram(GROUP)
        self.lag = Histogram(LAG)
        self.streamed: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        """Lines that a log stream's destination could not take, by kind of destination."""
        self.spool: Mapping[str, int] | None = None
        """What lies in this server's spool (`spooling.Spooling.figures`), if it has one."""

    def refuse(self, code: str) -> None:
        """Counts a call that was not taken."""
        self.refused[_few(self.refused, code)] += 1

    def end(self, scenario: UUID, state: str, seconds: float) -> None:
        """Counts the end of a run, or of a stretch of one that now waits."""
        self.ended[state] += 1
        if state != "waiting":
            self.durations.observe(seconds)
        if self.by_scenario:
            key = (ids.show("scn", scenario), state)
            if key not in self.scenarios and len(self.scenarios) >= MOST_SCENARIOS:
                key = ("other", state)
            self.scenarios[key] += 1

    def effect(self, connector: str, outcome: str) -> None:
        """Counts an operation that asked somebody outside of its run."""
        key = (connector, outcome)
        if key not in self.effects and len(self.effects) >= MOST_NAMES:
            key = ("other", outcome)
        self.effects[key] += 1

    def vendor(self, connector: str, seconds: float) -> None:
        """Counts a request, the wait for its place in a budget included."""
        found = self.vendors.get(connector)
        if found is None:
            name = _few(self.vendors, connector)
            found = self.vendors.setdefault(name, Histogram(VENDOR))
        found.observe(seconds)

    def commit(self, writes: int, seconds: float) -> None:
        """Counts a group of writes that became durable together."""
        self.commits.observe(seconds)
        self.groups.observe(writes)


def _few(known: Counter[str] | dict[str, Histogram], name: str) -> str:
    return name if name in known or len(known) < MOST_NAMES else "other"


METER = Meter()
"""This process's."""

_CLASSES: tuple[tuple[type[JunctorError], str], ...] = (
    (NotSent, "not_sent"),
    (RateLimited, "rate_limited"),
    (VendorUnavailable, "unavailable"),
    (Reconnect, "reconnect"),
    (VendorRefused, "refused"),
    (Uncertain, "uncertain"),
)


def outcome_of(error: BaseException | None) -> str:
    """The class of an effect's outcome: ``done``, what kept it from being done, or ``failed``."""
    if error is None:
        return "done"
    return next((name for kind, name in _CLASSES if isinstance(error, kind)), "failed")
