"""Whole mappings: any JSON value whose texts are templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from junctor.errors import BundleInvalid, ExpressionError, JunctorError
from junctor.language.expressions.closures import always, constant
from junctor.language.expressions.compile import compile_template
from junctor.language.expressions.functions.registry import FUNCTIONS
from junctor.language.expressions.nodes import Call, Chain, Empty, Keyword, Path, Unary
from junctor.language.expressions.parse import parse
from junctor.language.expressions.scope import Env, Evaluate
from junctor.language.values import IGNORE

__all__ = ["Uses", "compile_value", "uses"]

MAX_NESTING = 100
"""Levels of objects and lists in a mapping."""


def compile_value(value: Any, slots: Mapping[int, int], field: str = "") -> Evaluate:
    """The compiled mapping of any JSON value; each evaluation makes fresh containers.

    Entries that evaluate to ``ignore`` are left out. Evaluating raises `BundleInvalid` ("Failed to
    map 'items[2].name': …") with the field's path; compiling raises `ExpressionError` with the
    same in ``field``.
    """
    leaves: list[tuple[str, Evaluate]] = []
    evaluate = _compile(value, slots, field, 0, leaves)
    if not leaves:
        return evaluate

    def mapped(env: Env) -> Any:
        try:
            return evaluate(env)
        except Exception as error:
            raise _located(leaves, env, error) from error

    return mapped


def _located(leaves: list[tuple[str, Evaluate]], env: Env, error: Exception) -> JunctorError:
    """Which text could not be mapped, and why: asked only once one could not, as asking each one at
    each bundle is what a mapping's time would go into.
    """
    for field, evaluate in leaves:
        try:
            evaluate(env)
        except Exception as again:
            return invalid(field, again)
    return invalid(leaves[0][0], error)


def _compile(
    value: Any,
    slots: Mapping[int, int],
    field: str,
    depth: int,
    leaves: list[tuple[str, Evaluate]],
) -> Evaluate:
    if depth > MAX_NESTING:
        raise ExpressionError(
            f"The mapping is nested deeper than {MAX_NESTING} levels at '{field[:100]}'.",
            field=field,
            position=0,
            found="",
            expected="less nesting",
        )
    if isinstance(value, str):
        return _compile_text(value, slots, field, leaves)
    if isinstance(value, Mapping):
        return _collection(
            {
                str(key): _compile(
                    item, slots, f"{field}.{key}" if field else str(key), depth + 1, leaves
                )
                for key, item in value.items()
            }
        )
    if isinstance(value, list | tuple):
        return _array(
            [
                _compile(item, slots, f"{field}[{index + 1}]", depth + 1, leaves)
                for index, item in enumerate(value)
            ]
        )
    return always(value)


def _compile_text(
    text: str, slots: Mapping[int, int], field: str, leaves: list[tuple[str, Evaluate]]
) -> Evaluate:
    try:
        evaluate = compile_template(text, slots)
    except ExpressionError as error:
        raise unreadable(field, error) from error
    if not constant(evaluate):
        leaves.append((field, evaluate))
    return evaluate


def unreadable(field: str, error: ExpressionError) -> ExpressionError:
    """The error of a template that can't be compiled, with the field it stands in."""
    return ExpressionError(
        f"Failed to map '{field}': {error.message}" if field else error.message,
        **{**error.params, "field": field},
    )


_WHERE = ("function", "position")


def invalid(field: str, error: Exception) -> JunctorError:
    """The `BundleInvalid` that says which field could not be mapped, and why."""
    if isinstance(error, BundleInvalid):
        return error
    if isinstance(error, JunctorError):
        reason = str(error.params.get("reason", error.message))
        where = {key: error.params[key] for key in _WHERE if key in error.params}
        return BundleInvalid(field=field, reason=reason, **where)
    return BundleInvalid(field=field, reason=str(error) or error.__class__.__name__)


def _collection(entries: dict[str, Evaluate]) -> Evaluate:
    fixed: dict[str, Any] = {}
    moving: list[tuple[str, Evaluate]] = []
    for key, each in entries.items():
        value = each([]) if _scalar(each) else None
        if value is not IGNORE:
            fixed[key] = value
        if not _scalar(each):
            moving.append((key, each))
    if not moving:
        return _copies(fixed)

    def collection(env: Env) -> dict[str, Any]:
        out = fixed.copy()  # keeps the order of the keys
        for key, evaluate in moving:
            value = evaluate(env)
            if value is IGNORE:
                del out[key]
            else:
                out[key] = value
        return out

    return _marked(collection, entries.values())


def _array(items: list[Evaluate]) -> Evaluate:
    if all(_scalar(each) for each in items):
        return _copies([each([]) for each in items])

    def array(env: Env) -> list[Any]:
        return [value for each in items if (value := each(env)) is not IGNORE]

    return _marked(array, items)


def _copies(value: dict[str, Any] | list[Any]) -> Evaluate:
    """A constant container, new each time."""
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if item is not IGNORE}
    else:
        value = [item for item in value if item is not IGNORE]
    copy = value.copy

    def copied(_env: Env) -> Any:
        return copy()

    return _marked(copied, ())


def _scalar(evaluate: Evaluate) -> bool:
    return constant(evaluate) and not getattr(evaluate, "container", False)


def _marked(evaluate: Evaluate, parts: Any) -> Evaluate:
    evaluate.container = True  # type: ignore[attr-defined]  # functions carry attributes
    evaluate.constant = all(constant(each) for each in parts)  # type: ignore[attr-defined]  # so too
    return evaluate


@dataclass(frozen=True, slots=True)
class Uses:
    """What a mapping looks at."""

    modules: frozenset[int] = frozenset()
    variables: bool = False
    functions: frozenset[str] = frozenset()
    random: bool = False
    """Whether it looks at the run's clock, randomness or new ids."""
    error: bool = False
    """Whether it reads ``error`` alone, which only an error handler has (`scope.FAILED`)."""


_MOVING = {"now", "timestamp", "random", "uuid", "triggerTimestamp"}


def uses(value: Any) -> Uses:
    """What a template, or any JSON value of templates, looks at; raises `ExpressionError`."""
    modules: set[int] = set()
    functions: set[str] = set()
    variables = random = error = False
    todo: list[Any] = [value]
    while todo:
        match todo.pop():
            case str() as text:
                todo.extend(part for part in parse(text).parts if not isinstance(part, str))
            case Mapping() as mapping:
                todo.extend(mapping.values())
            case list() | tuple() as items:
                todo.extend(items)
            case Path(root, steps):
                if isinstance(root, int):
                    modules.add(root)
                elif isinstance(root, str):
                    variables = variables or root == "var"
                    error = error or root == "error"
                else:
                    todo.append(root)
                todo.extend(step.to for step in steps if not isinstance(step.to, str))
            case Keyword(name):
                random = random or name in _MOVING
                variables = variables or name == "scenarioName"
            case Call(name, arguments):
                functions.add(name)
                random = random or (name in FUNCTIONS and FUNCTIONS[name].impure)
                todo.extend(each for each in arguments if not isinstance(each, Empty))
            case Unary(_, operand):
                todo.append(operand)
            case Chain(_, first, rest):
                todo.extend((first, *(operand for _, operand in rest)))
    return Uses(frozenset(modules), variables, frozenset(functions), random, error)
