"""Parts of dates, and spans between them: names that other dialects of the language have.

Adobe Workfront Fusion, a fork of the same engine, documents them; imported blueprints use them.
"""

from __future__ import annotations

import calendar
import math
from datetime import datetime, time, timedelta
from functools import partial
from typing import Any

from junctor.errors import DataError
from junctor.language.expressions.functions.dates import on_the_clock
from junctor.language.expressions.functions.registry import (
    Date,
    Many,
    Number,
    Text,
    function,
)
from junctor.language.expressions.scope import Scope
from junctor.language.values import milliseconds, show, to_date, whole

__all__ = ["date_difference", "end_of_month", "start_of_month"]

fusion = partial(function, origin="fusion")

_D = '"2015-08-07T11:36:39Z"'


def _local(scope: Scope, date: datetime | None) -> datetime | None:
    return None if date is None else date.astimezone(scope.zone)


_UNITS = {"millisecond": 1, "second": 1000, "minute": 60_000, "hour": 3_600_000}
_UNITS |= {"day": 86_400_000, "week": 604_800_000}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@fusion(
    "dateDifference",
    [
        ('{{dateDifference("2015-08-10"; "2015-08-07"; "days")}}', 3),
        ('{{dateDifference("2015-08-07T01:30:00Z"; "2015-08-07"; "hours")}}', 1),
        ('{{dateDifference("2021-06-11"; "2021-05-11"; "months")}}', 1),
        ('{{dateDifference("2021-05-10"; "2021-06-11"; "months")}}', -1),
        ('{{dateDifference("2021-05-11T18:10:00Z"; "2021-05-11T18:00:00Z")}}', 600000),
    ],
    instead="(date1 - date2) / 1000 / 60 / 60 / 24 for days",
)
def date_difference(
    scope: Scope, date1: Date, date2: Date, unit: Text = "milliseconds"
) -> int | None:
    """The first date less the second, in whole units: milliseconds, seconds … weeks, months."""
    if date1 is None or date2 is None:
        return None
    name = unit.lower().removesuffix("s")
    if name in _MONTHS:
        return int(_months(scope, date1, date2) / _MONTHS[name])
    if name not in _UNITS:
        known = ", ".join([*_UNITS, *_MONTHS])
        raise DataError(reason=f"{show(unit)} is no unit of time; use one of {known}")
    return int((milliseconds(date1) - milliseconds(date2)) / _UNITS[name])


def _months(scope: Scope, later: datetime, earlier: datetime) -> int:
    """Whole months, by the organisation's clock."""
    a, b = later.astimezone(scope.zone), earlier.astimezone(scope.zone)
    count = (a.year - b.year) * 12 + a.month - b.month
    rest_a, rest_b = (a.day, a.time()), (b.day, b.time())
    if count > 0 and rest_a < rest_b:
        return count - 1
    return count + 1 if count < 0 and rest_a > rest_b else count


@fusion(
    "weekDayDiff",
    [
        ('{{weekDayDiff("2016-12-07T12:00:00Z"; "2016-12-05")}}', 2.5),
        ('{{weekDayDiff("2016-12-12"; "2016-12-09")}}', 1),
        ('{{weekDayDiff("2016-12-05"; "2016-12-07")}}', -2),
    ],
)
def week_day_diff(scope: Scope, date2: Date, date1: Date) -> int | float | None:
    """Days from the second date to the first, Saturdays and Sundays not counted; parts count."""
    if date2 is None or date1 is None:
        return None
    day = timedelta(days=1)
    return whole((_worked(scope, date2, time(), day) - _worked(scope, date1, time(), day)) / day)


@fusion(
    "workMinutesDiff",
    [
        ('{{workMinutesDiff("2016-12-05T09:00:00Z"; "2016-12-05T17:00:00Z")}}', 480),
        ('{{workMinutesDiff("2016-12-05T09:00:00Z"; "2016-12-06T17:00:00Z")}}', 960),
        ('{{workMinutesDiff("2016-12-09T16:00:00Z"; "2016-12-12T09:30:00Z")}}', 90),
    ],
)
def work_minutes_diff(scope: Scope, date1: Date, date2: Date) -> int | float | None:
    """Minutes of work from one date to another: Monday to Friday, 9 to 17 o'clock."""
    if date1 is None or date2 is None:
        return None
    nine, hours = time(9), timedelta(hours=8)
    span = _worked(scope, date2, nine, hours) - _worked(scope, date1, nine, hours)
    return whole(span / timedelta(minutes=1))


def _worked(scope: Scope, date: datetime, start: time, hours: timedelta) -> timedelta:
    """Time on weekdays since the year 1, counted each day from ``start`` for ``hours``."""
    local = date.astimezone(scope.zone).replace(tzinfo=None)
    weeks, day = divmod(local.toordinal() - 1, 7)
    past = timedelta()
    if day < 5:
        begun = local - datetime.combine(local.date(), start)
        past = min(max(begun, timedelta()), hours)
    return (weeks * 5 + min(day, 5)) * hours + past


@fusion("year", [(f"{{{{year({_D})}}}}", 2015)], instead='formatDate(date; "YYYY")')
def year(scope: Scope, date: Date) -> int | None:
    """The year of a date."""
    local = _local(scope, date)
    return None if local is None else local.year


