"""A run told again without doing anything: effects are answered from a journal.

The engine runs as it always does, on any version of the scenario; waits take no time. What the
journal knows an operation's outcome of is answered so, whatever its arguments are now; what it does
not know would be sent, and is answered with nothing. A wait for a delivery or a person ends as it
did; one that the journal does not know, as if its time were over. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from junctor.engine.commands import (
    Address,
    Await,
    Call,
    Command,
    Flush,
    Outcome,
    Result,
    Start,
    Wait,
)
from junctor.engine.journal import Journal, Segment, Tag, decode_segment, encode_segment, revive
from junctor.engine.nodes import Path
from junctor.engine.recording import Recording
from junctor.engine.run import Run
from junctor.errors import Fault, JunctorError, TooLarge, Uncertain
from junctor.language.connector import ModuleDef
from junctor.runtime.plans import Prepared
from junctor.runtime.repeats import OUTCOMES

__all__ = ["MOST_OPERATIONS", "Answers", "Place", "Told", "reached", "tell"]

MOST_OPERATIONS = 100_000
"""A run with more is not told again: what is told is kept in memory."""

Place = tuple[int, int, Path]
"""Cycle, module and the bundle's path: an operation, whatever its attempt."""


class Answers:
    """How a run's effects ended, as its journal says."""

    def __init__(self, records: Iterable[list[Any]]) -> None:
        self._pins: Mapping[int, Any] = {}
        self._known: dict[Place, list[tuple[int, Outcome]]] = {}
        self._came: dict[Place, Any] = {}
        """What operations gave that had waited: for a time, a delivery or a person."""
        ends = 0
        waited: set[Place] = set()
        open_intents: set[Place] = set()
        for record in records:
            tag = record[0]
            if tag == Tag.HEADER:
                self._pins = self._pins or record[1]["pins"]
            elif tag == Tag.END:
                ends += 1
            elif tag == Tag.WAIT:
                waited.add(_place(record))
            elif tag == Tag.OPERATION and waited and _place(record) in waited:
                self._came[_place(record)] = record[5]
            elif tag == Tag.INTENT:
                open_intents.add(_place(record))
            elif tag == Tag.DONE:
                place = _place(record)
                open_intents.discard(place)
                self._add(place, ends, Outcome(record[5], bytes=record[6]))
            elif tag == Tag.FAILED:
                place = _place(record)
                open_intents.discard(place)
                self._add(place, ends, Outcome(error=revive(record[5])))
        for place in open_intents:
            self._add(place, ends, Outcome(error=Uncertain()))

    def _add(self, place: Place, ends: int, outcome: Outcome) -> None:
        tries = self._known.setdefault(place, [])
        if tries and (tries[-1][0] != ends or isinstance(tries[-1][1].error, Uncertain)):
            tries.clear()  # it was resumed since, or settled: so it ended
        tries.append((ends, outcome))

    def of(self, call: Call) -> Outcome | None:
        """What became of it; ``None`` if it was never tried, or by another module.

        Attempts after the last one that is known end as that did.
        """
        tries = self._known.get(call.address[:3])
        if not tries or not self._made(call.address, call.module):
            return None
        return tries[min(call.address.attempt, len(tries) - 1)][1]

    def of_wait(self, wait: Wait, module: ModuleDef) -> Outcome:
        """What a wait for a delivery or a person came to; its time is over, if that is unknown."""
        assert wait.awaited is not None
        place = wait.address[:3]
        if self._made(wait.address, module):
            came = self._came.get(place)
            if isinstance(came, dict):
                return Outcome([came])
            if place in self._known:  # it could not be waited for
                return self._known[place][-1][1]
        return Outcome([wait.awaited.outcome(None, wait.awaited.seconds)])

    def _made(self, address: Address, module: ModuleDef) -> bool:
        """Whether what is recorded there is of the same module."""
        pin = self._pins.get(address.module)
        return pin is not None and pin[0] == module.id


def _place(record: list[Any]) -> Place:
    return record[1], record[2], tuple(record[3])


@dataclass(slots=True)
class Told:
    """What happened."""

    result: Result
    records: list[list[Any]] = field(default_factory=list)
    """The records of its operations, as a journal has them."""
    new: set[Place] = field(default_factory=set)
    """Operations that the journal knew nothing of: they would be sent."""


