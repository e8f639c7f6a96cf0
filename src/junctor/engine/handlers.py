"""What a scenario says to do when a module fails: the ``onerror`` flow and its directive.

``Ignore`` drops the bundle; ``Resume`` goes on with a substitute output; ``Break`` leaves the run
incomplete; ``Commit`` ends it as finished, ``Rollback`` as failed. A flow without a directive
ignores. An unknown outcome is never handled: nobody may decide about it but a person or a probe.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from junctor.engine.commands import Command
from junctor.engine.nodes import Halt, Node, Path, Step
from junctor.errors import DataError, Uncertain

if TYPE_CHECKING:
    from junctor.engine.run import Run

__all__ = ["handle"]


def handle(
    run: Run, node: Node, env: list[Any], path: Path, halt: Halt
) -> Generator[Command, Any, Any]:
    """The output to go on with, or ``None`` if the bundle is dropped.

    Raises the `Halt` again if nothing handles it: no handler, its filter not passed, or ``Break``.
    """
    head = node.handler
    if head is None or isinstance(halt.error, Uncertain):
        raise halt
    env[node.slot] = {"error": {"message": halt.error.message, "type": halt.error.make_type}}
    if not run.enters(head, env, path):
        raise halt
    outside, run.directive = run.directive, None
    yield from run.branch(head, env, path, passed=True)
    directive, run.directive = run.directive, outside
    env[node.slot] = None
    name, arguments = directive or ("ignore", None)
    if name == "break":
        raise halt
    if not halt.handled:
        # So that a resumed run neither tries this again nor takes it for what stopped the run.
        number = halt.address.attempt + (node.step is Step.CALL)
        run.journal.operation(run.cycle, node.id, path, number, None)
    if name == "ignore":
        return None
    if name == "resume":
        if not isinstance(arguments, dict):
            raise run.failure(halt.address, DataError(reason="Resume has no substitute output"))
        return arguments
    raise Halt(halt.error, halt.address, status="finished" if name == "commit" else "failed")
