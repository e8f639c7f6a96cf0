"""A run's cycles: the trigger's bundles, all that comes of them, then commit or rollback.

A run of a delivery has one cycle. A trigger that polls is asked again until it has nothing new or
the scenario's number of cycles is reached; without a trigger there are always so many.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Literal

from junctor.engine.bundles import emit
from junctor.engine.commands import Address, Command, Result, Settle
from junctor.engine.effects import call
from junctor.engine.forks import resume
from junctor.engine.handlers import handle
from junctor.engine.nodes import Halt, Step
from junctor.engine.recording import MISSING
from junctor.errors import Uncertain
from junctor.language.connector import Bundle
from junctor.language.retry import again_after

if TYPE_CHECKING:
    from junctor.engine.run import Run

__all__ = ["execute"]


def execute(run: Run, bundles: list[Bundle] | None) -> Generator[Command, Any, Result]:
    """All cycles; how the run ended. Variables of scope *roundtrip* end with their cycle."""
    halt: Halt | None = None
    start = run.context.header.get("fork")
    for number in range(run.context.cycles):
        run.cycle = number
        run.variables = {
            name: held for name, held in run.variables.items() if held[1] == "execution"
        }
        more = False
        try:
            if start is not None:
                yield from resume(run, start)
            else:
                more = yield from _cycle(run, bundles)
        except Halt as stopped:
            halt = stopped
        if run.plan.transactional:
            halt = yield from _settle(run, halt)
        if halt is not None or not more:
            break
    return _end(run, halt)


def _cycle(run: Run, bundles: list[Bundle] | None) -> Generator[Command, Any, bool]:
    """One cycle; whether there may be another."""
    head = run.plan.head
    if head is None:
        return False
    env: list[Any] = [None] * run.plan.slots
    env[0] = run.context.scope
    if head.step is not Step.TRIGGER:
        yield from run.branch(head, env, (0,))
        return True
    run.operations += 1
    given: Any
    if bundles is None and head.polls:
        try:
            given, _ = yield from call(run, head, env, (), None)
        except Halt as halt:
            # Nothing was begun that could be resumed: the next run asks again.
            halt.status = halt.status or "failed"
            if head.handler is None:
                raise
            instead = yield from handle(run, head, env, (), halt)
            if instead is not None:
                yield from emit(run, head, [[instead]], env, ())
            return False
    else:
        given = run.recorded(head, ())
        if given is MISSING:
            given = bundles if bundles is not None else run.evaluated(head, env, ())
            given = [given] if isinstance(given, dict) else list(given)
            run.journal.operation(run.cycle, head.id, (), 0, given)
    yield from emit(run, head, [given], env, ())
    return bool(given) and bundles is None and head.polls


def _settle(run: Run, halt: Halt | None) -> Generator[Command, Any, Halt | None]:
    """Commits the cycle, or takes it back; what stops the run now."""
    if run.began(run.cycle + 1):
        return halt  # it was settled; what is staged now is a later cycle's
    records: Literal["commit", "rollback", "hold"] = "commit"
    if halt is not None and halt.status != "finished":
        records = "rollback" if halt.status == "failed" else "hold"
    # The items of a stopped run are that run's: asked for again, they would be done twice.
    error = yield Settle(run.cycle, records, trigger=records != "rollback")
    if error is None or halt is not None:
        return halt
    return Halt(error, Address(run.cycle, 0, ()))


def _end(run: Run, halt: Halt | None) -> Result:
    result = Result("finished", run.operations, run.bytes, dropped=run.dropped, name=run.name)
    result.unrecorded, result.warnings = run.journal.skipped, run.warnings
    if halt is not None:
        unknown = isinstance(halt.error, Uncertain)
        result.status = halt.status or ("uncertain" if unknown else "incomplete")
        if result.status != "finished":
            result.error, result.failed = halt.error, halt.address
    run.context.end(run.cycle, result)
    if result.status == "incomplete":
        result.again = again_after(run.context.header.get("again"), run.ends, result.error)
    return result
