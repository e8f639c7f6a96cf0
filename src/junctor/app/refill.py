"""Filling an empty database from a backup until it stands still: a restore, or its rehearsal.

The same steps for both, so that what `verify` calls good can be restored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol
from uuid import UUID

import psycopg

from junctor.adapters.postgres import dump
from junctor.adapters.postgres.database import Connection, connect
from junctor.adapters.postgres.migrate import known, migrate
from junctor.adapters.postgres.queries import load
from junctor.adapters.postgres.tallies import Tally, differences, tally
from junctor.adapters.vault import MasterKeys
from junctor.app import backup_files as files
from junctor.app.backup_files import Manifest
from junctor.errors import Misconfigured

__all__ = ["How", "Progress", "Restored", "Silent", "fill", "refuse_newer"]

How = Literal["copy", "active", "moved"]
"""See restore.py."""

MESSAGE = (
    "It had not ended when the backup was made that this is restored from; "
    "it may have ended since, in the original."
)


class Progress(Protocol):
    """Hears how far something is."""

    def begin(self, what: str, total: int) -> None:
        """``total`` units of work, in bytes of the database, are ahead."""
        ...

    def advance(self, amount: int) -> None:
        """So much of it is done."""
        ...


class Silent:
    """Nobody watches."""

    def begin(self, what: str, total: int) -> None:
        """Said to nobody."""

    def advance(self, amount: int) -> None:
        """Said to nobody."""


@dataclass(slots=True)
class Restored:
    """What a restore did."""

    manifest: Manifest
    how: How
    migrations: list[str] = field(default_factory=list)
    set_aside: int = 0
    """Deliveries and runs that were under way, now incomplete runs."""
    switched_off: list[str] = field(default_factory=list)
    """Names of scenarios that were active."""
    channels_off: list[str] = field(default_factory=list)
    """Names of the channels of notifications that were on, and are off."""
    keys: int = 0
    """Data keys that the master key opens."""
    connectors_kept: list[str] = field(default_factory=list)
    """Files of connectors that were here with other contents, and stay."""


def refuse_newer(folder: Path, manifest: Manifest) -> None:
    """`Misconfigured` if a later release made the backup, with a schema that is unknown here."""
    newer = sorted(set(manifest.schema) - known())
    if newer:
        raise Misconfigured(
            f"{folder} was made by Junctor {manifest.junctor}, and this release does not know "
            f"{', '.join(newer)}: install that release or a later one."
        )


async def fill(
    url: str,
    folder: Path,
    done: Restored,
    *,
    masters: MasterKeys | None,
    actor: str,
    progress: Progress,
    rehearse: tuple[How, ...] = (),
) -> None:
    """Fills the empty database at ``url`` and says in ``done`` what was done; until it has ended
    nothing starts on that. ``rehearse``: what else to try and take back, before ``done.how``.

    `Conflict` if the database holds something, `Misconfigured` if it does not become what was
    backed up, a data key stays shut, or it can't be made to stand still.
    """
    progress.begin("Restoring", max(1, len(done.manifest.tables)))
    await dump.load(url, folder / files.DUMP, on_table=lambda _: progress.advance(1))
    progress.begin("Comparing", 1)
    await _compare(url, done.manifest.tables)
    done.keys = await _open_keys(url, masters)
    try:
        done.migrations = await migrate(url, half=True)
        connection = await connect(url, "owner")
        async with connection:
            for how in rehearse:
                async with connection.transaction(force_rollback=True):
                    await _stand_still(connection, replace(done, how=how), actor)
            async with connection.transaction():
                await _stand_still(connection, done, actor)
                await dump.finish(connection)
    except psycopg.Error as error:
        reason = str(error).strip().partition("\n")[0]
        raise Misconfigured(
            "All rows are there as they were backed up, but what must follow failed (migrations, "
            f"or that nothing goes on by itself): {reason}. Please report this; the backup holds "
            "everything, and a release that mends it restores it."
        ) from error


async def _compare(url: str, expected: dict[str, Tally]) -> None:
    """`Misconfigured` if the database does not hold what a manifest says."""
    connection = await connect(url, "owner")
    async with connection:
        wrong = differences(expected, await tally(connection))
    if wrong:
        told = "; ".join(wrong[:5]) + ("; …" if len(wrong) > 5 else "")
        raise Misconfigured(f"What was restored is not what was backed up: {told}.")


async def _open_keys(url: str, masters: MasterKeys | None) -> int:
    """Opens every data key, which open everything else; `Misconfigured` for one that stays shut."""
    count = 0
    if masters is None:
        return count
    connection = await connect(url, "owner")
    async with connection:
        cursor = await connection.execute(load("backup")["data_keys"])
        for organization_id, key_id, master, wrapped in await cursor.fetchall():
            masters.opens(organization_id, key_id, master, bytes(wrapped))
            count += 1
    return count


async def _stand_still(connection: Connection, done: Restored, actor: str) -> None:
    """What must not go on by itself does not; all in the caller's transaction."""
    sql = load("backup")

    async def execute(name: str, **parameters: Any) -> Any:
        return await connection.execute(sql[name], parameters)

    await execute("paths")
    await execute("forget_processes", gaps=done.how == "moved")
    off: dict[UUID, list[str]] = {}
    silent: dict[UUID, list[str]] = {}
    if done.how != "moved":
        record = Misconfigured(MESSAGE).as_record() | {"code": "restored", "restored": True}
        error = json.dumps(record)
        await execute("forget_jobs", message=MESSAGE)
        await execute("forget_stops")
        await execute("still_waits")
        runs = (await execute("set_aside_runs", error=error)).rowcount
        deliveries = await execute(
            "set_aside_deliveries", message=MESSAGE, error=error, actor=actor
        )
        done.set_aside = runs + deliveries.rowcount
        await execute("no_retries")
        await execute("keep_order")
    schedules = (await (await execute("has", table="schedules", column="next_at")).fetchone())[0]
    if done.how == "copy":
        for organization_id, name in await (await execute("switch_off")).fetchall():
            off.setdefault(organization_id, []).append(name)
        for organization_id, name in await (await execute("silence")).fetchall():
            silent.setdefault(organization_id, []).append(name)
        if schedules:
            await execute("pause_schedules")
    elif done.how == "active" and schedules:
        await execute("plan_schedules")
    done.switched_off = [name for names in off.values() for name in names]
    done.channels_off = sorted(name for names in silent.values() for name in names)
    for (organization_id,) in await (await execute("organizations")).fetchall():
        details = {
            "made_at": done.manifest.made_at.isoformat(),
            "how": done.how,
            "set_aside": done.set_aside,
            "switched_off": off.get(organization_id, []),
            "channels_off": sorted(silent.get(organization_id, [])),
        }
        await execute(
            "note", organization=organization_id, actor=actor, details=json.dumps(details)
        )
