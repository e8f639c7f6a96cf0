"""CSV to bundles and back."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junctor.connectors.csv import csv, parse_csv
from junctor.errors import BundleInvalid, DataError
from junctor.language.forms import schema_of
from junctor.language.values import ERASE, IGNORE


def rows(text: str | bytes, **parameters: Any) -> list[list[str]]:
    return [list(bundle.values()) for bundle in parse_csv(parameters, {"csv": text})]


def test_columns_are_numbered() -> None:
    assert list(parse_csv({}, {"csv": "a,b\nc,d"})) == [
        {"col1": "a", "col2": "b"},
        {"col1": "c", "col2": "d"},
    ]


@pytest.mark.parametrize(
    ("text", "parameters", "found"),
    [
        ("h,i\r\na,b\r\n\r\n", {"containsHeaders": True}, [["a", "b"]]),
        ("a;b", {"delimiterType": "semicolon"}, [["a", "b"]]),
        ("a\tb", {"delimiterType": "tab"}, [["a", "b"]]),
        ("a\tb", {"delimiterType": "other", "delimiter": "\\t"}, [["a", "b"]]),
        ("a;b", {"delimiter": ";"}, [["a", "b"]]),
        ("a#b,c", {"delimiterType": "other", "delimiter": "#"}, [["a", "b,c"]]),
        ("a;b", {"delimiterType": ";"}, [["a", "b"]]),
        ("a", {"columnsCount": "3"}, [["a", "", ""]]),
        ('"a,\n""b""",c', {}, [['a,\n"b"', "c"]]),
        ('5" pipe,x', {"preserveQuotes": True}, [['5" pipe', "x"]]),
        ("\ufeffa", {}, [["a"]]),
        ("\ufeff\u00e4".encode(), {}, [["\u00e4"]]),
        ("h", {"containsHeaders": True}, []),
    ],
)
def test_parse(text: str | bytes, parameters: dict[str, Any], found: list[list[str]]) -> None:
    assert rows(text, **parameters) == found


@pytest.mark.parametrize(
    ("text", "parameters", "said"),
    [
        ("a,b\na,b,c", {"columnsCount": 2}, "line 2 has 3 columns, not 2"),
        ('"a"b,c', {}, "line 1 is not valid CSV"),
        ('x\n"never closed', {}, "line 2 is not valid CSV"),
        ("a", {"delimiterType": "other", "delimiter": "ab"}, "can't separate columns"),
        ("a", {"delimiterType": "other"}, "can't separate columns"),
        ("a", {"columnsCount": 10_001}, "the most is 10000"),
        (b"\xff", {}, "not UTF-8"),
        ("," * 10_000, {}, "10001 columns, not at most 10,000"),
        ("," * 1_000_000, {}, "more than 200,000 delimiters"),
    ],
)
def test_what_is_refused(text: str | bytes, parameters: dict[str, Any], said: str) -> None:
    with pytest.raises((DataError, BundleInvalid), match=said):
        rows(text, **parameters)


def test_a_million_columns_cost_no_memory() -> None:
    text = "a," * 1_000_000
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="Is the delimiter right"):
            rows(text)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_delimiters_are_counted_by_row() -> None:
    assert len(rows(",\n" * 200_001)) == 200_001


def test_rows_are_read_as_they_are_wanted() -> None:
    stream = iter(parse_csv({}, {"csv": "a\nb\n" + '"broken'}))
    assert next(stream) == {"col1": "a"}
    assert next(stream) == {"col1": "b"}


def created(bundles: list[Any], name: str = "CreateCSV", **parameters: Any) -> str:
    aggregate = csv.modules[name].function(parameters)
    for bundle in bundles:
        aggregate.add(bundle)
    return str(aggregate.result()["text"])


def test_create() -> None:
    assert created([{"a": 1, "b": 'x,"y"'}, {"a": None, "c": True}]) == (
        'a,b,c\n1,"x,""y""",\n,,true\n'
    )
    assert created([{"a": IGNORE, "b": ERASE}]) == 'b\n""\n'
    assert created([]) == ""


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"includeHeaders": False}, "1,2\n"),
        ({"newline": "crlf"}, "a,b\r\n1,2\r\n"),
        ({"delimiterType": "tab"}, "a\tb\n1\t2\n"),
        ({"delimiter": "#"}, "a#b\n1#2\n"),
        ({"__expect__": [{"name": "b"}, {"name": "a"}]}, "b,a\n2,1\n"),
        ({"__structure__": {"spec": [{"name": "x"}]}}, "x,a,b\n,1,2\n"),
    ],
)
def test_how_it_is_created(parameters: dict[str, Any], text: str) -> None:
    assert created([{"a": 1, "b": 2}], **parameters) == text


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"x": 1}, "x\n1\n"),
        ([1, 2], "col1,col2\n1,2\n"),
        ([{"name": "x", "value": 1}, {"value": 2}], "x,col2\n1,2\n"),
        ("one", "col1\none\n"),
    ],
)
def test_create_advanced(row: Any, text: str) -> None:
    assert created([{"row": row}], "CreateCSVAdvanced") == text


def test_creating_is_bounded() -> None:
    with pytest.raises(DataError, match="more than 10,000 columns"):
        created([{f"c{number}": 1 for number in range(10_001)}])
    with pytest.raises(BundleInvalid, match=r"'a'.*not UTF-8"):
        created([{"a": b"\xff"}])


def test_the_forms_have_labels() -> None:
    for module in csv.modules.values():
        assert all(field.get("title") for field in schema_of(module)["properties"].values())


CELL = st.text(st.sampled_from("ab \"',;|\t\r\n\0é"), max_size=6)


@given(
    table=st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=4
        )
    ),
    newline=st.sampled_from(["lf", "crlf"]),
    delimiter=st.sampled_from(["comma", "semicolon", "tab", "space", "pipe"]),
)
def test_what_is_made_is_read_again(table: list[list[str]], newline: str, delimiter: str) -> None:
    end = {"newline": newline, "delimiterType": delimiter}
    made = csv.modules["CreateCSV"].function({**end, "includeHeaders": False})
    for row in table:
        made.add({f"col{number}": cell for number, cell in enumerate(row, start=1)})
    assert rows(made.result()["text"], delimiterType=delimiter) == table


def test_a_bare_carriage_return_ends_no_row() -> None:
    made = csv.modules["CreateCSV"].function({"includeHeaders": False})
    made.add({"a": "1\r2", "b": "3"})
    assert made.result() == {"text": '"1\r2",3\n'}
