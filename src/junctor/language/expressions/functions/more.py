"""Names from other dialects that imported blueprints use: thin, and documented as what they are.

Some are documented by Adobe Workfront Fusion; others (``escapeJSON``, ``concat`` …) exist nowhere
but are common in blueprints written by language models.
"""

from __future__ import annotations

import math
import unicodedata
from typing import Any

from junctor.errors import DataError
from junctor.language.expressions.functions.binary import create_json
from junctor.language.expressions.functions.math import numbers_of
from junctor.language.expressions.functions.registry import (
    Array,
    Many,
    Number,
    Text,
    function,
    limited,
)
from junctor.language.expressions.functions.text import encode_url
from junctor.language.expressions.operators import divide, equal, subtract
from junctor.language.values import as_number, to_collection, to_text, whole

__all__ = ["concat", "escape_json"]


@function("concat", [('{{concat("a"; 1; 1.nul; "b")}}', "a1b")])
def concat(*values: Any) -> str:
    """One text of all values."""
    return limited("".join(to_text(each) for each in values))


@function("escapeJSON", [("{{escapeJSON('say \"hi\"')}}", 'say \\"hi\\"')])
def escape_json(text: Text) -> str:
    """Escapes a text to stand between quotes in JSON."""
    return create_json(text)[1:-1]


@function("stringify", [("{{stringify(1.arr)}}", '["a","b","c"]')])
def stringify(value: Many) -> str:
    """Any value as JSON text."""
    return create_json(value)


@function("toJSON", [("{{toJSON(1.col)}}", '{"k1":"v1","k2":"v2"}')])
def to_json(value: Many) -> str:
    """Any value as JSON text."""
    return create_json(value)


@function("urlEncode", [('{{urlEncode("a b")}}', "a%20b")])
def url_encode(text: Text) -> str:
    """Encodes a text as one part of an address."""
    return encode_url(text)


@function("left", [('{{left("Hello"; 2)}}', "He")])
def left(text: Text, count: Number) -> str:
    """The first characters of a text."""
    return text[: max(0, int(count))]


@function("right", [('{{right("Hello"; 2)}}', "lo")])
def right(text: Text, count: Number) -> str:
    """The last characters of a text."""
    return text[-int(count) :] if count >= 1 else ""


@function("removeAccents", [('{{removeAccents("Žluť")}}', "Zlut")])
def remove_accents(text: Text) -> str:
    """Letters without their accents."""
    parts = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in parts if not unicodedata.combining(c)))


@function("isBlank", [("{{isBlank(1.empty)}}", True), ("{{isBlank(1.zero)}}", False)])
def is_blank(value: Many) -> bool:
    """Whether a value is null, empty or only white space."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value in ([], {})


@function("empty", [("{{empty(1.nul)}}", True), ("{{empty(1.arr)}}", False)])
def empty(value: Many) -> bool:
    """Whether a value is null, an empty text, array or collection."""
    return value is None or value in ("", [], {})


@function("exists", [("{{exists(1.nul)}}", False), ("{{exists(1.empty)}}", True)])
def exists(value: Any) -> bool:
    """Whether there is a value, even an empty one."""
    return value is not None


@function("in", [('{{in("b"; 1.arr)}}', True)])
def in_(value: Any, *values: Many) -> bool:
    """Whether a value is among others."""
    flat = [each for some in values for each in (some if isinstance(some, list) else [some])]
    return any(equal(value, each) for each in flat)


@function("number", [('{{number("4.5")}}', 4.5)])
def number_(value: Number) -> int | float:
    """A text as a number."""
    return value


@function("sub", [("{{sub(5; 3)}}", 2)])
def sub(a: Any, b: Any) -> Any:
    """The difference, as the operator ``-``."""
    return subtract(a, b)


@function("subtract", [("{{subtract(5; 3)}}", 2)])
def subtract_(a: Any, b: Any) -> Any:
    """The difference, as the operator ``-``."""
    return subtract(a, b)


@function("div", [("{{div(6; 4)}}", 1.5)])
def div(a: Number, b: Number) -> int | float:
    """The quotient, as the operator ``/``."""
    return divide(a, b)


@function("divide", [("{{divide(6; 4)}}", 1.5)])
def divide_(a: Number, b: Number) -> int | float:
    """The quotient, as the operator ``/``."""
    return divide(a, b)


@function("prod", [("{{prod(1.nums)}}", 12)])
def prod(*numbers: Many) -> int | float:
    """The product of the numbers, of one array or one by one."""
    return _finite(math.prod(map(float, numbers_of(numbers))))


@function("multiply", [("{{multiply(2; 3)}}", 6)])
def multiply_(*numbers: Many) -> int | float:
    """The product of the numbers."""
    return prod(*numbers)


@function("power", [("{{power(2; 10)}}", 1024)])
def power(base: Number, exponent: Number) -> int | float:
    """The base raised to the exponent."""
    try:
        return _finite(float(base) ** float(exponent))
    except (OverflowError, ZeroDivisionError, TypeError) as error:
        raise DataError(reason=f"{base} can't be raised to {exponent} ({error})") from error


@function("sqrt", [("{{sqrt(16)}}", 4)])
def sqrt(number: Number) -> int | float:
    """The square root."""
    if number < 0:
        raise DataError(reason=f"{number} is negative and has no square root")
    return whole(math.sqrt(number))


@function("ln", [("{{ln(1)}}", 0)])
def ln(number: Number) -> int | float:
    """The natural logarithm."""
    if number <= 0:
        raise DataError(reason=f"{number} has no logarithm")
    return whole(math.log(number))


@function(
    "mergeCollections",
    [('{{mergeCollections(1.col; pick(`1`; "n"))}}', {"k1": "v1", "k2": "v2", "n": 5})],
)
def merge_collections(*collections: Any) -> dict[str, Any]:
    """One collection of all keys of several; later ones win."""
    merged: dict[str, Any] = {}
    for each in collections:
        merged.update(to_collection(each) if each is not None else {})
    return merged


@function("sortAscNum", [('{{sortAscNum(split("10,9"; ","))}}', ["9", "10"])])
def sort_ascending_numbers(array: Array) -> list[Any]:
    """Sorts by number, numeric texts too; what is no number comes last."""
    return sorted(array, key=lambda each: (as_number(each) is None, as_number(each) or 0))


def _finite(number: Any) -> int | float:
    if not isinstance(number, float) or not math.isfinite(number):
        raise DataError(reason="the result is no number that can be shown")
    return whole(number)
