"""Scenarios: imported from blueprints, bound to what is here, found, exported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast, get_args
from uuid import UUID

from junctor.app import schedules
from junctor.app.bindings import BINDINGS, PREFIXES, Kind, Thing, Want, needs_of
from junctor.app.choosing import Choice, choose
from junctor.app.core import Core
from junctor.errors import BlueprintInvalid, Misconfigured, NotFound
from junctor.language import ids
from junctor.language.blueprint import Imported, dump, load
from junctor.language.blueprint_structure import fields_of
from junctor.language.check import Report, examine
from junctor.language.lossless import loads
from junctor.language.scenario import Problem
from junctor.ports.catalog import Detail, Page, Retention, Scenario

__all__ = [
    "Draft",
    "all_scenarios",
    "change_scenario",
    "export_scenario",
    "find_scenario",
    "import_scenario",
    "requirements_of",
    "save_draft",
]

T = TypeVar("T")

Permit = Callable[[str, str], None]
"""Given a right and the name of what is to be made with it, raises if the caller lacks it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A scenario as saved, and what is left to do before it can run."""

    scenario: Scenario
    missing: list[str] = field(default_factory=list)
    """What has to be chosen first, a line each."""
    problems: list[Problem] = field(default_factory=list)
    """What the compatibility report says about the blueprint."""
    report: Report | None = None
    wants: list[Want] = field(default_factory=list)
    """Everything that was to be chosen, with what was."""


def read(blueprint: str | bytes | Mapping[str, Any]) -> Imported:
    """A blueprint; `BlueprintInvalid` if it is none, or has nothing in it."""
    imported = load(blueprint)
    if not imported.scenario.flow:
        raise BlueprintInvalid(reason="it has no modules", path="flow")
    return imported


async def import_scenario(
    core: Core,
    organization_id: UUID,
    *,
    actor: str,
    blueprint: str | bytes | Mapping[str, Any],
    name: str | None = None,
    connections: Mapping[str, str] | None = None,
    mapped: Mapping[str, str] | None = None,
    create: bool = False,
    permit: Permit | None = None,
) -> Draft:
    """A new, inactive scenario with the blueprint as its draft; all of it or nothing.

    ``mapped`` chooses what its modules are bound to, see `bindings.choose`; ``connections`` is the
    same. With ``create`` missing data stores and structures are made; ``permit`` is asked first,
    and raises `Forbidden`.
    """
    imported = read(blueprint)
    choice = await _choose(
        core, organization_id, imported, {**(connections or {}), **(mapped or {})}, create=create
    )
    text = dump(imported.document, None)
    async with core.catalog.together(organization_id):
        bindings = await _made(core, organization_id, imported, choice, actor=actor, permit=permit)
        scenario = await core.catalog.create_scenario(
            organization_id,
            actor=actor,
            name=(name or imported.scenario.name or "Imported scenario")[:200],
            blueprint=text,
            bindings=bindings,
            confidential=imported.scenario.settings.confidential,
        )
        await _take_hooks(core, scenario, choice, actor=actor)
        problems = await schedules.begin(core, scenario, imported.scenario, actor=actor)
    draft = _draft(core, scenario, choice, imported)
    draft.problems.extend(problems)
    return draft


async def save_draft(
    core: Core,
    organization_id: UUID,
    scenario: Scenario,
    *,
    actor: str,
    blueprint: str | bytes | Mapping[str, Any] | None = None,
    connections: Mapping[str, str] | None = None,
    mapped: Mapping[str, str] | None = None,
    create: bool = False,
    of_version: int | None = None,
    revision: int | None = None,
    permit: Permit | None = None,
) -> Draft:
    """A new version as the draft: another blueprint, other bindings, or both.

    What is not given is as in version ``of_version``, or as in the draft. A hook that it is mapped
    to stays as it is until the draft is activated. ``permit`` is as for `import_scenario`.
    """
    before = await core.catalog.version(organization_id, scenario.id, of_version or scenario.draft)
    imported = read(before.blueprint if blueprint is None else blueprint)
    choice = await _choose(
        core,
        organization_id,
        imported,
        {**(connections or {}), **(mapped or {})},
        create=create,
        before=before.bindings,
        scenario=scenario,
    )
    async with core.catalog.together(organization_id):
        bindings = await _made(core, organization_id, imported, choice, actor=actor, permit=permit)
        saved = await core.catalog.save_draft(
            organization_id,
            scenario.id,
            actor=actor,
            blueprint=dump(imported.document, None),
            bindings={**_others(before.bindings), **bindings},
            confidential=imported.scenario.settings.confidential,
            revision=revision,
        )
    return _draft(core, saved, choice, imported)


async def requirements_of(
    core: Core,
    organization_id: UUID,
    blueprint: str | bytes | Mapping[str, Any] | Scenario,
    *,
    mapped: Mapping[str, str] | None = None,
    create: bool = False,
) -> Choice:
    """What a blueprint, or a scenario's draft, is to be bound to, and what would be chosen."""
    if not isinstance(blueprint, Scenario):
        imported = read(blueprint)
        return await _choose(core, organization_id, imported, mapped or {}, create=create)
    before = await core.catalog.version(organization_id, blueprint.id, blueprint.draft)
    return await _choose(
        core,
        organization_id,
        read(before.blueprint),
        mapped or {},
        create=create,
        before=before.bindings,
        scenario=blueprint,
    )


