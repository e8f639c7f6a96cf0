"""The database away, full, and half migrated."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg

from junctor.adapters.spool import look
from torture.account import conclude
from torture.attendant import Operator
from torture.load import Load
from torture.outcome import Options, Outcome, Skipped
from torture.rig import Rig, until
from torture.rows import row
from torture.rows.kills import background, judge
from torture.scenarios import mixed
from torture.takeover import Takeovers

HEAL_SECONDS = 15.0
"""After the database is back, everything works again within this time."""


@row("away")
async def away(options: Options) -> Outcome:
    """Postgres away for a minute and back, without and with a spool: nothing acknowledged is lost.

    Without a spool nothing is acknowledged meanwhile; with one everything is, and at the first try.
    """
    begun = time.monotonic()
    outcome = Outcome()
    for spool in (False, True):
        await _away(options, outcome, spool=spool)
    outcome.seconds = time.monotonic() - begun
    return outcome


def _servers(rig: Rig, spool: Path | None) -> None:
    """Two servers, each with a spool of its own in this folder, if there is one.

    Those don't watch the disk of the database, as on other machines they could not: below the hard
    limit a door that does is closed, whether there is a spool or not.
    """
    for number in range(2):
        name, env = f"server{number}", dict[str, str]()
        if spool:
            env = {
                "JUNCTOR_SPOOL_DIR": str(spool / name),
                "JUNCTOR_DISK_SOFT": "0", "JUNCTOR_DISK_HARD": "0",
            }  # fmt: skip
        rig.add_server(name, **env)


async def _away(options: Options, outcome: Outcome, *, spool: bool) -> None:
    gone = options.pick(5, 15, 60)
    rate = options.rate or options.pick(20, 30, 50)
    which = "with a spool" if spool else "without a spool"
    async with Rig.up(options, servers=0) as rig, AsyncExitStack() as stack:
        load = await stack.enter_async_context(Load(rig, mixed(rig, 10)))
        load.pinned = spool
        _servers(rig, rig.folder / "spools" if spool else None)
        await rig.ready()
        operator, takeovers = Operator(rig), Takeovers(rig, options.say)
        sending = asyncio.create_task(load.run(rate))
        await background(stack, takeovers.watch())
        await asyncio.sleep(options.pick(3, 5, 10))
        down = time.monotonic()
        await asyncio.to_thread(rig.postgres.stop)
        gone_at = time.monotonic()
        options.say(f"Postgres is away for {gone:g} s, {which}")
        await asyncio.sleep(gone)
        meanwhile = [each for each in load.acknowledged if (each.acknowledged or 0) > gone_at + 0.5]
        back = time.monotonic()
        asked = [each for each in load.events.values() if down < each.begun < back - 5.0]
        await rig.start_postgres()
        if spool:
            refused = [each.number for each in asked if each.statuses[:1] not in ([200], [])]
            left = [each.number for each in asked if each.acknowledged is None and not each.line]
            outcome.expect(bool(meanwhile), "with a spool deliveries are acknowledged meanwhile")
            outcome.expect(not refused, f"not taken at the first try, with a spool: {refused[:9]}")
            outcome.expect(not left, f"not taken within 5 s, with a spool: {left[:9]}")
        else:
            outcome.expect(not meanwhile, f"{len(meanwhile)} acknowledged without a database")
        before = len(load.acknowledged)
        healed = await until(lambda: len(load.acknowledged) > before + 20, "deliveries taken again")
        load.stop()
        await sending
        drained = await until(lambda: _spooled(rig.folder) == 0, "the spools are stored")
        await conclude(rig, load, outcome, operator=operator, seconds=120)
        outcome.expect(healed <= HEAL_SECONDS, f"taken again within {HEAL_SECONDS:g} s")
        stored = f", the spools stored {drained:.1f} s after the last one" if spool else ""
        outcome.notes.append(
            f"{which}, away for {gone:g} s: {len(meanwhile)} acknowledged meanwhile, taken again"
            f" after {healed:.1f} s, all done after {time.monotonic() - back:.1f} s{stored}"
        )
        judge(rig, load, None, outcome)


def _spooled(folder: Path) -> int:
    """Bytes that lie in the spools there."""
    return sum(look(each).bytes for each in (folder / "spools").glob("*"))


SMALL = {
    "shared_buffers": "32MB", "max_wal_size": "64MB", "min_wal_size": "32MB",
    "max_connections": "60",
}  # fmt: skip


@row("full")
async def full(options: Options) -> Outcome:
    """The disk full under Postgres and our own data: nothing acknowledged that isn't kept.

    Everything lies on a small file system in memory, which is filled to the last byte and emptied
    again. Then once more, with spools on another disk, which take what Postgres can't. Making a
    file system needs root.
    """
    begun = time.monotonic()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        raise Skipped("mounting a small file system needs root")
    outcome = Outcome()
    for spool in (False, True):
        folder = Path(tempfile.mkdtemp(prefix="junctor-torture-"))
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=320m,mode=755", "tmpfs", str(folder)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if made.returncode:
            folder.rmdir()
            raise Skipped(f"no file system can be mounted here: {made.stderr.strip()}")
        try:
            await _filled(options, folder, outcome, spool=spool)
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=False)
            folder.rmdir()
    outcome.seconds = time.monotonic() - begun
    return outcome


async def _filled(options: Options, folder: Path, outcome: Outcome, *, spool: bool) -> None:
    rounds = int(options.pick(1, 2, 3))
    rate = options.rate or options.pick(20, 30, 50)
    outside = Path(tempfile.mkdtemp(prefix="junctor-torture-effects-"))
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, outside, ignore_errors=True)
        up = Rig.up(options, folder=folder, postgres=SMALL, effects=outside, servers=0)
        rig = await stack.enter_async_context(up)
        load = await stack.enter_async_context(Load(rig, mixed(rig, 10)))
        load.pinned = spool
        _servers(rig, outside / "spools" if spool else None)
        await rig.ready()
        load.padding = "x" * 20_000
        operator = Operator(rig)
        sending = asyncio.create_task(load.run(rate))
        died = meanwhile = 0
        healed = 0.0
        for _ in range(rounds):
            await asyncio.sleep(options.pick(3, 4, 10))
            filler = folder / "filler"
            so_far = len(load.acknowledged)
            died += await _fill(rig, load, filler, spool=spool)
            meanwhile += len(load.acknowledged) - so_far
            filler.unlink()
            if not rig.postgres.alive():
                await rig.start_postgres()
            before = len(load.acknowledged)
            taken = await until(
                lambda before=before: len(load.acknowledged) > before + 20,  # type: ignore[misc]  # bound as it is now
                "taken again",
            )
            healed = max(healed, taken)
        load.stop()
        await sending
        await until(lambda: _spooled(outside) == 0, "the spools are stored")
        await conclude(rig, load, outcome, operator=operator, seconds=180)
        outcome.expect(healed <= HEAL_SECONDS, f"taken again within {HEAL_SECONDS:g} s")
        if spool:
            refused = load.answers()[503]
            outcome.expect(not refused, f"{refused} refused, with a spool on a disk that has room")
        outcome.notes.append(
            f"{'with' if spool else 'without'} a spool: filled {rounds} times, Postgres gave up"
            f" {died} times; {meanwhile} acknowledged while it was filled, taken again after"
            f" {healed:.1f} s"
        )
        judge(rig, load, None, outcome)


async def _fill(rig: Rig, load: Load, filler: Path, *, spool: bool) -> int:
    """Leaves no byte free until deliveries are refused, and for a while; 1 if Postgres gave up.

    With a spool nothing is refused: it is full for eight seconds.
    """
    refused = load.answers()[503]
    end = time.monotonic() + 30
    with filler.open("wb", buffering=0) as file:
        while time.monotonic() < end:
            try:
                file.write(b"x" * 262_144)
            except OSError:
                await asyncio.sleep(0.05)
                if spool:
                    end = min(end, time.monotonic() + 8)
                elif load.answers()[503] > refused + 10 or not rig.postgres.alive():
                    end = min(end, time.monotonic() + 3)
    return 0 if rig.postgres.alive() else 1


@row("migration")
async def migration(options: Options) -> Outcome:
    """`junctor migrate` killed at random moments, again and again: the next one carries it through.

    In the end the schema is that of a database which was migrated undisturbed.
    """
    begun = time.monotonic()
    draw = options.draw("migration")
    outcome = Outcome()
    kills = int(options.kills or options.pick(5, 15, 60))
    async with Rig.up(options, servers=0, workers=0) as rig:
        whole = schema(rig.url)
        with rig.db() as db:
            db.execute("create database interrupted")
        url = rig.url.replace("/junctor?", "/interrupted?")
        env = {**rig.env, "JUNCTOR_DATABASE_URL": url}
        command = [sys.executable, "-m", "junctor", "migrate"]
        killed = finished = 0
        for _ in range(kills):
            child = subprocess.Popen(
                command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            await until(lambda child=child: _migrating(rig) or child.poll() is not None, "a start")  # type: ignore[misc]  # bound as it is now
            try:
                await asyncio.to_thread(child.wait, draw.uniform(0.0, 0.5))
                finished += 1
                with rig.db() as db:  # from the beginning again
                    db.execute("drop database interrupted with (force)")
                    db.execute("create database interrupted")
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                killed += 1
        last = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        outcome.expect(last.returncode == 0, f"the last migration: {last.stderr[-300:]}")
        outcome.expect(schema(url) == whole, "the schema is that of an undisturbed migration")
        outcome.notes.append(f"{killed} migrations killed, {finished} had ended before")
    outcome.seconds = time.monotonic() - begun
    return outcome


def _migrating(rig: Rig) -> bool:
    """Whether the migration has a connection."""
    query = "select count(*) from pg_stat_activity where datname = 'interrupted'"
    return bool(rig.value(query) > 0)


def schema(url: str) -> list[tuple[object, ...]]:
    """Every column, index, function and policy, and the migrations that are done."""
    with psycopg.connect(url, autocommit=True) as db:
        return [
            *db.execute(
                "select table_name, column_name, data_type, column_default, is_nullable"
                " from information_schema.columns where table_schema = 'public'"
                r" and table_name !~ '_\d{8}$' order by 1, 2"
            ).fetchall(),
            *db.execute(
                "select indexname, indexdef from pg_indexes where schemaname = 'public'"
                r" and tablename !~ '_\d{8}$' order by 1"
            ).fetchall(),
            *db.execute(
                "select proname, md5(prosrc) from pg_proc"
                " where pronamespace = 'public'::regnamespace"
                " order by 1, 2"
            ).fetchall(),
            *db.execute(
                r"select tablename, policyname, qual from pg_policies where tablename !~ '_\d{8}$'"
                " order by 1, 2"
            ).fetchall(),
        ]
