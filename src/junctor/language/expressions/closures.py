"""The closures that templates are compiled to; `compile` puts them together.

The shapes that matter for speed (a text with one to three expressions, calls with one to three
arguments) have closures of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from junctor.errors import DataError, JunctorError
from junctor.language.expressions.functions.registry import (
    CONVERT,
    FunctionInfo,
    Parameter,
    limited,
)
from junctor.language.expressions.operators import BINARY, ZONED, Binary, Zoned, negate
from junctor.language.expressions.paths import walk
from junctor.language.expressions.scope import Env, Evaluate, constant
from junctor.language.values import ERASE, IGNORE, to_boolean, to_date, to_text

__all__ = [
    "KEYWORD_VALUES",
    "always",
    "applied",
    "chained",
    "constant",
    "converted",
    "failed",
    "folded",
    "guarded",
    "join",
    "logical",
    "unary",
]


def always(value: Any) -> Evaluate:
    """A constant."""

    def evaluate(_env: Env) -> Any:
        return value

    evaluate.constant = True  # type: ignore[attr-defined]  # functions carry attributes
    return evaluate


def folded(evaluate: Evaluate, operands: list[Evaluate]) -> Evaluate:
    """Its value, if it can't change; what fails or is a container is left for the evaluation."""
    if not all(constant(operand) for operand in operands):
        return evaluate
    try:
        value = evaluate([])
    except JunctorError:
        return evaluate
    return evaluate if isinstance(value, list | dict) else always(value)


def join(texts: list[str], parts: list[Evaluate]) -> Evaluate:
    """Texts around parts; there is one text more than parts."""
    match texts, parts:
        case [(only,), ()]:
            return always(only)
        case [(t0, t1), (a,)]:

            def join1(env: Env) -> str:
                x = a(env)
                return f"{t0}{x if x.__class__ is str else to_text(x)}{t1}"

            return join1
        case [(t0, t1, t2), (a, b)]:

            def join2(env: Env) -> str:
                x, y = a(env), b(env)
                return (
                    f"{t0}{x if x.__class__ is str else to_text(x)}"
                    f"{t1}{y if y.__class__ is str else to_text(y)}{t2}"
                )

            return join2
        case [(t0, t1, t2, t3), (a, b, c)]:

            def join3(env: Env) -> str:
                x, y, z = a(env), b(env), c(env)
                return (
                    f"{t0}{x if x.__class__ is str else to_text(x)}"
                    f"{t1}{y if y.__class__ is str else to_text(y)}"
                    f"{t2}{z if z.__class__ is str else to_text(z)}{t3}"
                )

            return join3
    first, pairs = texts[0], tuple(zip(parts, texts[1:], strict=True))

    def joined(env: Env) -> str:
        out = [first]
        for part, text in pairs:
            x = part(env)
            out.append(x if x.__class__ is str else to_text(x))
            out.append(text)
        return "".join(out)

    return joined


_NAME = ("scenario", "name")

KEYWORD_VALUES: dict[str, Evaluate] = {
    **{
        name: always(value)
        for name, value in {
            "null": None,
            "true": True,
            "false": False,
            "emptystring": "",
            "space": " ",
            "tab": "\t",
            "newline": "\n",
            "nbsp": "\u00a0",
            "carriagereturn": "\r",
            "ignore": IGNORE,
            "erase": ERASE,
            "pi": 3.141592653589793,
        }.items()
    },
    "emptyarray": lambda _env: [],
    "now": lambda env: env[0].now(),
    "timestamp": lambda env: int(env[0].now().timestamp()),
    "random": lambda env: env[0].random(),
    "uuid": lambda env: env[0].uuid(),
    "executionId": lambda env: env[0].execution_id,
    "executionID": lambda env: env[0].execution_id,
    "triggerTimestamp": lambda env: env[0].triggered_at or env[0].now(),
    "scenarioID": lambda env: env[0].scenario_id,
    "scenarioName": lambda env: env[0].scenario_name or walk(env[0].variables, _NAME),
    "operationsConsumed": lambda env: env[0].operations(),
}


def unary(operator: str, operand: Evaluate) -> Evaluate:
    """``!`` or ``-`` before a value."""
    evaluate: Evaluate
    if operator == "!":
        evaluate = lambda env: not to_boolean(operand(env))  # noqa: E731  # one of two closures
    else:
        evaluate = lambda env: negate(operand(env))  # noqa: E731  # one of two closures
    return folded(evaluate, [operand])


