"""Inbox, backlog and ledger in memory: one `MemoryStore`, three small ports over it.

    store = MemoryStore(clock=lambda: now)
    store.plant(organization_id, scenario_id)
    inbox, ledger = MemoryInbox(store), MemoryLedger(store)
    backlog = MemoryBacklog(store, owner="a", lease=10)

The store asks ``clock`` (epoch seconds) what time it is, so leases end and waits come due when a
test says so. What Postgres refuses as a statement (one run's row twice in a commit, one dedup key
twice in a batch) is a `ValueError` here, raised before anything is changed.
"""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from junctor.ports.backlog import Backlog, Claim, DueRun, Taken
from junctor.ports.inbox import Answered, Inbox, NewDelivery
from junctor.ports.ledger import Kept, Ledger, RunRow, SegmentRow, WaitRow, Write

__all__ = ["MemoryBacklog", "MemoryInbox", "MemoryLedger", "MemoryStore", "StoredRun"]

Key = tuple[UUID, UUID, str]
"""Organisation, scenario, order key."""
Place = tuple[UUID, UUID]
"""Organisation, delivery (or run)."""
Counts = dict[UUID, int]

TERMINAL = frozenset({"finished", "discarded"})
_RESUMED = frozenset({"waiting", "incomplete"})
NOBODYS = float("-inf")
TAKEN_BYTES = 64 * 1024 * 1024
"""What one `take` brings at most, about; a scenario's next delivery always comes."""


@dataclass(slots=True)
class _Scenario:
    published: int | None
    draft: int
    detail: Literal["full", "first", "errors"]
    retention: str
    active: bool


@dataclass(slots=True)
class _Delivery:
    given: NewDelivery
    received_at: datetime
    attempts: int = 0
    parked: bool = False

    @property
    def key(self) -> Key:
        return self.given.organization_id, self.given.scenario_id, self.given.order_key

    def taken(self) -> Taken:
        given = self.given
        return Taken(
            given.id, given.payload, given.server, self.received_at, attempts=self.attempts
        )


@dataclass(slots=True)
class _Backlog:
    since: tuple[float, int]
    """When it got to the end of the line; the second number tells equal instants apart."""
    n: int = 1
    idle: bool = False
    due: float | None = None
    blocked_by_run: UUID | None = None
    lease_until: float = NOBODYS
    fence: int = 0
    owner: str | None = None
    crashes: int = 0


@dataclass(slots=True)
class StoredRun:
    """A run's row as it is kept."""

    key: Key
    retention: str
    row: RunRow
    tries: int = 0


