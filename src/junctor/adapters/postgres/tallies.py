"""What a database holds, in numbers: rows and a checksum per table, to compare a copy with.

A checksum is the sum of a part of each row's SHA-256, so the order of rows does not matter, and a
row that is missing, twice or changed does. Rows are read as text under pinned settings, so that two
servers say the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from psycopg import sql

from junctor.adapters.postgres.database import Connection

__all__ = ["Tally", "differences", "has_tables", "sizes", "tally"]

_PINNED: Final = (
    "set datestyle = 'ISO, YMD'; set intervalstyle = 'iso_8601'; set timezone = 'UTC'; "
    "set extra_float_digits = 1; set bytea_output = 'hex'; set xmlbinary = 'base64'; "
    "set search_path = pg_catalog; set statement_timeout = 0"
)
_TABLES: Final = """
select n.nspname || '.' || c.relname, pg_total_relation_size(c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname in ('public', 'procrastinate')
order by 2 desc, 1"""
_ROWS: Final = """
select count(*), coalesce(sum(('x' || encode(part, 'hex'))::bit(56)::bigint), 0)::text from (
  select substring(sha256(convert_to(t::text, 'UTF8')) for 7) as part from only {table} t
) rows"""


class Tally(msgspec.Struct, frozen=True):
    """Of one table."""

    rows: int
    checksum: str


async def sizes(connection: Connection) -> dict[str, int]:
    """Bytes of each table with its indexes and large values, the largest first."""
    cursor = await connection.execute(_TABLES)
    return {name: int(size) for name, size in await cursor.fetchall()}


async def has_tables(connection: Connection) -> bool:
    """Whether anything was ever made in this database."""
    return bool(await sizes(connection))


async def tally(
    connection: Connection, on_table: Callable[[str], None] | None = None
) -> dict[str, Tally]:
    """Counts every table as the connection's transaction sees it; reads each row once."""
    await connection.execute(_PINNED, prepare=False)
    found: dict[str, Tally] = {}
    for name in await sizes(connection):
        table = sql.Identifier(*name.split(".", 1))
        cursor = await connection.execute(sql.SQL(_ROWS).format(table=table), prepare=False)
        row = await cursor.fetchone()
        assert row is not None
        found[name] = Tally(rows=int(row[0]), checksum=str(row[1]))
        if on_table is not None:
            on_table(name)
    return dict(sorted(found.items()))


def differences(expected: dict[str, Tally], found: dict[str, Tally]) -> list[str]:
    """How a copy differs, a line per table; empty: it is whole."""
    lines = []
    for name in sorted(expected.keys() | found.keys()):
        want, have = expected.get(name), found.get(name)
        if want == have:
            continue
        if want is None or have is None:
            lines.append(f"{name} is {'missing' if have is None else 'not in the backup'}")
        elif want.rows != have.rows:
            lines.append(f"{name} has {have.rows} rows, not {want.rows}")
        else:
            lines.append(f"{name} has rows that differ")
    return lines
