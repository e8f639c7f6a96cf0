"""Error handlers that branch: a router or an if-else whose ways end in directives of their own."""

from __future__ import annotations

from typing import Any

import pytest
from engine_kit import Drive, World, branch, module, plan_of, route, taken_up, when

from junctor.engine.commands import Address, Call
from junctor.errors import (
    DataError,
    JunctorError,
    Misconfigured,
    RateLimited,
    VendorUnavailable,
)
from junctor.language.scenario import Module

TYPE = "{{2.error.type}}"


def failing(error: JunctorError) -> World:
    return World(lambda call: error if call.module.name == "put" else [{"sent": True}])


def handled(*onerror: Module) -> Any:
    """A module that fails and has this handler, and one after it."""
    return plan_of(
        module(1, "start"),
        module(2, "put", {}, onerror=onerror),
        module(3, "send", {"x": "{{2.x}}"}),
    )


def by_type(**router: Any) -> Module:
    return module(
        4,
        "router",
        routes=(
            route(module(5, "resume", {"x": 5}, filter=when(TYPE, "text:equal", "RateLimitError"))),
            route(
                module(6, "send", {"x": 6}, filter=when(TYPE, "text:equal", "DataError")),
                module(7, "ignore"),
            ),
        ),
        **router,
    )


def sent(drive: Drive) -> list[tuple[int, Any]]:
    return [
        (each.address.module, each.arguments["x"])
        for each in drive.commands
        if isinstance(each, Call) and each.module.name == "send"
    ]


@pytest.mark.parametrize(
    ("error", "status", "effects"),
    [
        (RateLimited(), "finished", [(3, 5)]),
        (DataError(reason="x"), "finished", [(6, 6)]),
        (VendorUnavailable(status=500), "incomplete", []),
    ],
)
def test_a_router_in_a_handler_chooses_the_directive(
    error: JunctorError, status: str, effects: list[tuple[int, Any]]
) -> None:
    drive = Drive(handled(by_type()), failing(error))
    assert drive.run().status == status
    assert sent(drive) == effects


def test_what_no_route_of_the_handler_takes_goes_to_its_fallback() -> None:
    router = module(
        4,
        "router",
        routes=(
            route(module(5, "ignore", filter=when(TYPE, "text:equal", "DataError"))),
            route(module(6, "rollback")),
        ),
        fallback=1,
    )
    drive = Drive(handled(router), failing(RateLimited()))
    assert drive.run().status == "failed"


def test_the_first_directive_decides_and_no_further_route_is_taken() -> None:
    router = module(
        4,
        "router",
        routes=(
            route(module(5, "send", {"x": 5}), module(6, "resume", {"x": 6})),
            route(module(7, "send", {"x": 7}), module(8, "rollback")),
        ),
    )
    drive = Drive(handled(router), failing(DataError(reason="x")))
    assert drive.run().status == "finished"
    assert sent(drive) == [(5, 5), (3, 6)]


def test_of_several_bundles_the_first_that_reaches_the_directive_decides() -> None:
    found = module(4, "repeat", {"repeats": 3})
    big = module(5, "resume", {"x": "{{4.i}}"}, filter=when("{{4.i}}", "number:greater", 1))
    drive = Drive(handled(found, big), failing(DataError(reason="x")))
    assert drive.run().status == "finished"
    assert sent(drive) == [(3, 2)]


def test_an_if_else_in_a_handler_chooses_the_directive() -> None:
    choice = module(
        4,
        "choose",
        branches=(
            branch(when(TYPE, "text:equal", "DataError"), module(5, "resume", {"x": 5})),
            branch(None, module(6, "rollback")),
        ),
    )
    assert Drive(handled(choice), failing(RateLimited())).run().status == "failed"
    drive = Drive(handled(choice), failing(DataError(reason="x")))
    assert drive.run().status == "finished"
    assert sent(drive) == [(3, 5)]


def test_a_resumed_run_decides_the_same_way_again() -> None:
    world = World(
        lambda call: DataError(reason="x") if call.module.name != "send" else RateLimited()
    )
    plan = plan_of(
        module(1, "start"),
        module(2, "put", {}, onerror=(by_type_resuming(),)),
        module(3, "send", {"x": "{{2.x}}"}),
    )
    drive = Drive(plan, world)
    assert drive.run().status == "incomplete"
    drive.world.script = lambda _call: [{}]
    before = len(world.calls)
    assert drive.run(resume=True).status == "finished"
    assert [(each.address.module, each.arguments) for each in world.calls[before:]] == [
        (3, {"x": 5})
    ]


def by_type_resuming() -> Module:
    return module(
        4,
        "router",
        routes=(
            route(module(5, "resume", {"x": 5}, filter=when(TYPE, "text:equal", "DataError"))),
            route(module(6, "rollback", filter=when(TYPE, "text:notequal", "DataError"))),
        ),
    )


def test_a_directive_outside_of_a_handler_is_still_refused() -> None:
    with pytest.raises(Misconfigured, match="belongs in an error handler"):
        plan_of(module(1, "router", routes=(route(module(2, "ignore")),)))


