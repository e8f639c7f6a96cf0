"""Which modules' bundles each module can see.

A module sees what ran before it on its own way: the modules left of it, those left of its router
or if-else, and in an error handler the module that failed. After an aggregator, the bundles it
collected (from its source module on) are no longer there; only the aggregate is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from junctor.language.scenario import Module, walk

__all__ = ["Sight", "sights"]


@dataclass(frozen=True, slots=True)
class Sight:
    """What one module sees."""

    module: Module
    visible: frozenset[int]
    """Ids of the modules whose bundles its mapper and filter can use."""
    collected: tuple[tuple[int, int], ...]
    """Pairs of a module before it and the aggregator that keeps that module's bundles from it."""
    branches: tuple[frozenset[int], ...] = ()
    """For a merge: the modules of each branch before it; its outputs can use them."""


def sights(flow: tuple[Module, ...]) -> Iterator[Sight]:
    """Every module with what it sees, in the order of `scenario.walk`."""
    yield from _sights(flow, frozenset(), ())


def _sights(
    flow: tuple[Module, ...], visible: frozenset[int], collected: tuple[tuple[int, int], ...]
) -> Iterator[Sight]:
    branches: tuple[frozenset[int], ...] = ()
    for index, module in enumerate(flow):
        merge = module.module == "builtin:BasicMerge" or bool(module.outputs)
        yield Sight(module, visible, collected, branches if merge else ())
        after = visible | {module.id}
        for route in module.routes:
            yield from _sights(route.flow, after, collected)
        for branch in module.branches:
            yield from _sights(branch.flow, after, collected)
        yield from _sights(module.onerror, after, collected)
        branches = tuple(
            frozenset(inner.id for inner in walk(branch.flow)) for branch in module.branches
        )
        feeder = module.parameters.get("feeder")
        source = next((i for i, m in enumerate(flow[:index]) if m.id == feeder), None)
        if source is not None:
            gone = [inner.id for inner in flow[source:index]]
            collected += tuple((lost, module.id) for lost in gone)
            after -= frozenset(gone)
        visible = after
