"""Shares of a vendor's budget, in virtual time."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junctor.language.budgets import (
    SILENT,
    Bucket,
    Budget,
    Learned,
    Observation,
    Report,
    rate_headers,
)
from junctor.language.messages import Response
from tests.unit.language.budget_world import Vendor, Worker, World, most_in_any_window

BURST = Budget(name="burst", amount=100, window=10.0)


def bucket(limit: int = 100, window: float = 10.0) -> Bucket:
    return Bucket(limit=limit, window=window)


def endless(_now: float) -> int:
    return 1_000_000


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("starts", [0.0, -3.3])
def test_bulk_alone_spends_what_is_permitted_and_is_never_refused(
    workers: int, starts: float
) -> None:
    vendor = Vendor(starts=starts)
    world = World(vendor, bucket(), *(Worker(f"w{i}", endless) for i in range(workers)))
    world.run(120.0)
    assert vendor.refusals == 0
    assert len(vendor.arrivals) >= 0.95 * 1200
    assert world.exchanges <= 12 * workers * 12  # for each worker and window a dozen


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    limit=st.integers(1, 200),
    window=st.floats(1.0, 60.0),
    starts=st.floats(-10.0, 0.0),
    workers=st.lists(
        st.tuples(st.booleans(), st.floats(0.1, 30.0), st.floats(0.001, 2.0)),
        min_size=1,
        max_size=4,
    ),
)
def test_no_window_ever_holds_more_than_the_amount(
    seed: int, limit: int, window: float, starts: float, workers: list[tuple[bool, float, float]]
) -> None:
    vendor = Vendor(limit=limit, window=window, starts=starts)
    made = [
        Worker(f"w{i}", lambda now, r=rate: int(now * r), bulk=bulk, rtt=(0.0, rtt))  # type: ignore[misc]  # bound now
        for i, (bulk, rate, rtt) in enumerate(workers)
    ]
    World(vendor, bucket(limit, window), *made, seed=seed).run(min(3 * window, 40.0))
    assert vendor.refusals == 0
    assert most_in_any_window(vendor.arrivals, window) <= limit


def test_ordinary_work_keeps_its_share_beside_bulk() -> None:
    vendor = Vendor()
    bulk = Worker("bulk", endless)
    ordinary = Worker("ordinary", lambda now: max(0, int((now - 30) * 2.5)), bulk=False)
    world = World(vendor, bucket(), bulk, ordinary)
    world.run(130.0)
    assert vendor.refusals == 0
    assert ordinary.sent >= 0.2 * 1000 * 0.95  # wanted 2.5/s, and 2/s are kept
    assert ordinary.sent + bulk.sent >= 0.95 * 1300


def test_what_ordinary_work_does_not_use_is_bulks() -> None:
    vendor = Vendor()
    bulk = Worker("bulk", endless)
    ordinary = Worker("ordinary", lambda now: int(now / 5), bulk=False)  # two in a window
    World(vendor, bucket(), bulk, ordinary).run(120.0)
    assert ordinary.sent >= 22
    assert bulk.sent >= 0.9 * 1200


def test_one_ordinary_request_waits_two_seconds_at_most_beside_bulk() -> None:
    world = World(Vendor(), bucket(), Worker("bulk", endless))
    world.run(60.0)
    waited = 0.0
    grant = world.bucket.exchange(60.0, "me", Report(), ordinary=1)
    while not grant.ordinary:
        waited += grant.retry_in
        world.run(60.0 + waited)
        grant = world.bucket.exchange(60.0 + waited, "me", Report(), ordinary=1)
    assert waited + grant.ordinary[0] <= 3.0


def test_a_stranger_that_spends_half_leaves_us_the_rest() -> None:
    vendor = Vendor()
    worker = Worker("w", endless)
    world = World(vendor, bucket(), worker)
    world.run(120.0, strangers=5.0)
    # What both get is what there is; a few refusals show where the vendor's end was not foreseen.
    assert vendor.refusals <= 24
    assert worker.sent >= 0.45 * 1200
    assert world.bucket.others > 10


def test_a_refusal_stops_everybody_until_the_window_is_over() -> None:
    state = bucket()
    state.exchange(100.0, "a", Report(), bulk=5)
    state.exchange(100.5, "a", Report(spent=[(0.1, 0, 1)] * 5, refused=1))
    assert state.refused == 1
    for now in (101.0, 105.0, 108.0):
        assert state.exchange(now, "b", Report(), ordinary=3).ordinary == ()
    grant = state.exchange(110.0, "b", Report(), ordinary=3)
    assert grant.ordinary == (0.5, 0.5, 0.5)


def test_a_refusal_that_says_how_long_is_believed() -> None:
    state = bucket()
    state.exchange(0.0, "a", Report(refused=1, pause=60.0))
    grant = state.exchange(1.0, "a", Report(), ordinary=1)
    assert grant.ordinary == ()
    assert 56.0 <= grant.retry_in <= 59.0


def test_a_spent_day_says_how_long_it_lasts() -> None:
    state = bucket(10, 86_400.0)
    state.exchange(0.0, "a", Report(), bulk=10)
    state.exchange(1.0, "a", Report(spent=[(0.0, 0, 10)]))
    assert state.exchange(2.0, "a", Report(), bulk=1).retry_in > 86_000


def test_units_of_a_process_that_is_gone_come_free() -> None:
    state = bucket()
    assert len(state.exchange(0.0, "dead", Report(), ordinary=100).ordinary) == 100
    assert state.exchange(SILENT, "me", Report(), ordinary=1).ordinary == ()
    assert state.exchange(SILENT + 1, "me", Report(), ordinary=1).ordinary == ()
    # From then they count as just spent: who knows when it fell silent.
    assert len(state.exchange(SILENT + 11.1, "me", Report(), ordinary=1).ordinary) == 1


def test_a_grant_that_never_arrived_is_corrected() -> None:
    state = bucket()
    state.exchange(0.0, "a", Report(), ordinary=60)
    assert len(state.exchange(0.1, "a", Report(holds=(0, 0)), ordinary=100).ordinary) == 100


def test_what_the_vendor_says_of_its_limit_is_believed() -> None:
    state = bucket()
    seen = Observation(0.0, Learned(limit=40, remaining=39, window=2.0))
    grant = state.exchange(0.0, "a", Report(observed=[seen]), ordinary=1)
    assert (grant.limit, grant.window, state.limit) == (40, 2.0, 40)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(1, 40))
def test_a_bucket_is_plain_data(seed: int, steps: int) -> None:
    world = World(
        Vendor(), bucket(), Worker("w", endless), Worker("o", endless, bulk=False), seed=seed
    )
    world.run(steps * 0.4, strangers=3.0)
    record = json.loads(json.dumps(world.bucket.as_record()))
    assert Bucket.of(BURST, record) == world.bucket


def test_a_new_bucket_is_what_was_declared() -> None:
    assert Bucket.of(BURST, {}) == bucket()


@pytest.mark.parametrize(
    ("headers", "learned"),
    [
        ({}, None),
        ({"x-max": "many", "x-left": "-3"}, None),
        ({"x-left": "7"}, Learned(remaining=7)),
        (
            {"x-max": "50", "x-left": "0", "x-ms": "1500"},
            Learned(limit=50, remaining=0, window=1.5),
        ),
        ({"x-max": "0", "x-ms": "0", "x-left": "1"}, Learned(remaining=1)),
    ],
)
def test_headers(headers: dict[str, str], learned: Learned | None) -> None:
    learn = rate_headers(limit="X-Max", remaining="X-Left", milliseconds="X-Ms")
    assert learn(Response(200, headers, b"")) == learned
