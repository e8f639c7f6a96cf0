"""Retry policies, automatic retries, timeouts."""

from __future__ import annotations

from typing import Any

import pytest

from junctor.errors import (
    DataError,
    Misconfigured,
    RateLimited,
    Stopped,
    Uncertain,
    VendorUnavailable,
)
from junctor.language.retry import AGAIN, LONGEST_DELAY, RetryPolicy, again_after, timeout_of


def test_delays_double_up_to_the_longest() -> None:
    policy = RetryPolicy(attempts=9, first=2, longest=10)
    delays = [policy.delay(n, VendorUnavailable(status=503)) for n in range(1, 10)]
    assert delays == [2, 4, 8, 10, 10, 10, 10, 10, None]


def test_jitter_is_within_its_bounds_and_always_the_same() -> None:
    policy = RetryPolicy(jitter=0.5)
    error = VendorUnavailable(status=503)
    found = {policy.delay(1, error, salt=f"run {n}") for n in range(100)}
    assert len(found) > 90
    assert all(each is not None and 0.5 <= each <= 1.5 for each in found)
    assert policy.delay(1, error, salt="run 1") == policy.delay(1, error, salt="run 1")


def test_what_the_other_side_asks_for_wins() -> None:
    error = RateLimited()
    error.retry_after = 77.0
    assert RetryPolicy().delay(1, error, salt="x") == 77.0


@pytest.mark.parametrize("asked", [1e12, float("inf")])
def test_what_the_other_side_asks_for_is_no_later_than_a_clock_has(asked: float) -> None:
    error = RateLimited(retry_after=asked)
    assert RetryPolicy().delay(1, error, salt="x") == LONGEST_DELAY
    assert again_after(None, 0, error) == LONGEST_DELAY


def test_named_errors_are_tried_and_an_unknown_outcome_never_is() -> None:
    policy = RetryPolicy.of({"retry": {"errors": ["DataError", "uncertain"]}}, "flow[1]")
    assert policy.delay(1, DataError(reason="x")) == 1.0
    assert policy.delay(1, RateLimited()) is None
    assert policy.delay(1, Uncertain()) is None


@pytest.mark.parametrize(
    "given",
    [
        {"attempts": 0},
        {"jitter": 2},
        {"first": "soon"},
        {"errors": 3},
        {"errors": "RateLimitError"},
        {"errors": [429]},
        {"attempt": 3},
        {"first": 1e12},
        {"longest": float("nan")},
        {"attempts": float("inf")},
        "often",
        {"longest": -1},
    ],
)
def test_a_policy_that_makes_no_sense_names_its_path(given: Any) -> None:
    with pytest.raises(Misconfigured, match=r"flow\[1\]\.flags\.retry"):
        RetryPolicy.of({"retry": given}, "flow[1]")


def test_automatic_retries_follow_the_schedule_and_end() -> None:
    error = VendorUnavailable(status=503)
    assert [again_after(None, ends, error) for ends in range(9)] == [*AGAIN, None]
    assert again_after(None, 0, DataError(reason="x")) is None
    assert again_after(None, 0, None) is None


def test_break_says_how_often_whatever_the_error() -> None:
    given = {"count": 2, "interval": 300}
    assert [again_after(given, ends, DataError(reason="x")) for ends in range(3)] == [
        300,
        300,
        None,
    ]


def test_who_stops_a_bundle_that_break_set_aside_takes_it_up_again() -> None:
    assert again_after({"count": 2, "interval": 300}, 0, Stopped(actor="ann")) is None


def test_timeouts_are_seconds() -> None:
    assert timeout_of({}, "p") is None
    assert timeout_of({"timeout": "90"}, "p") == 90.0
    for wrong in (0, -1, 901, "long", [1]):
        with pytest.raises(Misconfigured, match=r"flow\[2\]\.flags\.timeout"):
            timeout_of({"timeout": wrong}, "flow[2]")
