"""Backups of a database that lives, and what a restored copy holds and does not do."""

from __future__ import annotations

import asyncio
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from junctor.adapters.jobs import job_app
from junctor.adapters.postgres import dump
from junctor.adapters.postgres.database import connect, pool
from junctor.adapters.postgres.hot import Line
from junctor.adapters.postgres.migrate import migrate
from junctor.adapters.postgres.queries import load
from junctor.adapters.postgres.tallies import Tally
from junctor.adapters.postgres.waits import PostgresWaits
from junctor.adapters.vault import MasterKeys, PostgresVault, put_key
from junctor.app import backup_files as files
from junctor.app.backup import Made, bring_up_to_date, make_backup, verify
from junctor.app.backup_job import back_up
from junctor.app.cli.session import await_schema
from junctor.app.core import open_core
from junctor.app.notifications import notifier
from junctor.app.refill import How, Restored
from junctor.app.restore import alone, restore_backup
from junctor.app.settings import Settings
from junctor.app.worker_process import keep_house
from junctor.errors import Conflict, Misconfigured
from junctor.runtime.notices import once_a_day
from tests.integration.backup_world import (
    CODE,
    KEY,
    ROLES,
    World,
    empty_database,
    inhabit,
    rows,
    say,
)
from tests.support import asynchronous


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Settings(data_dir=tmp_path / "data")
    found.ensure_data_dir()
    put_key(found.data_dir, KEY)  # of the whole module, as its database is
    return found


async def restored(
    settings: Settings, url: str, made: Made, how: How = "copy", **more: Any
) -> Restored:
    return await restore_backup(settings, url, made.folder, how=how, actor="t", **more)


SILENT = "select name, enabled from notification_channels"


async def _stays_silent(copy: str, settings: Settings, world: World) -> None:
    """What happens in the copy is nobody's message there."""
    async with open_core(settings, copy) as core:
        assert await once_a_day(
            core.engine, "key_old", "con_1", params={}, organizations=[world.organization]
        )
        done = await notifier(core).turn()
    assert (done["handed"], done["sent"], done["failed"]) == (1, 0, 0)


async def _tells_and_takes_nothing(copy: str, world: World) -> None:
    """No notice, no message, no stop; and deliveries are for no run that was set aside."""
    assert rows(copy, "select count(*) from stops") == [(0,)]
    say(copy, load("notifications")["hand_out"].replace("%(limit)s", "100"))
    open_ = "select count(*) from notifications where sent_at is null and given_up_at is null"
    assert rows(copy, open_) == [(0,)]
    mine = "from waits where organization_id = %s and kind = 'delivery' and answered_at is null"
    assert rows(copy, f"select watching {mine}", world.organization) == [(False,)]
    others = "from waits where answered_at is not null or kind <> 'delivery'"
    assert rows(copy, f"select bool_and(watching) {others}") == [(True,)]
    ((wait_id,),) = rows(copy, f"select id {mine}", world.organization)
    line = Line(copy, patience=5)
    # Its run is resumed: it is watched, then looks back.
    assert await PostgresWaits(line).known(world.organization, wait_id) == (b"match", False)
    await line.close()
    assert rows(copy, f"select watching {mine}", world.organization) == [(True,)]