async def export_scenario(
    core: Core, organization_id: UUID, scenario: Scenario, *, version: int | None = None
) -> str:
    """The blueprint's text; the draft's, unless a version is named."""
    found = await core.catalog.version(organization_id, scenario.id, version or scenario.draft)
    return dump(loads(found.blueprint).value)  # stored without white space


async def all_scenarios(core: Core, organization_id: UUID) -> list[Scenario]:
    """All of an organisation's scenarios."""
    out: list[Scenario] = []
    cursor = None
    while True:
        page = await core.catalog.scenarios(organization_id, cursor=cursor, limit=200)
        out.extend(page.items)
        cursor = page.cursor
        if cursor is None:
            return out


async def find_scenario(core: Core, organization_id: UUID, text: str) -> Scenario:
    """A scenario by its id, or by its name if only one has it."""
    if text.startswith("scn_"):
        return await core.catalog.scenario(organization_id, ids.read("scn", text))
    found = await all_scenarios(core, organization_id)
    named = [each for each in found if each.name == text]
    named = named or [each for each in found if each.name.casefold() == text.casefold()]
    if len(named) == 1:
        return named[0]
    if named:
        shown = ", ".join(ids.show("scn", each.id) for each in named)
        raise NotFound(f"{len(named)} scenarios are called '{text}'. Take an id: {shown}.")
    known = ", ".join(f"'{each.name}'" for each in found[:20]) or "none"
    raise NotFound(f"There is no scenario '{text}'. There are: {known}.")


async def change_scenario(
    core: Core,
    organization_id: UUID,
    text: str,
    *,
    actor: str,
    name: str | None = None,
    detail: str | None = None,
    retention: str | None = None,
    confidential: bool | None = None,
) -> Scenario:
    """Changes what is given of a scenario (its id or name). `Misconfigured` on what can't be."""
    if name is None and detail is None and retention is None and confidential is None:
        raise Misconfigured("There is nothing to change: give a name, detail or retention.")
    for field_, value, known in (
        ("detail", detail, get_args(Detail)),
        ("retention", retention, get_args(Retention)),
    ):
        if value is not None and value not in known:
            raise Misconfigured(
                f"'{value}' is no {field_}. It is one of {', '.join(known)}.", path=field_
            )
    found = await find_scenario(core, organization_id, text)
    return await core.catalog.update_scenario(
        organization_id,
        found.id,
        actor=actor,
        revision=found.revision,
        name=name,
        detail=cast("Detail | None", detail),
        retention=cast("Retention | None", retention),
        confidential=confidential,
    )


def _others(bindings: Mapping[str, Any]) -> dict[str, Any]:
    """What a version keeps beside what is chosen anew."""
    return {key: value for key, value in bindings.items() if key not in BINDINGS.values()}


