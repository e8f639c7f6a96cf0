"""The journal that a repeat begins with: what another run has recorded, as far as it is kept.

A run repeated in whole keeps what its trigger gave. One repeated from a module on keeps whatever
that module, and those after it, had no part in; so what was sent before is not sent again. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from junctor.engine.commands import Address
from junctor.engine.context import caller_of, header_of
from junctor.engine.journal import (
    SEGMENT_BYTES,
    Detail,
    Journal,
    Segment,
    Tag,
    decode_segment,
    encode_segment,
)
from junctor.engine.nodes import Path, Step
from junctor.engine.plan import Plan, downstream
from junctor.errors import Conflict, Misconfigured, Uncertain
from junctor.language.connector import Bundle
from junctor.language.files import File, file_of
from junctor.runtime.plans import Prepared

__all__ = ["OUTCOMES", "Past", "Piece", "Repeat", "begins", "look", "records_of"]

Piece = tuple[bytes, Mapping[bytes, bytes]]
"""An opened segment and its blobs, by hash."""
OUTCOMES = frozenset(
    {Tag.OPERATION, Tag.INTENT, Tag.DONE, Tag.STEP, Tag.FAILED, Tag.WAIT, Tag.ANSWER}
)
"""Records of what became of an operation: each has an address."""


def records_of(pieces: Iterable[Piece]) -> Iterator[list[Any]]:
    """The records of a run's segments, in order."""
    for data, blobs in pieces:
        yield from decode_segment(data, blobs)


@dataclass(slots=True)
class Past:
    """What a run's journal says of it, looked through once."""

    header: Mapping[str, Any] = field(default_factory=dict)
    """What it pinned; empty if it has not begun."""
    trigger: int | None = None
    """The module whose bundles began it; ``None`` for a scenario without trigger, and a fork."""
    bundles: list[Bundle] = field(default_factory=list)
    """What that module gave first."""
    cycle: int = 0
    """The last cycle that anything is recorded of."""
    values: dict[str, Any] = field(default_factory=dict)
    end: Mapping[str, Any] | None = None
    """How it ended last."""
    staged: bool = False
    """Whether something was written to data stores and not applied."""
    unknown: set[Address] = field(default_factory=set)
    """Attempts that were perhaps sent, and of which nothing is known."""

    @property
    def failed(self) -> Address | None:
        """The operation that stopped it."""
        at = self.end["failed"] if self.end is not None else None
        return Address(at[0], at[1], tuple(at[2]), at[3]) if at else None

    @property
    def next_edit(self) -> int:
        """The number that a further change of a bundle by a person gets: its value's name."""
        numbers = (int(name[5:]) for name in self.values if name.startswith("edit "))
        return max(numbers, default=-1) + 1

    @property
    def fork(self) -> Mapping[str, Any] | None:
        """Where it begins, if it is a bundle that was set aside."""
        return self.header.get("fork")


def look(records: Iterable[list[Any]]) -> Past:
    """What the records of a run say of it."""
    past = Past()
    first = True
    for record in records:
        tag = record[0]
        if tag == Tag.HEADER:
            past.header = past.header or record[1]
        elif tag == Tag.VALUE:
            past.values.setdefault(record[1], record[2])
        elif tag == Tag.END:
            past.end = record[1]
        elif tag in {Tag.STAGED, Tag.SETTLED}:
            records_, cleared, _ = (record[5] if tag == Tag.STAGED else record[2]) or ((), (), ())
            left = bool(records_ or cleared)
            past.staged = left or (past.staged and tag == Tag.STAGED)
        else:
            past.cycle = max(past.cycle, record[1])
            if tag in {Tag.INTENT, Tag.DONE, Tag.FAILED}:
                at = Address(record[1], record[2], tuple(record[3]), record[4])
                if tag == Tag.INTENT or (tag == Tag.FAILED and record[5]["code"] == Uncertain.code):
                    past.unknown.add(at)
                else:
                    past.unknown.discard(at)
            if first and not record[3] and past.fork is None:
                # A trigger's operation is recorded before all others, whatever the detail.
                past.trigger = record[2]
            if record[2] == past.trigger and tag in {Tag.OPERATION, Tag.DONE} and not past.bundles:
                past.bundles = record[5] if isinstance(record[5], list) else []
            first = False
    return past


