"""Whose leases have not run out."""

from __future__ import annotations

import time
from uuid import UUID

import pytest

from junctor.adapters.system import uptime
from junctor.ports.backlog import Claim
from junctor.runtime.heartbeat import Heartbeat


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


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system can't tell its sleep")
def test_a_machine_that_slept_holds_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual clock stood still meanwhile, and what it was about to send is another's by now."""
    beat = Heartbeat("", name="me", role="worker", lease=10)
    ours = claim(1, uptime() + 10)
    assert beat.holds(ours)
    awake = time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda clock: awake(clock) + 3600)
    assert not beat.holds(ours)
