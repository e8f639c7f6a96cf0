"""What a bundle may hold, and how one kind of value becomes another.

The rules are those of Make's documentation on type coercion. All functions are pure; what can't be
converted raises `errors.DataError` with the value and the wanted type.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

import msgspec

from junctor.errors import DataError
from junctor.language.date_text import date_of_text
from junctor.language.files import file_of, too_large

__all__ = [
    "ERASE",
    "IGNORE",
    "Value",
    "as_number",
    "coerce",
    "iso",
    "json_text",
    "plain",
    "show",
    "to_array",
    "to_boolean",
    "to_buffer",
    "to_collection",
    "to_date",
    "to_number",
    "to_text",
]

Value = None | bool | int | float | str | bytes | datetime | list[Any] | dict[str, Any]
"""Plain data; dates are aware and in UTC, collections have text keys."""


class _Ignore:
    """The keyword ``ignore``: leave this field out."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ignore"

    def __copy__(self) -> _Ignore:
        return self

    def __deepcopy__(self, _memo: Any) -> _Ignore:
        return self


class _Erase:
    """The keyword ``erase``: clear this field, explicitly."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "erase"

    def __copy__(self) -> _Erase:
        return self

    def __deepcopy__(self, _memo: Any) -> _Erase:
        return self


IGNORE: Final = _Ignore()
ERASE: Final = _Erase()

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_INTEGER_LIMIT: Final = 2**63  # larger ones become floats: no wire format of ours carries them
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)


def show(value: Any, limit: int = 60) -> str:
    """A value for an error message: its type and a short form."""
    if value is None:
        return "null"
    if isinstance(value, list | tuple | dict):  # never written out: it may be large, or deep
        count = len(value)
        return f"{kind(value)} of {count} item{'' if count == 1 else 's'}"
    text = value[: limit + 1] if isinstance(value, str) else _large_shown(value)
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return f"{kind(value)} {text!r}" if isinstance(value, str) else f"{kind(value)} {text}"


def _large_shown(value: Any) -> str:
    if isinstance(value, bytes):
        return repr(value[:60])
    if isinstance(value, int) and not -_INTEGER_LIMIT < value < _INTEGER_LIMIT:
        return f"of {value.bit_length()} bits"
    return repr(value)


def kind(value: Any) -> str:
    """The language's name of a value's type."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case bytes():
            return "buffer"
        case datetime():
            return "date"
        case list() | tuple():
            return "array"
        case dict():
            return "collection"
        case _:
            return "value"


def iso(value: datetime) -> str:
    """A date as text: ISO 8601 in UTC with milliseconds and ``Z``."""
    if value.tzinfo is not UTC:
        value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value.isoformat(timespec="milliseconds")[:-6] + "Z"


def milliseconds(value: datetime) -> int:
    """Whole milliseconds since 1970, rounded down."""
    return (value - EPOCH) // _MILLISECOND


def whole(value: float) -> int | float:
    """The number as an int where nothing is lost, as JavaScript's numbers read.

    Raises `DataError` for an int that is larger than any float.
    """
    if isinstance(value, int):
        if -_INTEGER_LIMIT < value < _INTEGER_LIMIT:
            return value
        try:
            return float(value)
        except OverflowError as error:
            raise DataError(reason="the result is larger than any number") from error
    if value.is_integer() and -_INTEGER_LIMIT < value < _INTEGER_LIMIT:
        return int(value)
    return value


def plain(value: Any) -> Any:
    """The value as JSON can carry it: dates as ISO text, bytes as base64, whole floats as ints."""
    kind_of = value.__class__
    if kind_of is str or kind_of is int or value is None or kind_of is bool:
        return value
    if kind_of is dict:
        return {str(key): plain(item) for key, item in value.items()}
    if kind_of is list or kind_of is tuple:
        return [plain(item) for item in value]
    if kind_of is float:
        return whole(value) if math.isfinite(value) else None
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if value is IGNORE or value is ERASE:
        return None
    if isinstance(value, str):
        return str(value)
    raise DataError(reason=f"{value.__class__.__name__} is no value a bundle can hold")