def begins(plan: Plan, at: Address, start: int | None) -> int:
    """The module at which a run that stopped ``at`` an operation goes on in a plan: ``start``, or
    the one that failed. `Misconfigured` if it can't.
    """
    if start is None and at.module not in plan.nodes:
        raise Misconfigured(
            f"The run stopped at module {at.module}, which version {plan.version} does not have. "
            "Say which of its modules it is to go on from (`--from`): it has "
            f"{', '.join(map(str, sorted(plan.nodes)))}. What that one and those after it sent is "
            "sent again.",
            module=at.module,
        )
    module = at.module if start is None else start
    if at.module in plan.nodes and at.module not in downstream(plan, module):
        raise Misconfigured(
            f"The run stopped at module {at.module}, which does not come after module {module}; "
            "name that one, or one before it.",
            module=module,
        )
    return module


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """What is repeated, on which version, and what is kept of it."""

    past: Past
    prepared: Prepared
    run_id: str
    """The repeat's own id, as shown."""
    origin: str
    """The run that is repeated."""
    detail: Detail
    start: int | None = None
    """The module from which on everything is done again; ``None``: all but the trigger."""
    cycle: int | None = None
    """Only in this cycle; what others did is kept."""
    way: Path = ()
    """Only on this bundle's way: what other bundles did there is kept."""
    same: bool = False
    """Whether the values of the run (now, seed) are those of the other one."""
    edits: Sequence[tuple[int, int, Path, Bundle]] = ()
    instead: bool = False
    """Whether it takes the other's place: the runs that that one called are its own."""

    def segments(self, records: Iterable[list[Any]]) -> Iterator[Segment]:
        """The journal's first segments, given all records of the other run.

        `Conflict` if it can't be repeated on this version, `Misconfigured` if ``start`` is none of
        the version's modules.
        """
        journal = Journal(self.detail)
        journal.header(self._header())
        for name, value in self._values().items():
            journal.value(name, value)
        if self.past.trigger is not None or self.start is not None:
            keep = self.keeps()
            for record in records:
                if record[0] in OUTCOMES and keep(record):
                    journal.write(tuple(self._placed(record)))
                    if journal.size >= SEGMENT_BYTES and (full := journal.take()):
                        yield full
        first = self.past.next_edit if self.keeps_edits else 0
        for number, (cycle, module, path, bundle) in enumerate(self.edits, first):
            journal.value(f"edit {number}", [cycle, module, list(path), bundle])
        if rest := journal.take():
            yield rest

    def kept(self, records: Iterable[list[Any]]) -> Iterator[list[Any]]:
        """The records that the new run begins with."""
        for segment in self.segments(records):
            yield from records_of([(encode_segment(segment.raw), segment.blobs)])

    def files(self, records: Iterable[list[Any]]) -> dict[bytes, int]:
        """Files beside the other run that what is kept of it names: id → size."""
        return {
            file.id: file.size
            for record in self.kept(records)
            if record[0] in OUTCOMES
            for file in _files_in(record)
        }

    @property
    def keeps_edits(self) -> bool:
        """Whether bundles stay as a person has changed them: what is kept was made of those."""
        return self.past.next_edit > 0 and (self.same or self.start is not None)

    def _header(self) -> dict[str, Any]:
        past, plan = self.past, self.prepared.plan
        head = plan.head
        if not past.header:
            raise Conflict("The run has recorded nothing that could be repeated.")
        triggered = past.fork is None and head is not None and head.step is Step.TRIGGER
        if triggered and past.trigger is None:
            raise Conflict(
                f"Version {plan.version} begins with a trigger, and the run has recorded "
                "nothing that a trigger gave."
            )
        polled = head is not None and head.polls  # it must not be asked for more
        prepared = self.prepared
        header = header_of(
            plan,
            run_id=self.run_id,
            zone=prepared.zone,
            locale=prepared.locale,
            country=prepared.country,
            detail=self.detail,
            cycles=past.cycle + 1 if polled else past.header.get("cycles", 1),
        )
        header["origin"] = self.origin
        header["root"] = caller_of(past.header) if self.instead else self.run_id
        if past.fork is not None:
            header |= {name: past.header[name] for name in ("again", "cycles")}
            header["fork"] = _placed_fork(past.fork, plan, past.header["origin"])
            if not self.instead:
                header["fork"].pop("caller", None)
        return header

    def _values(self) -> dict[str, Any]:
        recorded = self.past.values
        values = {
            name: value
            for name, value in recorded.items()
            if self.same or (self.keeps_edits and name.startswith("edit "))
        }
        if self.prepared.plan.variables and "variables" not in values:
            inputs = recorded.get("variables", {}).get("input")
            if inputs is None and self.prepared.inputs:
                inputs = self.prepared.given(self.past.bundles or None)[1]
            values["variables"] = self.prepared.variables(self.run_id, inputs)
        values.pop("start", None)
        values.pop("lines", None)  # nobody waits for it
        return values

    def keeps(self) -> Callable[[list[Any]], bool]:
        """Whether an outcome that is recorded is taken, and not made again."""
        trigger, way = self.past.trigger, self.way
        plan = self.prepared.plan
        if self.start is None:
            return lambda record: record[2] == trigger and not record[3]
        again = downstream(plan, self.start)
        before = self.past.header["pins"]
        pins = plan.pins

        def keep(record: list[Any]) -> bool:
            module, path = record[2], record[3]
            if module == trigger and not path:
                return True
            node = plan.nodes.get(module)
            if node is None or not _same_module(before.get(module), pins.get(module)):
                return False
            if module not in again or (self.cycle is not None and record[1] != self.cycle):
                return True
            return not _on_the_way(tuple(path), way)

        return keep

    def _placed(self, record: list[Any]) -> list[Any]:
        """The record, of the trigger under the number that it has in this version."""
        head = self.prepared.plan.head
        if record[2] != self.past.trigger or record[3] or head is None:
            return record
        return [*record[:2], head.id, *record[3:]]