@pytest.mark.timeout(300)  # two servers and several copies, on a busy machine
@asynchronous
async def test_a_copy_holds_everything_and_does_nothing(
    database_url: str, settings: Settings
) -> None:
    world = await inhabit(database_url, settings)
    settings.connectors_dir.mkdir()
    (settings.connectors_dir / "shop.json").write_text("{}")
    made = await make_backup(settings, database_url, check=True)
    assert stat.S_IMODE(made.folder.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(f.stat().st_mode) == 0o600 for f in made.folder.iterdir())
    key = (settings.data_dir / "master.key").read_text()
    assert not any(key[5:].strip().encode() in f.read_bytes() for f in made.folder.iterdir())
    assert made.manifest.tables["public.blob_chunks"].rows >= 1
    assert made.manifest.processes >= 1

    with empty_database(database_url) as copy:
        other = replace(settings, connectors=settings.data_dir / "elsewhere")
        done = await restored(other, copy, made)
        assert (other.connectors_dir / "shop.json").read_text() == "{}"
        assert done.keys >= 1
        assert done.channels_off == ["ops"]
        assert rows(copy, SILENT) == [("ops", False)]
        assert "Calls" in done.switched_off
        assert rows(copy, ROLES) == rows(database_url, ROLES)
        assert rows(copy, CODE) == rows(database_url, CODE)
        assert rows(copy, "select bool_or(active) from scenarios") == [(False,)]
        assert rows(copy, "select count(*) from hooks where registration is not null") == [(0,)]
        assert rows(copy, "select bool_and(paused), max(next_at) from schedules") == [(True, None)]
        assert rows(copy, "select count(*) from inbox where parked_at is null") == [(0,)]
        assert rows(copy, "select count(*) from notices where told_at is null") == [(0,)]
        await _tells_and_takes_nothing(copy, world)
        assert rows(copy, "select count(*) from nodes") == [(0,)]
        mine = "from runs where organization_id = %s"
        states = rows(
            copy, f"select state, count(*) {mine} group by 1 order by 1", world.organization
        )
        assert states == [("finished", 1), ("incomplete", 3), ("uncertain", 1)]
        assert rows(
            copy,
            f"select count(*) {mine} and state <> 'finished' and due_at is not null",
            world.organization,
        ) == [(0,)]
        held = rows(copy, "select fence, owner, due_at, blocked_by_run is null from backlog")
        assert held == [(0, None, None, False)]
        audit = rows(copy, "select details from audit where verb = 'database.restore'")
        assert audit[0][0]["switched_off"] == ["Calls"]
        assert audit[0][0]["channels_off"] == ["ops"]
        assert rows(copy, "select verify_audit(%s)", world.organization) == [(None,)]
        async with pool(copy, "engine", 1, 2) as engine:
            vault = PostgresVault(engine, MasterKeys.load(settings.data_dir))
            keyring = await vault.keyring(world.organization)
            assert keyring.open(world.sealed, b"c") == b"the key of a customer"
        await _stays_silent(copy, settings, world)
        # The copy is a database like any other: its owner, engine and API work on it.
        assert await bring_up_to_date(settings, copy) == []
        with pytest.raises(Conflict, match="holds something already"):
            await restored(settings, copy, made)

    with empty_database(database_url) as copy:
        done = await restored(settings, copy, made, "active")
        assert (done.switched_off, done.channels_off) == ([], [])
        assert rows(copy, SILENT) == [("ops", True)]
        assert rows(copy, "select bool_and(active) from scenarios where name = 'Calls'") == [
            (True,)
        ]
        anew = "select bool_or(paused), max(next_at::text) from schedules"
        assert rows(copy, anew) == [(False, "-infinity")]
        assert rows(copy, "select count(*) from inbox where parked_at is null") == [(0,)]
        assert rows(copy, "select count(*) from hooks where registration is not null")[0][0] >= 1

    with empty_database(database_url) as copy, pytest.raises(Misconfigured, match="--active"):
        await restored(settings, copy, made, "moved")
    say(database_url, "delete from nodes")
    still = await make_backup(settings, database_url, settings.data_dir / "still")
    assert still.folder == settings.data_dir / "still"
    with empty_database(database_url) as copy:
        done = await restored(settings, copy, still, "moved")
        assert (done.set_aside, done.channels_off) == (0, [])
        assert rows(copy, SILENT) == [("ops", True)]
        assert rows(copy, "select count(*) from stops")[0][0] >= 1
        assert rows(copy, "select count(*) from notices where handed_at is null")[0][0] >= 1
        assert rows(copy, "select bool_and(watching) from waits") == [(True,)]
        assert rows(copy, "select count(*) from inbox where parked_at is null")[0][0] >= 1
        assert rows(copy, "select count(*) from runs where state = 'waiting'")[0][0] >= 1


