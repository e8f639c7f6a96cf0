"""Connections to PostgreSQL, each in one of three roles.

owner   migrates, and does what only a table's owner may
engine  works over all organisations (servers, workers, jobs)
api     sees one organisation, named per transaction by `tenant`; everything else is hidden from it
        by row level security

The sign-in user must be a member of the two roles; migration grants that to whoever migrates.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, TypeVar
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, OperationalError, ProgrammingError, errors
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool

from junctor.errors import Misconfigured, NotSent

__all__ = ["Connection", "Pool", "Role", "connect", "pool", "tenant", "unlocked"]

T = TypeVar("T")

Role = Literal["owner", "engine", "api"]
Connection = AsyncConnection[Any]
Pool = AsyncConnectionPool[AsyncConnection[Any]]

_ROLES: Final = {"engine": "junctor_engine", "api": "junctor_api"}
_OLDEST: Final = 150000
# Every statement of a hot path comes round soon; the second time it is prepared.
_PREPARE_THRESHOLD: Final = 1
_PREPARED_MAX: Final = 300
_CONNECT_TIMEOUT: Final = 10
_ALIVE: Final[dict[str, Any]] = {
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A network that swallows everything is noticed within 45 seconds; by the system's own times, after
a quarter of an hour, for which a worker would keep what it owns and do nothing."""
_TRIES: Final = 5


async def connect(url: str, role: Role, *, autocommit: bool = True) -> Connection:
    """One connection in ``role``, by itself (listening, leases, migrations).

    `NotSent` if the server can't be reached or refuses the user; `Misconfigured` if it can't be
    used: its URL can't be read, it is older than PostgreSQL 15 or not migrated yet, or a pooler is
    before it that lends a session per transaction.
    """
    try:
        connection = await AsyncConnection.connect(
            url,
            autocommit=True,
            application_name=f"junctor {role}",
            connect_timeout=_CONNECT_TIMEOUT,
            **_ALIVE,
        )
    except ProgrammingError as error:  # its text may hold the password, so it is not told
        raise Misconfigured(
            reason="the database's URL can't be read: write it as "
            "postgresql://user:password@host:5432/name"
        ) from error
    except OperationalError as error:
        reason = " ".join(str(error).split())
        raise NotSent(host="the database", reason=reason) from error
    try:
        await _prepare(connection, role)
        await _refuse_shared_sessions(connection, url)
        await connection.set_autocommit(autocommit)
    except OperationalError as error:  # it went away just now
        await connection.close()
        reason = " ".join(str(error).split())
        raise NotSent(host="the database", reason=reason) from error
    except BaseException:
        await connection.close()
        raise
    return connection


@asynccontextmanager
async def pool(
    url: str,
    role: Role,
    min_size: int = 1,
    max_size: int = 10,
    *,
    patience: float = 0.0,
    wait: float = 30.0,
) -> AsyncIterator[Pool]:
    """An open pool of connections in ``role``, closed at the end of the block.

    Its connections are in autocommit mode: a transaction is what ``connection.transaction()`` or
    `tenant` opens. ``patience``: seconds for which a server that can't be reached is waited for.
    ``wait``: seconds for which a user of the pool waits for a connection.
    """
    await _probe(url, role, patience)

    async def configure(connection: Connection) -> None:
        await _prepare(connection, role)

    made: Pool = AsyncConnectionPool(
        url,
        min_size=min_size,
        max_size=max_size,
        open=False,
        kwargs={
            "autocommit": True,
            "application_name": f"junctor {role}",
            "connect_timeout": _CONNECT_TIMEOUT,
            **_ALIVE,
        },
        configure=configure,
        name=f"junctor-{role}",
        max_idle=300,
        timeout=wait,
    )
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def _probe(url: str, role: Role, patience: float) -> None:
    """Raises what is wrong; the pool would only time out."""
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    while True:
        try:
            probe = await connect(url, role)
        except NotSent:
            if loop.time() >= until:
                raise
            await asyncio.sleep(0.1)
        else:
            await probe.close()
            return


@asynccontextmanager
async def tenant(source: Pool, organization_id: UUID) -> AsyncIterator[Connection]:
    """A transaction of the API role that sees one organisation and no other."""
    async with source.connection() as connection, connection.transaction():
        await connection.execute(
            "select set_config('junctor.organization', %s, true)", (str(organization_id),)
        )
        yield connection


async def unlocked(work: Callable[[], Awaitable[T]]) -> T:
    """Does ``work``, a whole transaction, once more if the database ended it to undo a deadlock.

    Some statements lock a run before its backlog row, others the other way round, as a worker's
    commit does: whichever the database chooses has changed nothing, and finds the other's result
    when it comes again.
    """
    for _ in range(_TRIES - 1):
        try:
            return await work()
        except errors.DeadlockDetected:  # it took a second to be found: no pause is needed
            continue
    return await work()


async def _prepare(connection: Connection, role: Role) -> None:
    if connection.info.server_version < _OLDEST:
        have = f"{connection.info.server_version // 10000}"
        raise Misconfigured(
            reason=f"the server is PostgreSQL {have}, and Junctor needs 15 or newer: upgrade it, "
            "or leave JUNCTOR_DATABASE_URL empty to use the one that Junctor brings"
        )
    connection.prepare_threshold = _PREPARE_THRESHOLD
    connection.prepared_max = _PREPARED_MAX
    set_json_loads(msgspec.json.decode, connection)
    set_json_dumps(msgspec.json.encode, connection)
    name = _ROLES.get(role)
    if name is None:
        return
    try:
        await connection.execute("select set_config('role', %s, false)", (name,))
    except errors.InvalidParameterValue as error:  # there is no such role
        raise Misconfigured(
            reason=f"the database has no role {name}: run `junctor migrate` first"
        ) from error
    except errors.InsufficientPrivilege as error:
        user = connection.info.user
        raise Misconfigured(
            reason=f"the user {user} may not act as {name}: as the user that migrates, run "
            f"grant junctor_engine, junctor_api to {user}"
        ) from error


async def _refuse_shared_sessions(connection: Connection, url: str) -> None:
    """`Misconfigured` behind a pooler that gives a session away between transactions.

    Roles, LISTEN, prepared statements and advisory locks live in a session. A pooler answers the
    start-up itself, so the process id it tells differs from the server's own; and one that shares
    sessions lets two connections meet in the same server process.
    """
    first = await _backend(connection)
    if first == connection.info.backend_pid:
        return
    other = await AsyncConnection.connect(url, autocommit=True, connect_timeout=_CONNECT_TIMEOUT)
    async with other:
        for _ in range(5):
            if await _backend(connection) == await _backend(other):
                raise Misconfigured(
                    reason="the database is reached through a pooler in transaction mode: use its "
                    "session mode (pgbouncer: pool_mode = session), or the server's own address"
                )


async def _backend(connection: Connection) -> int:
    cursor = await connection.execute("select pg_backend_pid()", prepare=False)
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
