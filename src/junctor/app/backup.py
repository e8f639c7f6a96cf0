"""Backups: one consistent snapshot while everything goes on, verified if asked for.

What is encrypted in the database stays so in the dump, and the master key is never part of it: a
backup without its key opens nothing, and a thief of the one needs the other.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from psycopg.errors import InsufficientPrivilege

from junctor.adapters.postgres import dump
from junctor.adapters.postgres.database import Connection, connect
from junctor.adapters.postgres.migrate import migrate, pending
from junctor.adapters.postgres.queries import load
from junctor.adapters.postgres.scratch import drop_leftovers, made_database
from junctor.adapters.postgres.tallies import has_tables, sizes
from junctor.adapters.sealed_key import seal_key
from junctor.adapters.vault import VARIABLE, MasterKeys
from junctor.app import backup_files as files
from junctor.app.backup_files import Manifest
from junctor.app.refill import How, Progress, Restored, Silent, fill, refuse_newer
from junctor.app.settings import Settings
from junctor.errors import JunctorError, Misconfigured

__all__ = ["Made", "bring_up_to_date", "make_backup", "verify"]

T = TypeVar("T")

KEEP_BEFORE_MIGRATIONS = 3
"""Backups made before migrations that stay."""
SPARE = 256 * 1024 * 1024
"""Bytes that a backup leaves free on its disk, which often is the database's, too."""
LOOK = 0.5
"""Seconds between two looks at what is free."""
WAYS: Final[tuple[How, ...]] = ("active", "moved")
"""How else it may be restored; the last only if nothing ran when it was made."""


