"""Notices: what somebody may have to know, written down where it happens.

Failures of a scenario in a row are counted here, too; one that asks for its items by itself is
switched off after as many as its settings say (``maxErrors``), as it would fail for ever. What
comes by hook keeps coming in and is kept, so such a scenario stays on. Telling is another's work
(`runtime.notifying`): a notice is a row. That a run has stopped is written in the commit of its end
(`runtime.writes`), so that it is lost with nothing; what is counted here is written right after, so
a worker that is killed in between counts one failure less.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec
import structlog
from psycopg import AsyncConnection

from junctor.adapters.postgres.database import Pool
from junctor.adapters.postgres.hot import Line
from junctor.adapters.postgres.queries import load
from junctor.adapters.system import system_ids
from junctor.errors import JunctorError, Retry
from junctor.language.ids import derived, uuid7
from junctor.ports.backlog import Claim
from junctor.runtime.flight import Flight

__all__ = ["Kind", "Notices", "backup_failed", "once_a_day"]

log = structlog.get_logger(__name__)

Kind = Literal[
    "run_stopped",
    "errors_repeated",
    "scenario_deactivated",
    "queue_full",
    "connection_marked",
    "connection_expires",
    "key_old",
    "unusual_use",
    "disk_low",
    "backup_failed",
    "spool_damaged",
]
"""``run_stopped``: a run is incomplete or uncertain and nobody tries it again by itself;
``errors_repeated``: the 3rd, 10th, 100th … failure in a row; the others as they read.
"""

_REPEATED = frozenset({3, 10, 100, 1000, 10_000})
_AT_ONCE = 500
"""Ends that are counted in one commit; so long others wait for the line."""
_BY_ITSELF = frozenset({"delivery", "schedule"})
"""What starts the runs that count: a person's own tries, repeats and calls do not."""

_Scenario = tuple[UUID, UUID]
_Notice = tuple[UUID, UUID, Kind, UUID | None, UUID | None, str, str]


class _Said(NamedTuple):
    """What notices say of an error."""

    code: str
    type: str

    @classmethod
    def of(cls, error: JunctorError) -> _Said:
        return cls(error.code, error.make_type)


@dataclass(frozen=True, slots=True)
class _End:
    """What has to be known of a run that ended: not the run itself, as many may wait here."""

    claim: Claim
    run_id: UUID
    counts: bool
    """Whether it is one of those in a row, or was a person's own."""
    error: _Said | None
    state: str
    most: int | None
    """Failures in a row that switch its scenario off, if any do."""

    @classmethod
    def of(cls, flight: Flight) -> _End:
        error = flight.error
        plan = flight.prepared.plan if flight.prepared is not None else None
        asks = plan is not None and (flight.trigger == "schedule" or _polls(plan.head))
        most = plan.max_errors if plan is not None and asks and not isinstance(error, Retry) else 0
        return cls(
            claim=flight.claim,
            run_id=flight.run_id,
            # A run that is tried again was counted when it stopped first.
            counts=flight.trigger in _BY_ITSELF and not (flight.tried and error is not None),
            error=_Said.of(error) if error is not None else None,
            state=flight.state,
            most=most or None,
        )

    @property
    def failed(self) -> bool:
        """Whether it is one more failure in a row."""
        return self.counts and self.error is not None

    @property
    def scenario(self) -> _Scenario:
        return self.claim.organization_id, self.claim.scenario_id


class _Row:
    """A scenario's failures in a row, as they are being counted."""

    def __init__(self, errors: int, active: bool) -> None:
        self.errors, self.active = errors, active
        self._was = (errors, active)

    @property
    def changed(self) -> bool:
        """Whether it isn't what is stored."""
        return (self.errors, self.active) != self._was

    def count(self, end: _End) -> Kind | None:
        """Counts one; the notice that is due now."""
        if end.error is None:
            self.errors = 0
            return None
        self.errors += 1
        if self.active and end.most is not None and self.errors >= end.most:
            self.active = False
            return "scenario_deactivated"
        return "errors_repeated" if self.errors in _REPEATED else None


