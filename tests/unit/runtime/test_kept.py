"""What runs write to data stores and remember: seen by themselves, committed, taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

import pytest

from junctor.engine.journal import Tag
from junctor.language.asks.records import ReadRecord, ReadState, WriteRecord, WriteState
from junctor.language.connector import Asks, Bundle, Field, Poll, Request, Response
from junctor.language.scenario import Module, Settings
from junctor.runtime.flight import Flight
from junctor.runtime.services import Asking
from tests.support import asynchronous
from tests.unit.runtime.drive_kit import OK, ORGANIZATION, RUN, SCENARIO, Bench, placed, world

STORE = UUID(int=9)
Text = Annotated[str, Field(label="Text")]


@world.action("Counts in a store", effect="idempotent", transactional=True)
def count(key: Text = "n") -> Asks:
    before = yield ReadRecord(key)
    after = {"n": (before or {"n": 0})["n"] + 1}
    yield WriteRecord(key, after)
    return after


@world.action("Remembers", effect="idempotent", transactional=True)
def remember() -> Asks:
    i = ((yield ReadState("run")) or 0) + 1
    yield WriteState(i, "run")
    return {"i": i}


@world.module(
    "Watches",
    kind="trigger",
    effect="read",
    items="",
    poll=Poll(id=lambda item: str(item["found"])),
)
def watch() -> Request:
    return Request("GET", "https://vendor.test/list")


class Kept(Bench):
    """A bench whose services work on its memory."""

    def __init__(self, *flow: Module, trigger: str = "start", **settings: Any) -> None:
        self.meddle = 0
        """How many more reads somebody else's change follows."""
        super().__init__(
            *flow, handler=lambda _: OK, trigger=trigger, settings=Settings(**settings)
        )
        self.serve(
            ReadRecord=self._read,
            WriteRecord=self._write,
            ReadState=self._read_state,
            WriteState=self._write_state,
        )

    def stored(self) -> dict[str, Any]:
        return {key[2]: kept[1] for key, kept in self.store.records.items()}

    def remembered(self) -> dict[int, Any]:
        return {key[2]: kept[1] for key, kept in self.store.states.items()}

    async def _read(self, ask: ReadRecord, asking: Asking) -> Bundle | None:
        asking.staged.begin(asking.address)
        mine = asking.staged.records.get((STORE, ask.key))
        if mine is not None:
            return mine.data
        place = (ORGANIZATION, STORE, ask.key)
        revision, data = self.store.records.get(place, (0, None))
        asking.staged.seen[STORE, ask.key] = revision
        if self.meddle:
            self.meddle -= 1
            others = (data or {"n": 0})["n"] + 10
            self.store.records[place] = (next(self.store.revisions), {"n": others})
        found: Bundle | None = data
        return found

    async def _write(self, ask: WriteRecord, asking: Asking) -> None:
        asking.staged.put(STORE, ask.key, ask.data)

    async def _read_state(self, ask: ReadState, asking: Asking) -> Any:
        module = asking.address.module
        asking.staged.begin(asking.address)
        mine = asking.staged.states.get((module, ask.scope))
        if mine is not None:
            return mine.value
        revision, state = self.store.states.get((ORGANIZATION, SCENARIO, module), (0, None))
        asking.staged.seen[module] = revision
        return state

    async def _write_state(self, ask: WriteState, asking: Asking) -> None:
        asking.staged.remember(asking.address.module, ask.scope, ask.value)


FAILS = placed(9, "bug")


@asynchronous
async def test_by_itself_a_module_commits_at_once() -> None:
    bench = Kept(placed(2, "count"), placed(3, "count"), FAILS)
    flight = await bench.run()
    assert (flight.state, bench.stored()) == ("incomplete", {"n": {"n": 2}})
    assert [record[5] for record in bench.records(Tag.DONE)] == [[{"n": 1}], [{"n": 2}]]


@asynchronous
async def test_a_change_that_comes_between_is_not_lost() -> None:
    bench = Kept(placed(2, "count"))
    bench.meddle = 3
    await bench.run()
    assert bench.stored() == {"n": {"n": 31}}
    assert [record[5] for record in bench.records(Tag.DONE)] == [[{"n": 31}]]


