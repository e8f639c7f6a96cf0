"""What happened in a rehearsal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from junctor.engine.commands import Result
from junctor.engine.nodes import Path
from junctor.language.connector import Answer, Bundle
from junctor.language.scenario import Scenario

__all__ = ["Event", "Operation", "Passage", "Rehearsed", "Visit", "Way"]


@dataclass(slots=True, kw_only=True)
class Operation:
    """One module dealing with one bundle once (an aggregator: with all of them)."""

    module: int
    name: str
    path: Path
    attempt: int = 0
    input: Any = None
    """The evaluated mapper; an aggregator's are in a list."""
    bundles: list[Bundle] = field(default_factory=list)
    error: dict[str, Any] | None = None
    """As `JunctorError.as_record`, of an attempt that failed."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A bundle at a filter."""

    module: int
    name: str
    path: Path
    passed: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """A bundle at a router or an if-else."""

    module: int
    path: Path


@dataclass(frozen=True, slots=True)
class Way:
    """The modules that one bundle passed, in order, and those whose filters stopped it."""

    path: Path
    modules: tuple[int, ...]
    stopped: tuple[int, ...]


Event = Operation | Passage | Visit


@dataclass(slots=True, kw_only=True)
class Rehearsed:
    """What happened."""

    result: Result
    scenario: Scenario
    events: list[Event]
    ended: datetime
    """The rehearsal's clock at the end."""
    answer: Answer | None = None
    """The first answer to the hook's caller."""
    waits: list[tuple[int, float]] = field(default_factory=list)
    """Module and seconds: sleeps, and pauses before another attempt."""
    asides: list[Result] = field(default_factory=list)
    """Bundles that were set aside, to be runs of their own: how each fell."""

    @property
    def operations(self) -> list[Operation]:
        """Every operation, in order."""
        return [event for event in self.events if isinstance(event, Operation)]

    @property
    def passages(self) -> list[Passage]:
        """Every decision of a filter, in order."""
        return [event for event in self.events if isinstance(event, Passage)]

    @property
    def route(self) -> list[int]:
        """The modules that were reached, in the order in which they first were."""
        seen = (event.module for event in self.events if not isinstance(event, Passage))
        return list(dict.fromkeys(seen))

    def of(self, module: int) -> list[Operation]:
        """One module's operations."""
        return [each for each in self.operations if each.module == module]

    def bundles(self, module: int) -> list[Bundle]:
        """All that one module gave out."""
        return [bundle for each in self.of(module) for bundle in each.bundles]

    def ways(self) -> list[Way]:
        """The way of each bundle that went furthest: those that others came of are left out."""
        by_path: dict[Path, list[tuple[int, Event]]] = {}
        for number, event in enumerate(self.events):
            by_path.setdefault(event.path, []).append((number, event))
        inner = {path[:length] for path in by_path for length in range(len(path))}
        return [_way(path, by_path) for path in by_path if path not in inner]


def _way(path: Path, by_path: dict[Path, list[tuple[int, Event]]]) -> Way:
    before = (path[:length] for length in range(len(path) + 1))
    numbered = [each for start in before for each in by_path.get(start, ())]
    own = [event for _, event in sorted(numbered, key=lambda each: each[0])]
    passed = dict.fromkeys(event.module for event in own if not isinstance(event, Passage))
    stopped = [each.module for each in own if isinstance(each, Passage) and not each.passed]
    return Way(path, tuple(passed), tuple(stopped))
