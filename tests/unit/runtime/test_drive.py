"""The driver without a database: what is durable when, what is tried again, what never is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from junctor.engine.journal import Tag
from junctor.errors import NotSent, Uncertain
from junctor.language.connector import Request, Response
from junctor.language.retry import LONGEST_DELAY
from junctor.ports.backlog import Claim
from tests.support import asynchronous
from tests.unit.runtime.drive_kit import FOUND, OK, ORGANIZATION, RUN, SCENARIO, Bench, placed

PLACE = (ORGANIZATION, RUN)
UNREACHED = NotSent(host="vendor.test", reason="refused")


def script(*answers: Response | Exception) -> Callable[[Request], Response]:
    """A vendor that answers so, one after another, and is asked no more often."""
    left = list(answers)

    def handler(_request: Request) -> Response:
        given = left.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    return handler


async def spins(condition: Callable[[], bool]) -> bool:
    """Whether it comes true when only the loop's turns are waited for."""
    for _ in range(100):
        if condition():
            return True
        await asyncio.sleep(0)
    return False


@asynchronous
async def test_a_run_that_ends_leaves_its_row_its_journal_and_no_delivery() -> None:
    bench = Bench(placed(2, "send", {"text": "{{1.who}}"}), handler=script(OK))
    flight = await bench.run(who="Ada")
    assert flight.state == bench.row.state == "finished"
    assert bench.transport.sent[0].json == {"text": "Ada"}
    assert (bench.row.operations, bench.row.segments) == (2, flight.seq)
    assert (bench.row.trigger, bench.row.actor) == ("manual", "me")
    assert bench.store.inbox == {}
    assert [record[5] for record in bench.records(Tag.DONE)] == [[{"ok": True}]]
    assert bench.store.answers[PLACE].status == 200  # who called is told that it was accepted


@asynchronous
async def test_an_intent_is_durable_before_anything_leaves() -> None:
    durable = []

    def handler(_request: Request) -> Response:
        durable.append(len(bench.records(Tag.INTENT, 2)))
        assert bench.row.state == "running"
        return OK

    bench = Bench(placed(2, "send"), handler=handler)
    await bench.run()
    assert durable == [1]


@asynchronous
async def test_a_stale_fence_sends_nothing() -> None:
    bench = Bench(placed(2, "send"), handler=script())
    flight = await bench.flight(await bench.accepted())
    bench.crash()
    await bench.claimed()
    await bench.drive(flight)
    assert flight.state == "stale"
    assert flight.claim.stale
    assert bench.transport.sent == []
    assert (bench.store.runs, dict(bench.store.segments)) == ({}, {})
    assert PLACE in bench.store.inbox


@asynchronous
async def test_what_was_not_sent_is_tried_again() -> None:
    bench = Bench(placed(2, "send"), handler=script(UNREACHED, UNREACHED, OK))
    flight = await bench.run()
    assert flight.state == "finished"
    assert bench.slept == pytest.approx([1.0, 2.0], rel=0.2)
    assert len(bench.records(Tag.FAILED)) == 2
    assert {str(record[6]) for record in bench.records(Tag.FAILED)} == {
        str(record[8]) for record in bench.records(Tag.DONE)
    }
    assert [record[4] for record in bench.records(Tag.INTENT)] == [0, 1, 2]


@pytest.mark.parametrize("outcome", [Uncertain(), Response(500, {}, b"")], ids=["lost", "500"])
@asynchronous
async def test_an_unknown_outcome_of_what_must_not_be_repeated_stops_the_run(
    outcome: Response | Exception,
) -> None:
    bench = Bench(placed(2, "send"), placed(3, "find"), handler=script(outcome))
    flight = await bench.run()
    assert flight.state == bench.row.state == "uncertain"
    assert len(bench.transport.sent) == 1
    assert bench.row.failed_module == 2
    assert json.loads(bench.row.error)["code"] == "uncertain"
    assert bench.store.answers[PLACE].status == 500


@pytest.mark.parametrize(("name", "answer"), [("find", FOUND), ("put", OK)])
@asynchronous
async def test_an_unknown_outcome_of_what_may_be_repeated_is_tried_again(
    name: str, answer: Response
) -> None:
    bench = Bench(placed(2, name), handler=script(Uncertain(), Response(500, {}, b""), answer))
    flight = await bench.run()
    assert flight.state == "finished"
    assert len(bench.transport.sent) == 3
    assert [record[5]["code"] for record in bench.records(Tag.FAILED)] == ["vendor_unavailable"] * 2


