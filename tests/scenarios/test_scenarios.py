"""Each file of `cases/`, run once; then resumed from every place at which it could be cut off."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from scenario_cases import CASES, Drive, drive_of, load

from junctor.engine.commands import Call


@pytest.mark.parametrize("name", CASES)
def test_scenario(name: str) -> None:
    case = load(name)
    drive = drive_of(case)
    result = drive.run(deepcopy(case["bundles"]))
    expect = case["expect"]
    assert result.status == expect["status"]
    assert result.operations == expect["operations"]
    assert {str(k): v for k, v in result.dropped.items()} == expect.get("dropped", {})
    assert (result.error.code if result.error else None) == expect.get("error")
    failed = result.failed and [*result.failed[:2], list(result.failed[2]), result.failed[3]]
    assert failed == expect.get("failed")
    if "calls" in expect:
        wanted = [call if len(call) > 3 else [*call, 0] for call in expect["calls"]]
        assert [_shown(call) for call in drive.world.calls] == wanted
    waits = expect.get("waits", [])
    assert [wait.address.module for wait in drive.waits] == [module for module, _ in waits]
    # A retry's wait is by a fifth shorter or longer than the case says, at most.
    near = pytest.approx([seconds for _, seconds in waits], rel=0.2)
    assert [wait.seconds for wait in drive.waits] == near
    responses = [[each.address.module, each.status, each.body.decode()] for each in drive.responses]
    assert responses == expect.get("responses", [])
    assert drive.most_in_flight == expect.get("in_flight", 0)
    for module, outputs in expect.get("outputs", {}).items():
        assert drive.outputs(int(module)) == outputs


def _shown(call: Call) -> list[Any]:
    return [call.address.module, list(call.address.path), call.arguments, call.address.attempt]


@pytest.mark.parametrize("name", CASES)
def test_a_resumed_run_repeats_nothing_and_ends_alike(name: str) -> None:
    case = load(name)
    whole = drive_of(case)
    end = whole.run(deepcopy(case["bundles"]))
    # After its recorded end a failed run is resumed by a person, and tries again: another test.
    cuts = len(whole.records) + (end.status != "incomplete")
    for cut in range(cuts):
        records = whole.records[:cut]
        done = {_key(record) for record in records if record[0] == 3}
        tried = {_key(record) for record in records if record[0] == 5}
        open_ = {_key(record) for record in records if record[0] == 2} - done - tried
        again = drive_of(case)
        again.records = deepcopy(records)
        # What the world answered before the cut is not asked again, so its script goes on there.
        for record in records:
            if record[0] in (3, 5) and _effect(whole, record):
                again.world.script(_call_at(whole, _key(record)))
        result = again.run(deepcopy(case["bundles"]), resume=True)
        asked = {(c, m, p, a) for c, m, p, a in again.addresses()}
        assert not asked & done, f"cut at {cut}"
        assert not asked & tried, f"cut at {cut}"
        assert len(again.addresses()) == len(asked), f"cut at {cut}"
        if open_:
            # Unless an earlier bundle had stopped the run: then it is uncertain when resumed.
            stopped = "incomplete" if end.failed in tried else "uncertain"
            assert result.status == stopped, f"cut at {cut}"
            assert not asked & open_, f"cut at {cut}"
            continue
        assert (result.status, result.operations, result.bytes, result.dropped, result.failed) == (
            end.status, end.operations, end.bytes, end.dropped, end.failed,
        ), f"cut at {cut}"  # fmt: skip
        assert _facts(again.records) == _facts(whole.records), f"cut at {cut}"


def _key(record: list[Any]) -> tuple[Any, ...]:
    return (record[1], record[2], tuple(record[3]), record[4])


def _effect(drive: Drive, record: list[Any]) -> bool:
    return any(call.address == _key(record) for call in drive.world.calls)


def _call_at(drive: Drive, key: tuple[Any, ...]) -> Call:
    return next(call for call in drive.world.calls if call.address == key)


def _facts(records: list[Any]) -> list[str]:
    """What is recorded, whatever the order; lanes and intents may record in another."""
    return sorted(repr(record) for record in records)