def _draft(core: Core, scenario: Scenario, choice: Choice, imported: Imported) -> Draft:
    report = examine(
        Report(file=""),
        imported,
        core.registry.find,
        lambda: (module.id for module in core.registry.modules()),
    )
    missing = [want.line(scenario.name) for want in choice.missing]
    return Draft(scenario, missing, report.problems, report, choice.wants)


async def _choose(
    core: Core,
    organization_id: UUID,
    imported: Imported,
    mapped: Mapping[str, str],
    *,
    create: bool,
    before: Mapping[str, Any] | None = None,
    scenario: Scenario | None = None,
) -> Choice:
    needs = needs_of(imported, core.registry.find, core.registry.connector)
    kinds = {need.kind for need in needs}
    things = await _things(core, organization_id, kinds, scenario)
    named = {key: _as_uuid(value) for key, value in mapped.items()}
    return choose(needs, things, mapped=named, before=before, create=create)


async def _things(
    core: Core, organization_id: UUID, kinds: set[Kind], scenario: Scenario | None
) -> list[Thing]:
    """What there is of these kinds."""
    catalog = core.catalog
    own = scenario.id if scenario is not None else None
    out: list[Thing] = []
    if "connection" in kinds:
        out += [
            Thing(
                "connection",
                each.id,
                each.name,
                each.connector,
                each.kind,
                refused=each.test_error is not None,
            )
            for each in await _every(catalog.connections, organization_id)
        ]
    if "hook" in kinds:
        out += [
            Thing(
                "hook",
                each.id,
                each.name,
                f"{each.connector}:{each.kind}",
                taken=each.scenario_id not in {None, own},
            )
            for each in await _every(catalog.hooks, organization_id)
        ]
    if "store" in kinds:
        stores = await _every(catalog.stores, organization_id)
        out += [Thing("store", each.id, each.name) for each in stores]
    if "structure" in kinds:
        structures = await _every(catalog.structures, organization_id)
        out += [Thing("structure", each.id, each.name) for each in structures]
    if "scenario" in kinds:
        scenarios = await all_scenarios(core, organization_id)
        out += [Thing("scenario", each.id, each.name) for each in scenarios if each.id != own]
    return out


async def _every(pages: Callable[..., Awaitable[Page[T]]], organization_id: UUID) -> list[T]:
    out: list[T] = []
    cursor = None
    while True:
        page = await pages(organization_id, cursor=cursor, limit=200)
        out.extend(page.items)
        cursor = page.cursor
        if cursor is None:
            return out


async def _made(
    core: Core,
    organization_id: UUID,
    imported: Imported,
    choice: Choice,
    *,
    actor: str,
    permit: Permit | None,
) -> dict[str, dict[str, str]]:
    """The bindings, with what is to be made made."""
    bindings = {"connections": {}, **{kind: dict(of) for kind, of in choice.bindings.items()}}
    for want in choice.wants:
        if want.create is None:
            continue
        paths = [need.path for need in want.needs]
        fields = fields_of(imported.document, paths, want.kind)
        structure: UUID | None = None
        if permit is not None and want.kind == "store":
            permit("data-stores:write", want.create.name)
        if want.kind == "structure" or fields:
            if permit is not None:
                permit("data-structures:write", want.create.name)
            shape = await core.catalog.create_structure(
                organization_id, actor=actor, name=want.create.name, spec=fields
            )
            structure = shape.id
        made = structure
        if want.kind == "store":
            store = await core.catalog.create_store(
                organization_id, actor=actor, name=want.create.name, structure_id=structure
            )
            made = store.id
        assert made is not None
        for key in want.create.keys:
            bindings.setdefault(BINDINGS[want.kind], {})[key] = str(made)
    return bindings


async def _take_hooks(core: Core, scenario: Scenario, choice: Choice, *, actor: str) -> None:
    """Points hooks that feed no scenario at this one, which is new: what comes waits for it."""
    for want in choice.wants:
        if want.kind == "hook" and want.chosen is not None:
            await core.catalog.bind_hook(
                scenario.organization_id,
                want.chosen.id,
                actor=actor,
                scenario_id=scenario.id,
                module=want.needs[0].module,
            )


def _as_uuid(text: str) -> str:
    prefix = text.partition("_")[0]
    return str(ids.read(prefix, text)) if prefix in PREFIXES.values() and "_" in text else text
