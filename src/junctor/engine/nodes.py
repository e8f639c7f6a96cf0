"""A module of a plan: what it does, and what comes after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from junctor.engine.commands import Address
from junctor.errors import JunctorError
from junctor.language.connector import ModuleDef
from junctor.language.retry import RetryPolicy

__all__ = ["Evaluate", "Halt", "Node", "Path", "Step"]

Path = tuple[int, ...]
"""A bundle's way: its index at the trigger, then at each module that gives several."""

Evaluate = Callable[[list[Any]], Any]
"""A compiled mapping or call, of an env: the scope, then each module's current bundle."""


class Step(IntEnum):
    """What the run does at a module."""

    TRIGGER = 0
    PURE = 1
    CALL = 2
    STREAM = 3
    SET = 4
    GET = 5
    AGGREGATE = 6
    ROUTER = 7
    CHOICE = 8
    MERGE = 9
    JOIN = 10
    WAIT = 11
    RESPOND = 12
    DIRECTIVE = 13
    PASS = 14
    NAME = 15
    AWAIT = 16


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """One module, compiled. Filled in by `plan.compile_plan` and not changed after."""

    id: int
    slot: int
    step: Step
    path: str
    """Where it stands in the blueprint."""
    module: str
    definition: ModuleDef | None
    arguments: Evaluate
    """The mapper."""
    evaluate: Evaluate
    """The module's function on its arguments; the mapper, where the engine does not call one."""
    filter: Evaluate | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    next: Node | None = None
    routes: list[tuple[Evaluate | None, Node | None]] = field(default_factory=list)
    """A router's routes, or an if-else's branches with their conditions."""
    fallback: Node | None = None
    collectors: list[Node] = field(default_factory=list)
    """The aggregators whose source this is, in the order of the scenario."""
    feeder: int = 0
    group_by: Evaluate | None = None
    stop_if_empty: bool = False
    handler: Node | None = None
    inside: bool = False
    """Whether this is a module of an error handler."""
    aside: bool = False
    """Whether a bundle that fails here, unhandled, is set aside and the others go on."""
    random: bool = False
    """Whether a mapping here draws random numbers."""
    polls: bool = False
    """Whether this is a trigger that asks for new items."""
    lanes: int = 1
    lane_call: Node | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout: float | None = None
    """Seconds that one of its requests may take; ``None``: as its connector says."""


class Halt(Exception):
    """An operation failed for good; unless its module handles errors, the run stops here.

    ``handled``: the recording says that a handler has dealt with it. ``status``: how the run ends,
    if a handler says so. ``begun``: bundles of the module have gone on, so that it can't be set
    aside: done again, they would go on once more.
    """

    def __init__(
        self, error: JunctorError, address: Address, *, handled: bool = False, status: str = ""
    ) -> None:
        super().__init__(error.message)
        self.error, self.address = error, address
        self.handled, self.status = handled, status
        self.begun = False
