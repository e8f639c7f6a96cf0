"""Choosing between values, and reading from collections."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from junctor.language.expressions.functions.registry import Many, function, lazy
from junctor.language.expressions.operators import equal_in
from junctor.language.expressions.paths import dig
from junctor.language.expressions.scope import Env, Evaluate, Scope
from junctor.language.values import to_boolean, to_collection, to_text

__all__ = ["equal_values", "get", "if_", "ifempty", "omit", "pick", "switch"]


@function(
    "get",
    [
        ("{{get(1.arr; 1)}}", "a"),
        ('{{get(1.users; "2.name")}}', "alice"),
        ('{{get(1.users; "[1].mail.v")}}', "b@x"),
        ('{{get(1.users; "-1.name")}}', "Cid"),
        ('{{get(1.col; "k2")}}', "v2"),
        ('{{get(1; "missing")}}', None),
    ],
)
def get(object_: Many, path: Any) -> Any:
    """Reads a value by its path: names and 1-based positions, joined by dots. Missing is null."""
    return dig(object_, path)


@lazy(
    "if",
    "if(condition; then; [else])",
    2,
    3,
    [
        ('{{if(1.n > 3; "A"; "B")}}', "A"),
        ("{{if(1.nul; 1; 2)}}", 2),
        ('{{if(false; "yes")}}', None),
        ("{{if(true; 1; parseDate(1.name))}}", 1),
    ],
)
def if_(arguments: list[Evaluate]) -> Evaluate:
    """Gives one value if the condition holds, else the other; only that one is evaluated."""
    condition, then = arguments[0], arguments[1]
    otherwise: Evaluate = arguments[2] if len(arguments) > 2 else (lambda _env: None)

    def choose(env: Env) -> Any:
        x = condition(env)
        holds = x if x.__class__ is bool else to_boolean(x)
        return then(env) if holds else otherwise(env)

    return choose


@lazy(
    "ifempty",
    "ifempty(value; alternative)",
    2,
    2,
    [
        ('{{ifempty(1.empty; "d")}}', "d"),
        ('{{ifempty(1.zero; "d")}}', 0),
        ('{{ifempty(1.f; "d")}}', False),
        ('{{ifempty(1.missing.deep; "d")}}', "d"),
    ],
)
def ifempty(arguments: list[Evaluate]) -> Evaluate:
    """Gives the value, or the alternative if it is null or empty text. 0 and false are kept."""
    value, alternative = arguments

    def choose(env: Env) -> Any:
        x = value(env)
        return alternative(env) if x is None or x == "" else x

    return choose


@lazy(
    "switch",
    "switch(value; case; result; …; [else])",
    2,
    None,
    [
        ('{{switch("B"; "A"; 1; "B"; 2; "C"; 3)}}', 2),
        ('{{switch("Z"; "A"; 1; "B"; 2; 9)}}', 9),
        ('{{switch("Z"; "A"; 1)}}', None),
        ('{{switch(5; "5"; "number")}}', "number"),
    ],
)
def switch(arguments: list[Evaluate]) -> Evaluate:
    """Gives the result after the first case that equals the value, else the last odd argument."""
    value, *rest = arguments
    otherwise: Evaluate = rest.pop() if len(rest) % 2 else (lambda _env: None)
    cases = tuple(zip(rest[::2], rest[1::2], strict=True))

    def choose(env: Env) -> Any:
        x = value(env)
        for case, result in cases:
            if equal_in(x, case(env), env[0].zone if env else UTC):
                return result(env)
        return otherwise(env)

    return choose


@function("pick", [('{{pick(1.col; "k1")}}', {"k1": "v1"}), ('{{pick(1.col; "none")}}', {})])
def pick(collection: Any, *keys: Many) -> dict[str, Any]:
    """Keeps the named keys of a collection."""
    wanted = _names(keys)
    return {key: item for key, item in to_collection(collection).items() if key in wanted}


@function("omit", [('{{omit(1.col; "k1")}}', {"k2": "v2"})])
def omit(collection: Any, *keys: Many) -> dict[str, Any]:
    """Removes the named keys from a collection."""
    unwanted = _names(keys)
    return {key: item for key, item in to_collection(collection).items() if key not in unwanted}


@function("equal", [('{{equal(1.n; "5")}}', True), ('{{equal("a"; "A")}}', False)])
def equal_values(scope: Scope, a: Any, b: Any) -> bool:
    """Whether two values are equal, as the operator ``=``."""
    return equal_in(a, b, scope.zone)


def _names(keys: tuple[Any, ...]) -> set[str]:
    found: set[str] = set()
    for key in keys:
        found.update(to_text(each) for each in (key if isinstance(key, list) else [key]))
    return found
