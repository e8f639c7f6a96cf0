"""A run: a generator that yields what it wants done and is sent what came of it.

Bundles go depth first: each all the way, through every route in order, before the next. The chain
of modules is a loop; only a module that gives several bundles, and a route, is a generator of its
own. There is no clock, no randomness and no I/O here, so that the same journal always leads to the
same run: resuming is replaying, with recorded outcomes taken instead of evaluated or asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from datetime import datetime, tzinfo
from typing import Any

from junctor.engine.bundles import FLUSH, Groups, Several, chunks, emit, found
from junctor.engine.commands import Address, Command, Result
from junctor.engine.context import Context
from junctor.engine.cycle import execute
from junctor.engine.effects import await_answer, call, respond, wait
from junctor.engine.handlers import handle
from junctor.engine.journal import BREATH, Journal
from junctor.engine.lanes import Ahead
from junctor.engine.nodes import Halt, Node, Path, Step
from junctor.engine.plan import Plan
from junctor.engine.recording import MISSING, Recorded, Recording
from junctor.engine.routes import choose, route
from junctor.errors import Fault, JunctorError
from junctor.language.connector import Bundle

__all__ = ["Run"]

# An enum's member by its class is a slow look-up, and these are asked for every bundle.
_PURE, _CALL, _AGGREGATE = Step.PURE, Step.CALL, Step.AGGREGATE
_ROUTER, _CHOICE, _SET = Step.ROUTER, Step.CHOICE, Step.SET


class Run:
    """One run of a plan.

    ``clock`` gives aware instants and ``seed`` is random; both are asked at most once, as the first
    ``now`` and the seed are values of the run. ``variables`` is what ``var.…`` reads; ``cycles``:
    how many at most. With a ``recording`` the run continues it: what is recorded there is not
    recorded again. ``edits``: bundles that a person has changed since, by cycle, module and path.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        run_id: str,
        journal: Journal,
        clock: Callable[[], datetime],
        seed: bytes,
        variables: Mapping[str, Any],
        zone: tzinfo,
        locale: str,
        country: str = "",
        cycles: int = 1,
        recording: Recording | None = None,
        edits: Mapping[tuple[int, int, Path], Bundle] | None = None,
    ) -> None:
        self.plan = plan
        self.journal = journal
        self.context = Context(
            plan, journal, recording, run_id=run_id, clock=clock, seed=seed,
            variables=variables, zone=zone, locale=locale, country=country, cycles=cycles,
            operations=lambda: self.operations,
        )  # fmt: skip
        self.cycle = 0
        self.name = ""
        self.operations = 0
        self.bytes = 0
        self.dropped: dict[int, int] = {}
        self.answered: set[str] = set()
        """Kinds of answers given: to the hook's caller, to the run that called."""
        self.groups: dict[int, Groups] = {}
        """What open aggregators have collected, by module id."""
        self.sources: list[tuple[Node, Path]] = []
        """The modules whose bundles are being collected, outermost first, and where they stand."""
        self.edits = edits or {}
        self.warnings = 0
        """Bundles that were set aside."""
        self.later: dict[int, frozenset[int]] = {}
        """By module at which bundles were set aside: all that may run after it."""
        self.variables: dict[str, tuple[Any, str]] = {}
        """What modules have set: value and scope."""
        self.recording = recording
        self.directive: tuple[str, Any] | None = None
        """What the handler that runs has said to do."""
        self._live = recording is None

    def execute(self, bundles: list[Bundle] | None) -> Generator[Command, Any, Result]:
        """The run, with the trigger's bundles (those of the recording, if it has them); ``None``:
        the trigger gives them. Raises `Conflict` if the recording is of another plan (in the
        constructor).
        """
        return execute(self, bundles)

    def branch(
        self,
        node: Node | None,
        env: list[Any],
        path: Path,
        *,
        passed: bool = False,
        ahead: Ahead | None = None,
    ) -> Generator[Command, Any, None]:
        """Takes the current bundle from a module to the end of its way.

        ``passed``: the first module's filter has been asked. ``ahead``: what lanes did for it.
        """
        journal = self.journal
        fast = self._live and journal.full
        edits = self.edits
        breathe = False
        while node is not None:
            try:
                if node.filter is not None and not passed:
                    random = node.random  # rarely: then it must be said where numbers are drawn
                    if not (self.passes(node, env, path) if random else node.filter(env)):
                        self.drop(node)
                        return
                if ahead is not None and ahead.error is not None:
                    self.operations += 1
                    raise ahead.error
                step = node.step
                output: Any
                breathe = False
                if step is _PURE:
                    self.operations += 1
                    if fast and ahead is None and not node.random:
                        # What `pure` comes to for nearly every bundle, without its calls.
                        output = node.evaluate(env)
                        if type(output) is dict:
                            breathe = journal.write((1, self.cycle, node.id, path, 0, output))
                        else:
                            output = Several(whole=output, keep=True)
                    else:
                        output = self.pure(node, env, path) if ahead is None else ahead.output
                    breathe = breathe or not self.operations % BREATH
                elif step is _SET:
                    self.operations += 1
                    output = self._set(node, env, path)
                    breathe = journal.tick()
                elif step is _CALL:
                    self.operations += 1
                    output = yield from self._called(node, env, path, ahead)
                    breathe = journal.tick()
                elif step is _AGGREGATE:
                    if node.random:
                        self.context.draw_from(node.id, path, "mapper")
                    key = None if node.group_by is None else node.group_by(env)
                    self.groups[node.id].add(key, node.arguments(env))
                    return
                elif step is _ROUTER:
                    yield from route(self, node, env, path)
                    return
                elif step is _CHOICE:
                    self.operations += 1
                    yield from choose(self, node, env, path)
                    return
                else:
                    output = yield from self._other(node, env, path)
                    breathe = journal.tick()
                if type(output) is not dict:
                    several = type(output) is Several
                    lists = chunks(self, node, env, path, output) if several else [output]
                    yield from emit(self, node, lists, env, path)
                    return
            except Halt as halt:
                if (node.handler is None and not node.aside) or halt.address.module != node.id:
                    raise
                output = yield from handle(self, node, env, path, halt)
            except Exception as error:
                failed = self.failure(Address(self.cycle, node.id, path), error)
                if node.handler is None and not node.aside:
                    raise failed from error
                output = yield from handle(self, node, env, path, failed)
            if output is None:
                return
            passed, ahead = False, None
            if edits:
                output = edits.get((self.cycle, node.id, path), output)
            env[node.slot] = output
            if node.collectors:
                yield from emit(self, node, [[output]], env, path, single=True)
                return
            if breathe:
                yield FLUSH
            node = node.next

    def _other(self, node: Node, env: list[Any], path: Path) -> Generator[Command, Any, Any]:
        """Flow control that is not on the way of most bundles."""
        step = node.step
        if step is Step.PASS:
            return env[node.slot] or {}
        if step is Step.JOIN:
            return self.once(node, path, lambda: self.arguments(node, env, path))
        self.operations += step is not Step.DIRECTIVE
        if step is Step.MERGE:
            return env[node.slot] or {}
        if step is Step.STREAM:
            return Several()
        if step is Step.GET:
            return self.once(node, path, lambda: self._get(node, env, path))
        if step is Step.NAME:
            output = self.once(node, path, lambda: self.evaluated(node, env, path))
            self.name = str(output.get("name") or "")
            return output
        if step is Step.AWAIT:
            return (yield from await_answer(self, node, env, path))
        if step is Step.WAIT:
            yield from wait(self, node, env, path)
        elif step is Step.RESPOND:
            yield from respond(self, node, env, path)
        else:
            assert node.definition is not None
            given = (node.definition.name.lower(), self.evaluated(node, env, path))
            self.directive = self.directive or given
        return {}

    def _get(self, node: Node, env: list[Any], path: Path) -> Bundle:
        absent = (None, "")
        names = self.evaluated(node, env, path)
        found = {name: self.variables.get(name, absent)[0] for name in names}
        return _under(node, found)

    def _set(self, node: Node, env: list[Any], path: Path) -> Bundle:
        keep = self.journal.wants(node.id)
        known = self.recorded(node, path) if keep and not self._live else MISSING
        # The record has the values only; the scope is a setting, the same however often it is read.
        values, scope = self.evaluated(node, env, path)
        if known is not MISSING:
            values = known
        elif keep:
            self.journal.operation(self.cycle, node.id, path, 0, values)
        variables = self.variables
        for name, value in values.items():
            variables[name] = (value, scope)
        return _under(node, values)

    def _called(
        self, node: Node, env: list[Any], path: Path, ahead: Ahead | None
    ) -> Generator[Command, Any, Any]:
        ticket = None if ahead is None else ahead.ticket
        bundles, arguments = yield from call(self, node, env, path, ticket)
        assert node.definition is not None
        if node.definition.kind == "search":
            if not bundles and arguments is MISSING:
                arguments = self.arguments(node, env, path)
            return found(node, arguments, bundles)
        if len(bundles) == 1:
            return bundles[0]
        return bundles or {}

    # What the other parts of a run do with it.

    def rescue(
        self, node: Node, env: list[Any], path: Path, halt: Halt
    ) -> Generator[Command, Any, Any]:
        """What the module's handler makes of its failure: the output to go on with, or ``None``."""
        if node.handler is None and not node.aside:
            raise halt
        return (yield from handle(self, node, env, path, halt))

    def pure(self, node: Node, env: list[Any], path: Path) -> Any:
        """A pure module's bundle or `Several`: taken, or evaluated and recorded."""
        keep = self.journal.wants(node.id)
        if keep and not self._live:
            known = self.recorded(node, path)
            if type(known) is dict:
                return known
            if known is not MISSING:
                return Several(first=known, keep=keep)
        output = self.evaluated(node, env, path)
        if type(output) is not dict:
            return Several(whole=output, keep=keep)
        if keep:
            self.journal.operation(self.cycle, node.id, path, 0, output)
        return output

    def once(self, node: Node, path: Path, evaluate: Callable[[], Any]) -> Any:
        """What flow control gives out: taken, or evaluated and recorded."""
        keep = self.journal.wants(node.id)
        output = self.recorded(node, path) if keep else MISSING
        if output is MISSING:
            output = evaluate()
            if keep:
                self.journal.operation(self.cycle, node.id, path, 0, output)
        return output

    def evaluated(self, node: Node, env: list[Any], path: Path) -> Any:
        """The module's function on its arguments."""
        if node.random:
            self.context.draw_from(node.id, path, "mapper")
        return node.evaluate(env)

    def arguments(self, node: Node, env: list[Any], path: Path) -> Any:
        """The evaluated mapper."""
        if node.random:
            self.context.draw_from(node.id, path, "mapper")
        return node.arguments(env)

    def passes(self, node: Node, env: list[Any], path: Path) -> bool:
        """Whether a module's filter lets the bundle in."""
        if node.filter is None:
            return True
        if node.random:
            self.context.draw_from(node.id, path, "filter")
        return bool(node.filter(env))

    def enters(self, node: Node, env: list[Any], path: Path) -> bool:
        """As `passes`, for an error handler's first module: a failure is that module's."""
        try:
            return self.passes(node, env, path)
        except Exception as error:
            raise self.failure(Address(self.cycle, node.id, path), error) from error

    def drop(self, node: Node) -> None:
        """Counts a bundle that was not let in."""
        self.dropped[node.id] = self.dropped.get(node.id, 0) + 1

    def recorded(self, node: Node, path: Path, number: int = 0) -> Any:
        """A recorded output, or `MISSING`; `Halt` as `standing`."""
        entry = self.standing(Address(self.cycle, node.id, path, number))
        return MISSING if entry is None else entry.output

    def standing(self, address: Address) -> Recorded | None:
        """What is recorded of something that the engine itself does.

        `Halt` if that is a failure, and it was handled or nobody has resumed the run since.
        """
        entry = self.take(address, pure=True)
        if entry is not None and entry.error is not None:
            handled = entry.output is None
            if handled or (entry.output is MISSING and entry.ends == self.ends):
                raise Halt(entry.error, address, handled=handled)
        return entry

    def take(self, address: Address, *, pure: bool = False) -> Recorded | None:
        """What is recorded of an attempt."""
        if self._live or self.recording is None:
            return None
        entry = self.recording.take(address, pure=pure)
        self._live = entry is None and self.recording.spent
        return entry

    def knows(self, address: Address) -> bool:
        """Whether anything is recorded of an attempt."""
        return not self._live and (self.recording is not None and self.recording.knows(address))

    def began(self, cycle: int) -> bool:
        """Whether anything is recorded of a cycle, or of one after it."""
        return self.recording is not None and self.recording.overview().cycle >= cycle

    @property
    def ends(self) -> int:
        """How often the run has ended before."""
        return 0 if self.recording is None else self.recording.ends

    def failure(self, address: Address, error: Exception) -> Halt:
        """Records that an operation failed for good, unless that is recorded and stands."""
        if not isinstance(error, JunctorError):
            error = Fault(reason=f"{type(error).__name__}: {error}")
        handled = False
        if self.plan.nodes[address.module].step is _CALL:  # what deals with it is its next attempt
            following = self.take(address._replace(attempt=address.attempt + 1), pure=True)
            handled = following is not None and following.output is None
        try:
            self.standing(address)
        except Halt as halt:
            halt.handled |= handled
            return halt
        if not handled:
            self.journal.failed(address, error)
        return Halt(error, address, handled=handled)


def _under(node: Node, values: Bundle) -> Bundle:
    """Variables as a module gives them out: by their names, or one under a name of the module's."""
    field = node.definition.items if node.definition is not None else None
    return {field: next(iter(values.values()), None)} if field else values
