"""What a blueprint's modules are bound to here: connections, hooks, data stores, structures,
scenarios.

Pure: a blueprint and what exists go in, choices come out. A version keeps them as
``{"connections": {"3": id, "3.tlsKeychain": id}, "stores": {"5": id}, …}``: the module's id, and
for a connection that is not its main one the parameter that names it.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

from junctor.language.blueprint import Imported, Requirement, requirements
from junctor.language.connector import Connector, ModuleDef, Takeover
from junctor.language.scenario import Module, Scenario

__all__ = [
    "BINDINGS",
    "PREFIXES",
    "WORDS",
    "Creation",
    "Kind",
    "Need",
    "Thing",
    "Want",
    "keys_of",
    "needs_of",
    "trigger_of",
    "wants_of",
]

Kind = Literal["connection", "hook", "store", "structure", "scenario"]

BINDINGS: Mapping[Kind, str] = {
    "connection": "connections",
    "hook": "hooks",
    "store": "stores",
    "structure": "structures",
    "scenario": "scenarios",
}
"""Kind of thing → the key of a version's bindings."""

WORDS: Mapping[Kind, str] = {
    "connection": "connection",
    "hook": "hook",
    "store": "data store",
    "structure": "data structure",
    "scenario": "scenario",
}
"""What each kind is called."""

PREFIXES: Mapping[Kind, str] = {
    "connection": "con",
    "hook": "hok",
    "store": "dst",
    "structure": "str",
    "scenario": "scn",
}
"""How each kind's ids begin."""

_FORMS: Mapping[str, Kind] = {
    "datastore": "store",
    "structure": "structure",
    "scenario": "scenario",
}
"""Kind of a blueprint's requirement → kind of thing here."""

_SIDE = ("tls", "proxy")
"""How parameters begin that name a connection beside the module's main one."""

FindModule = Callable[[str], ModuleDef | None]
FindConnector = Callable[[str], Connector | None]


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that exists and that modules can be bound to."""

    kind: Kind
    id: UUID
    name: str
    of: str = ""
    """A connection's connector; a hook's module, ``connector:name``."""
    sort: str = ""
    """A connection's kind."""
    refused: bool = False
    """Whether its last test failed."""
    taken: bool = False
    """Whether a hook already feeds another scenario."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A place of one module that is bound to something."""

    kind: Kind
    key: str
    """In the bindings: ``3``, or ``3.tlsKeychain``."""
    module: int
    """Its id in the blueprint."""
    name: str
    """``connector:name``."""
    of: str
    """As `Thing.of`: what fits."""
    path: str
    required: bool = True
    """Whether the scenario can't run without."""
    parameter: str = ""
    type: str = ""
    """As the blueprint's form says it: ``account:google``."""
    value: Any = None
    """Its number where the blueprint came from."""
    label: str = ""
    """What it was called there."""
    sorts: tuple[str, ...] = ()
    """Kinds of connection that fit; empty: any."""
    prefers: str = ""
    """The kind of connection that is suggested first, where others fit, too."""


@dataclass(frozen=True, slots=True)
class Creation:
    """A data store or data structure to make, for these needs."""

    kind: Kind
    name: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Want:
    """One thing to choose, for all modules that shared it where the blueprint came from."""

    kind: Kind
    of: str
    label: str
    type: str
    needs: tuple[Need, ...]
    candidates: tuple[Thing, ...] = ()
    chosen: Thing | None = None
    create: Creation | None = None

    @property
    def required(self) -> bool:
        """Whether the scenario can't run without."""
        return any(need.required for need in self.needs)

    @property
    def met(self) -> bool:
        """Whether something was chosen, will be made, or isn't needed."""
        return self.chosen is not None or self.create is not None or not self.required

    @property
    def key(self) -> str:
        """How it is named in a mapping, shortest first that only it answers to."""
        return self.needs[0].key

    def line(self, scenario: str = "SCENARIO") -> str:
        """What is missing, and the command that mends it."""
        numbers = ", ".join(str(need.module) for need in self.needs)
        word = WORDS[self.kind]
        what = f"{word} of '{self.of}'" if self.kind == "connection" else word
        plural = len(self.needs) > 1
        called = f" (it was '{self.label}')" if self.label else ""
        make = ""
        if self.kind == "connection":
            make = f"add one with `junctor connections add {self.of}`, then "
        value = "new" if self.kind in {"store", "structure"} else "NAME"
        return (
            f"Module{'s' if plural else ''} {numbers} ({self.needs[0].name}) "
            f"need{'' if plural else 's'} a {what}{called}: {make}choose it with "
            f"`junctor scenarios bind {shlex.quote(scenario)} --map {self.key}={value}`."
        )


