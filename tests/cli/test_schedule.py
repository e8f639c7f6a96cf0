"""`junctor scenarios schedule`: shown, changed bit by bit, refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from junctor.app.cli.schedule import interval_of, scheduling_of, window_of
from junctor.errors import Misconfigured

BLUEPRINT = {
    "name": "Nightly",
    "flow": [
        {
            "id": 1,
            "module": "util:SetVariables",
            "version": 1,
            "parameters": {},
            "mapper": {"scope": "roundtrip", "variables": []},
        }
    ],
    "metadata": {"version": 1},
}


@pytest.mark.parametrize(
    ("options", "made"),
    [
        ({}, None),
        ({"every": "90"}, {"type": "indefinitely", "interval": 5400}),
        ({"at": "9:30"}, {"type": "daily", "time": "9:30"}),
        ({"at": "9:30", "on": "Mon,friday"}, {"type": "weekly", "days": [1, 5], "time": "9:30"}),
        ({"at": "9:30", "on": "1, 15"}, {"type": "monthly", "days": ["1", "15"], "time": "9:30"}),
        (
            {"at": "9:30", "on": "1", "months": "1,7"},
            {"type": "yearly", "days": ["1"], "months": ["1", "7"], "time": "9:30"},
        ),
        ({"once": "2026-12-24T18:00"}, {"type": "once", "date": "2026-12-24T18:00"}),
        ({"on_demand": True}, {"type": "on-demand"}),
        ({"given": '{"type": "immediately"}'}, {"type": "immediately"}),
    ],
)
def test_options_are_schedules(options: Any, made: Any) -> None:
    assert scheduling_of(**options) == made


@pytest.mark.parametrize(
    "options",
    [
        {"every": "15m", "at": "9:30"},
        {"every": "soon"},
        {"on": "mon"},
        {"at": "9:30", "months": "1"},
        {"at": "9:30", "on": "mon", "months": "1"},
        {"given": "[]"},
        {"given": "{"},
    ],
)
def test_options_that_say_nothing_together_are_refused(options: Any) -> None:
    with pytest.raises(Misconfigured):
        scheduling_of(**options)


def test_spans_and_windows() -> None:
    assert [interval_of(each) for each in ("45s", "15m", "2h", "1d")] == [45, 900, 7200, 86400]
    assert window_of("mon,TUE 09:00-17:00") == {"days": [1, 2], "time": ["09:00", "17:00"]}
    assert window_of("22:00-06:00") == {"time": ["22:00", "06:00"]}
    assert window_of("sat") == {"days": [6]}
    with pytest.raises(Misconfigured):
        window_of("someday")


def test_a_schedule_is_shown_and_changed(junctor: Any, tmp_path: Path) -> None:
    file = tmp_path / "nightly.json"
    file.write_text(json.dumps(BLUEPRINT))
    assert junctor("import", str(file), "--yes").code == 0
    said = junctor("scenarios", "schedule", "Nightly")
    assert "starts on demand (UTC)" in said.out
    said = junctor(
        "scenarios", "schedule", "Nightly", "--at", "02:30", "--zone", "Europe/Berlin",
        "--within", "mon,tue", "--missed", "skip", "--per-minute", "3", "--next", "2",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "every day at 02:30, only on Monday, Tuesday (Europe/Berlin)" in said.out
    assert "At most 3 runs" in said.out
    assert "Missed firings: skip." in said.out
    assert "The scenario is off" in said.out
    assert said.out.count(" 02:30:00 +0") == 2
    assert junctor("activate", "Nightly").code == 0
    assert "is paused" in junctor("scenarios", "schedule", "Nightly", "--pause").out
    found = junctor("scenarios", "schedule", "Nightly", "--json", "--every", "1h", "--resume").json
    assert found["scheduling"] == {
        "type": "indefinitely",
        "interval": 3600,
        "restrict": [{"days": [1, 2]}],
    }
    assert (found["zone"], found["missed"], found["counting"]) == ("Europe/Berlin", "skip", True)
    found = junctor(
        "scenarios", "schedule", "Nightly", "--json", "--within", "", "--zone", "-"
    ).json
    assert (found["words"], found["zone"], len(found["next"])) == ("every hour", "UTC", 10)
    begin = ("scenarios", "schedule", "Nightly", "--json", "--from", "2026-02-01")
    assert junctor(*begin).json["scheduling"]["between"] == ["2026-02-01", None]
    found = junctor("scenarios", "schedule", "Nightly", "--json", "--until", "2099-03-01").json
    assert found["scheduling"]["between"] == ["2026-02-01", "2099-03-01"], "the other one stays"
    found = junctor("scenarios", "schedule", "Nightly", "--json", "--from", "").json
    assert found["scheduling"]["between"] == [None, "2099-03-01"]
    over = junctor("scenarios", "schedule", "Nightly", "--once", "2020-01-01T10:00")
    assert "No firing lies ahead" in over.out
    said = junctor("scenarios", "schedule", "Nightly", "--reset", "--pause")
    assert (said.code, "goes alone" in said.err) == (2, True)
    assert "on demand" in junctor("scenarios", "schedule", "Nightly", "--reset").out
    said = junctor("scenarios", "schedule", "Nightly", "--missed", "maybe")
    assert (said.code, "skip, once or all" in said.err) == (2, True)
    said = junctor("scenarios", "schedule", "Nightly", "--at", "26:00")
    assert (said.code, "scheduling.time" in said.err) == (1, True)
