"""Records in files: what is read, what is refused, and where."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junctor.app.record_files import Form, form_of, lines_of, rows_in, table_of
from junctor.errors import Misconfigured
from junctor.language.records import stored

SPEC: list[dict[str, Any]] = [
    {"name": "tags", "type": "array", "spec": {"type": "text"}},
    {"name": "file", "type": "buffer"},
    {"name": "note", "type": "text"},
]


def read(text: str | bytes, form: Form, **more: Any) -> list[tuple[str, Any]]:
    data = text.encode() if isinstance(text, str) else text
    return [(row.key, row.data) for row in rows_in(io.BytesIO(data), form, **more)]


def test_lines() -> None:
    text = '\ufeff{"key": "a", "data": {"n": 1}}\n\n{"key": 2, "data": {}}'
    assert read(text, "jsonl") == [("a", {"n": 1}), ("2", {})]


@pytest.mark.parametrize(
    "text",
    [
        '[{"key": "a", "data": {"n": 1}}]',
        '{"records": [{"key": "a", "data": {"n": 1}}], "pg": {"limit": 10}}',  # as Make lists them
    ],
)
def test_documents(text: str) -> None:
    assert read(text, "json") == [("a", {"n": 1})]


def test_tables() -> None:
    text = '\ufeffkey,note,tags,file,none\na,"x\ny","[""t""]",/w==,\nb,[5],t,\n\n'
    assert read(text, "csv", spec=SPEC) == [
        ("a", {"note": "x\ny", "tags": ["t"], "file": {"$buffer": "/w=="}}),
        ("b", {"note": "[5]", "tags": "t"}),
    ]
    assert read("id,n\n7,1\n", "csv", key="id") == [("7", {"n": "1"})]


@pytest.mark.parametrize(
    ("text", "form", "says"),
    [
        ('{"key": "a", "data": {}}\n{"key": "a"}', "jsonl", "line 2: it must be"),
        ("[1]", "jsonl", "line 1: it must be"),
        ('{"key": ', "jsonl", "line 1 is no JSON"),
        ("[" * 100_000, "jsonl", "line 1 is no JSON"),
        ("7", "json", "must be a list"),
        ("name\nAda\n", "csv", "no column 'key'.*Its columns: name"),
        ("", "csv", "no column 'key'"),
        ("key,a\nk,1,2\n", "csv", "line 2 has 3 cells, but there are 2 columns"),
        (b"key\n\xff\n", "csv", "no CSV in UTF-8"),
        ("key,file\nk,%%\n", "csv", "line 2, column file: it is no base64"),
        ("key,tags\nk,[1\n", "csv", "line 2, column tags is no JSON"),
    ],
)
def test_what_cannot_be_read_says_where(text: Any, form: Form, says: str) -> None:
    with pytest.raises(Misconfigured, match=says):
        read(text, form, spec=SPEC)


def test_a_line_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("junctor.app.record_files._MOST_LINE", 100)
    monkeypatch.setattr("junctor.app.record_files.MOST_DOCUMENT", 100)
    with pytest.raises(Misconfigured, match="line 1 is longer than 100 bytes"):
        read("x" * 200, "jsonl")
    with pytest.raises(Misconfigured, match="larger than 100 bytes"):
        read("x" * 200, "json")


def test_a_million_columns_are_read_in_no_time() -> None:
    rows = read("key," + ",".join(map(str, range(200_000))) + "\nk,1\n", "csv")
    assert rows == [("k", {"0": "1"})]


def test_what_is_written_is_read_again() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    record = stored({"note": 'a "b", c', "tags": ["x", "y"], "file": b"\xff", "at": at, "n": 1.5})
    lines = b"".join(lines_of([("k", record)]))
    assert [json.loads(line) for line in lines.splitlines()] == [{"key": "k", "data": record}]
    assert read(lines, "jsonl") == [("k", record)]
    names = ["note", "tags", "file", "at", "n", "none"]
    out = io.StringIO()
    csv.writer(out).writerow(["key", *names])
    table_of(out, "key", names, [("k", record)])
    assert read(out.getvalue(), "csv", spec=SPEC) == [
        (
            "k",
            {
                "note": 'a "b", c',
                "tags": ["x", "y"],
                "file": {"$buffer": "/w=="},
                "at": "2026-01-02T00:00:00.000Z",
                "n": "1.5",
            },
        )
    ]


def test_the_name_tells_the_format() -> None:
    assert [form_of(name, None) for name in ("a.csv", "A.JSON", "a.jsonl", "-")] == [
        "csv",
        "json",
        "jsonl",
        "jsonl",
    ]
    assert form_of("a.csv", "jsonl") == "jsonl"
    with pytest.raises(Misconfigured, match="'xml' is no format: jsonl, json, csv"):
        form_of("a.csv", "xml")


def test_a_spreadsheet_takes_nothing_for_a_formula() -> None:
    odd = ["=HYPERLINK(1)", "+1|cmd", "-x", "@SUM(1)", "\t=1", "'=1", "+49 (151) 2345-6", "-5.5"]
    out = io.StringIO("key,v\n")
    out.seek(0, io.SEEK_END)
    table_of(out, "key", ["v"], [(text, {"v": text}) for text in odd])
    cells = [row[0] for row in csv.reader(io.StringIO(out.getvalue()))][1:]
    assert cells == [f"'{text}" for text in odd[:6]] + odd[6:]
    assert read(out.getvalue(), "csv") == [(text, {"v": text}) for text in odd]


@given(st.text(alphabet="'=+-@\t\r\n1a. ", max_size=6))
def test_what_is_quoted_is_read_as_it_was(text: str) -> None:
    out = io.StringIO("key,v\n", newline="")
    out.seek(0, io.SEEK_END)
    table_of(out, "key", ["v"], [("k", {"v": text})])
    assert read(out.getvalue(), "csv") == [("k", {"v": text} if text else {})]
