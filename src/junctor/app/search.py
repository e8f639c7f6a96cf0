"""The history searched and filtered, and written as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from junctor.adapters.postgres.catalog.base import pack, unpack
from junctor.adapters.postgres.database import tenant
from junctor.adapters.postgres.queries import load
from junctor.app.core import Core
from junctor.app.logs import redact
from junctor.errors import Misconfigured
from junctor.language import ids, people
from junctor.ports.catalog import Page, Run

__all__ = ["COLUMNS", "STATES", "TRIGGERS", "Filters", "as_csv", "instant", "search"]

STATES = ("running", "waiting", "finished", "incomplete", "uncertain", "discarded")
TRIGGERS = ("delivery", "schedule", "manual", "call", "break", "replay")
COLUMNS = (
    "run",
    "scenario",
    "name",
    "status",
    "started",
    "ended",
    "operations",
    "duration",
    "bytes",
    "trigger",
    "error",
    "message",
    "module",
)
"""Of the CSV. ``duration`` in seconds, times in UTC, ``module`` is the one that failed."""
_PAGE = 200
_IDS = 20_000
"""Runs found at once by their words, when all are wanted."""
_AGO = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which runs; what is left out does not matter. ``text``: words of the run's data, as
    `people.query` reads them; ``error``: its type or code; ``module``: the id of the one that
    failed; ``since`` and ``until`` (which is left out) are of its start.
    """

    text: str | None = None
    scenario_id: UUID | None = None
    states: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    name: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    error: str | None = None
    module: int | None = None
    min_operations: int = 0


async def search(
    core: Core,
    organization_id: UUID,
    filters: Filters,
    *,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Run]:
    """A page of runs, newest first. `Misconfigured` on text that holds nothing to look for."""
    size = max(1, min(limit, _PAGE))
    before = unpack(cursor, UUID)
    parameters = await _parameters(core, organization_id, filters)
    if parameters["words"] is None:
        rows = await _rows(core, "search", {**parameters, "before": before, "limit": size + 1})
        found = [row.id for row in rows]
    else:
        found = await _ids(core, parameters, before, size + 1)
        rows = await _of(core, organization_id, found[:size])
    return Page(rows[:size], pack(str(found[size - 1])) if len(found) > size else None)


async def _parameters(core: Core, organization_id: UUID, filters: Filters) -> dict[str, Any]:
    words = None
    if filters.text is not None:
        organization = await core.catalog.organization(organization_id)
        words = people.query(filters.text, region=organization.country)
        if words is None:
            raise Misconfigured(
                "There is nothing to search for in that: give a word, a number or an address.",
                path="q",
            )
    return {
        "organization": organization_id,
        "scenario": filters.scenario_id,
        "states": list(filters.states),
        "triggers": list(filters.triggers),
        "name": filters.name,
        "since": filters.since,
        "until": filters.until,
        "error": filters.error,
        "module": filters.module,
        "min_operations": filters.min_operations,
        "words": words,
    }


async def _rows(core: Core, query: str, parameters: Mapping[str, Any]) -> list[Run]:
    async with (
        tenant(core.api, parameters["organization"]) as connection,
        connection.cursor(row_factory=class_row(Run)) as found,
    ):
        await found.execute(load("history")[query], parameters)
        return await found.fetchall()


async def _ids(
    core: Core, parameters: Mapping[str, Any], before: UUID | None, limit: int
) -> list[UUID]:
    async with tenant(core.api, parameters["organization"]) as connection:
        values = {**parameters, "before": before, "limit": limit}
        cursor = await connection.execute(load("history")["search_words"], values)
        return [row[0] for row in await cursor.fetchall()]


async def _of(core: Core, organization_id: UUID, run_ids: list[UUID]) -> list[Run]:
    return await _rows(core, "runs_of", {"organization": organization_id, "ids": run_ids})


def instant(text: str, now: datetime, *, path: str = "since") -> datetime:
    """``2d``, ``90m`` … before now, or an ISO date or time (UTC, if it has no zone).

    `Misconfigured` with ``path``, the name of what was given.
    """
    try:
        if match := _AGO.fullmatch(text.strip().lower()):
            return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
        found = datetime.fromisoformat(text.strip())
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise Misconfigured(
            f"'{text[:40]}' is no time; write 2d, 12h, 90m, or a date such as 2026-11-21 or "
            "2026-11-21T08:30Z.",
            path=path,
        ) from error


async def as_csv(
    core: Core,
    organization_id: UUID,
    filters: Filters,
    names: Mapping[UUID, str],
    *,
    most: int | None = None,
) -> AsyncIterator[str]:
    """The runs as CSV, a page at a time; ``names`` are scenarios' names, ``most`` its rows.

    A spreadsheet must not take data for a formula: what would begin one gets a ``'`` before it.
    """
    yield _lines([COLUMNS])
    left = most
    async for rows in _pages(core, organization_id, filters):
        if left is not None:
            rows = rows[:left]  # noqa: PLW2901  # the last page may be cut
            left -= len(rows)
        if rows:
            yield _lines(_row(run, names) for run in rows)
        if left == 0:
            return


async def _pages(core: Core, organization_id: UUID, filters: Filters) -> AsyncIterator[list[Run]]:
    """All that is found, newest first; words are looked up once for many pages."""
    parameters = await _parameters(core, organization_id, filters)
    before: UUID | None = None
    while parameters["words"] is None:
        values = {**parameters, "before": before, "limit": _PAGE}
        rows = await _rows(core, "search", values)
        yield rows
        if len(rows) < _PAGE:
            return
        before = rows[-1].id
    while True:
        found = await _ids(core, parameters, before, _IDS)
        for first in range(0, len(found), _PAGE):
            yield await _of(core, organization_id, found[first : first + _PAGE])
        if len(found) < _IDS:
            return
        before = found[-1]


def _row(run: Run, names: Mapping[UUID, str]) -> tuple[Any, ...]:
    error: Mapping[str, Any] = redact(run.error) or {}
    seconds = (run.ended_at - run.started_at).total_seconds() if run.ended_at else None
    return (
        ids.show("run", run.id),
        names.get(run.scenario_id, "(deleted)"),
        run.name or "",
        run.state,
        run.started_at.isoformat(),
        run.ended_at.isoformat() if run.ended_at else "",
        run.operations,
        "" if seconds is None else round(seconds, 3),
        run.bytes,
        run.trigger,
        error.get("type", ""),
        error.get("message", ""),
        "" if run.failed_module is None else run.failed_module,
    )


def _lines(rows: Any) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    for row in rows:
        writer.writerow([_harmless(each) if isinstance(each, str) else each for each in row])
    return out.getvalue()


def _harmless(text: str) -> str:
    return "'" + text if text[:1] in {"=", "+", "-", "@", "\t", "\r", "\n"} else text
