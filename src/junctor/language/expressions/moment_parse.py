"""Reading dates from text by moment.js tokens, as forgivingly as moment.js does.

Each token looks for its value in what is left of the text and skips what is before it; a text in
which no token finds anything is not a date. Parts that are missing come from today if nothing
larger was given, else they are the first (January, the 1st, midnight).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from junctor.errors import DataError
from junctor.language.date_text import offset_of
from junctor.language.expressions.moment import DAYS, MONTHS, TOKEN, expand, literal
from junctor.language.values import EPOCH, show

__all__ = ["parse_moment"]

_NUMERIC = {
    **dict.fromkeys(("YYYY", "GGGG", "gggg"), r"\d{1,4}"),
    **dict.fromkeys(
        [
            "YY",
            "GG",
            "gg",
            "M",
            "MM",
            "D",
            "DD",
            "W",
            "WW",
            "w",
            "ww",
            "H",
            "HH",
            "h",
            "hh",
            "k",
            "kk",
            "m",
            "mm",
            "s",
            "ss",
        ],
        r"\d{1,2}",
    ),
    "Y": r"[+-]?\d{1,6}",
    "YYYYY": r"\d{1,5}",
    "YYYYYY": r"[+-]?\d{1,6}",
    "Q": r"\d",
    "E": r"\d",
    "e": r"\d",
    "d": r"\d",
    "DDD": r"\d{1,3}",
    "DDDD": r"\d{3}",
    "Do": r"\d{1,2}(?=st|nd|rd|th|ST|ND|RD|TH|)",
    "X": r"[+-]?\d{1,15}(?:\.\d{1,3})?",
    "x": r"[+-]?\d{1,18}",
}
_WORDS = {
    "MMM": "|".join(f"{name}|{name[:3]}" for name in MONTHS),
    "MMMM": "|".join(f"{name}|{name[:3]}" for name in MONTHS),
    "dd": "|".join(f"{name}|{name[:3]}|{name[:2]}" for name in DAYS),
    "ddd": "|".join(f"{name}|{name[:3]}|{name[:2]}" for name in DAYS),
    "dddd": "|".join(f"{name}|{name[:3]}|{name[:2]}" for name in DAYS),
    "a": r"[ap]\.?m?\.?",
    "A": r"[ap]\.?m?\.?",
    "Z": r"Z|[+-]\d\d:?\d\d",
    "ZZ": r"Z|[+-]\d\d:?\d\d",
}
_FIELDS = {
    **dict.fromkeys(("YYYY", "YY", "Y", "YYYYY", "YYYYYY"), "year"),
    **dict.fromkeys(("M", "MM", "MMM", "MMMM"), "month"),
    **dict.fromkeys(("D", "DD", "Do"), "day"),
    **dict.fromkeys(("DDD", "DDDD"), "day_of_year"),
    **dict.fromkeys(("d", "dd", "ddd", "dddd", "e"), "weekday"),
    **dict.fromkeys(("GGGG", "GG"), "iso_year"),
    **dict.fromkeys(("W", "WW"), "iso_week"),
    **dict.fromkeys(("w", "ww"), "week"),
    **dict.fromkeys(("gggg", "gg"), "week_year"),
    **dict.fromkeys(("H", "HH", "h", "hh", "k", "kk"), "hour"),
    **dict.fromkeys(("m", "mm"), "minute"),
    **dict.fromkeys(("s", "ss"), "second"),
    **dict.fromkeys(("a", "A"), "half"),
    **dict.fromkeys(("Z", "ZZ"), "offset"),
    "E": "iso_day",
    "Q": "quarter",
    "X": "seconds",
    "x": "milliseconds",
}
_TWO_DIGITS = {"YY", "YYYY", "GG", "GGGG", "gg", "gggg"}


@lru_cache(maxsize=512)
def _reader(pattern: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    if len(pattern) > 200:
        raise DataError(reason="a date format may have 200 characters")
    steps = []
    for token in TOKEN.findall(expand(pattern)):
        if token.startswith("S"):
            expression = r"\d{1,9}"
        elif token in _NUMERIC or token in _WORDS:
            expression = _NUMERIC.get(token) or _WORDS[token]
        else:
            expression = re.escape(literal(token))
        steps.append((token, re.compile(expression, re.IGNORECASE | re.ASCII)))
    return tuple(steps)


def parse_moment(text: str, pattern: str, zone: tzinfo, now: datetime) -> datetime:
    """The date in ``text``, in UTC; ``zone`` is its time zone unless the text names one.

    Raises `DataError` if nothing of the format is found, or what is found is no date.
    """
    parts: dict[str, Any] = {}
    rest = text[:1000]
    for token, expression in _reader(pattern):
        match = expression.search(rest)
        if match is None:
            continue
        rest = rest[match.end() :]
        if token.startswith("S"):
            parts["microsecond"] = int(match[0].ljust(6, "0")[:6])
        elif token in _FIELDS:
            parts[_FIELDS[token]] = _value(token, match[0])
            parts["twelve"] = parts.get("twelve", False) or token in {"h", "hh"}
    parts.pop("twelve", None) if len(parts) == 1 else None
    if not parts:
        raise DataError(reason=f"{show(text)} is not a date in the format {show(pattern)}")
    try:
        return _assembled(parts, zone, now)
    except (ValueError, OverflowError) as error:
        reason = f"{show(text)} is not a date in the format {show(pattern)} ({error})"
        raise DataError(reason=reason) from error


def _value(part: str, found: str) -> Any:
    if part in {"MMM", "MMMM"}:
        return [name[:3].lower() for name in MONTHS].index(found[:3].lower()) + 1
    if part in {"dd", "ddd", "dddd"}:
        return [name[:2].lower() for name in DAYS].index(found[:2].lower())
    if part in {"a", "A"}:
        return found[0].lower()
    if part in {"Z", "ZZ"}:
        return timedelta() if found in {"Z", "z"} else offset_of(found)
    if part == "X":
        return float(found)
    number = int(found)
    if part in _TWO_DIGITS and len(found) <= 2:
        return number + (1900 if number > 68 else 2000)
    return number


def _assembled(parts: dict[str, Any], zone: tzinfo, now: datetime) -> datetime:
    if "seconds" in parts:
        return EPOCH + timedelta(seconds=parts["seconds"])
    if "milliseconds" in parts:
        return EPOCH + timedelta(milliseconds=parts["milliseconds"])
    offset: timedelta | None = parts.get("offset")
    today = (now + offset).date() if offset is not None else now.astimezone(zone).date()
    day = _day(parts, today)
    hour = parts.get("hour", 0)
    if parts.get("half") or (parts.get("twelve") and hour > 12):
        if hour > 12 and parts.get("twelve"):
            raise ValueError(f"hour {hour} of 12")
        if parts.get("half"):
            hour = hour % 12 + (12 if parts["half"] == "p" else 0) if hour <= 12 else hour
    if hour == 24:  # midnight at the day's end, where nothing follows it
        if any(parts.get(each) for each in ("minute", "second", "microsecond")):
            raise ValueError("hour 24")
        day, hour = day + timedelta(days=1), 0
    moment = datetime(
        day.year,
        day.month,
        day.day,
        hour,
        parts.get("minute", 0),
        parts.get("second", 0),
        parts.get("microsecond", 0),
        tzinfo=UTC,
    )
    if offset is not None:
        return moment - offset
    return moment.replace(tzinfo=zone).astimezone(UTC)


def _day(parts: dict[str, Any], today: date) -> date:
    if "iso_week" in parts or "iso_year" in parts or "iso_day" in parts:
        year = parts.get("iso_year", parts.get("year", today.isocalendar().year))
        week = parts.get("iso_week", 1 if "iso_year" in parts else today.isocalendar().week)
        return date.fromisocalendar(year, week, parts.get("iso_day", 1))
    if "week" in parts or "week_year" in parts:
        year = parts.get("week_year", parts.get("year", today.year))
        january = date(year, 1, 1)
        first = january - timedelta(days=january.isoweekday() % 7)
        return first + timedelta(weeks=parts.get("week", 1) - 1, days=parts.get("weekday", 0))
    if "day_of_year" in parts:
        found = date(parts.get("year", today.year), 1, 1) + timedelta(days=parts["day_of_year"] - 1)
        if found.year != parts.get("year", today.year):
            raise ValueError(f"day {parts['day_of_year']} of the year")
        return found
    if "quarter" in parts:
        parts.setdefault("month", (parts["quarter"] - 1) * 3 + 1)
    known = [name for name in ("year", "month", "day") if name in parts]
    if not known:
        moved = parts.get("weekday", today.isoweekday() % 7) - today.isoweekday() % 7
        return today + timedelta(days=moved)
    largest = ("year", "month", "day").index(known[0])
    year = parts.get("year", today.year)
    month = parts.get("month", today.month if largest > 1 else 1)
    return date(year, month, parts.get("day", 1))
