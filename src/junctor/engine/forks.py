"""A bundle set aside: the rest of its way becomes a run of its own, the others go on.

*Break* asks for it; so does a failure without a handler, where the scenario says that incomplete
runs are stored (``dlq``). The fork knows where its parent stood: the bundle of every module before
it, the variables, and the sources whose aggregators were still collecting. Such an aggregator has
given the parent's bundles without this one; the fork gives it another time, with this one alone.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from junctor.engine.bundles import Groups, collected
from junctor.engine.commands import Aside, Command, Result
from junctor.engine.context import caller_of
from junctor.engine.journal import Journal, error_record
from junctor.engine.nodes import Halt, Node, Path
from junctor.engine.plan import downstream
from junctor.errors import Fault, Reconnect, Stop
from junctor.language.retry import again_after

if TYPE_CHECKING:
    from junctor.engine.run import Run

__all__ = ["fork", "goes_aside", "journal_of", "resume"]


def goes_aside(node: Node, halt: Halt) -> bool:
    """Whether a failure without a handler concerns this bundle alone, where such are set aside.

    What somebody must mend first (a connection, the scenario, us) would fail for every bundle.
    """
    return node.aside and not isinstance(halt.error, Reconnect | Stop | Fault)


def fork(
    run: Run, node: Node, env: list[Any], path: Path, halt: Halt, again: Mapping[str, Any] | None
) -> Aside:
    """What the driver needs to store the rest of a bundle's way.

    ``again``: ``count`` and ``interval`` (seconds) of automatic retries, or ``None``: those that
    every incomplete run has.
    """
    # What modules after it gave was of the bundle before this one: on this way they never were.
    later = run.later.get(node.id)
    if later is None:
        later = run.later[node.id] = downstream(run.plan, node.id)
    start = {
        "module": node.id,
        "cycle": run.cycle,
        "path": list(path),
        "caller": caller_of(run.context.header),
        "env": {
            str(each.id): env[each.slot]
            for each in run.plan.nodes.values()
            if each.id not in later and env[each.slot] is not None
        },
        "open": [[source.id, list(place)] for source, place in run.sources],
        "variables": {name: list(held) for name, held in run.variables.items()},
    }
    header = {**run.context.header, "cycles": 1, "fork": start, "again": again}
    result = Result(
        "incomplete",
        error=halt.error,
        failed=halt.address,
        again=again_after(again, 0, halt.error),
        name=run.name,
    )
    return Aside(header, run.context.known, result)


def journal_of(aside: Aside, run_id: str) -> Journal:
    """The journal that a fork begins with: what it is, its parent's values, how it fell."""
    journal = Journal(aside.header["detail"])
    journal.header({**aside.header, "run": run_id, "origin": aside.header["run"], "root": run_id})
    for name, value in aside.values.items():
        journal.value(name, value)
    error, failed = aside.result.error, aside.result.failed
    assert error is not None
    assert failed is not None
    journal.failed(failed, error)
    journal.end(
        {
            "cycle": failed.cycle,
            "status": "incomplete",
            "operations": 0,
            "bytes": 0,
            "dropped": {},
            "error": error_record(error),
            "failed": [*failed[:2], [*failed.path], failed.attempt],
        }
    )
    return journal


def resume(run: Run, start: Mapping[str, Any]) -> Generator[Command, Any, None]:
    """The rest of the way that was set aside."""
    nodes = run.plan.nodes
    env: list[Any] = [None] * run.plan.slots
    env[0] = run.context.scope
    for module, bundle in start["env"].items():
        env[nodes[int(module)].slot] = bundle
    run.cycle = start["cycle"]
    run.variables = {name: (value, scope) for name, (value, scope) in start["variables"].items()}
    sources = [(nodes[module], tuple(place)) for module, place in start["open"]]
    for source, _ in sources:
        for aggregator in source.collectors:
            run.groups[aggregator.id] = Groups(aggregator, env[0])
    run.sources.extend(sources)
    if run.edits:
        for node in nodes.values():
            env[node.slot] = _edited(run, node, tuple(start["path"]), env[node.slot])
    # Its filter is asked, too: it may be what failed, or another bundle by now.
    yield from run.branch(nodes[start["module"]], env, tuple(start["path"]))
    for source, place in reversed(sources):
        run.sources.pop()
        yield from collected(run, source, env, place)


def _edited(run: Run, node: Node, path: Path, bundle: Any) -> Any:
    """A module's bundle on this way, as a person has changed it."""
    for length in range(len(path) + 1):
        bundle = run.edits.get((run.cycle, node.id, path[:length]), bundle)
    return bundle
