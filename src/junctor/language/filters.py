"""The operators of filters, and filters compiled to one predicate.

A filter is an "or" of "and"s. The operator decides how both sides are converted; what can't be
converted makes a comparison false, never an error (Make stops no scenario over it).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any

from junctor.errors import DataError, ExpressionError
from junctor.language.expressions.closures import constant
from junctor.language.expressions.compile import compile_argument
from junctor.language.expressions.functions.patterns import parse_literal, search
from junctor.language.expressions.mapping import compile_value, invalid, unreadable
from junctor.language.expressions.operators import equal
from junctor.language.expressions.scope import Env, Evaluate
from junctor.language.scenario import Condition, Filter
from junctor.language.values import as_number, to_boolean, to_date, to_text

__all__ = ["OPERATORS", "OperatorInfo", "compile_filter"]

Test = Callable[[Any, Any, tzinfo], bool]


@dataclass(frozen=True, slots=True)
class OperatorInfo:
    """One operator: its name in blueprints, its label, and what it does."""

    name: str
    label: str
    test: Test
    unary: bool = False
    lists: bool = False
    """Whether a list path on the left gives its whole list."""
    invented: bool = False
    """Whether no export of Make holds it, only blueprints that language models wrote."""


OPERATORS: dict[str, OperatorInfo] = {}
"""Every operator by its name in blueprints."""


def compile_filter(filter: Filter, slots: Mapping[int, int]) -> Evaluate:  # noqa: A002  # its name
    """The filter as a predicate over ``env``; without groups it always passes.

    Raises `ExpressionError` for wrong templates and unknown operators; evaluating raises
    `BundleInvalid` that names the condition, if an expression in it fails.
    """
    groups = tuple(
        tuple(
            _compile(condition, slots, f"filter[{number}][{place}]")
            for place, condition in enumerate(group, 1)
        )
        for number, group in enumerate(filter.groups, 1)
    )
    match groups:
        case ():
            return lambda _env: True
        case ((only,),):
            return only
        case (group,):
            return lambda env: all(condition(env) for condition in group)

    def passes(env: Env) -> bool:
        return any(all(condition(env) for condition in group) for group in groups)

    return passes


def operator_named(name: str) -> OperatorInfo:
    """The operator of that name; `ExpressionError` if there is none."""
    found = OPERATORS.get(name)
    if found is not None:
        return found
    import difflib  # noqa: PLC0415  # only when something went wrong

    near = difflib.get_close_matches(name, OPERATORS, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise ExpressionError(
        f"Filter operator '{name}' not found!{hint}",
        position=0,
        found=name,
        expected=near[0] if near else "an operator",
        name=name,
        suggestion=near[0] if near else "",
    )


def _compile(condition: Condition, slots: Mapping[int, int], field: str) -> Evaluate:
    operator = operator_named(condition.operator)
    test = operator.test
    left = _side(condition.a, slots, f"{field}.a", lists=operator.lists)
    unary = operator.unary
    right = (lambda _env: None) if unary else _side(condition.b, slots, f"{field}.b", lists=False)
    if not unary and operator.name.startswith("number:") and constant(right):
        number = as_number(right([]))  # read once, not for every bundle
        if number is not None:
            right = lambda _env: number  # noqa: E731  # typed as the other

    def holds(env: Env) -> bool:
        a, b = left(env), right(env)
        try:
            return test(a, b, env[0].zone)
        except Exception as error:
            raise invalid(field, error) from error

    return holds


def _side(value: Any, slots: Mapping[int, int], field: str, *, lists: bool) -> Evaluate:
    if not (lists and isinstance(value, str)):
        return compile_value(value, slots, field)
    try:
        evaluate = compile_argument(value, slots)
    except ExpressionError as error:
        raise unreadable(field, error) from error

    def mapped(env: Env) -> Any:
        try:
            return evaluate(env)
        except Exception as error:
            raise invalid(field, error) from error

    return mapped


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return to_text(value)


def _pattern(a: str, b: str) -> bool:
    pattern, flags = parse_literal(b) or (b, "")
    return search(pattern, flags, a)


def _pattern_any_case(a: str, b: str) -> bool:
    pattern, flags = parse_literal(b) or (b, "")
    return search(pattern, flags + "i", a)


def _date(value: Any, zone: tzinfo) -> datetime | None:
    try:
        return None if value is None else to_date(value, zone)
    except DataError:
        return None


_TIME = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?(?:\.\d+)?", re.ASCII)


def _time(value: Any, zone: tzinfo) -> int | None:
    """Seconds since midnight, of ``h:mm[:ss]`` or of a date on the clock of ``zone``."""
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is not None:
        return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3] or 0)
    date = _date(value, zone)
    if date is None:
        return None
    local = date.astimezone(zone)
    return local.hour * 3600 + local.minute * 60 + local.second


_SEMVER = re.compile(
    r"[v=]?(\d{1,15})(?:\.(\d{1,15}))?(?:\.(\d{1,15}))?(?:-([0-9A-Za-z.-]+))?(?:\+.*)?", re.ASCII
)


def _semver(value: Any, _zone: tzinfo) -> tuple[Any, ...] | None:
    """A version in the order of semver.org: a pre-release comes before its release."""
    match = _SEMVER.fullmatch(_text(value).strip()) if value is not None else None
    if match is None:
        return None
    marks = tuple(
        (0, int(mark), "") if mark.isdigit() and len(mark) < 16 else (1, 0, mark)
        for mark in (match[4] or "").split(".")
    )
    release = match[4] is None
    return int(match[1]), int(match[2] or 0), int(match[3] or 0), release, () if release else marks


def _number(value: Any, _zone: tzinfo) -> int | float | None:
    return as_number(value)


def _length(value: Any, _zone: tzinfo) -> int:
    if value is None:
        return 0
    return len(value) if isinstance(value, list | dict) else 1


def _has(array: Any, value: Any) -> bool:
    items = array if isinstance(array, list) else [] if array is None else [array]
    return any(equal(item, value) for item in items)


def _has_any_case(array: Any, value: Any) -> bool:
    items = array if isinstance(array, list) else [] if array is None else [array]
    wanted = _text(value).lower()
    return any(_text(item).lower() == wanted for item in items)


_TEXT_TESTS: dict[str, tuple[str, Callable[[str, str], bool]]] = {
    "equal": ("equal to", lambda a, b: a == b),
    "contain": ("contains", lambda a, b: b in a),
    "startwith": ("starts with", lambda a, b: a.startswith(b)),
    "endwith": ("ends with", lambda a, b: a.endswith(b)),
}
_ORDER_TESTS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "equal": ("equal to", lambda a, b: a == b),
    "greater": ("greater than", lambda a, b: a > b),
    "less": ("less than", lambda a, b: a < b),
    "greaterorequal": ("greater than or equal to", lambda a, b: a >= b),
    "lessorequal": ("less than or equal to", lambda a, b: a <= b),
}
Convert = Callable[[Any, tzinfo], Any]


def _add(name: str, label: str, test: Test, *, unary: bool = False, lists: bool = False) -> None:
    OPERATORS[name] = OperatorInfo(name=name, label=label, test=test, unary=unary, lists=lists)


def _add_both(
    group: str, verb: str, label: str, test: Test, *, ending: str = "", lists: bool = False
) -> None:
    """An operator and its opposite."""
    _add(f"{group}:{verb}{ending}", label, test, lists=lists)
    opposite: Test = lambda a, b, zone: not test(a, b, zone)  # noqa: E731  # typed as the others
    _add(f"{group}:not{verb}{ending}", f"not {label}", opposite, lists=lists)


def _texts(compare: Callable[[str, str], bool]) -> Test:
    return lambda a, b, _zone: compare(_text(a), _text(b))


def _texts_any_case(compare: Callable[[str, str], bool]) -> Test:
    return lambda a, b, _zone: compare(_text(a).lower(), _text(b).lower())


def _ordered(left: Convert, right: Convert, compare: Callable[[Any, Any], bool]) -> Test:
    def test(a: Any, b: Any, zone: tzinfo) -> bool:
        x, y = left(a, zone), right(b, zone)
        return x is not None and y is not None and compare(x, y)

    return test


def _fill() -> None:
    any_case = " (case insensitive)"
    _add("exist", "exists", lambda a, _b, _zone: a is not None, unary=True)
    _add("notexist", "does not exist", lambda a, _b, _zone: a is None, unary=True)
    for verb, (label, compare) in _TEXT_TESTS.items():
        _add_both("text", verb, label, _texts(compare))
        _add_both("text", verb, label + any_case, _texts_any_case(compare), ending=":ci")
    _add_both("text", "pattern", "matches the pattern", _texts(_pattern))
    _add_both(
        "text", "pattern", "matches the pattern" + any_case, _texts(_pattern_any_case), ending=":ci"
    )
    groups: dict[str, tuple[Convert, Convert]] = {
        "number": (_number, _number),
        "date": (_date, _date),
        "time": (_time, _time),
        "semver": (_semver, _semver),
        "array": (_length, _number),
    }
    for group, (left, right) in groups.items():
        for verb, (label, compare) in _ORDER_TESTS.items():
            test = _ordered(left, right, compare)
            shown = f"length {label}" if group == "array" else label
            if verb == "equal":
                _add_both(group, verb, shown, test, lists=group == "array")
            else:
                _add(f"{group}:{verb}", shown, test, lists=group == "array")
    _add_both("array", "contain", "contains", lambda a, b, _zone: _has(a, b), lists=True)
    _add_both(
        "array",
        "contain",
        "contains" + any_case,
        lambda a, b, _zone: _has_any_case(a, b),
        ending=":ci",
        lists=True,
    )
    _add_both("boolean", "equal", "equal to", lambda a, b, _zone: to_boolean(a) == to_boolean(b))
    _add("text:isempty", "is empty", lambda a, _b, _zone: _text(a) == "", unary=True)
    _add("text:isnotempty", "is not empty", lambda a, _b, _zone: _text(a) != "", unary=True)
    OPERATORS["string:equal"] = replace(OPERATORS["text:equal"], name="string:equal")
    for name in ("text:isempty", "text:isnotempty", "string:equal"):
        OPERATORS[name] = replace(OPERATORS[name], invented=True)


_fill()
