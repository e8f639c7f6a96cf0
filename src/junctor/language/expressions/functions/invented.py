"""Functions that no dialect has, but that blueprints written by language models call.

They do what their names promise, so that such a blueprint runs; the check warns of each.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from junctor.errors import DataError
from junctor.language.expressions.functions.binary import create_json, parse_json
from junctor.language.expressions.functions.calendar import date_difference
from junctor.language.expressions.functions.fusion import div, prod, sub
from junctor.language.expressions.functions.registry import (
    Array,
    Many,
    Text,
    alias,
    function,
    lazy,
)
from junctor.language.expressions.functions.text import encode_url
from junctor.language.expressions.operators import BINARY, at_least, equal
from junctor.language.expressions.paths import dig
from junctor.language.expressions.scope import Env, Evaluate
from junctor.language.values import show, to_boolean, to_text

__all__ = ["escape_json"]

invented = partial(function, origin="invented")


@invented(
    "escapeJSON",
    [("{{escapeJSON('say \"hi\"')}}", 'say \\"hi\\"'), ("{{escapeJSON(newline)}}", "\\n")],
    instead='a module that makes JSON, or replace(text; newline; "\\n")',
)
def escape_json(text: Text) -> str:
    """Escapes a text to stand between quotes in JSON."""
    return create_json(text)[1:-1]


@invented("empty", [("{{empty(1.nul)}}", True), ("{{empty(1.arr)}}", False)])
def empty(value: Many) -> bool:
    """Whether a value is null, an empty text, array or collection."""
    return value is None or value in ("", [], {})


@invented("exists", [("{{exists(1.nul)}}", False), ("{{exists(1.empty)}}", True)])
def exists(value: Any) -> bool:
    """Whether there is a value, even an empty one."""
    return value is not None


@invented(
    "filter",
    [
        ('{{length(filter(1.users; "age"; ">="; 9))}}', 2),
        ('{{map(filter(1.users; "age"; ">="; 9; "<"; 30); "name")}}', ["Cid"]),
        ('{{map(filter(1.users; "mail.label"; "Home"); "name")}}', ["alice"]),
        ('{{filter(1.arr; ""; "!="; "b")}}', ["a", "c"]),
    ],
    instead='map(array; key; key; "value"), or an iterator with a filter',
)
def filter_(array: Array, key: Any, *conditions: Any) -> list[Any]:
    """The items whose value at ``key`` equals a value, or meets every pair of operator and value.

    Without a condition: those that have such a value. An empty key stands for the item itself.
    """
    picked = [(each, each if key is None or key == "" else dig(each, key)) for each in array]
    if not conditions:
        return [each for each, value in picked if value is not None and value != ""]
    if len(conditions) == 1:
        return [each for each, value in picked if equal(value, conditions[0])]
    if len(conditions) % 2:
        raise DataError(reason="an operator has no value after it")
    tests = [
        (_comparison(operator), wanted)
        for operator, wanted in zip(conditions[::2], conditions[1::2], strict=True)
    ]
    return [each for each, value in picked if all(test(value, wanted) for test, wanted in tests)]


_COMPARISONS = {
    **{name: BINARY[name] for name in ("=", "!=", "<", "<=", ">", ">=")},
    "==": BINARY["="],
    "===": BINARY["="],
    "!==": BINARY["!="],
}


def _comparison(operator: Any) -> Any:
    found = _COMPARISONS.get(to_text(operator).strip())
    if found is None:
        known = " ".join(_COMPARISONS)
        raise DataError(reason=f"{show(operator)} is no comparison; use one of {known}")
    return found


@invented("greaterOrEqual", [("{{greaterOrEqual(1.n; 5)}}", True)], instead="a >= b")
def greater_or_equal(a: Any, b: Any) -> bool:
    """Whether the first value is the second or larger, as the operator ``>=``."""
    return at_least(a, b)


@lazy(
    "or",
    "or(condition; …)",
    1,
    None,
    [("{{or(1.f; 1.n > 3)}}", True), ("{{or(1.f; 1.nul)}}", False)],
    origin="invented",
    instead="a | b",
)
def or_(arguments: list[Evaluate]) -> Evaluate:
    """Whether any of the conditions holds, as the operator ``|``."""

    def holds(env: Env) -> bool:
        return any(to_boolean(each(env)) for each in arguments)

    return holds


@lazy(
    "and",
    "and(condition; …)",
    1,
    None,
    [("{{and(true; 1.n > 3)}}", True), ("{{and(true; 1.nul)}}", False)],
    origin="invented",
    instead="a & b",
)
def and_(arguments: list[Evaluate]) -> Evaluate:
    """Whether all of the conditions hold, as the operator ``&``."""

    def holds(env: Env) -> bool:
        return all(to_boolean(each(env)) for each in arguments)

    return holds


@invented("not", [("{{not(1.f)}}", True)], instead="!a")
def not_(condition: Any) -> bool:
    """Whether the condition does not hold, as the operator ``!``."""
    return not to_boolean(condition)


@invented(
    "collection",
    [
        ('{{collection("a"; 1; "b"; 1.arr)}}', {"a": 1, "b": ["a", "b", "c"]}),
        ('{{createJSON({"a": 1, "b": [1.n]})}}', '{"a":1,"b":[5]}'),
    ],
    instead="a module that makes JSON",
)
def collection(*names_and_values: Any) -> dict[str, Any]:
    """A collection of names and their values; ``{"name": value}`` is read as this."""
    if len(names_and_values) % 2:
        raise DataError(reason="a name has no value after it")
    names = map(to_text, names_and_values[::2])
    return dict(zip(names, names_and_values[1::2], strict=True))


@invented(
    "array",
    [("{{array(1; 1.name)}}", [1, "Ann"]), ("{{array()}}", [])],
    instead="add(emptyarray; item; …)",
)
def array_(*items: Any) -> list[Any]:
    """An array of the given items; ``[item, item]`` is read as this."""
    return list(items)


alias("stringify", create_json, [("{{stringify(1.arr)}}", '["a","b","c"]')])
alias("toJSON", create_json, [("{{toJSON(1.col)}}", '{"k1":"v1","k2":"v2"}')])
alias("JSON.stringify", create_json, [("{{JSON.stringify(1.name)}}", '"Ann"')])
alias("JSON.parse", parse_json, [("{{JSON.parse('[1]')}}", [1])])
alias("urlEncode", encode_url, [('{{urlEncode("a b")}}', "a%20b")])
alias("subtract", sub, [("{{subtract(5; 3)}}", 2)])
alias("multiply", prod, [("{{multiply(2; 3)}}", 6)])
alias("divide", div, [("{{divide(6; 4)}}", 1.5)])
alias("dateDiff", date_difference, [('{{dateDiff("2015-08-10"; "2015-08-07"; "days")}}', 3)])
