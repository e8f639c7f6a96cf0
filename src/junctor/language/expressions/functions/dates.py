"""Dates and times. Days, months and years are counted on the organisation's clock."""

from __future__ import annotations

import calendar
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from junctor.errors import DataError
from junctor.language.expressions.functions.registry import Date, Number, Text, function
from junctor.language.expressions.moment import DAYS, MONTHS, format_moment, printer, zone_named
from junctor.language.expressions.moment_parse import parse_moment
from junctor.language.expressions.scope import Env, Evaluate, Scope, constant
from junctor.language.values import as_number, show, to_date, to_text

__all__ = ["add_months", "format_date", "on_the_clock", "parse_date", "shifted"]

ISO = "YYYY-MM-DDTHH:mm:ssZ"
"""What a date looks like where no format is given."""

_D = 'parseDate("2015-08-07T11:36:39Z"; "YYYY-MM-DDTHH:mm:ssZ")'


def _formatting(operands: list[Evaluate]) -> Evaluate | None:
    """`format_date` with its format and time zone looked up once."""
    date, *rest = operands
    if not all(map(constant, rest)):
        return None
    pattern, timezone, *_ = [*(each([]) for each in rest), "", ""]
    try:
        show_date = printer(pattern or ISO)
    except DataError:  # too long: told when it is evaluated
        return None
    zone = zone_named(timezone)

    def call(env: Env) -> str | None:
        d = date(env)
        if d is None:
            return None
        return show_date(d.astimezone(env[0].zone if zone is None else zone))

    return call


@function(
    "formatDate",
    [
        ('{{formatDate(parseDate("2015-09-28"; "YYYY-MM-DD"); "DD.MM.YYYY")}}', "28.09.2015"),
        (
            f'{{{{formatDate({_D}; "dddd, MMMM Do YYYY, h:mm a")}}}}',
            "Friday, August 7th 2015, 11:36 am",
        ),
        (f'{{{{formatDate({_D}; "HH:mm ZZ"; "Europe/Prague")}}}}', "13:36 +0200"),
        ('{{formatDate("2026-11-21"; "[week] W")}}', "week 47"),
        ('{{formatDate(1.nul; "YYYY")}}', None),
    ],
    specialize=_formatting,
)
def format_date(scope: Scope, date: Date, format_: Text = ISO, timezone: Text = "") -> str | None:
    """A date as text: YYYY MM DD HH mm ss, dddd, MMMM, Do, h A, Z, X, [text] … Null stays null.

    A time zone that doesn't exist is ignored, as Make does.
    """
    if date is None:
        return None
    zone = (zone_named(timezone) if timezone else None) or scope.zone
    return format_moment(date, format_ or ISO, zone)


@function(
    "parseDate",
    [
        ('{{parseDate("2016-12-28"; "YYYY-MM-DD")}}', "2016-12-28T00:00:00.000Z"),
        (
            '{{parseDate("2016-12-28 16:03 +0200"; "YYYY-MM-DD HH:mm ZZ")}}',
            "2016-12-28T14:03:00.000Z",
        ),
        ('{{parseDate("28.12.2016"; "D.M.YYYY"; "Europe/Prague")}}', "2016-12-27T23:00:00.000Z"),
        ('{{parseDate("2016-12-28T10:00:00Z")}}', "2016-12-28T10:00:00.000Z"),
        ('{{parseDate("1482920000"; "X")}}', "2016-12-28T10:13:20.000Z"),
    ],
    impure=True,
)
def parse_date(scope: Scope, text: Any, format_: Text = "", timezone: Text = "") -> datetime | None:
    """Reads a date from text by a format, or in any usual form without one. Null stays null."""
    if text is None or isinstance(text, datetime):
        return text
    zone = (zone_named(timezone) if timezone else None) or scope.zone
    if not format_:
        return to_date(text, zone)
    return parse_moment(to_text(text), format_, zone, scope.now())


def shifted(date: datetime, duration: timedelta) -> datetime:
    """The date moved; `DataError` beyond the years 1 to 9999."""
    try:
        return date + duration
    except OverflowError as error:
        raise DataError(reason="the result is outside of all dates") from error


def duration(number: float, unit: str) -> timedelta:
    """``number`` of ``seconds``, ``minutes``, ``hours`` …; `DataError` if beyond all dates."""
    try:
        return timedelta(**{unit: number})
    except OverflowError as error:
        raise DataError(reason=f"{show(number)} {unit} is too much") from error


def on_the_clock(
    scope: Scope, date: datetime | None, change: Callable[[datetime], datetime]
) -> datetime | None:
    """A date changed as the organisation's clock shows it (without zone); null stays null."""
    if date is None:
        return None
    try:
        moved = change(date.astimezone(scope.zone).replace(tzinfo=None))
        return moved.replace(tzinfo=scope.zone).astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise DataError(reason=f"the result is outside of all dates ({error})") from error


def to_month(date: datetime, index: int) -> datetime:
    """The date in the month ``index`` (0 is January of year 0); past its end: its last day."""
    year, month = divmod(index, 12)
    if not 1 <= year <= 9999:
        raise ValueError(f"year {year}")
    day = min(date.day, calendar.monthrange(year, month + 1)[1])
    return date.replace(year=year, month=month + 1, day=day)


def _rounded(number: float) -> int:
    return math.floor(number + 0.5) if number >= 0 else -math.floor(-number + 0.5)


@function("addSeconds", [(f"{{{{addSeconds({_D}; -2)}}}}", "2015-08-07T11:36:37.000Z")])
def add_seconds(date: Date, number: Number) -> datetime | None:
    """Moves a date by seconds."""
    return date and shifted(date, duration(number, "seconds"))