@asynchronous
async def test_who_never_gets_his_turn_stops() -> None:
    bench = Kept(placed(2, "count"))
    bench.meddle = 1000
    flight = await bench.run()
    assert flight.state == "incomplete"
    assert "again and again" in bench.row.error


@asynchronous
async def test_at_the_end_of_the_cycle_it_is_committed_whole() -> None:
    bench = Kept(placed(2, "count"), placed(3, "send"), placed(4, "count"), auto_commit=False)
    seen: list[Any] = []

    def handler(_request: Request) -> Response:
        seen.append(bench.stored())
        return OK

    bench.transport.handler = handler
    flight = await bench.run()
    assert flight.state == "finished"
    assert seen == [{}]  # its own module saw the first count; nobody else did
    assert bench.stored() == {"n": {"n": 2}}


@asynchronous
@pytest.mark.parametrize(
    ("handler", "stored"), [("rollback", {}), ("commit", {"n": {"n": 1}}), (None, {})]
)
async def test_how_the_cycle_ends_decides(handler: str | None, stored: Any) -> None:
    onerror = () if handler is None else (placed(8, handler),)
    failing = placed(9, "bug", onerror=onerror)
    bench = Kept(placed(2, "count"), failing, auto_commit=False)
    await bench.run()
    assert bench.stored() == stored


@asynchronous
async def test_what_was_held_is_there_when_the_run_goes_on() -> None:
    bench = Kept(placed(2, "count"), placed(3, "pause"), placed(4, "count"), auto_commit=False)
    flight = await bench.run()
    assert (flight.state, bench.stored()) == ("waiting", {})
    bench.crash()
    bench.time += 100
    await bench.drive(await bench.resumed(await bench.claimed()))
    assert (bench.row.state, bench.stored()) == ("finished", {"n": {"n": 2}})


@asynchronous
async def test_a_cycle_based_on_what_is_gone_is_not_committed() -> None:
    bench = Kept(placed(2, "count"), auto_commit=False)
    bench.meddle = 1
    flight = await bench.run()
    assert (flight.state, bench.stored()) == ("incomplete", {"n": {"n": 10}})
    assert "InconsistencyError" in bench.row.error


@asynchronous
async def test_what_is_remembered_for_a_run_ends_with_it() -> None:
    bench = Kept(placed(2, "remember"), placed(3, "each", {"array": [1, 2]}), placed(4, "remember"))
    await bench.run()
    assert [record[5] for record in bench.records(Tag.DONE)] == [[{"i": 1}], [{"i": 1}], [{"i": 2}]]
    assert bench.remembered() == {}


def polling(*flow: Module, answers: list[bytes], **settings: Any) -> Kept:
    """A scenario that watches a list; each question gets the next of ``answers``."""
    bench = Kept(*flow, trigger="watch", **settings)
    left = list(answers)

    def handler(request: Request) -> Response:
        return Response(200, {}, left.pop(0)) if request.method == "GET" else OK

    bench.transport.handler = handler
    return bench


ONE, TWO = b'[{"found": 1}]', b'[{"found": 2}, {"found": 1}]'


async def asked(bench: Kept, **options: Any) -> Flight:
    """A run whose trigger is asked."""
    flight = await bench.drive(await bench.flight(await bench.accepted(ask=options)))
    await bench.backlog.release([flight.claim])
    bench.store.runs.clear()
    bench.store.segments.clear()
    return flight


async def goes_on(bench: Kept) -> Flight:
    """A run that waited, or was resumed, as a worker takes it up."""
    claim = await bench.claimed()
    (run,) = await bench.backlog.due(claim, 1)
    flight = await bench.flights.bare(claim, run.id, None)
    flight.prepared, flight.parks, flight.visible = bench.prepared, False, True
    bench.flights.load(flight, await bench.flights.read_back(flight))
    return await bench.drive(flight)


def sent(bench: Kept) -> list[Any]:
    return [request.json for request in bench.transport.sent if request.method == "POST"]


@asynchronous
async def test_a_trigger_gives_what_is_new_and_remembers_it() -> None:
    bench = polling(placed(2, "send", {"text": "{{1.found}}"}), answers=[ONE, TWO, TWO])
    for _ in range(3):
        assert (await asked(bench)).state == "finished"
    assert sent(bench) == [{"text": "2"}]
    assert bench.remembered() == {1: {"date": None, "ids": ["1", "2"]}}