def json_text(value: Any) -> str:
    """Any value as compact JSON; `DataError` if it is nested too deeply to be written."""
    try:
        carried = plain(value)
        try:
            return msgspec.json.encode(carried).decode()
        except (UnicodeEncodeError, OverflowError):  # half a surrogate pair, a very large number
            return json.dumps(carried, separators=(",", ":"))
    except (RecursionError, ValueError) as error:
        raise DataError(reason=f"{kind(value)} can't become JSON ({error})") from error


def to_text(value: Any) -> str:
    """Any value as text; null, ``ignore`` and ``erase`` are empty.

    Arrays become their items joined by commas, collections JSON, dates ISO 8601 in UTC. Raises
    `DataError` for buffers that are not UTF-8 and for what is nested too deeply.
    """
    if value.__class__ is str:
        return value
    if value is None:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return str(value) if -_INTEGER_LIMIT < value < _INTEGER_LIMIT else _large_text(value)
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, dict):
        if (file := file_of(value)) is not None:
            raise too_large(file, "text")
        return json_text(value)
    if isinstance(value, list | tuple):
        try:
            return ",".join([to_text(item) for item in value])
        except RecursionError as error:
            raise DataError(reason="the array is nested too deeply to become text") from error
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                reason="the buffer is not UTF-8 text; say its encoding: toString(buffer; encoding)"
            ) from error
    if value is IGNORE or value is ERASE:
        return ""
    if isinstance(value, str):
        return value
    raise DataError(reason=f"{show(value)} can't become text")


def _large_text(value: int) -> str:
    try:
        return str(value)
    except ValueError as error:  # Python writes no number of more than 4,300 digits
        raise DataError(reason="the number has too many digits to become text") from error


def _float_text(value: float) -> str:
    """Decimal notation between 1e-6 and 1e21, as JavaScript prints numbers."""
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    if "e" in text and 1e-6 <= abs(value) < 1e21:
        text = format(value, ".20f").rstrip("0") if float(f"{value:.20f}") == value else text
    return text


def as_number(value: Any) -> int | float | None:
    """The number in a value, or ``None`` if it holds none (null, empty or other text, …)."""
    if value.__class__ is int or value.__class__ is float:
        return value
    if isinstance(value, str):
        text = value.strip()
        if len(text) > 400 or not _NUMBER.fullmatch(text):
            return None
        if text.lstrip("+-").isdigit() and len(text) < 300:
            return whole(int(text))
        number = float(text)
        return whole(number) if math.isfinite(number) else None
    return None


def to_number(value: Any) -> int | float:
    """A number, or the number a text spells. Null and empty text are 0, as in arithmetic.

    Raises `DataError` for all else: booleans, dates (which only operators count with), other text.
    """
    if value.__class__ is int or value.__class__ is float:
        return value
    if value is None:
        return 0
    number = as_number(value)
    if number is None:
        if isinstance(value, str) and not value.strip():
            return 0
        raise DataError(reason=f"{show(value)} is not a number")
    return number


def to_boolean(value: Any) -> bool:
    """Numbers are true, even 0; text is false if empty or ``false``; null is false."""
    if value is True or value is False:
        return value is True
    if value is None or value is IGNORE or value is ERASE:
        return False
    if isinstance(value, str):
        return value not in {"", "false"}
    return True


def to_date(value: Any, zone: tzinfo = UTC) -> datetime:
    """A date in UTC from a date, a text (in ``zone`` if it names none) or milliseconds."""
    if isinstance(value, datetime):
        if value.tzinfo is UTC:
            return value
        aware: datetime = value.replace(tzinfo=zone) if value.tzinfo is None else value
        return aware.astimezone(UTC)
    if isinstance(value, str):
        found = date_of_text(value.strip(), zone) if len(value) < 100 else None
        if found is not None:
            return found
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return EPOCH + timedelta(milliseconds=value)
        except (OverflowError, ValueError) as error:
            raise DataError(reason=f"{show(value)} is outside of all dates") from error
    raise DataError(reason=f"{show(value)} is not a date")


def to_array(value: Any) -> list[Any]:
    """An array as it is, null as an empty one, anything else as its only item."""
    if isinstance(value, list):
        return value
    if value is None or value is IGNORE or value is ERASE:
        return []
    return list(value) if isinstance(value, tuple) else [value]


