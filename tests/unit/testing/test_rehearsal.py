"""A rehearsal is an ordinary run, and tells everything about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from engine_kit import branch, find, module, route, scenario, when

from junctor.engine.commands import Call, Outcome, Settle
from junctor.errors import Misconfigured, RateLimited, TooLarge, Unsupported, VendorRefused
from junctor.language.scenario import Module
from junctor.testing.rehearsal import NOW, Rehearsed, Setting, Way, rehearse


class Scripted:
    """Answers calls by a function."""

    def __init__(self, script: Callable[[Call], Outcome]) -> None:
        self.answer = script

    def settle(self, settled: Settle) -> None:
        """Nothing was written."""


def echo(call: Call) -> Outcome:
    return Outcome(bundles=[{"sent": call.arguments}])


def play(*flow: Module, script: Any = echo, bundles: Any = None, **setting: Any) -> Rehearsed:
    return rehearse(
        scenario(*flow),
        lambda placed: find(placed.module),
        Scripted(script),
        [{}] if bundles is None else bundles,
        Setting(**setting),
    )


def test_operations_have_inputs_and_outputs() -> None:
    done = play(
        module(1, "start"),
        module(2, "each", {"array": "{{1.items}}"}),
        module(3, "add", {"a": "{{2.value}}", "b": "2"}),
        module(4, "send", {"sum": "{{3.sum}}"}),
        bundles=[{"items": [1, 2]}],
    )
    assert done.result.status == "finished"
    assert done.route == [1, 2, 3, 4]
    assert [each.input for each in done.of(3)] == [{"a": 1, "b": "2"}, {"a": 2, "b": "2"}]
    assert done.bundles(3) == [{"sum": 3}, {"sum": 4}]
    assert done.of(2)[0].input == {"array": [1, 2]}
    assert len(done.of(2)[0].bundles) == 2
    assert done.of(4)[1].input == {"sum": 4}
    assert done.of(4)[1].path == (0, 1)
    assert {each.name for each in done.of(4)} == {"kit:send"}


def test_filters_and_ways_are_seen() -> None:
    done = play(
        module(1, "start"),
        module(2, "router", routes=(
            route(module(3, "send", filter=when("{{1.n}}", "number:greater", "1"))),
            route(module(4, "send"), module(5, "send", filter=when("{{1.n}}", "exist"))),
        )),
        bundles=[{"n": 1}, {"n": 2}],
    )  # fmt: skip
    assert [(each.module, each.path, each.passed) for each in done.passages] == [
        (3, (0,), False), (5, (0,), True), (3, (1,), True), (5, (1,), True),
    ]  # fmt: skip
    assert done.ways() == [Way((0,), (1, 2, 4, 5), (3,)), Way((1,), (1, 2, 3, 4, 5), ())]
    assert done.result.dropped == {3: 1}


def test_an_if_else_is_on_the_route() -> None:
    done = play(
        module(1, "start"),
        module(2, "choose", branches=(
            branch(when("{{1.n}}", "number:equal", "9"), module(3, "send")),
            branch(None, module(4, "send"), merge=True),
        )),
        module(5, "merge", outputs=({"name": "x", "mappings": ["", "{{1.n}}"]},)),
        bundles=[{"n": 1}],
    )  # fmt: skip
    assert done.route == [1, 2, 4, 5]
    assert done.bundles(5) == [{"x": 1}]


def test_aggregators_tell_what_they_collected() -> None:
    done = play(
        module(1, "start"),
        module(2, "repeat", {"repeats": "3"}),
        module(3, "collect", {"i": "{{2.i}}"}, parameters={"feeder": 2}),
    )
    (aggregated,) = done.of(3)
    assert aggregated.input == [{"i": 1}, {"i": 2}, {"i": 3}]
    assert aggregated.bundles == [{"array": [{"i": 1}, {"i": 2}, {"i": 3}]}]


def test_streams_of_many_lists_are_one_operation() -> None:
    done = play(module(1, "start"), module(2, "repeat", {"repeats": "150"}))
    assert [len(each.bundles) for each in done.of(2)] == [150]


def test_time_is_the_rehearsals_own() -> None:
    answers = [Outcome(error=RateLimited(retry_after=7)), Outcome(bundles=[{}])]
    done = play(
        module(1, "start"),
        module(2, "sleep", {"duration": "300"}),
        module(3, "send"),
        script=lambda _call: answers.pop(0),
    )
    assert done.result.status == "finished"
    assert done.waits[0] == (2, 300)
    assert done.waits[1][1] >= 7
    assert done.ended == NOW + timedelta(seconds=sum(each for _, each in done.waits))
    failed, sent = done.of(3)
    assert failed.error is not None
    assert failed.error["code"] == "rate_limited"
    assert (sent.attempt, sent.bundles) == (1, [{}])


def test_a_failure_is_an_operation_with_an_error() -> None:
    done = play(
        module(1, "start"),
        module(2, "add", {"a": "x"}),
        module(3, "send"),
    )
    assert done.result.status == "incomplete"
    (failed,) = done.of(2)
    assert failed.error is not None
    assert (failed.input, failed.bundles) == ({"a": "x"}, [])
    assert done.route == [1, 2]


def test_handlers_and_directives_are_seen() -> None:
    refused = Outcome(error=VendorRefused(status=404, reason="no"))
    done = play(
        module(1, "start"),
        module(2, "send", onerror=(module(6, "resume", {"x": "{{2.error.type}}"}),)),
        module(3, "keep", {"x": "{{2.x}}"}),
        script=lambda _call: refused,
    )
    assert done.route == [1, 2, 6, 3]
    assert done.of(6)[0].input == done.bundles(3)[0]
    assert done.result.operations == 3


def test_answers_are_kept() -> None:
    done = play(module(1, "start"), module(2, "answer", {"body": "hello {{1.n}}", "status": "201"}),
                bundles=[{"n": 5}])  # fmt: skip
    assert done.answer is not None
    assert (done.answer.status, done.answer.body) == (201, b"hello 5")
    assert done.of(2)[0].input == {"body": "hello 5", "status": "201"}


def test_lanes_are_asked_once() -> None:
    done = play(
        module(1, "start"),
        module(2, "each", {"array": "{{1.items}}"}, lanes=3),
        module(3, "send", {"v": "{{2.value}}"}, filter=when("{{2.value}}", "number:less", "3")),
        bundles=[{"items": [1, 2, 3]}],
    )
    assert [each.passed for each in done.passages] == [True, True, False]
    assert [each.input for each in done.of(3)] == [{"v": 1}, {"v": 2}]


def test_variables_clock_and_chance_are_given() -> None:
    flow = (module(1, "start"), module(2, "keep", {"n": "{{now}}", "u": "{{uuid}}",
                                                    "v": "{{var.input.x}}"}))  # fmt: skip
    given = {"variables": {"input": {"x": 3}}, "seed": b"a"}
    first, again = play(*flow, **given), play(*flow, **given)
    assert first.bundles(2) == again.bundles(2)
    assert first.bundles(2)[0]["n"] == NOW
    assert first.bundles(2)[0]["v"] == 3
    assert play(*flow, **{**given, "seed": b"b"}).bundles(2)[0]["u"] != first.bundles(2)[0]["u"]


def test_the_journal_still_refuses_what_it_could_not_record() -> None:
    done = play(module(1, "start"), module(2, "keep", {"x": 1 << 70}))
    assert done.result.status == "incomplete"


def test_no_end_is_an_error() -> None:
    with pytest.raises(TooLarge, match="more than 50 operations"):
        play(
            module(1, "start"),
            module(2, "repeat", {"repeats": "100000"}),
            module(3, "keep", {}),
            most=50,
        )


def test_what_cant_be_compiled_is_said() -> None:
    with pytest.raises(Unsupported, match=r"flow\[2\]: module 'kit:nobody'"):
        play(module(1, "start"), module(2, "nobody"))
    with pytest.raises(Misconfigured, match="occur twice"):
        play(module(1, "start"), module(1, "keep", {}, path="flow[9]"))


def test_many_bundles_have_their_ways_in_no_time() -> None:
    done = play(
        module(1, "start"),
        module(2, "repeat", {"repeats": "5000"}),
        module(3, "keep", {"i": "{{2.i}}"}),
    )
    ways = done.ways()
    assert len(ways) == 5000
    assert {way.modules for way in ways} == {(1, 2, 3)}
