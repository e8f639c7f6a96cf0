"""Schedules read and written, and the instants they mean: windows, zones, clocks that jump."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junctor.language.firings import (
    LOOK_BACK,
    MOST_MADE_UP,
    Missed,
    Turn,
    firings,
    instant_of,
    next_firings,
    turn,
)
from junctor.language.schedule import KINDS, Schedule, Window, describe, read, write

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Nuuk",  # its gap ends at midnight
    "America/Havana",  # its gap begins at midnight
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # half an hour of daylight saving
    "Pacific/Apia",  # left out a day in 2011
    "Africa/Casablanca",
    "Pacific/Chatham",
]
BERLIN = ZoneInfo("Europe/Berlin")
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def made(data: Mapping[str, Any]) -> Schedule:
    schedule, problems = read(data)
    assert problems == ()
    assert schedule is not None
    return schedule


def local(data: Mapping[str, Any], zone: str, after: str, count: int) -> list[str]:
    """The next firings as the zone's clock shows them."""
    its = ZoneInfo(zone)
    begin = datetime.fromisoformat(after).replace(tzinfo=its)
    found = next_firings(made(data), its, begin, count)
    return [each.astimezone(its).strftime("%m-%d %H:%M %z") for each in found]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"type": "daily", "time": "09:30"}, ["01-01 09:30", "01-02 09:30", "01-03 09:30"]),
        (
            {"type": "weekly", "days": [0, 5], "time": "08:00"},
            ["01-02 08:00", "01-04 08:00", "01-09 08:00"],
        ),
        (
            {"type": "monthly", "days": [31], "time": "00:00"},
            ["01-31 00:00", "03-31 00:00", "05-31 00:00"],
        ),
        (
            {"type": "yearly", "months": [2, 4], "days": ["29", 30], "time": "12:00:30"},
            ["04-29 12:00", "04-30 12:00", "04-29 12:00"],
        ),
        ({"type": "once", "date": "2026-06-01T10:00:00+02:00"}, ["06-01 08:00"]),
        ({"type": "once", "date": "2025-06-01T10:00:00Z"}, []),
        ({"type": "immediately"}, []),
        ({"type": "on-demand"}, []),
        ({"type": "indefinitely"}, ["01-01 00:15", "01-01 00:30", "01-01 00:45"]),
        (
            {
                "type": "indefinitely",
                "interval": "3600",
                "restrict": [{"time": ["22:00", "01:00"]}],
            },
            ["01-01 01:00", "01-01 22:00", "01-01 23:00"],
        ),
        (
            {
                "type": "indefinitely",
                "interval": 21600,
                "restrict": [{"days": [1], "months": [2]}, {"days": [6]}],
            },
            ["01-03 00:00", "01-03 06:00", "01-03 12:00"],
        ),
        (
            {"type": "daily", "time": "06:00", "between": ["2026-02-01", "2026-02-02"]},
            ["02-01 06:00", "02-02 06:00"],
        ),
        (
            {"type": "daily", "time": "06:00", "between": ["20260201", "20260202"]},
            ["02-01 06:00", "02-02 06:00"],
        ),
        (
            {"type": "daily", "time": "06:00", "between": ["2026-02-01", "2026-02-02T00:00"]},
            ["02-01 06:00"],
        ),
        (  # days are those of the firing, also where hours go over midnight
            {
                "type": "indefinitely",
                "interval": 10800,
                "restrict": [{"days": [5], "time": ["22:00", "03:00"]}],
            },
            ["01-02 00:00", "01-02 03:00", "01-09 00:00"],
        ),
        ({"type": "yearly", "months": [2], "days": [30], "time": "06:00"}, []),
        ({"type": "monthly", "days": [31], "time": "6:00", "restrict": [{"months": [2]}]}, []),
    ],
)
def test_every_form_means_these_instants(data: dict[str, Any], found: list[str]) -> None:
    shown = next_firings(made(data), UTC, NEW_YEAR, 3)
    assert [each.strftime("%m-%d %H:%M") for each in shown] == found


def test_an_interval_counts_from_its_anchor() -> None:
    anchor = datetime(2026, 1, 1, 0, 7, 3, tzinfo=UTC)
    schedule = made({"type": "indefinitely", "interval": 600})
    found = next_firings(schedule, UTC, NEW_YEAR, 2, anchor=anchor)
    assert found == [anchor, anchor + timedelta(minutes=10)]
    assert next_firings(schedule, UTC, anchor, 1, anchor=anchor) == [anchor + timedelta(minutes=10)]


def test_an_interval_that_never_meets_its_window_ends() -> None:
    data = {"type": "indefinitely", "interval": 86400, "restrict": [{"time": ["09:00", "10:00"]}]}
    assert next_firings(made(data), UTC, NEW_YEAR, 1) == []


