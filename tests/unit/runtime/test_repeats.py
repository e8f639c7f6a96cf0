"""Journals that repeats begin with, answers from journals, bundles on a way, and differences."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from engine_kit import Drive, World, module, plan_of, route, when

from junctor.engine.commands import Address
from junctor.engine.forks import journal_of
from junctor.engine.journal import Journal, Tag, decode_segment, encode_segment
from junctor.engine.plan import Plan, downstream
from junctor.errors import Conflict, DataError, Misconfigured, NotSent, Uncertain
from junctor.runtime.compared import Change, beside, compare
from junctor.runtime.held import held
from junctor.runtime.plans import Prepared
from junctor.runtime.repeats import OUTCOMES, Repeat, begins, look
from junctor.runtime.retold import Answers, Told, tell

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def prepared(plan: Plan) -> Prepared:
    return Prepared(
        organization_id=UUID(int=1), scenario_id=UUID(int=2), version=plan.version, name="test",
        plan=plan, zone=UTC, locale="en", country="", organization_name="o",
    )  # fmt: skip


def repeat(records: list[Any], plan: Plan, **given: Any) -> Repeat:
    return Repeat(
        past=look(records), prepared=prepared(plan), run_id="run_2", origin="run_1",
        detail="full", **given,
    )  # fmt: skip


def begun(records: list[Any], plan: Plan, **given: Any) -> list[list[Any]]:
    """The records that the repeat begins with."""
    return [
        record
        for segment in repeat(records, plan, **given).segments(records)
        for record in decode_segment(encode_segment(segment.raw), segment.blobs)
    ]


def told_on(drive: Drive, plan: Plan) -> tuple[Told, list[Change]]:
    made = repeat(drive.records, plan, same=True)
    told = tell(
        made.prepared, made.segments(drive.records), Answers(drive.records), run_id="r", now=NOW
    )
    keeps = made.keeps()
    again = [each for each in drive.records if not (each[0] in OUTCOMES and keeps(each))]
    return told, compare(made.past, again, told, warnings=0)


def flow(value: str = "{{2.value}}", *more: Any) -> Plan:
    return plan_of(
        module(1, "start"),
        module(2, "each", {"array": "{{1.array}}"}),
        module(3, "keep", {"n": value}),
        module(4, "send", {"n": "{{3.n}}"}, flags={"retry": {"attempts": 1}}),
        *more,
    )


GIVEN = [{"array": [1, 2, 3]}]


def refusing(*numbers: Any, error: Any = None) -> World:
    return World(
        lambda call: (
            (error or DataError(reason="no"))
            if call.arguments["n"] in numbers
            else [{"sent": call.arguments["n"]}]
        )
    )


def test_a_whole_repeat_keeps_only_what_the_trigger_gave() -> None:
    drive = Drive(flow())
    drive.run(GIVEN)
    made = begun(drive.records, drive.plan)
    assert [(each[0], each[2]) for each in made if each[0] != Tag.HEADER] == [(Tag.OPERATION, 1)]
    header = made[0][1]
    assert (header["run"], header["origin"], header["version"]) == ("run_2", "run_1", 0)


def test_a_trigger_that_has_another_number_now_is_still_the_trigger() -> None:
    drive = Drive(flow())
    drive.run(GIVEN)
    other = plan_of(module(7, "start"), module(2, "each", {"array": "{{7.array}}"}))
    made = begun(drive.records, other)
    assert [each[2] for each in made if each[0] == Tag.OPERATION] == [7]


def test_a_version_without_its_trigger_data_is_refused() -> None:
    drive = Drive(plan_of(module(3, "keep", {"n": 1})))
    drive.run()
    with pytest.raises(Conflict, match="begins with a trigger"):
        begun(drive.records, flow())
    with pytest.raises(Conflict, match="nothing that could be repeated"):
        begun([], flow())
    with pytest.raises(Misconfigured, match="no module 9"):
        begun(drive.records, drive.plan, start=9)


def test_a_run_whose_failed_module_is_gone_says_what_to_do() -> None:
    other = plan_of(module(1, "start"), module(5, "send", {}))
    with pytest.raises(Misconfigured, match=r"module 4.*does not have.*--from.*it has 1, 5"):
        begins(other, Address(0, 4, (0, 1)), None)
    assert begins(other, Address(0, 4, (0, 1)), 5) == 5
    assert begins(flow(), Address(0, 4, (0, 1)), None) == 4
    assert begins(flow(), Address(0, 4, (0, 1)), 2) == 2
    with pytest.raises(Misconfigured, match="does not come after module 4"):
        begins(flow(), Address(0, 2, (0,)), 4)


def test_after_a_stop_only_the_way_that_failed_is_done_again() -> None:
    drive = Drive(flow(), refusing(2))
    drive.run(GIVEN)
    past = look(drive.records)
    at = past.failed
    assert at == Address(0, 4, (0, 1))
    made = begun(drive.records, drive.plan, start=3, cycle=0, way=at.path, same=True)
    kept = [(each[2], each[3]) for each in made if each[0] in OUTCOMES]
    assert (4, [0, 0]) in kept
    assert (4, [0, 1]) not in kept
    assert (3, [0, 1]) not in kept
    again = Drive(drive.plan, World())
    again.records = made
    assert again.run(resume=True).status == "finished"
    assert [call.address.path for call in again.world.calls] == [(0, 1), (0, 2)]


def test_what_another_module_did_under_a_number_is_not_taken() -> None:
    drive = Drive(flow())
    drive.run(GIVEN)
    other = plan_of(
        module(1, "start"), module(2, "each", {"array": "{{1.array}}"}),
        module(3, "put", {"n": "{{2.value}}"}), module(4, "send", {"n": "{{3.sent}}"}),
    )  # fmt: skip
    made = begun(drive.records, other, start=4)
    assert {each[2] for each in made if each[0] in OUTCOMES} == {1, 2}
    told, changes = told_on(drive, other)
    assert {place[1] for place in told.new} == {3}
    assert {each.kind for each in changes} == {"added", "arguments", "output"}


def test_after_a_handler_comes_what_follows_the_module_that_failed() -> None:
    plan = plan_of(
        module(1, "start"),
        module(
            2, "send", {}, onerror=(module(8, "keep", {}), module(9, "resume", {"a": "{{8.x}}"}))
        ),
        module(3, "router", routes=(route(module(4, "put", {})), route(module(5, "put", {})))),
    )
    assert downstream(plan, 8) == {8, 9, 3, 4, 5}
    assert downstream(plan, 4) == {4}
    assert downstream(plan, 2) == {2, 8, 9, 3, 4, 5}


def test_the_bundles_on_a_way_are_those_that_it_could_see() -> None:
    plan = plan_of(
        module(1, "start"),
        module(2, "find", {}),
        module(3, "keep", {"n": "{{2.id}}"}),
        module(4, "send", {"n": "{{2.id}}"}, flags={"retry": {"attempts": 1}}),
    )
    world = World(
        lambda call: (
            [{"id": 1}, {"id": 2}]
            if call.address.module == 2
            else DataError(reason="no")
            if call.arguments["n"] == 2
            else [{}]
        )
    )
    drive = Drive(plan, world)
    drive.run([{"a": 1}])
    past = look(drive.records)
    assert past.failed is not None
    found = held(plan, past, drive.records, past.failed)
    assert found[1].bundle == {"a": 1}
    assert (found[2].path, found[2].bundle["id"]) == ((0, 1), 2)
    assert found[2].bundle["__IMTINDEX__"] == 2
    assert 4 not in found
    past.values["edit 0"] = [0, 2, [0, 1], {"id": 7}]
    past.values["edit 1"] = [0, 2, [0, 0], {"id": 8}]
    changed = held(plan, past, drive.records, past.failed)[2]
    assert (changed.bundle, changed.edited) == ({"id": 7}, True)


def test_of_a_bundle_that_was_set_aside_only_what_comes_before_is_shown() -> None:
    plan = plan_of(
        module(1, "start"),
        module(2, "each", {"array": "{{1.array}}"}),
        module(3, "send", {"n": "{{2.value}}"}, onerror=(module(9, "break", {}),),
               flags={"retry": {"attempts": 1}}),
        module(4, "put", {"n": "{{3.sent}}"}),
    )  # fmt: skip
    drive = Drive(plan, refusing(2))
    drive.run(GIVEN)
    (aside,) = drive.asides
    past = look(as_records(journal_of(aside, "run_2")))
    assert past.failed is not None
    found = held(plan, past, [], past.failed)
    assert {number: each.bundle for number, each in found.items()} == {
        1: GIVEN[0],
        2: {"value": 2, "__IMTINDEX__": 2, "__IMTLENGTH__": 3},
    }


def as_records(journal: Journal) -> list[list[Any]]:
    segment = journal.take()
    assert segment is not None
    return list(decode_segment(encode_segment(segment.raw), segment.blobs))


def test_what_a_person_changed_or_settled_is_no_change_of_the_version() -> None:
    drive = Drive(flow(), refusing(2))
    assert drive.run(GIVEN).status == "incomplete"
    drive.world = World()
    edits = {(0, 2, (0, 1)): {"value": 7}, (0, 3, (0, 1)): {"n": 7}}
    drive.run(resume=True, edits=edits)
    failed = next(n for n, each in enumerate(drive.records) if each[0] == Tag.FAILED)
    drive.records[failed + 1 : failed + 1] = [
        [Tag.VALUE, f"edit {module}", [cycle, module, list(path), bundle]]
        for (cycle, module, path), bundle in edits.items()
    ]
    _, changes = told_on(drive, drive.plan)
    assert changes == []
    done = next(each for each in drive.records if each[0] == Tag.DONE)
    done[8] = None  # as a person said that it was done
    _, changes = told_on(drive, drive.plan)
    assert changes == []


def test_a_draft_that_sends_something_else_is_told_so() -> None:
    drive = Drive(flow())
    drive.run(GIVEN)
    told, changes = told_on(drive, flow("{{2.value + 10}}"))
    assert told.result.status == "finished"
    sent = [each for each in changes if each.kind == "arguments"]
    assert next((each.before, each.after) for each in sent) == ({"n": 1}, {"n": 11})
    assert len(sent) == 3


def test_one_that_stops_bundles_or_fails_is_told_so() -> None:
    drive = Drive(flow())
    drive.run(GIVEN)
    only = module(5, "put", {}, filter=when("{{3.n}}", "number:equal", "2"))
    _, changes = told_on(drive, flow("{{2.value}}", only))
    assert [(each.kind, each.module) for each in changes] == [("stopped", 5), ("added", 5)]
    _, failing = told_on(drive, flow('{{parseDate("x")}}'))
    assert [each.kind for each in failing][:2] == ["status", "error"]
    assert "removed" in {each.kind for each in failing}


def test_a_run_that_was_resumed_is_told_as_it_ended() -> None:
    drive = Drive(flow(), refusing(2, error=NotSent(host="h", reason="r")))
    assert drive.run(GIVEN).status == "incomplete"
    drive.world = World()
    assert drive.run(resume=True).status == "finished"
    told, changes = told_on(drive, drive.plan)
    assert told.result.status == "finished"
    assert changes == []


def test_an_unknown_outcome_stays_one() -> None:
    drive = Drive(flow(), refusing(2, error=Uncertain()))
    assert drive.run(GIVEN).status == "uncertain"
    _, changes = told_on(drive, drive.plan)
    assert changes == []
    cut = [each for each in drive.records if each[0] not in (Tag.FAILED, Tag.END)]
    answers = Answers(cut)
    call = replace(drive.world.calls[1])
    outcome = answers.of(call)
    assert outcome is not None
    assert isinstance(outcome.error, Uncertain)


def test_two_runs_are_compared_without_what_their_triggers_gave() -> None:
    one, two = Drive(flow()), Drive(flow(), refusing(3))
    one.run(GIVEN)
    two.run([{"array": [1, 2, 3], "more": True}])
    found = beside(look(one.records), one.records, look(two.records), two.records, warnings=(0, 0))
    assert [each.kind for each in found] == ["status", "error", "outcome"]
    assert (
        beside(look(one.records), one.records, look(one.records), one.records, warnings=(0, 0))
        == []
    )
