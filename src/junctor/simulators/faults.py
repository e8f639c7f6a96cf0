"""What goes wrong on demand: rules that match requests, counted down as they strike."""

from __future__ import annotations

import random
import re
from typing import Any, Literal

import msgspec

__all__ = ["Fault", "Faults", "Match", "Verdict"]

FaultKind = Literal[
    "latency", "status", "cut_before", "cut_after", "hang", "garbage", "drip", "rate_limit"
]

_PROCESSED_BY_DEFAULT = frozenset({"latency", "cut_after", "garbage", "drip"})


class Match(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Which requests a fault strikes; what is left out matches everything.

    ``path`` is a prefix of the path below the vendor's base URL or of the whole path, or, if it
    begins with ``^``, a regular expression searched in both. ``operation`` is a name as in
    ``/_sim/requests``.
    """

    method: str | None = None
    path: str | None = None
    operation: str | None = None


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """One rule. Seconds are the client's, whatever the clock's factor."""

    kind: FaultKind
    match: Match = msgspec.field(default_factory=Match)
    times: int | None = 1
    """How often it strikes; ``None``: until deleted."""
    skip: int = 0
    """How many matching requests pass first."""
    probability: float = 1.0
    """The share of matching requests it strikes, by the simulator's seed."""
    seconds: float | None = None
    """*latency*: until the answer (1) · *hang*: until the connection is cut (3600) · *drip*: from
    the first byte to the last (1)."""
    status: int = 500
    """*status*: what is answered."""
    message: str | None = None
    """*status* and *rate_limit*: the vendor's message."""
    retry_after: float | None = None
    """*status* and *rate_limit*: seconds in a ``Retry-After`` header."""
    process: bool | None = None
    """Whether the work is done; by default it is, except for *status*, *rate_limit*, *cut_before*
    and *hang*."""
    garbage: Literal["wire", "body"] = "wire"
    """*garbage*: bytes that are no HTTP, or an HTTP 200 whose body is no JSON."""
    id: int = 0
    struck: int = 0

    def __post_init__(self) -> None:
        if self.times is not None and self.times < 1:
            raise ValueError(f"times: {self.times} is below 1; leave it out, or null for always")
        if self.skip < 0:
            raise ValueError(f"skip: {self.skip} is below 0")
        if not 0 < self.probability <= 1:
            raise ValueError(f"probability: {self.probability} is not above 0 and at most 1")
        if self.seconds is not None and self.seconds < 0:
            raise ValueError(f"seconds: {self.seconds} is below 0")
        if not 200 <= self.status <= 599:
            raise ValueError(f"status: {self.status} is not from 200 to 599")
        if self.kind == "cut_before" and self.process:
            raise ValueError("process: cut_before does no work; use cut_after")
        if self.match.path is not None and self.match.path.startswith("^"):
            try:
                re.compile(self.match.path)
            except re.error as error:
                raise ValueError(f"match.path: no regular expression: {error}") from error

    @property
    def processes(self) -> bool:
        """Whether the vendor's work is done in spite of it."""
        return self.kind in _PROCESSED_BY_DEFAULT if self.process is None else self.process

    def matches(self, method: str, paths: tuple[str, ...], operation: str) -> bool:
        """Whether a request is one of those it strikes."""
        match = self.match
        if match.method is not None and match.method.upper() != method:
            return False
        if match.operation is not None and match.operation != operation:
            return False
        if match.path is None:
            return True
        if match.path.startswith("^"):
            return any(re.search(match.path, path) for path in paths)
        return any(path.startswith(match.path) for path in paths)

    def as_record(self) -> dict[str, Any]:
        """Plain data for the admin API."""
        record: dict[str, Any] = msgspec.to_builtins(self)
        return record


class Verdict(msgspec.Struct, frozen=True):
    """What happens to one request: latencies add up, of the other kinds the first strikes."""

    latency: float
    fault: Fault | None


class Faults:
    """The rules in force, in the order in which they were added."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._next_id = 1
        self.rules: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Puts a rule in force and numbers it."""
        fault.id = self._next_id
        fault.struck = 0
        self._next_id += 1
        self.rules.append(fault)
        return fault

    def remove(self, fault_id: int) -> bool:
        """Lifts one rule; ``False`` if there is none of that number."""
        kept = [rule for rule in self.rules if rule.id != fault_id]
        found = len(kept) < len(self.rules)
        self.rules = kept
        return found

    def clear(self) -> None:
        """Lifts all."""
        self.rules = []

    def choose(self, method: str, paths: tuple[str, ...], operation: str) -> Verdict | None:
        """What strikes a request, counting it; ``None``: nothing."""
        latency = 0.0
        chosen: Fault | None = None
        spent = False
        for rule in self.rules:
            if rule.kind != "latency" and chosen is not None:
                continue
            if not rule.matches(method, paths, operation):
                continue
            if rule.skip:
                rule.skip -= 1
                continue
            if rule.probability < 1 and self._random.random() >= rule.probability:
                continue
            rule.struck += 1
            spent = spent or rule.struck == rule.times
            if rule.kind == "latency":
                latency += 1.0 if rule.seconds is None else rule.seconds
            else:
                chosen = rule
        if spent:
            self.rules = [r for r in self.rules if r.times is None or r.struck < r.times]
        return Verdict(latency, chosen) if latency or chosen is not None else None