@asynchronous
async def test_a_restore_that_was_cut_off_starts_nothing_and_begins_anew(
    database_url: str, settings: Settings
) -> None:
    await inhabit(database_url, settings)
    made = await make_backup(settings, database_url)
    with empty_database(database_url) as copy:
        await dump.load(copy, made.folder / files.DUMP)  # and then the power went
        for start in (
            await_schema(copy, within=0),
            bring_up_to_date(settings, copy),
            migrate(copy),
        ):
            with pytest.raises(Misconfigured, match="half restored"):
                await start
        async with alone(copy):  # somebody else begins anew
            with pytest.raises(Conflict, match="Somebody restores into the database"):
                await restored(settings, copy, made)
        await restored(settings, copy, made)
        await await_schema(copy, within=0)


JOBS = """set search_path = procrastinate;
delete from procrastinate_jobs; delete from procrastinate_periodic_defers;
with at as (insert into procrastinate_workers default values returning id),
jobs as (
  insert into procrastinate_jobs (queue_name, task_name, status, worker_id, args)
  values ('default', 'backup', 'doing', (select id from at), '{}'),
    ('default', 'partitions', 'todo', null, '{}')
  returning id, task_name
)
insert into procrastinate_periodic_defers (task_name, defer_timestamp, job_id, periodic_id)
select task_name, 1, id, '' from jobs"""
FREE = "set search_path = procrastinate; delete from procrastinate_jobs"

STUBBORN = """create function stubborn() returns trigger language plpgsql as
  $$ begin raise exception 'this stays as it is'; end $$;
create trigger stubborn before {} for each row execute function stubborn()"""


@pytest.mark.parametrize(
    "what",  # the first is a copy's, the second only of one that is active
    ["update of active on scenarios", "update of anchor_at on schedules"],
)
@asynchronous
async def test_verifying_does_what_a_restore_does(
    database_url: str, settings: Settings, what: str
) -> None:
    """What fills a database, but can't be made to stand still there, is no backup."""
    await inhabit(database_url, settings)
    say(database_url, STUBBORN.format(what))
    try:
        with pytest.raises(Misconfigured, match=r"All rows are there.*this stays as it is"):
            await make_backup(settings, database_url, check=True)
        assert list(settings.backups.iterdir()) == []
    finally:
        say(database_url, "drop function stubborn cascade")


@pytest.mark.parametrize(
    ("how", "left"), [("copy", []), ("active", []), ("moved", [("partitions",)])]
)
@asynchronous
async def test_jobs_under_way_at_the_backup_do_not_stop_a_restore(
    database_url: str, settings: Settings, how: How, left: list[Any]
) -> None:
    """There is one in every backup that is made on schedule: the backup itself."""
    await inhabit(database_url, settings)
    say(database_url, "delete from nodes")  # as `moved` wants it
    say(database_url, JOBS)
    try:
        made = await make_backup(settings, database_url)
    finally:
        say(database_url, FREE)
    with empty_database(database_url) as copy:
        await restored(settings, copy, made, how)
        assert rows(copy, "select task_name from procrastinate.procrastinate_jobs") == left
        linked = (
            "select task_name from procrastinate.procrastinate_periodic_defers "
            "where job_id is not null"
        )
        assert rows(copy, linked) == left
        assert rows(copy, "select count(*) from procrastinate.procrastinate_workers") == [(0,)]


@pytest.mark.parametrize(
    ("made", "still_there"),
    [
        ("create view theirs as select 1 as n", "drop view theirs"),
        ("create function theirs() returns int return 1", "drop function theirs"),
        ("create schema procrastinate create view v as select 1 as n", "drop view procrastinate.v"),
    ],
)
@asynchronous
async def test_what_is_not_a_table_is_not_restored_over_either(
    database_url: str, settings: Settings, made: str, still_there: str
) -> None:
    """A refused restore leaves no mark of one under way, by which the next would empty all."""
    await inhabit(database_url, settings)
    backup = await make_backup(settings, database_url)
    with empty_database(database_url) as copy:
        say(copy, made)
        for _ in range(2):
            with pytest.raises(Conflict, match="holds something already"):
                await restored(settings, copy, backup)
        say(copy, still_there)


