"""What runs write: segments, states, answers; each guarded by its claim's fence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from junctor.ports.backlog import Claim
from junctor.ports.inbox import Answered

__all__ = ["Ledger", "RunRow", "SegmentRow", "Write"]


class SegmentRow(NamedTuple):
    """One sealed segment of a run's journal."""

    seq: int
    data: bytes
    blobs: bytes
    """Ids of the blobs it names, 16 bytes each, joined."""


class RunRow(NamedTuple):
    """A run's state. ``error`` and ``dropped`` are JSON text."""

    version: int
    state: str
    wait_reason: str | None
    due_at: datetime | None
    trigger: str
    actor: str
    started_at: datetime
    ended_at: datetime | None = None
    operations: int = 0
    bytes: int = 0
    segments: int = 0
    error: str | None = None
    failed_module: int | None = None
    dropped: str | None = None


@dataclass(slots=True)
class Write:
    """What one run adds in one commit."""

    claim: Claim
    run_id: UUID
    retention: str
    segments: Sequence[SegmentRow] = ()
    blobs: Mapping[bytes, bytes] = field(default_factory=dict)
    """What the segments name, by hash; durable before they are."""
    row: RunRow | None = None
    done: bool = False
    """The delivery leaves the inbox."""
    parked: bool = False
    """The delivery stays, but nobody takes it."""
    answer: Answered | None = None
    server: str | None = None
    due_at: datetime | None = None
    """When to look at the scenario again."""
    blocks: bool = False
    """What stands behind this run must wait for it: so from this very commit."""
    last_words: bool = False
    """Why the run stopped, as something before this could not be stored."""


class Ledger(Protocol):
    """Commits writes in groups."""

    async def commit(self, writes: Sequence[Write]) -> list[bool]:
        """All of them in one commit; False for each whose claim isn't ours any more.

        Committing the same write twice is as once, so a lost connection may be answered by trying
        again.
        """
        ...
