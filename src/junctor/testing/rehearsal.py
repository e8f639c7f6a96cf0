"""A rehearsal: a scenario run without database, network or clock, and all that happened in it.

The engine runs as it always does; what it asks for is done by a `World`, at once and in memory.
Waits take no time: they move a clock of the rehearsal's own. What comes out says for every
operation what went in and what came out, for every filter which bundles it let through, and which
way each bundle took. `app.rehearsing` builds worlds in which connectors really make their requests;
`testing.mock` one in which every effect is answered by samples.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Protocol

from junctor.engine.commands import (
    Address,
    Aside,
    Await,
    Call,
    Command,
    Flush,
    Outcome,
    Respond,
    Result,
    Settle,
    Start,
    Wait,
)
from junctor.engine.journal import Journal, Tag
from junctor.engine.nodes import Node, Path, Step
from junctor.engine.plan import Plan, compile_plan
from junctor.engine.run import Run
from junctor.errors import JunctorError, TooLarge, Unsupported
from junctor.language import forms
from junctor.language.asks.waits import Await as Awaiting
from junctor.language.connector import Answer, Bundle, ModuleDef
from junctor.language.scenario import Module, Scenario
from junctor.testing.rehearsed import Event, Operation, Passage, Rehearsed, Visit, Way

__all__ = [
    "NOW",
    "Operation",
    "Passage",
    "Rehearsed",
    "Setting",
    "Way",
    "World",
    "rehearse",
    "rewritten",
]

NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
"""When a rehearsal begins, unless it is told."""
MOST_OPERATIONS = 100_000
"""A rehearsal with more operations is stopped: it is kept in memory."""


class World(Protocol):
    """What answers the effects of a rehearsal."""

    def answer(self, call: Call) -> Outcome:
        """How this operation ends. Raises to stop the rehearsal itself."""

    def settle(self, settled: Settle) -> JunctorError | None:
        """Applies or forgets what a cycle wrote; the error that kept it from being applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a run may look at besides its bundles."""

    now: datetime = NOW
    zone: tzinfo = UTC
    locale: str = "en"
    country: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    seed: bytes = b"rehearsal"
    run_id: str = "run_rehearsal"
    cycles: int = 1
    """How often, at most, a trigger that polls is asked."""
    most: int = MOST_OPERATIONS


def rehearse(
    scenario: Scenario,
    define: Callable[[Module], ModuleDef | None],
    world: World,
    bundles: list[Bundle] | None,
    setting: Setting | None = None,
) -> Rehearsed:
    """Runs a scenario once with the trigger's bundles; ``define`` says what each placed module is.

    Without bundles the trigger is asked for them.

    Raises what compiling raises (`Unsupported`, `Misconfigured`, `ExpressionError`), `TooLarge` if
    the run does not end, and whatever the world raises.
    """
    stage = _Stage(scenario, define, world, setting or Setting())
    return stage.play(bundles)


def rewritten(
    flow: tuple[Module, ...], change: Callable[[Module], Module | None]
) -> tuple[Module, ...]:
    """The flow with every module changed, inner ones first; ``None`` leaves a module out."""
    made = []
    for module in flow:
        inside = replace(
            module,
            routes=tuple(
                replace(route, flow=rewritten(route.flow, change)) for route in module.routes
            ),
            branches=tuple(
                replace(branch, flow=rewritten(branch.flow, change)) for branch in module.branches
            ),
            onerror=rewritten(module.onerror, change),
        )
        changed = change(inside)
        if changed is not None:
            made.append(changed)
    return tuple(made)


class _Tape(Journal):
    """A journal that tells what is written into it, and keeps nothing."""

    def __init__(self, listen: Callable[[tuple[Any, ...]], None]) -> None:
        super().__init__("full")
        self._listen = listen

    def write(self, record: tuple[Any, ...]) -> bool:
        full = super().write(record)  # also refuses what could not be recorded for real
        self._listen(record)
        return full


class _TracedRun(Run):
    """A run that knows which bundle it is dealing with."""

    at: Path = ()

    def branch(
        self, node: Node | None, env: list[Any], path: Path, **rest: Any
    ) -> Generator[Command, Any, None]:
        outside, self.at = self.at, path
        try:
            yield from super().branch(node, env, path, **rest)
        finally:
            self.at = outside

    def passes(self, node: Node, env: list[Any], path: Path) -> bool:
        outside, self.at = self.at, path
        try:
            return super().passes(node, env, path)
        finally:
            self.at = outside


class _Ways(list[Any]):
    """A router's routes, which tell when they are looked at."""

    def __init__(self, routes: list[Any], tell: Callable[[], None]) -> None:
        super().__init__(routes)
        self._tell = tell

    def __iter__(self) -> Iterator[Any]:
        self._tell()
        return super().__iter__()