@pytest.mark.parametrize(
    ("zone", "after", "clock", "found"),
    [
        # Skipped: the first instant after the gap.
        ("Europe/Berlin", "2026-03-28T12:00", "02:30", ["03-29 03:00 +0200", "03-30 02:30 +0200"]),
        ("America/New_York", "2026-03-07T12:00", "02:00", ["03-08 03:00 -0400"]),
        ("Australia/Lord_Howe", "2026-10-03T12:00", "02:10", ["10-04 02:30 +1100"]),
        ("America/Havana", "2026-03-07T12:00", "00:30", ["03-08 01:00 -0400"]),
        ("America/Nuuk", "2026-03-28T12:00", "23:30", ["03-29 00:00 -0100", "03-29 23:30 -0100"]),
        # Shown twice: the first time only.
        ("Europe/Berlin", "2026-10-24T12:00", "02:30", ["10-25 02:30 +0200", "10-26 02:30 +0100"]),
        ("America/New_York", "2026-10-31T12:00", "01:30", ["11-01 01:30 -0400"]),
        # A day that the zone left out is no day.
        ("Pacific/Apia", "2011-12-29T00:00", "10:00", ["12-29 10:00 -1000", "12-31 10:00 +1400"]),
    ],
)
def test_clocks_that_jump(zone: str, after: str, clock: str, found: list[str]) -> None:
    assert local({"type": "daily", "time": clock}, zone, after, len(found)) == found


@pytest.mark.parametrize("zone", ["Pacific/Honolulu", "Europe/Berlin", "Pacific/Kiritimati"])
@pytest.mark.parametrize(
    ("data", "count"),
    [
        ({"type": "once", "date": "0001-01-01T00:00"}, 0),
        ({"type": "once", "date": "0001-01-01T00:00+14:00"}, 0),
        ({"type": "once", "date": "9999-12-31T23:59:59"}, 0),
        ({"type": "once", "date": "9999-12-31T23:59:59-12:00"}, 0),
        ({"type": "daily", "time": "10:00", "between": ["0001-01-01", "9999-12-31"]}, 3),
        ({"type": "daily", "time": "10:00", "between": ["9999-12-31", None]}, 0),
        ({"type": "daily", "time": "10:00", "between": [None, "0001-01-01"]}, 0),
        ({"type": "indefinitely", "interval": 60, "between": ["0001-01-01", "9999-12-31"]}, 3),
        ({"type": "indefinitely", "interval": 60, "between": ["9999-12-31", None]}, 0),
        ({"type": "indefinitely", "interval": 60, "between": [None, "0001-01-01"]}, 0),
    ],
)
def test_the_ends_of_the_calendar_are_dates_too(
    data: dict[str, Any], count: int, zone: str
) -> None:
    """Make's users write 9999-12-31 for *for ever*; no zone may push it over the edge."""
    schedule, problems = read(data)
    assert not problems
    assert schedule is not None
    now = datetime(2026, 11, 21, tzinfo=UTC)
    assert len(next_firings(schedule, ZoneInfo(zone), now, 3)) == count


def test_an_interval_does_not_care_about_jumps() -> None:
    found = local(
        {"type": "indefinitely", "interval": 1800}, "Europe/Berlin", "2026-03-29T01:00", 3
    )
    assert found == ["03-29 01:30 +0100", "03-29 03:00 +0200", "03-29 03:30 +0200"]