class Say(Protocol):
    """Tells a person one line."""

    def __call__(self, line: str, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that is whole."""

    folder: Path
    manifest: Manifest

    @property
    def bytes(self) -> int:
        """Of all its files."""
        return sum(each.bytes for each in self.manifest.files.values())


async def make_backup(
    settings: Settings,
    url: str,
    place: Path | None = None,
    *,
    reason: str = "command",
    passphrase: str | None = None,
    check: bool = False,
    progress: Progress | None = None,
) -> Made:
    """Writes a backup to ``place`` (a folder for backups, or its name; default: the settings').

    With a ``passphrase`` the master key is put beside it, sealed. With ``check`` it is verified
    before it gets its name. Cancelled or failed, it leaves nothing.
    """
    progress = progress or Silent()
    now = datetime.now(UTC)
    if place is None:
        place = settings.backups
        files.make_place(place)
    final = files.target(place.expanduser().absolute(), files.default_name(now))
    key = MasterKeys.text(settings.data_dir)
    if key is None and passphrase is not None:
        raise Misconfigured(f"There is no master key on this machine to seal: set {VARIABLE}.")
    prints = MasterKeys.parse(*key).fingerprints if key is not None else {}
    connection = await connect(url, "owner")
    async with connection:
        weights = await sizes(connection)
        if "public.migrations" not in weights:
            raise Misconfigured("The database holds no Junctor yet, so there is nothing to keep.")
        await drop_leftovers(connection)
        (size,) = await _row(connection, "size")
        (processes,) = await _row(connection, "processes")
        cursor = await connection.execute(load("backup")["migrations"])
        schema = [name for (name,) in await cursor.fetchall()]
        cursor = await connection.execute(load("backup")["master_keys"])
        used = [name for (name,) in await cursor.fetchall()]
    with files.writing(final) as folder:
        if key is not None and passphrase is not None:
            sealed = await asyncio.to_thread(seal_key, key[0], passphrase)
            await asyncio.to_thread((folder / files.KEY).write_text, sealed)
        await asyncio.to_thread(files.pack, settings.connectors_dir, folder / files.CONNECTORS)
        progress.begin("Writing", 2 * sum(weights.values()))
        tables, server = await _while_there_is_room(
            folder,
            dump.save(
                url,
                folder / files.DUMP,
                on_table=lambda name: progress.advance(weights.get(name, 0)),
                on_counted=lambda name: progress.advance(weights.get(name, 0)),
            ),
        )
        written = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
        manifest = Manifest(
            made_at=now,
            junctor=release(),
            reason=reason,
            postgres=f"{server // 10000}.{server % 10000}",
            database_bytes=size,
            schema=schema,
            processes=processes,
            master_keys={name: prints.get(name, "") for name in used},
            tables=tables,
            files={path.name: await asyncio.to_thread(files.file_sum, path) for path in written},
        )
        files.write_manifest(folder, manifest)
        if check:
            await _rehearse(settings, url, folder, manifest, progress)
    return Made(final, manifest)


async def _while_there_is_room(folder: Path, work: Coroutine[Any, Any, T]) -> T:
    """Gives up before the disk is full: a database without room for its log stops."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            free = free_bytes(folder)
            if free < SPARE:
                raise Misconfigured(
                    f"The disk of {folder.parent} has {free >> 20} MB left, and a backup leaves "
                    f"{SPARE >> 20} MB free: make room, or name a folder on another disk."
                )
            await asyncio.wait({task}, timeout=LOOK)
        return await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def verify(
    settings: Settings, url: str, place: Path, *, progress: Progress | None = None
) -> Made:
    """Restores a backup into a database of its own on this server, with all that a restore does,
    and removes it. `Misconfigured` says what differs, or what a restore could not do.
    """
    folder, manifest = files.opened(place)
    refuse_newer(folder, manifest)
    await asyncio.to_thread(files.check_files, folder, manifest)
    await _rehearse(settings, url, folder, manifest, progress or Silent())
    return Made(folder, manifest)


async def _rehearse(
    settings: Settings, url: str, folder: Path, manifest: Manifest, progress: Progress
) -> None:
    key = MasterKeys.text(settings.data_dir)
    masters = MasterKeys.parse(*key) if key is not None else None
    if masters is not None and any(
        masters.fingerprints.get(name) != print_ for name, print_ in manifest.master_keys.items()
    ):
        masters = None  # another installation's backup: all but its secrets can be tried here
    async with made_database(url) as copy:
        await fill(
            copy,
            folder,
            Restored(manifest=manifest, how="copy"),
            masters=masters,
            actor="verify",
            progress=progress,
            rehearse=WAYS if not manifest.processes else WAYS[:1],
        )


async def bring_up_to_date(
    settings: Settings, url: str, *, backup: bool = True, say: Say | None = None
) -> list[str]:
    """Applies missing migrations; an own database that holds something is backed up before.

    Says how to go back if one fails: each is a transaction, so what came before it stands.
    """
    say = say or _nobody
    names = await pending(url)
    if not names:
        return []
    made = None
    if backup and not settings.database_url:
        made = await _before_migration(settings, url, say)
    try:
        return await migrate(url)
    except JunctorError:
        raise
    except InsufficientPrivilege as error:
        reason = str(error).strip().partition("\n")[0]
        raise Misconfigured(
            f"The database's user lacks a right: {reason}. It must own the database, and have two "
            "roles: as a superuser, run create role junctor_engine nologin; create role "
            "junctor_api nologin (those that are missing); grant junctor_engine, junctor_api to "
            "USER. Nothing was changed; then try again."
        ) from error
    except Exception as error:
        back = "The schema is as the last migration before it left it, and so is all data"
        if made is not None:
            back += f"; a backup of before is {made.folder}"
        reason = str(error).strip().partition("\n")[0]
        raise Misconfigured(
            f"A migration failed and was undone: {reason}. {back}. Install the release of before "
            "to go on with it (migrations only add, so it runs on this schema), and report this."
        ) from error


def free_bytes(folder: Path) -> int:
    """Of the disk that a folder is on."""
    return shutil.disk_usage(folder).free


def release() -> str:
    """This release's version; ``source`` where it runs from a checkout that is not installed."""
    try:
        return version("junctor")
    except PackageNotFoundError:
        return "source"


def _nobody(_line: str) -> None:
    """Tells nobody."""


async def _before_migration(settings: Settings, url: str, say: Say) -> Made | None:
    connection = await connect(url, "owner")
    async with connection:
        if not await has_tables(connection):
            return None
        (size,) = await _row(connection, "size")
    files.make_place(settings.backups)
    free = free_bytes(settings.backups)
    if free < size + SPARE:
        say(
            f"No backup before the migration: {settings.backups} has {free >> 20} MB free, and the "
            f"database has {size >> 20} MB. Make one elsewhere with `junctor backup FOLDER`."
        )
        return None
    made = await make_backup(settings, url, reason="migration")
    files.prune(settings.backups, "migration", KEEP_BEFORE_MIGRATIONS)
    say(f"Backed up before the migration: {made.folder}")
    return made


async def _row(connection: Connection, name: str) -> tuple[int, ...]:
    row = await (await connection.execute(load("backup")[name])).fetchone()
    assert row is not None
    return tuple(row)
