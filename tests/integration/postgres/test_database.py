from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import psycopg
import pytest

from junctor.adapters.postgres import database, queries
from junctor.adapters.postgres.migrate import migrate, pending, ready
from junctor.errors import Fault, Misconfigured, NotSent
from tests.support import asynchronous, run

ORGANIZATION = UUID(int=1)


@asynchronous
async def test_each_role_is_the_one_asked_for(database_url: str) -> None:
    seen = {}
    for role in ("owner", "engine", "api"):
        async with await database.connect(database_url, role) as connection:
            cursor = await connection.execute(
                "select current_user, current_setting('application_name')"
            )
            seen[role] = await cursor.fetchone()
    assert seen == {
        "owner": ("junctor", "junctor owner"),
        "engine": ("junctor_engine", "junctor engine"),
        "api": ("junctor_api", "junctor api"),
    }


@asynchronous
async def test_a_network_that_swallows_everything_is_noticed_soon(database_url: str) -> None:
    """Each by what the system was told, as it takes half a minute."""

    def told(connection: psycopg.AsyncConnection[Any]) -> dict[str, int]:
        given = {
            each.keyword.decode(): int(each.val)
            for each in connection.pgconn.info
            if each.val and each.keyword.startswith((b"keepalives_", b"tcp_user"))
        }
        return {**given, "tcp_user_timeout": given["tcp_user_timeout"] // 1000}

    async with (
        await database.connect(database_url, "engine") as alone,
        database.pool(database_url, "api", 1, 1) as pool,
        pool.connection() as pooled,
    ):
        for connection in (alone, pooled):
            known = told(connection)
            assert known["tcp_user_timeout"] <= 60  # while something is on its way
            silent = known["keepalives_interval"] * known["keepalives_count"]
            assert known["keepalives_idle"] + silent <= 60  # while an answer is waited for


@asynchronous
async def test_a_tenant_is_named_for_one_transaction_only(database_url: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with database.pool(database_url, "api", 1, 1) as pool:
            async with database.tenant(pool, ORGANIZATION) as connection:
                cursor = await connection.execute("select current_setting('junctor.organization')")
                assert await cursor.fetchone() == (str(ORGANIZATION),)
            async with pool.connection() as connection:
                cursor = await connection.execute("select current_setting('junctor.organization')")
                assert await cursor.fetchone() == ("",)


@asynchronous
async def test_json_comes_back_as_plain_data(database_url: str) -> None:
    async with await database.connect(database_url, "engine") as connection:
        cursor = await connection.execute("""select '{"a": [1, 2.5, null]}'::jsonb""")
        assert await cursor.fetchone() == ({"a": [1, 2.5, None]},)


def test_a_server_that_is_not_there_is_said_without_the_password() -> None:
    url = "postgresql://junctor:s3cret@/junctor?host=/nowhere"
    with pytest.raises(NotSent, match="Could not reach the database") as caught:
        run(database.connect(url, "api"))
    assert "s3cret" not in str(caught.value)


def test_a_url_that_is_none_is_said_without_the_password() -> None:
    with pytest.raises(Misconfigured, match="postgresql://user:password@host") as caught:
        run(database.connect("postgres s3cret", "api"))
    assert "s3cret" not in caught.value.message


@asynchronous
async def test_a_user_who_may_not_act_as_a_role_is_told_the_mend(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("create role guest login password 'guest'")
        try:
            url = database_url.replace("junctor:", "guest:", 1)
            url = url.replace(url.split("guest:")[1].split("@")[0], "guest", 1)
            with pytest.raises(Misconfigured, match="grant junctor_engine, junctor_api to guest"):
                await database.connect(url, "engine")
        finally:
            owner.execute("drop role guest")


@asynchronous
async def test_migrating_again_changes_nothing(database_url: str) -> None:
    assert await pending(database_url) == []
    assert await migrate(database_url) == []
    async with await database.connect(database_url, "api") as connection:
        assert await ready(connection)


@asynchronous
async def test_an_empty_database_is_not_ready(postgres_url: str) -> None:
    async with await database.connect(postgres_url, "owner") as connection:
        assert not await ready(connection)
    names = await pending(postgres_url)
    assert names[0] == "0001.spine"
    assert names[-1].startswith("procrastinate/")


@asynchronous
async def test_an_edited_migration_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("update migrations set checksum = 'x' where id = '0001.spine'")
    with pytest.raises(Misconfigured, match=r"0001\.spine was edited after it was applied"):
        await migrate(database_url)


def test_queries_are_read_by_name() -> None:
    text = "-- about the file\n-- name: one\n-- Says one.\nselect 1;\n-- name: two\nselect\n  2;\n"
    assert queries.parse(text, "x.sql") == {"one": "select 1", "two": "select\n  2"}


@pytest.mark.parametrize("text", ["-- name: a\nselect 1\n-- name: a\nselect 2", "-- name: a\n-- x"])
def test_a_file_with_a_doubtful_query_is_refused(text: str) -> None:
    with pytest.raises(Fault, match="the query a is"):
        queries.parse(text, "x.sql")


@asynccontextmanager
async def dying(database_url: str, deaths: int) -> AsyncIterator[tuple[str, list[int]]]:
    """A way to the server on which so many connections die at their first query; its URL, and how
    many were made.
    """
    parts = urlsplit(database_url)
    folder = parse_qs(parts.query)["host"][0]
    made: list[int] = []

    ends: list[asyncio.StreamWriter] = []
    carrying: list[asyncio.Task[None]] = []

    async def carry(
        reader: asyncio.StreamReader,
        to: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
        cut: bool,
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if cut and data[:1] in {b"Q", b"P"}:
                    break
                to.write(data)
        to.close()
        back.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.append(len(made))
        there, back = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        ends.extend((writer, back))
        dies = len(made) <= deaths
        carrying.append(asyncio.create_task(carry(there, writer, back, cut=False)))
        carrying.append(asyncio.create_task(carry(reader, back, writer, cut=dies)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    user = parts.netloc.rpartition("@")[0]
    try:
        yield f"postgresql://{user}@127.0.0.1:{port}{parts.path}?sslmode=disable", made
    finally:
        server.close()
        for end in ends:
            end.close()
        await asyncio.gather(
            *carrying, *(end.wait_closed() for end in ends), return_exceptions=True
        )


@asynchronous
async def test_a_server_that_dies_as_it_is_reached_counts_as_out_of_reach(
    database_url: str,
) -> None:
    async with dying(database_url, 1) as (url, made):
        with pytest.raises(NotSent):
            await database.connect(url, "engine")
        await (await database.connect(url, "engine")).close()
        assert len(made) == 2


@asynchronous
async def test_who_starts_waits_for_its_database(database_url: str) -> None:
    async with dying(database_url, 3) as (url, made):
        with pytest.raises(NotSent):
            async with database.pool(url, "engine"):
                pass
        async with (
            database.pool(url, "engine", 1, 1, patience=120) as pool,
            pool.connection() as connection,
        ):
            cursor = await connection.execute("select 1")
            assert await cursor.fetchone() == (1,)
        assert len(made) >= 4
