"""What the operators do with two values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from junctor.errors import DataError
from junctor.language.values import (
    as_number,
    milliseconds,
    show,
    to_date,
    to_number,
    to_text,
    whole,
)

__all__ = ["BINARY", "ZONED", "Binary", "Zoned", "equal", "equal_in", "negate"]

Binary = Callable[[Any, Any], Any]
Zoned = Callable[[Any, Any, tzinfo], Any]
"""An operator with the time zone that a text without one is in."""


_PLAIN: frozenset[Any] = frozenset({int, float})


def _operand(value: Any) -> int | float:
    """A number for arithmetic: null is 0, a boolean 1 or 0, a date its milliseconds."""
    if value.__class__ is int:
        return whole(value)
    if value is True or value is False:
        return int(value)
    if isinstance(value, datetime):
        return milliseconds(value)
    return to_number(value)


def _moved(date: datetime, by: float) -> datetime:
    try:
        return date + timedelta(milliseconds=by)
    except (OverflowError, ValueError) as error:
        raise DataError(reason=f"{by} milliseconds from {date} is outside of all dates") from error


def _result(number: float) -> int | float:
    if isinstance(number, float) and not math.isfinite(number):
        raise DataError(reason="the result is larger than any number")
    return whole(number)


def add(a: Any, b: Any) -> Any:
    """Joins if either is text; moves a date by milliseconds; else adds."""
    if a.__class__ is int and b.__class__ is int:
        return whole(a + b)
    if isinstance(a, str) or isinstance(b, str):
        return to_text(a) + to_text(b)
    if isinstance(a, datetime):
        if isinstance(b, datetime):
            raise DataError(reason="two dates can't be added")
        return _moved(a, _operand(b))
    if isinstance(b, datetime):
        return _moved(b, _operand(a))
    return _result(_operand(a) + _operand(b))


def subtract(a: Any, b: Any, zone: tzinfo = UTC) -> Any:
    """Milliseconds between two dates; a date moved back; else the difference.

    Beside a date, a text that is a date (and no number) is one, on the clock of ``zone``.
    """
    if isinstance(a, datetime):
        other = b if isinstance(b, datetime) else _date_in(b, zone)
        return _moved(a, -_operand(b)) if other is None else milliseconds(a) - milliseconds(other)
    if a.__class__ is int and b.__class__ is int:
        return whole(a - b)
    if isinstance(b, datetime):
        other = _date_in(a, zone)
        return _result((_operand(a) if other is None else milliseconds(other)) - milliseconds(b))
    return _result(_operand(a) - _operand(b))


def _date_in(value: Any, zone: tzinfo) -> datetime | None:
    """The date in a text that is no number; ``None`` if there is none."""
    if not isinstance(value, str) or not value.strip() or as_number(value) is not None:
        return None
    try:
        return to_date(value, zone)
    except DataError:
        return None


def multiply(a: Any, b: Any) -> int | float:
    """The product."""
    if a.__class__ is int and b.__class__ is int:
        return whole(a * b)
    return _result(_operand(a) * _operand(b))


def divide(a: Any, b: Any) -> int | float:
    """The quotient, never rounded; `DataError` for a division by zero."""
    divisor = _operand(b)
    if not divisor:
        raise DataError(reason=f"division of {show(a)} by zero")
    return _result(_operand(a) / divisor)


def modulo(a: Any, b: Any) -> int | float:
    """What remains of a division, with the sign of the first number, as in JavaScript."""
    number, divisor = _operand(a), _operand(b)
    if not divisor:
        raise DataError(reason=f"division of {show(a)} by zero")
    if isinstance(number, int) and isinstance(divisor, int):
        rest = abs(number) % abs(divisor)
        return -rest if number < 0 else rest
    return _result(math.fmod(number, divisor))


def equal(a: Any, b: Any) -> bool:
    """Strict equality; a numeric text equals a number; the types of all else must match."""
    if a.__class__ is b.__class__:
        return bool(a == b)
    if isinstance(a, bool) or isinstance(b, bool):
        return False
    if isinstance(a, int | float):
        return not isinstance(b, datetime) and as_number(b) == a
    if isinstance(b, int | float):
        return not isinstance(a, datetime) and as_number(a) == b
    return bool(a == b)


def equal_in(a: Any, b: Any, zone: tzinfo) -> bool:
    """As `equal`, but a text that is a date equals that date, as for ``<=`` and ``>=``."""
    if isinstance(a, datetime) != isinstance(b, datetime):
        left = a if isinstance(a, datetime) else _date_in(a, zone)
        right = b if isinstance(b, datetime) else _date_in(b, zone)
        return left is not None and left == right
    return equal(a, b)


def _unequal(a: Any, b: Any) -> bool:
    return not equal(a, b)


def _unequal_in(a: Any, b: Any, zone: tzinfo) -> bool:
    return not equal_in(a, b, zone)


def _compared(a: Any, b: Any, zone: tzinfo) -> int | None:
    """-1, 0 or 1; ``None`` where there is no order, so that every comparison is false."""
    if isinstance(a, str) and isinstance(b, str):
        left: Any = a
        right: Any = b
    elif isinstance(a, datetime) or isinstance(b, datetime):
        if a is None or b is None:
            return None
        try:
            left, right = to_date(a, zone), to_date(b, zone)
        except DataError:
            return None
    else:
        left, right = _sortable(a), _sortable(b)
        if left is None or right is None:
            return None
    return int(left > right) - int(left < right)


def _sortable(value: Any) -> int | float | None:
    if value is None or value == "":
        return 0
    return int(value) if isinstance(value, bool) else as_number(value)


def less(a: Any, b: Any, zone: tzinfo = UTC) -> bool:
    """Numbers, numeric texts and dates by size, two texts by code points."""
    if a.__class__ in _PLAIN and b.__class__ in _PLAIN:
        return bool(a < b)
    return _compared(a, b, zone) == -1


def greater(a: Any, b: Any, zone: tzinfo = UTC) -> bool:
    """As `less`, the other way."""
    if a.__class__ in _PLAIN and b.__class__ in _PLAIN:
        return bool(a > b)
    return _compared(a, b, zone) == 1


def at_most(a: Any, b: Any, zone: tzinfo = UTC) -> bool:
    """Less or equal."""
    if a.__class__ in _PLAIN and b.__class__ in _PLAIN:
        return bool(a <= b)
    return _compared(a, b, zone) in {-1, 0}


def at_least(a: Any, b: Any, zone: tzinfo = UTC) -> bool:
    """Greater or equal."""
    if a.__class__ in _PLAIN and b.__class__ in _PLAIN:
        return bool(a >= b)
    return _compared(a, b, zone) in {0, 1}


def negate(value: Any) -> int | float:
    """The number with the other sign."""
    return _result(-_operand(value))


BINARY: Mapping[str, Binary] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": modulo,
    "=": equal,
    "!=": _unequal,
    "<": less,
    "<=": at_most,
    ">": greater,
    ">=": at_least,
}

ZONED: Mapping[str, Zoned] = {
    "-": subtract,
    "=": equal_in,
    "!=": _unequal_in,
    "<": less,
    "<=": at_most,
    ">": greater,
    ">=": at_least,
}
"""The same operators, where one side is a date and the other may be a text."""
