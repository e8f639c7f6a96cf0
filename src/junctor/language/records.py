"""Records of data stores, as values: how they are stored, chosen, ordered and merged. All pure.

Stored is JSON. What JSON has no type for carries its own: a date is ``{"$date": ISO text}``, bytes
are ``{"$buffer": base64}``; a collection that looks like one of these is wrapped in ``{"$": …}``.
So a record gives back exactly what was put in, whatever its data structure says by now.
"""

from __future__ import annotations

import base64
import binascii
import functools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple

import msgspec

from junctor.errors import DataError, TooLarge
from junctor.language.asks.records import FindRecords
from junctor.language.expressions.operators import greater, less
from junctor.language.expressions.paths import dig
from junctor.language.filters import OPERATORS, operator_named
from junctor.language.structures import Spec, conform, fields
from junctor.language.values import ERASE, IGNORE, iso, to_date, to_text, whole

__all__ = [
    "MOST_BYTES",
    "MOST_KEY",
    "Found",
    "checked_key",
    "fitting",
    "matches",
    "merged",
    "ordered",
    "restored",
    "sized",
    "stored",
]

MOST_BYTES = 15 * 1024 * 1024
"""Of one record, as stored."""
MOST_KEY = 512
"""Characters of a key: it stands in an index."""

_DATE, _BUFFER, _PLAIN = "$date", "$buffer", "$"


def stored(value: Any) -> Any:
    """A value as JSON that the database can keep. `DataError` on what is no value.

    Text loses NUL and lone surrogates, which PostgreSQL's JSON can't hold; a number that is none
    (NaN, infinite) is null. Fields that are ``ignore`` are left out, ``erase`` is null.
    """
    try:
        return _stored(value)
    except RecursionError:
        raise DataError(reason="the record is nested too deep; flatten it") from None


def _stored(value: Any) -> Any:
    kind = value.__class__
    if kind is str:
        return _text(value)
    if value is None or kind is bool:
        return value
    if isinstance(value, Mapping):
        made = {
            _text(str(name)): _stored(item) for name, item in value.items() if item is not IGNORE
        }
        return {_PLAIN: made} if _tagged(made) else made
    if isinstance(value, list | tuple):
        return [_stored(item) for item in value if item is not IGNORE]
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, datetime):
        return {_DATE: _exact(value)}
    if isinstance(value, bytes | bytearray | memoryview):
        return {_BUFFER: base64.b64encode(value).decode("ascii")}
    if isinstance(value, str):
        return _text(str(value))
    if value is IGNORE or value is ERASE:
        return None
    raise DataError(reason=f"{kind.__name__} is no value that a record can hold")


def _number(value: float) -> int | float | None:
    """A plain one, whatever its spelling; whole ones that nothing else carries become floats."""
    try:
        number = whole(int(value) if isinstance(value, int) else float(value))
    except OverflowError:
        raise DataError(reason="a whole number has more than 308 digits; make it a text") from None
    return number if math.isfinite(number) else None


def restored(value: Any) -> Any:
    """The value that `stored` was given."""
    if isinstance(value, list):
        return [restored(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, item),) = value.items()
        if name == _PLAIN and isinstance(item, dict):
            return {key: restored(each) for key, each in item.items()}
        if isinstance(item, str):
            try:
                if name == _DATE:
                    return to_date(item)
                if name == _BUFFER:
                    return base64.b64decode(item, validate=True)
            except (DataError, binascii.Error):
                return value  # nothing of ours
    return {name: restored(item) for name, item in value.items()}


def sized(key: str, data: Any) -> int:
    """Bytes of a record as stored; `TooLarge` if they are too many."""
    size = len(msgspec.json.encode(data))
    if size > MOST_BYTES:
        raise TooLarge(what=f"The record '{key}'", limit=MOST_BYTES)
    return size


def checked_key(key: str) -> str:
    """A key as the database can keep it; `DataError` on one that is too long."""
    if len(key) > MOST_KEY:
        raise DataError(
            reason=f"the key '{key[:40]}…' has {len(key)} characters; the most is {MOST_KEY}"
        )
    return _text(key)


