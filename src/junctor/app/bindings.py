"""What a blueprint's modules are bound to here: connections by module id, and the trigger's hook.

Pure: a scenario and what exists go in, choices come out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from junctor.errors import Misconfigured, NotFound
from junctor.language.connector import Connector, ModuleDef
from junctor.language.scenario import Module, Scenario

__all__ = ["Available", "Need", "choose_connections", "needs_of", "trigger_of"]

FindModule = Callable[[str], ModuleDef | None]
FindConnector = Callable[[str], Connector | None]


@dataclass(frozen=True, slots=True)
class Available:
    """A connection that exists."""

    id: UUID
    name: str
    connector: str
    refused: bool = False
    """Whether its last test failed."""


@dataclass(frozen=True, slots=True)
class Need:
    """A placed module that works through a connection."""

    module: int
    """Its id in the blueprint."""
    name: str
    """``connector:name``."""
    connector: str
    path: str


def needs_of(scenario: Scenario, module: FindModule, connector: FindConnector) -> list[Need]:
    """The modules that need a connection, in order."""
    out = []
    for placed in scenario.modules():
        found = module(placed.module)
        if found is None or (found.hook is not None and found.hook.register is None):
            continue  # nothing is asked of the vendor: whoever knows the address may send
        of = connector(found.connector)
        if of is not None and of.connections:
            out.append(Need(placed.id, found.id, found.connector, placed.path))
    return out


def trigger_of(scenario: Scenario, module: FindModule) -> tuple[Module, ModuleDef] | None:
    """The scenario's instant trigger, if its first module is one that has a hook."""
    if not scenario.flow:
        return None
    placed = scenario.flow[0]
    found = module(placed.module)
    return (placed, found) if found is not None and found.hook is not None else None


def choose_connections(
    needs: Sequence[Need],
    available: Sequence[Available],
    *,
    chosen: Mapping[str, str] | None = None,
    before: Mapping[str, Any] | None = None,
) -> tuple[dict[str, str], list[str]]:
    """``{module id: connection id}``, and a line for each module left without.

    ``chosen`` names connections by module id, module name or connector; ``before`` are bindings of
    the version before, kept where they still fit. Otherwise a connector's only connection is
    taken, and of several the first by name whose last test did not fail. `NotFound` on a chosen
    connection that does not exist or is of another connector; `Misconfigured` on a choice for a
    module that is not there.
    """
    wanted = dict(chosen or {})
    unused = set(wanted)
    out: dict[str, str] = {}
    missing: list[str] = []
    for need in needs:
        fitting = sorted(
            (each for each in available if each.connector == need.connector),
            key=lambda each: (each.refused, each.name),
        )
        keys = [key for key in (str(need.module), need.name, need.connector) if key in wanted]
        unused.difference_update(keys)
        if keys:
            out[str(need.module)] = str(_named(wanted[keys[0]], need, fitting).id)
            continue
        kept = (before or {}).get(str(need.module))
        if kept is not None and any(str(each.id) == kept for each in fitting):
            out[str(need.module)] = kept
        elif fitting:
            out[str(need.module)] = str(fitting[0].id)
        else:
            missing.append(
                f"Module {need.module} ({need.name}) needs a connection of '{need.connector}': "
                f"add one with `junctor connections add {need.connector}`."
            )
    if unused:
        known = ", ".join(f"{need.module} ({need.name})" for need in needs) or "none"
        first = min(unused)
        raise Misconfigured(
            f"No module '{first}' here needs a connection. Those that do: {known}.", path=first
        )
    return out, missing


def _named(name: str, need: Need, fitting: Sequence[Available]) -> Available:
    for each in fitting:
        if name in {each.name, str(each.id)}:
            return each
    names = ", ".join(f"'{each.name}'" for each in fitting) or "none"
    raise NotFound(
        f"There is no '{need.connector}' connection called '{name}' for module {need.module}. "
        f"There are: {names}.",
        path=need.path,
    )
