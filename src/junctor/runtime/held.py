"""The bundles that an operation could see: what each module before it gave on its way. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from junctor.engine.bundles import found
from junctor.engine.commands import Address
from junctor.engine.journal import CHUNK, Tag
from junctor.engine.nodes import Node, Path, Step
from junctor.engine.plan import Plan, downstream
from junctor.language.connector import Bundle
from junctor.runtime.repeats import Past

__all__ = ["Held", "counts", "held"]


@dataclass(frozen=True, slots=True)
class Held:
    """One module's bundle, and where it belongs, as an edit says it."""

    cycle: int
    module: int
    path: Path
    bundle: Bundle
    edited: bool = False
    """Whether a person has changed it."""


def held(plan: Plan, past: Past, records: Iterable[list[Any]], at: Address) -> dict[int, Held]:
    """What was recorded on the way to an operation, by module, changes by people included."""
    seen: dict[int, Held] = {}
    if past.fork is not None:
        cycle, path = past.fork["cycle"], tuple(past.fork["path"])
        # One that an earlier release set aside also holds what the modules after it gave last, for
        # the bundle before this one.
        later = downstream(plan, past.fork["module"]) if past.fork["module"] in plan.nodes else ()
        for module, bundle in past.fork["env"].items():
            if int(module) not in later:
                seen[int(module)] = Held(cycle, int(module), path, bundle)
    for record in records:
        if record[0] not in {Tag.OPERATION, Tag.DONE} or record[1] != at.cycle:
            continue
        module, path = record[2], tuple(record[3])
        node = plan.nodes.get(module)
        if node is None or module == at.module or path != at.path[: len(path)]:
            continue
        one = _bundle(node, record, at.path[len(path) :])
        if one is not None:
            index, bundle = one
            place = path if index is None else (*path, index)
            seen[module] = Held(at.cycle, module, place, bundle)
    for name, value in past.values.items():
        if name.startswith("edit "):
            cycle, module, path, bundle = value[0], value[1], tuple(value[2]), value[3]
            if cycle == at.cycle and path == at.path[: len(path)]:
                seen[module] = Held(cycle, module, path, bundle, edited=True)
    return seen


def counts(plan: Plan, records: Iterable[list[Any]], at: Address) -> dict[int, int]:
    """How many bundles the modules gave that give several by themselves, on the way to ``at``."""
    made: dict[int, int] = {}
    for record in records:
        if record[0] != Tag.OPERATION or record[1] != at.cycle or not isinstance(record[5], list):
            continue
        module, path = record[2], tuple(record[3])
        if module in plan.nodes and len(path) < len(at.path) and path == at.path[: len(path)]:
            made[module] = made.get(module, 0) + len(record[5])
    return made


def _bundle(node: Node, record: list[Any], rest: Path) -> tuple[int | None, Bundle] | None:
    """The one that goes on to where ``rest`` leads, and its number among several."""
    output = record[5]
    if record[0] == Tag.DONE and node.step is not Step.TRIGGER:
        if node.definition is not None and node.definition.kind == "search":
            output = found(node, record[8], output)
        elif len(output) < 2:
            return None, output[0] if output else {}
    if isinstance(output, dict):
        field = node.definition.items if node.definition is not None else None
        if node.step is Step.SET and field:
            return None, {field: next(iter(output.values()), None)}
        return None, output
    if not isinstance(output, list) or not rest:
        return None
    first = record[4] * CHUNK if record[0] == Tag.OPERATION else 0
    number = rest[0] - first
    return (rest[0], output[number]) if 0 <= number < len(output) else None
