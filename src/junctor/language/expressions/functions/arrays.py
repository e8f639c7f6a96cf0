"""Arrays and collections."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from junctor.errors import DataError
from junctor.language.expressions.functions.registry import (
    Array,
    Many,
    Number,
    Text,
    check_length,
    function,
)
from junctor.language.expressions.operators import equal
from junctor.language.expressions.paths import dig
from junctor.language.expressions.scope import Scope
from junctor.language.values import show, to_collection, to_text

__all__ = [
    "add",
    "array_diff",
    "array_intersect",
    "deduplicate",
    "distinct",
    "first",
    "flatten",
    "join",
    "keys",
    "last",
    "map_",
    "merge",
    "remove",
    "reverse",
    "shuffle",
    "slice_",
    "sort",
    "to_array_of_pairs",
    "to_collection_of_pairs",
]


@function(
    "map",
    [
        ('{{map(1.users; "name")}}', ["Bob", "alice", "Cid"]),
        ('{{map(1.users; "mail.v"; "mail.label"; "Work")}}', ["b@x", "c@x"]),
        ('{{map(1.users; "name"; "mail.label"; "Work,Home")}}', ["Bob", "alice", "Cid"]),
        ('{{map(1.users[].mail; "v")}}', ["b@x", "a@x", "c@x"]),
        ('{{map(1.nul; "a")}}', []),
    ],
)
def map_(array: Array, key: Any, filter_key: Any = None, values: Any = None) -> list[Any]:
    """Takes one value of each item; with a filter, only of items whose value is listed."""
    if filter_key is None:
        return [dig(item, key) for item in array]
    listed = values if isinstance(values, list) else to_text(values).split(",")
    wanted = {to_text(each) for each in listed}
    wanted |= {each.strip() for each in wanted}
    return [dig(item, key) for item in array if to_text(dig(item, filter_key)) in wanted]


@function("first", [("{{first(1.arr)}}", "a"), ("{{first(1.nul)}}", None), ("{{first(1.n)}}", 5)])
def first(array: Array) -> Any:
    """The first item; null if there is none."""
    return array[0] if array else None


@function("last", [("{{last(1.arr)}}", "c"), ("{{last(emptyarray)}}", None)])
def last(array: Array) -> Any:
    """The last item; null if there is none."""
    return array[-1] if array else None


@function(
    "join",
    [
        ('{{join(1.arr; ", ")}}', "a, b, c"),
        ('{{join(1.arr; """,""")}}', 'a","b","c'),
        ('{{join(1.users[].name; "/")}}', "Bob/alice/Cid"),
    ],
)
def join(array: Array, separator: Text = "") -> str:
    """One text of all items, the separator between them."""
    texts = [to_text(each) for each in array]
    check_length(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


@function("keys", [("{{keys(1.col)}}", ["k1", "k2"]), ("{{keys(1.arr)}}", [1, 2, 3])])
def keys(value: Many) -> list[Any]:
    """The keys of a collection, or the positions of an array."""
    if isinstance(value, list):
        return list(range(1, len(value) + 1))
    return [] if value is None else list(to_collection(value))


@function("add", [('{{add(1.arr; "d"; "e")}}', ["a", "b", "c", "d", "e"])])
def add(array: Array, *values: Any) -> list[Any]:
    """Puts values at the end of an array."""
    return [*array, *values]


@function("remove", [('{{remove(1.dup; "x")}}', ["y"])])
def remove(array: Array, *values: Any) -> list[Any]:
    """Takes the given values out of an array."""
    return [each for each in array if not any(equal(each, value) for value in values)]


@function("merge", [("{{merge(1.arr; 1.nums)}}", ["a", "b", "c", 4, 1, 3])])
def merge(*arrays: Array) -> list[Any]:
    """One array of all the items of several."""
    return [each for array in arrays for each in array]


@function("reverse", [("{{reverse(1.arr)}}", ["c", "b", "a"])])
def reverse(array: Array) -> list[Any]:
    """The items from last to first."""
    return array[::-1]


@function(
    "slice",
    [
        ("{{slice(1.arr; 1)}}", ["b", "c"]),
        ("{{slice(1.arr; 0; 2)}}", ["a", "b"]),
        ("{{slice(1.arr; -1)}}", ["c"]),
    ],
)
def slice_(array: Array, start: Number = 0, end: Number | None = None) -> list[Any]:
    """The items from start up to, not including, end; both count from 0, or from the end."""
    return array[int(start) : None if end is None else int(end)]


@function(
    "deduplicate",
    [("{{deduplicate(1.dup)}}", ["x", "y"]), ("{{deduplicate(1.arr)}}", ["a", "b", "c"])],
)
def deduplicate(array: Array) -> list[Any]:
    """Keeps the first of equal items."""
    return _unique(array, array)


@function(
    "distinct",
    [
        ("{{distinct(1.dup)}}", ["x", "y"]),
        ('{{map(distinct(1.users; "mail.label"); "name")}}', ["Bob", "alice"]),
    ],
)
def distinct(array: Array, key: Any = None) -> list[Any]:
    """Keeps the first of the items that are equal, or equal in one value."""
    return _unique(array, array if key is None else [dig(each, key) for each in array])


@function(
    "flatten",
    [
        ("{{flatten(1.nest; 1)}}", ["a", "b", ["c"]]),
        ("{{flatten(1.nest; 2)}}", ["a", "b", "c"]),
        ("{{flatten(1.nest)}}", ["a", "b", ["c"]]),
    ],
)
def flatten(array: Array, depth: Number = 1) -> list[Any]:
    """Puts the items of inner arrays in place of them, one level deep unless said otherwise."""
    for _ in range(min(int(depth), 100)):
        if not any(isinstance(each, list) for each in array):
            break
        array = [inner for each in array for inner in (each if isinstance(each, list) else [each])]
    return list(array)


@function(
    "sort",
    [
        ("{{sort(1.nums)}}", [1, 3, 4]),
        ('{{sort(1.nums; "desc")}}', [4, 3, 1]),
        ('{{map(sort(1.users; "asc ci"; "name"); "name")}}', ["alice", "Bob", "Cid"]),
        ('{{map(sort(1.users; "asc"; "name"); "name")}}', ["Bob", "Cid", "alice"]),
        ('{{map(sort(1.users; "age"); "age")}}', [5, 9, 30]),
        ('{{map(sort(1.users; "desc"; "mail.label"); "name")}}', ["Bob", "Cid", "alice"]),
    ],
)
def sort(array: Array, order: Text = "asc", key: Any = None) -> list[Any]:
    """Sorts by size or alphabet: ``asc``, ``desc``, ``asc ci``, ``desc ci`` (ci: A beside a).

    Equal items stay in their order. Of several types, null comes first, then booleans, numbers,
    dates, texts and the rest by its text.
    """
    words = order.lower().split()
    if key is None and set(words) - {"asc", "desc", "ci"}:
        order, key, words = "asc", order, ["asc"]
    if not words or set(words) - {"asc", "desc", "ci"}:
        raise DataError(reason=f"{show(order)} is no order; use asc, desc, asc ci or desc ci")
    ignore_case = "ci" in words
    picked = array if key is None else [dig(each, key) for each in array]
    places = sorted(
        range(len(array)),
        key=lambda place: _rank(picked[place], ignore_case),
        reverse="desc" in words,
    )
    return [array[place] for place in places]


@function("shuffle", [("{{length(shuffle(1.arr))}}", 3)], impure=True)
def shuffle(scope: Scope, array: Array) -> list[Any]:
    """The items in a random order."""
    mixed = list(array)
    for place in range(len(mixed) - 1, 0, -1):
        other = int(scope.random() * (place + 1))
        mixed[place], mixed[other] = mixed[other], mixed[place]
    return mixed


@function(
    "toArray",
    [("{{toArray(1.col)}}", [{"key": "k1", "value": "v1"}, {"key": "k2", "value": "v2"}])],
)
def to_array_of_pairs(collection: Any) -> list[Any]:
    """A collection as an array of its keys and values."""
    if collection is None or isinstance(collection, list):
        return collection or []
    return [{"key": key, "value": item} for key, item in to_collection(collection).items()]


@function("toCollection", [('{{toCollection(1.kv; "key"; "value")}}', {"a": 1, "b": 2})])
def to_collection_of_pairs(array: Array, key: Any, value: Any) -> dict[str, Any]:
    """A collection made of an array: from each item one value is the key, another the value."""
    return {to_text(dig(each, key)): dig(each, value) for each in array}


@function("arrayDiff", [('{{arrayDiff(1.arr; split("a,c"; ","))}}', ["b"])])
def array_diff(array: Array, other: Array) -> list[Any]:
    """The items that the other array doesn't have."""
    there = {_identity(each) for each in other}
    return [each for each in array if _identity(each) not in there]