@pytest.mark.parametrize(
    ("data", "paths"),
    [
        ([], ["scheduling"]),
        ({"type": "hourly"}, ["scheduling.type"]),
        ({"type": ["daily"]}, ["scheduling.type"]),
        ({"type": "indefinitely", "interval": 5}, ["scheduling.interval"]),
        ({"type": "once"}, ["scheduling.date"]),
        ({"type": "daily", "time": "25:00"}, ["scheduling.time"]),
        ({"type": "daily", "time": "9"}, ["scheduling.time"]),
        ({"type": "daily", "time": "-1:-1"}, ["scheduling.time"]),
        (
            {"type": "weekly", "time": "9:00", "days": [7]},
            ["scheduling.days[0]", "scheduling.days"],
        ),
        ({"type": "weekly", "time": "9:00"}, ["scheduling.days"]),
        ({"type": "monthly", "time": "9:00", "days": 3}, ["scheduling.days", "scheduling.days"]),
        ({"type": "yearly", "time": "9:00", "days": [1]}, ["scheduling.months"]),
        ({"type": "immediately", "between": ["x"]}, ["scheduling.between"]),
        ({"type": "immediately", "between": ["x", None]}, ["scheduling.between[0]"]),
        ({"type": "immediately", "restrict": {}}, ["scheduling.restrict"]),
        ({"type": "immediately", "restrict": [1]}, ["scheduling.restrict[0]"]),
        (
            {"type": "immediately", "restrict": [{"time": ["9:00"]}]},
            ["scheduling.restrict[0].time"],
        ),
        (
            {"type": "immediately", "restrict": [{"time": ["9:00", "x"], "days": ["a"]}]},
            ["scheduling.restrict[0].days[0]", "scheduling.restrict[0].time[1]"],
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_path(data: Any, paths: list[str]) -> None:
    schedule, problems = read(data)
    assert schedule is None
    assert [problem.path for problem in problems] == paths
    assert all(problem.severity == "error" for problem in problems)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"type": "indefinitely"}, "every 15 minutes"),
        ({"type": "indefinitely", "interval": 3600}, "every hour"),
        ({"type": "indefinitely", "interval": 45}, "every 45 seconds"),
        ({"type": "daily", "time": "9:00"}, "every day at 09:00"),
        ({"type": "weekly", "days": [5, 1], "time": "9:00"}, "on Monday, Friday at 09:00"),
        (
            {"type": "monthly", "days": [1, 15], "time": "9:00"},
            "on day 1, 15 of each month at 09:00",
        ),
        (
            {"type": "yearly", "days": [1], "months": [12], "time": "9:00:05"},
            "on day 1 of December at 09:00:05",
        ),
        ({"type": "once", "date": "2026-05-01T10:00"}, "once, 2026-05-01 10:00"),
        ({"type": "immediately"}, "as deliveries come in"),
        (
            {"type": "on-demand", "between": ["2026-01-01", "2026-02-01"]},
            "on demand, from 2026-01-01, until 2026-02-01",
        ),
        (
            {
                "type": "indefinitely",
                "between": ["2026-01-01T08:30", None],
                "restrict": [{"days": [1], "time": ["08:00", "18:00"]}, {"months": [6]}],
            },
            "every 15 minutes, from 2026-01-01 08:30, only on Monday 08:00 to 18:00 or in June",
        ),
    ],
)
def test_it_is_said_in_words(data: dict[str, Any], said: str) -> None:
    assert describe(made(data)) == said


clocks = st.times(max_value=time(23, 59, 59)).map(lambda each: each.replace(microsecond=0))
moments = st.integers(1_230_768_000, 2_082_758_400).map(
    lambda each: datetime.fromtimestamp(each, UTC).replace(tzinfo=None)
)
weekdays = st.sets(st.integers(0, 6), min_size=1).map(lambda each: tuple(sorted(each)))
months = st.sets(st.integers(1, 12), min_size=1).map(lambda each: tuple(sorted(each)))
windows = st.builds(
    Window,
    days=st.just(()) | weekdays,
    months=st.just(()) | months,
    times=st.none() | st.tuples(clocks, clocks),
)
zones = st.sampled_from(ZONES).map(ZoneInfo)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    kind = draw(st.sampled_from(KINDS))
    timed = kind in {"daily", "weekly", "monthly", "yearly"}
    days: tuple[int, ...] = ()
    if kind == "weekly":
        days = draw(weekdays)
    elif kind in {"monthly", "yearly"}:
        days = tuple(sorted(draw(st.sets(st.integers(1, 31), min_size=1))))
    return Schedule(
        kind=kind,
        interval=draw(st.integers(600, 200_000)) if kind == "indefinitely" else 900,
        date=draw(moments) if kind == "once" else None,
        time=draw(clocks) if timed else None,
        days=days,
        months=draw(months) if kind == "yearly" else (),
        between=draw(st.just((None, None)) | st.tuples(moments, st.none() | moments)),
        restrict=tuple(draw(st.lists(windows, max_size=2))),
    )


@given(schedules())
def test_what_is_written_reads_the_same(schedule: Schedule) -> None:
    assert read(write(schedule)) == (schedule, ())


def allowed(window: Window, clock: datetime) -> bool:
    """The rule, said a second time and in another way."""
    if window.days and clock.isoweekday() % 7 not in window.days:
        return False
    if window.months and clock.month not in window.months:
        return False
    if window.times is None:
        return True
    begin, end = window.times
    second = clock.hour * 3600 + clock.minute * 60 + clock.second
    first = begin.hour * 3600 + begin.minute * 60 + begin.second
    last = end.hour * 3600 + end.minute * 60 + (end.second or 59)
    return first <= second <= last if begin <= end else second >= first or second <= last


