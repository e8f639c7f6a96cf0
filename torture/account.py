"""The account: for each event, what the door said, what its run came to, what the vendor did.

Read after the faults, from the database as its owner and from the sink's file. An event's run is
found by its key (``seen``), by its run's name, or by its body in the inbox; so a run that nobody
asked for is found as well.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from junctor.app.core import open_core
from junctor.app.settings import Settings
from junctor.language.connector import Delivery
from junctor.runtime.envelope import unpack
from torture.attendant import Operator, number_of
from torture.load import Load
from torture.outcome import Outcome
from torture.rig import Rig

__all__ = ["Account", "books", "conclude", "in_order", "latencies", "tally", "unsettled"]

OVER = ("finished", "incomplete", "uncertain", "discarded")


@dataclass(slots=True)
class Account:
    """What became of every event."""

    runs: dict[int, list[UUID]] = field(default_factory=lambda: defaultdict(list))
    states: dict[UUID, str] = field(default_factory=dict)
    inbox: set[UUID] = field(default_factory=set)
    """Deliveries that are still to be run."""
    parked: set[UUID] = field(default_factory=set)
    effects: Counter[tuple[int, str]] = field(default_factory=Counter)
    failed: dict[UUID, int | None] = field(default_factory=dict)
    """The module at which a run stopped."""
    scenario: dict[UUID, UUID] = field(default_factory=dict)
    organization: dict[UUID, UUID] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)


def books(rig: Rig, organization: UUID | None = None) -> Account:
    """The account as it stands now; of one organisation, if it is named."""
    out = Account()
    numbers: dict[UUID, int] = {}
    with rig.db() as db, db.transaction():
        for key, delivery in db.execute(
            "select key, delivery_id from seen where %s::uuid is null or organization_id = %s",
            (organization, organization),
        ).fetchall():
            if key.startswith("event "):
                numbers[delivery] = int(key.removeprefix("event "))
        for owner, run, scenario, payload, parked, at in db.execute(
            "select organization_id, id, scenario_id, payload, parked_at is not null, received_at"
            " from inbox"
            " where %s::uuid is null or organization_id = %s",
            (organization, organization),
        ).fetchall():
            (out.parked if parked else out.inbox).add(run)
            out.scenario[run], out.organization[run] = scenario, owner
            call = unpack(run, payload, at)
            if isinstance(call, Delivery) and run not in numbers:
                with suppress(ValueError, KeyError, TypeError, RecursionError):
                    numbers[run] = int(json.loads(call.body)["n"])
        for owner, run, scenario, state, name, failed, error in db.execute(
            "select organization_id, id, scenario_id, state, name, failed_module, error->>'code'"
            " from runs"
            " where (%s::uuid is null or organization_id = %s)"
            " and (state <> 'running' or not exists"
            " (select from inbox i where i.organization_id = runs.organization_id"
            " and i.id = runs.id))",
            (organization, organization),
        ).fetchall():
            out.scenario[run], out.organization[run] = scenario, owner
            out.states[run] = state
            out.failed[run] = failed
            if error:
                out.errors[error] += 1
            if run not in numbers and name and name.isdigit():
                numbers[run] = int(name)
    known = set(out.states) | out.inbox | out.parked
    for run in known:
        out.runs[numbers.get(run, -1)].append(run)
    for number, step, _ in rig.effects():
        out.effects[number, step] += 1
    return out


def unsettled(rig: Rig, operator: Operator | None = None, organization: UUID | None = None) -> int:
    """How many deliveries and runs have not come to their end yet; counted by the database, as the
    whole account of an hour is large.
    """
    with rig.db() as db:
        row = db.execute(
            "select (select count(*) from inbox i left join runs r using (organization_id, id)"
            " where i.parked_at is null and (r.state is null or r.state <> all(%(over)s))"
            " and (%(only)s::uuid is null or i.organization_id = %(only)s))"
            " + (select count(*) from runs where state <> all(%(over)s)"
            " and (%(only)s::uuid is null or organization_id = %(only)s))"
            " + (select count(*) from runs where state = any(%(states)s)"
            " and (%(scenarios)s::uuid[] is null or scenario_id = any(%(scenarios)s)))",
            {
                "over": list(OVER), "only": organization,
                "states": operator.states if operator else [],
                "scenarios": operator.scenarios if operator else None,
            },
        ).fetchone()  # fmt: skip
    assert row is not None
    return int(row[0])


async def conclude(
    rig: Rig,
    load: Load,
    outcome: Outcome,
    *,
    operator: Operator | None = None,
    seconds: float = 120.0,
    most_effects: int = 1,
    organization: UUID | None = None,
) -> Account:
    """Waits until every event has come to an end, and accounts for each in ``outcome``.

    With an operator everything must be finished in the end, each effect exactly once. With an
    organisation only its deliveries are waited for.
    """
    seconds = rig.options.pick(4 * seconds, seconds, seconds)  # the short form works beside others
    until = time.monotonic() + seconds
    pause, left = 0.2, 0
    while True:
        if operator is not None:
            await operator.look()
        try:
            left = await asyncio.to_thread(unsettled, rig, operator, organization)
        except psycopg.OperationalError:
            left = -1
        if not left:
            break
        if time.monotonic() > until:
            outcome.broken.append(f"{left} runs or deliveries did not end in {seconds:g} s")
            break
        await asyncio.sleep(pause)
        pause = min(1.0, pause * 1.2)
    account = await asyncio.to_thread(books, rig, organization)
    await name_strays(rig, account)
    tally(load, account, outcome, operator, most_effects=most_effects)
    return account


async def name_strays(rig: Rig, account: Account) -> None:
    """Finds out by their journals whose the runs are that have neither key nor name."""
    strays = account.runs.pop(-1, [])
    if not strays:
        return
    settings = Settings.from_env({**rig.env, "JUNCTOR_DATABASE_URL": rig.url})
    async with open_core(settings, rig.url) as core:
        for run in strays:
            number = await number_of(core, account.organization[run], run)
            account.runs[number].append(run)


def tally(
    load: Load,
    account: Account,
    outcome: Outcome,
    operator: Operator | None,
    *,
    most_effects: int = 1,
) -> None:
    """Writes the account into the outcome."""
    outcome.events += len(load.events)
    outcome.acknowledged += len(load.acknowledged)
    touched = operator.touched if operator is not None else {}
    ours = {event.hook.scenario for event in load.events.values()}
    for run, state in account.states.items():
        if account.scenario[run] not in ours:
            continue
        outcome.ends[touched.get(run, "parked" if run in account.parked else state)] += 1
    for number, event in load.events.items():
        runs = [
            run
            for run in account.runs.get(number, [])
            if account.scenario[run] == event.hook.scenario
        ]
        if event.acknowledged is not None and not runs:
            outcome.lost.append(number)
        if len(runs) > 1:
            outcome.repeated.append(number)
        done = [account.effects[number, step] for step in event.hook.steps]
        if any(count > most_effects for count in done):
            outcome.repeated.append(number)
        if runs and account.states.get(runs[0]) == "finished" and not all(done):
            outcome.lost.append(number)
    strays = [run for run in account.runs.get(-1, []) if account.scenario.get(run) in ours]
    outcome.expect(not strays, f"{len(strays)} runs belong to no event")
    unsent = {number for number, _ in account.effects} - set(load.events)
    outcome.expect(not unsent, f"effects of events that were not sent: {sorted(unsent)[:5]}")


def in_order(rig: Rig, load: Load) -> list[str]:
    """Lines whose effects did not come in the order of their events."""
    last: dict[tuple[str, str, str], int] = {}
    bad = []
    for number, step, _ in rig.effects():
        event = load.events.get(number)
        if event is None or not event.line:
            continue
        place = (event.hook.path, event.line, step)
        if number < last.get(place, 0):
            bad.append(f"{number} ({step}) after {last[place]} in {event.line}")
        last[place] = max(number, last.get(place, 0))
    return bad


def latencies(rig: Rig, load: Load, numbers: Iterable[int] | None = None) -> list[float]:
    """Seconds from the first try of each acknowledged event to its first effect, sorted."""
    first: dict[int, float] = {}
    for number, _, at in rig.effects():
        first.setdefault(number, at)
    wanted = load.events if numbers is None else numbers
    return sorted(
        first[number] - load.events[number].begun
        for number in wanted
        if number in first and load.events[number].acknowledged is not None
    )
