"""A backup as files: a folder with the database's dump, what it must hold, and what lay beside it.

    junctor-20261121T172300Z/          0700, every file 0600
        manifest.json                  what is in it: versions, counts of tables, sums of files
        database.dump                  pg_dump's custom format
        connectors.tar                 connectors made of OpenAPI documents, if there are any
        master.key.sealed              only if asked for, and only under a passphrase

A backup under way is a hidden folder that is locked by who makes it; it gets its name when all of
it is on the disk. What an interrupted one left is removed by the next.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import secrets
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from junctor.adapters.durable import make_folder, sync
from junctor.adapters.postgres.tallies import Tally
from junctor.errors import Conflict, Misconfigured

__all__ = [
    "CONNECTORS",
    "DUMP",
    "KEY",
    "FileSum",
    "Manifest",
    "kept",
    "make_place",
    "opened",
    "prune",
    "writing",
]

MANIFEST: Final = "manifest.json"
DUMP: Final = "database.dump"
CONNECTORS: Final = "connectors.tar"
KEY: Final = "master.key.sealed"
FORMAT: Final = 1
_HIDDEN: Final = ".unfinished-"
_LOCK: Final = ".lock"
_PIECE: Final = 1024 * 1024


class FileSum(msgspec.Struct, frozen=True):
    """Of one file."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says about itself."""

    format: int = FORMAT
    made_at: datetime
    junctor: str
    reason: str
    """``command``, ``schedule`` or ``migration``."""
    postgres: str
    """The server's version, ``18.6``."""
    database_bytes: int
    schema: list[str]
    """Migrations that were applied."""
    processes: int
    """Servers and workers that lived then: with none, nothing was under way."""
    master_keys: dict[str, str]
    """Fingerprints by id of the keys that open it; empty: its machine did not have the key."""
    tables: dict[str, Tally]
    files: dict[str, FileSum]


def file_sum(path: Path) -> FileSum:
    """Reads the file once."""
    found = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)
            size += len(piece)
    return FileSum(bytes=size, sha256=found.hexdigest())


def default_name(at: datetime) -> str:
    """Of a backup made then; sorts by time."""
    return f"junctor-{at:%Y%m%dT%H%M%SZ}"


def target(place: Path, name: str) -> Path:
    """Where a backup goes: below ``place`` if that is a folder, otherwise to ``place`` itself.

    `Conflict` where there is something already.
    """
    if (place / MANIFEST).exists() or (place.exists() and not place.is_dir()):
        raise Conflict(f"{place} exists already: name a folder for backups, or a new name.")
    return place / name if place.is_dir() else place


def make_place(place: Path) -> None:
    """Makes the folder for backups if it is not there. `Misconfigured` if it can't be."""
    try:
        make_folder(place, 0o700)
    except OSError as error:
        raise Misconfigured(
            f"{place} can't be made: {error.strerror or error}. "
            "Set JUNCTOR_BACKUP_DIR to a folder that you may write."
        ) from error


@contextmanager
def writing(final: Path) -> Iterator[Path]:
    """A folder to fill, which becomes ``final`` if the block ends well and vanishes if not."""
    parent = final.parent
    try:
        make_folder(parent)
        _sweep(parent)
        folder = parent / f"{_HIDDEN}{final.name}-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise Misconfigured(f"{parent} can't take a backup: {error.strerror or error}.") from error
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
        (folder / _LOCK).unlink()
        for file in folder.iterdir():
            file.chmod(0o600)
            sync(file)
        sync(folder)
        if final.exists():
            raise Conflict(f"{final} was made meanwhile: choose another name.")
        folder.rename(final)
        sync(parent)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.close(lock)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Into a backup's folder."""
    made = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (folder / MANIFEST).write_bytes(made + b"\n")


def opened(place: Path) -> tuple[Path, Manifest]:
    """The folder and manifest of a backup; ``place`` may be a file in it.

    `Misconfigured` if it is none, or of a later format.
    """
    folder = place if place.is_dir() else place.parent
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise Misconfigured(_no_backup(place)) from error
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{folder / MANIFEST} can't be read: {error}.") from error
    if manifest.format > FORMAT:
        raise Misconfigured(
            f"{folder} was made by Junctor {manifest.junctor}, whose backups this release "
            "can't read: install that release or a later one."
        )
    return folder, manifest


def _no_backup(place: Path) -> str:
    if not place.exists():
        return f"{place} is not there. `junctor backup --list` lists the backups there are."
    if found := kept(place):
        return f"{place} holds backups and is none itself: name one, such as {found[0]}."
    return f"{place} is no backup: {MANIFEST} is missing."


def check_files(folder: Path, manifest: Manifest) -> None:
    """`Misconfigured` if a file is missing or not as it was written."""
    for name, expected in manifest.files.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise Misconfigured(f"{path} is missing: the backup is not whole.")
        found = file_sum(path)
        if found != expected:
            raise Misconfigured(
                f"{path} is damaged: it has {found.bytes} bytes and SHA-256 {found.sha256}, and "
                f"was written with {expected.bytes} and {expected.sha256}. Take another backup."
            )


def kept(place: Path, reason: str | None = None) -> list[Path]:
    """The backups in a folder, newest first; of one ``reason`` if it is given."""
    found = []
    for folder in place.iterdir() if place.is_dir() else ():
        if folder.name.startswith(_HIDDEN) or not (folder / MANIFEST).is_file():
            continue
        with contextlib.suppress(Misconfigured):
            manifest = opened(folder)[1]
            if reason is None or manifest.reason == reason:
                found.append((manifest.made_at, folder))
    return [folder for _, folder in sorted(found, reverse=True)]


def prune(place: Path, reason: str, keep: int) -> list[Path]:
    """Removes all but the newest ``keep`` of one reason; those that a person made stay."""
    old = kept(place, reason)[keep:]
    for folder in old:
        (folder / MANIFEST).unlink()  # first: half a backup is never taken for one
        shutil.rmtree(folder, ignore_errors=True)
    return old


def pack(folder: Path, file: Path) -> bool:
    """The plain files below ``folder`` as a tar; whether there were any."""
    found = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    if not found:
        return False
    with tarfile.open(file, "w") as tar:
        for path in found:
            info = tarfile.TarInfo(path.relative_to(folder).as_posix())
            content = path.read_bytes()
            info.size, info.mode = len(content), 0o600
            tar.addfile(info, io.BytesIO(content))
    return True


def unpack(file: Path, folder: Path) -> list[str]:
    """Puts the files of a tar below ``folder``; names of those that differ here, and stay."""
    kept_as_they_were = []
    with tarfile.open(file) as tar:
        for info in tar:
            path = (folder / info.name).resolve()
            content = tar.extractfile(info) if info.isfile() else None
            if content is None or not path.is_relative_to(folder.resolve()):
                raise Misconfigured(f"{file} holds '{info.name}', which is no file of a connector.")
            data = content.read()
            if path.exists():
                if path.read_bytes() != data:
                    kept_as_they_were.append(info.name)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return kept_as_they_were


def _sweep(parent: Path) -> None:
    """Removes what interrupted backups left; one that is under way is locked."""
    for folder in parent.glob(f"{_HIDDEN}*"):
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)
