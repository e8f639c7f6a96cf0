"""Numbers."""

from __future__ import annotations

import math
import statistics
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from junctor.errors import DataError
from junctor.language.expressions.functions.registry import Many, Number, Text, function
from junctor.language.values import as_number, show, to_number, whole

__all__ = [
    "abs_",
    "average",
    "ceil",
    "floor",
    "format_number",
    "max_",
    "median",
    "min_",
    "numbers_of",
    "parse_number",
    "round_",
    "stdev_p",
    "stdev_s",
    "sum_",
    "trunc",
]


@function("abs", [("{{abs(-3)}}", 3), ("{{abs(1.nul)}}", 0)])
def abs_(number: Number) -> int | float:
    """The number without its sign."""
    return abs(number)


@function("ceil", [("{{ceil(1.2)}}", 2), ("{{ceil(4)}}", 4), ("{{ceil(-1.5)}}", -1)])
def ceil(number: Number) -> int | float:
    """Rounds up to a whole number."""
    return whole(math.ceil(number))


@function("floor", [("{{floor(1.8)}}", 1), ("{{floor(-1.2)}}", -2), ('{{floor("7.9")}}', 7)])
def floor(number: Number) -> int | float:
    """Rounds down to a whole number."""
    return whole(math.floor(number))


@function(
    "round",
    [("{{round(1.2)}}", 1), ("{{round(1.5)}}", 2), ("{{round(2.5)}}", 3), ("{{round(-1.5)}}", -1)],
)
def round_(number: Number) -> int | float:
    """Rounds to the nearest whole number, halves up. For cents: ``round(x * 100) / 100``."""
    return whole(number) if isinstance(number, int) else whole(math.floor(number + 0.5))


@function(
    "trunc",
    [("{{trunc(1.999)}}", 1), ("{{trunc(3.14159; 2)}}", 3.14), ("{{trunc(-2.7)}}", -2)],
)
def trunc(number: Number, decimals: Number = 0) -> int | float:
    """Cuts decimals off, toward zero."""
    exact = Decimal(repr(number)).scaleb(_places(decimals))
    return whole(float(Decimal(math.trunc(exact)).scaleb(-_places(decimals))))


@function("sum", [("{{sum(1.nums)}}", 8), ("{{sum(1; 7)}}", 8), ("{{sum(1.users[].age)}}", 44)])
def sum_(*numbers: Many) -> int | float:
    """Adds up the numbers, of one array or one by one. Empty ones are left out."""
    total = math.fsum(found) if (found := numbers_of(numbers)) else 0
    if all(isinstance(each, int) for each in found):
        return whole(sum(found))
    return whole(total)


@function("average", [("{{average(1.nums)}}", 8 / 3), ("{{average(1; 7)}}", 4)])
def average(*numbers: Many) -> int | float | None:
    """The mean of the numbers, of one array or one by one; null if there are none."""
    found = numbers_of(numbers)
    return whole(math.fsum(found) / len(found)) if found else None


@function("median", [("{{median(4; 1; 3)}}", 3), ("{{median(1; 2; 3; 4)}}", 2.5)])
def median(*numbers: Many) -> int | float | None:
    """The middle of the numbers, the mean of the two middle ones if their count is even."""
    found = numbers_of(numbers)
    return whole(statistics.median(found)) if found else None


@function("min", [("{{min(1.nums)}}", 1), ("{{min(4; 2)}}", 2), ("{{min(emptyarray)}}", None)])
def min_(*numbers: Many) -> Any:
    """The smallest number (or the earliest date); null if there are none."""
    return min(_sizes(numbers), default=None)


@function("max", [("{{max(1.nums)}}", 4), ('{{max("10"; 9)}}', 10)])
def max_(*numbers: Many) -> Any:
    """The largest number (or the latest date); null if there are none."""
    return max(_sizes(numbers), default=None)


@function("stdevP", [("{{stdevP(1; 2; 3; 4; 5)}}", 1.4142135623730951)])
def stdev_p(*numbers: Many) -> float | None:
    """The standard deviation of a whole population."""
    found = numbers_of(numbers)
    return statistics.pstdev(found) if found else None


@function("stdevS", [("{{stdevS(1; 2; 3; 4; 5)}}", 1.5811388300841898)])
def stdev_s(*numbers: Many) -> float | None:
    """The standard deviation of a sample."""
    found = numbers_of(numbers)
    return statistics.stdev(found) if len(found) > 1 else None


@function(
    "formatNumber",
    [
        ('{{formatNumber(123456789; 3; ","; ".")}}', "123.456.789,000"),
        ('{{formatNumber(123456789; 3; "."; ",")}}', "123,456,789.000"),
        ("{{formatNumber(1234.5; 2)}}", "1.234,50"),
        ("{{formatNumber(-0.005; 2)}}", "-0,01"),
    ],
)
def format_number(
    number: Number,
    decimals: Number = 0,
    decimal_separator: Text = ",",
    thousands_separator: Text = ".",
) -> str:
    """A number as text, European by default: ``1.234,50``. Halves are rounded away from zero."""
    places = _places(decimals)
    exact = Decimal(repr(number)).quantize(
        Decimal(1).scaleb(-places), ROUND_HALF_UP, Context(prec=450)
    )
    text = f"{exact:,.{places}f}"
    return text.translate({ord(","): thousands_separator[:20], ord("."): decimal_separator[:20]})


@function(
    "parseNumber",
    [
        ('{{parseNumber("1 756,456"; ",")}}', 1756.456),
        ('{{parseNumber("1,756.5")}}', 1756.5),
        ('{{parseNumber("-12")}}', -12),
    ],
)
def parse_number(text: Any, decimal_separator: Text = ".") -> int | float | None:
    """Reads a number from text; spaces and the other separator between thousands are dropped."""
    if text is None or isinstance(text, int | float):
        return text
    thousands = "." if decimal_separator == "," else ","
    cleaned = "".join(str(text).split()).replace(thousands, "").replace("'", "")
    number = as_number(cleaned.replace(decimal_separator, "."))
    if number is None:
        raise DataError(reason=f"{show(text)} is not a number")
    return number


def numbers_of(values: tuple[Any, ...]) -> list[int | float]:
    """All the numbers in the arguments and their arrays; null and empty text are none."""
    found: list[int | float] = []
    for value in values:
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, list):
                found.extend(numbers_of((each,)))
            elif each is not None and each != "":
                found.append(to_number(each))
    return found


def _sizes(values: tuple[Any, ...]) -> list[Any]:
    flat = [each for value in values for each in (value if isinstance(value, list) else [value])]
    if flat and all(isinstance(each, datetime) for each in flat):
        return flat
    return list(numbers_of(values))


def _places(decimals: float) -> int:
    if not 0 <= decimals <= 100:
        raise DataError(reason=f"decimals must be between 0 and 100, not {decimals}")
    return int(decimals)
