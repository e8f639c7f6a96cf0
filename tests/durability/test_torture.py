"""The torture rig's short form: real processes, hurt; every event accounted for."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import pytest

from tests.support import ROOT, memory
from torture.absences import MARGIN, Absences
from torture.outcome import Outcome, table


@pytest.mark.durability
@pytest.mark.timeout(900)  # half a minute where nobody else is at work
def test_the_short_form_loses_and_repeats_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "torture", "--short", "--quiet"],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "TMPDIR": memory() or tempfile.gettempdir(),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split()[0] for line in done.stdout.splitlines() if line[:1].isalpha()]
    assert {"kill", "sleep", "vendor", "twice"} <= set(rows)


def test_not_done_is_not_said_while_a_sleeper_may_still_do_it() -> None:
    now = 100.0
    absences = Absences(lambda: now)
    assert absences.settled(90)
    absences.begin("worker")
    assert absences.now == {"worker"}
    now = 120.0
    assert not absences.settled(99)  # it fell asleep while the request was about to be sent
    assert not absences.settled(110)  # it slept when the run became uncertain
    assert absences.settled(90)  # it fell asleep long after
    absences.end("worker")
    now = 120.0 + MARGIN - 0.1
    assert not absences.settled(110)  # it may be sending now
    now = 120.0 + MARGIN
    assert absences.settled(110)


def test_the_table_shows_what_was_lost_repeated_and_broken() -> None:
    good, bad = Outcome(events=3, acknowledged=3), Outcome(events=2, lost=[7], repeated=[9])
    good.ends["finished"] = 3
    bad.expect(False, "a promise")
    assert good.good
    assert not bad.good
    shown = table({"one": good, "two": bad}, {"one": 61.4})
    assert shown.splitlines()[1].split()[-1] == "61"
    assert "two LOST: events 7" in shown
    assert "two REPEATED: events 9" in shown
    assert "two BROKEN: a promise" in shown
