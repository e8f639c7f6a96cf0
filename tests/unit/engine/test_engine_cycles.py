"""Cycles: how often a run goes through its modules, and when it commits."""

from __future__ import annotations

from typing import Any

import pytest
from engine_kit import Drive, Number, World, kit, module, plan_of, when

from junctor.engine.commands import Call, Settle
from junctor.errors import DataError, RateLimited, Uncertain, VendorUnavailable
from junctor.language.connector import Bundle, Poll

POLL = Poll(id=lambda item: str(item["n"]))


def _never(**_arguments: Any) -> Any:
    raise AssertionError("the engine called what only the driver may")


kit.module("Watches", kind="trigger", name="watch", effect="read", poll=POLL)(_never)
kit.module("Writes", kind="action", name="write", effect="idempotent", transactional=True)(_never)


@kit.module("Gives samples", kind="trigger")
def samples(n: Number = 2) -> list[Bundle]:
    return [{"n": each} for each in range(int(n))]


@kit.module("Names", kind="namer", name="name", raw=True)
def name_(_parameters: Any, mapper: Any) -> Bundle:
    return {"name": mapper["name"]}


@kit.module("Returns", kind="returner", name="return", raw=True)
def return_(_parameters: Any, mapper: Any) -> Bundle:
    return dict(mapper)


def watching(*batches: list[Bundle]) -> World:
    left = list(batches)

    def script(call: Call) -> Any:
        return left.pop(0) if call.module.name == "watch" else [{"ok": True}]

    return World(script)


def settled(drive: Drive) -> list[tuple[int, str, bool]]:
    return [
        (each.cycle, each.records, each.trigger)
        for each in drive.commands
        if isinstance(each, Settle)
    ]


def polling(drive: Drive, **given: Any) -> Any:
    """Runs with a trigger that is asked."""
    return drive.run(ask=True, **given)


def test_a_trigger_is_asked_until_nothing_is_new() -> None:
    world = watching([{"n": 1}, {"n": 2}], [{"n": 3}], [])
    drive = Drive(plan_of(module(1, "watch"), module(2, "put", {"n": "{{1.n}}"})), world)
    result = polling(drive, cycles=10)
    assert [call.arguments for call in world.calls if call.module.name == "put"] == [
        {"n": 1}, {"n": 2}, {"n": 3},
    ]  # fmt: skip
    assert (result.status, result.operations) == ("finished", 6)  # the trigger: one per cycle
    assert settled(drive) == [(0, "commit", True), (1, "commit", True), (2, "commit", True)]


def test_a_trigger_is_asked_no_more_often_than_the_cycles() -> None:
    world = watching([{"n": 1}], [{"n": 2}], [{"n": 3}])
    result = polling(Drive(plan_of(module(1, "watch")), world), cycles=2)
    assert (len(world.calls), result.operations) == (2, 2)


def test_without_a_trigger_there_are_always_so_many_cycles() -> None:
    drive = Drive(plan_of(module(1, "put", {})))
    assert polling(drive, cycles=3).operations == 3
    assert [call.address.cycle for call in drive.world.calls] == [0, 1, 2]


def test_a_trigger_without_asking_gives_what_it_has_once() -> None:
    drive = Drive(plan_of(module(1, "samples", {"n": 3}), module(2, "put", {"n": "{{1.n}}"})))
    assert polling(drive, cycles=5).operations == 4
    assert [call.arguments for call in drive.world.calls] == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_given_bundles_are_taken_instead_of_asking() -> None:
    world = watching()
    drive = Drive(plan_of(module(1, "watch"), module(2, "put", {"n": "{{1.n}}"})), world)
    drive.run([{"n": 7}], cycles=5)
    assert [call.arguments for call in world.calls] == [{"n": 7}]


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_run_of_several_cycles_resumes_from_every_cut(cut: int) -> None:
    flow = (module(1, "watch"), module(2, "put", {"n": "{{1.n}}"}))
    whole = Drive(plan_of(*flow), watching([{"n": 1}, {"n": 2}], [{"n": 3}], []))
    expected = polling(whole, cycles=10)
    assert len(whole.records) > cut
    drive = Drive(plan_of(*flow))
    drive.records = whole.records[:cut]
    done = sum(record[0] == 3 and record[2] == 1 for record in drive.records)
    drive.world = watching(*[[{"n": 1}, {"n": 2}], [{"n": 3}], []][done:])
    result = polling(drive, resume=True, cycles=10)
    assert (result.status, result.operations) == (expected.status, expected.operations)
    assert drive.outputs(2) == whole.outputs(2)


