"""Records as files: JSON lines, which lose nothing; one JSON document; CSV, for spreadsheets.

A line is ``{"key": …, "data": {…}}``, data as `app.stores` reads it. A document is a list of such,
or an object with them in ``records``, as Make's API lists a store. CSV has a column for the key and
one per field; lists and collections are JSON text in their cell, bytes base64, and blank cells are
fields left out. Its cells are text, so that only a data structure brings types back. What a
spreadsheet would run as a formula gets a ``'`` before it, which reading takes away again.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal, NamedTuple, TextIO

import msgspec

from junctor.errors import Misconfigured
from junctor.language.records import MOST_BYTES, restored
from junctor.language.structures import fields
from junctor.language.values import plain, to_text

__all__ = ["FORMS", "Form", "Row", "form_of", "lines_of", "rows_in", "table_of"]

Form = Literal["jsonl", "json", "csv"]
FORMS: tuple[Form, ...] = ("jsonl", "json", "csv")
MOST_DOCUMENT = 256 * 1024 * 1024
"""Bytes of one JSON document: it is in memory as a whole. JSON lines have no such limit."""
_MOST_LINE = 2 * MOST_BYTES
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_QUOTED = re.compile(r"'+[=+\-@\t\r\n]")
_NUMBER = re.compile(r"[+\-][0-9][0-9 .,()/\-]*")
"""Also a phone number: it can be reckoned with, and no more."""
_NESTED = frozenset({"array", "collection", "json", "any"})


class Row(NamedTuple):
    """A record read from a file."""

    where: str
    """``line 7`` or ``record 7``."""
    key: str
    data: Any


def form_of(path: str, said: str | None) -> Form:
    """The format that was said, or that the file's name tells; JSON lines for standard streams."""
    ending = path.rpartition(".")[2].lower()
    wanted = said or {"csv": "csv", "json": "json"}.get(ending, "jsonl")
    for form in FORMS:
        if form == wanted:
            return form
    raise Misconfigured(f"'{wanted}' is no format: {', '.join(FORMS)}.", path="--format")


def rows_in(
    file: BinaryIO, form: Form, *, key: str = "key", spec: Sequence[Mapping[str, Any]] = ()
) -> Iterator[Row]:
    """The records of a file, one at a time. `Misconfigured` says which line can't be read."""
    if form == "csv":
        yield from _table(file, key, spec)
        return
    for where, item in _lines(file) if form == "jsonl" else _document(file):
        if not isinstance(item, dict) or "key" not in item or "data" not in item:
            raise Misconfigured(f'{where}: it must be {{"key": …, "data": {{…}}}}.', path=where)
        yield Row(where, to_text(item["key"]), item["data"])


def _lines(file: BinaryIO) -> Iterator[tuple[str, Any]]:
    number = 0
    while line := file.readline(_MOST_LINE):
        number += 1
        where = f"line {number}"
        if len(line) >= _MOST_LINE:
            raise Misconfigured(f"{where} is longer than {_MOST_LINE:,} bytes.", path=where)
        text = line.strip().removeprefix(b"\xef\xbb\xbf")
        if text:
            yield where, _decoded(text, where)


def _document(file: BinaryIO) -> Iterator[tuple[str, Any]]:
    text = file.read(MOST_DOCUMENT + 1)
    if len(text) > MOST_DOCUMENT:
        raise Misconfigured(
            f"The document is larger than {MOST_DOCUMENT:,} bytes: write one record per line "
            "instead, and import it as jsonl."
        )
    found = _decoded(text.removeprefix(b"\xef\xbb\xbf"), "The document")
    items = found.get("records") if isinstance(found, dict) else found
    if not isinstance(items, list):
        raise Misconfigured('The document must be a list of records, or {"records": […]}.')
    for number, item in enumerate(items, 1):
        yield f"record {number}", item


def _decoded(text: bytes, where: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise Misconfigured(f"{where} is no JSON: {error}.", path=where) from error


def _table(file: BinaryIO, key: str, spec: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    types = {str(field["name"]): str(field.get("type") or "any") for field in fields(spec)}
    csv.field_size_limit(MOST_BYTES)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        reader = csv.reader(text)
        names = next(reader, [])
        if key not in names:
            shown = ", ".join(names[:12]) or "none"
            raise Misconfigured(
                f"The file has no column '{key}' for the key. Its columns: {shown}. "
                "Say which one it is with --key."
            )
        place = names.index(key)
        for cells in reader:
            where = f"line {reader.line_num}"
            if len(cells) > len(names):
                raise Misconfigured(
                    f"{where} has {len(cells)} cells, but there are {len(names)} columns.",
                    path=where,
                )
            data = {
                name: _value(_unquoted(cell), types.get(name, ""), f"{where}, column {name}")
                for name, cell in zip(names, cells, strict=False)
                if cell != "" and name != key
            }
            if cells:
                yield Row(where, _unquoted(cells[place]) if place < len(cells) else "", data)
    except (csv.Error, UnicodeDecodeError) as error:
        raise Misconfigured(f"The file is no CSV in UTF-8: {error}.") from error
    finally:
        text.detach()


def _value(cell: str, type_: str, where: str) -> Any:
    if type_ == "buffer":
        try:
            return {"$buffer": base64.b64encode(base64.b64decode(cell, validate=True)).decode()}
        except binascii.Error as error:
            raise Misconfigured(f"{where}: it is no base64 text.", path=where) from error
    if type_ in _NESTED and cell[0] in "[{":
        return _decoded(cell.encode(errors="replace"), where)
    return cell


def lines_of(records: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[bytes]:
    """JSON lines of records as stored."""
    for key, data in records:
        yield msgspec.json.encode({"key": key, "data": data}) + b"\n"


def table_of(
    out: TextIO, key: str, names: Sequence[str], records: Iterable[tuple[str, Mapping[str, Any]]]
) -> None:
    """Writes rows of records as stored, in these columns; the first line is the caller's."""
    writer = csv.writer(out)
    for own, data in records:
        fields_ = plain(restored(dict(data)))
        cells = [own, *(_cell(fields_.get(name)) for name in names if name != key)]
        writer.writerow([_quoted(cell) for cell in cells])


def _quoted(cell: str) -> str:
    return "'" + cell if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def _unquoted(cell: str) -> str:
    return cell[1:] if _QUOTED.match(cell) else cell


def _cell(value: Any) -> str:
    return msgspec.json.encode(value).decode() if isinstance(value, list) else to_text(value)
