"""An operation that touches the world: taken from the recording, or asked of the driver."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from junctor.engine.commands import Address, Await, Call, Command, Outcome, Respond, Wait
from junctor.engine.nodes import Halt, Node, Path
from junctor.engine.recording import MISSING, Recorded
from junctor.errors import Fault, JunctorError, Uncertain
from junctor.language.asks.waits import Await as Awaited
from junctor.language.connector import Answer, Bundle
from junctor.language.forms import bind
from junctor.language.outputs import pack_outputs

if TYPE_CHECKING:
    from junctor.engine.run import Run

__all__ = ["await_answer", "call", "respond", "wait"]


def call(
    run: Run, node: Node, env: list[Any], path: Path, ticket: int | None
) -> Generator[Command, Any, tuple[list[Bundle], Any]]:
    """An effect's bundles, and its arguments if they were evaluated; `Halt` if it failed for good.

    Recorded failures and waits count as attempts made. After an end of the run that is recorded
    (somebody resumed it since), there are as many attempts as at first. ``ticket``: the first
    attempt was begun ahead.
    """
    arguments: Any = MISSING
    address = last = Address(run.cycle, node.id, path)
    error: JunctorError | None = None
    failures = failed_at = 0
    while True:
        entry = run.take(address)
        if entry is not None and entry.output is not MISSING:
            if entry.output is None and error is not None:
                raise Halt(error, last, handled=True)
            run.bytes += entry.bytes
            return entry.output, arguments
        if error is not None:
            if (run.ends if entry is None else entry.ends) > failed_at:
                failures = 0
            elif entry is None or not _begun(entry):
                salt = repr((run.context.header["run"], address))
                seconds = node.retry.delay(failures, error, salt=salt)
                if seconds is None:
                    raise Halt(error, last)
                yield Wait(address, seconds, entry.due if entry is not None else None)
        if entry is not None and _uncertain(run, node, env, path, entry):
            raise Halt(entry.error or Uncertain(), address)
        if entry is not None and entry.error is not None:
            error, failed_at = entry.error, entry.ends
        else:
            if ticket is not None and not address.attempt:
                outcome: Outcome = yield Await(ticket)
            else:
                if arguments is MISSING:
                    try:
                        arguments = run.arguments(node, env, path)
                    except Exception as invalid:
                        raise run.failure(address, invalid) from invalid
                outcome = yield command(node, address, arguments, entry)
            run.bytes += outcome.bytes
            if outcome.error is None:
                return outcome.bundles, arguments
            if isinstance(outcome.error, Uncertain):
                raise Halt(outcome.error, address)
            error, failed_at = outcome.error, run.ends
        failures += "budget" not in error.params  # to wait one's turn is no attempt
        last = address
        address = address._replace(attempt=address.attempt + 1)


def command(node: Node, address: Address, arguments: Any, entry: Recorded | None = None) -> Call:
    """The call that the driver is asked for, with what is recorded of an earlier try of it."""
    assert node.definition is not None
    known = entry or Recorded()
    return Call(
        address,
        node.definition,
        node.parameters,
        arguments,
        known.unanswered,
        known.steps,
        node.timeout,
    )


def _begun(entry: Recorded) -> bool:
    """Whether the attempt itself was made, not only the wait before it."""
    return entry.error is not None or bool(entry.intents) or bool(entry.steps)


def _uncertain(run: Run, node: Node, env: list[Any], path: Path, entry: Recorded) -> bool:
    """Whether it was perhaps done and must not be done twice."""
    if entry.error is not None or entry.unanswered is None:
        return isinstance(entry.error, Uncertain)
    definition = node.definition
    assert definition is not None
    if definition.effect_of is None:
        return definition.effect == "once"
    try:
        given = bind(definition, run.arguments(node, env, path), node.parameters)
        return definition.effect_of(given) == "once"
    except Exception:  # what it would do can't be told any more: so nobody may repeat it
        return True


def wait(run: Run, node: Node, env: list[Any], path: Path) -> Generator[Command, Any, None]:
    """Sleeps, unless it has; always recorded, whatever the detail."""
    address = Address(run.cycle, node.id, path)
    entry = run.standing(address)
    if entry is None or entry.output is MISSING:
        seconds = float(run.evaluated(node, env, path))
        yield Wait(address, seconds, entry.due if entry is not None else None)
        run.journal.operation(*address, {})


def await_answer(
    run: Run, node: Node, env: list[Any], path: Path
) -> Generator[Command, Any, Bundle]:
    """What came of a wait for an event or a person, unless that is recorded."""
    address = Address(run.cycle, node.id, path)
    entry = run.standing(address)
    if entry is not None and entry.output is not MISSING:
        known: Bundle = entry.output
        return known
    awaited = run.evaluated(node, env, path)
    if not isinstance(awaited, Awaited):
        raise Fault(reason=f"{node.module} gave {type(awaited).__name__}, nothing to wait for")
    due = entry.due if entry is not None else None
    outcome: Outcome = yield Wait(address, awaited.seconds, due, awaited)
    if outcome.error is not None:
        raise outcome.error
    run.journal.operation(*address, outcome.bundles[0])
    return outcome.bundles[0]


def respond(run: Run, node: Node, env: list[Any], path: Path) -> Generator[Command, Any, None]:
    """Answers the hook's caller, or the run that called this one. Of each kind of answer the first
    of a run counts; others are only recorded.
    """
    address = Address(run.cycle, node.id, path)
    assert node.definition is not None
    kind = node.definition.kind
    entry = run.standing(address)
    if entry is not None and entry.answer is not None:
        run.answered |= {kind} if entry.answer else set()
        return
    answer = run.evaluated(node, env, path)
    if isinstance(answer, dict):  # for the run that started this one
        status, headers, body = pack_outputs(answer)
        answer = Answer(status=status, headers=headers, body=body)
    if not isinstance(answer, Answer):
        raise Fault(reason=f"{node.module} gave {type(answer).__name__}, not an Answer")
    first = kind not in run.answered
    run.answered.add(kind)
    sent = (answer.status, answer.headers, answer.body)
    run.journal.answered(address, sent, sent=first)
    if first:
        yield Respond(address, *sent)