def to_buffer(value: Any, codepage: str = "") -> bytes:
    """Bytes; text as UTF-8 or in ``codepage``; numbers, booleans and dates by way of text.

    Raises `DataError` for arrays and collections, and for what the code page can't write.
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        if codepage and codepage.lower() not in {"utf8", "utf-8"}:
            return _encoded(value, codepage)
        return value.encode("utf-8", "surrogatepass")
    if value is None:
        return b""
    if isinstance(value, bool | int | float | datetime):
        return to_text(value).encode()
    if (file := file_of(value)) is not None:
        raise too_large(file, "a buffer")
    raise DataError(reason=f"{show(value)} can't become a buffer")


CODEPAGES: Final = frozenset(
    ["ascii", "latin1", "utf-16", "utf-16le", "utf16le", "gbk", "gb18030", "big5"]
    + ["euc-jp", "euc-kr", "iso-2022-jp", "koi8-r", "koi8-u", "shift_jis", "mac-roman"]
    + [f"iso-8859-{number}" for number in (*range(1, 12), *range(13, 17))]
    + [f"cp125{number}" for number in range(9)]
    + [f"windows-125{number}" for number in range(9)]
)
"""Encodings of text besides UTF-8. Python's other codecs compress, or are no encodings of text."""


def _encoded(text: str, codepage: str) -> bytes:
    name = codepage.lower()
    if name not in CODEPAGES:
        raise DataError(reason=f"{codepage[:40]!r} is no encoding of text known here")
    try:
        return text.encode(name.replace("windows-", "cp"))
    except UnicodeEncodeError as error:
        raise DataError(reason=f"{codepage} can't write {error.object[error.start]!r}") from error


def to_collection(value: Any) -> dict[str, Any]:
    """A collection; nothing else becomes one."""
    if isinstance(value, dict):
        return value
    raise DataError(reason=f"{show(value)} is not a collection")


def _to_integer(value: Any) -> int:
    number = to_number(value)
    if isinstance(number, float):
        number = whole(number)
    if not isinstance(number, int):
        raise DataError(reason=f"{show(value)} is not a whole number")
    return number


def _to_unsigned(value: Any) -> int:
    number = _to_integer(value)
    if number < 0:
        raise DataError(reason=f"{show(value)} is negative")
    return number


_TIME = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?", re.ASCII)


def _to_time(value: Any) -> str:
    text = to_text(value).strip()
    match = _TIME.fullmatch(text)
    if match is None or int(match[1]) > 24 or int(match[2]) > 59 or int(match[3] or 0) > 59:
        raise DataError(reason=f"{show(value)} is not a time of day (hours:minutes[:seconds])")
    return text


_TEXTS = [
    "text",
    "cert",
    "color",
    "editor",
    "email",
    "filename",
    "folder",
    "html",
    "markdown",
    "password",
    "path",
    "pkey",
    "timezone",
    "url",
    "uuid",
]
_COERCIONS: dict[str, Callable[[Any], Any]] = {
    "array": to_array,
    "boolean": to_boolean,
    "buffer": to_buffer,
    "checkbox": to_boolean,
    "collection": to_collection,
    "integer": _to_integer,
    "number": to_number,
    "port": _to_unsigned,
    "time": _to_time,
    "uinteger": _to_unsigned,
    **dict.fromkeys(_TEXTS, to_text),
}
_BLANK_IS_NULL = {"date", "timestamp", "integer", "number", "port", "time", "uinteger"}


def coerce(value: Any, type_name: str, zone: tzinfo = UTC) -> Any:
    """The value as a form field of that type takes it; unknown types take anything.

    Null stays null, and so do ``ignore`` and ``erase``. A blank text is null to numbers and dates:
    exported blueprints hold ``""`` for fields left empty.
    """
    if value is None or value is IGNORE or value is ERASE:
        return value
    if type_name in _BLANK_IS_NULL and isinstance(value, str) and not value.strip():
        return None
    if type_name in {"date", "timestamp"}:
        return to_date(value, zone)
    convert = _COERCIONS.get(type_name)
    return value if convert is None else convert(value)
