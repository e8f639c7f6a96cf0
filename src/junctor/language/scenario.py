"""A scenario as data: what a blueprint says, typed, and nothing more.

Made by `language.blueprint.load`; compiled by `engine.plan`. Mappings are kept as typed (templates
are texts); ids are the blueprint's own numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "Branch",
    "Condition",
    "Filter",
    "Module",
    "Problem",
    "Route",
    "Scenario",
    "Settings",
    "walk",
]

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about a blueprint: where (JSON path), how bad, and what to do about it."""

    path: str
    severity: Severity
    message: str


@dataclass(frozen=True, slots=True)
class Condition:
    """``a`` operator ``b``; both are templates (``b`` may be any JSON value, or absent)."""

    operator: str
    a: Any
    b: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Any of these groups, all of a group's conditions. No groups: always passes."""

    name: str = ""
    groups: tuple[tuple[Condition, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One way out of a router."""

    flow: tuple[Module, ...]
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One branch of an if-else: its conditions (``None``: the else branch) and its modules."""

    label: str
    filter: Filter | None
    flow: tuple[Module, ...]
    merge: bool = False
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One placed module."""

    id: int
    module: str
    """``connector:name``"""
    path: str
    """Where it stands in the blueprint, e.g. ``flow[2].routes[0].flow[1]``."""
    version: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    mapper: Any = None
    filter: Filter | None = None
    routes: tuple[Route, ...] = ()
    fallback: int | None = None
    """Index of a router's fallback route."""
    branches: tuple[Branch, ...] = ()
    outputs: tuple[Mapping[str, Any], ...] = ()
    """A merge's outputs: name and one mapping per branch."""
    onerror: tuple[Module, ...] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    """The user's own name for it, if given."""
    expect: tuple[Mapping[str, Any], ...] = ()
    """Form spec of the mapper as exported (types for coercion)."""
    interface: tuple[Mapping[str, Any], ...] = ()
    """Output spec as exported."""
    lanes: int = 1
    """How many of an iterator's bundles may wait at once (ours; 1 on import)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``metadata.scenario`` with Make's defaults."""

    roundtrips: int = 1
    max_errors: int = 3
    auto_commit: bool = True
    auto_commit_trigger_last: bool = True
    sequential: bool = False
    confidential: bool = False
    dataloss: bool = False
    dlq: bool = False
    order_key: str | None = None
    """A template over the trigger's bundle (module 1): sequential per key (ours)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The whole graph."""

    name: str
    flow: tuple[Module, ...]
    settings: Settings = Settings()
    scheduling: Mapping[str, Any] | None = None
    inputs: tuple[Mapping[str, Any], ...] = ()
    outputs: tuple[Mapping[str, Any], ...] = ()

    def modules(self) -> Iterator[Module]:
        """Every module, depth first, handlers included."""
        return walk(self.flow)


def walk(flow: tuple[Module, ...]) -> Iterator[Module]:
    """Every module of a flow, depth first: routes, branches, then handlers."""
    for module in flow:
        yield module
        for route in module.routes:
            yield from walk(route.flow)
        for branch in module.branches:
            yield from walk(branch.flow)
        yield from walk(module.onerror)
