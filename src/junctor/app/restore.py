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
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from junctor.adapters.postgres.database import connect
from junctor.adapters.sealed_key import open_key
from junctor.adapters.vault import FILE, VARIABLE, MasterKeys, put_key
from junctor.app import backup_files as files
from junctor.app.backup_files import Manifest
from junctor.app.refill import How, Progress, Restored, Silent, fill, refuse_newer
from junctor.app.settings import Settings
from junctor.errors import Conflict, Misconfigured

__all__ = ["alone", "restore_backup"]

_LOCK = 0x6A6374_02
"""Held in a database while a backup is restored into it."""


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
    refuse_newer(folder, manifest)
    progress.begin("Checking", 1)
    await asyncio.to_thread(files.check_files, folder, manifest)
    masters = _master_keys(settings, folder, manifest, passphrase)
    done = Restored(manifest=manifest, how=how)
    async with alone(url):
        await fill(url, folder, done, masters=masters, actor=actor, progress=progress)
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
