from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from engine_kit import (
    Drive,
    Text,
    World,
    arguments,
    encode_records,
    kit,
    module,
    plan_of,
    route,
    when,
)

from junctor import errors
from junctor.engine.commands import Address, Call, Flush
from junctor.engine.journal import BREATH, FIRST, error_record
from junctor.engine.recording import Recording
from junctor.errors import Conflict, DataError, NotSent, Uncertain
from junctor.language.connector import Bundle, Effect
from junctor.language.scenario import Module

SEND = (module(1, "start"), module(2, "send", {"n": "{{1.n}}"}), module(3, "put", {"after": 1}))


def sending(script: list[Any]) -> World:
    """A world in which module 2 goes as scripted, and all else well."""
    left = list(script)

    def answer(call: Any) -> Any:
        outcome = left.pop(0) if call.address.module == 2 and left else None
        return outcome if outcome is not None else [{"ok": True}]

    return World(answer)


def test_a_resumed_failure_is_tried_again_with_all_its_attempts() -> None:
    drive = Drive(plan_of(*SEND), sending([NotSent()] * 5 + [NotSent()] * 2 + [[{"id": 1}]]))
    assert drive.run([{"n": 1}]).status == "incomplete"
    assert [address.attempt for address in drive.addresses()] == [0, 1, 2, 3, 4]
    assert drive.run(resume=True).status == "finished"
    assert [address.attempt for address in drive.addresses()[5:8]] == [5, 6, 7]
    assert [wait.seconds for wait in drive.waits] == pytest.approx([1, 2, 4, 8, 1, 2], rel=0.2)
    assert arguments(drive.world.calls[5:]) == [{"n": 1}] * 3 + [{"after": 1}]


def test_a_refused_bundle_is_asked_for_again_when_resumed() -> None:
    drive = Drive(plan_of(*SEND), sending([DataError(), DataError()]))
    first = drive.run([{"n": 1}])
    again = drive.run(resume=True)
    assert (first.failed, again.failed) == (Address(0, 2, (0,), 0), Address(0, 2, (0,), 1))
    assert drive.run(resume=True).status == "finished"
    assert [record[1]["status"] for record in drive.records if record[0] == 7] == [
        "incomplete",
        "incomplete",
        "finished",
    ]


def test_a_pure_failure_is_evaluated_again_when_resumed() -> None:
    outcomes: list[Any] = [errors.DataError(reason="first"), {"ok": 1}]

    def sometimes(_parameters: Any, _mapper: Any) -> Bundle:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return dict(outcome)

    kit.modules.pop("sometimes", None)
    kit.transform("Sometimes", raw=True, name="sometimes")(sometimes)
    drive = Drive(plan_of(module(1, "sometimes"), module(2, "send", {"ok": "{{1.ok}}"})))
    assert drive.run().status == "incomplete"
    assert drive.run(resume=True).status == "finished"
    assert arguments(drive.world.calls) == [{"ok": 1}]
    assert drive.run(resume=True).status == "finished"
    kit.modules.pop("sometimes")


def test_recorded_pure_outputs_are_taken_not_evaluated() -> None:
    drive = Drive(plan_of(module(1, "start"), module(2, "upper", {"text": "{{1.t}}"})))
    drive.run([{"t": "a"}])
    drive.records[-2][5] = {"text": "as recorded"}
    drive.records[-1:] = []
    drive.plan = plan_of(
        module(1, "start"),
        module(2, "upper", {"text": "{{1.t}}"}),
        module(3, "send", {"t": "{{2.text}}"}),
    )
    drive.records[0][1]["pins"][3] = ["kit:send", 1, ""]
    drive.run(resume=True)
    assert arguments(drive.world.calls) == [{"t": "as recorded"}]


def cut(drive: Drive, tag: int) -> None:
    """Forgets all from the first record of this kind on."""
    index = next(i for i, record in enumerate(drive.records) if record[0] == tag)
    del drive.records[index:]


