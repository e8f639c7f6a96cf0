"""Whose leases have not run out."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import pytest

from junctor.adapters.system import uptime
from junctor.ports.backlog import Claim
from junctor.runtime import heartbeat
from junctor.runtime.heartbeat import SETTLING, Heartbeat


def claim(fence: int, until: float) -> Claim:
    return Claim(UUID(int=1), UUID(int=2), "", fence, 1, 1, "full", "standard", until=until)


def test_a_claim_is_held_until_its_lease_ends_unless_it_was_renewed() -> None:
    beat = Heartbeat("", name="me", role="worker", lease=10)
    now = uptime()
    assert beat.holds(claim(1, now + 5))
    assert not beat.holds(claim(1, now - 1))
    beat._kept = {1: now + 5, 2: now - 1}
    assert beat.holds(claim(1, now - 1))
    assert not beat.holds(claim(2, now - 1))
    assert not beat.holds(claim(3, now - 1))


class Renewals:
    """A database that renews whatever it is asked to."""

    def execute(self, _query: str, parameters: dict[str, Any]) -> list[tuple[int]]:
        return [(fence,) for fence in parameters.get("fences", ())]


def test_after_a_time_without_renewals_nobody_is_taken_for_dead_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr(heartbeat, "uptime", lambda: now[0])
    beat = Heartbeat("", name="me", role="worker", lease=10)
    beat._machine = ""  # nobody is beside it
    database: Any = Renewals()
    assert beat.steady()  # it has nothing yet that it could take from itself
    for now[0] in (1000.0, 1003.0, 1012.0):
        beat._beat(database)
        assert beat.steady()
    now[0] = 1021.0
    assert beat.steady()
    now[0] = 1023.0  # the database was away, or this process stood still
    assert not beat.steady()
    beat._beat(database)
    assert not beat.steady()  # others have not renewed yet
    now[0] += SETTLING * 10
    assert beat.steady()


def test_who_could_never_renew_takes_over_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database had connections for the runs and none left for the heartbeat."""
    now = [1000.0]
    monkeypatch.setattr(heartbeat, "uptime", lambda: now[0])
    beat = Heartbeat("", name="me", role="worker", lease=10)
    monkeypatch.setattr(beat._thread, "start", lambda: None)
    beat.start()
    assert beat.steady()
    now[0] = 1011.0
    assert not beat.steady()


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system can't tell its sleep")
def test_a_machine_that_slept_holds_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual clock stood still meanwhile, and what it was about to send is another's by now."""
    beat = Heartbeat("", name="me", role="worker", lease=10)
    ours = claim(1, uptime() + 10)
    assert beat.holds(ours)
    awake = time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda clock: awake(clock) + 3600)
    assert not beat.holds(ours)
