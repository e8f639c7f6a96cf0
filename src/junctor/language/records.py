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
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

import msgspec

from junctor.errors import DataError, TooLarge
from junctor.language.asks.records import FindRecords
from junctor.language.expressions.operators import greater, less
from junctor.language.expressions.paths import dig
from junctor.language.filters import OPERATORS, operator_named
from junctor.language.values import ERASE, IGNORE, iso, to_date, to_text, whole

__all__ = [
    "MOST_BYTES",
    "MOST_KEY",
    "checked_key",
    "cleaned",
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
    (NaN, infinite) is null.
    """
    kind = value.__class__
    if kind is str:
        return _text(value)
    if value is None or kind is bool or kind is int:
        return value
    if kind is float:
        return whole(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        made = {_text(str(name)): stored(item) for name, item in value.items()}
        return {_PLAIN: made} if _tagged(made) else made
    if isinstance(value, list | tuple):
        return [stored(item) for item in value]
    if isinstance(value, datetime):
        return {_DATE: _exact(value)}
    if isinstance(value, bytes | bytearray | memoryview):
        return {_BUFFER: base64.b64encode(value).decode("ascii")}
    if isinstance(value, str):
        return _text(str(value))
    if isinstance(value, int | float):  # numbers with a spelling of their own
        return stored(int(value) if isinstance(value, int) else float(value))
    if value is IGNORE or value is ERASE:
        return None
    raise DataError(reason=f"{kind.__name__} is no value that a record can hold")


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
            reason=f"the key '{key[:40]}…' has {len(key)} characters; give one of {MOST_KEY} at most"
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


# Merging


def cleaned(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a new record gets: fields that are ``ignore`` are left out, ``erase`` is null."""
    return {name: _clean(value) for name, value in data.items() if value is not IGNORE}


def _clean(value: Any) -> Any:
    if value is ERASE:
        return None
    if isinstance(value, dict):
        return cleaned(value)
    if isinstance(value, list):
        return [_clean(item) for item in value if item is not IGNORE]
    return value


def merged(
    old: Mapping[str, Any], new: Mapping[str, Any], *, overwrite_arrays: bool
) -> dict[str, Any]:
    """A record after an update.

    Fields left blank (null, empty text, ``ignore``) stay as they are, ``erase`` makes null,
    collections are merged, arrays replaced or added to.
    """
    out = dict(old)
    for name, value in new.items():
        before = out.get(name)
        if value is ERASE:
            out[name] = None
        elif value is None or value is IGNORE or value == "":
            continue
        elif isinstance(value, dict):
            base = before if isinstance(before, dict) else {}
            out[name] = merged(base, value, overwrite_arrays=overwrite_arrays)
        elif isinstance(value, list):
            items = [_clean(item) for item in value if item is not IGNORE]
            keep = isinstance(before, list) and not overwrite_arrays
            out[name] = [*before, *items] if keep and isinstance(before, list) else items
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


Found = tuple[str, dict[str, Any]]


def ordered(ask: FindRecords, found: Iterable[Found]) -> list[Found]:
    """In the order asked for, cut at the limit. Records without a field come last, either way.

    Numbers, numeric texts and dates go by size, texts by code points; what can't be compared
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
        a, b = field_of(*one, path), field_of(*other, path)
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
    if a.__class__ is b.__class__ or isinstance(a, int | float) and isinstance(b, int | float):
        return 0
    x, y = _shown(a), _shown(b)
    return (x > y) - (x < y)


def _shown(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else to_text(value)