def test_a_wait_that_was_begun_keeps_its_end() -> None:
    drive = Drive(plan_of(*SEND), sending([NotSent()]))
    drive.run([{"n": 1}])
    index = next(i for i, record in enumerate(drive.records) if record[0] == 8)
    del drive.records[index + 1 :]
    drive.run(resume=True)
    first, second = drive.waits
    assert (first.due, second.due) == (None, 1000.0 + first.seconds)


def test_a_sleep_is_slept_once() -> None:
    drive = Drive(
        plan_of(module(1, "sleep", {"duration": 30}), module(2, "send", {})), detail="errors"
    )
    drive.run()
    drive.run(resume=True)
    assert len(drive.waits) == 1
    cut(drive, 1)
    drive.run(resume=True)
    assert [(wait.seconds, wait.due) for wait in drive.waits[1:]] == [(30.0, 1030.0)]


def test_a_once_effect_with_an_open_intent_is_uncertain_and_not_asked_for() -> None:
    drive = Drive(plan_of(*SEND))
    drive.run([{"n": 1}])
    cut(drive, 3)
    drive.world.calls.clear()
    for _ in range(2):
        result = drive.run(resume=True)
        assert (result.status, result.failed) == ("uncertain", Address(0, 2, (0,), 0))
        assert isinstance(result.error, Uncertain)
    assert drive.world.calls == []
    assert [record[0] for record in drive.records].count(7) == 1


@pytest.mark.parametrize("intent_first", [True, False])
def test_an_uncertain_effect_can_be_settled(intent_first: bool) -> None:
    begun = [2, 0, 2, [0], 0, 0, b"hash", None]
    unknown = [5, 0, 2, [0], 0, error_record(Uncertain())]
    for settled, asked in (
        ([3, 0, 2, [0], 0, [{"id": 7}], 0, 0, None], [3]),
        ([5, 0, 2, [0], 0, error_record(NotSent())], [2, 3]),
    ):
        drive = Drive(plan_of(*SEND))
        drive.run([{"n": 1}])
        cut(drive, 2)
        drive.world.calls.clear()
        drive.records += [begun] if intent_first else [begun, unknown]
        assert drive.run(resume=True).status == "uncertain"
        drive.records.append(settled)
        assert drive.run(resume=True).status == "finished"
        assert [address.module for address in drive.addresses()] == asked


def test_an_open_intent_of_what_may_be_repeated_is_asked_for_with_its_hash() -> None:
    drive = Drive(plan_of(module(1, "put", {"n": 1})))
    drive.run()
    cut(drive, 3)
    drive.records += [
        [2, 0, 1, [0], 0, 0, b"h0", None],
        [4, 0, 1, [0], 0, 0, {"status": 201}],
        [2, 0, 1, [0], 0, 1, b"h1", None],
    ]
    drive.run(resume=True)
    call = drive.world.calls[-1]
    assert (call.address, call.intent, call.steps) == (
        Address(0, 1, (0,), 0),
        b"h1",
        {0: {"status": 201}},
    )


def test_a_once_flow_goes_on_where_all_its_requests_were_answered() -> None:
    drive = Drive(plan_of(module(1, "send", {"n": 1})))
    drive.run()
    cut(drive, 3)
    drive.records.append([4, 0, 1, [0], 0, 0, {"status": 201}])
    assert drive.run(resume=True).status == "finished"
    assert drive.world.calls[-1].intent is None
    assert drive.world.calls[-1].steps == {0: {"status": 201}}


