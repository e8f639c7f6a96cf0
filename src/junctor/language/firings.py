"""The instants of a schedule, and what to do about them now. Pure: the clock comes in.

Local times become instants by two rules, so that each is exactly one: a time that the clock skips
(spring) is the first instant after the gap; a time that the clock shows twice (autumn) is its first
showing. A whole day that a zone left out does not exist. Intervals are elapsed time and know
nothing of clocks, except in windows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice
from typing import Final, Literal

from junctor.language.schedule import Schedule, Window

__all__ = [
    "MOST_MADE_UP",
    "ON_TIME",
    "Missed",
    "Turn",
    "firings",
    "instant_of",
    "next_firings",
    "turn",
]

Missed = Literal["skip", "once", "all"]
"""What becomes of firings that nobody was there for: nothing; the last one, late; each, late."""

ON_TIME: Final = timedelta(minutes=1)
"""A firing that is no later than this was not missed."""
MOST_MADE_UP: Final = 100
"""How many missed firings ``all`` makes up: the last ones."""
LOOK_BACK: Final = timedelta(days=7)
"""How far back missed ones are looked for, if there are some within."""

_DAY: Final = timedelta(days=1)
_TICK: Final = timedelta(microseconds=1)
_MOST_DAYS: Final = 30 * 366
"""How many days are looked through for the next firing: a 29 February on a Monday is rare."""
_MOST_STEPS: Final = 20_000
"""How many points of an interval are looked at in allowed days; it may never hit their hours."""
_END: Final = datetime(9000, 1, 1, tzinfo=UTC)
_FIRST, _LAST = 2, 9998
"""Years whose local times are instants in every zone."""


def firings(
    schedule: Schedule,
    zone: tzinfo,
    after: datetime,
    until: datetime | None = None,
    *,
    anchor: datetime | None = None,
) -> Iterator[datetime]:
    """The instants (UTC) after ``after``, to ``until`` inclusive, growing strictly.

    ``anchor`` is the instant that an interval counts from, and its first firing; without one that
    is the first full interval since 1970.
    """
    begin, end = (
        None if moment is None else _absolute(moment, zone) for moment in schedule.between
    )
    if begin is not None and begin > after:
        after = begin - _TICK
    limit = min(each for each in (until, end, _END) if each is not None)
    found = (
        _intervals(schedule, zone, after, anchor or datetime.fromtimestamp(0, UTC), limit)
        if schedule.kind == "indefinitely"
        else _dates(schedule, zone, after, limit)
    )
    for instant in found:
        if instant > limit:
            return
        if instant > after and _allowed(schedule.restrict, instant.astimezone(zone)):
            after = instant
            yield instant


def next_firings(
    schedule: Schedule,
    zone: tzinfo,
    after: datetime,
    count: int = 10,
    *,
    anchor: datetime | None = None,
) -> list[datetime]:
    """The next ones, fewer if it ends before."""
    return list(islice(firings(schedule, zone, after, anchor=anchor), count))


def instant_of(local: datetime, zone: tzinfo) -> datetime | None:
    """The one instant (UTC) of a local time without zone; ``None`` if its day does not exist."""
    first = local.replace(tzinfo=zone, fold=0)
    before, since = first.utcoffset(), first.replace(fold=1).utcoffset()
    assert before is not None
    assert since is not None
    if since <= before:  # the usual day, or shown twice: fold 0 is the first showing
        return (local - before).replace(tzinfo=UTC)
    if since - before >= _DAY:
        return None
    # Skipped. The clock jumped somewhere between these instants; the offset tells where.
    low, high = (local - since).replace(tzinfo=UTC), (local - before).replace(tzinfo=UTC)
    seconds = range(int((high - low).total_seconds()) + 1)
    jump = bisect_right(seconds, False, key=lambda second: _offset(low, second, zone) != before)
    return low.replace(microsecond=0) + timedelta(seconds=jump)


def _offset(low: datetime, second: int, zone: tzinfo) -> timedelta | None:
    return (low.replace(microsecond=0) + timedelta(seconds=second)).astimezone(zone).utcoffset()


def _absolute(moment: datetime, zone: tzinfo) -> datetime:
    if not _FIRST <= moment.year <= _LAST:  # long ago, or beyond the end in any case
        return datetime(min(max(moment.year, _FIRST), _LAST), 1, 1, tzinfo=UTC)
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    found = instant_of(moment, zone)
    return found if found is not None else moment.replace(tzinfo=zone).astimezone(UTC)


def _dates(
    schedule: Schedule, zone: tzinfo, after: datetime, limit: datetime
) -> Iterator[datetime]:
    if schedule.kind == "once" and schedule.date is not None:
        yield _absolute(schedule.date, zone)
    if schedule.time is None:
        return
    # A day earlier: a firing in a gap before midnight falls on the next day.
    day = after.astimezone(zone).date() - _DAY
    last = limit.astimezone(zone).date()
    quiet = 0
    while quiet < _MOST_DAYS and day <= last:
        instant = None
        if _named(schedule, day):
            instant = instant_of(datetime.combine(day, schedule.time), zone)
        day, quiet = day + _DAY, quiet + 1
        if instant is not None and _allowed(schedule.restrict, instant.astimezone(zone)):
            quiet = 0
            yield instant


def _named(schedule: Schedule, day: date) -> bool:
    match schedule.kind:
        case "weekly":
            return day.isoweekday() % 7 in schedule.days
        case "monthly":
            return day.day in schedule.days
        case "yearly":
            return day.month in schedule.months and day.day in schedule.days
        case _:
            return schedule.kind == "daily"


def _intervals(
    schedule: Schedule, zone: tzinfo, after: datetime, anchor: datetime, limit: datetime
) -> Iterator[datetime]:
    step = timedelta(seconds=schedule.interval)
    at = anchor + max(0, (after - anchor) // step + 1) * step
    steps = days = 0
    while at <= limit and steps < _MOST_STEPS and days < _MOST_DAYS:
        local = at.astimezone(zone)
        if not schedule.restrict or _allowed(schedule.restrict, local):
            yield at
            steps = days = 0
            at += step
        elif any(_names_day(window, local.date()) for window in schedule.restrict):
            steps += 1
            at += step
        else:  # nothing of this day: go to the next one
            days += 1
            day = local.date() + _DAY
            dawn = instant_of(datetime.combine(day, time()), zone)
            # A day that does not exist has no dawn: an hour at a time leads over it.
            dawn = dawn if dawn is not None and dawn > at else at + timedelta(hours=1)
            at += max(1, -((at - dawn) // step)) * step


def _allowed(windows: tuple[Window, ...], local: datetime) -> bool:
    return not windows or any(
        _names_day(window, local.date()) and _in_times(window, local.time()) for window in windows
    )


def _names_day(window: Window, day: date) -> bool:
    return (not window.days or day.isoweekday() % 7 in window.days) and (
        not window.months or day.month in window.months
    )


def _in_times(window: Window, clock: time) -> bool:
    if window.times is None:
        return True
    begin, end = window.times
    if not end.second:  # the minute it names is included
        clock_to = clock.replace(second=0, microsecond=0)
    else:
        clock_to = clock.replace(microsecond=0)
    if begin <= end:
        return begin <= clock and clock_to <= end
    return begin <= clock or clock_to <= end


@dataclass(frozen=True, slots=True)
class Turn:
    """What a scheduler does about one schedule now."""

    fire: datetime | None
    """The instant to fire for."""
    following: datetime | None
    """When to look again; ``None``: it has no more firings."""
    missed: int = 0
    """Firings that nothing was or will be done about."""


def turn(
    schedule: Schedule,
    zone: tzinfo,
    *,
    due: datetime,
    now: datetime,
    anchor: datetime | None,
    missed: Missed,
) -> Turn:
    """What to do about a firing that was due at ``due``, at or before ``now``.

    ``following`` is after ``due`` and after everything that was fired, so that a clock that is set
    back fires nothing again.
    """

    def after(instant: datetime) -> datetime | None:
        return next(firings(schedule, zone, instant, anchor=anchor), None)

    begin = due
    if now - due > LOOK_BACK:  # a week's worth, if there is one, and else the only ones
        begin = next(firings(schedule, zone, now - LOOK_BACK - _TICK, now, anchor=anchor), due)
    passed = [begin, *firings(schedule, zone, begin, now, anchor=anchor)]
    if missed == "all":
        dropped = max(0, len(passed) - MOST_MADE_UP)
        fire = passed[dropped]
        following = passed[dropped + 1] if dropped + 1 < len(passed) else after(fire)
        return Turn(fire, following, dropped)
    last = passed[-1]
    if missed == "skip" and now - last > ON_TIME:
        return Turn(None, after(max(last, now)), len(passed))
    return Turn(last, after(max(last, now)), len(passed) - 1)
