from __future__ import annotations

import random
from typing import Any

import pytest
from sim_client import Time

from junctor.simulators import checks, people
from junctor.simulators.clock import Clock
from junctor.simulators.limits import Limits, Meter
from junctor.simulators.routes import Route, Router
from junctor.simulators.wire import Reply, Request


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("+12025550142", "+12025550142"),
        ("(202) 555-0142", "+12025550142"),
        ("1.202.555.0142", "+12025550142"),
        ("+49 89 123456", "+4989123456"),
        ("442071234567", "+442071234567"),
        ("12345", None),
        ("+0123456789", None),
        ("+1234567890123456", None),
        ("555-CALL-NOW", None),
        ("", None),
    ],
)
def test_phones(given: str, normal: str | None) -> None:
    assert checks.normal_phone(given) == normal


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (checks.text, ["", "a"], [None, 1, []]),
        (checks.filled, ["a"], ["", "  ", 1]),
        (checks.boolean, [True, False], [0, "true", None]),
        (checks.whole(1, 5), [1, 5], [0, 6, True, 1.5, "1"]),
        (checks.email, ["a@b.co", ""], ["a", "a@b", "a b@c.de", 1, "a@b."]),
        (checks.iso_date, ["2026-12-01", "2026-12-01T10:00:00Z"], ["soon", 1, None]),
        (checks.texts, [[], ["a"]], ["a", [1], None]),
        (checks.objects, [[], [{}]], [{}, [1]]),
        (checks.mapping, [{}], [[], None]),
        (checks.one_of("a", "b"), ["a"], ["c", 1, None]),
        (checks.nullable(checks.text), [None, "a"], [1]),
    ],
)
def test_checks(check: checks.Check, good: list[Any], bad: list[Any]) -> None:
    assert [check(value) for value in good] == [None] * len(good)
    assert all(check(value) for value in bad)


def test_a_clock_keeps_the_present_when_its_speed_changes() -> None:
    time = Time()
    clock = time.clock(factor=100)
    time.now += 1
    assert clock.now() == 100
    clock.factor = 1
    assert clock.now() == 100
    time.now += 1
    assert clock.now() == 101
    with pytest.raises(ValueError, match="factor"):
        clock.factor = 0
    with pytest.raises(ValueError, match="factor"):
        Clock(-1)


def test_a_meter_counts_by_window_and_day() -> None:
    time = Time()
    meter = Meter(Limits(maximum=3, interval_ms=1000, daily=5), time.clock())
    assert [meter.take() for _ in range(4)] == [True, True, True, False]
    time.now += 1
    assert [meter.take() for _ in range(3)] == [True, True, False]
    assert (meter.remaining, meter.daily_remaining, meter.refused) == (1, 0, 2)
    time.now += 86_400
    assert meter.take()
    meter.reset()
    assert (meter.remaining, meter.daily_remaining, meter.refused) == (3, 5, 0)
    with pytest.raises(ValueError, match="daily"):
        Limits(maximum=1, interval_ms=1, daily=0)


def test_a_literal_segment_beats_a_named_one() -> None:
    def handler(_request: Request) -> Reply:
        return Reply(200)

    paths = ("/a/{id}", "/a/search", "/a/{id}/b", "/{x}/{y}/{z}")
    router = Router(
        Route(method="GET", path=path, operation=path, handler=handler) for path in paths
    )

    def found(path: str) -> tuple[str, dict[str, str]] | None:
        match = router.find("GET", path)
        return (match[0].operation, match[1]) if match else None

    assert found("/a/search") == ("/a/search", {})
    assert found("/a/7/") == ("/a/{id}", {"id": "7"})
    assert found("/a/x%2Fy") == ("/a/{id}", {"id": "x/y"})
    assert found("/a/7/b") == ("/a/{id}/b", {"id": "7"})
    assert found("/q/w/e") == ("/{x}/{y}/{z}", {"x": "q", "y": "w", "z": "e"})
    assert found("/a//b") is None
    assert found("/a") is None
    assert router.find("POST", "/a/7") is None


def test_people_are_invented_and_distinct() -> None:
    taken: set[str] = set()
    group = [people.person(random.Random(3), taken) for _ in range(1)]
    chance = random.Random(3)
    group += [people.person(chance, taken) for _ in range(200)]
    assert len({someone.phone for someone in group}) == 201
    assert all(someone.email.endswith("@example.com") for someone in group)
    assert all(someone.phone[5:10] == "55501" for someone in group)
    assert len(people.text_id(chance)) == 20
    assert people.uuid_text(chance).count("-") == 4
