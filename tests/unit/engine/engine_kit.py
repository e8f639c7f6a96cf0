"""Small modules, a scripted world and a driver, to run the engine without anything around it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as part
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec

from junctor import errors
from junctor.connectors.tools import flow
from junctor.engine.commands import (
    Address,
    Aside,
    Await,
    Call,
    Flush,
    Outcome,
    Respond,
    Result,
    Settle,
    Start,
    Wait,
)
from junctor.engine.forks import journal_of
from junctor.engine.journal import Detail, Journal, decode_segment, encode_segment
from junctor.engine.plan import Plan, compile_plan
from junctor.engine.recording import Recording
from junctor.engine.run import Run
from junctor.errors import JunctorError
from junctor.language.asks.waits import AwaitApproval
from junctor.language.connector import Answer, Bundle, Connector, Field
from junctor.language.scenario import (
    Branch,
    Condition,
    Filter,
    Module,
    Route,
    Scenario,
    Settings,
)

Text = Annotated[str, Field(label="Text")]
Number = Annotated[float, Field(label="Number")]

kit = Connector(name="kit", label="Kit")


def _never(**_arguments: Any) -> Any:
    raise AssertionError("the engine called what only the driver may")


kit.module("Starts", kind="trigger", name="start")(_never)
kit.action("Sends", effect="once", name="send")(_never)
kit.action("Puts", effect="idempotent", name="put")(_never)
kit.action("Runs code", effect="read", name="codes", verbatim=frozenset({"code"}))(_never)
kit.search("Finds", name="find")(_never)
kit.module("Routes", kind="router", name="router")(_never)
kit.module("Chooses", kind="if_else", name="choose")(_never)
kit.module("Merges", kind="merge", name="merge")(_never)
kit.module("Nothing", kind="placeholder", name="placeholder")(_never)
for _name in ("ignore", "commit", "rollback"):
    kit.module(_name, kind="directive", name=_name)(lambda: None)
kit.module("resume", kind="directive", name="resume", raw=True)(flow.resume)
kit.module("break", kind="directive", name="break")(flow.break_)


@kit.transform("Keeps", raw=True)
def keep(_parameters: Mapping[str, Any], mapper: Any) -> Bundle:
    return dict(mapper)


@kit.transform("Adds")
def add(a: Number, b: Number = 1) -> Bundle:
    return {"sum": a + b}


@kit.transform("Lists")
def lines(text: Text) -> Iterator[Bundle]:
    for line in text.split():
        yield {"line": line}


@kit.transform("Fails")
def fail(reason: Text = "as asked") -> Bundle:
    raise errors.DataError(reason=reason)


@kit.transform("Has a bug")
def bug() -> Bundle:
    raise KeyError("missing")


kit.transform("Counts its calls", name="counter", stateless=False)(_never)


@kit.action("Reads nothing", effect="pure")
def upper(text: Text) -> Bundle:
    return {"text": text.upper()}


@kit.module("Iterates", kind="iterator")
def each(_parameters: Mapping[str, Any], mapper: Any) -> Iterator[Bundle]:
    items = mapper["array"] or []
    for index, item in enumerate(items, start=1):
        bundle = dict(item) if isinstance(item, dict) else {"value": item}
        yield {**bundle, "__IMTLENGTH__": len(items), "__IMTINDEX__": index}


@kit.module("Repeats", kind="repeater")
def repeat(_parameters: Mapping[str, Any], mapper: Any) -> Iterator[Bundle]:
    for i in range(int(mapper["repeats"])):
        yield {"i": i + 1}


class _Collected:
    def __init__(self) -> None:
        self.values: list[Any] = []

    def add(self, value: Any) -> None:
        self.values.append(value)

    def result(self) -> Bundle:
        return {"array": self.values}


@kit.module("Collects", kind="aggregator")
def collect(_parameters: Mapping[str, Any]) -> _Collected:
    return _Collected()


class _Counted:
    def __init__(self) -> None:
        self.number = 0

    def add(self, _value: Any) -> None:
        self.number += 1

    def result(self) -> Bundle:
        return {"count": self.number}


@kit.module("Counts", kind="aggregator")
def count(_parameters: Mapping[str, Any]) -> _Counted:
    return _Counted()


@kit.module("Sets", kind="set_variables", name="set")
def set_(_parameters: Mapping[str, Any], mapper: Any) -> tuple[dict[str, Any], str]:
    return mapper["variables"], mapper.get("scope", "roundtrip")


@kit.module("Gets", kind="get_variables")
def get(_parameters: Mapping[str, Any], mapper: Any) -> list[str]:
    return list(mapper["names"])


@kit.module("Sleeps", kind="sleep")
def sleep(_parameters: Mapping[str, Any], mapper: Any) -> float:
    return float(mapper["duration"])


@kit.module("Asks somebody", kind="waiter")
def ask(question: Text) -> AwaitApproval:
    return AwaitApproval(seconds=3600, question=question)


@kit.module("Answers", kind="responder")
def answer(body: Text, status: Number = 200) -> Answer:
    return Answer(status=int(status), body=body.encode())


def encode_records(records: list[Any]) -> bytes:
    """An encoded segment of these records, as when a journal is cut."""
    return encode_segment(msgspec.msgpack.encode(records))


def module(
    id_: int, name: str, mapper: Any = None, *, parameters: Any = None, **rest: Any
) -> Module:
    """A placed module of the kit."""
    rest.setdefault("path", f"flow[{id_}]")
    return Module(id=id_, module=f"kit:{name}", mapper=mapper, parameters=parameters or {}, **rest)


def when(a: Any, operator: str, b: Any = None) -> Filter:
    """A filter of one condition."""
    return Filter(groups=((Condition(operator=operator, a=a, b=b),),))


def route(*flow: Module, disabled: bool = False) -> Route:
    return Route(flow=flow, disabled=disabled)


def branch(condition: Filter | None, *flow: Module, merge: bool = False) -> Branch:
    return Branch(label="", filter=condition, flow=flow, merge=merge)


def scenario(*flow: Module, **settings: Any) -> Scenario:
    return Scenario(name="test", flow=flow, settings=Settings(**settings))


def plan_of(*flow: Module, **settings: Any) -> Plan:
    """The plan of a scenario made of the kit's modules."""
    return compile_plan(scenario(*flow, **settings), find)


