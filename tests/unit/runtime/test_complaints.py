"""Warnings about what goes on failing."""

from __future__ import annotations

from typing import Any

from junctor.runtime.complaints import Complaint


def test_the_same_failure_is_told_at_once_and_then_now_and_then() -> None:
    told: list[dict[str, Any]] = []
    now = [100.0]
    complain = Complaint(
        lambda event, **fields: told.append({"event": event, **fields}),
        "not_listening",
        every=10,
        clock=lambda: now[0],
    )
    for now[0] in (100.0, 100.2, 105.0, 109.9, 110.0, 110.2):
        complain("refused", again_in=1)
    assert told == [
        {"event": "not_listening", "error": "refused", "again_in": 1},
        {"event": "not_listening", "error": "refused", "times": 4, "again_in": 1},
    ]


def test_another_reason_is_told_at_once() -> None:
    told: list[tuple[str, int]] = []
    complain = Complaint(
        lambda _event, *, error, times=1: told.append((error, times)), "e", clock=lambda: 0.0
    )
    for error in ("refused", "refused", "starting up", "starting up", "refused"):
        complain(error)
    assert told == [("refused", 1), ("starting up", 2), ("refused", 2)]
