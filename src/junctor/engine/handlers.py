"""What a scenario says to do when a module fails: the ``onerror`` flow and its directive.

``Ignore`` drops the bundle; ``Resume`` goes on with a substitute output; ``Break`` sets the bundle
aside as an incomplete run of its own; ``Commit`` ends the run as finished, ``Rollback`` as failed.
A flow without a directive ignores. A router or an if-else in it may lead to several directives: the
first that is reached decides. A trigger that polls has no bundle to set aside: there *Break* ends
the run as *Rollback* does. An unknown outcome is never handled: nobody may decide about it
but a person or a probe.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from junctor.engine.commands import Command
from junctor.engine.forks import fork, goes_aside
from junctor.engine.nodes import Halt, Node, Path, Step
from junctor.engine.routes import leads
from junctor.errors import Uncertain

if TYPE_CHECKING:
    from junctor.engine.run import Run

__all__ = ["handle"]


def handle(
    run: Run, node: Node, env: list[Any], path: Path, halt: Halt
) -> Generator[Command, Any, Any]:
    """The output to go on with, or ``None`` if the bundle is dropped.

    Raises the `Halt` again if nothing handles it: no handler, or its filter not passed.
    """
    head = node.handler
    if isinstance(halt.error, Uncertain):
        raise halt
    if head is None:
        yield from _aside(run, node, env, path, halt, None)
        return None
    env[node.slot] = {"error": {"message": halt.error.message, "type": halt.error.make_type}}
    if not leads(run, head, env, path):
        yield from _aside(run, node, env, path, halt, None)
        return None
    outside, run.directive = run.directive, None
    yield from run.branch(head, env, path, passed=True)
    directive, run.directive = run.directive, outside
    env[node.slot] = None
    name, arguments = directive or ("ignore", None)
    polled = node.step is Step.TRIGGER  # nothing to set aside: the next run asks again
    if name == "break" and not (node.inside or polled):
        yield from _break(run, node, env, path, halt, arguments)
        return None
    _handled(run, node, path, halt)
    if name == "break" and node.inside:  # what its handler is for is set aside, and all of it
        run.directive = run.directive or directive
        return None
    if name == "ignore":
        return None
    if name == "resume":
        return arguments
    raise Halt(halt.error, halt.address, status="finished" if name == "commit" else "failed")


def _handled(run: Run, node: Node, path: Path, halt: Halt) -> None:
    """So that a resumed run neither tries this again nor takes it for what stopped the run."""
    if not halt.handled:
        number = halt.address.attempt + (node.step is Step.CALL or node.polls)
        run.journal.operation(run.cycle, node.id, path, number, None)


def _break(
    run: Run, node: Node, env: list[Any], path: Path, halt: Halt, given: Any
) -> Generator[Command, Any, None]:
    """*Break*: the bundle is set aside, to be tried as often as the directive says."""
    again = {"count": given["count"] if given["retry"] else 0, "interval": given["interval"] * 60}
    yield from _set_aside(run, node, env, path, halt, again)


def _aside(
    run: Run, node: Node, env: list[Any], path: Path, halt: Halt, again: None
) -> Generator[Command, Any, None]:
    """No handler: the bundle is set aside where the scenario says so; else the run stops here."""
    if not (halt.handled or goes_aside(node, halt)):
        raise halt
    yield from _set_aside(run, node, env, path, halt, again)


def _set_aside(
    run: Run,
    node: Node,
    env: list[Any],
    path: Path,
    halt: Halt,
    again: dict[str, int] | None,
) -> Generator[Command, Any, None]:
    if halt.begun and not halt.handled:
        raise halt
    env[node.slot] = None
    start = run.context.header.get("fork")
    if start is not None and (start["module"], tuple(start["path"])) == (node.id, path):
        raise halt  # it is this run that was set aside here, and it stays so
    run.warnings += 1
    if not halt.handled:
        yield fork(run, node, env, path, halt, again)
        _handled(run, node, path, halt)
