"""What a run has written to data stores and remembered, and not committed yet.

The run itself sees it; others do not, until it is applied in the transaction that records the
commit. Each write knows what it was based on, so that two runs that change one record at the same
time do not overwrite each other's change: the later one is done again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

__all__ = ["RecordWrite", "Staged", "StateWrite"]

RecordKey = tuple[UUID, str]
StateKey = tuple[int, str]


@dataclass(frozen=True, slots=True)
class RecordWrite:
    """A record to put, or to remove (``data`` is ``None``)."""

    store_id: UUID
    key: str
    data: dict[str, Any] | None
    expected: int | None
    """The revision it replaces, 0 if there was none; ``None``: whatever is there."""


@dataclass(frozen=True, slots=True)
class StateWrite:
    """What a placed module remembers for later runs."""

    module: int
    value: Any
    expected: int | None


@dataclass(slots=True)
class Staged:
    """The writes of one run since its last commit."""

    records: dict[RecordKey, RecordWrite] = field(default_factory=dict)
    cleared: set[UUID] = field(default_factory=set)
    """Stores that are emptied before the records are put."""
    states: dict[StateKey, StateWrite] = field(default_factory=dict)
    """By module and scope; only those of scope ``scenario`` outlive the run."""
    seen: dict[RecordKey | int, int] = field(default_factory=dict)
    """Revisions as read, by record, or by module for its state."""
