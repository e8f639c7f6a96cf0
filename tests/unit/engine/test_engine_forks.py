"""Bundles set aside: the rest of their way is a run of its own, the others go on."""

from __future__ import annotations

from typing import Any

import pytest
from engine_kit import Drive, World, module, plan_of, taken_up, when

from junctor.engine.commands import Address
from junctor.engine.context import caller_of
from junctor.engine.journal import Journal
from junctor.errors import DataError, Fault, JunctorError, RateLimited, Reconnect, Uncertain


def refusing(*numbers: Any, error: JunctorError | None = None) -> World:
    """A vendor that refuses these numbers."""
    return World(
        lambda call: (
            (error or DataError(reason="no"))
            if call.arguments.get("n") in numbers
            else [{"sent": call.arguments.get("n")}]
        )
    )


def breaking(**given: Any) -> tuple[Any, ...]:
    return (module(9, "break", given),)


def flow(**given: Any) -> tuple[Any, ...]:
    return (
        module(1, "start"),
        module(2, "each", {"array": "{{1.array}}"}),
        module(3, "send", {"n": "{{2.value}}"}, onerror=breaking(**given)),
        module(4, "put", {"n": "{{3.sent}}", "of": "{{1.name}}"}),
    )


def sent(drive: Drive) -> list[Any]:
    """What the vendor took, in the order of recording."""
    return [each[0]["sent"] for each in drive.outputs(3) if each is not None]


NAMED = [{"array": [1, 2, 3], "name": "Ada"}]


def test_break_sets_the_bundle_aside_and_the_others_go_on() -> None:
    drive = Drive(plan_of(*flow()), refusing(2))
    result = drive.run(NAMED)
    assert (result.status, result.warnings, result.error) == ("finished", 1, None)
    assert sent(drive) == [1, 3]
    (aside,) = drive.asides
    assert aside.result.status == "incomplete"
    assert aside.result.failed == Address(0, 3, (0, 1))
    assert aside.result.again is None


def test_what_was_set_aside_goes_on_from_the_failed_module() -> None:
    drive = Drive(plan_of(*flow()), refusing(2))
    drive.run(NAMED)
    (aside,) = drive.asides
    again = taken_up(drive, aside, refusing())
    result = again.run(resume=True)
    assert (result.status, result.warnings) == ("finished", 0)
    assert [call.arguments for call in again.world.calls] == [{"n": 2}, {"n": 2, "of": "Ada"}]


def test_what_others_gave_later_on_their_ways_is_not_taken_along() -> None:
    drive = Drive(plan_of(*flow()), refusing(2, 3))
    drive.run(NAMED)
    for aside in drive.asides:  # the first bundle went all the way
        assert set(aside.header["fork"]["env"]) == {"1", "2"}


def test_one_that_an_earlier_release_set_aside_goes_on_with_all_it_has() -> None:
    drive = Drive(plan_of(*flow()), refusing(2))
    drive.run(NAMED)
    (aside,) = drive.asides
    aside.header["fork"]["env"] |= {"4": {"n": 1}}
    again = taken_up(drive, aside, refusing())
    assert again.run(resume=True).status == "finished"
    assert [call.arguments for call in again.world.calls] == [{"n": 2}, {"n": 2, "of": "Ada"}]


def test_one_that_fails_again_is_as_it_was() -> None:
    drive = Drive(plan_of(*flow()), refusing(2))
    drive.run(NAMED)
    again = taken_up(drive, drive.asides[0], refusing(2))
    result = again.run(resume=True)
    assert (result.status, result.warnings, again.asides) == ("incomplete", 0, [])
    assert again.run(resume=True).status == "incomplete"
    again.world = refusing()
    assert again.run(resume=True).status == "finished"


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_run_that_sets_aside_resumes_from_every_cut(cut: int) -> None:
    whole = Drive(plan_of(*flow()), refusing(2))
    expected = whole.run(NAMED)
    drive = Drive(whole.plan, refusing(2))
    drive.records = whole.records[:cut]
    result = drive.run(NAMED, resume=True)
    if drive.records[cut - 1][0] == 2:  # cut off while it was being sent
        assert result.status == "uncertain"
        return
    assert (result.status, result.warnings) == (expected.status, expected.warnings)
    assert sent(drive) == [1, 3]
    stored = any(record[0] == 1 and record[5] is None for record in whole.records[:cut])
    assert len(drive.asides) == (0 if stored else 1)