def _text(text: str) -> str:
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _tagged(value: dict[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)) in {_DATE, _BUFFER, _PLAIN}


def _exact(value: datetime) -> str:
    """To the microsecond where there are any below a millisecond."""
    return iso(value) if value.microsecond % 1000 == 0 else to_date(value).isoformat()


# Writing


def fitting(
    data: Mapping[str, Any],
    spec: Spec,
    strict: bool,
    *,
    kept: Collection[str] = (),
    zone: tzinfo = UTC,
) -> dict[str, Any]:
    """A record as its store's data structure wants it; `BundleInvalid` where it can't be.

    Without a structure (no fields, not strict) anything goes. Fields in ``kept`` that the structure
    does not have were in the record before, under an older structure: they stay.
    """
    if not spec and not strict:
        return dict(data)
    names = {str(field["name"]) for field in fields(spec)}
    old = {name: value for name, value in data.items() if name in kept and name not in names}
    new = {name: value for name, value in data.items() if name not in old}
    return {**conform(new, spec, strict=strict, zone=zone), **old}


def merged(
    old: Mapping[str, Any], new: Mapping[str, Any], *, overwrite_arrays: bool
) -> dict[str, Any]:
    """A record after an update.

    Fields left blank (null, empty text, ``ignore``) stay as they are, ``erase`` stands for null,
    collections are merged, arrays replaced or added to.
    """
    out = dict(old)
    for name, value in new.items():
        before = out.get(name)
        if value is None or value is IGNORE or value == "":
            continue
        if isinstance(value, dict):
            base = before if isinstance(before, dict) else {}
            out[name] = merged(base, value, overwrite_arrays=overwrite_arrays)
        elif isinstance(value, list):
            keep = before if isinstance(before, list) and not overwrite_arrays else []
            out[name] = [*keep, *value]
        else:
            out[name] = value
    return out


# Finding


def field_of(key: str, data: Mapping[str, Any], path: str) -> Any:
    """A field by its dotted path; ``key`` is the record's key, ``data.…`` may stand in front."""
    if path == "key":
        return key
    found = dig(data, path)
    if found is None and path.startswith("data."):
        return dig(data, path.removeprefix("data."))
    return found


def matches(ask: FindRecords, key: str, data: Mapping[str, Any], zone: tzinfo) -> bool:
    """Whether a record meets the conditions, as a filter of the scenario would judge them."""
    if not ask.conditions:
        return True
    return any(
        all(
            (OPERATORS.get(name) or operator_named(name)).test(field_of(key, data, path), b, zone)
            for path, name, b in group
        )
        for group in ask.conditions
    )


class Found(NamedTuple):
    """A record that a search found."""

    key: str
    data: dict[str, Any]
    size: int
    """Bytes as stored."""


def ordered(ask: FindRecords, found: Iterable[Found]) -> list[Found]:
    """In the order asked for, cut at the limit. Records without a field come last, either way.

    Numbers and dates go by size, texts by code points; what can't be compared
    (a text with a number) goes by its text.
    """
    if not ask.sort:
        rows = list(found)
    else:

        def compare(one: Found, other: Found) -> int:
            return _compare(ask.sort, one, other)

        rows = sorted(found, key=functools.cmp_to_key(compare))
    return rows if ask.limit is None else rows[: ask.limit]


def _compare(sort: Sequence[tuple[str, bool]], one: Found, other: Found) -> int:
    for path, ascending in sort:
        a, b = field_of(one.key, one.data, path), field_of(other.key, other.data, path)
        if a is None or b is None:
            if a is not b:
                return 1 if a is None else -1
            continue
        found = _order(a, b)
        if found:
            return found if ascending else -found
    return 0


def _order(a: Any, b: Any) -> int:
    if less(a, b):
        return -1
    if greater(a, b):
        return 1
    if a.__class__ is b.__class__ or (isinstance(a, int | float) and isinstance(b, int | float)):
        return 0
    x, y = _shown(a), _shown(b)
    return (x > y) - (x < y)


def _shown(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else to_text(value)
