"""What a run's flight writes: segments of its journal, its row, its last word."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from junctor.engine.commands import Aside, Result
from junctor.engine.forks import journal_of
from junctor.engine.journal import Journal, encode_segment
from junctor.errors import JunctorError
from junctor.language import ids
from junctor.ports.ledger import RunRow, SegmentRow, Told, Write
from junctor.runtime.flight import ACCEPTED, FAILED, Flight, segment_aad

__all__ = ["last_write", "next_write", "running_row", "set_aside", "storable"]

_TOLD = frozenset({"delivery", "schedule", "break"})
"""What starts the runs whose stops are told: a person sees their own tries and repeats, and who
called what became of it.
"""


def next_write(flight: Flight, journal: Journal | None = None) -> Write:
    """What the journal (the flight's, or another of its records) holds now, sealed."""
    write = Write(claim=flight.claim, run_id=flight.run_id, retention=flight.retention)
    taken = (journal or flight.journal).take()
    if taken is not None:
        aad = segment_aad(flight.claim.organization_id, flight.run_id, flight.seq)
        sealed = flight.keyring.seal(encode_segment(taken.raw), aad)
        write.segments = (SegmentRow(flight.seq, sealed, b"".join(taken.blobs)),)
        write.blobs = taken.blobs
        flight.seq += 1
    if flight.unsent_answer and flight.server is not None:
        write.answer, write.server = flight.answer, flight.server
    flight.unsent_answer = False
    write.forks, flight.forks = flight.forks, []
    return write


def set_aside(flight: Flight, aside: Aside, now: float) -> None:
    """A bundle's rest of the way, as a run of its own: stored with the next write."""
    failed = aside.result.failed
    assert failed is not None
    run_id = ids.derived(flight.run_id, *failed)
    journal = journal_of(aside, ids.show("run", run_id))
    fork = replace(
        flight, run_id=run_id, journal=journal, seq=0, forks=[], stored=False, parks=False,
        server=None, answer=None, unsent_answer=False, trigger="break", origin=flight.run_id,
        awaits=False, lines=(),
    )  # fmt: skip
    write = last_write(fork, aside.result, now)
    # Once its parent is over: until then that one must be taken up again if its worker dies.
    write.blocks = False
    write.tells = ()  # with its parent's end, for all of them at once
    flight.forks.append(write)
    flight.returns |= fork.returns
    flight.stands = flight.stands or run_id
    if aside.result.again is None and aside.result.error is not None:
        flight.left = flight.left or (run_id, aside.result.error)
        flight.left_count += 1


def running_row(flight: Flight, due: datetime | None, reason: str = "time") -> RunRow:
    """The row of a run that goes on: now, or after a wait."""
    return RunRow(
        version=flight.version,
        state="running" if due is None else "waiting",
        wait_reason=None if due is None else reason,
        due_at=due,
        trigger=flight.trigger,
        actor=flight.actor,
        started_at=flight.started_at,
        segments=flight.seq,
    )


def last_write(flight: Flight, result: Result, now: float) -> Write:
    """The last write of a run that ended at ``now`` (epoch seconds)."""
    flight.state, flight.error = result.status, result.error
    if flight.answer is None and flight.server is not None:
        flight.answer = ACCEPTED if result.status == "finished" else FAILED
        flight.unsent_answer = True
    error = None
    if result.error is not None:
        error = json.dumps(storable(result.error.as_record()), default=str)
    due = None
    if result.again is not None:
        due = datetime.fromtimestamp(now + result.again, UTC)
        flight.returns = flight.again = True
    write = next_write(flight)
    write.due_at = due
    write.row = RunRow(
        version=flight.version,
        # Rolled back by its own handler: over, with its error, and nothing to go on with.
        state="discarded" if result.status == "failed" else result.status,
        wait_reason=None,
        due_at=due,
        trigger=flight.trigger,
        actor=flight.actor,
        started_at=flight.started_at,
        ended_at=datetime.fromtimestamp(now, UTC),
        operations=result.operations,
        bytes=result.bytes,
        segments=flight.seq,
        error=error,
        failed_module=result.failed.module if result.failed else None,
        dropped=json.dumps(result.dropped) if result.dropped else None,
        name=storable(result.name) or None,
        warnings=result.warnings,
        origin=flight.origin,
    )
    write.done, write.parked = flight.stored, flight.parks
    write.blocks = flight.claim.ordered and result.status in {"incomplete", "uncertain"}
    if result.warnings and flight.stands is None:
        flight.stands = flight.run_id  # which it was, a release finds out (`next_blocker`)
    if flight.claim.ordered and not write.blocks:
        write.stands = flight.stands
    write.stills = flight.awaits
    write.tells = _tells(flight, now) if flight.trigger in _TOLD else ()
    return write


def _tells(flight: Flight, now: float) -> list[Told]:
    """What somebody must look at, as nobody tries it again by itself."""
    found: list[tuple[UUID, JunctorError, dict[str, Any]]] = []
    if flight.left is not None:  # one notice for them all: a run may set a million aside
        run_id, why = flight.left
        found.append((run_id, why, {"state": "incomplete", "bundles": flight.left_count}))
    stopped = flight.state in {"incomplete", "uncertain"} and not flight.again
    if flight.error is not None and stopped:
        found.append((flight.run_id, flight.error, {"state": flight.state}))
    tells = []
    for run_id, error, params in found:
        # Not what was said: that stays in the run, whose journal is encrypted and goes in time.
        params |= {"code": error.code, "type": error.make_type}
        notice = ids.derived_at(int(now * 1000), flight.run_id, "told", run_id.bytes, str(now))
        tells.append(Told(notice, run_id, json.dumps(storable(params))))
    return tells


def storable(value: Any) -> Any:
    """The value as the database can keep it as JSON: without NUL, lone surrogates and infinities.

    Vendors' texts come here as they are; one that can't be stored would keep its run from ending.
    """
    if isinstance(value, str):
        return str(value).replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {storable(str(name)): storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
