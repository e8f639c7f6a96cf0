"""Brings the database's schema up to this release: our ``migrations/*.sql``, then Procrastinate's.

Each file runs once, whole (functions and blocks included), in a transaction of its own, in the
order of its name; its checksum is remembered, so that a released file is never edited. Two that
migrate at once wait for each other. Migrations only add (expand), and remove a release later
(contract), so that servers of two releases work side by side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple

from psycopg import errors
from psycopg.rows import tuple_row

from junctor.adapters.postgres.database import Connection, connect
from junctor.errors import Misconfigured

__all__ = ["UNFINISHED", "ahead", "known", "migrate", "pending", "ready"]

_LOCK: Final = 0x6A756E63746F72  # "junctor"
_JOBS: Final = "procrastinate/"

_TABLE: Final = """
create table if not exists migrations (
  id text primary key,
  checksum bytea not null,
  applied_at timestamptz not null default now()
)"""

UNFINISHED: Final = "select exists (select from pg_namespace where nspname = 'junctor_restore')"
"""Whether a restore into this database was begun and has not ended (see dump.py)."""

# Procrastinate lives in a schema of its own; its SQL names nothing by schema.
_OPEN_JOBS: Final = """
create schema if not exists procrastinate;
set local search_path = procrastinate;
"""
_GRANT_JOBS: Final = """
grant usage on schema procrastinate to junctor_engine;
grant select, insert, update, delete on all tables in schema procrastinate to junctor_engine;
grant usage on all sequences in schema procrastinate to junctor_engine;
grant execute on all functions in schema procrastinate to junctor_engine;
"""


class _Migration(NamedTuple):
    id: str
    text: str
    covers: tuple[str, ...] = ()
    """Earlier ones whose result this one brings too."""

    @property
    def checksum(self) -> bytes:
        return hashlib.sha256(self.text.encode()).digest()


async def migrate(url: str, *, half: bool = False) -> list[str]:
    """Applies what is missing and returns its names. `Misconfigured` on an edited migration.

    ``half``: also on a database that a backup is being restored into, for who does that.
    """
    connection = await connect(url, "owner")
    async with connection:
        await connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
        if not half:
            await _refuse_half(connection)
        await connection.execute("set client_min_messages = warning")
        await connection.execute(_TABLE)
        new = _missing(await _applied(connection))
        for migration in new:
            async with connection.transaction():
                if migration.id.startswith(_JOBS):
                    await connection.execute(_OPEN_JOBS + migration.text + _GRANT_JOBS)
                else:
                    await connection.execute(migration.text)
                await _record(connection, migration)
    return [migration.id for migration in new]


async def pending(url: str) -> list[str]:
    """Names of the migrations that `migrate` would apply."""
    connection = await connect(url, "owner")
    async with connection:
        await _refuse_half(connection)
        return [migration.id for migration in _missing(await _applied(connection))]


async def ahead(url: str) -> list[str]:
    """Names of applied migrations that this release does not know: a newer one made them. It may
    run all the same, as migrations only add.
    """
    connection = await connect(url, "owner")
    async with connection:
        known = {_name(file) for file in _files()}
        done = await _applied(connection)
    return sorted(name for name in done if name not in known and not name.startswith(_JOBS))


async def ready(connection: Connection) -> bool:
    """Whether the schema serves this release, as a newer one does; two small queries, in any role.

    `Misconfigured` on a database that a backup is only half restored into.
    """
    await _refuse_half(connection)
    done = await _applied(connection)
    return all(_name(file) in done for file in _files())


def known() -> set[str]:
    """Names of all migrations that this release has."""
    steps = files("procrastinate").joinpath("sql", "migrations").iterdir()
    return {_name(f) for f in _files()} | {_JOBS + _name(f) for f in steps}


async def _refuse_half(connection: Connection) -> None:
    row = await (await connection.execute(UNFINISHED)).fetchone()
    if row and row[0]:
        raise Misconfigured(
            reason="a backup is only half restored into it: let `junctor restore` end, or run it "
            "again, which begins anew"
        )


async def _applied(connection: Connection) -> dict[str, bytes]:
    try:
        cursor = connection.cursor(row_factory=tuple_row)
        await cursor.execute("select id, checksum from migrations")
        return {name: bytes(checksum) for name, checksum in await cursor.fetchall()}
    except errors.UndefinedTable:
        return {}


def _missing(done: dict[str, bytes]) -> list[_Migration]:
    out = []
    for migration in _ours():
        if migration.id not in done:
            out.append(migration)
        elif done[migration.id] != migration.checksum:
            raise Misconfigured(
                reason=f"the migration {migration.id} was edited after it was applied to this "
                "database: install the release that it came with, and add a new one instead"
            )
    return out + [migration for migration in _jobs(done) if migration.id not in done]


async def _record(connection: Connection, migration: _Migration) -> None:
    for name in (*migration.covers, migration.id):
        await connection.execute(
            "insert into public.migrations (id, checksum) values (%s, %s)",
            (name, migration.checksum),
        )


def _files() -> list[Traversable]:
    folder = files("junctor.adapters.postgres").joinpath("migrations")
    return sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)


def _name(file: Traversable) -> str:
    return file.name.removesuffix(".sql")


def _ours() -> Iterator[_Migration]:
    for file in _files():
        yield _Migration(_name(file), file.read_text(encoding="utf-8"))


def _jobs(done: dict[str, bytes]) -> list[_Migration]:
    """Procrastinate's whole schema for a new database, else its own steps from its last version."""
    folder = files("procrastinate").joinpath("sql")
    steps = [f for f in folder.joinpath("migrations").iterdir() if f.name.endswith(".sql")]
    steps.sort(key=lambda f: f.name)
    if any(name.startswith(_JOBS) for name in done):
        return [_Migration(_JOBS + _name(f), f.read_text(encoding="utf-8")) for f in steps]
    *earlier, last = (_JOBS + _name(f) for f in steps)
    schema = folder.joinpath("schema.sql").read_text(encoding="utf-8")
    return [_Migration(last, schema, tuple(earlier))]
