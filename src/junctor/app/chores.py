"""What the installation's jobs do besides keeping the tables tidy: telling, counting, wiping.

Each is done once per turn in the whole installation; `runtime.maintenance` says how.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from junctor.adapters.postgres.database import connect
from junctor.adapters.postgres.queries import load
from junctor.adapters.postgres.scratch import drop_leftovers
from junctor.app.core import Core
from junctor.language import ids
from junctor.runtime.maintenance import Chore
from junctor.runtime.notices import Kind, once_a_day

__all__ = [
    "chores_of",
    "count_usage",
    "forget_notices",
    "forget_scratch",
    "forget_texts",
    "index_texts",
    "note_attention",
    "note_late",
    "notify",
    "wipe_confidential",
]

_BATCH: Final = 500
_KINDS: Final[Mapping[str, Kind]] = {
    "reconnect": "connection_marked",
    "grant": "connection_expires",
    "key": "key_old",
    "alert": "unusual_use",
}
"""Notices for what `care.attention` finds. A connection that nobody has allowed yet is none: who
made it has just been told.
"""


def chores_of(core: Core) -> Sequence[Chore]:
    """The jobs, and when they are done."""

    def chore(name: str, cron: str, work: Callable[[Core], Awaitable[Mapping[str, int]]]) -> Chore:
        async def done(_timestamp: int) -> Mapping[str, int]:
            return await work(core)

        return Chore(name, cron, done)

    return [
        chore("notify", "* * * * *", notify),
        chore("late", "*/5 * * * *", note_late),
        chore("attention", "13 * * * *", note_attention),
        chore("wipe", "* * * * *", wipe_confidential),
        Chore("wipe_all", "31 * * * *", lambda _: wipe_confidential(core, whole=True)),
        chore("texts", "* * * * *", index_texts),
        chore("forget_texts", "37 * * * *", forget_texts),
        chore("usage", "*/10 * * * *", count_usage),
        chore("forget_notices", "47 4 * * *", forget_notices),
        chore("forget_scratch", "57 4 * * *", forget_scratch),
    ]


async def notify(core: Core) -> Mapping[str, int]:
    """Tells what is new."""
    module = await asyncio.to_thread(importlib.import_module, "junctor.app.notifications")
    done: Mapping[str, int] = await module.notifier(core).turn()
    return done


async def index_texts(core: Core) -> Mapping[str, int]:
    """Makes runs that ended findable by their text."""
    indexing = await asyncio.to_thread(importlib.import_module, "junctor.app.indexing")
    done: Mapping[str, int] = await indexing.index_history(core)
    return done


async def forget_texts(core: Core) -> Mapping[str, int]:
    """Removes the texts of runs that are gone, and of confidential ones."""
    indexing = await asyncio.to_thread(importlib.import_module, "junctor.app.indexing")
    done: Mapping[str, int] = await indexing.forget_texts(core)
    return done


async def note_attention(core: Core) -> Mapping[str, int]:
    """Makes notices of what connections need, each once a day as long as it lasts."""
    care = await asyncio.to_thread(importlib.import_module, "junctor.app.care")
    written = 0
    for organization in await core.catalog.organizations():
        states: dict[UUID, Any] = {}
        for each in await care.attention(core, organization.organization_id):
            kind = _KINDS.get(each.kind)
            if kind is None:
                continue
            found = each.connection
            if found.id not in states:
                states.update(await care.states_of(core, found.organization_id, [found.id]))
            params = {"connection": found.name, "connector": found.connector}
            written += await once_a_day(
                core.engine,
                kind,
                ids.show("con", found.id),
                params={**params, **_days(care, each.kind, states.get(found.id))},
                organizations=[found.organization_id],
            )
    return {"written": written}


def _days(care: Any, kind: str, state: Any) -> dict[str, int]:
    """How many days a message names: of a key its age, of access what is left."""
    now = datetime.now(UTC)
    if state is None:
        return {}
    if kind == "key":
        return {"days": care.key_of(state, now).age_days}
    if kind == "grant" and state.expires_at is not None:
        return {"days": (state.expires_at - now).days}
    return {}


async def note_late(core: Core) -> Mapping[str, int]:
    """Makes notices of active scenarios whose oldest delivery waits for too long."""
    written = 0
    for organization_id, scenario_id, limit, minutes in await _rows(core, "late"):
        written += await once_a_day(
            core.engine,
            "queue_full",
            ids.show("scn", scenario_id),
            params={"minutes": minutes, "limit": limit},
            organizations=[organization_id],
            scenario_id=scenario_id,
        )
    return {"written": written}


async def wipe_confidential(core: Core, *, whole: bool = False) -> Mapping[str, int]:
    """Removes journals and blobs of confidential runs that have ended; only counts stay. A net:
    most are removed by the write that ends them. And their answers, once nobody asks for them.

    ``whole``: of all the history, not only since the last turn, as ids of repeated runs are old.
    """
    wiped = 0
    for organization_id, scenario_id in await _rows(core, "confidential"):
        where = {"organization": organization_id, "scenario": scenario_id}
        ((began,),) = await _rows(core, "moment")
        while True:
            rows = await _rows(core, "ended_confidential", **where, whole=whole, batch=_BATCH)
            if rows:
                runs = [row[0] for row in rows]
                async with core.engine.connection() as connection:
                    given = {"organization": organization_id, "runs": runs}
                    await connection.execute(load("kept")["wipe"], given)
                wiped += len(runs)
            if len(rows) < _BATCH:
                break
        await _execute(core, "wipe_answers", **where, whole=whole)
        await _execute(core, "wipe_requests", **where)
        await _execute(core, "wiped", **where, began=began)
    return {"wiped": wiped}


async def count_usage(core: Core) -> Mapping[str, int]:
    """Counts what organisations with a limit on it keep."""
    return {"counted": await _execute(core, "count_usage", organization=None)}


async def forget_notices(core: Core) -> Mapping[str, int]:
    """Forgets notices of more than 90 days, and the messages about them."""
    done = dict.fromkeys(("notifications", "notices"), 0)
    sql = load("notifications")
    async with core.engine.connection() as connection:
        for name in done:
            while True:
                cursor = await connection.execute(sql[f"forget_{name}"], {"batch": _BATCH})
                done[name] += cursor.rowcount
                if cursor.rowcount < _BATCH:
                    break
    return done


async def forget_scratch(core: Core) -> Mapping[str, int]:
    """Removes databases that a backup was verified in, if whoever did it was killed."""
    connection = await connect(core.url, "owner")
    async with connection:
        return {"dropped": len(await drop_leftovers(connection))}


async def _rows(core: Core, name: str, **parameters: Any) -> list[Any]:
    async with core.engine.connection() as connection:
        return await (await connection.execute(load("quotas")[name], parameters)).fetchall()


async def _execute(core: Core, name: str, **parameters: Any) -> int:
    async with core.engine.connection() as connection:
        return (await connection.execute(load("quotas")[name], parameters)).rowcount
