"""Coercions are total: a value of the wanted type, or an error that says what did not fit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junctor.errors import DataError, JunctorError
from junctor.language.expressions import Scope, compile_template
from junctor.language.expressions.moment import TOKEN, format_moment, zone_named
from junctor.language.values import coerce, json_text, plain, show, to_buffer, to_text

TYPES: dict[str, type | tuple[type, ...]] = {
    "array": list,
    "boolean": bool,
    "buffer": bytes,
    "collection": dict,
    "date": datetime,
    "integer": int,
    "number": (int, float),
    "port": int,
    "text": str,
    "time": str,
    "timestamp": datetime,
    "uinteger": int,
    "url": str,
}
ANY_TEXT = st.text(st.characters(), max_size=12)
"""Half surrogate pairs included, which JSON can bring."""
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(min_value=10**4000, max_value=10**4001),
        st.floats(),
        ANY_TEXT,
        st.from_regex(r"[0-9+\-.: TZ/]{1,20}", fullmatch=True),
        st.binary(max_size=4),
        st.datetimes().map(lambda date: date.replace(tzinfo=UTC)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(ANY_TEXT, inner, max_size=3)
    ),
    max_leaves=5,
)


@given(VALUES, st.sampled_from(sorted(TYPES)))
def test_any_value_fits_or_is_refused(value: Any, type_name: str) -> None:
    try:
        found = coerce(value, type_name, ZoneInfo("America/St_Johns"))
    except DataError:
        return  # refused, in our own words
    assert found is None or isinstance(found, TYPES[type_name])


@given(VALUES)
def test_any_value_is_shown(value: Any) -> None:
    assert len(show(value)) < 100


def deep(levels: int, *, collections: bool = False) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"a": value} if collections else [value]
    return value


@pytest.mark.parametrize("collections", [False, True])
def test_what_is_nested_without_end_is_refused(collections: bool) -> None:
    value = deep(100_000, collections=collections)
    for convert in (to_text, json_text):
        with pytest.raises(DataError, match=r"deep|recursion"):
            convert(value)
    scope = Scope(now=lambda: datetime(2026, 1, 1, tzinfo=UTC), random=float, uuid=str)
    evaluate = compile_template("a {{1.v}} b", {1: 1})
    with pytest.raises(DataError):
        evaluate([scope, {"v": value}])
    while value != "x":  # taken apart here: freeing it at once would use as many levels
        value = value["a"] if collections else value[0]


def test_half_a_surrogate_pair_is_kept() -> None:
    assert json_text({"a": "\ud800"}) == '{"a":"\\ud800"}'
    assert to_text({"a": "\ud800"}) == '{"a":"\\ud800"}'


def test_large_numbers() -> None:
    assert json_text({"a": 2**70}) == '{"a":1180591620717411303424}'
    assert to_text(2**70) == "1180591620717411303424"
    with pytest.raises(DataError, match="too many digits"):
        to_text(10**5000)


@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "%", "<", "="])
def test_numbers_beyond_all_numbers(operator: str) -> None:
    scope = Scope(now=lambda: datetime(2026, 1, 1, tzinfo=UTC), random=float, uuid=str)
    for text in ("{{1.v %s 0.5}}", "{{0.5 %s 1.v}}", "{{1.v %s 3}}", "{{-1.v %s 1.v}}"):
        evaluate = compile_template(text % operator, {1: 1})
        try:
            found = evaluate([scope, {"v": 10**5000}])
        except DataError as error:
            found = error.params["reason"]
        assert found in {True, False, "the result is larger than any number"}


def test_a_code_page() -> None:
    assert to_buffer("žluť", "windows-1250") == "žluť".encode("cp1250")
    assert to_buffer("é", "utf-8") == b"\xc3\xa9"
    with pytest.raises(DataError, match="can't write"):
        to_buffer("ž", "ascii")
    with pytest.raises(DataError, match="no encoding of text"):
        to_buffer("a", "zlib")


EDGES = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]


@pytest.mark.parametrize("date", EDGES)
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"])
@pytest.mark.parametrize(
    "call",
    [
        'formatDate(1.d; "YYYY-MM-DD")',
        'formatDate(1.d; "gggg-ww GGGG-WW DDDD")',
        "addDays(1.d; 1)",
        "addDays(1.d; -1)",
        "addMonths(1.d; 12)",
        "setDay(1.d; 1)",
        "setDate(1.d; 99)",
        "setYear(1.d; -1)",
        "endOfMonth(1.d)",
        "startOfMonth(1.d)",
        "addWeekDays(1.d; -9)",
        "weekDayDiff(1.d; now)",
        "workMinutesDiff(now; 1.d)",
        'dateDifference(1.d; now; "months")',
        "isWeekend(1.d)",
        "1.d + 1",
        "1.d - 1",
        'parseDate("9999-12-31 23:59"; "YYYY-MM-DD HH:mm")',
    ],
)
def test_the_first_and_the_last_date(date: datetime, zone: str, call: str) -> None:
    place = zone_named(zone)
    assert place is not None
    scope = Scope(now=lambda: datetime(2026, 1, 31, tzinfo=UTC), random=float, uuid=str, zone=place)
    try:
        found = compile_template("{{" + call + "}}", {1: 1})([scope, {"d": date}])
    except JunctorError as error:
        found = next((each for each in ("dates", "range") if each in error.message), None)
    assert plain(found) is not None


@given(st.lists(st.sampled_from(sorted(TOKEN.pattern.split("|"))), max_size=5), st.datetimes())
def test_any_format_prints(tokens: list[str], date: datetime) -> None:
    words = [token for token in tokens if token.isalpha()]
    assert isinstance(format_moment(date.replace(tzinfo=UTC), "".join(words), UTC), str)
