"""Backed up while everything goes on, restored with a heart that stops again and again."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from torture.account import books, unsettled
from torture.attendant import Operator
from torture.load import Load
from torture.outcome import Failed, Options, Outcome
from torture.rig import ROOT, Rig, until
from torture.rows import row
from torture.scenarios import mixed

STILL = 14.0
"""Seconds for which a restored copy is watched doing nothing: longer than a lease."""
MARK = "junctor_restore"
"""The schema that marks a database into which a restore was begun."""
JOURNALED = 1.0
"""Seconds after the vendor acted within which its answer is in the journal."""


@row("restore")
async def restore(options: Options) -> Outcome:
    """Backed up under load and verified, `junctor restore` killed again and again, then whole.

    Every event acknowledged before the backup began is in the copy. Nothing in the copy does
    anything by itself, scenarios are off; with ``--active`` they are on and nothing that was under
    way goes on by itself. When all of that has been resumed, every event is finished, and no effect
    from before the backup has happened again.
    """
    begun = time.monotonic()
    draw = options.draw("restore")
    rate = options.rate or options.pick(15, 20, 50)
    kills = int(options.pick(3, 8, 25) if options.kills is None else options.kills)
    outcome = Outcome()
    async with Rig.up(options, servers=1, workers=2) as rig, AsyncExitStack() as stack:
        load = await stack.enter_async_context(Load(rig, mixed(rig, 10, "slow")))
        sending = asyncio.create_task(load.run(rate))
        await asyncio.sleep(options.pick(4, 8, 30))
        moment = time.monotonic()
        due = [each.number for each in load.acknowledged]
        made = await _junctor(rig, "backup", str(rig.folder / "backups"), "--verify", "--json")
        place = str(json.loads(made)["backup"])
        took = time.monotonic() - moment
        outcome.expect(json.loads(made)["verified"], "the backup was verified")
        load.stop()
        await sending
        for process in (*rig.workers, *rig.servers):
            process.kill()  # the original is gone
        rig.workers.clear()
        rig.servers.clear()
        original = rig.url

        quiet = await _database(rig, original, "quiet")
        killed = await _killed(rig, place, quiet, draw, kills, outcome)
        try:
            said = await _junctor(rig, "restore", place, "--into", quiet, "--json")
        except Failed as error:  # told, and the rest is looked at in an empty one
            outcome.broken.append(f"the restore after {killed} kills: {error}")
            quiet = await _database(rig, original, "emptied")
            said = await _junctor(rig, "restore", place, "--into", quiet, "--json")
        done = json.loads(said)
        rig.url = quiet
        off = not rig.value("select count(*) from scenarios where active")
        outcome.expect(off, "no scenario of a copy is on")
        outcome.expect(bool(done["set_aside"]), "something was under way at the backup")
        await _stands_still(rig, due, outcome, "a copy")

        again = await _database(rig, original, "again")
        active = json.loads(
            await _junctor(rig, "restore", place, "--into", again, "--active", "--json")
        )
        rig.url = again
        outcome.expect(
            rig.value("select count(*) from scenarios where active") == len(load.hooks),
            "with --active what was on is on",
        )
        await _stands_still(rig, due, outcome, "one with --active", go_on=True)
        operator = Operator(rig)
        end = time.monotonic() + 180
        left = -1
        while left and time.monotonic() < end:
            await operator.look()
            left = await asyncio.to_thread(unsettled, rig, operator)
            await asyncio.sleep(0.5)
        outcome.expect(not left, f"{left} runs of the copy did not come to their end")
        _account(rig, load, due, moment, outcome)
        outcome.notes.append(
            f"backed up and verified in {took:.1f} s while {rate:g} events/s came in; {killed} of"
            f" {kills} restores killed at work; {done['set_aside']} and {active['set_aside']} runs"
            f" and deliveries set aside; {len(due)} events were acknowledged before the backup"
        )
    outcome.seconds = time.monotonic() - begun
    return outcome


async def _junctor(rig: Rig, *words: str) -> str:
    """What a command prints."""
    child = await asyncio.create_subprocess_exec(
        *_command(*words), env=_env(rig), cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, said = await child.communicate()
    if child.returncode:
        raise Failed(f"junctor {words[0]}: {said.decode()[-500:]}{out.decode()[-500:]}")
    return out.decode()


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "junctor", *words]


def _env(rig: Rig) -> dict[str, str]:
    return {**rig.env, "JUNCTOR_DATABASE_URL": rig.url}


async def _database(rig: Rig, original: str, name: str) -> str:
    """An empty database beside the original."""
    rig.url = original
    with rig.db() as db:
        db.execute(f"create database {name}".encode())
    parts = urlsplit(original)
    return urlunsplit(parts._replace(path=f"/{name}"))


async def _killed(
    rig: Rig, place: str, url: str, draw: random.Random, kills: int, outcome: Outcome
) -> int:
    """Restores that are killed at random moments; how many were at work then."""
    name = Path(urlsplit(url).path).name
    killed = 0
    for _ in range(kills):
        child = subprocess.Popen(
            _command("restore", place, "--into", url), env=_env(rig), cwd=ROOT,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        await until(
            lambda child=child: _busy(rig, name) or child.poll() is not None,  # type: ignore[misc]  # bound as it is now
            "a restore begins", pause=0.02,
        )  # fmt: skip
        try:
            said = (await asyncio.to_thread(child.communicate, timeout=draw.uniform(0.0, 2.5)))[1]
            if child.returncode:
                outcome.broken.append(f"a restore after {killed} kills: {said.decode()[:300]}")
            with rig.db() as db:  # it was faster: from the beginning
                db.execute(f"drop database {name} with (force)".encode())
                db.execute(f"create database {name}".encode())
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            assert child.stderr is not None
            child.stderr.close()
            killed += 1
            if killed <= 2:  # the others would say the same
                await _refuses(rig, url, outcome)
    return killed


def _busy(rig: Rig, name: str) -> bool:
    """Whether somebody is in that database."""
    query = "select count(*) from pg_stat_activity where datname = %s"
    return bool(rig.value(query, name))


async def _refuses(rig: Rig, url: str, outcome: Outcome) -> None:
    """A database that is half restored is not worked on: `junctor migrate` says so at once, and a
    worker waits for somebody to carry it through, and takes nothing meanwhile.
    """
    original, rig.url = rig.url, url
    try:
        if not rig.value("select exists (select from pg_namespace where nspname = %s)", MARK):
            return  # killed before it began to write, or after it had ended
        with suppress(Failed):
            await _junctor(rig, "migrate")
            outcome.broken.append("a migration works on a half restored database")
        worker = rig.add_worker("early")
        await asyncio.sleep(5.0)
        worker.kill()
        rig.workers.remove(worker)
        with suppress(psycopg.errors.UndefinedTable):
            there = rig.value("select count(*) from nodes where name = %s", worker.owner)
            outcome.expect(not there, "a worker works on a half restored database")
    finally:
        rig.url = original


async def _stands_still(
    rig: Rig, due: list[int], outcome: Outcome, what: str, *, go_on: bool = False
) -> None:
    """Everything is there, and nothing happens though server and workers run."""
    account = await asyncio.to_thread(books, rig)
    missing = [number for number in due if not account.runs.get(number)]
    outcome.expect(not missing, f"{what} lacks events acknowledged before: {missing[:9]}")
    outcome.lost += missing
    waiting: Any = rig.value("select count(*) from inbox where parked_at is null")
    outcome.expect(not waiting, f"{what} has {waiting} deliveries that would run by themselves")
    before = len(rig.effects())
    rig.add_server("server-copy")
    rig.add_worker("worker-copy")
    await rig.ready()
    await asyncio.sleep(STILL)
    sent = len(rig.effects()) - before
    outcome.expect(not sent, f"{what} sent {sent} things by itself")
    if not go_on:
        for process in (*rig.workers, *rig.servers):
            process.kill()
        rig.workers.clear()
        rig.servers.clear()


def _account(rig: Rig, load: Load, due: list[int], moment: float, outcome: Outcome) -> None:
    """Each event acknowledged before the backup has had its effects; those of before once."""
    account = books(rig)
    times: dict[tuple[int, str], list[float]] = {}
    for number, step, at in rig.effects():
        times.setdefault((number, step), []).append(at)
    outcome.events = outcome.acknowledged = len(due)
    for number in due:
        event = load.events[number]
        runs = account.runs.get(number, [])
        if len(runs) > 1:
            outcome.repeated.append(number)
        for run in runs:
            outcome.ends[account.states.get(run, "none")] += 1
        for step in event.hook.steps:
            found = times.get((number, step), [])
            if not found:
                outcome.lost.append(number)
            elif len(found) > 1 and found[0] < moment - JOURNALED:
                outcome.repeated.append(number)
