from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junctor.errors import DataError
from junctor.language.expressions.moment import format_moment, zone_named
from junctor.language.expressions.moment_parse import parse_moment
from junctor.language.values import iso

DATE = datetime(2015, 8, 7, 23, 6, 9, 123456, tzinfo=UTC)
NOW = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("YYYY YY Y", "2015 15 2015"),
        ("Q Qo M Mo MM MMM MMMM", "3 3rd 8 8th 08 Aug August"),
        ("D Do DD DDD DDDo DDDD", "7 7th 07 219 219th 219"),
        ("d do dd ddd dddd E e", "5 5th Fr Fri Friday 5 5"),
        ("w wo ww W Wo WW", "32 32nd 32 32 32nd 32"),
        ("gg gggg GG GGGG", "15 2015 15 2015"),
        ("H HH h hh k kk A a", "23 23 11 11 23 23 PM pm"),
        ("m mm s ss", "6 06 9 09"),
        ("S SS SSS SSSSSS", "1 12 123 123456"),
        ("Z ZZ z", "+00:00 +0000 UTC"),
        ("X x", "1438988769 1438988769123"),
        ("[at] HH[h] 100%", "at 23h 100%"),
        ("\\Y YYYY-MM-DDTHH:mm:ss", "Y 2015-08-07T23:06:09"),
        ("L LT LL", "08/07/2015 11:06 PM August 7, 2015"),
        ("", ""),
    ],
)
def test_tokens(pattern: str, wanted: str) -> None:
    assert format_moment(DATE, pattern, UTC) == wanted


def test_zones() -> None:
    prague = ZoneInfo("Europe/Prague")
    assert format_moment(DATE, "YYYY-MM-DD HH:mm Z z", prague) == "2015-08-08 01:06 +02:00 CEST"
    assert format_moment(DATE, "ZZ", ZoneInfo("America/St_Johns")) == "-0230"
    assert zone_named("Europe/Prague") == prague
    for name in ("", "Nowhere", "../../etc/passwd", "Europe", "/etc/localtime", "a\0b"):
        assert zone_named(name) is None


@pytest.mark.parametrize(
    ("text", "pattern", "wanted"),
    [
        ("2015-08-07", "YYYY-MM-DD", "2015-08-07T00:00:00.000Z"),
        ("7/8/15 9:05 pm", "D/M/YY h:mm a", "2015-08-07T21:05:00.000Z"),
        ("12:00 AM", "hh:mm A", "2026-11-21T00:00:00.000Z"),
        ("Aug 7th, 2015", "MMM Do, YYYY", "2015-08-07T00:00:00.000Z"),
        ("Friday, August 7, 2015", "dddd, MMMM D, YYYY", "2015-08-07T00:00:00.000Z"),
        ("2015-08-07T11:36:39.5+02:00", "YYYY-MM-DDTHH:mm:ss.SZ", "2015-08-07T09:36:39.500Z"),
        ("1438988769.5", "X", "2015-08-07T23:06:09.500Z"),
        ("1438988769123", "x", "2015-08-07T23:06:09.123Z"),
        ("2015-219", "YYYY-DDDD", "2015-08-07T00:00:00.000Z"),
        ("2015-W32-5", "GGGG-[W]WW-E", "2015-08-07T00:00:00.000Z"),
        ("10:15", "HH:mm", "2026-11-21T10:15:00.000Z"),
        ("15", "D", "2026-11-15T00:00:00.000Z"),
        ("2015", "YYYY-MM-DD", "2015-01-01T00:00:00.000Z"),
        ("24:00 2015-08-07", "HH:mm YYYY-MM-DD", "2015-08-08T00:00:00.000Z"),
        ("3 2015", "Q YYYY", "2015-07-01T00:00:00.000Z"),
        ("20150807-110639", "YYYYMMDD-HHmmss", "2015-08-07T11:06:39.000Z"),
    ],
)
def test_parsing(text: str, pattern: str, wanted: str) -> None:
    assert iso(parse_moment(text, pattern, UTC, NOW)) == wanted


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("", "YYYY"),
        ("nothing", "YYYY-MM-DD"),
        ("2015-02-30", "YYYY-MM-DD"),
        ("25:00", "HH:mm"),
        ("13 pm", "hh a"),
        ("24:01", "HH:mm"),
        ("0", "YYYYY"),
        ("99999999999999", "X"),
        ("2015 366", "YYYY DDDD"),
        ("99", "D" * 300),
    ],
)
def test_what_is_no_date(text: str, pattern: str) -> None:
    with pytest.raises(DataError):
        parse_moment(text, pattern, UTC, NOW)


@given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 30)))  # noqa: DTZ001  # as strategies want
def test_what_is_printed_is_read(date: datetime) -> None:
    date = date.replace(microsecond=0, tzinfo=UTC)
    for pattern in ("YYYY-MM-DD HH:mm:ss", "dddd, MMMM Do YYYY, h:mm:ss a", "X"):
        text = format_moment(date, pattern, UTC)
        assert parse_moment(text, pattern, UTC, NOW) == date
    text = format_moment(date, "GGGG [W]WW E HH:mm:ss Z", UTC)
    assert parse_moment(text, "GGGG [W]WW E HH:mm:ss Z", UTC, NOW) == date