def _same_module(before: Any, now: tuple[str, int, str] | None) -> bool:
    """Whether a module's number still stands for the same module."""
    return (before is None) == (now is None) and (now is None or before[0] == now[0])


def _on_the_way(path: Path, way: Path) -> bool:
    """Whether a bundle came of another, or that of it."""
    shorter = min(len(path), len(way))
    return path[:shorter] == way[:shorter]


def _placed_fork(fork: Mapping[str, Any], plan: Plan, fork_of: str) -> dict[str, Any]:
    """Where a bundle's way goes on in this version; what no module of it can read is left out."""
    needed = {fork["module"], *(module for module, _ in fork["open"])}
    missing = sorted(needed - set(plan.nodes))
    if missing:
        raise Conflict(
            f"This run is a bundle that was set aside, and its way began in modules {missing}, "
            f"which version {plan.version} does not have. Retry it on its own version, or replay "
            f"{fork_of} on this one.",
            modules=missing,
        )
    env = {module: bundle for module, bundle in fork["env"].items() if int(module) in plan.nodes}
    return {**fork, "env": env}


def _files_in(value: Any) -> Iterator[File]:
    found = file_of(value)
    if found is not None:
        yield found
    elif isinstance(value, dict):
        for each in value.values():
            yield from _files_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from _files_in(each)