def test_a_failed_question_leaves_nothing_to_resume() -> None:
    drive = Drive(plan_of(module(1, "watch")), World(lambda _: DataError(reason="no")))
    result = polling(drive)
    assert (result.status, settled(drive)) == ("failed", [(0, "rollback", False)])


@pytest.mark.parametrize(
    ("error", "handler", "status", "records"),
    [
        (DataError(reason="x"), None, "incomplete", "hold"),
        (Uncertain(), None, "uncertain", "hold"),
        (DataError(reason="x"), "rollback", "failed", "rollback"),
        (DataError(reason="x"), "commit", "finished", "commit"),
        (DataError(reason="x"), "ignore", "finished", "commit"),
        (DataError(reason="x"), "break", "finished", "commit"),
        (VendorUnavailable(status=500), None, "incomplete", "hold"),
    ],
)
def test_how_a_cycle_ends_decides_what_is_kept(
    error: Any, handler: str | None, status: str, records: str
) -> None:
    onerror = () if handler is None else (module(9, handler),)
    flow = (module(1, "write", {}), module(2, "put", {}, onerror=onerror))
    world = World(lambda call: error if call.module.name == "put" else [{}])
    drive = Drive(plan_of(*flow), world)
    assert drive.run().status == status
    assert settled(drive) == [(0, records, records != "rollback")]


def test_what_can_not_be_committed_stops_the_run() -> None:
    drive = Drive(plan_of(module(1, "write", {})))
    drive.settle_error = DataError(reason="changed meanwhile")
    result = drive.run(cycles=3)
    assert (result.status, result.error) == ("incomplete", drive.settle_error)
    assert len(settled(drive)) == 1


def test_without_anything_to_commit_nothing_is_asked_for() -> None:
    drive = Drive(plan_of(module(1, "put", {})))
    drive.run()
    assert settled(drive) == []


def test_a_run_gives_back_and_is_named() -> None:
    flow = (module(1, "name", {"name": "for {{1+1}}"}), module(2, "return", {"a": 1}))
    drive = Drive(plan_of(*flow))
    assert drive.run().name == "for 2"
    (response,) = drive.responses
    assert (response.status, response.body) == (200, b"\x81\xa1a\x01")
    assert not drive.plan.respond


def test_waiting_for_a_vendors_budget_is_no_attempt() -> None:
    left = 20

    def script(_call: Call) -> Any:
        nonlocal left
        left -= 1
        return [{}] if left < 0 else RateLimited(retry_after=40.0, budget="per day")

    drive = Drive(plan_of(module(1, "put", {})), World(script))
    assert drive.run().status == "finished"
    assert [wait.seconds for wait in drive.waits] == [40.0] * 20
    left = 20
    resumed = Drive(plan_of(module(1, "put", {})), World(script))
    resumed.records = [record for record in drive.records if record[0] not in (3, 7)]
    assert resumed.run(resume=True).status == "finished"


def failing_poll(*onerror: Any) -> Drive:
    flow = (module(1, "watch", onerror=onerror), module(3, "put", {"n": "{{1.n}}"}))
    return Drive(plan_of(*flow), World(lambda _call: DataError(reason="no")))


@pytest.mark.parametrize(
    ("directive", "status", "put"),
    [
        (module(4, "ignore"), "finished", []),
        (module(4, "resume", {"n": "{{1.error.type}}"}), "incomplete", [{"n": "DataError"}]),
        (module(4, "commit"), "finished", []),
        (module(4, "rollback"), "failed", []),
        (module(4, "break", {}), "failed", []),
        (module(4, "ignore", filter=when("{{1.error.type}}", "text:equal", "x")), "failed", []),
    ],
)
def test_a_trigger_that_fails_has_its_handler(directive: Any, status: str, put: Any) -> None:
    drive = failing_poll(directive)
    result = polling(drive, cycles=5)
    assert result.status == status
    assert [call.arguments for call in drive.world.calls if call.module.name == "put"] == put
    assert drive.asides == []
    end = status in {"finished", "incomplete"}
    assert settled(drive) == [(0, {"incomplete": "hold"}.get(status, "commit"), True)] * end or (
        settled(drive) == [(0, "rollback", False)]
    )
    asked = len(drive.world.calls)
    for cut in range(len(drive.records)):
        again = failing_poll(directive)
        again.records = drive.records[:cut]
        assert polling(again, cycles=5, resume=True).status == status
    if directive.filter is None:
        assert polling(drive, cycles=5, resume=True).status == status
        assert len(drive.world.calls) == asked + (status == "incomplete")