@dataclass
class MemoryStore:
    """What the three ports share. Reading its fields in a test is fine."""

    clock: Callable[[], float] = time.time
    scenarios: dict[tuple[UUID, UUID], _Scenario] = field(default_factory=dict)
    inbox: dict[Place, _Delivery] = field(default_factory=dict)
    seen: dict[tuple[UUID, UUID | None, str], UUID] = field(default_factory=dict)
    backlog: dict[Key, _Backlog] = field(default_factory=dict)
    runs: dict[Place, StoredRun] = field(default_factory=dict)
    segments: dict[Place, dict[int, SegmentRow]] = field(default_factory=lambda: defaultdict(dict))
    answers: dict[Place, Answered] = field(default_factory=dict)
    records: dict[tuple[UUID, UUID, str], tuple[int, Any]] = field(default_factory=dict)
    """What data stores hold: revision and data, by organisation, store and key."""
    states: dict[tuple[UUID, UUID, int], tuple[int, Any]] = field(default_factory=dict)
    """What modules remember, by organisation, scenario and module."""
    waits: dict[Place, WaitRow] = field(default_factory=dict)
    """What runs wait for, by organisation and wait."""
    revisions: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _fences: int = 0
    _turns: int = 0

    def plant(
        self,
        organization_id: UUID,
        scenario_id: UUID,
        *,
        published: int | None = 1,
        draft: int = 1,
        detail: Literal["full", "first", "errors"] = "full",
        retention: str = "standard",
        active: bool = True,
    ) -> None:
        """A scenario that can be claimed; again: as it is from now on."""
        scenario = _Scenario(published, draft, detail, retention, active)
        self.scenarios[organization_id, scenario_id] = scenario

    def renew(self, owner: str, fences: Iterable[int], lease: float) -> None:
        """What a worker's heartbeat does for the claims it names."""
        named = set(fences)
        for row in self.backlog.values():
            if row.owner == owner and row.fence in named:
                row.lease_until = self.clock() + lease

    def discard(self, organization_id: UUID, run_id: UUID) -> None:
        """A person gives a stopped run up; what stood behind it goes on."""
        place = (organization_id, run_id)
        run = self.runs.get(place)
        if run is None or run.row.state not in {"incomplete", "uncertain", "waiting"}:
            return
        ended = run.row.ended_at or self.now()
        run.row = run.row._replace(state="discarded", wait_reason=None, due_at=None, ended_at=ended)
        self.inbox.pop(place, None)
        row = self.backlog.get(run.key)
        if row is not None:
            row.n, row.idle = row.n + 1, False
            if row.blocked_by_run == run_id:
                row.blocked_by_run = self.blocker(run.key)
            row.due = self.first_due(run.key)

    def resume(self, organization_id: UUID, run_id: UUID) -> None:
        """A person asks for a stopped run: it is due now."""
        run = self.runs.get((organization_id, run_id))
        if run is None or run.row.state not in {"incomplete", "waiting"}:
            return
        run.row = run.row._replace(state="waiting", wait_reason="time", due_at=self.now())
        row = self.backlog.get(run.key)
        if row is None:
            self.backlog[run.key] = _Backlog(self.turn(), idle=True, due=self.clock())
        else:
            row.n, row.due = row.n + 1, self.clock()

    def now(self) -> datetime:
        """The clock's instant."""
        return datetime.fromtimestamp(self.clock(), UTC)

    def turn(self) -> tuple[float, int]:
        """The end of the line."""
        self._turns += 1
        return self.clock(), self._turns

    def fence(self) -> int:
        """A number never given before."""
        self._fences += 1
        return self._fences

    def held(self, claim: Claim) -> _Backlog | None:
        """The claim's row, if it is still its own."""
        row = self.backlog.get(_key(claim))
        return row if row is not None and row.fence == claim.fence else None

    def waiting(self, key: Key) -> list[tuple[float, UUID, StoredRun]]:
        """Stopped runs of a backlog that have a due time, the first due first."""
        found = [
            (run.row.due_at.timestamp(), run_id, run)
            for (_, run_id), run in self.runs.items()
            if run.key == key
            and run.row.state in {"waiting", "incomplete"}
            and run.row.due_at is not None
        ]
        return sorted(found, key=lambda each: each[:2])

    def blocker(self, key: Key) -> UUID | None:
        """The run that ordered work of a backlog stands behind."""
        stopped = {"waiting", "incomplete", "uncertain"}
        found = [
            (run.row.started_at, run_id)
            for (_, run_id), run in self.runs.items()
            if run.key == key and run.row.state in stopped
        ]
        return min(found)[1] if found else None

    def first_due(self, key: Key) -> float | None:
        """When the first wait of a backlog ends."""
        return next((due for due, _, _ in self.waiting(key)), None)


def _key(claim: Claim) -> Key:
    return claim.organization_id, claim.scenario_id, claim.order_key


