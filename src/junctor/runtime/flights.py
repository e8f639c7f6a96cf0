"""Runs made ready to be stepped: from a delivery, or from what they wrote before."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from junctor.engine.journal import Journal
from junctor.engine.recording import Recording
from junctor.engine.run import Run
from junctor.errors import DataError, JunctorError
from junctor.language import ids
from junctor.language.connector import Bundle
from junctor.ports.backlog import Backlog, Claim, Taken
from junctor.ports.blobs import Blobs
from junctor.ports.vault import Vault
from junctor.runtime.envelope import Lines, Manual, lines_of, pack_lines, unpack
from junctor.runtime.flight import Flight, segment_aad
from junctor.runtime.plans import Prepared
from junctor.runtime.staging import Staged

__all__ = ["Flights"]


class Flights:
    """Makes flights. ``prepare`` gives a claim's version, or why it can't be had."""

    def __init__(
        self,
        backlog: Backlog,
        vault: Vault,
        blobs: Blobs,
        prepare: Callable[[Claim, int], Awaitable[Prepared | JunctorError]],
    ) -> None:
        self._backlog = backlog
        self._vault = vault
        self._blobs = blobs
        self._prepare = prepare

    async def bare(self, claim: Claim, run_id: UUID, server: str | None) -> Flight:
        """A run that has nothing to step yet; as it is, it can only end, its delivery parked."""
        return Flight(
            claim=claim,
            run_id=run_id,
            prepared=None,
            version=claim.published or claim.draft,
            keyring=await self._vault.keyring(claim.organization_id),
            journal=Journal(),
            retention=claim.retention,
            server=server,
            trigger="delivery",
            actor="system",
            started_at=datetime.now(UTC),
            parks=True,
        )

    async def of_delivery(
        self, claim: Claim, prepared: Prepared, delivery: Taken, *, read_back: bool = False
    ) -> Flight:
        """A run of a delivery, ready to be stepped; with ``read_back``, from what it wrote."""
        call = unpack(delivery.id, delivery.payload, delivery.received_at)
        trigger, actor = "delivery", "hook"
        lines: Lines = ()
        if isinstance(call, Manual):
            trigger, actor = call.trigger, call.actor
            lines = lines_of(call.options.get("lines"))
            if call.version and call.version != prepared.version:
                other = await self._prepare(claim, call.version)
                if isinstance(other, JunctorError):
                    raise other
                prepared = other
        flight = await self.bare(claim, delivery.id, delivery.server)
        flight.prepared, flight.version, flight.parks, flight.stored = (
            prepared,
            prepared.version,
            False,
            True,
        )
        flight.trigger, flight.actor, flight.lines = trigger, actor, lines
        flight.journal = Journal(claim.detail)
        recording = await self.read_back(flight) if read_back else None
        begun = recording.header.get("version") if recording is not None else None
        if begun is not None and begun != prepared.version:  # another was published meanwhile
            other = await self._prepare(claim, begun)
            if isinstance(other, JunctorError):
                raise other
            flight.prepared, flight.version = other, begun
        bundles: list[dict[str, Any]] | None = None
        cycles = 1
        assert flight.prepared is not None
        inputs: Bundle = {}
        if isinstance(call, Manual):
            bundles, inputs = flight.prepared.given(call.bundles)
            usual = flight.prepared.plan.cycles if trigger == "schedule" else 1
            cycles = call.options.get("cycles", usual)
            flight.start = call.options.get("start", "now")
            head = flight.prepared.plan.head if flight.prepared is not None else None
            hooked = head is not None and head.definition is not None and head.definition.hook
            if bundles is None and hooked:
                # A hook gives nothing by itself; the schedule was that of another version.
                bundles = [] if trigger == "schedule" else [{}]
        elif recording is None:
            head = prepared.plan.head
            definition = head.definition if head is not None and prepared.plan.trigger else None
            if definition is None or definition.hook is None:
                raise DataError(reason="the scenario has no trigger that takes deliveries")
            bundles = [dict(bundle) for bundle in definition.function(call)]
            inputs = prepared.given(None)[1]
        self.load(flight, recording, bundles, cycles, inputs)
        return flight

    def load(
        self,
        flight: Flight,
        recording: Recording | None,
        bundles: list[dict[str, Any]] | None = None,
        cycles: int = 1,
        inputs: Bundle | None = None,
        *,
        edited: bool = False,
    ) -> None:
        """Gives the flight its steps. ``inputs`` are recorded as it begins, if anything reads
        them, and not needed to go on.
        """
        prepared = flight.prepared
        assert prepared is not None
        shown = ids.show("run", flight.run_id)
        if recording is not None and recording.header.get("origin"):
            flight.origin = ids.read("run", recording.header["origin"])
            flight.header = recording.header
        run = Run(
            prepared.plan,
            run_id=shown,
            journal=flight.journal,
            recording=recording,
            clock=_now,
            seed=os.urandom(16),
            variables=prepared.variables(shown, inputs),
            zone=prepared.zone,
            locale=prepared.locale,
            country=prepared.country,
            cycles=cycles,
            edits=recording.edits() if edited and recording is not None else None,
        )
        # Its delivery, that says who waits, leaves the inbox when it stops, and it may go on.
        if recording is None and flight.lines:
            flight.journal.value("lines", pack_lines(flight.lines))
        elif recording is not None and flight.trigger == "call":
            flight.lines = lines_of(recording.began_with("lines", ()))
        polls = prepared.plan.head is not None and prepared.plan.head.polls
        if recording is None and polls and flight.start != "now":
            flight.journal.value(
                "start", flight.start
            )  # the delivery that says so leaves the inbox
        if recording is not None and prepared.plan.remembers:
            known = recording.overview()
            flight.start = known.values.get("start", flight.start)
            for record in known.staged:
                # Whoever resumes a run that could not commit wants it written all the same.
                flight.staged.add(Staged.from_record(record, expect=not known.ends))
        flight.steps = run.execute(bundles)

    async def read_back(self, flight: Flight) -> Recording | None:
        """What the run wrote before; ``None`` if it has not begun."""
        organization = flight.claim.organization_id
        rows = await self._backlog.recorded(organization, flight.run_id)
        if not rows:
            return None
        blobs = {}
        for _, _, names in rows:
            for name in names:
                blobs[name] = await self._blobs.get(organization, flight.run_id, name)
        segments = [
            flight.keyring.open(data, segment_aad(organization, flight.run_id, seq))
            for seq, data, _ in rows
        ]
        flight.seq = rows[-1][0] + 1
        row = await self._backlog.run_row(organization, flight.run_id)
        if row is not None:
            flight.visible = True
            flight.retention, flight.started_at = row[0].retention, row[0].started_at
            flight.trigger, flight.actor = row[0].trigger, row[0].actor
        return Recording(segments, blobs)


def _now() -> datetime:
    return datetime.now(UTC)
