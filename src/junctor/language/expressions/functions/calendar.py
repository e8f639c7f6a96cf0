"""Parts of dates, and spans between them: names that other dialects of the language have.

Adobe Workfront Fusion, a fork of the same engine, documents them; imported blueprints use them.
"""

from __future__ import annotations

import calendar
from datetime import datetime, timedelta
from typing import Any

from junctor.errors import DataError
from junctor.language.expressions.functions.dates import on_the_clock
from junctor.language.expressions.functions.registry import Date, Many, Number, Text, function
from junctor.language.expressions.scope import Scope
from junctor.language.values import show, to_date

__all__ = ["date_difference", "end_of_month", "start_of_month"]

_D = '"2015-08-07T11:36:39Z"'


def _local(scope: Scope, date: datetime | None) -> datetime | None:
    return None if date is None else date.astimezone(scope.zone)


@function(
    "dateDifference",
    [
        ('{{dateDifference("2015-08-10"; "2015-08-07"; "days")}}', 3),
        ('{{dateDifference("2015-08-07T01:30:00Z"; "2015-08-07"; "hours")}}', 1),
    ],
)
def date_difference(later: Date, earlier: Date, unit: Text = "milliseconds") -> int | None:
    """Whole units from the second date to the first: days, hours, minutes, seconds …"""
    if later is None or earlier is None:
        return None
    name = unit.lower().removesuffix("s")
    if name in {"month", "quarter", "year"}:
        months = (later.year - earlier.year) * 12 + later.month - earlier.month
        if months > 0 and later.replace(year=2000, month=1) < earlier.replace(year=2000, month=1):
            months -= 1
        return int(months / {"month": 1, "quarter": 3, "year": 12}[name])
    spans = {"millisecond": 0.001, "second": 1, "minute": 60, "hour": 3600, "day": 86400}
    spans["week"] = 7 * 86400
    if name not in spans:
        raise DataError(reason=f"{show(unit)} is no unit; use {', '.join(spans)}, month or year")
    return int((later - earlier).total_seconds() / spans[name] + 0.0)


@function("year", [(f"{{{{year({_D})}}}}", 2015)])
def year(scope: Scope, date: Date) -> int | None:
    """The year of a date."""
    local = _local(scope, date)
    return None if local is None else local.year


@function("month", [(f"{{{{month({_D})}}}}", 8)])
def month(scope: Scope, date: Date) -> int | None:
    """The month of a date, 1 to 12."""
    local = _local(scope, date)
    return None if local is None else local.month


@function("dayOfMonth", [(f"{{{{dayOfMonth({_D})}}}}", 7)])
def day_of_month(scope: Scope, date: Date) -> int | None:
    """The day of the month, 1 to 31."""
    local = _local(scope, date)
    return None if local is None else local.day


@function("dayOfWeek", [(f"{{{{dayOfWeek({_D})}}}}", 6)])
def day_of_week(scope: Scope, date: Date) -> int | None:
    """The day of the week, 1 (Sunday) to 7 (Saturday)."""
    local = _local(scope, date)
    return None if local is None else local.isoweekday() % 7 + 1


@function("hour", [(f"{{{{hour({_D})}}}}", 11)])
def hour(scope: Scope, date: Date) -> int | None:
    """The hour of a date, 0 to 23."""
    local = _local(scope, date)
    return None if local is None else local.hour


@function("minute", [(f"{{{{minute({_D})}}}}", 36)])
def minute(scope: Scope, date: Date) -> int | None:
    """The minute of a date."""
    local = _local(scope, date)
    return None if local is None else local.minute


@function("second", [(f"{{{{second({_D})}}}}", 39)])
def second(date: Date) -> int | None:
    """The second of a date."""
    return None if date is None else date.second


@function("daysInMonth", [(f"{{{{daysInMonth({_D})}}}}", 31)])
def days_in_month(scope: Scope, date: Date) -> int | None:
    """How many days the date's month has."""
    local = _local(scope, date)
    return None if local is None else calendar.monthrange(local.year, local.month)[1]


@function("daysInYear", [('{{daysInYear("2024-05-01")}}', 366)])
def days_in_year(scope: Scope, date: Date) -> int | None:
    """How many days the date's year has."""
    local = _local(scope, date)
    return None if local is None else 365 + calendar.isleap(local.year)


@function("isWeekend", [('{{isWeekend("2026-11-21")}}', True), (f"{{{{isWeekend({_D})}}}}", False)])
def is_weekend(scope: Scope, date: Date) -> bool | None:
    """Whether the date is a Saturday or a Sunday."""
    local = _local(scope, date)
    return None if local is None else local.isoweekday() > 5


@function("startOfMonth", [(f"{{{{startOfMonth({_D})}}}}", "2015-08-01T00:00:00.000Z")])
def start_of_month(scope: Scope, date: Date) -> datetime | None:
    """Midnight of the first day of the date's month."""
    return on_the_clock(
        scope, date, lambda local: local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    )


@function("endOfMonth", [(f"{{{{endOfMonth({_D})}}}}", "2015-08-31T23:59:59.999Z")])
def end_of_month(scope: Scope, date: Date) -> datetime | None:
    """The last millisecond of the date's month."""

    def change(local: datetime) -> datetime:
        last = calendar.monthrange(local.year, local.month)[1]
        return local.replace(day=last, hour=23, minute=59, second=59, microsecond=999000)

    return on_the_clock(scope, date, change)


@function("addWeekDays", [('{{addWeekDays("2026-11-20"; 2)}}', "2026-11-24T00:00:00.000Z")])
def add_week_days(scope: Scope, date: Date, number: Number) -> datetime | None:
    """Moves a date by days, not counting Saturdays and Sundays."""
    count = int(number)
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


@function("dateMin", [('{{dateMin("2026-01-02"; "2026-01-01")}}', "2026-01-01T00:00:00.000Z")])
def date_min(scope: Scope, *dates: Many) -> datetime | None:
    """The earliest of some dates."""
    return min(_dates(scope, dates), default=None)


@function("dateMax", [('{{dateMax("2026-01-02"; "2026-01-01")}}', "2026-01-02T00:00:00.000Z")])
def date_max(scope: Scope, *dates: Many) -> datetime | None:
    """The latest of some dates."""
    return max(_dates(scope, dates), default=None)


def _dates(scope: Scope, values: tuple[Any, ...]) -> list[datetime]:
    flat = [each for value in values for each in (value if isinstance(value, list) else [value])]
    return [to_date(each, scope.zone) for each in flat if each is not None]
