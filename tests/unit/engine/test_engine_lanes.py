from __future__ import annotations

from engine_kit import Drive, module, plan_of

from junctor.engine.commands import Address


def test_lanes_look_ahead_only_as_far_as_they_may() -> None:
    flow = (
        module(1, "start"),
        module(2, "each", {"array": "{{1.items}}"}, lanes=2),
        module(3, "lines", {"text": "{{2.value}}"}),
        module(4, "put", {"l": "{{3.line}}"}),
    )
    drive = Drive(plan_of(*flow))
    drive.run([{"items": ["a b", "c"]}])
    assert [(call.address.path, call.arguments["l"]) for call in drive.world.calls] == [
        ((0, 0, 0), "a"),
        ((0, 0, 1), "b"),
        ((0, 1, 0), "c"),
    ]


def test_a_lanes_failure_ahead_comes_in_its_turn() -> None:
    flow = (
        module(1, "start"),
        module(2, "each", {"array": "{{1.items}}"}, lanes=4),
        module(3, "add", {"a": "{{2.value}}", "b": "{{2.value}}"}),
        module(4, "put", {"sum": "{{3.sum}}"}),
    )
    drive = Drive(plan_of(*flow))
    result = drive.run([{"items": [1, {"x": 1}, 3]}])
    assert result.failed == Address(0, 3, (0, 1))
    assert result.operations == 5
    assert [call.arguments for call in drive.world.calls] == [{"sum": 2}, {"sum": 6}]
    before = len(drive.records)
    del drive.records[-1:]
    assert drive.run(resume=True).failed == Address(0, 3, (0, 1))
    assert len(drive.records) == before