@fusion("month", [(f"{{{{month({_D})}}}}", 8)], instead='formatDate(date; "M")')
def month(scope: Scope, date: Date) -> int | None:
    """The month of a date, 1 to 12."""
    local = _local(scope, date)
    return None if local is None else local.month


@fusion("dayOfMonth", [(f"{{{{dayOfMonth({_D})}}}}", 7)], instead='formatDate(date; "D")')
def day_of_month(scope: Scope, date: Date) -> int | None:
    """The day of the month, 1 to 31."""
    local = _local(scope, date)
    return None if local is None else local.day


@fusion("dayOfWeek", [(f"{{{{dayOfWeek({_D})}}}}", 6)])
def day_of_week(scope: Scope, date: Date) -> int | None:
    """The day of the week, 1 (Sunday) to 7 (Saturday)."""
    local = _local(scope, date)
    return None if local is None else local.isoweekday() % 7 + 1


@fusion("hour", [(f"{{{{hour({_D})}}}}", 11)], instead='formatDate(date; "H")')
def hour(scope: Scope, date: Date) -> int | None:
    """The hour of a date, 0 to 23."""
    local = _local(scope, date)
    return None if local is None else local.hour


@fusion("minute", [(f"{{{{minute({_D})}}}}", 36)], instead='formatDate(date; "m")')
def minute(scope: Scope, date: Date) -> int | None:
    """The minute of a date."""
    local = _local(scope, date)
    return None if local is None else local.minute


@fusion("second", [(f"{{{{second({_D})}}}}", 39)], instead='formatDate(date; "s")')
def second(date: Date) -> int | None:
    """The second of a date."""
    return None if date is None else date.second


@fusion("daysInMonth", [(f"{{{{daysInMonth({_D})}}}}", 31)])
def days_in_month(scope: Scope, date: Date) -> int | None:
    """How many days the date's month has."""
    local = _local(scope, date)
    return None if local is None else calendar.monthrange(local.year, local.month)[1]


@fusion(
    "daysInSplitWeek",
    [('{{daysInSplitWeek("2016-12-28")}}', 3), ('{{daysInSplitWeek("2016-02-29")}}', 1)],
)
def days_in_split_week(scope: Scope, date: Date) -> int | None:
    """Weekdays from the date to the end of its week or of its month, whichever is sooner."""
    local = _local(scope, date)
    if local is None:
        return None
    left = calendar.monthrange(local.year, local.month)[1] - local.day + 1
    return min(max(0, 5 - local.weekday()), left)


@fusion("daysInYear", [('{{daysInYear("2024-05-01")}}', 366)])
def days_in_year(scope: Scope, date: Date) -> int | None:
    """How many days the date's year has."""
    local = _local(scope, date)
    return None if local is None else 365 + calendar.isleap(local.year)


@fusion("isWeekend", [('{{isWeekend("2026-11-21")}}', True), (f"{{{{isWeekend({_D})}}}}", False)])
def is_weekend(scope: Scope, date: Date) -> bool | None:
    """Whether the date is a Saturday or a Sunday."""
    local = _local(scope, date)
    return None if local is None else local.isoweekday() > 5


@fusion("startOfMonth", [(f"{{{{startOfMonth({_D})}}}}", "2015-08-01T00:00:00.000Z")])
def start_of_month(scope: Scope, date: Date) -> datetime | None:
    """Midnight of the first day of the date's month."""
    return on_the_clock(
        scope, date, lambda local: local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    )


@fusion("endOfMonth", [(f"{{{{endOfMonth({_D})}}}}", "2015-08-31T23:59:59.999Z")])
def end_of_month(scope: Scope, date: Date) -> datetime | None:
    """The last millisecond of the date's month."""

    def change(local: datetime) -> datetime:
        last = calendar.monthrange(local.year, local.month)[1]
        return local.replace(day=last, hour=23, minute=59, second=59, microsecond=999000)

    return on_the_clock(scope, date, change)


@fusion("addWeekDays", [('{{addWeekDays("2026-11-20"; 2)}}', "2026-11-24T00:00:00.000Z")])
def add_week_days(scope: Scope, date: Date, number: Number) -> datetime | None:
    """Moves a date by days, not counting Saturdays and Sundays."""
    count = math.floor(number)
    if abs(count) > 100_000:
        raise DataError(reason=f"{count} days is too much")

    def change(local: datetime) -> datetime:
        weeks, left = divmod(abs(count), 5)
        step = timedelta(days=1 if count >= 0 else -1)
        local += weeks * 7 * step
        while left:
            local += step
            left -= local.isoweekday() <= 5
        return local

    return on_the_clock(scope, date, change)


@fusion("dateMin", [('{{dateMin("2026-01-02"; "2026-01-01")}}', "2026-01-01T00:00:00.000Z")])
def date_min(scope: Scope, *dates: Many) -> datetime | None:
    """The earliest of some dates."""
    return min(_dates(scope, dates), default=None)


@fusion("dateMax", [('{{dateMax("2026-01-02"; "2026-01-01")}}', "2026-01-02T00:00:00.000Z")])
def date_max(scope: Scope, *dates: Many) -> datetime | None:
    """The latest of some dates."""
    return max(_dates(scope, dates), default=None)


def _dates(scope: Scope, values: tuple[Any, ...]) -> list[datetime]:
    flat = [each for value in values for each in (value if isinstance(value, list) else [value])]
    return [to_date(each, scope.zone) for each in flat if each is not None]