@asynchronous
async def test_a_run_that_stops_keeps_its_items_and_one_that_is_rolled_back_does_not() -> None:
    bench = polling(FAILS, answers=[ONE])
    assert (await asked(bench, start="all")).state == "incomplete"
    assert bench.remembered() == {1: {"date": None, "ids": ["1"]}}
    taken_back = placed(9, "bug", onerror=(placed(8, "rollback"),))
    bench = polling(taken_back, answers=[ONE])
    assert (await asked(bench, start="all")).state == "failed"
    assert bench.remembered() == {}


@asynchronous
async def test_a_run_that_waits_long_keeps_its_items() -> None:
    bench = polling(placed(2, "pause"), answers=[ONE])
    assert (await asked(bench, start="all")).state == "waiting"
    assert bench.remembered() == {1: {"date": None, "ids": ["1"]}}


@asynchronous
async def test_where_a_trigger_begins_is_known_after_a_long_wait() -> None:
    bench = polling(placed(2, "send", {"text": "{{1.found}}"}), answers=[ONE])
    listed, answers = bench.transport.handler, [Response(429, {"retry-after": "60"}, b"{}")]
    bench.transport.handler = lambda request: answers.pop() if answers else listed(request)
    flight = await bench.drive(await bench.flight(await bench.accepted(ask={"start": "all"})))
    assert flight.state == "waiting"
    bench.crash()
    bench.time += 100
    assert (await goes_on(bench)).state == "finished"
    assert sent(bench) == [{"text": "1"}]


@asynchronous
async def test_several_cycles_ask_again() -> None:
    bench = polling(placed(2, "send", {"text": "{{1.found}}"}), answers=[ONE, TWO, TWO])
    await asked(bench, start="all", cycles=5)
    assert sent(bench) == [{"text": "1"}, {"text": "2"}]


@world.action("Writes, then fails", effect="idempotent", transactional=True)
def half() -> Asks:
    yield WriteRecord("half", {"n": 1})
    raise KeyError("missing")


@asynchronous
async def test_what_fails_has_written_nothing() -> None:
    failing = placed(2, "half", onerror=(placed(8, "ignore"),))
    bench = Kept(failing, placed(3, "count"))
    flight = await bench.run()
    assert (flight.state, bench.stored()) == ("finished", {})
    bench = Kept(placed(4, "count"), failing, auto_commit=False)
    flight = await bench.run()
    assert (flight.state, bench.stored()) == ("finished", {"n": {"n": 1}})


@asynchronous
async def test_a_cycle_that_was_settled_is_not_settled_again_with_the_next_ones_writes() -> None:
    flow = placed(2, "count"), placed(3, "pause"), placed(4, "send")
    bench = polling(*flow, answers=[ONE, TWO], auto_commit=False)
    listed, seen = bench.transport.handler, []

    def handler(request: Request) -> Any:
        if request.method == "POST":
            seen.append(bench.stored())
        return listed(request)

    bench.transport.handler = handler
    delivery = await bench.accepted(ask={"start": "all", "cycles": 2})
    flight = await bench.drive(await bench.flight(delivery))
    for _ in range(2):
        assert flight.state == "waiting"
        bench.crash()
        bench.time += 100
        flight = await goes_on(bench)
    assert flight.state == "finished"
    assert seen == [{}, {"n": {"n": 1}}]
    assert bench.stored() == {"n": {"n": 2}}


@asynchronous
async def test_a_call_that_fails_in_another_lane_takes_no_writes_along() -> None:
    gate = asyncio.Event()

    async def handler(request: Request) -> Response:
        if request.method == "POST":
            gate.set()
        if request.json == {"text": "b"}:
            await gate.wait()
            return Response(400, {}, b"{}")
        return OK

    bench = Kept(
        placed(2, "each", {"array": ["a", "b"]}, lanes=2),
        placed(3, "put", {"text": "{{2.value}}"}, onerror=(placed(8, "ignore"),)),
        placed(4, "count"),
        placed(5, "send"),
        auto_commit=False,
    )
    bench.transport.handler = handler
    flight = await bench.run()
    assert (flight.state, bench.stored()) == ("finished", {"n": {"n": 1}})


