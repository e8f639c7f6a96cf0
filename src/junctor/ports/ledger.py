"""What runs write: segments, states, answers; each guarded by its claim's fence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from junctor.ports.backlog import Claim
from junctor.ports.inbox import Answered

__all__ = ["Kept", "Ledger", "RecordWrite", "RunRow", "SegmentRow", "StateWrite", "Told",
           "WaitRow", "Write"]  # fmt: skip


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
    name: str | None = None
    """What the run called itself."""
    warnings: int = 0
    """Bundles that were set aside as runs of their own."""
    origin: UUID | None = None
    """The run that this one was set aside from, or repeats."""


class RecordWrite(NamedTuple):
    """A record of a data store to put, or to remove (``data`` is ``None``)."""

    store_id: UUID
    key: str
    data: dict[str, Any] | None
    expected: int | None
    """The revision it replaces, 0 if there was none; ``None``: whatever is there."""


class StateWrite(NamedTuple):
    """What a placed module remembers for later runs."""

    module: int
    value: Any
    expected: int | None


class WaitRow(NamedTuple):
    """What a run waits for, beside a time."""

    id: UUID
    """Follows from its operation, so that there is one."""
    module: int
    kind: str
    """``delivery`` or ``approval``."""
    seconds: int
    """How long at most, from the commit."""
    sealed: bytes
    """What must match, or the question."""
    hook_id: UUID | None = None
    token_hash: bytes | None = None
    since: datetime | None = None
    also: bool = False


class Told(NamedTuple):
    """A notice that somebody has to look at a run."""

    id: UUID
    """Follows from the run and when it stopped, so that there is one."""
    run_id: UUID
    params: str
    """JSON: why."""


class Kept(NamedTuple):
    """What a run's commit applies: stores are emptied first, then records and states are put."""

    records: Sequence[RecordWrite] = ()
    cleared: frozenset[UUID] = frozenset()
    states: Sequence[StateWrite] = ()


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
    stands: UUID | None = None
    """What stands behind this run, which is over, must wait for that one, which it set aside."""
    kept: Kept | None = None
    """Applied with the segments, if nobody has changed what it was based on; a write that has it
    has segments, too: where those are stored, it has been applied."""
    opens: Sequence[WaitRow] = ()
    """Waits that begin with this write."""
    tells: Sequence[Told] = ()
    """Notices, so that none of them is lost that the run's end is not lost with."""
    stills: bool = False
    """The run stops with a wait that may be open: nothing that comes answers it from here on."""
    forks: Sequence[Write] = ()
    """Bundles set aside: runs that begin to exist with this write, or not at all."""
    conflict: str = ""
    """Set by the ledger: what somebody changed meanwhile; then nothing of this was written."""
    last_words: bool = False
    """Why the run stopped, as something before this could not be stored."""


class Ledger(Protocol):
    """Commits writes in groups."""

    async def commit(self, writes: Sequence[Write]) -> list[bool]:
        """All of them in one commit; False for each whose claim isn't ours any more.

        One whose ``kept`` is based on what is no longer there gets its ``conflict`` set instead.

        Committing the same write twice is as once, so a lost connection may be answered by trying
        again.
        """
        ...
