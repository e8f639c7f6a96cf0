"""What every part of the catalog does the same way."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar
from uuid import UUID

from psycopg import errors
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from junctor.adapters.postgres.database import Connection, Pool, tenant
from junctor.adapters.postgres.queries import load
from junctor.adapters.system import system_ids
from junctor.errors import Conflict, Misconfigured, NotFound
from junctor.language.ids import Ids, show
from junctor.ports.catalog import Json, Page


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


T = TypeVar("T")
Row = TypeVar("Row", bound=_Identified)
Parameters = Mapping[str, Any]

_MOST = 500

_SHARED: ContextVar[tuple[UUID, Connection] | None] = ContextVar("shared", default=None)
"""The organisation and transaction of `Base.together`, while in it."""


class Base:
    """Runs named queries for one organisation, in one transaction with their audit line."""

    def __init__(self, api: Pool, engine: Pool, ids: Ids | None = None) -> None:
        self._api = api
        self._engine = engine
        self._ids = ids or system_ids()
        self._sql = load("catalog")

    @asynccontextmanager
    async def together(self, organization_id: UUID) -> AsyncIterator[None]:
        async with tenant(self._api, organization_id) as connection:
            token = _SHARED.set((organization_id, connection))
            try:
                yield
            finally:
                _SHARED.reset(token)

    @asynccontextmanager
    async def _tenant(self, organization_id: UUID) -> AsyncIterator[Connection]:
        """A transaction of the organisation: `together`'s while in it, else one of its own."""
        shared = _SHARED.get()
        if shared is not None and shared[0] == organization_id:
            yield shared[1]
            return
        async with tenant(self._api, organization_id) as connection:
            yield connection

    async def _row(
        self, connection: Connection, kind: type[T], name: str, parameters: Parameters
    ) -> T | None:
        async with connection.cursor(row_factory=class_row(kind)) as cursor:
            await cursor.execute(self._sql[name], parameters, binary=True)
            return await cursor.fetchone()

    async def _rows(
        self, connection: Connection, kind: type[T], name: str, parameters: Parameters
    ) -> list[T]:
        async with connection.cursor(row_factory=class_row(kind)) as cursor:
            await cursor.execute(self._sql[name], parameters, binary=True)
            return await cursor.fetchall()

    async def _value(self, connection: Connection, name: str, parameters: Parameters) -> Any:
        """The first column of the first row, or ``None``."""
        cursor = await connection.execute(self._sql[name], parameters)
        row = await cursor.fetchone()
        return None if row is None else row[0]

    async def _read(self, what: str, kind: type[T], name: str, parameters: Parameters) -> T:
        """One row of the organisation; `NotFound`."""
        async with self._tenant(parameters["organization"]) as connection:
            row = await self._row(connection, kind, name, parameters)
        if row is None:
            raise NotFound(what=what)
        return row

    async def _list(self, kind: type[T], name: str, parameters: Parameters) -> list[T]:
        async with self._tenant(parameters["organization"]) as connection:
            return await self._rows(connection, kind, name, parameters)

    async def _page(
        self,
        kind: type[T],
        name: str,
        parameters: Parameters,
        *,
        limit: int,
        last: Callable[[T], str],
    ) -> Page[T]:
        """A page of the organisation's rows; ``last`` says where the next one begins."""
        size = max(1, min(limit, _MOST))
        rows = await self._list(kind, name, {**parameters, "limit": size + 1})
        if len(rows) <= size:
            return Page(rows, None)
        return Page(rows[:size], pack(last(rows[size - 1])))

    async def _newest(
        self,
        kind: type[Row],
        name: str,
        organization_id: UUID,
        cursor: str | None,
        limit: int,
        **more: object,
    ) -> Page[Row]:
        """A page of rows that are listed newest first, by their ids."""
        parameters = {"organization": organization_id, "before": unpack(cursor, UUID), **more}
        return await self._page(kind, name, parameters, limit=limit, last=lambda row: str(row.id))

    @asynccontextmanager
    async def _writing(self, what: str, organization_id: UUID) -> AsyncIterator[Connection]:
        """A transaction of the organisation; refusals of the database become ours."""
        try:
            async with self._tenant(organization_id) as connection:
                yield connection
        except errors.UniqueViolation as error:
            raise Conflict(f"{what} of that name exists already") from error
        except errors.ForeignKeyViolation as error:
            raise NotFound(
                f"{what} names something that was not found ({error.diag.constraint_name})"
            ) from error

    async def _add(
        self,
        connection: Connection,
        kind: type[T],
        name: str,
        parameters: Parameters,
        prefix: str,
        details: Json,
    ) -> T:
        """Makes one row, with its audit line; ``prefix`` is that of its id."""
        made = await self._row(connection, kind, name, parameters)
        assert made is not None
        thing = show(prefix, parameters["id"])
        await self._audit(
            connection, parameters["organization"], parameters["actor"], "create", thing, details
        )
        return made

    async def _change(
        self,
        connection: Connection,
        what: str,
        kind: type[T],
        name: str,
        parameters: Parameters,
        *,
        reader: str,
        why: Callable[[T], None] | None = None,
    ) -> T:
        """Updates one row; says why not if it can't.

        ``why`` may raise a reason it finds in the stored row; else the revision was another.
        """
        row = await self._row(connection, kind, name, parameters)
        if row is not None:
            return row
        stored = await self._row(connection, kind, reader, parameters)
        if stored is None:
            raise NotFound(what=what)
        if why is not None:
            why(stored)
        raise Conflict(what=what)

    async def _remove(
        self,
        connection: Connection,
        what: str,
        kind: type[T],
        name: str,
        reader: str,
        parameters: Parameters,
        actor: str,
        thing: str,
    ) -> None:
        """Deletes one row, whose name goes into the audit log."""
        gone = await self._value(connection, name, parameters)
        if gone is None:
            if await self._row(connection, kind, reader, parameters) is None:
                raise NotFound(what=what)
            raise Conflict(what=what)
        await self._audit(
            connection, parameters["organization"], actor, "delete", thing, {"name": gone}
        )

    async def _unused(
        self, connection: Connection, what: str, kind: str, parameters: Parameters
    ) -> None:
        """`Conflict` while a scenario's draft or published version has a module bound to it."""
        cursor = await connection.execute(self._sql["bound_users"], {**parameters, "kind": kind})
        users = [f"the scenario '{row[0]}'" for row in await cursor.fetchall()]
        if users:
            raise Conflict(f"{what} is used by {', '.join(users)}: change these first")

    async def _tell_doors(self, connection: Connection) -> None:
        """With the commit, every server forgets the hooks that it keeps ready."""
        await connection.execute("select pg_notify('junctor_hooks', '')")

    async def _audit(
        self,
        connection: Connection,
        organization_id: UUID,
        actor: str,
        verb: str,
        thing: str,
        details: Json | None = None,
    ) -> None:
        await connection.execute(
            self._sql["append_audit"],
            {
                "organization": organization_id,
                "actor": actor,
                "verb": verb,
                "object": thing,
                "details": Jsonb(details or {}),
            },
        )

    async def _team(
        self, connection: Connection, organization_id: UUID, team_id: UUID | None
    ) -> UUID:
        """The team given, or the organisation's first."""
        if team_id is not None:
            return team_id
        found = await self._value(connection, "first_team", {"organization": organization_id})
        if found is None:
            raise NotFound(what="The organisation")
        assert isinstance(found, UUID)
        return found


def json_or_none(value: Json | None) -> Jsonb | None:
    """For a column that keeps its value when nothing is given."""
    return None if value is None else Jsonb(value)


def given(**changes: object) -> list[str]:
    """The names of what a write changes, for the audit log; the values may be secrets."""
    return [name for name, value in changes.items() if value is not None]


def pack(key: str) -> str:
    """A cursor, from the key of the last row shown."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def unpack(cursor: str | None, read: Callable[[str], T]) -> T | None:
    """The key in a cursor; `Misconfigured` if no list of ours gave it."""
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return read(text.decode())
    except (ValueError, binascii.Error) as error:
        raise Misconfigured(
            "The cursor is not one that this list gave: leave it out to start anew."
        ) from error