@world.action("Remembers for a cycle", effect="idempotent", transactional=True)
def tally() -> Asks:
    i = ((yield ReadState("cycle")) or 0) + 1
    yield WriteState(i, "cycle")
    return {"i": i}


@asynchronous
async def test_a_run_that_stops_within_a_cycle_counts_on_when_it_goes_on() -> None:
    bench = Kept(
        placed(2, "each", {"array": [1, 2]}),
        placed(3, "tally"),
        placed(4, "send", {"text": "{{3.i}}"}),
    )
    answers = [OK, Response(400, {}, b"{}"), OK]
    bench.transport.handler = lambda _: answers.pop(0)
    flight = await bench.run()
    assert flight.state == "incomplete"
    bench.crash()
    bench.store.resume(ORGANIZATION, RUN)
    await goes_on(bench)
    assert bench.row.state == "finished"
    assert [each[5] for each in bench.records(Tag.DONE) if each[2] == 3] == [[{"i": 1}], [{"i": 2}]]


class Walked(dict[Any, Any]):
    """Counts how many of its entries are looked at by going through them."""

    steps = 0

    def __iter__(self) -> Iterator[Any]:
        for key in super().__iter__():
            Walked.steps += 1
            yield key

    def keys(self) -> Any:
        return list(self)

    def items(self) -> Any:
        return [(key, self[key]) for key in self]

    def values(self) -> Any:
        return [self[key] for key in self]


@asynchronous
async def test_what_an_operation_costs_does_not_grow_with_what_is_held() -> None:
    many = 200
    bench = Kept(
        placed(2, "each", {"array": list(range(many))}),
        placed(3, "count", {"key": "{{2.value}}"}),
        auto_commit=False,
    )
    flight = await bench.flight(await bench.accepted())
    flight.staged.records = Walked()
    Walked.steps = 0
    await bench.drive(flight)
    assert len(bench.stored()) == many
    assert Walked.steps == many  # once, as the cycle is committed


@asynchronous
@pytest.mark.parametrize("moved", [True, False])
async def test_resuming_what_could_not_be_committed_does_not_put_the_trigger_back(
    moved: bool,
) -> None:
    bench = polling(placed(2, "send"), placed(3, "count"), answers=[ONE], auto_commit=False)
    bench.meddle = 1  # somebody changes the record between
    place, later = (ORGANIZATION, SCENARIO, 1), {"date": None, "ids": ["1", "2", "3"]}
    listed = bench.transport.handler

    def handler(request: Request) -> Any:
        if moved and request.method == "POST":  # another run asks the trigger meanwhile
            bench.store.states[place] = (next(bench.store.revisions), later)
        return listed(request)

    bench.transport.handler = handler
    flight = await bench.drive(await bench.flight(await bench.accepted(ask={"start": "all"})))
    assert (flight.state, bench.stored()) == ("incomplete", {"n": {"n": 10}})
    at = {1: later if moved else {"date": None, "ids": ["1"]}}
    assert bench.remembered() == at  # not moved by another: its item is this run's
    bench.store.states[place] = (next(bench.store.revisions), later)
    bench.crash()
    bench.store.resume(ORGANIZATION, RUN)
    await goes_on(bench)
    assert (bench.row.state, bench.stored()) == ("finished", {"n": {"n": 1}})
    assert bench.remembered() == {1: later}


@asynchronous
async def test_nor_does_resuming_what_failed_while_another_run_moved_the_trigger() -> None:
    bench = polling(placed(2, "send"), placed(3, "count"), answers=[ONE], auto_commit=False)
    place, later = (ORGANIZATION, SCENARIO, 1), {"date": None, "ids": ["1", "2", "3"]}
    listed, answers = bench.transport.handler, [OK, Response(400, {}, b"{}")]

    def handler(request: Request) -> Any:
        if request.method != "POST":
            return listed(request)
        bench.store.states[place] = (next(bench.store.revisions), later)
        return answers.pop()

    bench.transport.handler = handler
    flight = await bench.drive(await bench.flight(await bench.accepted(ask={"start": "all"})))
    assert flight.state == "incomplete"
    bench.crash()
    bench.store.resume(ORGANIZATION, RUN)
    await goes_on(bench)
    assert (bench.row.state, bench.stored()) == ("finished", {"n": {"n": 1}})
    assert bench.remembered() == {1: later}