def test_the_recordings_trigger_bundles_are_used() -> None:
    drive = Drive(plan_of(*SEND))
    drive.run([{"n": 1}])
    cut(drive, 2)
    drive.run([{"n": 2}, {"n": 3}], resume=True)
    assert arguments(drive.world.calls) == [{"n": 1}, {"after": 1}, {"n": 1}, {"after": 1}]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda header: header.update(engine=99), "engine"),
        (lambda header: header.update(version=7), "version 7"),
        (lambda header: header["pins"].update({2: ["kit:send", 2, ""]}), "Module 2"),
        (lambda header: header["pins"].pop(2), "Module 2"),
    ],
)
def test_a_recording_of_another_plan_is_refused(change: Any, says: str) -> None:
    drive = Drive(plan_of(*SEND))
    drive.run([{"n": 1}])
    change(drive.records[0][1])
    with pytest.raises(Conflict, match=says):
        drive.run(resume=True)


def test_the_values_of_a_run_stay_as_recorded() -> None:
    mapper = {"now": "{{now}}", "r": "{{random}}", "id": "{{uuid}}", "v": "{{var.scenario.x}}"}
    flow = (module(1, "start"), module(2, "send", mapper), module(3, "put", mapper))
    drive = Drive(plan_of(*flow))
    tokyo = ZoneInfo("Asia/Tokyo")
    drive.run([{}, {}], variables={"scenario": {"x": 1}}, zone=tokyo)
    assert drive.asked == 1
    calls = arguments(drive.world.calls)
    assert len({call["now"] for call in calls}) == 1
    assert len({call["r"] for call in calls}) == len({call["id"] for call in calls}) == 4
    index = [record[0] for record in drive.records].index(3)
    del drive.records[index + 1 :]
    drive.run(resume=True, seed=b"other", variables={"scenario": {"x": 2}}, zone=UTC)
    assert drive.asked == 1
    assert arguments(drive.world.calls[4:]) == calls[1:]
    assert drive.live is not None
    assert str(drive.live.context.scope.zone) == "Asia/Tokyo"


def test_numbers_drawn_for_a_filter_are_not_those_of_the_mapping() -> None:
    flow = module(
        2,
        "put",
        {"r": "{{random}}", "s": "{{random}}"},
        filter=when("{{random}}", "number:less", 2),
    )
    drive = Drive(plan_of(module(1, "start"), flow))
    drive.run()
    sent = arguments(drive.world.calls)[0]
    assert sent["r"] != sent["s"]
    assert drive.live is not None
    drive.live.context.draw_from(2, (0,), "filter")
    assert drive.live.context.scope.random() not in sent.values()


@pytest.mark.parametrize(("detail", "kept"), [("full", 3), ("first", 3), ("errors", 0)])
def test_what_is_not_recorded_is_counted_and_evaluated_again(detail: Any, kept: int) -> None:
    flow = (
        module(1, "start"),
        module(2, "lines", {"text": "{{1.t}}"}),
        module(3, "keep", {"l": "{{2.line}}"}),
        module(4, "put", {"l": "{{3.l}}"}),
    )
    drive = Drive(plan_of(*flow), detail=detail)
    result = drive.run([{"t": "a b"}])
    pure = [record for record in drive.records if record[0] == 1 and record[2] != 1]
    assert len(pure) == kept
    assert result.unrecorded == (0 if kept else 3)
    # The second effect is still to come; the run keeps the detail that it began with.
    del drive.records[[i for i, record in enumerate(drive.records) if record[0] == 3][1] :]
    drive.detail = "full"
    drive.run(resume=True)
    assert arguments(drive.world.calls) == [{"l": "a"}, {"l": "b"}, {"l": "b"}]
    assert len([record for record in drive.records if record[0] == 1 and record[2] != 1]) == kept


def test_detail_first_resumes_beyond_its_thousand() -> None:
    flow = (
        module(1, "repeat", {"repeats": FIRST + 100}),
        module(2, "keep", {"i": "{{1.i}}"}),
        module(3, "put", {"i": "{{2.i}}"}, filter=when("{{2.i}}", "number:greater", FIRST + 98)),
    )
    drive = Drive(plan_of(*flow), detail="first")
    whole = drive.run()
    assert whole.unrecorded > 100
    cut(drive, 3)
    again = drive.run(resume=True)
    assert arguments(drive.world.calls[2:]) == arguments(drive.world.calls[:2])
    assert (again.operations, again.unrecorded) == (whole.operations, whole.unrecorded)


