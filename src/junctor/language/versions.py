"""Two versions of a scenario compared: what somebody changed, not how its text differs.

Modules are known by their ids, so one that was moved is said to be moved, and what merely stands
elsewhere because something was put before it is not mentioned. Fields are named by paths as typed
in mappings (``mapper.variables[0].value``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from types import MappingProxyType
from typing import Any, Literal

from junctor.language.scenario import Branch, Filter, Module, Route, Scenario

__all__ = ["Change", "Comparison", "ModuleChange", "Placed", "compare", "field_changes"]

Bindings = Mapping[str, Mapping[str, str]]
"""``{"connections": {"3": "…"}, "hooks": {…}}``: by kind, then by module (``3``, ``3.name``)."""

_NONE: Bindings = MappingProxyType({})
_ABSENT: Any = object()
_ELSEWHERE = frozenset({"id", "path", "routes", "branches", "onerror", "interface", "expect"})
"""Fields of a module that are compared some other way, or only describe it to an editor."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field: ``old`` is ``None`` and ``kind`` *added* if it was not there, and so on."""

    path: str
    kind: Literal["added", "removed", "changed"]
    old: Any = None
    new: Any = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A module and where it stands: ``flow``, ``5.routes[1]``, ``5.onerror`` …, and after which."""

    id: int
    module: str
    label: str
    place: str
    after: int | None


@dataclass(frozen=True, slots=True)
class ModuleChange:
    """A module that is in both versions and is not the same."""

    id: int
    module: str
    label: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is different in the new version. All empty: nothing that matters."""

    added: tuple[Placed, ...] = ()
    removed: tuple[Placed, ...] = ()
    moved: tuple[tuple[Placed, Placed], ...] = ()
    """Where it was, where it is."""
    changed: tuple[ModuleChange, ...] = ()
    scenario: tuple[Change, ...] = ()
    """Name, settings, scheduling, inputs and outputs."""
    bindings: tuple[Change, ...] = ()
    """What modules are bound to: ``connections.3`` …"""

    @property
    def same(self) -> bool:
        """Whether nothing is different."""
        return not any(getattr(self, each.name) for each in dataclasses.fields(self))


def compare(
    old: Scenario,
    new: Scenario,
    old_bindings: Bindings = _NONE,
    new_bindings: Bindings = _NONE,
) -> Comparison:
    """What was changed from ``old`` to ``new``."""
    before = {module.id: module for module in old.modules()}
    after = {module.id: module for module in new.modules()}
    was, now = _places(old.flow), _places(new.flow)
    twin = _twins(was, now)
    stayed = _stayed(was, now, twin)
    both = [id_ for id_ in after if id_ in before]
    return Comparison(
        added=tuple(_placed(after[id_], now) for id_ in after if id_ not in before),
        removed=tuple(_placed(before[id_], was) for id_ in before if id_ not in after),
        moved=tuple(
            (_placed(before[id_], was), _placed(after[id_], now))
            for id_ in both
            if id_ not in stayed
        ),
        changed=tuple(
            ModuleChange(id_, after[id_].module, after[id_].label, changes)
            for id_ in both
            if (changes := tuple(_module(before[id_], after[id_], twin)))
        ),
        scenario=tuple(_whole(old, new)),
        bindings=tuple(_bound(old_bindings, new_bindings)),
    )