@function("arrayIntersect", [('{{arrayIntersect(1.arr; split("c,a"; ","))}}', ["a", "c"])])
def array_intersect(array: Array, other: Array) -> list[Any]:
    """The items that both arrays have."""
    there = {_identity(each) for each in other}
    return [each for each in array if _identity(each) in there]


def _identity(value: Any) -> tuple[str, Any]:
    """What makes items equal: type and value; containers by their text."""
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, int | float):
        return "number", value
    if isinstance(value, list | dict):
        return "container", to_text([value])
    return value.__class__.__name__, value


def _unique(array: list[Any], by: list[Any]) -> list[Any]:
    seen: set[tuple[str, Any]] = set()
    kept = []
    for each, value in zip(array, by, strict=True):
        identity = _identity(value)
        if identity not in seen:
            seen.add(identity)
            kept.append(each)
    return kept


def _rank(value: Any, ignore_case: bool) -> tuple[int, Any, str]:
    """Nulls first, then booleans, numbers, dates, texts, the rest by its text."""
    if value is None:
        return 0, 0, ""
    if isinstance(value, bool):
        return 1, value, ""
    if isinstance(value, int | float):
        return 2, value, ""
    if isinstance(value, datetime):
        return 3, value, ""
    text = to_text(value) if not isinstance(value, bytes) else value.hex()
    return 4, text.lower() if ignore_case else text, text if ignore_case else ""