@function("addMinutes", [(f"{{{{addMinutes({_D}; 2)}}}}", "2015-08-07T11:38:39.000Z")])
def add_minutes(date: Date, number: Number) -> datetime | None:
    """Moves a date by minutes."""
    return date and shifted(date, duration(number, "minutes"))


@function("addHours", [(f"{{{{addHours({_D}; 2)}}}}", "2015-08-07T13:36:39.000Z")])
def add_hours(date: Date, number: Number) -> datetime | None:
    """Moves a date by hours."""
    return date and shifted(date, duration(number, "hours"))


@function(
    "addDays",
    [(f"{{{{addDays({_D}; -2)}}}}", "2015-08-05T11:36:39.000Z"), ("{{addDays(1.nul; 1)}}", None)],
)
def add_days(scope: Scope, date: Date, number: Number) -> datetime | None:
    """Moves a date by days; the time of day stays."""
    return on_the_clock(scope, date, lambda local: local + timedelta(days=_rounded(number)))


@function(
    "addMonths",
    [
        (f"{{{{addMonths({_D}; 2)}}}}", "2015-10-07T11:36:39.000Z"),
        ('{{addMonths("2024-01-31"; 1)}}', "2024-02-29T00:00:00.000Z"),
    ],
)
def add_months(scope: Scope, date: Date, number: Number) -> datetime | None:
    """Moves a date by months; a day the month doesn't have becomes its last."""
    months = _rounded(number)
    return on_the_clock(scope, date, lambda d: to_month(d, d.year * 12 + d.month - 1 + months))


@function("addYears", [(f"{{{{addYears({_D}; -2)}}}}", "2013-08-07T11:36:39.000Z")])
def add_years(scope: Scope, date: Date, number: Number) -> datetime | None:
    """Moves a date by years."""
    return add_months(scope, date, _rounded(number) * 12)


@function("setSecond", [(f"{{{{setSecond({_D}; 61)}}}}", "2015-08-07T11:37:01.000Z")])
def set_second(scope: Scope, date: Date, number: Number) -> datetime | None:
    """Sets the second; beyond 0 to 59 it runs into other minutes."""
    by = duration(int(number), "seconds")
    return on_the_clock(scope, date, lambda local: local.replace(second=0) + by)


@function("setMinute", [(f"{{{{setMinute({_D}; 5)}}}}", "2015-08-07T11:05:39.000Z")])
def set_minute(scope: Scope, date: Date, number: Number) -> datetime | None:
    """Sets the minute; beyond 0 to 59 it runs into other hours."""
    by = duration(int(number), "minutes")
    return on_the_clock(scope, date, lambda local: local.replace(minute=0) + by)


@function("setHour", [(f"{{{{setHour({_D}; -6)}}}}", "2015-08-06T18:36:39.000Z")])
def set_hour(scope: Scope, date: Date, number: Number) -> datetime | None:
    """Sets the hour; beyond 0 to 23 it runs into other days."""
    by = duration(int(number), "hours")
    return on_the_clock(scope, date, lambda local: local.replace(hour=0) + by)


@function(
    "setDay",
    [
        ('{{formatDate(setDay("2018-06-27"; 1); "YYYY-MM-DD")}}', "2018-06-24"),
        ('{{formatDate(setDay("2018-06-27"; "monday"); "YYYY-MM-DD")}}', "2018-06-25"),
        ('{{formatDate(setDay("2018-06-27"; 8); "YYYY-MM-DD")}}', "2018-07-01"),
    ],
)
def set_day(scope: Scope, date: Date, day: Any) -> datetime | None:
    """Sets the day of the week, by name or 1 (Sunday) to 7 (Saturday), in the same week."""
    wanted = _named(day, DAYS, "a day of the week")
    return on_the_clock(
        scope, date, lambda local: local + timedelta(days=wanted - 1 - local.isoweekday() % 7)
    )


@function(
    "setDate",
    [
        (f"{{{{setDate({_D}; 32)}}}}", "2015-09-01T11:36:39.000Z"),
        (f"{{{{setDate({_D}; 0)}}}}", "2015-07-31T11:36:39.000Z"),
    ],
)
def set_date(scope: Scope, date: Date, number: Number) -> datetime | None:
    """Sets the day of the month; 0 is the last day of the month before."""
    by = duration(int(number) - 1, "days")
    return on_the_clock(scope, date, lambda local: local.replace(day=1) + by)


@function(
    "setMonth",
    [
        (f"{{{{setMonth({_D}; 5)}}}}", "2015-05-07T11:36:39.000Z"),
        (f'{{{{setMonth({_D}; "January")}}}}', "2015-01-07T11:36:39.000Z"),
        (f"{{{{setMonth({_D}; 17)}}}}", "2016-05-07T11:36:39.000Z"),
    ],
)
def set_month(scope: Scope, date: Date, month: Any) -> datetime | None:
    """Sets the month, by name or number; beyond 1 to 12 it runs into other years."""
    wanted = _named(month, MONTHS, "a month")
    return on_the_clock(scope, date, lambda local: to_month(local, local.year * 12 + wanted - 1))


@function("setYear", [(f"{{{{setYear({_D}; 2020)}}}}", "2020-08-07T11:36:39.000Z")])
def set_year(scope: Scope, date: Date, number: Number) -> datetime | None:
    """Sets the year."""
    wanted = int(number)
    return on_the_clock(scope, date, lambda local: to_month(local, wanted * 12 + local.month - 1))


def _named(value: Any, names: list[str], what: str) -> int:
    """A number, or the 1-based place of an English name or its first three letters."""
    number = as_number(value)
    if number is not None:
        return int(number)
    text = to_text(value).strip().lower()
    for index, name in enumerate(names, 1):
        if text in {name.lower(), name[:3].lower()}:
            return index
    raise DataError(reason=f"{show(value)} is not {what}")
