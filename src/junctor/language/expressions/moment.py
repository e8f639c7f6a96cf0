"""Dates as text by moment.js tokens, in English.

Tokens and their meaning are those that Make documents for ``formatDate`` and ``parseDate``. A
format is compiled once: printing is one ``%`` with the attributes of a date.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

from junctor.errors import DataError
from junctor.language.values import milliseconds

__all__ = ["DAYS", "MONTHS", "TOKEN", "expand", "format_moment", "printer", "zone_named"]

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

_LONG = {
    "LT": "h:mm A",
    "LTS": "h:mm:ss A",
    "L": "MM/DD/YYYY",
    "LL": "MMMM D, YYYY",
    "LLL": "MMMM D, YYYY h:mm A",
    "LLLL": "dddd, MMMM D, YYYY h:mm A",
    "l": "M/D/YYYY",
    "ll": "MMM D, YYYY",
    "lll": "MMM D, YYYY h:mm A",
    "llll": "ddd, MMM D, YYYY h:mm A",
}

TOKEN = re.compile(
    r"\[[^\]]*\]|\\.|LTS|LT|L{1,4}|l{1,4}|YYYYYY|YYYYY|YYYY|YY|Y|Qo|Q|Mo|M{1,4}|Do|DDDo|D{1,4}"
    r"|do|d{1,4}|E|e|wo|ww|w|Wo|WW|W|gggg|gg|GGGG|GG|HH|H|hh|h|kk|k|A|a|mm|m|ss|s|S{1,9}"
    r"|zz|z|ZZ|Z|X|x|.",
    re.DOTALL,
)


@lru_cache(maxsize=1024)
def zone_named(name: str) -> tzinfo | None:
    """The time zone of an IANA name; ``None`` if there is none."""
    if not name:
        return None
    if name.upper() in {"UTC", "GMT", "Z"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return None


def expand(pattern: str) -> str:
    """The format with its localised tokens (``LL``) written out."""
    if "L" not in pattern and "l" not in pattern:
        return pattern
    return "".join(_LONG.get(token, token) for token in TOKEN.findall(pattern))


def _ordinal(number: int) -> str:
    if 11 <= number % 100 <= 13:
        return f"{number}th"
    return f"{number}" + {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _day_of_year(d: datetime) -> int:
    return d.timetuple().tm_yday


def _sunday(d: datetime) -> int:
    """Day of the week, Sunday is 0."""
    return d.isoweekday() % 7


def _week(d: datetime) -> tuple[int, int]:
    """Year and week as counted in the US: weeks start on Sunday, the first holds 1 January."""
    day = d.date()
    ahead = 6 - _sunday(d)
    if day.toordinal() + ahead > date.max.toordinal():
        return day.year, 53
    saturday = day + timedelta(days=ahead)
    return saturday.year, (saturday.timetuple().tm_yday - 1) // 7 + 1


def _hour12(d: datetime) -> int:
    return d.hour % 12 or 12


def _offset(d: datetime, separator: str) -> str:
    minutes = int((d.utcoffset() or timedelta()).total_seconds() // 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}{separator}{abs(minutes) % 60:02d}"


def _fraction(digits: int) -> Callable[[datetime], str]:
    return lambda d: f"{d.microsecond:06d}".ljust(9, "0")[:digits]


_ATTRIBUTES = {
    "YYYY": ("%04d", "year"),
    "Y": ("%d", "year"),
    "YYYYY": ("%05d", "year"),
    "YYYYYY": ("+%06d", "year"),
    "M": ("%d", "month"),
    "MM": ("%02d", "month"),
    "D": ("%d", "day"),
    "DD": ("%02d", "day"),
    "H": ("%d", "hour"),
    "HH": ("%02d", "hour"),
    "m": ("%d", "minute"),
    "mm": ("%02d", "minute"),
    "s": ("%d", "second"),
    "ss": ("%02d", "second"),
}
_COMPUTED: dict[str, Callable[[datetime], str]] = {
    "YY": lambda d: f"{d.year % 100:02d}",
    "Q": lambda d: str((d.month + 2) // 3),
    "Qo": lambda d: _ordinal((d.month + 2) // 3),
    "Mo": lambda d: _ordinal(d.month),
    "MMM": lambda d: MONTHS[d.month - 1][:3],
    "MMMM": lambda d: MONTHS[d.month - 1],
    "Do": lambda d: _ordinal(d.day),
    "DDD": lambda d: str(_day_of_year(d)),
    "DDDo": lambda d: _ordinal(_day_of_year(d)),
    "DDDD": lambda d: f"{_day_of_year(d):03d}",
    "d": lambda d: str(_sunday(d)),
    "do": lambda d: _ordinal(_sunday(d)),
    "dd": lambda d: DAYS[_sunday(d)][:2],
    "ddd": lambda d: DAYS[_sunday(d)][:3],
    "dddd": lambda d: DAYS[_sunday(d)],
    "E": lambda d: str(d.isoweekday()),
    "e": lambda d: str(_sunday(d)),
    "w": lambda d: str(_week(d)[1]),
    "wo": lambda d: _ordinal(_week(d)[1]),
    "ww": lambda d: f"{_week(d)[1]:02d}",
    "W": lambda d: str(d.isocalendar().week),
    "Wo": lambda d: _ordinal(d.isocalendar().week),
    "WW": lambda d: f"{d.isocalendar().week:02d}",
    "gg": lambda d: f"{_week(d)[0] % 100:02d}",
    "gggg": lambda d: f"{_week(d)[0]:04d}",
    "GG": lambda d: f"{d.isocalendar().year % 100:02d}",
    "GGGG": lambda d: f"{d.isocalendar().year:04d}",
    "h": lambda d: str(_hour12(d)),
    "hh": lambda d: f"{_hour12(d):02d}",
    "k": lambda d: str(d.hour or 24),
    "kk": lambda d: f"{d.hour or 24:02d}",
    "a": lambda d: "am" if d.hour < 12 else "pm",
    "A": lambda d: "AM" if d.hour < 12 else "PM",
    "z": lambda d: d.tzname() or "",
    "zz": lambda d: d.tzname() or "",
    "Z": lambda d: _offset(d, ":"),
    "ZZ": lambda d: _offset(d, ""),
    "X": lambda d: str(milliseconds(d) // 1000),
    "x": lambda d: str(milliseconds(d)),
    **{"S" * digits: _fraction(digits) for digits in range(1, 10)},
}


_TWO = [f"{number:02d}" for number in range(100)]
_YEAR = [f"{number:04d}" for number in range(10_000)]
_ISO = ["YYYY", "-", "MM", "-", "DD", "", "HH", ":", "mm", ":", "ss"]


def _iso_part(tokens: list[str]) -> Callable[[datetime], str] | None:
    """Prints the usual ``YYYY-MM-DD HH:mm:ss`` and its starts three times as fast as ``%``."""
    if len(tokens) not in {5, 9, 11}:
        return None
    separator = literal(tokens[5]) if len(tokens) > 5 else ""
    for place, (token, wanted) in enumerate(zip(tokens, _ISO, strict=False)):
        known = token in _ATTRIBUTES or token in _COMPUTED
        if known if place == 5 else (literal(token) if place % 2 else token) != wanted:
            return None
    two, year = _TWO, _YEAR
    if len(tokens) == 5:
        return lambda d: f"{year[d.year]}-{two[d.month]}-{two[d.day]}"
    if len(tokens) == 9:
        return lambda d: (
            f"{year[d.year]}-{two[d.month]}-{two[d.day]}{separator}{two[d.hour]}:{two[d.minute]}"
        )
    return lambda d: (
        f"{year[d.year]}-{two[d.month]}-{two[d.day]}{separator}"
        f"{two[d.hour]}:{two[d.minute]}:{two[d.second]}"
    )


@lru_cache(maxsize=512)
def printer(pattern: str) -> Callable[[datetime], str]:
    """The compiled format: a date on its clock in, text out."""
    if len(pattern) > 1000:
        raise DataError(reason="a date format may have 1000 characters")
    texts: list[str] = []
    getters: list[Any] = []
    tokens = TOKEN.findall(expand(pattern))
    iso_part = _iso_part(tokens)
    if iso_part is not None:
        return iso_part
    for token in tokens:
        if token in _ATTRIBUTES:
            text, attribute = _ATTRIBUTES[token]
            texts.append(text)
            getters.append(attribute)
        elif token in _COMPUTED:
            texts.append("%s")
            getters.append(_COMPUTED[token])
        else:
            texts.append(literal(token).replace("%", "%%"))
    return _shaped("".join(texts), getters)


def literal(token: str) -> str:
    """What a token that is no date part stands for."""
    if token.startswith("[") and token.endswith("]") and len(token) > 1:
        return token[1:-1]
    return token[1:] if token.startswith("\\") and len(token) > 1 else token


def _shaped(template: str, getters: list[Any]) -> Callable[[datetime], str]:
    if len(getters) > 1 and all(isinstance(getter, str) for getter in getters):
        attributes = attrgetter(*getters)
        return lambda d: template % attributes(d)
    calls = tuple(attrgetter(get) if isinstance(get, str) else get for get in getters)
    return lambda d: template % tuple([call(d) for call in calls])


def format_moment(value: datetime, pattern: str, zone: tzinfo) -> str:
    """The date as text, as the clock shows it in ``zone``."""
    return printer(pattern)(value if zone is UTC else value.astimezone(zone))
