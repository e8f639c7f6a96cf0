"""Backups where the database's owner is no superuser, as with most services that run PostgreSQL."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from junctor.adapters.postgres.migrate import migrate
from junctor.adapters.vault import put_key
from junctor.app.backup import bring_up_to_date, make_backup
from junctor.app.restore import restore_backup
from junctor.app.settings import Settings
from junctor.errors import Misconfigured
from tests.integration.backup_world import KEY, ROLES, inhabit, rows
from tests.support import asynchronous


@contextmanager
def owned(url: str, *databases: str, granted: bool = True) -> Iterator[list[str]]:
    """Empty databases of a user that may do what docs/deploy asks for, and no more; their URLs.

    The roles are there, as other databases of the test server have them.
    """
    user = f"owner_{os.getpid()}_{secrets.token_hex(4)}"
    name = sql.Identifier(user)
    password = secrets.token_hex(8)
    given = {**conninfo_to_dict(url), "user": user, "password": password}
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            sql.SQL("create role {} login createdb password {}").format(name, sql.Literal(password))
        )
        if granted:
            db.execute(sql.SQL("grant junctor_engine, junctor_api to {}").format(name))
        made = [f"{user}_{database}" for database in databases]
        try:
            for database in made:
                db.execute(
                    sql.SQL("create database {} owner {}").format(sql.Identifier(database), name)
                )
            yield [make_conninfo("", **{**given, "dbname": database}) for database in made]
        finally:
            for database in made:
                db.execute(
                    sql.SQL("drop database if exists {} with (force)").format(
                        sql.Identifier(database)
                    )
                )
            db.execute(sql.SQL("drop role {}").format(name))


def guarded(url: str) -> list[Any]:
    """Each table's guards: who may what, in no order, and its policies."""
    return [
        (name, on, forced, sorted(rights.strip("{}").split(",")), policies)
        for name, on, forced, rights, policies in rows(url, ROLES)
    ]


@asynchronous
async def test_an_owner_that_is_no_superuser_backs_up_verifies_and_restores(
    postgres_url: str, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    settings.ensure_data_dir()
    put_key(settings.data_dir, KEY)
    with owned(postgres_url, "first", "copy") as (first, copy):
        await migrate(first)
        await inhabit(first, settings)
        made = await make_backup(settings, first, check=True)

        await restore_backup(settings, copy, made.folder, how="copy", actor="t")

        assert rows(copy, "select name, active from scenarios") == [("Calls", False)]
        assert guarded(copy) == guarded(first)


@asynchronous
async def test_an_owner_that_lacks_a_right_is_told_which(postgres_url: str, tmp_path: Path) -> None:
    with (
        owned(postgres_url, "first", granted=False) as (first,),
        pytest.raises(Misconfigured, match=r"create role junctor_engine.*grant junctor_engine"),
    ):
        await bring_up_to_date(Settings(data_dir=tmp_path, database_url=first), first)
