"""Schedules: what a scenario begins with, what its trigger can have, what comes next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from junctor.app.core import Core
from junctor.errors import Misconfigured, NotFound
from junctor.language.blueprint import load
from junctor.language.connector import ModuleDef
from junctor.language.firings import Missed, next_firings
from junctor.language.scenario import Problem
from junctor.language.scenario import Scenario as Planned
from junctor.language.schedule import Schedule, describe, read
from junctor.ports.catalog import Scenario, StoredSchedule

__all__ = [
    "POLLED",
    "Shown",
    "begin",
    "default_of",
    "fit",
    "look",
    "remove",
    "set_schedule",
]

POLLED: Final[Mapping[str, Any]] = {"type": "indefinitely", "interval": 900}
"""What a trigger that polls has if nobody says otherwise, as in Make."""
BY_HOOK: Final[Mapping[str, Any]] = {"type": "immediately"}
BY_HAND: Final[Mapping[str, Any]] = {"type": "on-demand"}
MOST_SHOWN: Final = 100

_HOOKED = (
    "Its trigger is a hook: deliveries run as they come, so it has no times of its own. Take the "
    "type immediately."
)
_POLLS = (
    "Its trigger asks for news, so somebody must say when: take indefinitely with an interval, or "
    "on-demand."
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A schedule as it stands. Nothing stored: what the scenario's trigger implies."""

    scenario: Scenario
    scheduling: Mapping[str, Any]
    words: str
    zone: str
    stored: StoredSchedule | None
    following: list[datetime] = field(default_factory=list)
    """The next firings; of one that is off or paused: as if it were switched on now."""

    @property
    def counting(self) -> bool:
        """Whether they will come of themselves."""
        paused = self.stored is not None and self.stored.paused
        return self.scenario.active and not paused and bool(self.following)


async def look(core: Core, scenario: Scenario, *, count: int = 10) -> Shown:
    """A scenario's schedule and its next firings."""
    stored = await _stored(core, scenario)
    organization = await core.catalog.organization(scenario.organization_id)
    if stored is None:
        hooked, _ = _trigger(await _planned(core, scenario), core.registry.find)
        scheduling = BY_HOOK if hooked else BY_HAND
    else:
        scheduling = stored.scheduling
    zone = (stored.zone if stored is not None else None) or organization.zone
    schedule, _ = read(scheduling)
    if schedule is None:
        return Shown(scenario, scheduling, "not readable", zone, stored)
    following: list[datetime] = []
    if count:
        now = await core.catalog.server_clock()
        counting = scenario.active and stored is not None and not stored.paused
        anchor = stored.anchor_at if counting and stored is not None else None
        following = next_firings(
            schedule,
            ZoneInfo(zone),
            now - timedelta(microseconds=1),
            min(count, MOST_SHOWN),
            anchor=anchor or now,
        )
    return Shown(scenario, scheduling, describe(schedule), zone, stored, following)


async def set_schedule(
    core: Core,
    scenario: Scenario,
    *,
    actor: str,
    scheduling: Mapping[str, Any],
    zone: str | None = None,
    missed: Missed = "once",
    max_per_minute: int | None = None,
    paused: bool = False,
    revision: int | None = None,
    path: str = "scheduling",
) -> StoredSchedule:
    """Sets all of it. `Misconfigured`, with the path of each fault, on what can't be."""
    schedule, problems = read(scheduling, path)
    if schedule is None:
        first, *others = problems
        more = "".join(f" {each.path}: {each.message}" for each in others)
        raise Misconfigured(f"{first.path}: {first.message}{more}", path=first.path)
    place = path.rpartition(".")[0]
    place = f"{place}." if place else ""
    if max_per_minute is not None and not 1 <= max_per_minute <= 1_000_000:
        raise Misconfigured(
            f"{max_per_minute} runs a minute can't be: from 1 to 1000000, or null for no limit.",
            path=f"{place}max_per_minute",
        )
    if zone is not None:
        _check_zone(zone, f"{place}zone")
    refused = _misfit(schedule, await _planned(core, scenario), core.registry.find)
    if refused:
        raise Misconfigured(f"'{scenario.name}' can't have this schedule. {refused}", path=path)
    return await core.catalog.put_schedule(
        scenario.organization_id,
        scenario.id,
        actor=actor,
        scheduling=scheduling,
        zone=zone,
        missed=missed,
        max_per_minute=max_per_minute,
        paused=paused,
        revision=revision,
    )


