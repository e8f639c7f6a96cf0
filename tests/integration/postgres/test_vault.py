from __future__ import annotations

import asyncio
import base64
import os
import stat
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from junctor.adapters.blobs import PostgresBlobs
from junctor.adapters.postgres.database import pool
from junctor.adapters.system import now_ms, system_ids
from junctor.adapters.vault import DataKeyring, MasterKeys, PostgresVault
from junctor.errors import Misconfigured
from junctor.language.ids import uuid7
from junctor.testing.contracts import check_blobs, check_vault
from tests.support import asynchronous

IDS = system_ids()
OLD, NEW = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def masters(text: str = f"old:{OLD}") -> MasterKeys:
    return MasterKeys.parse(text, "the test")


def organizations(url: str, count: int = 2) -> list[UUID]:
    made = [IDS.new() for _ in range(count)]
    with psycopg.connect(url, autocommit=True) as owner:
        for id_ in made:
            owner.execute(
                "insert into organizations (organization_id, name, created_by) values (%s,'o','t')",
                (id_,),
            )
    return made


@asynchronous
async def test_the_vault_keeps_the_contract(database_url: str) -> None:
    async with pool(database_url, "engine", 1, 2) as engine:
        await check_vault(PostgresVault(engine, masters()), *organizations(database_url))


@asynchronous
async def test_the_blobs_keep_the_contract(database_url: str) -> None:
    async with pool(database_url, "engine", 1, 2) as engine:
        blobs = PostgresBlobs(engine, PostgresVault(engine, masters()))
        await check_blobs(blobs, *organizations(database_url))


@asynchronous
async def test_a_blob_that_lost_its_last_chunk_does_not_open(database_url: str) -> None:
    (org,) = organizations(database_url, 1)
    async with pool(database_url, "engine", 1, 2) as engine:
        blobs = PostgresBlobs(engine, PostgresVault(engine, masters()))
        await blobs.put(org, org, b"n" * 16, bytes(1_500_000))
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute("delete from blob_chunks where owner = %s and n = 1", (org,))
        with pytest.raises(Misconfigured, match="can't be opened"):
            await blobs.get(org, org, b"n" * 16)


@asynchronous
async def test_processes_that_start_at_once_share_the_first_key(database_url: str) -> None:
    (org,) = organizations(database_url, 1)
    async with pool(database_url, "engine", 1, 5) as engine:
        vaults = [PostgresVault(engine, masters()) for _ in range(5)]
        rings = await asyncio.gather(*(vault.keyring(org) for vault in vaults))
        for sealer in rings:
            for opener in rings:
                assert opener.open(sealer.seal(b"x", b""), b"") == b"x"


@asynchronous
async def test_a_key_is_renewed_weekly_and_used_once_all_know_it(database_url: str) -> None:
    (org,) = organizations(database_url, 1)
    keys = masters()
    week_ago = uuid7(now_ms() - 8 * 24 * 3600 * 1000, os.urandom(10))
    async with pool(database_url, "engine", 1, 2) as engine:
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute(
                "insert into data_keys (organization_id, id, master, wrapped) "
                "values (%s, %s, 'old', %s)",
                (
                    org,
                    week_ago,
                    keys.wrap(b"k" * 32, b"data key" + org.bytes + week_ago.bytes),
                ),
            )
            ring = await PostgresVault(engine, keys).keyring(org)
            assert ring.seal(b"x", b"")[:16] == week_ago.bytes
            row = owner.execute(
                "select max(id::text) from data_keys where organization_id = %s", (org,)
            ).fetchone()
            assert row is not None
            fresh = UUID(row[0])
            assert fresh != week_ago
            # what another process seals with the fresh key, this one opens already
            assert fresh.bytes in ring._keys


@asynchronous
async def test_a_new_master_key_takes_over(database_url: str) -> None:
    (org,) = organizations(database_url, 1)
    async with pool(database_url, "engine", 1, 2) as engine:
        sealed = (await PostgresVault(engine, masters()).keyring(org)).seal(b"x", b"")
        both = PostgresVault(engine, masters(f"new:{NEW},old:{OLD}"))
        assert await both.rewrap() >= 1
        assert await both.rewrap() == 0
        alone = await PostgresVault(engine, masters(f"new:{NEW}")).keyring(org)
        assert alone.open(sealed, b"") == b"x"
        with pytest.raises(Misconfigured, match="the master key 'new' is missing; have: old"):
            await PostgresVault(engine, masters()).keyring(org)
        with pytest.raises(Misconfigured, match="'new' is not the one that this database was made"):
            await PostgresVault(engine, masters(f"new:{OLD}")).keyring(org)


def test_the_first_start_makes_a_key_file(tmp_path: Path) -> None:
    MasterKeys.load(tmp_path, {})
    file = tmp_path / "master.key"
    text = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    MasterKeys.load(tmp_path, {})
    assert file.read_text() == text
    assert list(tmp_path.iterdir()) == [file]
    file.chmod(0o640)
    with pytest.raises(Misconfigured, match="run chmod 600"):
        MasterKeys.load(tmp_path, {})


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    keys = MasterKeys.load(tmp_path, {"JUNCTOR_MASTER_KEY": f"b:{NEW}, a:{OLD}"})
    assert keys.current == "b"
    assert not list(tmp_path.iterdir())
    assert MasterKeys.load(tmp_path, {"JUNCTOR_MASTER_KEY": OLD}).current == "main"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("short", "key 1 in the test is not 32 bytes in base64"),
        (f"a:{OLD},b:c2VjcmV0", "key 2 in the test is not 32 bytes"),
        (f"a:{OLD},a:{NEW}", "two keys in the test have the id 'a'"),
    ],
)
def test_a_bad_master_key_is_refused_without_showing_it(text: str, says: str) -> None:
    with pytest.raises(Misconfigured, match=says) as caught:
        masters(text)
    assert "c2VjcmV0" not in str(caught.value)
    assert OLD not in str(caught.value)


def test_keys_do_not_show() -> None:
    ring = DataKeyring({b"i" * 16: b"k" * 32}, b"i" * 16)
    assert repr(ring) == "DataKeyring(1 keys)"
    assert repr(masters()) == "MasterKeys(old)"