def test_a_run_gives_way_every_few_operations() -> None:
    drive = Drive(
        plan_of(module(1, "repeat", {"repeats": 3 * BREATH}), module(2, "keep", {"i": "{{1.i}}"}))
    )
    drive.run()
    assert len([each for each in drive.commands if isinstance(each, Flush)]) >= 3


def test_a_full_buffer_asks_for_a_flush() -> None:
    text = "x" * 60_000
    drive = Drive(
        plan_of(
            module(1, "start"),
            module(2, "repeat", {"repeats": 10}),
            module(3, "keep", {"t": "{{1.t}}"}),
        )
    )
    drive.run([{"t": text}])
    assert len([each for each in drive.commands if isinstance(each, Flush)]) == 2


def test_a_stream_resumes_where_it_was_cut() -> None:
    text = " ".join(map(str, range(200)))
    drive = Drive(
        plan_of(module(1, "lines", {"text": text}), module(2, "put", {"l": "{{1.line}}"}))
    )
    drive.run()
    whole = [call.arguments["l"] for call in drive.world.calls]
    assert whole == [str(n) for n in range(200)]
    second = [i for i, record in enumerate(drive.records) if record[0] == 1][1]
    del drive.records[second + 10 :]
    drive.world.calls.clear()
    drive.run(resume=True)
    assert [call.arguments["l"] for call in drive.world.calls] == whole[64 + 9 :]
    assert [len(out) for out in drive.outputs(1)] == [64, 64, 64, 8]


def test_what_is_no_bundle_is_a_fault() -> None:
    kit.modules.pop("odd", None)
    kit.transform("Odd", name="odd")(lambda: 5)
    result = Drive(plan_of(module(1, "odd", {}))).run()
    kit.modules.pop("odd")
    assert result.error is not None
    assert "kit:odd gave int" in result.error.message


def test_an_action_may_give_none_or_many() -> None:
    world = sending([[], [{"a": 1}, {"a": 2}]])
    drive = Drive(plan_of(*SEND[:2], module(3, "put", {"a": "{{2.a}}"})), world)
    drive.run([{"n": 1}, {"n": 2}])
    asked = [
        (call.address.path, call.arguments["a"]) for call in world.calls if call.address.module == 3
    ]
    assert asked == [((0,), None), ((1, 0), 1), ((1, 1), 2)]


def test_an_answer_is_sent_once_over_all_resumptions() -> None:
    flow = (
        module(1, "answer", {"body": "1"}),
        module(2, "put", {}),
        module(3, "answer", {"body": "2"}),
    )
    drive = Drive(plan_of(*flow))
    drive.run()
    for index in range(len(drive.records), 1, -1):
        del drive.records[index:]
        again = Drive(drive.plan, records=list(drive.records))
        again.run(resume=True)
        recorded = any(record[0] == 9 for record in drive.records)
        assert [each.body for each in again.responses] == ([] if recorded else [b"1"])


def test_variables_of_scope_execution_outlive_a_cycle() -> None:
    def values(scope: str) -> Any:
        return {"variables": {scope: 1}, "scope": scope}

    reads = (
        module(2, "get", {"names": ["roundtrip", "execution"]}),
        module(3, "put", {"r": "{{2.roundtrip}}", "e": "{{2.execution}}"}),
    )
    sets = (module(4, "set", values("roundtrip")), module(5, "set", values("execution")))
    drive = Drive(plan_of(module(1, "router", routes=(route(*reads), route(*sets)))))
    drive.run(cycles=2)
    first, second = (command for command in drive.commands if isinstance(command, Call))
    assert first.arguments == {"r": None, "e": None}
    assert second.address == Address(1, 3, (0,))
    assert second.arguments == {"r": None, "e": 1}


