"""The database as a file and back, with PostgreSQL's own programs.

`save` writes one snapshot while everything goes on: the same that is counted meanwhile. `load`
fills an empty database; a mark in it says that this is under way, so that nothing starts on a half.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from psycopg import errors

from junctor.adapters.postgres import programs
from junctor.adapters.postgres.database import Connection, connect
from junctor.adapters.postgres.migrate import UNFINISHED
from junctor.adapters.postgres.queries import load as queries
from junctor.adapters.postgres.tallies import Tally, has_tables, tally
from junctor.errors import Conflict, Misconfigured

__all__ = ["finish", "load", "save"]

_DUMPING: Final = re.compile(r'dumping contents of table "(.+)"')
_LOADED: Final = re.compile(
    r"finished item \d+ TABLE DATA (\S+)|processing data for table \"(.+)\""
)

# Who owns what is the restoring user's business: their policies and default rights are made anew.
_LEFT_OUT: Final = re.compile(r"^\d+; \d+ \d+ (?:POLICY \S+ \S+ owner_all |DEFAULT ACL )")
# Last of all: an owner that is no superuser can't check foreign keys of tables whose rows a policy
# hides from it.
_AT_THE_END: Final = re.compile(r"^\d+; \d+ \d+ (?:ROW SECURITY|POLICY) ")
_SCHEMAS: Final = ("--schema=public", "--schema=procrastinate")

OnTable = Callable[[str], None]


async def save(
    url: str, file: Path, *, on_table: OnTable | None = None, on_counted: OnTable | None = None
) -> tuple[dict[str, Tally], int]:
    """Writes the database to ``file`` (custom format); what it holds, the server's version.

    ``on_table`` hears of each table whose rows begin to be written, ``on_counted`` of each counted.
    """
    connection = await connect(url, "owner")
    async with connection:
        major = connection.info.server_version // 10000
        program = await programs.fitting("pg_dump", major, newer=True)
        await connection.execute("begin isolation level repeatable read read only")
        row = await (await connection.execute("select pg_export_snapshot()")).fetchone()
        assert row is not None

        def heard(line: str) -> None:
            found = _DUMPING.search(line)
            if found and on_table is not None:
                on_table(found.group(1).replace('"', ""))

        dumping = asyncio.create_task(
            programs.run(
                program,
                url,
                [
                    "--format=custom",
                    "--compress=1",  # gzip, as every build has it; most values are compressed
                    f"--snapshot={row[0]}",
                    "--enable-row-security",  # an owner that is no superuser sees all by its policy
                    *_SCHEMAS,
                    "--verbose",
                    f"--file={file}",
                ],
                on_line=heard,
            )
        )
        try:
            counted = await tally(connection, on_counted)
            await dumping
        finally:
            dumping.cancel()
            await asyncio.gather(dumping, return_exceptions=True)
        return counted, connection.info.server_version


async def load(url: str, file: Path, *, on_table: OnTable | None = None) -> None:
    """Fills an empty database from ``file`` and leaves it marked: `finish` makes it usable.

    A database that an interrupted `load` left is emptied first; any other that holds something is
    refused by `Conflict`.
    """
    connection = await connect(url, "owner")
    sql = queries("backup")
    async with connection:
        major = connection.info.server_version // 10000
        program = await programs.fitting("pg_restore", major, newer=False)
        if await unfinished(connection):
            await connection.execute(sql["empty"])
        elif await _holds_something(connection):
            raise _taken(connection)
        try:
            # Both or none: where `roles` finds something, there must be no mark by which the next
            # restore would empty it.
            async with connection.transaction():
                await connection.execute(sql["mark"])
                await connection.execute(sql["roles"])
        except errors.DependentObjectsStillExist as error:
            raise _taken(connection) from error
    with tempfile.TemporaryDirectory(prefix="junctor-") as folder:
        contents = await _contents(program, file, Path(folder))

        def heard(line: str) -> None:
            found = _LOADED.search(line)
            if found and on_table is not None:
                on_table(found.group(1) or found.group(2))

        for part in contents:
            await programs.run(
                program,
                url,
                [
                    "--no-owner",
                    "--exit-on-error",
                    f"--jobs={min(4, os.cpu_count() or 1)}",
                    f"--use-list={part}",
                    "--verbose",
                    str(file),
                ],
                on_line=heard,
            )
    connection = await connect(url, "owner")
    async with connection:
        await connection.execute(sql["own"])
        await connection.execute("analyze")


async def _holds_something(connection: Connection) -> bool:
    """Tables of ours or in our place, or a schema that the dump is to make."""
    row = await (await connection.execute("select to_regnamespace('procrastinate')")).fetchone()
    return bool(row and row[0]) or await has_tables(connection)


def _taken(connection: Connection) -> Conflict:
    return Conflict(
        f"The database {connection.info.dbname} holds something already, and a backup is "
        "restored only into an empty one. Make one with `createdb NAME` and name it with "
        "--into, or choose another data directory with JUNCTOR_DATA_DIR."
    )


async def finish(connection: Connection) -> None:
    """Takes the mark away; in the transaction of whatever must be done before anything starts."""
    await connection.execute(queries("backup")["unmark"])


async def unfinished(connection: Connection) -> bool:
    """Whether a `load` into this database was begun and not finished."""
    row = await (await connection.execute(UNFINISHED)).fetchone()
    return bool(row and row[0])


async def _contents(program: Path, file: Path, folder: Path) -> list[Path]:
    """The dump's contents without what is made anew, as two lists: what is restored first, and what
    hides rows.
    """
    process = await asyncio.create_subprocess_exec(
        str(program),
        "--list",
        str(file),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    listed, said = await process.communicate()
    if process.returncode != 0:
        raise Misconfigured(
            reason=f"{file} is no dump that can be read: {said.decode(errors='replace').strip()}"
        )
    parts: tuple[list[str], list[str]] = ([], [])
    for line in listed.decode().splitlines(keepends=True):
        if not _LEFT_OUT.match(line):
            parts[bool(_AT_THE_END.match(line))].append(line)
    files = [folder / "first", folder / "last"]
    for path, lines in zip(files, parts, strict=True):
        await asyncio.to_thread(path.write_text, "".join(lines))
    return files
