"""Functions that Adobe Workfront Fusion, a fork of Make's engine, documents and Make does not.

What they mean is what Adobe's function reference says of them.
"""

from __future__ import annotations

import math
import re
import unicodedata
from functools import partial
from typing import Any

from junctor.errors import DataError
from junctor.language.expressions.functions.arrays import array_diff
from junctor.language.expressions.functions.math import numbers_of
from junctor.language.expressions.functions.patterns import parse_literal, substitute
from junctor.language.expressions.functions.registry import (
    Array,
    Many,
    Number,
    Text,
    function,
    lazy,
    limited,
)
from junctor.language.expressions.operators import divide, subtract
from junctor.language.expressions.scope import Env, Evaluate
from junctor.language.values import as_number, kind, show, to_collection, to_text, whole

__all__ = ["concat", "finite", "prod", "strictly_equal"]

fusion = partial(function, origin="fusion")


@fusion("concat", [('{{concat("a"; 1; 1.nul; "b")}}', "a1b")], instead="the values in a row, or +")
def concat(*values: Any) -> str:
    """One text of all values."""
    return limited("".join(to_text(each) for each in values))


@fusion("left", [('{{left("Hello"; 2)}}', "He")], instead="substring(text; 0; count)")
def left(text: Text, count: Number) -> str:
    """The first characters of a text."""
    return text[: max(0, int(count))]


@fusion("right", [('{{right("Hello"; 2)}}', "lo"), ('{{right("Hello"; 0)}}', "")])
def right(text: Text, count: Number) -> str:
    """The last characters of a text."""
    return text[-int(count) :] if count >= 1 else ""


@fusion("removeAccents", [('{{removeAccents("Žluť")}}', "Zlut")], instead="ascii(text; true)")
def remove_accents(text: Text) -> str:
    """Letters without their accents."""
    parts = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in parts if not unicodedata.combining(c)))


@fusion("pascal", [('{{pascal("new deal-won")}}', "NewDealWon")])
def pascal(text: Text) -> str:
    """The words of a text, each with a large first letter, without what is between them."""
    words = re.findall(r"[^\W_]+", text)
    return "".join(word[:1].upper() + word[1:] for word in words)


@fusion(
    "replacePattern",
    [
        ('{{replacePattern("a1b22"; "[0-9]+"; "#")}}', "a#b#"),
        ('{{replacePattern("a1b22"; "/[0-9]+/"; "#")}}', "a#b22"),
    ],
    instead='replace(text; "/pattern/g"; replacement)',
)
def replace_pattern(text: Text, pattern: Text, replacement: Text) -> str:
    """Replaces whatever a regular expression matches: all of it, or as the flags say."""
    found, flags = parse_literal(pattern) or (pattern, "g")
    return substitute(found, flags, replacement, text)


@fusion(
    "isBlank",
    [
        ("{{isBlank(1.empty)}}", True),
        ("{{isBlank(1.zero)}}", False),
        ("{{isBlank(space)}}", False),
    ],
    instead='ifempty(value; "") = ""',
)
def is_blank(value: Many) -> bool:
    """Whether a value is null or an empty text."""
    return value is None or value == ""


def strictly_equal(a: Any, b: Any) -> bool:
    """Equal, and of one type: a numeric text is no number."""
    return kind(a) == kind(b) and bool(a == b)


@fusion(
    "in",
    [
        ('{{in("B"; "A"; "B")}}', True),
        ('{{in("2"; 1; 2; 3)}}', False),
        ('{{in("b"; 1.arr)}}', True),
    ],
    instead="contains(array; value)",
)
def in_(value: Any, *values: Many) -> bool:
    """Whether a value is one of others, or in one of some arrays; types must match."""
    flat = [each for some in values for each in (some if isinstance(some, list) else [some])]
    return any(strictly_equal(value, each) for each in flat)


@lazy(
    "ifin",
    "ifin(value; candidate; …; then; else)",
    4,
    None,
    [
        ('{{ifin("B"; "A"; "B"; "yes"; "no")}}', "yes"),
        ('{{ifin("D"; "A"; "B"; "yes"; "no")}}', "no"),
    ],
    origin="fusion",
    instead="switch(value; candidate; then; …; else)",
)
def ifin(arguments: list[Evaluate]) -> Evaluate:
    """Gives the last value but one if the first is among those between, else the last."""
    value, *candidates, then, otherwise = arguments

    def choose(env: Env) -> Any:
        wanted = value(env)
        if any(strictly_equal(wanted, candidate(env)) for candidate in candidates):
            return then(env)
        return otherwise(env)

    return choose


@lazy(
    "case",
    "case(number; value; …)",
    2,
    None,
    [
        ('{{case(2; "Sun"; "Mon"; "Tue")}}', "Mon"),
        ('{{case(5; "a"; "b")}}', None),
    ],
    origin="fusion",
    instead="switch(number; 1; value; …)",
)
def case(arguments: list[Evaluate]) -> Evaluate:
    """Gives the value at a place, counted from 1; null if there is none."""
    number, *values = arguments

    def choose(env: Env) -> Any:
        place = as_number(number(env))
        if place is None or not 1 <= place < len(values) + 1:
            return None
        return values[int(place) - 1](env)

    return choose


