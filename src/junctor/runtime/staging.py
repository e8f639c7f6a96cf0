"""What a run has written to data stores and remembered, and not committed yet.

The run itself sees it; others do not, until it is applied in the transaction that records the
commit. Each write knows what it was based on, so that two runs that change one record at the same
time do not overwrite each other's change: the later one is done again.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from junctor.ports.ledger import Kept, RecordWrite, StateWrite

__all__ = ["RecordWrite", "Staged", "StateWrite", "Structure"]

RecordKey = tuple[UUID, str]
StateKey = tuple[int, str]
Undo = Literal["record", "state", "clear", "all"]
"""What was changed: one record, one state, a store emptied; or all of it replaced."""


@dataclass(frozen=True, slots=True)
class Structure:
    """What records of a store must look like, as this run found it."""

    spec: Sequence[Mapping[str, Any]] = ()
    strict: bool = False


@dataclass(slots=True)
class Staged:
    """The writes of one run since its last commit.

    Data and values are as stored: what `language.records.stored` made of them.
    """

    records: dict[RecordKey, RecordWrite] = field(default_factory=dict)
    cleared: set[UUID] = field(default_factory=set)
    """Stores that are emptied before the records are put."""
    states: dict[StateKey, StateWrite] = field(default_factory=dict)
    """By module and scope; only those of scope ``scenario`` outlive the run."""
    seen: dict[RecordKey | int, int] = field(default_factory=dict)
    """Revisions as this operation read them, by record, or by module for its state."""
    operation: Any = None
    """The address that ``seen`` is of. What an operation read before is no base for a write of a
    later one: however often that is done again, it would be the old revision."""
    stores: dict[UUID, Structure] = field(default_factory=dict)
    """Stores that this run has found, with their structure; not recorded."""
    _undo: list[tuple[Undo, Any, Any]] = field(default_factory=list, init=False, compare=False)
    """What each change since the first open mark took the place of. Copies in its stead would cost
    a run that holds many records until its cycle ends the square of their number."""
    _marks: int = field(default=0, init=False, compare=False)
    """How many marks are open; while none is, nothing is noted."""

    # For services: what they read and write

    def begin(self, operation: Any) -> None:
        """An operation asks for something; the first time, nothing is seen yet."""
        if operation != self.operation:
            self.operation = operation
            self.seen = {}

    def record(self, store: UUID, key: str) -> RecordWrite | None:
        """What this run wrote there; in a store that it emptied, a removal."""
        found = self.records.get((store, key))
        if found is None and store in self.cleared:
            return RecordWrite(store, key, None, None)
        return found

    def written(self, store: UUID) -> list[RecordWrite]:
        """All that this run wrote to a store, in the order of first writing."""
        return [put for (of, _), put in self.records.items() if of == store]

    def put(self, store: UUID, key: str, data: dict[str, Any] | None) -> None:
        """Writes a record, or removes it; based on what was read when it was first written."""
        place = (store, key)
        before = self.record(store, key)
        expected = before.expected if before is not None else self.seen.get(place)
        self._set("record", self.records, place, RecordWrite(store, key, data, expected))

    def insert(self, store: UUID, key: str, data: dict[str, Any]) -> None:
        """Writes a record under a fresh key: nothing may be there."""
        self._set("record", self.records, (store, key), RecordWrite(store, key, data, 0))

    def remember(self, module: int, scope: str, value: Any) -> None:
        """Remembers a value in a scope."""
        before = self.states.get((module, scope))
        expected = before.expected if before is not None else self.seen.get(module)
        made = StateWrite(module, value, expected)
        self._set("state", self.states, (module, scope), made)

    # For the driver: what it commits or takes back

    def mark(self) -> int:
        """Opens a mark: what is written from here on can be told, and taken back.

        Whoever opens one releases it, in reverse order if there are several.
        """
        self._marks += 1
        return len(self._undo)

    def release(self) -> None:
        """Closes the latest mark; what was written stays. After the last one, nothing of before is
        kept.
        """
        self._marks -= 1
        if not self._marks:
            self._undo.clear()

    def view(self) -> Staged:
        """For an operation that only reads: what it sees is no base for another one's write."""
        return Staged(self.records, self.cleared, self.states, stores=self.stores)

    def restore(self, mark: int) -> None:
        """Back to what was written at the mark, which stays open. Nothing is seen any more."""
        while len(self._undo) > mark:
            kind, key, before = self._undo.pop()
            if kind == "all":
                self.records, self.cleared, self.states = before
            elif kind == "clear":
                self.records, cleared = before
                if not cleared:
                    self.cleared.discard(key)
            else:
                changed: dict[Any, Any] = self.records if kind == "record" else self.states
                if before is None:
                    del changed[key]
                else:
                    changed[key] = before
        self.operation, self.seen = None, {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written."""
        return not (self.records or self.cleared or self.states)

    def since(self, mark: int) -> Staged:
        """What was written after the mark; nothing may have been applied or dropped meanwhile."""
        made = Staged()
        records: dict[RecordKey, None] = {}
        for kind, key, _ in self._undo[mark:]:
            if kind == "record":
                records[key] = None
            elif kind == "state":
                made.states[key] = self.states[key]
            elif kind == "clear":
                records = {place: None for place in records if place[0] != key}
                made.cleared.add(key)
        made.records = {place: self.records[place] for place in records}
        return made

    def add(self, later: Staged) -> None:
        """What `since` gave, written again."""
        for store in later.cleared:
            self.clear(store)
        for place, put in later.records.items():
            self._set("record", self.records, place, put)
        for of, state in later.states.items():
            self._set("state", self.states, of, state)

    def clear(self, store: UUID) -> None:
        """Empties a store."""
        left = {key: put for key, put in self.records.items() if key[0] != store}
        self._note("clear", store, (self.records, store in self.cleared))
        self.records = left
        self.cleared.add(store)

    def _set(self, kind: Undo, into: dict[Any, Any], key: Any, put: Any) -> None:
        self._note(kind, key, into.get(key))
        into[key] = put

    def _note(self, kind: Undo, key: Any, before: Any) -> None:
        if self._marks:
            self._undo.append((kind, key, before))

    def to_apply(self, *, records: bool = True, states: Container[int] | None = None) -> Kept:
        """What a commit writes down: records, and states of these modules (all if ``None``)."""
        return Kept(
            list(self.records.values()) if records else [],
            frozenset(self.cleared) if records else frozenset(),
            [
                put
                for (module, scope), put in self.states.items()
                if scope == "scenario" and (states is None or module in states)
            ],
        )

    def applied(self, kept: Kept) -> None:
        """Forgets what was written down."""
        self._note("all", None, (self.records, self.cleared, self.states))
        done = {put.module for put in kept.states}
        self.states = {
            key: put
            for key, put in self.states.items()
            if key[1] != "scenario" or key[0] not in done
        }
        if kept.records or kept.cleared:
            self.records, self.cleared = {}, set()
        self.seen = {}

    def drop(self, *scopes: str) -> bool:
        """Forgets states of these scopes; with ``scenario``, records too: a rollback. Whether there
        was anything to forget.
        """
        states = {key: put for key, put in self.states.items() if key[1] not in scopes}
        before = (self.states, self.records, self.cleared)
        self._note("all", None, (self.records, self.cleared, self.states))
        self.states = states
        if "scenario" in scopes:
            self.records, self.cleared, self.seen = {}, set(), {}
        return before != (self.states, self.records, self.cleared)

    def as_record(self) -> list[Any]:
        """Plain data for the journal."""
        return [
            [
                [put.store_id.bytes, put.key, put.data, put.expected]
                for put in self.records.values()
            ],
            [store.bytes for store in self.cleared],
            [
                [module, scope, put.value, put.expected]
                for (module, scope), put in self.states.items()
            ],
        ]

    @classmethod
    def from_record(cls, record: list[Any], *, expect: bool = True) -> Staged:
        """What `as_record` gave. Without ``expect`` it is applied whatever is there now."""
        records, cleared, states = record
        made = cls(cleared={UUID(bytes=store) for store in cleared})
        for store, key, data, expected in records:
            put = RecordWrite(UUID(bytes=store), key, data, expected if expect else None)
            made.records[put.store_id, key] = put
        for module, scope, value, expected in states:
            made.states[module, scope] = StateWrite(module, value, expected if expect else None)
        return made