def tell(
    prepared: Prepared,
    segments: Iterable[Segment],
    answers: Answers,
    *,
    run_id: str,
    now: datetime,
) -> Told:
    """Runs a version from the segments that its journal begins with (`repeats.Repeat`).

    ``now`` is what the run takes for now, unless that is recorded. Raises `Conflict` if they are of
    another version, `TooLarge` on more than `MOST_OPERATIONS`.
    """
    told = Told(Result("finished"))

    def answer(call: Call) -> Outcome:
        known = answers.of(call)
        if known is not None:
            return known
        told.new.add(call.address[:3])
        return Outcome([] if call.module.kind == "search" else [{}])

    journal = Journal()
    run = _run(prepared, segments, journal, run_id, now)
    told.result = _play(run, journal, answer, answers.of_wait, told.records)
    return told


def reached(
    prepared: Prepared, segments: Iterable[Segment], place: Place, *, run_id: str, now: datetime
) -> Call | None:
    """What is asked for at an operation, given segments in which nothing is recorded of it but of
    all before it; ``None`` if the run does not come there.
    """
    found: list[Call] = []

    def answer(call: Call) -> Outcome:
        if call.address[:3] == place:
            found.append(call)
        raise _There

    def waited(_wait: Wait, _module: ModuleDef) -> Outcome:
        raise _There  # nothing is sent for it

    journal = Journal()
    with suppress(_There):
        _play(_run(prepared, segments, journal, run_id, now), journal, answer, waited, [])
    return found[0] if found else None


class _There(Exception):
    """Far enough."""


def _run(
    prepared: Prepared, segments: Iterable[Segment], journal: Journal, run_id: str, now: datetime
) -> Run:
    blobs: dict[bytes, bytes] = {}
    encoded = []
    for segment in segments:
        blobs.update(segment.blobs)
        encoded.append(encode_segment(segment.raw))
    recording = Recording(encoded, blobs)
    return Run(
        prepared.plan,
        run_id=run_id,
        journal=journal,
        recording=recording,
        clock=lambda: now,
        seed=b"told again",
        variables=prepared.variables(run_id),
        zone=prepared.zone,
        locale=prepared.locale,
        country=prepared.country,
        edits=recording.edits(),
    )


def _play(
    run: Run,
    journal: Journal,
    answer: Callable[[Call], Outcome],
    waited: Callable[[Wait, ModuleDef], Outcome],
    records: list[list[Any]],
) -> Result:
    begun: list[Call] = []

    def done(command: Command) -> Any:
        if run.operations > MOST_OPERATIONS:
            raise TooLarge(f"A run of more than {MOST_OPERATIONS:,} operations is not told again.")
        if type(command) is Call:
            return _called(command, journal, answer)
        if type(command) is Start:
            begun.append(command.call)
            return len(begun) - 1
        if type(command) is Await:
            return _called(begun[command.ticket], journal, answer)
        if type(command) is Wait:
            if command.due is None:
                journal.wait(command.address, 0.0)
            if command.awaited is not None:
                module = run.plan.nodes[command.address.module].definition
                assert module is not None  # it has just said what it waits for
                return waited(command, module)
        elif type(command) is Flush:
            _drain(journal, records)
        return None  # nothing is settled, answered or set aside

    steps = run.execute(None)
    value: Any = None
    try:
        while True:
            value = done(steps.send(value))
    except StopIteration as stop:
        result: Result = stop.value
    except (_There, TooLarge):
        raise
    except Exception as error:  # as a driver would take it
        known = error if isinstance(error, JunctorError) else Fault(reason=repr(error))
        result = Result("incomplete", run.operations, error=known)
    _drain(journal, records)
    return result


def _called(call: Call, journal: Journal, answer: Callable[[Call], Outcome]) -> Outcome:
    outcome = answer(call)
    if outcome.error is not None:
        journal.failed(call.address, outcome.error)
    else:
        journal.done(call.address, outcome.bundles, outcome.bytes, 0, call.arguments)
    return outcome


def _drain(journal: Journal, records: list[list[Any]]) -> None:
    taken = journal.take()
    if taken is not None:
        each = decode_segment(encode_segment(taken.raw), taken.blobs)
        records.extend(record for record in each if record[0] in OUTCOMES)
