"""Databases for a while: what a backup is tried out in.

One carries the number of the database that it was made for in its name, and whoever uses it holds a
lock under that name there, which ends with the process however it ends. So what a killed one has
left is known for certain, and nothing else is ever taken for it: not another installation's on the
same server, nor a database that a person called alike.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import errors
from psycopg import sql as compose
from psycopg.conninfo import make_conninfo

from junctor.adapters.postgres.database import Connection, connect
from junctor.adapters.postgres.queries import load
from junctor.errors import Misconfigured, NotSent

__all__ = ["drop_leftovers", "made_database"]


@asynccontextmanager
async def made_database(url: str) -> AsyncIterator[str]:
    """An empty database on the same server, for the length of the block; its URL. What killed ones
    have left there is removed before.

    `Misconfigured` if the user may not make one.
    """
    connection = await connect(url, "owner")
    async with connection:
        await drop_leftovers(connection)
        row = await (await connection.execute(load("backup")["scratch_prefix"])).fetchone()
        assert row is not None
        name = f"{row[0]}{secrets.token_hex(6)}"
        identifier = compose.Identifier(name)
        await connection.execute(load("backup")["use_scratch"], {"name": name})
        try:
            await connection.execute(compose.SQL("create database {}").format(identifier))
        except errors.InsufficientPrivilege as error:
            raise Misconfigured(
                f"The user {connection.info.user} may not make the database that a backup is "
                "verified in: allow it (alter user … createdb), or restore the backup elsewhere "
                "with `junctor restore FILE --into URL`."
            ) from error
        try:
            yield make_conninfo(url, dbname=name)
        finally:
            try:
                await _drop(connection, name)
            except errors.OperationalError as error:
                raise NotSent(host="the database", reason=str(error)) from error


async def drop_leftovers(connection: Connection) -> list[str]:
    """Removes what was made for this database and nobody uses any more; the names.

    One that can't be removed now is left to the next look.
    """
    sql = load("backup")
    dropped = []
    for (name,) in await (await connection.execute(sql["scratches"])).fetchall():
        row = await (await connection.execute(sql["use_scratch"], {"name": name})).fetchone()
        if row is None or not row[0]:
            continue
        try:
            await _drop(connection, name)
        except psycopg.Error:
            if connection.closed:
                raise
        else:
            dropped.append(name)
        await connection.execute(sql["leave_scratch"], {"name": name})
    return dropped


async def _drop(connection: Connection, name: str) -> None:
    await connection.execute(
        compose.SQL("drop database if exists {} with (force)").format(compose.Identifier(name))
    )