@fusion(
    "arrayDifference",
    [
        ('{{arrayDifference(1.arr; split("c,d"; ","))}}', ["a", "b"]),
        ('{{arrayDifference(1.arr; split("c,d"; ","); "symmetric")}}', ["a", "b", "d"]),
    ],
    instead="arrayDiff(array1; array2)",
)
def array_difference(array1: Array, array2: Array, mode: Text = "classic") -> list[Any]:
    """The items that the other array lacks; ``symmetric`` adds those that the first lacks."""
    match mode.lower():
        case "" | "classic":
            return array_diff(array1, array2)
        case "symmetric":
            return array_diff(array1, array2) + array_diff(array2, array1)
    raise DataError(reason=f"{show(mode)} is no mode; use classic or symmetric")


@fusion(
    "arrayElement",
    [("{{arrayElement(1.arr; 2)}}", "b"), ("{{arrayElement(1.arr; 0)}}", None)],
    instead="get(array; index)",
)
def array_element(array: Array, index: Number) -> Any:
    """The item at a place, counted from 1; null if there is none."""
    return array[int(index) - 1] if 1 <= index < len(array) + 1 else None


@fusion(
    "mergeCollections",
    [('{{mergeCollections(1.col; pick(`1`; "n"))}}', {"k1": "v1", "k2": "v2", "n": 5})],
)
def merge_collections(*collections: Any) -> dict[str, Any]:
    """One collection of all keys of several; later ones win."""
    merged: dict[str, Any] = {}
    for each in collections:
        merged.update(to_collection(each) if each is not None else {})
    return merged


@fusion(
    "sortAscNum",
    [('{{sortAscNum(split("10,9"; ","))}}', ["9", "10"]), ("{{sortAscNum(10; 9)}}", [9, 10])],
    instead="sort(array)",
)
def sort_ascending_numbers(*numbers: Many) -> list[Any]:
    """An array sorted by number, numeric texts too; what is no number comes last."""
    flat = [each for some in numbers for each in (some if isinstance(some, list) else [some])]
    return sorted(flat, key=lambda each: (as_number(each) is None, as_number(each) or 0))


@fusion("number", [('{{number("4.5")}}', 4.5)], instead="parseNumber(text)")
def number_(value: Number) -> int | float:
    """A text as a number."""
    return value


@fusion("sub", [("{{sub(5; 3)}}", 2), ("{{sub(10; 3; 2)}}", 5)], instead="a - b")
def sub(a: Any, *numbers: Any) -> Any:
    """What is left of the first number when the others are taken away, as the operator ``-``."""
    for each in numbers:
        a = subtract(a, each)
    return a


@fusion("div", [("{{div(6; 4)}}", 1.5), ("{{div(12; 3; 2)}}", 2)], instead="a / b")
def div(a: Any, *numbers: Any) -> int | float:
    """The first number divided by each of the others, as the operator ``/``."""
    for each in numbers:
        a = divide(a, each)
    return divide(a, 1)


@fusion("prod", [("{{prod(1.nums)}}", 12), ("{{prod(2; 3)}}", 6)], instead="a * b")
def prod(*numbers: Many) -> int | float:
    """The product of the numbers, of one array or one by one."""
    found = numbers_of(numbers)
    if all(isinstance(each, int) for each in found) and len(found) < 100:
        return finite(math.prod(found))
    return finite(math.prod(map(float, found)))


@fusion("power", [("{{power(2; 10)}}", 1024), ("{{power(4; 0.5)}}", 2)])
def power(base: Number, exponent: Number) -> int | float:
    """The base raised to the exponent."""
    try:
        return finite(float(base) ** float(exponent))
    except (OverflowError, ZeroDivisionError, TypeError) as error:
        raise DataError(reason=f"{base} can't be raised to {exponent} ({error})") from error


@fusion("sqrt", [("{{sqrt(16)}}", 4)])
def sqrt(number: Number) -> int | float:
    """The square root."""
    if number < 0:
        raise DataError(reason=f"{number} is negative and has no square root")
    return whole(math.sqrt(number))


@fusion("ln", [("{{ln(1)}}", 0)])
def ln(number: Number) -> int | float:
    """The natural logarithm."""
    if number <= 0:
        raise DataError(reason=f"{number} has no logarithm")
    return whole(math.log(number))


@fusion("log", [("{{log(1000)}}", 3), ("{{log(8; 2)}}", 3)])
def log(number: Number, base: Number = 10) -> int | float:
    """The logarithm to a base, 10 unless said otherwise."""
    if number <= 0 or base <= 0 or base == 1:
        raise DataError(reason=f"{number} has no logarithm to the base {base}")
    if base == 10:
        return whole(math.log10(number))
    return whole(math.log2(number) if base == 2 else math.log(number, base))


def finite(number: Any) -> int | float:
    """The number, if it is one; `DataError` if it is beyond all numbers."""
    if not isinstance(number, int | float) or not math.isfinite(number):
        raise DataError(reason="the result is no number that can be shown")
    return whole(number)