async def remove(
    core: Core, scenario: Scenario, *, actor: str, revision: int | None = None
) -> None:
    """Back to what its blueprint says, or its trigger implies."""
    planned = await _planned(core, scenario)
    async with core.catalog.together(scenario.organization_id):
        await core.catalog.delete_schedule(
            scenario.organization_id, scenario.id, actor=actor, revision=revision
        )
        await begin(core, scenario, planned, actor=actor)


async def begin(core: Core, scenario: Scenario, planned: Planned, *, actor: str) -> list[Problem]:
    """Gives a scenario the schedule of its blueprint; what is wrong with that."""
    scheduling, problems = default_of(planned, core.registry.find)
    if scheduling is not None:
        await core.catalog.add_schedule(
            scenario.organization_id, scenario.id, actor=actor, scheduling=scheduling
        )
    return problems


async def fit(core: Core, scenario: Scenario, planned: Planned, *, actor: str) -> None:
    """Before this version runs: it has a schedule, and one that its trigger can have."""
    stored = await _stored(core, scenario)
    if stored is None:
        await begin(core, scenario, planned, actor=actor)
        return
    schedule, _ = read(stored.scheduling)
    if schedule is None or not _misfit(schedule, planned, core.registry.find):
        return
    hooked, _ = _trigger(planned, core.registry.find)
    await core.catalog.put_schedule(
        scenario.organization_id,
        scenario.id,
        actor=actor,
        scheduling=BY_HOOK if hooked else POLLED,
        zone=stored.zone,
        missed=stored.missed,
        max_per_minute=stored.max_per_minute,
        paused=stored.paused,
    )


def default_of(
    planned: Planned, find: Callable[[str], ModuleDef | None]
) -> tuple[Mapping[str, Any] | None, list[Problem]]:
    """The scheduling that a blueprint begins with; ``None``: none, it starts by hook or by hand."""
    hooked, polls = _trigger(planned, find)
    usual = None if hooked else POLLED if polls else None
    if planned.scheduling is None:
        return usual, []
    schedule, problems = read(planned.scheduling, "$.scheduling")
    warned = [Problem(each.path, "warning", each.message) for each in problems]
    if schedule is not None:
        misfit = _misfit(schedule, planned, find)
        if misfit is None:
            return planned.scheduling, warned
        warned.append(Problem("$.scheduling.type", "warning", misfit))
    taken = usual or (BY_HOOK if hooked else BY_HAND)
    said, _ = read(taken)
    assert said is not None
    warned.append(Problem("$.scheduling", "warning", f"It starts {describe(said)} instead."))
    return taken, warned


def _misfit(
    schedule: Schedule, planned: Planned, find: Callable[[str], ModuleDef | None]
) -> str | None:
    hooked, polls = _trigger(planned, find)
    if hooked and schedule.fires:
        return _HOOKED
    if polls and schedule.kind == "immediately":
        return _POLLS
    return None


def _trigger(planned: Planned, find: Callable[[str], ModuleDef | None]) -> tuple[bool, bool]:
    """Whether the first module is fed by a hook, and whether it polls."""
    found = find(planned.flow[0].module) if planned.flow else None
    return (
        found is not None and found.hook is not None,
        found is not None and found.poll is not None,
    )


async def _planned(core: Core, scenario: Scenario) -> Planned:
    number = scenario.published or scenario.draft
    version = await core.catalog.version(scenario.organization_id, scenario.id, number)
    return load(version.blueprint).scenario


async def _stored(core: Core, scenario: Scenario) -> StoredSchedule | None:
    try:
        return await core.catalog.schedule(scenario.organization_id, scenario.id)
    except NotFound:
        return None


def _check_zone(name: str, path: str) -> None:
    try:
        ZoneInfo(name)
    except (ValueError, LookupError, OSError) as error:
        raise Misconfigured(
            f"'{name[:60]}' is no time zone; write one like Europe/Berlin.", path=path
        ) from error