def field_changes(old: Any, new: Any, path: str = "") -> Iterator[Change]:
    """Every leaf that differs, by its path; ``1`` and ``1.0`` are the same, ``True`` is not."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            name = f"{path}.{key}" if path else str(key)
            yield from field_changes(old.get(key, _ABSENT), new.get(key, _ABSENT), name)
    elif _is_list(old) and _is_list(new):
        for index in range(max(len(old), len(new))):
            first = old[index] if index < len(old) else _ABSENT
            second = new[index] if index < len(new) else _ABSENT
            yield from field_changes(first, second, f"{path}[{index}]")
    elif old is _ABSENT:
        yield Change(path, "added", new=new)
    elif new is _ABSENT:
        yield Change(path, "removed", old=old)
    elif old != new or isinstance(old, bool) is not isinstance(new, bool):
        yield Change(path, "changed", old, new)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


# Where modules stand.

_Places = dict[int, tuple[str, int | None]]
"""By module: the chain it is in, and the module before it."""


def _places(flow: Iterable[Module]) -> _Places:
    found: _Places = {}
    _chain(flow, "flow", found)
    return found


def _chain(flow: Iterable[Module], place: str, found: _Places) -> None:
    last: int | None = None
    for module in flow:
        found[module.id] = (place, last)
        last = module.id
        for index, route in enumerate(module.routes):
            _chain(route.flow, f"{module.id}.routes[{index}]", found)
        for index, branch in enumerate(module.branches):
            _chain(branch.flow, f"{module.id}.branches[{index}]", found)
        _chain(module.onerror, f"{module.id}.onerror", found)


def _placed(module: Module, places: _Places) -> Placed:
    place, after = places[module.id]
    return Placed(module.id, module.module, module.label, place, after)


def _members(places: _Places) -> dict[str, list[int]]:
    chains: dict[str, list[int]] = {}
    for id_, (place, _) in places.items():
        chains.setdefault(place, []).append(id_)
    return chains


def _twins(was: _Places, now: _Places) -> dict[str, str]:
    """Which chain of the new version is which of the old one: of the same router the one with the
    most modules in common, so that a route that was put before others moves none of them.
    """
    old, new = _members(was), _members(now)
    twins: dict[str, str] = {}
    pairs = [
        (-len(set(ids) & set(others)), place != name, name, place)
        for name, others in new.items()
        for place, ids in old.items()
        if name.partition("[")[0] == place.partition("[")[0]
    ]
    for _, _, name, place in sorted(pairs):
        if name not in twins and place not in twins.values():
            twins[name] = place
    return twins


def _stayed(was: _Places, now: _Places, twin: Mapping[str, str]) -> set[int]:
    """The modules that stand where they stood, among those that are in both versions."""
    old, new = _members(was), _members(now)
    stayed: set[int] = set()
    for name, ids in new.items():
        others = old.get(twin.get(name, ""), [])
        left = [id_ for id_ in others if id_ in now]
        right = [id_ for id_ in ids if id_ in was]
        matched = SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
        for block in matched:
            stayed.update(left[block.a : block.a + block.size])
    return stayed


# What is in them.


def _module(old: Module, new: Module, twin: Mapping[str, str]) -> Iterator[Change]:
    for each in dataclasses.fields(Module):
        if each.name not in _ELSEWHERE:
            first, second = getattr(old, each.name), getattr(new, each.name)
            yield from field_changes(_shown(first), _shown(second), each.name)
    yield from _ways(old, new, "routes", twin)
    yield from _ways(old, new, "branches", twin)


def _ways(old: Module, new: Module, kind: str, twin: Mapping[str, str]) -> Iterator[Change]:
    """What is different about a router's routes, or the branches of an if-else, themselves."""
    before: Sequence[Route | Branch] = getattr(old, kind)
    left = set(range(len(before)))
    for index, way in enumerate(getattr(new, kind)):
        name = f"{kind}[{index}]"
        place = f"{new.id}.{name}"  # one without modules has no twin: its place is what it has
        at = index
        if place in twin:
            at = int(twin[place].rpartition("[")[2].rstrip("]"))
        elif place in twin.values():
            at = -1
        if at in left:
            left.discard(at)
            yield from field_changes(_way(before[at]), _way(way), name)
        else:
            yield Change(name, "added", new=_way(way))
    for index in sorted(left):
        yield Change(f"{kind}[{index}]", "removed", old=_way(before[index]))


def _way(way: Route | Branch) -> dict[str, Any]:
    return {
        each.name: _shown(getattr(way, each.name))
        for each in dataclasses.fields(way)
        if each.name != "flow"
    }


def _shown(value: Any) -> Any:
    """As plain data; a filter as its conditions."""
    if isinstance(value, Filter):
        groups = [[dataclasses.asdict(condition) for condition in group] for group in value.groups]
        return {"name": value.name, "groups": groups}
    if isinstance(value, tuple):
        return [_shown(item) for item in value]
    return value


def _whole(old: Scenario, new: Scenario) -> Iterator[Change]:
    yield from field_changes(old.name, new.name, "name")
    first, second = dataclasses.asdict(old.settings), dataclasses.asdict(new.settings)
    yield from field_changes(first, second, "settings")
    for name in ("scheduling", "inputs", "outputs"):
        yield from field_changes(_shown(getattr(old, name)), _shown(getattr(new, name)), name)


def _bound(old: Bindings, new: Bindings) -> Iterator[Change]:
    for kind in sorted({*old, *new}):
        yield from field_changes(old.get(kind, {}), new.get(kind, {}), kind)