@pytest.mark.parametrize("name", ["find", "put", "send"])
@asynchronous
async def test_an_answer_that_is_too_long_is_not_asked_for_again(name: str) -> None:
    too_long = Uncertain("Too long.", host="vendor.test", reason="too long", limit=1000)
    bench = Bench(placed(2, name), handler=script(too_long))
    flight = await bench.run()
    assert len(bench.transport.sent) == 1
    error = bench.records(Tag.FAILED)[0][5]
    if name == "send":  # it may have been done
        assert (flight.state, error["code"]) == ("uncertain", "uncertain")
    else:
        assert (flight.state, error["code"]) == ("incomplete", "data")
        assert "vendor.test is longer than the 1000 bytes" in error["message"]


@asynchronous
async def test_a_vendor_that_asks_for_patience_gets_it() -> None:
    busy = Response(429, {"retry-after": "7"}, b"")
    bench = Bench(placed(2, "send"), handler=script(busy, OK))
    assert (await bench.run()).state == "finished"
    assert bench.slept == [7.0]


@pytest.mark.parametrize("name", ["send", "look"])
@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("99999999999999", LONGEST_DELAY),
        ("9" * 400, LONGEST_DELAY),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_DELAY),
        ("Mon, 01 Jan 0001 00:00:00 -0000", 1),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 1),
        ("\xb2", 1),
        ("-5", 1),
        ("soon", 1),
    ],
)
@asynchronous
async def test_a_vendor_that_asks_for_nonsense_keeps_no_run_from_its_record(
    said: str, seconds: float, name: str
) -> None:
    busy = Response(429, {"retry-after": said}, b"")
    bench = Bench(placed(2, name), handler=script(busy, OK))
    flight = await bench.run()
    if seconds == 1:
        assert flight.state == "finished"
        assert bench.slept == [pytest.approx(1, rel=0.2)]
    else:
        assert flight.state == bench.row.state == "waiting"
        assert bench.row.due_at.timestamp() == bench.time + seconds


@asynchronous
async def test_a_long_wait_leaves_and_goes_on_from_the_journal() -> None:
    busy = Response(429, {"retry-after": "60"}, b"")
    flow = (placed(2, "send", {"text": "a"}), placed(3, "send", {"text": "b"}))
    bench = Bench(*flow, handler=script(OK, busy, OK))
    flight = await bench.run()
    assert flight.state == bench.row.state == "waiting"
    assert bench.slept == []
    assert bench.row.due_at.timestamp() == bench.time + 60
    assert bench.store.inbox == {}  # the journal knows all that is needed
    flight.claim.waits = True
    await bench.backlog.release([flight.claim])
    assert await bench.backlog.claim(1, 1) == []
    bench.time += 61
    again = await bench.drive(await bench.resumed(await bench.claimed()))
    assert again.state == bench.row.state == "finished"
    assert [request.json["text"] for request in bench.transport.sent] == ["a", "b", "b"]


@asynchronous
async def test_a_long_wait_in_a_line_blocks_it_from_its_commit() -> None:
    busy = Response(429, {"retry-after": "60"}, b"")
    bench = Bench(placed(2, "send"), handler=script(busy), order_key="k:a")
    await bench.run()
    (line,) = bench.store.backlog.values()
    assert line.blocked_by_run == RUN


@asynchronous
async def test_lanes_are_in_flight_together_and_recorded_as_they_end() -> None:
    together = asyncio.Event()

    async def handler(request: Request) -> Response:
        if len(bench.transport.sent) == 3:
            together.set()
        await together.wait()
        return Response(200, {}, json.dumps(request.json).encode())

    flow = (placed(2, "each", {"array": ["a", "b", "c"]}, lanes=3),)
    bench = Bench(*flow, placed(3, "send", {"text": "{{2.value}}"}), handler=handler)
    flight = await bench.run()
    assert flight.state == "finished"
    done = {tuple(record[3]): record[5][0]["text"] for record in bench.records(Tag.DONE)}
    assert sorted(done.items()) == [((0, 0), "a"), ((0, 1), "b"), ((0, 2), "c")]
    assert len(bench.records(Tag.INTENT)) == 3


@asynchronous
async def test_a_bug_in_a_connector_makes_the_run_incomplete() -> None:
    bench = Bench(placed(2, "bug"), handler=script())
    flight = await bench.run()
    assert flight.state == bench.row.state == "incomplete"
    error = json.loads(bench.row.error)
    assert error["code"] == "fault"
    assert "world:bug raised KeyError" in error["message"]
    assert bench.row.failed_module == 2