class MemoryInbox(Inbox):
    """`ports.inbox.Inbox`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def accept(
        self, deliveries: Sequence[NewDelivery], *, again: bool = False
    ) -> dict[UUID, UUID | None]:
        store = self._store
        keyed = [(d.organization_id, d.hook_id, d.key) for d in deliveries if d.key is not None]
        if len(set(keyed)) < len(keyed):
            raise ValueError("a dedup key twice in one batch: the second must wait for the next")
        duplicates: dict[UUID, UUID | None] = {}
        signalled = set()
        for d in deliveries:
            there = (d.organization_id, d.scenario_id) in store.scenarios
            first = d.id if there else None
            if there and d.key is not None:
                first = store.seen.setdefault((d.organization_id, d.hook_id, d.key), d.id)
            place = (d.organization_id, d.id)
            if first != d.id:
                duplicates[d.id] = first
            elif place not in store.inbox and not (again and place in store.runs):
                store.inbox[place] = delivery = _Delivery(d, store.now())
                signalled.add(delivery.key)
        for key in sorted(signalled):
            row = store.backlog.get(key)
            if row is None:
                store.backlog[key] = _Backlog(store.turn())
                continue
            row.since = store.turn() if row.idle else row.since
            row.n, row.idle = row.n + 1, False
        return duplicates

    async def answers(self, ids: Sequence[tuple[UUID, UUID]]) -> dict[UUID, Answered]:
        found = self._store.answers
        return {place[1]: found[place] for place in ids if place in found}


class MemoryBacklog(Backlog):
    """`ports.backlog.Backlog`, for one worker: ``owner`` is its name, ``lease`` in seconds."""

    def __init__(
        self, store: MemoryStore, *, owner: str, lease: float, taken_bytes: int = TAKEN_BYTES
    ) -> None:
        self._store = store
        self._owner = owner
        self._lease = lease
        self._taken_bytes = taken_bytes

    async def claim(self, limit: int, each: int, full: Sequence[UUID] = ()) -> list[Claim]:
        by_organization: dict[UUID, list[tuple[Key, _Backlog]]] = defaultdict(list)
        for key, row in sorted(self._store.backlog.items(), key=lambda item: item[1].since):
            if self._ready(row) and key[0] not in full and key[1] not in full:
                by_organization[key[0]].append((key, row))
        share = max(1, each // max(1, len(by_organization)))
        picked = [
            pair
            for rows in by_organization.values()
            for pair in [pair for pair in rows if self._runs(pair[0])][:share]
        ]
        return [self._claimed(key, row) for key, row in picked[:limit]]

    def _ready(self, row: _Backlog) -> bool:
        now = self._store.clock()
        due = row.due is not None and row.due <= now
        # At the very end of a lease it is over: a store's clock may stand still.
        return row.lease_until <= now and (due or not (row.idle or row.blocked_by_run))

    def _runs(self, key: Key) -> bool:
        """Whether its scenario is on; runs started by hand go on all the same."""
        scenario = self._store.scenarios.get(key[:2])
        return scenario is not None and (scenario.active or key[2].startswith("~"))

    def _claimed(self, key: Key, row: _Backlog) -> Claim:
        crashed = row.lease_until > NOBODYS
        row.crashes = row.crashes + 1 if crashed else 0
        row.lease_until = self._store.clock() + self._lease
        row.fence, row.owner = self._store.fence(), self._owner
        scenario = self._store.scenarios[key[:2]]
        left = [place[1] for place, d in self._store.inbox.items() if d.key == key and not d.parked]
        return Claim(
            *key,
            fence=row.fence,
            published=scenario.published,
            draft=scenario.draft,
            detail=scenario.detail,
            retention=scenario.retention,
            due=row.due is not None,
            waits=row.due is not None,
            blocked_by_run=row.blocked_by_run,
            crashes=row.crashes,
            cautious_until=max(left, default=None) if crashed else None,
        )

    async def take(
        self, claims: Sequence[tuple[Claim, int]], busy: Sequence[UUID]
    ) -> list[tuple[Claim, list[Taken]]]:
        out = []
        most = max(1, self._taken_bytes // max(1, len(claims)))
        for claim, limit in claims:
            row = self._store.held(claim)
            if row is None:
                claim.stale = True
                continue
            taken: list[Taken] = []
            weight = 0
            for (_, delivery_id), delivery in sorted(self._store.inbox.items()):
                if len(taken) >= limit or weight >= most:
                    break
                if delivery.key == _key(claim) and not delivery.parked and delivery_id not in busy:
                    taken.append(delivery.taken())
                    weight += len(delivery.given.payload)
            claim.n = row.n
            claim.due = row.due is not None and row.due <= self._store.clock()
            claim.more = len(taken) >= limit or weight >= most
            out.append((claim, taken))
        return out

    async def due(self, claim: Claim, limit: int) -> list[DueRun]:
        waiting = self._store.waiting(_key(claim))
        now = self._store.clock()
        found = [(i, run) for due, i, run in waiting if due <= now and i not in claim.busy]
        stopped = {run_id for run_id, run in found if run.row.state == "incomplete"}
        return [_due_run(i, run)._replace(again=i in stopped) for i, run in found[:limit]]

    async def attempt(self, deliveries: Sequence[tuple[Claim, UUID]], *, by: int = 1) -> Counts:
        counts = {}
        for claim, delivery_id in deliveries:
            delivery = self._store.inbox.get((claim.organization_id, delivery_id))
            if delivery is None or delivery.key != _key(claim) or self._store.held(claim) is None:
                continue
            delivery.attempts = max(0, delivery.attempts + by)
            counts[delivery_id] = delivery.attempts
        return counts

    async def tried(self, claim: Claim, runs: Sequence[UUID], *, by: int = 1) -> Counts:
        counts = {}
        for run_id in runs if self._store.held(claim) is not None else ():
            run = self._store.runs.get((claim.organization_id, run_id))
            if run is not None and run.key == _key(claim) and run.row.state in _RESUMED:
                run.tries = max(0, run.tries + by)
                counts[run_id] = run.tries
        return counts

    async def delivery(self, organization_id: UUID, id: UUID) -> Taken | None:  # noqa: A002 - the field's name
        found = self._store.inbox.get((organization_id, id))
        return found.taken() if found is not None else None

    async def begun(self, organization_id: UUID, runs: Sequence[UUID]) -> set[UUID]:
        return {run for run in runs if self._store.segments.get((organization_id, run))}

    async def recorded(
        self, organization_id: UUID, run: UUID
    ) -> list[tuple[int, bytes, list[bytes]]]:
        rows = self._store.segments.get((organization_id, run), {})
        return [
            (seq, row.data, [row.blobs[at : at + 16] for at in range(0, len(row.blobs), 16)])
            for seq, row in sorted(rows.items())
        ]

    async def run_row(self, organization_id: UUID, run: UUID) -> tuple[DueRun, str] | None:
        found = self._store.runs.get((organization_id, run))
        return (_due_run(run, found), found.row.state) if found is not None else None

    async def release(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            row = None if claim.stale else self._store.held(claim)
            if row is not None:
                self._released(claim, row)

    def _released(self, claim: Claim, row: _Backlog) -> None:
        store, key = self._store, _key(claim)
        waits = claim.waits or claim.blocked_by_run is not None
        quiet = row.n == claim.n and not claim.more
        if quiet and not waits and row.due is None:
            del store.backlog[key]
            return
        due, blocker = store.first_due(key), store.blocker(key) if claim.blocked_by_run else None
        if quiet and due is None and blocker is None:
            del store.backlog[key]
            return
        store.backlog[key] = replace(
            row,
            since=store.turn(),
            idle=quiet,
            due=due if waits or row.due is not None else None,
            blocked_by_run=blocker,
            # Not all looked through after a crash: the next owner must be as careful.
            lease_until=store.clock() if claim.cautious_until and claim.more else NOBODYS,
            fence=0,
            owner=None,
            crashes=0,
        )


def _due_run(run_id: UUID, run: StoredRun) -> DueRun:
    row = run.row
    about = (row.version, run.retention, row.trigger, row.actor, row.started_at, row.segments)
    return DueRun(run_id, *about, tries=run.tries)


class MemoryLedger(Ledger):
    """`ports.ledger.Ledger`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def commit(self, writes: Sequence[Write]) -> list[bool]:
        told = [(w.claim.organization_id, w.run_id) for w in writes if w.row is not None]
        if len(set(told)) < len(told):
            raise ValueError("a run's row twice in one commit: the second must wait for the next")
        strange = {id(write.claim) for write in writes if self._strange(write)}
        rows = [self._store.held(write.claim) for write in writes]
        ours = [row and id(w.claim) not in strange for w, row in zip(writes, rows, strict=True)]
        for write, row, ok in zip(writes, rows, ours, strict=True):
            if row is not None:
                self._write(write, row)
            write.claim.stale |= not ok
        return [bool(ok) for ok in ours]

    def _strange(self, write: Write) -> bool:
        """Whether somebody else's segment stands in the place of one of these."""
        there = self._store.segments.get((write.claim.organization_id, write.run_id), {})
        return any(there.get(each.seq, each).data != each.data for each in write.segments)

    def _write(self, write: Write, row: _Backlog) -> None:
        store, place = self._store, (write.claim.organization_id, write.run_id)
        if write.kept is not None and write.segments[0].seq not in store.segments[place]:
            write.conflict = self._keep(write, write.kept)
            if write.conflict:
                return
        for segment in write.segments:
            store.segments[place].setdefault(segment.seq, segment)
        if write.row is not None:
            self._put(place, write, write.row)
        if write.done:
            store.inbox.pop(place, None)
        elif write.parked and place in store.inbox:
            store.inbox[place].parked = True
        if write.due_at is not None:
            due = write.due_at.timestamp()
            row.due = due if row.due is None else min(row.due, due)
        if write.blocks or write.stands is not None:
            row.blocked_by_run = write.run_id if write.blocks else write.stands
        for wait in write.opens:
            store.waits.setdefault((write.claim.organization_id, wait.id), wait)
        if write.answer is not None:
            store.answers.setdefault(place, write.answer)

    def _keep(self, write: Write, kept: Kept) -> str:
        """Applies what a run wrote; or what somebody changed meanwhile."""
        store, organization = self._store, write.claim.organization_id
        for put in kept.records:
            revision, _ = store.records.get((organization, put.store_id, put.key), (0, None))
            if put.expected not in {None, revision}:
                return f"the record {put.key!r}"
        for state in kept.states:
            place = (organization, write.claim.scenario_id, state.module)
            if state.expected not in {None, store.states.get(place, (0, None))[0]}:
                return f"what module {state.module} remembers"
        for key in [key for key in store.records if key[1] in kept.cleared]:
            del store.records[key]
        for put in kept.records:
            at = (organization, put.store_id, put.key)
            if put.data is None:
                store.records.pop(at, None)
            else:
                store.records[at] = (next(store.revisions), put.data)
        for state in kept.states:
            place = (organization, write.claim.scenario_id, state.module)
            store.states[place] = (next(store.revisions), state.value)
        return ""

    def _put(self, place: Place, write: Write, row: RunRow) -> None:
        """How a run began is said once; how it stands may change until it is over."""
        old = self._store.runs.get(place)
        if old is None:
            self._store.runs[place] = StoredRun(_key(write.claim), write.retention, row)
        elif old.row.state in {"running", "waiting"} or (
            old.row.state not in TERMINAL and (row.ended_at or old.row.due_at)
        ):  # one that has stopped doesn't go on before somebody makes it due
            said = ("version", "trigger", "actor", "started_at")
            old.row = row._replace(**{name: getattr(old.row, name) for name in said})
            old.tries = 0
