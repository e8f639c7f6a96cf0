"""Runs told again on another version, without anything being sent: one, or the last thousand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from junctor.adapters.postgres.database import tenant
from junctor.adapters.postgres.queries import load as queries
from junctor.app.again import Version, opened, prepared_of, version_of
from junctor.app.core import Core
from junctor.app.running import Piece
from junctor.errors import Conflict, JunctorError
from junctor.language import ids
from junctor.ports.catalog import Scenario
from junctor.runtime.compared import Change, beside, compare
from junctor.runtime.flight import segment_aad
from junctor.runtime.plans import Prepared
from junctor.runtime.repeats import OUTCOMES, Repeat, look, records_of
from junctor.runtime.retold import Answers, tell

__all__ = ["Backtest", "Compared", "backtest", "compare_run", "compare_runs"]

AT_ONCE = 100
"""Runs whose journals are read together."""
MOST_SEGMENTS = 256
"""Of those: a longer run is read by itself, and one with more is not told again."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A recorded run, and how it goes on a version."""

    run_id: UUID
    version: int
    """The one that it was recorded with."""
    changes: Sequence[Change] = ()
    problem: str = ""
    """Why it can't be told again, if it can't."""


@dataclass(slots=True)
class Backtest:
    """What a version would have made of the last runs."""

    version: int
    runs: int = 0
    changed: list[Compared] = field(default_factory=list)
    """Those that go another way, newest first."""
    untold: list[Compared] = field(default_factory=list)
    """Those that can't be told again."""

    @property
    def kinds(self) -> dict[str, int]:
        """How many runs have a change of each kind."""
        counts: dict[str, int] = {}
        for each in self.changed:
            for kind in {change.kind for change in each.changes}:
                counts[kind] = counts.get(kind, 0) + 1
        return counts


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A run's row, as far as it matters here."""

    id: UUID
    version: int
    warnings: int
    started_at: datetime
    segments: int


async def compare_run(
    core: Core,
    organization_id: UUID,
    run_id: UUID,
    *,
    version: Version = None,
    start: int | None = None,
) -> Compared:
    """How a run would go on a version, from its trigger or from a module on. Nothing is sent:
    effects are answered from its journal, waits take no time.

    `Conflict` if nothing is recorded to begin with, or it has not ended.
    """
    source = await opened(core, organization_id, run_id)
    if source.past.end is None:
        raise Conflict(
            f"{source.shown} is {source.run.state} and has not come to its end: there is nothing "
            "to compare with.",
            run=source.shown,
        )
    scenario = await core.catalog.scenario(organization_id, source.run.scenario_id)
    number = version_of(scenario, version, source.run.version)
    prepared = await prepared_of(core, scenario, number)
    row = _Recorded(
        run_id, source.run.version, source.run.warnings, source.run.started_at, len(source.pieces)
    )
    return Compared(run_id, row.version, _told(prepared, row, source.pieces, start))


async def compare_runs(core: Core, organization_id: UUID, run_id: UUID, other_id: UUID) -> Compared:
    """How another run, a replay of this one, went beside it: as their journals say."""
    source = await opened(core, organization_id, run_id)
    other = await opened(core, organization_id, other_id)
    if source.past.end is None or other.past.end is None:
        shown = (source if source.past.end is None else other).shown
        raise Conflict(f"{shown} has not ended, so there is nothing to compare.", run=shown)
    changes = beside(
        source.past,
        source.records(),
        other.past,
        other.records(),
        warnings=(source.run.warnings, other.run.warnings),
    )
    return Compared(run_id, source.run.version, changes)


async def backtest(
    core: Core, scenario: Scenario, *, last: int, version: Version = "draft"
) -> Backtest:
    """The last runs that have ended, told again on a version: which go another way, and how."""
    number = version_of(scenario, version, scenario.draft)
    prepared = await prepared_of(core, scenario, number)
    made = Backtest(number)
    async for row, pieces in _recorded(core, scenario, last):
        made.runs += 1
        if isinstance(pieces, str):
            made.untold.append(Compared(row.id, row.version, problem=pieces))
            continue
        try:
            changes = _told(prepared, row, pieces, None)
        except JunctorError as error:
            made.untold.append(Compared(row.id, row.version, problem=error.message))
        else:
            if changes:
                made.changed.append(Compared(row.id, row.version, changes))
        await asyncio.sleep(0)
    return made


def _told(
    prepared: Prepared, row: _Recorded, pieces: Sequence[Piece], start: int | None
) -> list[Change]:
    records = list(records_of(pieces))
    past = look(records)
    if past.end is None:
        raise Conflict("Its journal has no end: it stopped before it had done anything.")
    shown = ids.show("run", row.id)
    repeat = Repeat(
        past=past, prepared=prepared, run_id=shown, origin=shown, detail="full", start=start,
        same=True,
    )  # fmt: skip
    answers = Answers(records)
    told = tell(prepared, repeat.segments(records), answers, run_id=shown, now=row.started_at)
    keeps = repeat.keeps()
    again = (each for each in records if not (each[0] in OUTCOMES and keeps(each)))
    return compare(past, again, told, warnings=row.warnings)


async def _recorded(
    core: Core, scenario: Scenario, last: int
) -> AsyncIterator[tuple[_Recorded, list[Piece] | str]]:
    """The last runs with their opened journals; or why one can't be read."""
    before: UUID | None = None
    while last > 0:
        rows = [
            _Recorded(*row)
            for row in await _fetch(
                core,
                scenario,
                "last_runs",
                {
                    "organization": scenario.organization_id,
                    "scenario": scenario.id,
                    "before": before,
                    "limit": min(last, AT_ONCE),
                },
            )
        ]
        if not rows:
            return
        last -= len(rows)
        before = rows[-1].id
        batch: list[_Recorded] = []
        for row in rows:
            if batch and sum(each.segments for each in batch) + row.segments > MOST_SEGMENTS:
                async for found in _opened(core, scenario, batch):
                    yield found
                batch = []
            batch.append(row)
        async for found in _opened(core, scenario, batch):
            yield found


async def _opened(
    core: Core, scenario: Scenario, rows: Sequence[_Recorded]
) -> AsyncIterator[tuple[_Recorded, list[Piece] | str]]:
    organization = scenario.organization_id
    short = [row.id for row in rows if row.segments <= MOST_SEGMENTS]
    keyring = await core.vault.keyring(organization)
    sealed: dict[UUID, list[Any]] = {}
    for stored in await _fetch(
        core, scenario, "journals", {"organization": organization, "runs": short}
    ):
        sealed.setdefault(stored[0], []).append(stored)
    for row in rows:
        if row.segments > MOST_SEGMENTS:
            yield row, f"Its journal has {row.segments} segments; {MOST_SEGMENTS} are read here."
            continue
        pieces: list[Piece] = []
        try:
            for run_id, seq, data, names in sealed.pop(row.id, ()):
                blobs = {name: await core.blobs.get(organization, run_id, name) for name in names}
                raw = keyring.open(data, segment_aad(organization, run_id, seq))
                pieces.append((raw, blobs))
        except JunctorError as error:  # its key is gone, or a blob
            yield row, error.message
        else:
            yield row, pieces


async def _fetch(core: Core, scenario: Scenario, query: str, values: dict[str, Any]) -> list[Any]:
    async with tenant(core.api, scenario.organization_id) as connection:
        cursor = await connection.execute(queries("again")[query], values)
        return await cursor.fetchall()
