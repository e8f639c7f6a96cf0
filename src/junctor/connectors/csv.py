"""CSV: text to bundles and back. Columns are ``col1``, ``col2`` … as in Make's exports."""

from __future__ import annotations

import csv as reader
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Annotated, Any, Literal

from junctor.errors import BundleInvalid, DataError
from junctor.language.connector import Bundle, Connector, Field
from junctor.language.forms import build, fields_of
from junctor.language.structures import bound, fields
from junctor.language.values import ERASE, IGNORE, show, to_text

__all__ = ["csv"]

csv = Connector(name="csv", label="CSV")

_MOST_TEXT = 50_000_000
_MOST_COLUMNS = 10_000
_MOST_DELIMITERS = 200_000
"""In one row, those in quoted texts included: counted before the row is taken apart."""

# The library's own limit of 128 KB for one field is for the whole process; the text is bounded.
reader.field_size_limit(_MOST_TEXT)

_Delimiter = Annotated[
    Literal["comma", "semicolon", "tab", "space", "pipe", "other"],
    Field(label="Delimiter", key="delimiterType", static=True),
]
_Other = Annotated[
    str, Field(label="Other delimiter", help="One character.", key="delimiter", static=True)
]
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "space": " ", "pipe": "|"}
_SPELLED = {**{char: name for name, char in _DELIMITERS.items()}, "\\t": "tab"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parse:
    csv: Annotated[str | bytes, Field(label="CSV", multiline=True)]
    columns: Annotated[
        int,
        Field(
            label="Number of columns",
            help="Shorter rows are filled up, longer ones refused; 0 takes any.",
            key="columnsCount",
            minimum=0,
            maximum=_MOST_COLUMNS,
            static=True,
        ),
    ] = 0
    headers: Annotated[
        bool,
        Field(
            label="The first row has headers",
            help="It is left out.",
            key="containsHeaders",
            static=True,
        ),
    ] = False
    delimiter: _Delimiter = "comma"
    other: _Other = ""
    quotes: Annotated[
        bool,
        Field(
            label="Allow quotes inside unquoted fields",
            help="Takes stray quotes as they are, instead of refusing the text.",
            key="preserveQuotes",
            static=True,
            advanced=True,
        ),
    ] = False


@csv.transform("Parse CSV", name="ParseCSV", raw=True, schema=fields_of(_Parse))
def parse_csv(parameters: Mapping[str, Any], mapper: Mapping[str, Any]) -> Iterator[Bundle]:
    """Gives one bundle for each row of a CSV text, its columns as `col1`, `col2` and so on."""
    given = {**parameters, **mapper}
    form = build(_Parse, {**given, "delimiterType": _kind_of(given)})
    lines = _Lines(StringIO(_decoded(form.csv), newline=""), _char(form.delimiter, form.other))
    rows = reader.reader(lines, delimiter=lines.delimiter, strict=not form.quotes)
    skip = form.headers
    while True:
        try:
            row = next(rows, None)
        except reader.Error as error:
            raise DataError(
                reason=f"line {rows.line_num} is not valid CSV ({error}); correct its quotes, or "
                "allow quotes inside unquoted fields"
            ) from error
        if row is None:
            return
        lines.count = 0
        if not row:
            continue
        if max(form.columns, len(row)) > (form.columns or _MOST_COLUMNS):
            raise DataError(
                reason=f"line {rows.line_num} has {len(row)} columns, not "
                f"{form.columns or f'at most {_MOST_COLUMNS:,}'}; correct the row, the delimiter "
                "or the number of columns"
            )
        if skip:
            skip = False
            continue
        row += [""] * (form.columns - len(row))
        yield {f"col{number}": value for number, value in enumerate(row, start=1)}


class _Lines:
    """Lines of a text; refuses a row of very many columns before it is taken apart."""

    def __init__(self, text: StringIO, delimiter: str) -> None:
        self._text = text
        self.delimiter = delimiter
        self.count = 0
        """Delimiters since the last row began."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._text)
        self.count += line.count(self.delimiter)
        if self.count > _MOST_DELIMITERS:
            raise DataError(
                reason=f"a row holds more than {_MOST_DELIMITERS:,} delimiters, the most columns "
                f"are {_MOST_COLUMNS:,}; it begins with {show(line[:30])}. Is the delimiter right, "
                "and every quote closed?"
            )
        return line


def _decoded(text: str | bytes) -> str:
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise BundleInvalid(
                field="csv",
                reason="the file is not UTF-8 text; map toString(data; encoding) with its encoding",
            ) from error
    if len(text) > _MOST_TEXT:
        raise BundleInvalid(
            field="csv",
            reason=f"it has {len(text):,} characters, the most is {_MOST_TEXT:,}; split it before",
        )
    return text.removeprefix("\ufeff")


def _kind_of(given: Mapping[str, Any]) -> Any:
    """The kind of delimiter; a delimiter may be given in its place, or alone."""
    kind = given.get("delimiterType") or ("other" if given.get("delimiter") else "comma")
    return _SPELLED.get(kind, kind) if isinstance(kind, str) else kind


def _char(kind: str, other: str) -> str:
    if kind != "other":
        return _DELIMITERS[kind]
    char = _DELIMITERS.get(_SPELLED.get(other, ""), other)
    if len(char) != 1 or char in '"\r\n':
        raise BundleInvalid(
            field="delimiter",
            reason=f"{show(other)} can't separate columns; give one character, no quote",
        )
    return char


# Creating


@dataclass(frozen=True, slots=True, kw_only=True)
class _Create:
    headers: Annotated[
        bool, Field(label="Headers in the first row", key="includeHeaders", static=True)
    ] = True
    delimiter: _Delimiter = "comma"
    other: _Other = ""
    newline: Annotated[
        Literal["lf", "crlf"], Field(label="Line break", static=True, advanced=True)
    ] = "lf"


class _Table:
    """Rows of texts, and the columns in the order in which they first came."""

    def __init__(self, form: _Create, columns: list[str]) -> None:
        self._form = form
        self._char = _char(form.delimiter, form.other)
        self._columns = dict.fromkeys(columns)
        self._rows: list[dict[str, str]] = []
        self._size = 0

    def add(self, value: Any) -> None:
        """One more row: a collection, or the collection in ``row``, or rows of name and value."""
        row = {name: _cell(item, name) for name, item in _named(value).items()}
        for name in row:
            self._columns.setdefault(name)
        if len(self._columns) > _MOST_COLUMNS:
            raise DataError(
                reason=f"the table has more than {_MOST_COLUMNS:,} columns; map fewer fields"
            )
        self._size += sum(map(len, row.values())) + len(self._columns)
        if self._size > _MOST_TEXT:
            raise DataError(
                reason=f"the CSV would have more than {_MOST_TEXT:,} characters; make several"
            )
        self._rows.append(row)

    def result(self) -> Bundle:
        """All rows in one text."""
        out = _Written("\r\n" if self._form.newline == "crlf" else "\n")
        writer = reader.writer(out, delimiter=self._char, lineterminator=_END)
        if self._form.headers and self._columns:
            writer.writerow(self._columns)
        columns = list(self._columns)
        writer.writerows([row.get(name, "") for name in columns] for row in self._rows)
        return {"text": out.text.getvalue()}


_END = "\r\n"


class _Written:
    """Rows as text. The library is told that they end with CR and LF, whatever they do, because it
    quotes only what has a character of their end, and a bare CR would end a row for most readers.
    """

    def __init__(self, end: str) -> None:
        self.text = StringIO(newline="")
        self._end = end

    def write(self, row: str) -> int:
        """Takes one row and its end."""
        return self.text.write(row.removesuffix(_END) + self._end)


def _named(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping) and set(value) <= {"row", "columns"} and len(value) == 1:
        (value,) = value.values()
    if isinstance(value, Mapping):
        return {str(name): item for name, item in value.items() if item is not IGNORE}
    named: dict[str, Any] = {}
    for number, item in enumerate(value if isinstance(value, list) else [value], start=1):
        name: Any = f"col{number}"
        if isinstance(item, Mapping) and "value" in item:
            name = item.get("name") or item.get("header") or item.get("key") or name
            item = item["value"]  # noqa: PLW2901  # the rest of the row is its name
        if item is not IGNORE:
            named[to_text(name)] = item
    return named


def _cell(value: Any, name: str) -> str:
    try:
        return "" if value is ERASE else to_text(value)
    except DataError as error:
        raise BundleInvalid(field=name, reason=str(error.params.get("reason"))) from error


def _create(parameters: Mapping[str, Any]) -> _Table:
    form = build(_Create, {**parameters, "delimiterType": _kind_of(parameters)})
    spec, _ = bound(parameters)
    expected = spec or fields(parameters.get("__expect__"))
    names = [str(field["name"]) for field in expected]
    return _Table(form, [] if {"row", "columns"} & set(names) else names)


@csv.module(
    "Create CSV",
    kind="aggregator",
    name="CreateCSV",
    raw=True,
    typed=True,
    schema=fields_of(_Create),
    aliases=("csv:CreateCSVSimple",),
)
def create_csv(parameters: Mapping[str, Any]) -> _Table:
    """Gathers bundles into one CSV text, a row each; the mapped fields are its columns."""
    return _create(parameters)


@csv.module(
    "Create CSV (advanced)",
    kind="aggregator",
    name="CreateCSVAdvanced",
    raw=True,
    typed=True,
    schema=fields_of(_Create),
    aliases=("csv:CreateAdvancedCSV",),
)
def create_csv_advanced(parameters: Mapping[str, Any]) -> _Table:
    """Gathers bundles into one CSV text; the row of each is mapped as a whole, in `row`.

    A row is a collection by column, an array of values, or an array of names and values.
    """
    return _create(parameters)