@asynchronous
async def test_damage_is_seen_before_anything_is_written(
    database_url: str, settings: Settings, tmp_path: Path
) -> None:
    await inhabit(database_url, settings)
    made = await make_backup(settings, database_url)
    with empty_database(database_url) as copy:
        stranger = Settings(data_dir=tmp_path / "other")
        stranger.ensure_data_dir()
        with pytest.raises(Misconfigured, match=r"master key .* is missing"):
            await restored(stranger, copy, made)
        MasterKeys.load(stranger.data_dir)
        with pytest.raises(Misconfigured, match="not the one of this backup"):
            await restored(stranger, copy, made)

        document = (made.folder / files.MANIFEST).read_text()
        for old, new, told in (
            ('"0001.spine"', '"9999.future"', "does not know 9999.future"),
            ('"format": 1', '"format": 2', "can't read"),
        ):
            (made.folder / files.MANIFEST).write_text(document.replace(old, new))
            with pytest.raises(Misconfigured, match=told):
                await restored(settings, copy, made)
        (made.folder / files.MANIFEST).write_text(document)
        # One row less than the manifest says: what is compared is the content, not the exit code.
        tables = dict(made.manifest.tables)
        first = tables["public.nodes"]
        tables["public.nodes"] = Tally(rows=first.rows + 1, checksum=first.checksum)
        lying = msgspec.structs.replace(made.manifest, tables=tables)
        files.write_manifest(made.folder, lying)
        with pytest.raises(Misconfigured, match=r"public\.nodes has"):
            await verify(settings, database_url, made.folder)
        (made.folder / files.MANIFEST).write_text(document)

        content = bytearray((made.folder / files.DUMP).read_bytes())
        content[len(content) // 2] ^= 1
        (made.folder / files.DUMP).write_bytes(content)
        with pytest.raises(Misconfigured, match="is damaged"):
            await restored(settings, copy, made)
        assert rows(copy, "select count(*) from pg_tables where schemaname = 'public'") == [(0,)]
    ((prefix,),) = rows(database_url, load("backup")["scratch_prefix"])
    left = "select datname from pg_database where starts_with(datname, %s)"
    assert rows(database_url, left, prefix) == []  # others, who share this server, have their own


@asynchronous
async def test_a_sealed_key_restores_where_there_is_none(
    database_url: str, settings: Settings, tmp_path: Path
) -> None:
    await inhabit(database_url, settings)
    made = await make_backup(settings, database_url, passphrase="correct horse battery")
    bare = Settings(data_dir=tmp_path / "bare")
    bare.ensure_data_dir()
    with empty_database(database_url) as copy:
        with pytest.raises(Misconfigured, match="lies sealed"):
            await restored(bare, copy, made)
        with pytest.raises(Misconfigured, match="passphrase does not open"):
            await restored(bare, copy, made, passphrase="wrong horse battery")
        assert not (bare.data_dir / "master.key").exists()
        await restored(bare, copy, made, passphrase="correct horse battery")
        assert (bare.data_dir / "master.key").stat().st_mode & 0o077 == 0


@asynchronous
async def test_a_failed_backup_leaves_nothing_and_is_told(
    database_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await inhabit(database_url, settings)
    left = settings.backups / ".unfinished-of-a-killed-one"
    left.mkdir(parents=True)
    (left / ".lock").touch()
    async with open_core(settings, database_url) as core:
        for _ in range(2):
            assert await back_up(replace(core, settings=replace(settings, backup_keep=1)))
            assert len(files.kept(settings.backups)) == 1
            for folder in files.kept(settings.backups):
                folder.rename(settings.backups / "earlier")
        assert [f.name for f in settings.backups.iterdir()] == ["earlier"]

        async def fail(*_: object, **__: object) -> None:
            raise Misconfigured("the disk is full")

        monkeypatch.setattr(dump, "save", fail)
        assert not await back_up(core)
    assert [f.name for f in settings.backups.iterdir()] == ["earlier"]
    told = rows(
        database_url,
        "select params->>'reason' from notices "
        "where kind = 'backup_failed' and organization_id = %s",
        world.organization,
    )
    assert told == [("the disk is full",)]


@asynchronous
async def test_a_backup_does_not_fill_the_disk_of_the_database(
    database_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await inhabit(database_url, settings)
    free, ended = iter([1 << 40, 1 << 20]), asyncio.Event()

    async def slow(_url: str, _file: Path, **_more: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(dump, "save", slow)
    monkeypatch.setattr("junctor.app.backup.LOOK", 0.01)
    monkeypatch.setattr("junctor.app.backup.free_bytes", lambda _path: next(free))
    with pytest.raises(Misconfigured, match="has 1 MB left"):
        await make_backup(settings, database_url)
    assert ended.is_set()
    assert list(settings.backups.iterdir()) == []


@asynchronous
async def test_an_own_database_is_backed_up_before_a_migration(
    database_url: str, settings: Settings
) -> None:
    await inhabit(database_url, settings)
    lines: list[str] = []
    with empty_database(database_url) as copy:
        assert await bring_up_to_date(settings, copy, say=lines.append)
        assert lines == []  # there was nothing to lose
        say(copy, "alter table procrastinate.procrastinate_jobs rename to away")
        say(copy, "delete from migrations where id = '0007.aside'")
        with pytest.raises(
            Misconfigured, match=r"was undone: .*already exists.*backup of before is"
        ):
            await bring_up_to_date(settings, copy, say=lines.append)
        assert len(files.kept(settings.backups, "migration")) == 1
        assert "Backed up before" in lines[0]
        with pytest.raises(Misconfigured, match="was undone"):
            await bring_up_to_date(settings, copy, backup=False)
        assert len(files.kept(settings.backups)) == 1
        theirs = replace(settings, database_url=copy)
        with pytest.raises(Misconfigured, match="was undone"):
            await bring_up_to_date(theirs, copy)
        assert len(files.kept(settings.backups)) == 1


@asynchronous
async def test_a_worker_makes_one_when_it_is_time(database_url: str, settings: Settings) -> None:
    await inhabit(database_url, settings)
    scheduled = replace(settings, backup_schedule="15 2 * * *", backup_keep=1)
    stop = asyncio.Event()
    async with open_core(scheduled, database_url) as core:
        house = asyncio.create_task(keep_house(database_url, stop, core=core, delay=0))
        app = job_app(database_url)
        async with app.open_async(), asyncio.timeout(120):
            await app.configure_task("backup").defer_async(timestamp=0)
            while not files.kept(settings.backups, "schedule"):
                await asyncio.sleep(0.05)
        stop.set()
        await house
    assert len(files.kept(settings.backups)) == 1


@asynchronous
async def test_a_snapshot_is_of_one_moment(database_url: str, settings: Settings) -> None:
    world = await inhabit(database_url, settings)
    connection = await connect(database_url, "owner")
    async with connection:

        def meanwhile(_table: str) -> None:
            say(
                database_url,
                "insert into variables (organization_id, id, name, value, created_by, updated_by) "
                "values (%s, %s, %s, '{}', 't', 't')",
                world.organization,
                uuid4(),
                uuid4().hex,
            )

        counted, _ = await dump.save(database_url, settings.data_dir / "d", on_table=meanwhile)
    assert rows(database_url, "select count(*) from variables")[0][0] > 10
    assert counted["public.variables"].rows < 10
    with empty_database(database_url) as copy:
        await dump.load(copy, settings.data_dir / "d")
        found = rows(copy, "select count(*) from variables")
        assert found == [(counted["public.variables"].rows,)]
