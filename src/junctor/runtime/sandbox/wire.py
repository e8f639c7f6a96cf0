"""How values cross between Junctor and the process of a code step: JSON, with tags.

What JSON can't say is ``{"$": [kind, …]}``: ``["bytes", base64]``, ``["int", digits]`` (one that a
JavaScript number can't hold), ``["date", milliseconds]``; a collection that itself has a key ``$``
is ``["object", {…}]``.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import math
from typing import Any

__all__ = ["DEEPEST", "LOG_LIMIT", "NotData", "pack", "unpack"]

DEEPEST = 200
"""Levels of nesting that a value may have."""
LOG_LIMIT = 64 * 1024
"""Characters kept of what the code prints."""
_EXACT = 2**53
_INTEGER = 2**63
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class NotData(Exception):
    """A value that no bundle can hold; the text says what it is and where."""


def pack(value: Any, at: str = "it", depth: int = 0) -> Any:
    """The value as JSON with tags. `NotData` for what is none."""
    if value is None or value is True or value is False or isinstance(value, str):
        return value
    if depth > DEEPEST:
        raise NotData(f"it is nested more than {DEEPEST} levels deep, or holds itself")
    if isinstance(value, int):
        if -_EXACT < value < _EXACT:
            return value
        if value.bit_length() > 4096:
            raise NotData(f"{at} is a number of more than a thousand digits")
        return {"$": ["int", str(value)]}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes | bytearray):
        return {"$": ["bytes", base64.b64encode(value).decode()]}
    if isinstance(value, dt.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return {"$": ["date", (aware - _EPOCH) / dt.timedelta(milliseconds=1)]}
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [pack(item, f"{at}[{i}]", depth + 1) for i, item in enumerate(value)]
    if isinstance(value, set | frozenset):
        return [pack(item, at, depth + 1) for item in value]
    if isinstance(value, dict):
        out = {}
        for key, item in value.items():
            if not isinstance(key, str | int | float | bool | None):
                raise NotData(f"{at} has a key that is no text ({type(key).__name__})")
            name = key if isinstance(key, str) else _key(key)
            out[name] = pack(item, f"{at}.{name}", depth + 1)
        return {"$": ["object", out]} if "$" in out else out
    raise NotData(f"{at} is of type {type(value).__name__}")


def _key(key: float | None) -> str:
    return "null" if key is None else str(key).lower() if isinstance(key, bool) else str(key)


def unpack(value: Any) -> Any:
    """What `pack` packed: plain values of a bundle. `NotData` if it was not packed by it.

    Whole numbers too large for a bundle (64 bits) become texts, so that no digit is lost.
    """
    if isinstance(value, list):
        return [unpack(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$" not in value:
        return {key: unpack(item) for key, item in value.items()}
    match value["$"]:
        case ["bytes", str(text)]:
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error as error:
                raise NotData("a buffer is damaged") from error
        case ["int", str(digits)] if len(digits) < 1300 and digits.lstrip("-").isdecimal():
            number = int(digits)
            return number if -_INTEGER < number < _INTEGER else digits
        case ["date", int() | float() as milliseconds]:
            try:
                return _EPOCH + dt.timedelta(milliseconds=milliseconds)
            except (OverflowError, ValueError) as error:
                raise NotData("a date is outside of the years 1 to 9999") from error
        case ["object", dict(inner)]:
            return {key: unpack(item) for key, item in inner.items()}
        case _:
            raise NotData("a value is damaged")