class _Stage:
    """One rehearsal while it goes on."""

    def __init__(
        self,
        scenario: Scenario,
        define: Callable[[Module], ModuleDef | None],
        world: World,
        setting: Setting,
    ) -> None:
        self.scenario, self.world, self.setting = scenario, world, setting
        self.now = setting.now
        self.events: list[Event] = []
        self.waits: list[tuple[int, float]] = []
        self.asides: list[Result] = []
        self.answer: Answer | None = None
        self.inputs: dict[Any, Any] = {}
        self.begun: dict[int, Call] = {}
        self.decided: set[tuple[int, int, Path]] = set()
        self.placed = {module.id: module for module in scenario.modules()}
        self.tape = _Tape(self._heard)
        self.plan = self._compiled(define)
        self.run = _TracedRun(
            self.plan,
            run_id=setting.run_id,
            journal=self.tape,
            clock=lambda: self.now,
            seed=setting.seed,
            variables=setting.variables,
            zone=setting.zone,
            locale=setting.locale,
            country=setting.country,
            cycles=setting.cycles,
        )

    def play(self, bundles: list[Bundle] | None) -> Rehearsed:
        steps = self.run.execute(bundles)
        value: Any = None
        try:
            while True:
                value = self._done(steps.send(value))
        except StopIteration as stop:
            result: Result = stop.value
        return Rehearsed(
            result=result,
            scenario=self.scenario,
            events=self.events,
            answer=self.answer,
            waits=self.waits,
            asides=self.asides,
            ended=self.now,
        )

    def _done(self, command: Command) -> Any:
        """Does what the run asks for; the one place that knows its commands."""
        if self.run.operations > self.setting.most:
            raise TooLarge(
                f"The run has made more than {self.setting.most} operations and goes on; "
                "give it fewer bundles."
            )
        match command:
            case Call():
                return self._call(command)
            case Start(call):
                ticket = len(self.begun) + 1
                self.begun[ticket] = call
                return ticket
            case Await(ticket):
                return self._call(self.begun[ticket])
            case Wait(address, _, _, awaited) if awaited is not None:
                return self._awaited(address, awaited)
            case Wait(address, seconds, due):
                self.waits.append((address.module, seconds))
                self.now += timedelta(seconds=seconds)
                if due is None:
                    self.tape.wait(address, self.now.timestamp())
            case Respond(_, status, headers, body):
                self.answer = Answer(status=status, headers=headers, body=body)
            case Flush():
                self.tape.take()
            case Settle():
                return self.world.settle(command)
            case Aside(_, _, result):
                self.asides.append(result)
        return None

    def _awaited(self, address: Address, awaited: Awaiting) -> Outcome:
        """What the world answers; if that is nothing, the time is over. Its ``waited`` passes."""
        node = self.plan.nodes[address.module]
        assert node.definition is not None
        given = self.inputs.get(address.module)
        outcome = self.world.answer(Call(address, node.definition, node.parameters, given))
        if outcome.error is not None:
            return outcome
        said = outcome.bundles[0] if outcome.bundles else None
        output = awaited.outcome(
            None if said is None else {}, awaited.seconds if said is None else 0
        )
        output |= said or {}
        waited = float(output.get("waited") or 0)
        self.waits.append((address.module, waited))
        self.now += timedelta(seconds=waited)
        return Outcome(bundles=[output])

    def _call(self, call: Call) -> Outcome:
        self.inputs[call.address] = call.arguments
        outcome = self.world.answer(call)
        if outcome.error is not None:
            self.tape.failed(call.address, outcome.error)
        else:
            self.tape.done(call.address, outcome.bundles, outcome.bytes, 0, call.arguments)
        return outcome

    # What was written into the journal becomes operations.

    def _heard(self, record: tuple[Any, ...]) -> None:
        tag = record[0]
        if tag not in (Tag.OPERATION, Tag.DONE, Tag.FAILED, Tag.ANSWER):
            return
        module, path, number = record[2], tuple(record[3]), record[4]
        if tag == Tag.FAILED:
            self._add(module, path, number, [], record[5])
        elif tag == Tag.ANSWER:
            self._add(module, path, number, [])
        elif isinstance(record[5], dict):
            self._add(module, path, number, [record[5]])
        elif isinstance(record[5], list):
            if tag == Tag.OPERATION and number and self._continued(module, path, record[5]):
                return
            self._add(module, path, number, list(record[5]))

    def _continued(self, module: int, path: Path, bundles: list[Bundle]) -> bool:
        """Adds a further list of a stream to the operation that gives it."""
        for event in reversed(self.events):
            if event.module == module and isinstance(event, Operation):
                if event.path != path:
                    return False
                event.bundles.extend(bundles)
                return True
        return False

    def _add(
        self,
        module: int,
        path: Path,
        attempt: int,
        bundles: list[Bundle],
        error: dict[str, Any] | None = None,
    ) -> None:
        address = Address(self.run.cycle, module, path, attempt)
        given = self.inputs.pop(address, None)
        if given is None:
            given = self.inputs.pop(module, None)
        self.events.append(
            Operation(
                module=module,
                name=self._name(module),
                path=path,
                attempt=attempt,
                input=given,
                bundles=bundles,
                error=error,
            )
        )

    def _name(self, module: int) -> str:
        placed = self.placed.get(module)
        return placed.module if placed is not None else ""

    # The plan, made to tell what goes on in it.

    def _compiled(self, define: Callable[[Module], ModuleDef | None]) -> Plan:
        made: dict[str, ModuleDef] = {}

        def place(module: Module) -> Module:
            definition = define(module)
            if definition is None:
                what = f"{module.path}: module {module.module!r} (is its connector installed?)"
                raise Unsupported(what=what)
            made[module.path] = self._traced(module, definition)
            return replace(module, module=module.path)

        scenario = replace(self.scenario, flow=rewritten(self.scenario.flow, place))
        plan = compile_plan(scenario, made.get)
        self._watch(plan.head, set())
        return plan

    def _traced(self, module: Module, definition: ModuleDef) -> ModuleDef:
        """The same module; what the engine calls it with is remembered as its input."""
        kind, function = definition.kind, definition.function
        if kind == "aggregator":

            def collecting(parameters: Mapping[str, Any]) -> Any:
                return _Collected(function(parameters), self.inputs.setdefault(module.id, []))

            return replace(definition, function=collecting)
        if kind in _MAPPED or (kind in _CALLED and not _asks(definition)):

            def called(parameters: Mapping[str, Any], mapper: Any) -> Any:
                self.inputs[module.id] = mapper
                if definition.raw or kind in _MAPPED:
                    return function(parameters, mapper)
                zone = self.setting.zone
                return function(**forms.bind(definition, mapper, parameters, zone=zone))

            return replace(definition, function=called, raw=True)
        return definition

    def _watch(self, node: Node | None, known: set[int]) -> None:
        """Makes every node after this one tell what it does."""
        while node is not None and id(node) not in known:
            known.add(id(node))
            placed = self.placed.get(node.id)
            node.module = placed.module if placed is not None else node.module
            if node.filter is not None:
                node.filter = self._asked(node, node.filter)
            if node.step is Step.DIRECTIVE:
                node.evaluate = self._told(node, node.evaluate)
            if node.step in {Step.ROUTER, Step.CHOICE}:
                node.routes = _Ways(node.routes, self._visited(node.id))
                for _, head in list.__iter__(node.routes):
                    self._watch(head, known)
                self._watch(node.fallback, known)
            self._watch(node.handler, known)
            node = node.next

    def _asked(self, node: Node, decide: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
        placed = self.placed.get(node.id)
        name = placed.filter.name if placed is not None and placed.filter is not None else ""

        def filtered(env: list[Any]) -> bool:
            passed = bool(decide(env))
            where = (self.run.cycle, node.id, self.run.at)
            if where not in self.decided:  # lanes ask ahead, and again in turn
                self.decided.add(where)
                self.events.append(Passage(node.id, name, self.run.at, passed))
            return passed

        return filtered

    def _told(self, node: Node, evaluate: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
        def arguments(env: list[Any]) -> Any:
            given = evaluate(env)
            self.inputs[node.id] = given
            self._add(node.id, self.run.at, 0, [])
            return given

        return arguments

    def _visited(self, module: int) -> Callable[[], None]:
        return lambda: self.events.append(Visit(module, self.run.at))


_MAPPED = frozenset({"iterator", "repeater", "set_variables", "get_variables", "sleep"})
"""Kinds whose functions the engine calls with parameters and mapper."""
_CALLED = frozenset(
    {"transform", "responder", "returner", "namer", "action", "search", "trigger", "waiter"}
)
"""Kinds whose functions get keyword arguments, unless they are raw."""


def _asks(definition: ModuleDef) -> bool:
    """Whether its function is called by the world, not by the engine."""
    acts = definition.kind in {"action", "search"} and definition.effect != "pure"
    return acts or (definition.kind == "trigger" and definition.poll is not None)


class _Collected:
    """An aggregator's collection; what it collects is remembered."""

    def __init__(self, inner: Any, seen: list[Any]) -> None:
        self._inner = inner
        self._seen = seen

    def add(self, value: Any) -> None:
        """One bundle's value."""
        self._seen.append(value)
        self._inner.add(value)

    def result(self) -> Bundle:
        """What has come of them."""
        made: Bundle = self._inner.result()
        return made
