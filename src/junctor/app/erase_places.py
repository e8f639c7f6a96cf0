"""Where a person may be named beside runs: tables, their keys, and which columns to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from psycopg import sql
from psycopg.types.json import Jsonb

from junctor.adapters.postgres.database import Connection
from junctor.errors import Misconfigured
from junctor.language.people import Person
from junctor.ports.vault import Keyring
from junctor.runtime.waiting import wait_aad

__all__ = ["PLACES", "Place", "erase_page", "known_tables"]

BATCH: Final = 500


Aad = Callable[[UUID, Sequence[Any]], bytes]
"""What a row is sealed to, by its organisation and key."""


@dataclass(frozen=True, slots=True)
class Place:
    """A table. ``act``: ``rewrite`` its columns, ``remove`` a row that names them, or only
    ``report`` it. A row whose ``naming`` columns (of its key) name them is removed.
    """

    name: str
    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    act: Literal["rewrite", "remove", "report"] = "rewrite"
    naming: tuple[str, ...] = ()
    types: tuple[str, ...] = ("uuid",)
    """Of the key."""
    sealed: Mapping[str, tuple[Aad, ...]] = field(default_factory=dict)
    """Columns that are sealed msgpack, with what they may be sealed to."""


def _of_wait(what: str) -> Aad:
    return lambda organization_id, key: wait_aad(organization_id, key[0], what)


def _of_answer(organization_id: UUID, key: Sequence[Any]) -> bytes:
    return b"idempotency" + organization_id.bytes + str(key[0]).encode()


PLACES: Final = (
    Place(
        "records",
        "data_store_records",
        ("store_id", "key"),
        ("data",),
        naming=("key",),
        types=("uuid", "text"),
    ),
    Place("answers", "answers", ("delivery_id",), ("headers", "body")),
    Place(
        "requests",
        "connection_requests",
        ("connection_id", "id"),
        ("url", "error"),
        types=("uuid", "uuid"),
    ),
    Place("notices", "notices", ("id",), ("subject", "params")),
    Place(
        "module states",
        "module_states",
        ("scenario_id", "module"),
        ("state",),
        types=("uuid", "int"),
    ),
    Place("variables", "variables", ("id",), ("value",)),
    Place("messages about notices", "notifications", ("id",), ("error",)),
    Place(
        "remembered API answers",
        "idempotency",
        ("key",),
        ("body",),
        act="remove",
        naming=("key",),
        types=("text",),
        sealed={"body": (_of_answer,)},
    ),
    Place(
        "waits",
        "waits",
        ("id",),
        ("sealed", "answer", "answered_by"),
        sealed={
            "sealed": (_of_wait("match"), _of_wait("question")),
            "answer": (_of_wait("answer"),),
        },
    ),
    Place(
        "dedup keys",
        "seen",
        ("hook_id", "key"),
        (),
        naming=("key",),
        types=("uuid", "text"),
    ),
    # What people set up, and what must not change: told, for somebody to decide.
    Place("scenarios", "scenarios", ("id",), ("name",), act="report"),
    Place(
        "scenario versions",
        "scenario_versions",
        ("scenario_id", "version"),
        ("blueprint",),
        act="report",
        types=("uuid", "int"),
    ),
    Place("connections", "connections", ("id",), ("name", "settings", "test_error"), act="report"),
    Place(
        "connections' accounts",
        "connection_states",
        ("connection_id",),
        ("account_id", "account", "broken_reason"),
        act="report",
    ),
    Place(
        "hooks",
        "hooks",
        ("id",),
        ("name", "settings", "registration", "registration_error"),
        act="report",
    ),
    Place(
        "notification channels",
        "notification_channels",
        ("id",),
        ("name", "address", "error"),
        act="report",
    ),
    Place("data stores", "data_stores", ("id",), ("name", "structure"), act="report"),
    Place("data structures", "data_structures", ("id",), ("name", "spec"), act="report"),
    Place("tokens", "tokens", ("id",), ("name",), act="report"),
    Place("audit log", "audit", ("seq",), ("object", "details"), act="report", types=("bigint",)),
)


async def known_tables(connection: Connection) -> set[str]:
    """Tables of this schema."""
    cursor = await connection.execute(
        "select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace"
        " and c.relkind in ('r', 'p')"
    )
    return {row[0] for row in await cursor.fetchall()}


async def erase_page(
    connection: Connection,
    place: Place,
    organization_id: UUID,
    person: Person,
    after: list[Any] | None,
    keyring: Keyring,
    *,
    dry: bool,
) -> tuple[int, list[Any] | None]:
    """Looks through the next rows; how many named them, and the last key (``None``: the end).

    Names come from `PLACES` alone; values are bound.
    """
    key = sql.SQL(", ").join(map(sql.Identifier, place.key))
    columns = sql.SQL(", ").join(map(sql.Identifier, (*place.key, *place.columns)))
    table = sql.Identifier(place.table)
    beyond: sql.Composable = sql.SQL("")
    values: list[Any] = [organization_id]
    if after is not None:
        marks = sql.SQL(", ").join(sql.SQL("%s::") + sql.SQL(each) for each in place.types)
        beyond = sql.SQL(" and ({}) > ({})").format(key, marks)
        values += after
    statement = sql.SQL(
        "select {} from {} where organization_id = %s{} order by {} limit %s for update"
        if place.act != "report"
        else "select {} from {} where organization_id = %s{} order by {} limit %s"
    )
    async with connection.transaction():
        cursor = await connection.execute(
            statement.format(columns, table, beyond, key), [*values, BATCH]
        )
        rows = await cursor.fetchall()
        count = 0
        for row in rows:
            here = list(row[: len(place.key)])
            count += await _row(
                connection, place, organization_id, here, row[len(here) :], person, keyring, dry=dry
            )
    last = None if len(rows) < BATCH else _plain(rows[-1][: len(place.key)])
    return count, last


def _plain(key: Any) -> list[Any]:
    return [str(each) if isinstance(each, UUID) else each for each in key]


async def _row(
    connection: Connection,
    place: Place,
    organization_id: UUID,
    key: list[Any],
    values: Any,
    person: Person,
    keyring: Keyring,
    *,
    dry: bool,
) -> int:
    named = dict(zip(place.key, key, strict=True))
    by_key = any(person.in_text(named[column]) for column in place.naming)
    made = {
        column: _sealed(place, column, organization_id, key, value, person, keyring)
        if column in place.sealed
        else person.erase(bytes(value) if isinstance(value, memoryview) else value)
        for column, value in zip(place.columns, values, strict=True)
    }
    changed = {column: value for column, (value, count) in made.items() if count}
    if not by_key and not changed:
        return 0
    if dry or place.act == "report":
        return 1
    same = sql.SQL(" and ").join(
        sql.SQL("{} = %s").format(sql.Identifier(column)) for column in place.key
    )
    table = sql.Identifier(place.table)
    if by_key or place.act == "remove":
        await connection.execute(
            sql.SQL("delete from {} where organization_id = %s and {}").format(table, same),
            [organization_id, *key],
        )
        return 1
    sets = sql.SQL(", ").join(
        sql.SQL("{} = %s").format(sql.Identifier(column)) for column in changed
    )
    await connection.execute(
        sql.SQL("update {} set {} where organization_id = %s and {}").format(table, sets, same),
        [*map(_bound, changed.values()), organization_id, *key],
    )
    return 1


def _sealed(
    place: Place,
    column: str,
    organization_id: UUID,
    key: list[Any],
    value: Any,
    person: Person,
    keyring: Keyring,
) -> tuple[Any, int]:
    """The same of what is sealed, sealed again; what can't be opened is nobody's to read."""
    for made in place.sealed[column]:
        aad = made(organization_id, key)
        try:
            plain = msgspec.msgpack.decode(keyring.open(value, aad)) if value else None
        except (Misconfigured, ValueError):
            continue
        erased, count = person.erase(plain)
        return (keyring.seal(msgspec.msgpack.encode(erased), aad), count) if count else (value, 0)
    return value, 0


def _bound(value: Any) -> Any:
    if isinstance(value, (Mapping, list)):
        return Jsonb(value)
    return value
