"""Whose leases have not run out."""

from __future__ import annotations

import time
from uuid import UUID

from junctor.ports.backlog import Claim
from junctor.runtime.heartbeat import Heartbeat


def claim(fence: int, until: float) -> Claim:
    return Claim(UUID(int=1), UUID(int=2), "", fence, 1, 1, "full", "standard", until=until)


def test_a_claim_is_held_until_its_lease_ends_unless_it_was_renewed() -> None:
    beat = Heartbeat("", name="me", role="worker", lease=10)
    now = time.monotonic()
    assert beat.holds(claim(1, now + 5))
    assert not beat.holds(claim(1, now - 1))
    beat._kept = {1: now + 5, 2: now - 1}
    assert beat.holds(claim(1, now - 1))
    assert not beat.holds(claim(2, now - 1))
    assert not beat.holds(claim(3, now - 1))
