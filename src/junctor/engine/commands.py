"""What a run asks of its driver, and what it is told.

A run is a generator: it yields commands and is sent their outcomes. The engine decides; the driver
(`runtime.drive`) does. Pure modules never become commands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from junctor.errors import JunctorError
from junctor.language.asks.waits import Await as Awaited
from junctor.language.connector import Bundle, ModuleDef

__all__ = [
    "Address",
    "Await",
    "Call",
    "Command",
    "Flush",
    "Outcome",
    "Respond",
    "Result",
    "Settle",
    "Start",
    "Wait",
]


class Address(NamedTuple):
    """Where an operation stands in its run, the same on every replay.

    ``path`` is the bundle's: the trigger bundle's index, then one index per iterator, search or
    repeater that it came through. ``attempt`` counts from 0.
    """

    cycle: int
    module: int
    path: tuple[int, ...]
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """Do this effect; the outcome is sent back as an `Outcome`.

    ``intent`` is the hash of the request as recorded before a crash; the driver refuses to send
    (``Uncertain``) if the request it builds now hashes differently.
    ``steps`` are recorded answers of a several-request flow, by step number.
    """

    address: Address
    module: ModuleDef
    parameters: Mapping[str, Any]
    """Static parameters of the placed module (which connection, data store …)."""
    arguments: Any
    """The evaluated mapper."""
    intent: bytes | None = None
    steps: Mapping[int, Any] = field(default_factory=dict)
    timeout: float | None = None
    """Seconds that a request may take, if the placed module says so."""


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a call without waiting; the driver sends back a ticket (int) at once. For lanes."""

    call: Call


@dataclass(frozen=True, slots=True)
class Await:
    """Wait for a started call; its `Outcome` is sent back."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer the hook's caller, durable with the segment. ``None`` is sent back."""

    address: Address
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Go on after so many seconds; ``None`` is sent back when they are over.

    ``due`` is when they are over (epoch seconds), if that was recorded before a replay; else the
    driver records it. With something that is awaited the run goes on when that comes, or after so
    many seconds; an `Outcome` is sent back, the same at every replay.
    """

    address: Address
    seconds: float
    due: float | None = None
    awaited: Awaited | None = None


@dataclass(frozen=True, slots=True)
class Flush:
    """The journal's buffer is full, or it is time to breathe; ``None`` is sent back."""


@dataclass(frozen=True, slots=True)
class Aside:
    """Store the rest of a bundle's way as an incomplete run of its own, in the same commit as what
    is recorded next. ``None`` is sent back.
    """

    header: Mapping[str, Any]
    """What it pins, and where it begins."""
    values: Mapping[str, Any]
    """The values of the run that it shares with its parent."""
    result: Result
    """How it fell."""


@dataclass(frozen=True, slots=True)
class Settle:
    """A cycle is over: apply what its transactional modules wrote (``commit``), forget it
    (``rollback``), or keep it for when the run is resumed (``hold``). ``None`` is sent back, or the
    error that kept it from being applied.
    """

    cycle: int
    records: Literal["commit", "rollback", "hold"]
    trigger: bool
    """Whether a trigger that polls has dealt with its items, so that it goes on after them."""


Command = Call | Start | Await | Respond | Wait | Flush | Settle | Aside


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: bundles, or the error that ended it."""

    bundles: list[Bundle] = field(default_factory=list)
    error: JunctorError | None = None
    bytes: int = 0
    """Bytes sent and received, headers excluded."""


@dataclass(slots=True)
class Result:
    """How a run ended, as its generator's return value."""

    status: str
    """``finished``, ``incomplete`` (resumable after an error), ``uncertain``, or ``failed`` (an
    error handler said to roll back; not resumable)."""
    operations: int = 0
    bytes: int = 0
    error: JunctorError | None = None
    failed: Address | None = None
    dropped: dict[int, int] = field(default_factory=dict)
    """Bundles that a module's filter stopped, by module id."""
    name: str = ""
    """What the run called itself."""
    warnings: int = 0
    """Bundles that were set aside as runs of their own."""
    again: float | None = None
    """Seconds after which an incomplete run is tried again by itself."""
    unrecorded: int = 0
    """Pure operations that the history's detail left out."""