class Notices:
    """Writes notices. One per worker process."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._sql = load("notices")
        self._ids = system_ids()
        self._over: list[_End] = []
        self._failing: Counter[_Scenario] = Counter()
        """Failures that are not counted yet: a success after them ends their row all the same."""
        self._turn = asyncio.Lock()

    async def add(
        self,
        kind: Kind,
        organization_id: UUID,
        *,
        scenario_id: UUID | None = None,
        run_id: UUID | None = None,
        subject: str = "",
        params: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes one down."""
        row = self._row(kind, organization_id, scenario_id, run_id, params or {}, subject=subject)

        async def work(connection: AsyncConnection[Any]) -> None:
            await self._add(connection, [row])

        await self._line.run(work)

    def concerns(self, flight: Flight) -> bool:
        """Whether the end of a run changes anything that `ended` would write."""
        if flight.trigger not in _BY_ITSELF:
            return False
        if flight.error is not None:
            return not flight.tried
        claim = flight.claim
        return (claim.organization_id, claim.scenario_id) in self._failing or claim.errors > 0

    def ended(self, flight: Flight) -> Coroutine[Any, Any, None]:
        """Counts how a run ended; never raises, as the run is over whatever becomes of this.

        Those that end meanwhile go into one commit, and a scenario's failures into one number:
        where each of a million deliveries fails, others would wait behind as many.
        """
        end = _End.of(flight)
        self._over.append(end)  # now, not when it has its turn: `concerns` looks at it
        if end.failed:
            self._failing[end.scenario] += 1
        return self._counted()

    async def _counted(self) -> None:
        async with self._turn:  # a turn for each, so its own has been written when it returns
            some, self._over = self._over[:_AT_ONCE], self._over[_AT_ONCE:]
            if some:
                await self._written(some)
                self._failing -= Counter(end.scenario for end in some if end.failed)

    async def caught_up(self, most: int = 0) -> None:
        """Waits until no more than so many ends are left to be counted."""
        while len(self._over) > most:
            async with self._turn:  # behind those that wait for theirs
                pass

    async def _written(self, ends: Sequence[_End]) -> None:
        number: str | None = None
        """Of the transaction that was made, perhaps: its answer may have been lost."""

        async def work(connection: AsyncConnection[Any]) -> dict[_Scenario, _Row]:
            nonlocal number
            async with connection.transaction():
                rows = await self._locked(connection, ends)
                if number is not None and await self._asked(connection, "made", number=number):
                    return rows
                notices = [each for end in ends for each in self._told(end, rows.get(end.scenario))]
                changed = {key: row for key, row in rows.items() if row.changed}
                if changed:
                    await connection.execute(self._sql["set_errors"], _counts(changed))
                if notices:
                    await self._add(connection, notices)
                if changed or notices:
                    number = await self._asked(connection, "transaction")
            return rows

        try:
            rows = await self._line.run(work)
        except Exception as error:
            if len(ends) == 1:
                run = str(ends[0].run_id)
                log.warning("notice_not_written", run=run, error=str(error))
                return
            half = len(ends) // 2
            await self._written(ends[:half])
            await self._written(ends[half:])
        else:
            for end in ends:
                if end.counts and end.scenario in rows:
                    end.claim.errors = rows[end.scenario].errors

    async def _asked(self, connection: AsyncConnection[Any], query: str, **given: Any) -> Any:
        row = await (await connection.execute(self._sql[query], given)).fetchone()
        return row[0] if row is not None else None

    async def _locked(
        self, connection: AsyncConnection[Any], ends: Sequence[_End]
    ) -> dict[_Scenario, _Row]:
        """What is counted of the scenarios; one that was deleted isn't there."""
        scenarios = list({end.scenario for end in ends if end.counts})
        if not scenarios:
            return {}
        parameters = {
            "organizations": [organization for organization, _ in scenarios],
            "scenarios": [scenario for _, scenario in scenarios],
        }
        cursor = await connection.execute(self._sql["lock_errors"], parameters)
        return {(each[0], each[1]): _Row(each[2], each[3]) for each in await cursor.fetchall()}

    def _told(self, end: _End, row: _Row | None) -> Iterator[_Notice]:
        """Counts an end; the notices of it."""
        # Not what was said: that stays in the run, whose journal is encrypted and goes in time.
        params = {"state": end.state, **(end.error._asdict() if end.error is not None else {})}
        kind = row.count(end) if row is not None and end.counts else None
        if row is not None and kind is not None:
            yield self._row(kind, *end.scenario, end.run_id, {**params, "errors": row.errors})

    def _row(
        self,
        kind: Kind,
        organization_id: UUID,
        scenario_id: UUID | None,
        run_id: UUID | None,
        params: Mapping[str, Any],
        *,
        subject: str = "",
    ) -> _Notice:
        said = msgspec.json.encode(dict(params)).decode()
        return organization_id, self._ids.new(), kind, scenario_id, run_id, subject, said

    async def _add(self, connection: AsyncConnection[Any], notices: Sequence[_Notice]) -> None:
        names = ("organizations", "ids", "kinds", "scenarios", "runs", "subjects", "params")
        columns = (list(each) for each in zip(*notices, strict=True))
        await connection.execute(self._sql["add_notices"], dict(zip(names, columns, strict=True)))


def _counts(rows: Mapping[_Scenario, _Row]) -> dict[str, list[Any]]:
    return {
        "organizations": [organization for organization, _ in rows],
        "scenarios": [scenario for _, scenario in rows],
        "errors": [row.errors for row in rows.values()],
        "actives": [row.active for row in rows.values()],
    }


def _polls(head: Any) -> bool:
    return head is not None and head.polls


async def once_a_day(
    engine: Pool,
    kind: Kind,
    subject: str,
    *,
    params: Mapping[str, Any],
    organizations: Iterable[UUID] | None = None,
    scenario_id: UUID | None = None,
    now: datetime | None = None,
) -> int:
    """Writes a notice that is about a state, which is found again and again; returns how many were
    new.

    ``organizations``: whom it concerns; ``None``: all, as it is about the installation. One of a
    kind, ``subject`` and day (UTC) is written once, whoever finds it, and however often.
    """
    day = (now or datetime.now(UTC)).astimezone(UTC).date()
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    sql = load("notices")
    async with engine.connection() as connection:
        if organizations is None:
            rows = await (await connection.execute(sql["every_organization"])).fetchall()
            organizations = [row[0] for row in rows]
        written = 0
        for each in organizations:
            first = uuid7(int(midnight.timestamp() * 1000), each.bytes)
            parameters = {
                "organization": each,
                "id": derived(first, kind, subject, each.bytes),
                "kind": kind,
                "scenario": scenario_id,
                "run": None,
                "subject": subject,
                "params": msgspec.json.encode(dict(params)).decode(),
            }
            written += (await connection.execute(sql["add_notice"], parameters)).rowcount
    return written


async def backup_failed(engine: Pool, code: str, *, subject: str = "backup") -> int:
    """Tells everybody, once a day for each ``subject``, that a backup failed. ``code``: an error's
    stable code (`JunctorError.code`), as messages hold no text that may be confidential.
    """
    return await once_a_day(engine, "backup_failed", subject, params={"code": code})