def test_retries_of_break_are_as_often_as_it_says() -> None:
    drive = Drive(plan_of(*flow(retry=True, count="2", interval="5")), refusing(2))
    drive.run(NAMED)
    (aside,) = drive.asides
    assert (aside.result.again, aside.header["again"]) == (300, {"count": 2, "interval": 300})


def test_an_aggregator_gives_the_bundle_that_was_set_aside_later_and_alone() -> None:
    plan = plan_of(
        module(1, "start"),
        module(2, "each", {"array": "{{1.array}}"}),
        module(3, "send", {"n": "{{2.value}}"}, onerror=breaking()),
        module(4, "collect", {"n": "{{3.sent}}"}, parameters={"feeder": 2}),
        module(5, "put", {"all": '{{map(4.array; "n")}}'}),
    )
    drive = Drive(plan, refusing(2))
    drive.run(NAMED)
    assert drive.world.calls[-1].arguments == {"all": [1, 3]}
    again = taken_up(
        drive, drive.asides[0], World(lambda call: [{"sent": call.arguments.get("n")}])
    )
    assert again.run(resume=True).status == "finished"
    assert again.world.calls[-1].arguments == {"all": [2]}


def test_variables_are_those_of_the_moment() -> None:
    plan = plan_of(
        module(1, "start"),
        module(2, "each", {"array": "{{1.array}}"}),
        module(3, "set", {"variables": {"seen": "{{2.value}}"}}),
        module(4, "send", {"n": "{{2.value}}"}, onerror=breaking()),
        module(5, "get", {"names": ["seen"]}),
        module(6, "put", {"seen": "{{5.seen}}"}),
    )
    drive = Drive(plan, refusing(2))
    drive.run(NAMED)
    again = taken_up(drive, drive.asides[0], World())
    again.run(resume=True)
    assert again.world.calls[-1].arguments == {"seen": 2}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DataError(reason="x"), "finished"),
        (RateLimited(), "finished"),
        (Reconnect(), "incomplete"),
        (Fault(reason="x"), "incomplete"),
        (Uncertain(), "uncertain"),
    ],
)
def test_a_scenario_that_stores_incomplete_runs_goes_on_without_a_handler(
    error: JunctorError, status: str
) -> None:
    modules = flow()
    plain = (*modules[:2], module(3, "send", {"n": "{{2.value}}"}), modules[3])
    drive = Drive(plan_of(*plain, dlq=True), refusing(2, error=error))
    result = drive.run(NAMED)
    assert result.status == status
    assert len(drive.asides) == (status == "finished")
    assert Drive(plan_of(*plain), refusing(2, error=error)).run(NAMED).status != "finished"


def test_the_first_module_stops_the_run() -> None:
    plan = plan_of(module(3, "send", {"n": 2}), module(4, "put", {}), dlq=True)
    assert Drive(plan, refusing(2)).run().status == "incomplete"


def test_an_edited_bundle_is_what_the_rest_sees() -> None:
    drive = Drive(plan_of(*flow()), refusing(2))
    drive.run(NAMED)
    again = taken_up(drive, drive.asides[0], refusing(2))
    result = again.run(resume=True, edits={(0, 2, (0, 1)): {"value": 7}})
    assert result.status == "finished"
    assert again.world.calls[0].arguments == {"n": 7}


def test_edits_of_a_run_that_stopped_are_what_the_rest_sees() -> None:
    modules = flow()
    plain = (*modules[:2], module(3, "send", {"n": "{{2.value}}"}), modules[3])
    drive = Drive(plan_of(*plain), refusing(2))
    assert drive.run(NAMED).status == "incomplete"
    edits = {(0, 2, (0, 1)): {"value": 7}, (0, 1, (0,)): {**NAMED[0], "name": "Eve"}}
    assert drive.run(resume=True, edits=edits).status == "finished"
    assert [call.arguments for call in drive.world.calls if call.address.module == 4] == [
        {"n": 1, "of": "Ada"},
        {"n": 7, "of": "Eve"},
        {"n": 3, "of": "Eve"},
    ]