@settings(max_examples=300)
@given(schedules(), zones, moments)
def test_firings_grow_and_keep_to_their_rules(
    schedule: Schedule, zone: ZoneInfo, moment: datetime
) -> None:
    after = moment.replace(tzinfo=UTC)
    found = next_firings(schedule, zone, after, 12, anchor=after - timedelta(hours=5))
    assert all(a < b for a, b in pairwise([after, *found]))
    if not schedule.fires:
        assert not found
    named: set[date] = set()
    for instant in found:
        clock = instant.astimezone(zone)
        assert not schedule.restrict or any(allowed(each, clock) for each in schedule.restrict)
        if schedule.time is None:
            continue
        if clock.time() != schedule.time:  # only right after a gap
            gap = instant - timedelta(seconds=1)
            assert gap.astimezone(zone).utcoffset() != clock.utcoffset()
            continue
        assert clock.date() not in named, "one firing a day"
        named.add(clock.date())
        if schedule.kind == "weekly":
            assert clock.isoweekday() % 7 in schedule.days
        if schedule.kind in {"monthly", "yearly"}:
            assert clock.day in schedule.days
    # Looked at from within, they are the same.
    if len(found) > 3:
        again = next_firings(schedule, zone, found[2], 3, anchor=after - timedelta(hours=5))
        assert again[: len(found) - 3] == found[3:6]


@given(moments, zones)
def test_a_local_time_is_one_instant(moment: datetime, zone: ZoneInfo) -> None:
    instant = instant_of(moment, zone)
    if instant is None:
        assert (zone.key, moment.date()) == ("Pacific/Apia", date(2011, 12, 30))
        return
    shown = instant.astimezone(zone).replace(tzinfo=None)
    before = (instant - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
    assert shown == moment or before < moment < shown


HOURLY = made({"type": "indefinitely", "interval": 3600})


def decide(missed: Missed, *, due: datetime, now: datetime) -> Turn:
    return turn(HOURLY, UTC, due=due, now=now, anchor=NEW_YEAR, missed=missed)


@pytest.mark.parametrize("missed", ["skip", "once", "all"])
def test_what_is_on_time_fires(missed: Missed) -> None:
    now = NEW_YEAR + timedelta(seconds=2)
    assert decide(missed, due=NEW_YEAR, now=now) == Turn(NEW_YEAR, NEW_YEAR + timedelta(hours=1))


def test_missed_ones_are_skipped_made_up_once_or_all() -> None:
    now = NEW_YEAR + timedelta(hours=3, minutes=20)
    third, fourth = NEW_YEAR + timedelta(hours=3), NEW_YEAR + timedelta(hours=4)
    assert decide("skip", due=NEW_YEAR, now=now) == Turn(None, fourth, 4)
    assert decide("once", due=NEW_YEAR, now=now) == Turn(third, fourth, 3)
    one = decide("all", due=NEW_YEAR, now=now)
    assert one == Turn(NEW_YEAR, NEW_YEAR + timedelta(hours=1))
    just = NEW_YEAR + timedelta(hours=3, seconds=1)
    assert decide("skip", due=NEW_YEAR, now=just) == Turn(third, fourth, 3)


def test_not_more_than_so_many_are_made_up() -> None:
    now = NEW_YEAR + timedelta(days=5)
    first = decide("all", due=NEW_YEAR, now=now)
    assert first.missed == 5 * 24 + 1 - MOST_MADE_UP
    assert first.fire == now - timedelta(hours=MOST_MADE_UP - 1)


def test_what_is_rare_is_made_up_however_late() -> None:
    due = datetime(2026, 3, 1, 12, tzinfo=UTC)
    yearly = made({"type": "yearly", "months": [3], "days": [1], "time": "12:00"})
    late = due + 5 * LOOK_BACK
    found = turn(yearly, UTC, due=due, now=late, anchor=None, missed="once")
    assert found == Turn(due, due.replace(year=2027))


@given(
    schedules(),
    zones,
    moments,
    st.sampled_from(["skip", "once", "all"]),
    st.lists(st.integers(-7200, 200_000), max_size=12),
)
def test_no_instant_fires_twice_whatever_the_clock_does(
    schedule: Schedule, zone: ZoneInfo, moment: datetime, missed: Missed, jumps: list[int]
) -> None:
    now = moment.replace(tzinfo=UTC)
    due = next(firings(schedule, zone, now, anchor=now), None)
    fired: list[datetime] = []
    for jump in jumps:
        now += timedelta(seconds=jump)
        while due is not None and due <= now:
            found = turn(
                schedule, zone, due=due, now=now, anchor=moment.replace(tzinfo=UTC), missed=missed
            )
            fired += [] if found.fire is None else [found.fire]
            assert found.following is None or found.following > due
            due = found.following
    assert all(a < b for a, b in pairwise(fired))
