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
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from junctor.app.core import Core, open_core
from junctor.app.running import resolve
from junctor.app.settings import Settings
from junctor.app.settling import settle
from junctor.errors import JunctorError
from junctor.language.connector import Delivery
from junctor.runtime.envelope import unpack
from torture.load import Load
from torture.outcome import Failed, Outcome
from torture.rig import Rig

__all__ = ["Account", "Operator", "books", "conclude", "in_order", "latencies", "tally"]

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
    errors: Counter[str] = field(default_factory=Counter)

    def open(self) -> list[UUID]:
        """Runs and deliveries that have come to no end yet."""
        waiting = [run for run, state in self.states.items() if state not in OVER]
        return [*waiting, *(each for each in self.inbox if self.states.get(each) not in OVER)]


def books(rig: Rig) -> Account:
    """The account as it stands now."""
    out = Account()
    number_of: dict[UUID, int] = {}
    with rig.db() as db, db.transaction():
        for key, delivery in db.execute("select key, delivery_id from seen").fetchall():
            if key.startswith("event "):
                number_of[delivery] = int(key.removeprefix("event "))
        for run, scenario, payload, parked, at in db.execute(
            "select id, scenario_id, payload, parked_at is not null, received_at from inbox"
        ).fetchall():
            (out.parked if parked else out.inbox).add(run)
            out.scenario[run] = scenario
            call = unpack(run, payload, at)
            if isinstance(call, Delivery) and run not in number_of:
                with suppress(ValueError, KeyError, TypeError, RecursionError):
                    number_of[run] = int(json.loads(call.body)["n"])
        for run, scenario, state, name, failed, error in db.execute(
            "select id, scenario_id, state, name, failed_module, error->>'code' from runs"
            " where state <> 'running' or not exists"
            " (select from inbox i where i.organization_id = runs.organization_id"
            " and i.id = runs.id)"
        ).fetchall():
            out.scenario[run] = scenario
            out.states[run] = state
            out.failed[run] = failed
            if error:
                out.errors[error] += 1
            if run not in number_of and name and name.isdigit():
                number_of[run] = int(name)
    known = set(out.states) | out.inbox | out.parked
    for run in known:
        out.runs[number_of.get(run, -1)].append(run)
    for number, step, _ in rig.effects():
        out.effects[number, step] += 1
    return out


class Operator:
    """The person who looks: settles uncertain runs by what the vendor did, resumes stopped ones.

    What it touched is remembered, so the table still says how runs ended by themselves.
    """

    def __init__(
        self,
        rig: Rig,
        *,
        patience: float = 3.0,
        resumes: bool = True,
        steps: Mapping[int, str] | None = None,
    ) -> None:
        self.rig = rig
        self.steps = steps or {3: "a", 4: "b"}
        """Which effect is whose, by the module's number."""
        self.resumes = resumes
        """Whether stopped runs are resumed, too."""
        self.patience = patience
        """Seconds after a run became uncertain until the vendor's file is believed."""
        self.touched: dict[UUID, str] = {}

    async def work(self) -> None:
        """Looks again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(1.0)

    def concerned(self, state: str) -> bool:
        """Whether a run in this state is to be brought to its end."""
        return state == "uncertain" or (state == "incomplete" and self.resumes)

    async def look(self) -> int:
        """Once: settles and resumes what can be; how many."""
        try:
            account = await asyncio.to_thread(books, self.rig)
            with self.rig.db() as db:
                ripe = db.execute(
                    "select organization_id, id, state from runs where state in"
                    " ('uncertain', 'incomplete') and ended_at < now() - make_interval(secs => %s)"
                    " limit 500",
                    (self.patience,),
                ).fetchall()
            if not ripe:
                return 0
            settings = Settings.from_env({**self.rig.env, "JUNCTOR_DATABASE_URL": self.rig.url})
            numbers = {run: number for number, runs in account.runs.items() for run in runs}
            async with open_core(settings, self.rig.url) as core:
                for organization, run, state in ripe:
                    if not self.concerned(state):
                        continue
                    self.touched.setdefault(run, "parked" if run in account.parked else str(state))
                    await self._one(core, account, organization, run, numbers.get(run, -1), state)
        except (psycopg.Error, OSError, JunctorError, Failed):
            return 0  # the database is away; the next look is soon
        return len(ripe)

    async def _one(
        self, core: Core, account: Account, organization: UUID, run: UUID, number: int, state: str
    ) -> None:
        try:
            if state == "incomplete":
                await resolve(core, organization, run, actor="torture", verb="retry")
                return
            step = self.steps[account.failed[run] or 0]
            done = bool(account.effects[number, step])
            await settle(
                core, organization, run, "done" if done else "not-done",
                actor="torture", bundle={"ok": True},
            )  # fmt: skip
        except JunctorError:
            return  # somebody was faster, or it is under way


async def conclude(
    rig: Rig,
    load: Load,
    outcome: Outcome,
    *,
    operator: Operator | None = None,
    seconds: float = 120.0,
    most_effects: int = 1,
) -> Account:
    """Waits until every event has come to an end, and accounts for each in ``outcome``.

    With an operator everything must be finished in the end, each effect exactly once.
    """
    begun = time.monotonic()
    until = begun + seconds
    while True:
        if operator is not None:
            await operator.look()
        try:
            account = await asyncio.to_thread(books, rig)
        except psycopg.OperationalError:
            account = None
        if account is not None:
            left = account.open()
            if operator is not None:
                left += [run for run, state in account.states.items() if operator.concerned(state)]
            if not left:
                break
        if time.monotonic() > until:
            assert account is not None
            left = account.open()
            outcome.broken.append(f"{len(left)} runs or deliveries did not end in {seconds:g} s")
            break
        await asyncio.sleep(0.5)
    tally(load, account, outcome, operator, most_effects=most_effects)
    return account


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
