"""Compiled scenario versions, kept ready."""

from __future__ import annotations

import random
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from junctor.adapters.postgres.arrays import Uuids
from junctor.adapters.postgres.calls import PostgresCalls
from junctor.adapters.postgres.hot import Line
from junctor.engine.plan import Plan, compile_plan
from junctor.errors import Misconfigured, NotFound
from junctor.language import ids
from junctor.language.blueprint import load
from junctor.language.connector import Bundle, ModuleDef
from junctor.language.inputs import START, defaults, inputs_of, read_inputs
from junctor.language.variables import stored_value

__all__ = ["Plans", "Prepared"]

KEEP_SECONDS = 300.0
"""At least."""
VARIABLE_SECONDS = 1.0
"""How old a custom variable may be at the start of a run that reads some."""
KEEP_WITH_STRUCTURES = 5.0
"""The same, of a plan that holds data structures: a version never changes, but those do."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A scenario version, ready to run."""

    organization_id: UUID
    scenario_id: UUID
    version: int
    name: str
    plan: Plan
    zone: tzinfo
    locale: str
    country: str
    organization_name: str
    in_order: bool = False
    """Whether its runs must follow one another."""
    pure: bool = False
    """Whether none of its modules has effects."""
    connections: Mapping[int, UUID] = field(default_factory=dict)
    """By module id."""
    bindings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What modules are bound to here: kind (``connections``, ``stores``, ``structures``,
    ``scenarios``) → module id as text → the thing's id."""
    inputs: tuple[Mapping[str, Any], ...] = ()
    """The specification of the scenario's inputs."""
    organization_variables: Mapping[str, Any] = field(default_factory=dict)
    team_variables: Mapping[str, Any] = field(default_factory=dict)
    public_url: str = ""

    def given(self, bundles: list[Bundle] | None) -> tuple[list[Bundle] | None, Bundle]:
        """The trigger's bundles and `var.input` of a run that was started with these bundles.

        ``None``: with nothing, so that inputs have their defaults, and a trigger other than *Start
        a subscenario* gives its bundles itself. `InputInvalid` if the scenario's inputs can't be
        made of them.
        """
        if bundles is None:
            inputs = defaults(self.inputs, zone=self.zone)
            trigger = self.plan.trigger
            return ([inputs] if trigger is not None and trigger.module == START else None), inputs
        if not self.inputs:
            return bundles, dict(bundles[0]) if bundles else {}
        made = [
            read_inputs(self.inputs, bundle, zone=self.zone, strict=False)
            for bundle in bundles or [{}]
        ]
        return made, made[0]

    def variables(self, run_id: str, inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What `var.*` reads in a run; ``inputs`` are those that `given` made."""
        shown = ids.show("scn", self.scenario_id)
        return {
            "scenario": {
                "name": self.name,
                "id": shown,
                "url": f"{self.public_url}/scenarios/{shown}" if self.public_url else "",
                "executionId": run_id,
            },
            "organization": {**self.organization_variables, "name": self.organization_name},
            "team": self.team_variables,
            "input": inputs or {},
        }


class Plans:
    """Loads and compiles versions. A version never changes, but its organisation's zone may."""

    def __init__(
        self,
        line: Line,
        find: Callable[[str], ModuleDef | None],
        *,
        keep: int = 2000,
        public_url: str = "",
    ) -> None:
        self._line = line
        self._calls = PostgresCalls(line)
        self._public_url = public_url.rstrip("/")
        self._find = find
        self._keep = keep
        self._cache: OrderedDict[tuple[UUID, UUID, int], tuple[float, Prepared]] = OrderedDict()
        self._read: OrderedDict[tuple[UUID, UUID, int], tuple[float, Prepared]] = OrderedDict()
        """Versions whose mappings read ``var``, with the custom variables of a moment ago."""

    async def get(self, organization_id: UUID, scenario_id: UUID, version: int) -> Prepared:
        """The version, ready; `NotFound`, or what is wrong with its blueprint."""
        prepared = await self._compiled(organization_id, scenario_id, version)
        if not prepared.plan.variables:
            return prepared
        key = (organization_id, scenario_id, version)
        known = self._read.get(key)
        if known is not None and known[0] > time.monotonic() and known[1].plan is prepared.plan:
            return known[1]
        found = await self._calls.variables(organization_id, scenario_id)
        scopes: dict[str, dict[str, Any]] = {"organization": {}, "team": {}}
        for name, value in found.items():
            scope, _, own = name.partition(".")
            scopes[scope][own] = stored_value(value)
        made = replace(
            prepared,
            organization_variables=scopes["organization"],
            team_variables=scopes["team"],
        )
        self._read[key] = (time.monotonic() + VARIABLE_SECONDS, made)
        while len(self._read) > self._keep:
            self._read.popitem(last=False)
        return made

    async def _compiled(self, organization_id: UUID, scenario_id: UUID, version: int) -> Prepared:
        key = (organization_id, scenario_id, version)
        ready = self._cache.get(key)
        if ready is not None and ready[0] > time.monotonic():
            self._cache.move_to_end(key)
            return ready[1]
        rows = await self._line.fetch(
            "version",
            {"organization": organization_id, "scenario": scenario_id, "version": version},
        )
        if not rows:
            raise NotFound(what=f"Version {version} of {ids.show('scn', scenario_id)}")
        blueprint, bindings, name, zone, locale, country, organization_name = rows[0]
        scenario = load(blueprint).scenario
        given = await self._structures(organization_id, bindings)
        plan = compile_plan(scenario, self._find, version=version, given=given)
        used = [self._find(module) for module, _, _ in plan.pins.values()]
        made = Prepared(
            organization_id=organization_id,
            scenario_id=scenario_id,
            version=version,
            name=name,
            plan=plan,
            zone=ZoneInfo(zone),
            locale=locale,
            country=country,
            organization_name=organization_name,
            in_order=scenario.settings.sequential,
            pure=all(
                each is None or each.kind not in {"action", "search", "sleep", "waiter"}
                for each in used
            ),
            connections={
                int(module): UUID(connection)
                for module, connection in bindings.get("connections", {}).items()
                if module.isdecimal()
            },
            bindings=bindings,
            inputs=inputs_of(scenario),
            public_url=self._public_url,
        )
        keep = KEEP_WITH_STRUCTURES if given else KEEP_SECONDS
        until = time.monotonic() + keep * random.uniform(1, 2)
        self._cache[key] = (until, made)
        while len(self._cache) > self._keep:
            self._cache.popitem(last=False)
        return made

    async def _structures(
        self, organization_id: UUID, bindings: Mapping[str, Mapping[str, str]]
    ) -> dict[int, dict[str, Any]]:
        """``__structure__`` of the modules that are bound to one. `Misconfigured` if it is gone.

        A data store's structure is none of the plan's: each run looks at it afresh.
        """
        bound = {
            int(module): UUID(structure)
            for module, structure in bindings.get("structures", {}).items()
            if module.isdecimal()
        }
        if not bound:
            return {}
        rows = await self._line.fetch(
            "structures_bound",
            {"organization": organization_id, "ids": Uuids(set(bound.values()))},
        )
        found = {row[0]: {"spec": row[1], "strict": row[2]} for row in rows}
        for module, structure in bound.items():
            if structure not in found:
                raise Misconfigured(
                    reason=f"module {module} is bound to the data structure "
                    f"{ids.show('str', structure)}, which is gone; choose another one for it"
                )
        return {module: {"__structure__": found[each]} for module, each in bound.items()}
