"""Scenarios switched on and off: publish, hook, registration at the vendor."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from uuid import UUID

from junctor.app import app_hooks, schedules
from junctor.app.bindings import BINDINGS, WORDS, needs_of, trigger_of, wants_of
from junctor.app.core import Core
from junctor.app.scenarios import all_scenarios
from junctor.engine.plan import compile_plan
from junctor.errors import JunctorError, Misconfigured, NotFound
from junctor.language.blueprint import Imported, load
from junctor.language.connector import ModuleDef
from junctor.language.scenario import Module
from junctor.ports.catalog import Hook, Scenario, Version

__all__ = [
    "Activated",
    "activate",
    "deactivate",
    "hooks_of",
    "reconcile_all",
    "remove_hooks",
    "reschedule",
]


@dataclass(frozen=True, slots=True)
class Activated:
    """A scenario after it was switched, its hooks, and what is not well."""

    scenario: Scenario
    hooks: list[Hook] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


async def activate(
    core: Core, scenario: Scenario, *, actor: str, revision: int | None = None
) -> Activated:
    """Publishes the draft, makes the trigger's hook, starts the scenario, registers the hook.

    A pause or a draining ends with it. In this order, so that the first delivery after the vendor
    knows the address finds everything.
    `Misconfigured` if a module has no connection, data store or scenario that it needs (``params``
    list all of them), or if the scenario could not run at all; `Conflict` if it was changed since
    it was read: then nothing is changed.
    """
    read = scenario.revision if revision is None else revision
    organization_id = scenario.organization_id
    version = await core.catalog.version(organization_id, scenario.id, scenario.draft)
    imported = load(version.blueprint)
    planned = imported.scenario
    _check_bound(core, scenario, imported, version)
    try:
        compile_plan(planned, core.registry.find, version=version.version)
    except JunctorError as error:
        raise Misconfigured(
            f"'{scenario.name}' can't run: {error.message} Mend its blueprint, import it again, "
            "and activate that.",
            path=error.params.get("path", "flow"),
        ) from error
    trigger = trigger_of(planned, core.registry.find)
    chosen = await _chosen_hook(core, scenario, version, trigger[0]) if trigger else None
    if scenario.published != scenario.draft:
        # Of the draft that was looked at here, not of one that was saved meanwhile.
        scenario = await core.catalog.publish(
            organization_id, scenario.id, actor=actor, revision=read
        )
        read = scenario.revision
    hook = await _hook(core, scenario, version, chosen, *trigger, actor=actor) if trigger else None
    await schedules.fit(core, scenario, planned, actor=actor)
    held = scenario.paused_at is not None or scenario.draining_at is not None
    if not scenario.active or held or revision is not None:
        scenario = await core.catalog.set_active(
            organization_id, scenario.id, actor=actor, active=True, revision=read
        )
    if hook is None:
        return Activated(scenario)
    if hook.connection_id is not None:
        connection = await core.catalog.connection(organization_id, hook.connection_id)
        if app_hooks.app_of(core, connection):
            await app_hooks.ensure(core, connection, actor=actor)
    hook = await core.registrations.reconcile(hook, wanted=True, actor=actor)
    return Activated(scenario, [hook], _warnings([hook]))


async def reschedule(core: Core, scenario: Scenario, *, actor: str) -> None:
    """After another version was published: its trigger may not be what the schedule was for."""
    number = scenario.published or scenario.draft
    version = await core.catalog.version(scenario.organization_id, scenario.id, number)
    await schedules.fit(core, scenario, load(version.blueprint).scenario, actor=actor)


def _check_bound(core: Core, scenario: Scenario, imported: Imported, version: Version) -> None:
    """`Misconfigured` with every module that lacks something, and the command that mends it."""
    needs = needs_of(imported, core.registry.find, core.registry.connector)
    lacking = [
        need
        for need in needs
        if need.required and need.key not in version.bindings.get(BINDINGS[need.kind], {})
    ]
    if not lacking:
        return
    missing = [want.line(scenario.name) for want in wants_of(lacking)]
    more = f" ({len(missing)} things in all)" if len(missing) > 1 else ""
    first = lacking[0]
    raise Misconfigured(
        f"Module {first.module} ({first.name}) has no {WORDS[first.kind]}, so '{scenario.name}' "
        f"can't run{more}. " + " ".join(missing),
        path=first.path,
        missing=missing,
    )


async def deactivate(
    core: Core, scenario: Scenario, *, actor: str, revision: int | None = None
) -> Activated:
    """Stops the scenario and removes its hooks at the vendors. Our addresses stay valid."""
    scenario = await core.catalog.set_active(
        scenario.organization_id, scenario.id, actor=actor, active=False, revision=revision
    )
    hooks = [
        await core.registrations.reconcile(hook, wanted=False, actor=actor)
        for hook in await hooks_of(core, scenario.organization_id, scenario.id)
    ]
    return Activated(scenario, hooks, _warnings(hooks))


async def remove_hooks(core: Core, scenario: Scenario, *, actor: str) -> None:
    """Removes an inactive scenario's hooks, at the vendors and here."""
    if scenario.active:
        return  # deleting it is refused
    for hook in await hooks_of(core, scenario.organization_id, scenario.id):
        if hook.registration is not None:
            await core.registrations.reconcile(hook, wanted=False, actor=actor)
        await core.catalog.delete_hook(scenario.organization_id, hook.id, actor=actor)


