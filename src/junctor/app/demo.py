"""The demo: simulated vendors, the example scenario, calls that really run through it."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

from junctor.app.activation import activate
from junctor.app.connections import (
    add_connection,
    change_connection,
    definition_of,
    find_connection,
    test_connection,
)
from junctor.app.core import Core
from junctor.app.demo_check import compare, expect
from junctor.app.owner import ensure_organization
from junctor.app.scenarios import find_scenario, import_scenario
from junctor.app.simulators import OTHERS, VENDORS, Simulators
from junctor.errors import Misconfigured, NotFound
from junctor.language import forms
from junctor.ports.catalog import Connection, Run, Scenario

__all__ = ["CALLS", "Outcome", "connect_others", "example", "prepare", "run_calls"]

ACTOR = "system:demo"
CALLS = 100
FILE = "missed-call-to-highlevel.blueprint.json"
STALLED = 30.0
"""Seconds without any progress after which the demo gives up waiting."""

Progress = Callable[[int, int], None]
"""Called with (runs that ended, runs expected)."""


def example() -> str:
    """The example blueprint: from the wheel, or from the checkout."""
    inside = files("junctor") / "examples" / FILE
    if inside.is_file():
        return inside.read_text(encoding="utf-8")
    checkout = Path(__file__).resolve().parents[3] / "examples" / FILE
    if checkout.is_file():
        return checkout.read_text(encoding="utf-8")
    raise Misconfigured(f"The example {FILE} is not installed.")


async def prepare(core: Core, simulators: Simulators) -> tuple[Scenario, bool]:
    """The example, connected and active; whether it is new. Safe to repeat: nothing doubles."""
    organization_id = await ensure_organization(core)
    for connector, name in VENDORS.items():
        await _connect(core, organization_id, connector, name, await simulators.facts(connector))
    blueprint = example()
    name = json.loads(blueprint)["name"]
    new = False
    try:
        scenario = await find_scenario(core, organization_id, name)
    except NotFound:
        draft = await import_scenario(
            core,
            organization_id,
            actor=ACTOR,
            blueprint=blueprint,
            connections=dict(VENDORS),
        )
        scenario, new = draft.scenario, True
    done = await activate(core, scenario, actor=ACTOR)
    if done.warnings:
        raise Misconfigured(" ".join(done.warnings))
    return done.scenario, new


async def connect_others(core: Core, simulators: Simulators) -> None:
    """Connections to the vendors that the demo's scenario does without. Safe to repeat."""
    organization_id = await ensure_organization(core)
    for connector, name in OTHERS.items():
        await _connect(core, organization_id, connector, name, await simulators.facts(connector))


async def _connect(
    core: Core, organization_id: UUID, connector: str, name: str, facts: Mapping[str, Any]
) -> Connection:
    _, _, definition = definition_of(core, connector, None)
    fields = {slot.key for slot in forms.slots_of(definition.form)}
    # A simulator also tells what a hook needs, such as its public key.
    values = {key: value for key, value in facts["credentials"].items() if key in fields}
    base_url = facts["base_url"]
    try:
        found = await find_connection(core, organization_id, name)
    except NotFound:
        return await add_connection(
            core,
            organization_id,
            actor=ACTOR,
            name=name,
            connector=connector,
            base_url=base_url,
            values=values,
        )
    if found.base_url == base_url:
        tested = await test_connection(core, organization_id, found, actor=ACTOR)
        if tested.test_error is None:
            return tested
    return await change_connection(
        core, organization_id, found, actor=ACTOR, base_url=base_url, values=values
    )


@dataclass(slots=True)
class Outcome:
    """What the demo's calls led to."""

    calls: int
    deliveries: int
    states: dict[str, int]
    runs: list[Run]
    contacts: list[dict[str, Any]]
    notes: list[dict[str, Any]]
    seconds: float
    problems: list[str] = field(default_factory=list)


async def run_calls(
    core: Core, scenario: Scenario, simulators: Simulators, calls: int, progress: Progress
) -> Outcome:
    """Simulates calls, waits for their runs, and checks everything that came of them."""
    before = await simulators.state("highlevel")
    sent_before = (await simulators.deliveries())["total"]
    first = core.ids.new()
    begun = time.monotonic()
    made = await simulators.simulate(calls, seed=secrets.randbelow(2**31))
    states = await _wait(core, scenario, simulators, sent_before, first, progress)
    seconds = time.monotonic() - begun
    after = await simulators.state("highlevel")
    toky = await simulators.state("toky")
    sent = await simulators.deliveries(limit=1_000_000)
    calls_ids = set(made["callids"])
    ours = [each for each in sent["deliveries"] if each["key"] in calls_ids]
    accepted = [each for each in ours if each["status"] == "delivered"]
    problems = [f"{len(ours) - len(accepted)} deliveries were not accepted"] * (
        len(ours) != len(accepted)
    )
    ended = sum(states.values())
    if states.get("finished", 0) != len(accepted) or ended != len(accepted):
        problems.append(f"{len(accepted)} accepted deliveries, but runs {states}")
    events = {each["key"]: json.loads(each["body"]) for each in accepted}
    problems += compare(expect(events.values(), toky["contacts"]), before, after)
    page = await core.catalog.runs(scenario.organization_id, scenario_id=scenario.id, limit=10)
    return Outcome(
        calls=calls,
        deliveries=len(accepted),
        states=states,
        runs=page.items,
        contacts=after["contacts"],
        notes=after["notes"],
        seconds=seconds,
        problems=problems,
    )


async def _wait(
    core: Core,
    scenario: Scenario,
    simulators: Simulators,
    sent_before: int,
    first: UUID,
    progress: Progress,
) -> dict[str, int]:
    """Until every delivery is settled and every run of it has ended; run counts by state."""
    seen: tuple[int, int] = (-1, -1)
    changed = time.monotonic()
    while True:
        sent = await simulators.deliveries()
        states = await _states(core, scenario, first)
        total, pending = sent["total"] - sent_before, sent["counts"]["pending"]
        going = sum(states.get(state, 0) for state in ("running", "waiting"))
        ended = sum(states.values()) - going
        progress(ended, total)
        if not pending and not going and ended >= total - sent["counts"]["failed"]:
            return states
        if (ended, pending) != seen:
            seen, changed = (ended, pending), time.monotonic()
        elif time.monotonic() - changed > STALLED:
            return states
        await asyncio.sleep(0.05)


async def _states(core: Core, scenario: Scenario, first: UUID) -> dict[str, int]:
    async with core.engine.connection() as connection:
        cursor = await connection.execute(
            "select state, count(*) from runs where organization_id = %s and scenario_id = %s"
            " and id > %s group by state",
            (scenario.organization_id, scenario.id, first),
        )
        return {row[0]: row[1] for row in await cursor.fetchall()}