def test_resuming_keeps_little_in_memory() -> None:
    flow = (module(1, "repeat", {"repeats": 2000}), module(2, "put", {"i": "{{1.i}}"}))
    drive = Drive(plan_of(*flow))
    drive.run()
    segments = [
        encode_records(drive.records[i : i + 100]) for i in range(0, len(drive.records), 100)
    ]
    recording = Recording(segments)
    most = 0
    take = recording.take

    def watched(address: Any, *, pure: bool = False) -> Any:
        nonlocal most
        most = max(most, len(recording._pending))
        return take(address, pure=pure)

    recording.take = watched  # type: ignore[method-assign]  # only to look
    drive.recording = recording
    from junctor.engine.journal import Journal
    from junctor.engine.run import Run

    run = Run(
        drive.plan, run_id="run_1", journal=Journal(), recording=recording, seed=b"", variables={},
        clock=lambda: datetime.now(UTC), zone=UTC, locale="en",
    )  # fmt: skip
    commands = [command for command in run.execute([{}]) if not isinstance(command, Flush)]
    assert commands == []
    assert most <= 2


@pytest.mark.parametrize("first", [module(2, "put", {}), module(2, "fail", {})])
def test_a_handled_failure_is_not_tried_again_when_a_later_one_is(first: Module) -> None:
    handled = replace(first, onerror=(module(9, "resume", {"x": 1}),))
    drive = Drive(
        plan_of(handled, module(3, "send", {"x": "{{2.x}}"})), World(lambda _call: DataError())
    )
    assert drive.run().failed == Address(0, 3, (0,), 0)
    before = len(drive.world.calls)
    assert drive.run(resume=True).failed == Address(0, 3, (0,), 1)
    assert [call.address.module for call in drive.world.calls[before:]] == [3]
    assert len([record for record in drive.records if record[0] == 5 and record[2] == 2]) == 1


def test_a_resume_without_an_output_fails() -> None:
    resume = module(9, "resume", ["no", "collection"])
    drive = Drive(plan_of(module(2, "fail", {}, onerror=(resume,))))
    result = drive.run()
    assert result.error is not None
    assert "substitute" in result.error.message


def test_a_scenario_without_modules_ends_at_once() -> None:
    result = Drive(plan_of()).run()
    assert (result.status, result.operations) == ("finished", 0)


def test_a_responder_that_gives_no_answer_is_a_fault() -> None:
    kit.module("Mute", kind="responder", name="mute")(lambda: None)
    result = Drive(plan_of(module(1, "mute", {}))).run()
    kit.modules.pop("mute")
    assert result.error is not None
    assert "not an Answer" in result.error.message


def test_an_unrecorded_failure_is_recorded_once() -> None:
    drive = Drive(plan_of(module(1, "fail", {})), detail="errors")
    drive.run()
    del drive.records[-1:]
    drive.run(resume=True)
    assert [record[0] for record in drive.records] == [0, 5, 7]


@pytest.mark.parametrize(
    ("method", "status"),
    [("GET", "finished"), ("POST", "uncertain"), ('{{formatDate(1.x; "Y")}}', "uncertain")],
)
def test_an_open_intent_is_judged_by_what_the_arguments_do(method: str, status: str) -> None:
    @kit.action("Requests", effect="once", effect_of=effect_of, name="request")
    def request(method: Text) -> None:
        raise AssertionError(method)

    plan = plan_of(module(1, "start"), module(2, "request", {"method": method}))
    kit.modules.pop("request")
    drive = Drive(plan)
    drive.records = list(Drive(plan_of(module(1, "start"))).started([{"x": "no date"}]))
    drive.records[0][1]["pins"][2] = ["kit:request", 1, ""]
    drive.records.append([2, 0, 2, [0], 0, 0, b"hash", None])
    assert drive.run(resume=True).status == status
    assert len(drive.world.calls) == (status == "finished")


def effect_of(arguments: Mapping[str, Any]) -> Effect:
    return "read" if arguments["method"] == "GET" else "once"