def find(name: str) -> Any:
    connector, _, rest = name.partition(":")
    return kit.modules.get(rest) if connector == "kit" else None


@dataclass
class World:
    """Answers calls from a script, by module id and bundle path; counts what it was asked."""

    script: Callable[[Call], list[Bundle] | JunctorError] = lambda call: [{"sent": call.arguments}]
    calls: list[Call] = part(default_factory=list)
    answers: Mapping[int, Bundle | JunctorError] = part(default_factory=dict)
    """What somebody answers who is asked, by module id; nobody else answers in time."""

    def answer(self, call: Call) -> Outcome:
        self.calls.append(call)
        outcome = self.script(call)
        if isinstance(outcome, JunctorError):
            return Outcome(error=outcome)
        return Outcome(bundles=outcome, bytes=10)


NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Drive:
    """Drives one run as `runtime.drive` does, without a clock or a network."""

    plan: Plan
    world: World = part(default_factory=World)
    detail: Detail = "full"
    records: list[Any] = part(default_factory=list)
    """All that was ever recorded, over all executions."""
    blobs: dict[bytes, bytes] = part(default_factory=dict)
    waits: list[Wait] = part(default_factory=list)
    responses: list[Respond] = part(default_factory=list)
    asides: list[Aside] = part(default_factory=list)
    commands: list[Any] = part(default_factory=list)
    asked: int = 0
    in_flight: dict[int, Call] = part(default_factory=dict)
    most_in_flight: int = 0
    settle_error: JunctorError | None = None
    """What keeps a cycle from being committed."""
    recording: Recording | None = None
    live: Run | None = None

    def run(
        self, bundles: list[Bundle] | None = None, *, resume: bool = False, **given: Any
    ) -> Result:
        """Runs to the end; with ``resume`` from what was recorded before."""
        journal = Journal(self.detail)
        recording = None
        if resume:
            recording = Recording([encode_records(self.records)], self.blobs)
            self.recording = recording
        run = Run(
            self.plan,
            run_id="run_1",
            journal=journal,
            recording=recording,
            clock=given.get("clock", self._clock),
            seed=given.get("seed", b"seed"),
            variables=given.get("variables", {}),
            zone=given.get("zone", UTC),
            locale="en",
            cycles=given.get("cycles", 1),
            edits=given.get("edits"),
        )
        self.live = run
        if bundles is None and not given.get("ask"):
            bundles = [{}]
        generator = run.execute(bundles)
        answer: Any = None
        try:
            while True:
                command = generator.send(answer)
                self.commands.append(command)
                answer = self._do(command, journal)
        except StopIteration as stop:
            result: Result = stop.value
        finally:
            self._store(journal)
        return result

    def started(self, bundles: list[Bundle]) -> list[Any]:
        """The records of a run that was cut off before its end."""
        self.run(bundles)
        return self.records[:-1]

    def _clock(self) -> datetime:
        self.asked += 1
        return NOW + timedelta(seconds=self.asked)

    def _do(self, command: Any, journal: Journal) -> Any:
        match command:
            case Call():
                return self._call(command, journal)
            case Start(call):
                ticket = len(self.commands)
                self.in_flight[ticket] = call
                self.most_in_flight = max(self.most_in_flight, len(self.in_flight))
                return ticket
            case Await(ticket):
                return self._call(self.in_flight.pop(ticket), journal)
            case Wait(address, seconds, due, awaited):
                self.waits.append(command)
                if due is None:
                    journal.wait(address, 1000.0 + seconds)
                if awaited is not None:
                    said = self.world.answers.get(address.module)
                    if isinstance(said, JunctorError):
                        return Outcome(error=said)
                    return Outcome([awaited.outcome(said, seconds if said is None else 9)])
            case Respond():
                self.responses.append(command)
            case Flush():
                self._store(journal)
            case Aside():
                self.asides.append(command)
            case Settle():
                return self.settle_error
        return None

    def _call(self, call: Call, journal: Journal) -> Outcome:
        if call.module.effect == "once" and call.intent is None:
            journal.intent(call.address, 0, b"hash")
        outcome = self.world.answer(call)
        if outcome.error is not None:
            journal.failed(call.address, outcome.error)
        else:
            journal.done(call.address, outcome.bundles, outcome.bytes, 1.5, call.arguments)
        return outcome

    def _store(self, journal: Journal) -> None:
        segment = journal.take()
        if segment is not None:
            self.blobs.update(segment.blobs)
            self.records.extend(decode_segment(encode_segment(segment.raw), self.blobs))

    def outputs(self, id_: int) -> list[Any]:
        """What a module's recorded operations gave out, in the order of recording."""
        return [record[5] for record in self.records if record[0] in (1, 3) and record[2] == id_]

    def addresses(self) -> list[Address]:
        """Where effects were asked for."""
        return [call.address for call in self.world.calls]


def taken_up(drive: Drive, aside: Aside, world: World) -> Drive:
    """The fork's own run, begun from what was stored of it."""
    journal = journal_of(aside, "run_2")
    made = Drive(drive.plan, world)
    segment = journal.take()
    assert segment is not None
    made.blobs.update(segment.blobs)
    made.records = list(decode_segment(encode_segment(segment.raw), segment.blobs))
    return made


def arguments(calls: Iterable[Call]) -> list[Any]:
    return [call.arguments for call in calls]