def with_faulty_handler(*onerror: Module, **settings: Any) -> Any:
    """Module 3 refuses 2; its handler's module 4 fails, too."""
    return plan_of(
        module(1, "start"),
        module(2, "each", {"array": "{{1.array}}"}),
        module(
            3,
            "put",
            {"n": "{{2.value}}"},
            onerror=(module(4, "codes", {}, onerror=onerror), module(5, "resume", {"x": "given"})),
        ),
        module(6, "send", {"x": "{{3.x}}"}),
        **settings,
    )


def test_a_failure_inside_a_handler_stops_the_run_where_bundles_are_set_aside_too() -> None:
    world = World(writes_fail)
    drive = Drive(with_faulty_handler(dlq=True), world)
    result = drive.run([{"array": [1, 2]}])
    assert (result.status, drive.asides) == ("incomplete", [])
    assert result.failed is not None
    assert result.failed.module == 4
    world.script = lambda call: refusing(call) or [{"x": "made"}]
    assert drive.run(resume=True).status == "finished"
    assert sent(drive) == [(6, "made"), (6, "given")]


def test_a_break_inside_a_handler_sets_aside_what_the_handler_is_for() -> None:
    world = World(writes_fail)
    drive = Drive(with_faulty_handler(module(9, "break", {"retry": True, "count": 5})), world)
    assert drive.run([{"array": [1, 2, 3]}]).status == "finished"
    assert sent(drive) == [(6, "made"), (6, "made")]
    (aside,) = drive.asides
    assert aside.result.failed == Address(0, 3, (0, 1), 0)
    assert aside.header["again"] == {"count": 5, "interval": 900}

    world.script = lambda call: refusing(call) or [{"x": "made"}]
    rest = taken_up(drive, aside, world)
    assert rest.run(resume=True).status == "finished"
    assert sent(rest) == [(6, "given")]


def test_a_break_inside_a_handler_stands_when_the_run_is_resumed() -> None:
    drive = Drive(
        with_faulty_handler(module(9, "break", {})),
        World(lambda call: RateLimited() if call.module.name == "send" else writes_fail(call)),
    )
    assert drive.run([{"array": [2, 1]}]).status == "incomplete"
    drive.world.script = lambda _call: [{"x": "made"}]
    before = len(drive.world.calls)
    assert drive.run(resume=True).status == "finished"
    assert [call.address.module for call in drive.world.calls[before:]] == [6]
    assert len(drive.asides) == 1


def refusing(call: Call) -> Any:
    return DataError(reason="no") if call.arguments.get("n") == 2 else None


def writes_fail(call: Call) -> Any:
    return (
        DataError(reason="log")
        if call.module.name == "codes"
        else refusing(call) or [{"x": "made"}]
    )


BAD = when('{{formatDate(1.when; "YYYY")}}', "exist")


@pytest.mark.parametrize(
    ("directive", "calls"),
    [(module(5, "ignore"), [6]), (module(5, "resume", {"x": 1}), [4, 6])],
)
def test_a_filter_that_fails_on_a_route_is_handled_as_its_modules_failure(
    directive: Module, calls: list[int]
) -> None:
    head = module(3, "put", {}, filter=BAD, onerror=(directive,))
    router = module(
        2,
        "router",
        routes=(route(head, module(4, "send", {"x": "{{3.x}}"})), route(module(6, "send", {}))),
    )
    drive = Drive(plan_of(module(1, "start"), router))
    assert drive.run([{"when": "no date"}]).status == "finished"
    assert [each.address.module for each in drive.world.calls] == calls
    assert drive.run([{"when": "no date"}], resume=True).status == "finished"
    assert len(drive.world.calls) == len(calls)


@pytest.mark.parametrize("lanes", [1, 2])
def test_what_fails_first_behind_an_iterator_goes_on_with_a_substitute(lanes: int) -> None:
    bad = when('{{formatDate(2.value; "YYYY")}}', "exist")
    flow = (
        module(1, "start"),
        module(2, "each", {"array": "{{1.days}}"}, lanes=lanes),
        module(3, "put", {}, filter=bad, onerror=(module(5, "resume", {"x": "none"}),)),
        module(4, "send", {"x": "{{3.x}}"}),
    )
    drive = Drive(plan_of(*flow), World(lambda _call: [{"x": "put"}]))
    assert drive.run([{"days": ["no date", "2026-11-22"]}]).status == "finished"
    assert [x for _, x in sent(drive)] == ["none", "put"]


def test_a_filter_that_fails_on_a_route_sets_its_bundle_aside_and_is_asked_again() -> None:
    head = module(3, "put", {}, filter=BAD)
    router = module(2, "router", routes=(route(head), route(module(6, "send", {}))))
    drive = Drive(plan_of(module(1, "start"), router, dlq=True))
    result = drive.run([{"when": "no date"}])
    assert (result.status, result.warnings) == ("finished", 1)
    assert [each.address.module for each in drive.world.calls] == [6]
    (aside,) = drive.asides
    again = taken_up(drive, aside, World())
    assert again.run(resume=True).status == "incomplete"
    edited: dict[Any, Any] = {(0, 1, (0,)): {"when": None}}
    assert again.run(resume=True, edits=edited).status == "finished"
    assert again.world.calls == []  # edited so, the filter does not let it through
    edited = {(0, 1, (0,)): {"when": "2026-11-22"}}
    once = taken_up(drive, aside, World())
    assert once.run(resume=True, edits=edited).status == "finished"
    assert [each.address.module for each in once.world.calls] == [3]