def chained(first: Evaluate, rest: list[tuple[str, Evaluate]]) -> Evaluate:
    """Arithmetic or comparison from left to right."""
    if len(rest) == 1:
        operator, operand = rest[0]
        operation = BINARY[operator]
        if operator in ZONED:
            return _compared(operation, ZONED[operator], first, operand)
        if constant(operand):
            fixed = operand([])
            return lambda env: operation(first(env), fixed)
        return lambda env: operation(first(env), operand(env))
    steps = tuple((BINARY[operator], ZONED.get(operator), operand) for operator, operand in rest)

    def evaluate(env: Env) -> Any:
        value = first(env)
        for operation, zoned, operand in steps:
            other = operand(env)
            if zoned is not None and (value.__class__ is datetime or other.__class__ is datetime):
                value = zoned(value, other, env[0].zone)
                continue
            value = operation(value, other)
            if value.__class__ is str:
                limited(value)
        return value

    return evaluate


def _compared(operation: Binary, zoned: Zoned, first: Evaluate, operand: Evaluate) -> Evaluate:
    """An operator for which a text beside a date is a date, on the organisation's clock."""

    def evaluate(env: Env) -> Any:
        a, b = first(env), operand(env)
        if a.__class__ is datetime or b.__class__ is datetime:
            return zoned(a, b, env[0].zone)
        return operation(a, b)

    if not constant(operand):
        return evaluate
    fixed = operand([])

    def evaluate_fixed(env: Env) -> Any:
        a = first(env)
        if a.__class__ is datetime:
            return zoned(a, fixed, env[0].zone)
        return operation(a, fixed)

    return evaluate if fixed.__class__ is datetime else evaluate_fixed


def logical(first: Evaluate, rest: list[tuple[str, Evaluate]]) -> Evaluate:
    """``&`` or ``|`` over all operands; it stops as soon as the answer is known."""
    operands = (first, *(operand for _, operand in rest))
    if rest[0][0] == "&":
        return lambda env: all(to_boolean(operand(env)) for operand in operands)
    return lambda env: any(to_boolean(operand(env)) for operand in operands)


def converted(evaluate: Evaluate, parameter: Parameter) -> Evaluate:
    """The argument, converted to what the parameter takes."""
    kind, default = parameter.kind, parameter.default

    def convert(env: Env) -> Any:
        value = evaluate(env)
        if value is None and parameter.optional:
            return default
        return converter(value)

    def convert_text(env: Env) -> Any:
        value = evaluate(env)
        if value.__class__ is str:
            return value
        return default if value is None and parameter.optional else to_text(value)

    def convert_date(env: Env) -> Any:
        value = evaluate(env)
        if value is None or value.__class__ is datetime:
            return value
        return to_date(value, env[0].zone)

    def convert_any(env: Env) -> Any:
        value = evaluate(env)
        return default if value is None else value

    if kind == "date":
        return convert_date
    if kind in {"any", "many"}:
        return evaluate if default is None else convert_any
    converter: Callable[[Any], Any] = CONVERT[kind]
    return folded(convert_text if kind == "text" else convert, [evaluate])


def applied(info: FunctionInfo, operands: list[Evaluate], position: int) -> Evaluate:
    """The call, with a closure for each usual number of arguments."""
    call, name = info.implementation, info.name
    if info.specialize is not None:
        fast = info.specialize(operands)
        if fast is not None:
            return guarded(fast, name, position)
    if info.scoped:
        operands = [lambda env: env[0], *operands]
    match operands:
        case (a,):

            def call1(env: Env) -> Any:
                try:
                    return call(a(env))
                except Exception as error:
                    raise failed(name, error, position) from error

            return call1
        case (a, b):

            def call2(env: Env) -> Any:
                try:
                    return call(a(env), b(env))
                except Exception as error:
                    raise failed(name, error, position) from error

            return call2
        case (a, b, c):

            def call3(env: Env) -> Any:
                try:
                    return call(a(env), b(env), c(env))
                except Exception as error:
                    raise failed(name, error, position) from error

            return call3
        case (a, b, c, d):

            def call4(env: Env) -> Any:
                try:
                    return call(a(env), b(env), c(env), d(env))
                except Exception as error:
                    raise failed(name, error, position) from error

            return call4
    fixed = tuple(operands)
    return guarded(lambda env: call(*[operand(env) for operand in fixed]), name, position)


def guarded(evaluate: Evaluate, name: str, position: int) -> Evaluate:
    """The same, whose errors are ours and name the function."""

    def evaluate_guarded(env: Env) -> Any:
        try:
            return evaluate(env)
        except Exception as error:
            raise failed(name, error, position) from error

    return evaluate_guarded


def failed(name: str, error: Exception, position: int) -> JunctorError:
    """The language's own error for whatever a function raised; the innermost call is named."""
    if isinstance(error, JunctorError):
        if "function" in error.params or not isinstance(error, DataError):
            return error
        reason = error.params.get("reason", error.message)
    elif isinstance(error, RecursionError):
        reason = "the value is nested too deeply"
    else:
        reason = str(error) or error.__class__.__name__
    return DataError(reason=f"{name}: {reason}", function=name, position=position)
