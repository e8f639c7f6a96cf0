"""Which ways a bundle takes."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from junctor.engine.commands import Command
from junctor.engine.nodes import Node, Path, Step

if TYPE_CHECKING:
    from junctor.engine.run import Run

__all__ = ["choose", "leads", "route"]


def route(run: Run, node: Node, env: list[Any], path: Path) -> Generator[Command, Any, None]:
    """A router: every route whose first module's filter passes, in order; the fallback if none."""
    taken = False
    for _, head in node.routes:
        if head is None:
            taken = True  # an empty route without a filter is passed, to no effect
            continue
        try:
            enters = passed = run.passes(head, env, path)
        except Exception:  # asked again in there it fails again, and is that module's failure
            enters, passed = True, False
        if enters:
            taken = True
            yield from run.branch(head, env, path, passed=passed)
            if run.directive is not None:
                return  # an error handler has come to its end
        else:
            run.drop(head)
    if not taken and node.fallback is not None:
        yield from run.branch(node.fallback, env, path)


def leads(run: Run, node: Node, env: list[Any], path: Path) -> bool:
    """Whether an error handler that begins with this module takes a failure, by its filters."""
    if not run.enters(node, env, path):
        return False
    if node.step is not Step.ROUTER or node.fallback is not None:
        return True
    return any(head is None or leads(run, head, env, path) for _, head in node.routes)


def choose(run: Run, node: Node, env: list[Any], path: Path) -> Generator[Command, Any, None]:
    """An if-else: the first branch whose conditions are true, and what its merge leads to."""
    for number, (condition, head) in enumerate(node.routes):
        if condition is not None:
            if node.random:
                run.context.draw_from(node.id, path, f"branch {number}")
            if not condition(env):
                continue
        if head is not None:
            yield from run.branch(head, env, path)
        return
    run.drop(node)
