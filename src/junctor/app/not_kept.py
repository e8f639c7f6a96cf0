"""Why a run can't be repeated whose journal, or some of it, is gone; and what to do instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from junctor.adapters.postgres.database import tenant
from junctor.adapters.postgres.queries import load as queries
from junctor.app.core import Core
from junctor.engine.journal import Tag
from junctor.errors import Conflict, NotFound
from junctor.language import ids
from junctor.language.people import MARK
from junctor.ports.catalog import Run
from junctor.runtime.maintenance import RETENTION_DAYS

__all__ = ["NotKept", "check_erased", "check_kept", "forgotten"]

_AGAIN = (
    "Have its sender send the delivery again, or start the scenario by hand (`junctor run once`)."
)


class NotKept(Conflict):
    """What the run recorded is not kept any more."""

    code = "not_kept"


async def check_kept(core: Core, run: Run) -> None:
    """`NotKept` if the run's journal was removed when it ended. For one without any records."""
    async with tenant(core.api, run.organization_id) as connection:
        cursor = await connection.execute(
            queries("again")["wiped_at"], {"organization": run.organization_id, "run": run.id}
        )
        row = await cursor.fetchone()
    if row is None or row[0] is None:
        return
    at = row[0].astimezone(UTC)
    raise NotKept(
        f"{ids.show('run', run.id)} was confidential: its journal was removed on "
        f"{at:%Y-%m-%d %H:%M} UTC, when it had ended, so there is nothing to repeat. {_AGAIN} "
        "`junctor scenarios set NAME --open` keeps the journals of later runs.",
        run=ids.show("run", run.id),
        path="segments",
        value=0,
        reason="confidential",
        at=at.isoformat(),
    )


def forgotten(run_id: UUID, error: NotFound, now: datetime) -> NotFound:
    """The error for a run that is not there: it says so if it is old enough to be forgotten."""
    began = datetime.fromtimestamp(ids.milliseconds(run_id) / 1000, UTC)
    age = now - began
    days = sorted(days for days in RETENTION_DAYS.values() if age > timedelta(days=days))
    if not days:
        return error
    shown = ids.show("run", run_id)
    return NotFound(
        f"{shown} was not found. It would be of {began:%Y-%m-%d}, {age.days} days ago, and a "
        f"scenario may keep its runs for no more than {days[-1]} days: then it was forgotten with "
        f"its journal. {_AGAIN} `junctor scenarios set NAME --retention` says how long later runs "
        "are kept.",
        run=shown,
        path="retention",
        value=age.days,
        reason="retention",
    )


def check_erased(run: str, records: Iterable[list[Any]]) -> None:
    """`NotKept` if somebody was erased from what a repetition of a run would go on with."""
    for record in records:
        if record[0] not in {Tag.OPERATION, Tag.DONE}:
            continue
        for path, value in _texts(record[5], ()):
            if MARK not in value:
                continue
            names = path[1:] if isinstance(record[5], list) else path
            place = ".".join(map(str, names))
            raise NotKept(
                f"Somebody was erased from {run}: what module {record[2]} gave holds "
                f"{value[:80]!r} at {place!r}, and that would be sent. {_AGAIN} `--dry` repeats it "
                "without sending anything.",
                run=run,
                module=record[2],
                path=place,
                value=value[:80],
                reason="erased",
            )


def _texts(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _texts(each, (*path, name))
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value, 1):
            yield from _texts(each, (*path, number))
