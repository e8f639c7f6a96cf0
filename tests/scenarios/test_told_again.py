"""Each file of `cases/`, told again from its journal: on its own version nothing changes, and from
whichever module it is repeated, what does not come after that one is not asked for again.
"""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from scenario_cases import CASES, Drive, drive_of, load

from junctor.engine.journal import decode_segment, encode_segment
from junctor.engine.plan import Plan, downstream
from junctor.runtime.compared import compare
from junctor.runtime.plans import Prepared
from junctor.runtime.repeats import OUTCOMES, Repeat, look
from junctor.runtime.retold import Answers, tell

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def prepared(plan: Plan) -> Prepared:
    return Prepared(
        organization_id=UUID(int=1), scenario_id=UUID(int=2), version=0, name="case", plan=plan,
        zone=UTC, locale="en", country="", organization_name="o",
    )  # fmt: skip


def repeat(drive: Drive, **given: Any) -> Repeat:
    given = {"same": True, **given}
    return Repeat(
        past=look(drive.records), prepared=prepared(drive.plan), run_id="run_2", origin="run_1",
        detail="full", **given,
    )  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_nothing_changes_on_the_same_version(name: str) -> None:
    case = load(name)
    drive = drive_of(case)
    end = drive.run(deepcopy(case["bundles"]))
    made = repeat(drive)
    answers = Answers(drive.records)
    told = tell(made.prepared, made.segments(drive.records), answers, run_id="run_1", now=NOW)
    keeps = made.keeps()
    again = [each for each in drive.records if not (each[0] in OUTCOMES and keeps(each))]
    assert compare(made.past, again, told, warnings=end.warnings) == []
    assert told.new == set()


@pytest.mark.parametrize("name", CASES)
def test_a_repeat_from_any_module_asks_only_for_what_comes_after_it(name: str) -> None:
    case = load(name)
    drive = drive_of(case)
    drive.run(deepcopy(case["bundles"]))
    for module in drive.plan.nodes:
        again = drive_of(case)
        again.records = []
        for segment in repeat(drive, start=module).segments(drive.records):
            again.blobs.update(segment.blobs)
            again.records += decode_segment(encode_segment(segment.raw), again.blobs)
        before = {tuple(map(str, each[1:5])) for each in drive.records if each[0] == 3}
        again.run(deepcopy(case["bundles"]), resume=True)
        after = downstream(drive.plan, module)
        repeated = {
            call.address.module
            for call in again.world.calls
            if tuple(map(str, [*call.address[:2], list(call.address.path), call.address.attempt]))
            in before
        }
        assert repeated <= after, f"from module {module}"