@asynchronous
async def test_an_answer_is_saved_before_a_read_that_follows() -> None:
    async def handler(_request: Request) -> Response:
        assert await spins(lambda: PLACE in bench.store.answers)
        return FOUND

    bench = Bench(placed(2, "answer", {"body": "hi"}), placed(3, "find"), handler=handler)
    assert (await bench.run()).state == "finished"
    answer = bench.store.answers[PLACE]
    assert (answer.status, answer.body) == (201, b"hi")


@asynchronous
async def test_what_was_sent_is_saved_before_a_read_that_follows() -> None:
    async def handler(request: Request) -> Response:
        if request.method == "POST":
            return OK
        assert await spins(lambda: bool(bench.records(Tag.DONE, 2)))
        return FOUND

    bench = Bench(placed(2, "send"), placed(3, "find"), handler=handler)
    assert (await bench.run()).state == "finished"


@pytest.mark.parametrize(
    ("name", "state", "sent"), [("send", "uncertain", 1), ("put", "finished", 2)]
)
@asynchronous
async def test_after_a_crash_in_the_middle_of_a_send(name: str, state: str, sent: int) -> None:
    reached = asyncio.Event()

    async def handler(_request: Request) -> Response:
        if reached.is_set():
            return OK
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets that")

    bench = Bench(placed(2, name), handler=handler)
    going = asyncio.create_task(bench.run())
    await reached.wait()
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    bench.crash()
    heir = await bench.claimed()
    assert heir.cautious_until == RUN
    flight = await bench.drive(await bench.flight(heir, read_back=True))
    assert flight.state == bench.row.state == state
    assert len(bench.transport.sent) == sent


@asynchronous
async def test_what_is_recorded_is_not_done_again() -> None:
    bench = Bench(placed(2, "send"), placed(3, "bug"), handler=script(OK))
    flight = await bench.flight(await bench.accepted())
    original = bench.store.inbox.copy()
    await bench.drive(flight)
    bench.store.inbox.update(original)  # as if its end had not been committed
    bench.crash()
    again = await bench.drive(await bench.flight(await bench.claimed(), read_back=True))
    assert again.state == "incomplete"
    assert len(bench.transport.sent) == 1


@pytest.mark.parametrize(
    ("name", "answers", "state"),
    [
        ("send", [Response(200, {}, b"not JSON")], "uncertain"),
        ("send", [Response(422, {}, b"no")], "incomplete"),
        ("twice", [OK, Response(429, {}, b"")], "uncertain"),
        ("twice", [OK, Response(422, {}, b"no")], "uncertain"),
        ("twice", [Response(422, {}, b"no")], "incomplete"),
    ],
)
@asynchronous
async def test_what_fails_after_the_vendor_acted_is_never_offered_again(
    name: str, answers: list[Response], state: str
) -> None:
    bench = Bench(placed(2, name), handler=script(*answers))
    flight = await bench.run()
    assert flight.state == bench.row.state == state
    assert len(bench.transport.sent) == len(answers)


@pytest.mark.parametrize("module", ["send", "put"])
@asynchronous
async def test_who_stood_still_after_the_intent_sends_nothing(module: str) -> None:
    bench = Bench(placed(2, module), handler=script(OK))
    bench.held = False
    flight = await bench.run()
    assert isinstance(flight.error, NotSent)
    assert flight.again  # nothing is in doubt, and it has its owner still
    assert bench.transport.sent == []


@asynchronous
async def test_who_stood_still_while_another_took_over_neither_sends_nor_writes() -> None:
    bench = Bench(placed(2, "send"), handler=script(OK))
    claim = await bench.accepted()
    flight = await bench.flight(claim)

    def taken_over(_claim: Claim) -> bool:
        bench.crash()
        bench.store.backlog[ORGANIZATION, SCENARIO, ""].fence += 1
        return False

    bench.driver._operator._holds = taken_over
    await bench.drive(flight)
    assert flight.state == "stale"
    assert claim.stale
    assert bench.transport.sent == []
    assert len(bench.records(Tag.INTENT)) == 1
    assert bench.records(Tag.FAILED) == []


@asynchronous
async def test_who_stood_still_may_look_all_the_same() -> None:
    bench = Bench(placed(2, "find"), handler=script(OK))
    bench.held = False
    await bench.run()
    assert len(bench.transport.sent) == 1
