"""Restoring a backup: into an empty database, compared with what it was, and standing still.

A copy must not send what the original sends. So by default nothing in it starts: scenarios are off,
schedules paused, and what was under way is set aside. ``how`` says what is different:

    copy    nothing starts, nobody is told notices; registrations at vendors are forgotten, as
            they are the original's
    active  the original is gone: scenarios go on, but what was under way at the backup is set
            aside, because nobody knows what became of it afterwards
    moved   the original was stopped before the backup was made: everything goes on
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from junctor.adapters.postgres import dump
from junctor.adapters.postgres.database import Connection, connect
from junctor.adapters.postgres.migrate import known, migrate
from junctor.adapters.postgres.queries import load
from junctor.adapters.sealed_key import open_key
from junctor.adapters.vault import FILE, VARIABLE, MasterKeys, put_key
from junctor.app import backup_files as files
from junctor.app.backup import Progress, Silent, compare_tables
from junctor.app.backup_files import Manifest
from junctor.app.settings import Settings
from junctor.errors import Conflict, Misconfigured

__all__ = ["How", "Restored", "alone", "restore_backup"]

How = Literal["copy", "active", "moved"]

_LOCK = 0x6A6374_02
"""Held in a database while a backup is restored into it."""
MESSAGE = (
    "It had not ended when the backup was made that this is restored from; "
    "it may have ended since, in the original."
)


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


async def restore_backup(
    settings: Settings,
    url: str,
    place: Path,
    *,
    how: How,
    actor: str,
    passphrase: str | None = None,
    progress: Progress | None = None,
) -> Restored:
    """Restores into the empty database at ``url``; until it has ended nothing starts on that.

    `Conflict` if the database holds something or another restore is at it, `Misconfigured` if the
    backup is damaged, of a newer schema, or its master key is neither here nor (with the
    ``passphrase``) in it. Whatever stops it, running it again begins anew.
    """
    progress = progress or Silent()
    folder, manifest = files.opened(place)
    if how == "moved" and manifest.processes:
        raise Misconfigured(
            f"{manifest.processes} servers and workers ran when {folder} was made, so what was "
            "under way then may have gone on: restore it with --active, or stop Junctor, make "
            "another backup and restore that one with --moved."
        )
    newer = sorted(set(manifest.schema) - known())
    if newer:
        raise Misconfigured(
            f"{folder} was made by Junctor {manifest.junctor}, and this release does not know "
            f"{', '.join(newer)}: install that release or a later one."
        )
    progress.begin("Checking", 1)
    await asyncio.to_thread(files.check_files, folder, manifest)
    masters = _master_keys(settings, folder, manifest, passphrase)
    done = Restored(manifest=manifest, how=how)
    progress.begin("Restoring", max(1, len(manifest.tables)))
    async with alone(url):
        await dump.load(url, folder / files.DUMP, on_table=lambda _: progress.advance(1))
        progress.begin("Comparing", 1)
        await compare_tables(url, manifest.tables)
        done.keys = await _open_keys(url, masters)
        done.migrations = await migrate(url, half=True)
        connection = await connect(url, "owner")
        async with connection, connection.transaction():
            await _stand_still(connection, done, actor)
            await dump.finish(connection)
    if files.CONNECTORS in manifest.files:
        packed = folder / files.CONNECTORS
        done.connectors_kept = await asyncio.to_thread(
            files.unpack, packed, settings.connectors_dir
        )
    return done


@asynccontextmanager
async def alone(url: str) -> AsyncIterator[None]:
    """Nobody else restores into this database meanwhile: they would take each other's half-filled
    tables for those of a restore that was cut off, and empty them. `Conflict` if somebody does.
    """
    connection = await connect(url, "owner")
    async with connection:
        cursor = await connection.execute("select pg_try_advisory_lock(%s)", (_LOCK,))
        row = await cursor.fetchone()
        if row is None or not row[0]:
            raise Conflict(
                f"Somebody restores into the database {connection.info.dbname} just now: wait "
                "until that has ended, or name another one with --into."
            )
        yield


def _master_keys(
    settings: Settings, folder: Path, manifest: Manifest, passphrase: str | None
) -> MasterKeys | None:
    """The keys that open the backup, before anything is written; a sealed one is put in place."""
    sealed = folder / files.KEY
    found = MasterKeys.text(settings.data_dir)
    if found is None and not manifest.master_keys:
        return None  # nothing was ever sealed
    if found is None:
        if not sealed.exists():
            raise Misconfigured(
                f"The master key of this backup ({_ids(manifest)}) is missing: set {VARIABLE}, or "
                f"put the file {FILE} of the original into {settings.data_dir} (mode 600). Without "
                "it nothing that is secret in the backup can be read."
            )
        if passphrase is None:
            raise Misconfigured(
                f"The master key lies sealed in {sealed}: set JUNCTOR_BACKUP_PASSPHRASE, or "
                "give --with-key and type its passphrase."
            )
        text = open_key(sealed.read_text(), passphrase, str(sealed))
        found = text, str(put_key(settings.data_dir, text))
    masters = MasterKeys.parse(*found)
    wrong = [
        name
        for name, print_ in manifest.master_keys.items()
        if masters.fingerprints.get(name) != print_ and print_
    ]
    if wrong:
        raise Misconfigured(
            f"The master key in {found[1]} is not the one of this backup ({_ids(manifest)}): "
            f"put the original's {FILE} or {VARIABLE} in place of it. Nothing was restored."
        )
    return masters


def _ids(manifest: Manifest) -> str:
    return ", ".join(f"{name} {print_}" for name, print_ in manifest.master_keys.items())


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