async def reconcile_all(core: Core, *, actor: str) -> list[str]:
    """Makes every active scenario's registrations agree with this address; lines of trouble."""
    trouble: list[str] = []
    for organization in await core.catalog.organizations():
        organization_id = organization.organization_id
        for scenario in await all_scenarios(core, organization_id):
            if not scenario.active:
                continue
            for hook in await hooks_of(core, organization_id, scenario.id):
                if hook.enabled:
                    after = await core.registrations.reconcile(hook, wanted=True, actor=actor)
                    trouble += [f"{scenario.name}: {line}" for line in _warnings([after])]
    return trouble


async def hooks_of(core: Core, organization_id: UUID, scenario_id: UUID) -> list[Hook]:
    """A scenario's hooks; there are few."""
    page = await core.catalog.hooks(organization_id, scenario_id=scenario_id, limit=200)
    return page.items


async def _chosen_hook(
    core: Core, scenario: Scenario, version: Version, placed: Module
) -> Hook | None:
    """The hook that the version's trigger was mapped to, if it is still there; `Misconfigured` if
    it feeds another scenario by now.
    """
    text = version.bindings.get("hooks", {}).get(str(placed.id))
    if text is None:
        return None
    try:
        hook = await core.catalog.hook(scenario.organization_id, UUID(text))
    except NotFound:
        return None  # a new one is made
    if hook.scenario_id not in {None, scenario.id}:
        raise Misconfigured(
            f"The hook '{hook.name}' of module {placed.id} feeds another scenario by now. Choose "
            f"another one with `junctor scenarios bind {shlex.quote(scenario.name)} --map "
            f"{placed.id}=NAME`, or release it there.",
            path=placed.path,
        )
    return hook


async def _hook(
    core: Core,
    scenario: Scenario,
    version: Version,
    chosen: Hook | None,
    placed: Module,
    module: ModuleDef,
    *,
    actor: str,
) -> Hook:
    """The trigger's hook: the chosen one, else the one it has, else a new one."""
    text = version.bindings.get("connections", {}).get(str(placed.id))
    connection_id = UUID(text) if text else None
    known = await hooks_of(core, scenario.organization_id, scenario.id)
    for found in [chosen] if chosen is not None else known:
        if (found.connector, found.kind) == (module.connector, module.name):
            return await _rebind(core, scenario, found, placed.id, connection_id, actor=actor)
    return await core.catalog.create_hook(
        scenario.organization_id,
        actor=actor,
        name=f"{scenario.name}: {module.label}"[:200],
        connector=module.connector,
        kind=module.name,
        scenario_id=scenario.id,
        module=placed.id,
        connection_id=connection_id,
    )


async def _rebind(
    core: Core,
    scenario: Scenario,
    hook: Hook,
    module: int,
    connection_id: UUID | None,
    *,
    actor: str,
) -> Hook:
    """The hook, for this module and this account."""
    organization_id = scenario.organization_id
    if (hook.scenario_id, hook.module) != (scenario.id, module):
        hook = await core.catalog.bind_hook(
            organization_id, hook.id, actor=actor, scenario_id=scenario.id, module=module
        )
    if connection_id is None or hook.connection_id == connection_id:
        return hook
    if hook.registration is not None:  # it belongs to the account of before
        hook = await core.registrations.reconcile(hook, wanted=False, actor=actor)
    return await core.catalog.update_hook(
        organization_id, hook.id, actor=actor, connection_id=connection_id
    )


def _warnings(hooks: list[Hook]) -> list[str]:
    return [
        f"The hook '{hook.name}' does not agree with the vendor: {hook.registration_error}"
        for hook in hooks
        if hook.registration_error
    ]