def needs_of(imported: Imported, module: FindModule, connector: FindConnector) -> list[Need]:
    """What the modules on offer here are bound to, in order; others can't run anyway."""
    asked: dict[tuple[int, str], Requirement] = {}
    for requirement in requirements(imported.scenario, imported.document):
        for number in requirement.modules:
            asked[number, requirement.parameter] = requirement
    out: list[Need] = []
    for placed in imported.scenario.modules():
        found = module(placed.module)
        if found is None:
            continue
        own = {name: each for (number, name), each in asked.items() if number == placed.id}
        out += _connections(placed, found, connector(found.connector), own)
        if found.hook is not None:
            parameter, known = _first(own, "hook")
            out.append(_need("hook", placed, found, parameter, known, of=found.id, required=False))
        out += _others(placed, found, own)
    return out


def wants_of(needs: Iterable[Need]) -> list[Want]:
    """The needs, those that shared one thing where they came from together."""
    groups: dict[tuple[Any, ...], list[Need]] = {}
    for need in needs:
        empty = need.value is None or need.value == ""
        shared = "" if empty and need.kind == "connection" else repr(need.value)
        alone = need.key if empty and need.kind != "connection" else ""
        side = need.parameter if "." in need.key else ""
        groups.setdefault((need.kind, need.of, need.sorts, side, shared, alone), []).append(need)
    return [
        Want(
            group[0].kind,
            group[0].of,
            next((need.label for need in group if need.label), ""),
            next((need.type for need in group if need.type), ""),
            tuple(group),
        )
        for group in groups.values()
    ]


def trigger_of(scenario: Scenario, module: FindModule) -> tuple[Module, ModuleDef] | None:
    """The scenario's instant trigger, if its first module is one that has a hook."""
    if not scenario.flow:
        return None
    placed = scenario.flow[0]
    found = module(placed.module)
    return (placed, found) if found is not None and found.hook is not None else None


def keys_of(need: Need) -> tuple[str, ...]:
    """What a mapping may call it, the most particular first."""
    keys = [f"{need.kind}:{need.key}", need.key]
    if need.label:
        keys += [f"{need.type}:{need.label}", f"{need.kind}:{need.label}", need.label]
    keys += [f"{need.module}.{need.parameter}", str(need.module), need.name]
    keys += [need.type, need.kind, need.of, need.name.partition(":")[0]]
    return tuple(dict.fromkeys(key for key in keys if key))


def _connections(
    placed: Module, found: ModuleDef, connector: Connector | None, own: Mapping[str, Requirement]
) -> list[Need]:
    if connector is None or not connector.connections:
        return []
    hook = found.hook
    by_hand = hook is not None and (hook.register is None or isinstance(hook.register, Takeover))
    shared = connector.app_hook if hook is not None and hook.register is None else None
    if hook is not None and hook.register is None and hook.backfill is None and shared is None:
        return []  # nothing is asked of the vendor: whoever knows the address may send
    # Without an account it is set up by hand, and what it missed can't be asked for; nor is it
    # known what is its own of all that comes to an app's address.
    asks = getattr(found, "needs_connection", None)
    if asks is None:
        parameter, known = _first(own, "connection", "keychain")
        of = found.connector
        need = _need("connection", placed, found, parameter, known, of=of, required=not by_hand)
        return [replace(need, prefers=shared.kind) if shared is not None else need]
    mapper = placed.mapper if isinstance(placed.mapper, Mapping) else {}
    sorts: Mapping[str, tuple[str, ...]] = getattr(found, "connection_kinds", {})
    return [
        _need(
            "connection",
            placed,
            found,
            parameter,
            own.get(parameter),
            of=found.connector,
            side=index > 0 or parameter.startswith(_SIDE),
            sorts=sorts.get(parameter, ()),
        )
        for index, parameter in enumerate(asks(placed.parameters, mapper))
    ]


def _others(placed: Module, found: ModuleDef, own: Mapping[str, Requirement]) -> list[Need]:
    out = [
        _need(kind, placed, found, parameter, known, of=kind, required=kind != "structure")
        for parameter, known in own.items()
        if (kind := _FORMS.get(known.kind)) is not None
    ]
    if found.connector == "datastore" and not any(need.kind == "store" for need in out):
        out.append(_need("store", placed, found, "datastore", None, of="store"))
    return out


def _need(
    kind: Kind,
    placed: Module,
    found: ModuleDef,
    parameter: str,
    known: Requirement | None,
    *,
    of: str,
    required: bool = True,
    side: bool = False,
    sorts: tuple[str, ...] = (),
) -> Need:
    return Need(
        kind=kind,
        key=f"{placed.id}.{parameter}" if side else str(placed.id),
        module=placed.id,
        name=found.id,
        of=of,
        path=placed.path,
        required=required,
        parameter=parameter,
        type=known.type if known is not None else "",
        value=known.value if known is not None else None,
        label=_label(placed, known),
        sorts=sorts,
    )


def _label(placed: Module, known: Requirement | None) -> str:
    """What its owner called it; not the name that a report makes up where there is none."""
    if known is None or known.label == f"{placed.module.partition(':')[0]} {known.kind}":
        return ""
    return known.label


def _first(own: Mapping[str, Requirement], *kinds: str) -> tuple[str, Requirement | None]:
    for parameter, known in own.items():
        if known.kind in kinds:
            return parameter, known
    return "", None