def test_a_fork_keeps_large_bundles_and_says_where_it_comes_from() -> None:
    drive = Drive(plan_of(*flow()), refusing(2))
    drive.run([{"array": [1, 2], "name": "x" * 100_000}])
    again = taken_up(
        drive, drive.asides[0], World(lambda call: [{"sent": call.arguments.get("n")}])
    )
    assert again.blobs
    again.run(resume=True)
    assert len(again.world.calls[-1].arguments["of"]) == 100_000
    header = again.records[0][1]
    assert (header["run"], header["origin"]) == ("run_2", "run_1")
    assert Journal().take() is None


def test_it_calls_as_the_run_it_comes_from_where_it_fell_and_as_itself_after_that() -> None:
    flows = (*flow()[:3], module(4, "put", {"n": "{{3.sent}}"}, onerror=(module(8, "break"),)))
    drive = Drive(plan_of(*flows), refusing(2))
    drive.run(NAMED)
    first = taken_up(drive, drive.asides[0], World(lambda call: refused(call.address.module)))
    header = first.records[0][1]
    assert caller_of(header, Address(0, 3, (0, 1), 4)) == "run_1"
    assert caller_of(header, Address(0, 4, (0, 1))) == caller_of(header) == "run_2"
    first.run(resume=True)
    second = taken_up(first, first.asides[0], World()).records[0][1]
    assert caller_of(second, Address(0, 4, (0, 1))) == "run_2"
    assert caller_of({"run": "run_4", "origin": "run_3"}) == "run_3"  # of an earlier release


def refused(module_id: int) -> Any:
    return [{"sent": 2}] if module_id == 3 else DataError(reason="no")


@pytest.mark.parametrize("dlq", [False, True])
def test_one_whose_filter_fails_is_set_aside_once_however_often_the_run_is_resumed(
    dlq: bool,
) -> None:
    fails = when('{{if(2.value = 2; parseNumber("x"); 2.value)}}', "number:greater", 0)
    handler = () if dlq else breaking()
    plan = plan_of(
        module(1, "start"),
        module(2, "each", {"array": "{{1.array}}"}),
        module(3, "send", {"n": "{{2.value}}"}, filter=fails, onerror=handler),
        dlq=dlq,
    )
    whole = Drive(plan)
    assert (whole.run(NAMED).status, len(whole.asides)) == ("finished", 1)
    stored = next(n for n, each in enumerate(whole.records) if each[0] == 1 and each[5] is None)
    for cut in range(stored + 1, len(whole.records) + 1):
        drive = Drive(plan)
        drive.records = whole.records[:cut]
        uncertain = drive.records[-1][0] == 2  # cut off while it was being sent
        status = "uncertain" if uncertain else "finished"
        assert (drive.run(NAMED, resume=True).status, drive.asides) == (status, [])


def test_one_whose_filter_fails_stays_set_aside_when_the_run_is_retried() -> None:
    fails = when('{{if(2.value = 2; parseNumber("x"); 2.value)}}', "number:greater", 0)
    plan = plan_of(
        module(1, "start"),
        module(2, "each", {"array": "{{1.array}}"}),
        module(3, "send", {"n": "{{2.value}}"}, filter=fails, onerror=breaking()),
        module(4, "put", {"n": "{{3.sent}}"}),
    )
    last = (4, (0, 2))
    stops = World(
        lambda call: DataError(reason="no") if call.address[1:3] == last else [{"sent": 1}]
    )
    drive = Drive(plan, stops)
    assert (drive.run(NAMED).status, len(drive.asides)) == ("incomplete", 1)
    drive.world = World()
    assert (drive.run(NAMED, resume=True).status, len(drive.asides)) == ("finished", 1)
