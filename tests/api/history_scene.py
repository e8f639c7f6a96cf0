"""Runs that somebody is named in, in an organisation of the API's own."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import msgspec
import psycopg
import zstandard
from psycopg import sql

from junctor.adapters.blobs import _aad as blob_aad
from junctor.adapters.transport import AiohttpTransport
from junctor.errors import Misconfigured
from junctor.runtime.flight import segment_aad
from junctor.runtime.registry import Registry
from junctor.runtime.waiting import wait_aad
from junctor.runtime.worker import Worker
from tests.durability import kit

WAITS = ("match", "question", "answer")
registry = Registry.load()


def plant(url: str, organization: UUID, text: str, *, stores: dict[int, UUID]) -> tuple[UUID, str]:
    """A published scenario with a hook; its id and the hook's path."""
    scenario = kit.plant(url, text, organization)
    token = os.urandom(16).hex()
    with psycopg.connect(url, autocommit=True) as db:
        for store in stores.values():
            db.execute(
                "insert into data_stores (organization_id, id, team_id, name, created_by,"
                " updated_by) values (%s, %s, %s, %s, 't', 't') on conflict do nothing",
                (organization, store, kit.TEAM, f"d{store.hex}"),
            )
        bindings = {"stores": {str(module): str(store) for module, store in stores.items()}}
        db.execute(
            "update scenario_versions set bindings = %s where scenario_id = %s",
            (json.dumps(bindings), scenario),
        )
        db.execute(
            "insert into hooks (organization_id, id, team_id, scenario_id, module, name, connector,"
            " kind, token, created_by, updated_by)"
            " values (%s, %s, %s, %s, 1, 'h', 'gateway', 'CustomWebHook', %s, 't', 't')",
            (organization, kit.new_id(), kit.TEAM, scenario, token),
        )
    return scenario, f"/hook/{token}"


@asynccontextmanager
async def working(core: Any, url: str, allow: str = "") -> AsyncIterator[None]:
    """A worker with the API's keys."""
    import asyncio

    stop = asyncio.Event()
    async with AiohttpTransport([allow] if allow else []) as transport:
        worker = Worker(
            url,
            name=f"worker-{kit.new_id().hex}",
            find=registry.find,
            connector=registry.connector,
            vault=core.vault,
            blobs=core.blobs,
            transport=transport,
            lease=5.0,
        )
        task = asyncio.create_task(worker.run(stop))
        try:
            yield
        finally:
            stop.set()
            await task


async def everything(core: Any, url: str, organization: UUID) -> list[tuple[str, str]]:
    """Every value of every table, opened where it is sealed: (table, text)."""
    keyring = await core.vault.keyring(organization)
    out: list[tuple[str, str]] = []
    with psycopg.connect(url) as db:
        tables = [
            row[0]
            for row in db.execute(
                "select relname from pg_class where relkind in ('r') and"
                " relnamespace = 'public'::regnamespace"
            )
        ]
        for table in tables:
            typed = db.execute(
                "select attname, atttypid in ('bytea'::regtype, 'uuid'::regtype, 'int'::regtype)"
                " from pg_attribute where attrelid = %s::regclass and attnum > 0"
                " and not attisdropped",
                (table,),
            ).fetchall()
            wanted = sql.SQL(", ").join(
                sql.Identifier(name)
                if plain
                else sql.SQL("{0}::text as {0}").format(sql.Identifier(name))
                for name, plain in typed
            )
            cursor = db.execute(sql.SQL("select {} from {}").format(wanted, sql.Identifier(table)))
            columns = [each.name for each in cursor.description or ()]
            for row in cursor:
                values = dict(zip(columns, row, strict=True))
                if table.startswith("segments"):
                    aad = segment_aad(organization, values["run_id"], values["seq"])
                    raw = keyring.open(values.pop("data"), aad)
                    packed = zstandard.ZstdDecompressor().decompress(raw[1:])
                    out.append((table, packed.decode("utf-8", "replace")))
                    out.append((table, repr(msgspec.msgpack.decode(packed))))
                if table == "blob_chunks":
                    content = _opened(keyring, organization, values)
                    out.append((table, content.decode("utf-8", "replace")))
                    values.pop("data")
                for column in ("sealed", "answer", "body"):
                    if table in {"waits", "idempotency"} and values.get(column):
                        content = _unsealed(keyring, organization, values, values.pop(column))
                        out.append((table, content.decode("utf-8", "replace")))
                for value in values.values():
                    shown = (
                        bytes(value).decode("utf-8", "replace")
                        if isinstance(value, (bytes, memoryview))
                        else value
                        if isinstance(value, str)
                        else repr(value)
                    )
                    out.append((table, shown))
    return out


def _opened(keyring: Any, organization: UUID, values: dict[str, Any]) -> bytes:
    for count in range(100):
        aad = blob_aad(organization, values["owner"], bytes(values["id"]), values["n"], count)
        try:
            content: bytes = keyring.open(values["data"], aad)
        except Misconfigured:
            continue
        return content
    raise AssertionError("a chunk that does not open")


def answer_aad(organization: UUID, key: str) -> bytes:
    """What an answer that the API remembers is sealed to."""
    return b"idempotency" + organization.bytes + key.encode()


def _unsealed(keyring: Any, organization: UUID, values: dict[str, Any], sealed: bytes) -> bytes:
    aads = [answer_aad(organization, values.get("key", ""))]
    aads += [wait_aad(organization, values["id"], what) for what in WAITS if "id" in values]
    for aad in aads:
        try:
            content: bytes = keyring.open(sealed, aad)
        except Misconfigured:
            continue
        return content
    raise AssertionError("a value that does not open")


def names(text: str, *, digits: str, mail: str) -> bool:
    """Whether a text holds the canary in any spelling; in no way as Junctor itself looks."""
    plain = unquote(text)
    only = "".join(each for each in plain if each.isdigit())
    return digits in only or mail in plain.lower()
