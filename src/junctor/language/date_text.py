"""Dates as people and services write them: what a text must look like to pass for a date.

ISO 8601 and the forms that Make documents for coercion: year first with ``-`` or ``/``, month first
with ``/``, day first with ``.``, then a time of 24 or 12 hours, then an offset or GMT. Also the
dates of mail and HTTP (RFC 5322, once 2822; RFC 9110), which many services give.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

__all__ = ["date_of_text", "offset_of"]

_DATE = re.compile(
    r"""
    (?: (?P<y1>\d{4}) [-/] (?P<m1>\d{1,2}) [-/] (?P<d1>\d{1,2})
      | (?P<m2>\d{1,2}) / (?P<d2>\d{1,2}) / (?P<y2>\d{4})
      | (?P<d3>\d{1,2}) \. \s? (?P<m3>\d{1,2}) \. \s? (?P<y3>\d{4}) )
    (?: (?: T | ,?\s+ )
        (?P<hour>\d{1,2}) : (?P<minute>\d{2})
        (?: : (?P<second>\d{2}) (?: [.,] (?P<fraction>\d{1,9}) )? )?
        (?: \s* (?P<half>[AaPp])[Mm] )? )?
    \s*
    (?P<zone> Z | (?:GMT|UTC)? \s* (?P<offset>[+-]\d{1,2}:?(?:\d{2})?) | GMT | UTC )?
    """,
    re.VERBOSE | re.ASCII,
)

_MAIL = re.compile(
    r"""
    (?: (?: Mon | Tue | Wed | Thu | Fri | Sat | Sun ) ,? \s+ )?
    (?P<day>\d{1,2}) \s+ (?P<month>[A-Za-z]{3}) \s+ (?P<year>\d{4}) \s+
    (?P<hour>\d{2}) : (?P<minute>\d{2}) (?: : (?P<second>\d{2}) )? \s+
    (?P<zone> GMT | UTC? | Z | [+-]\d{4} ) (?: \s+ \( [^()]* \) )?
    """,
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@lru_cache(maxsize=2048)
def date_of_text(text: str, zone: tzinfo) -> datetime | None:
    """The date in a text, in UTC; in ``zone`` if it names none; ``None`` if it is no date."""
    try:
        found = datetime.fromisoformat(text) if len(text) >= 10 and text[4] == "-" else None
        found = _lenient_date(text) if found is None else found
        if found is None:
            return None
    except (ValueError, OverflowError):
        try:
            found = _lenient_date(text)
        except (ValueError, OverflowError):
            return None
        if found is None:
            return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    try:
        return found.astimezone(UTC)
    except OverflowError:
        return None


def _lenient_date(text: str) -> datetime | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return _mail_date(text)
    part = match.groupdict()
    year, month, day = (
        int(part[f"{name}1"] or part[f"{name}2"] or part[f"{name}3"]) for name in "ymd"
    )
    hour = int(part["hour"] or 0)
    if part["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if part["half"] in "pP" else 0)
    micro = int((part["fraction"] or "0").ljust(6, "0")[:6])
    moment = datetime(  # noqa: DTZ001  # its zone follows
        year, month, day, hour, int(part["minute"] or 0), int(part["second"] or 0), micro
    )
    if part["offset"]:
        return moment.replace(tzinfo=UTC) - offset_of(part["offset"])
    return moment.replace(tzinfo=UTC) if part["zone"] else moment


def _mail_date(text: str) -> datetime | None:
    """``Thu, 30 Jul 2015 20:12:31 +0000``. Its weekday is not looked at."""
    match = _MAIL.fullmatch(text)
    if match is None or match["month"].lower() not in _MONTHS:
        return None
    moment = datetime(
        int(match["year"]),
        _MONTHS.index(match["month"].lower()) + 1,
        int(match["day"]),
        int(match["hour"]),
        int(match["minute"]),
        int(match["second"] or 0),
        tzinfo=UTC,
    )
    zone = match["zone"]
    return moment - offset_of(zone) if zone[0] in "+-" else moment


def offset_of(text: str) -> timedelta:
    """``+02:00``, ``+0200`` or ``+2`` as a duration."""
    digits = text[1:].replace(":", "")
    hours, minutes = (digits, "0") if len(digits) <= 2 else (digits[:-2], digits[-2:])
    size = timedelta(hours=int(hours), minutes=int(minutes))
    return -size if text[0] == "-" else size
