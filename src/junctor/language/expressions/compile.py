"""Turns syntax trees into closures over ``env``: no eval, nothing parsed twice.

What doesn't look at ``env`` is evaluated once, here; the closures themselves are in `closures`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from junctor.errors import ExpressionError
from junctor.language.expressions.closures import (
    KEYWORD_VALUES,
    always,
    applied,
    chained,
    constant,
    converted,
    folded,
    guarded,
    join,
    logical,
    unary,
)
from junctor.language.expressions.functions.registry import (
    FUNCTIONS,
    FunctionInfo,
    Parameter,
)
from junctor.language.expressions.nearest import unknown_function, unknown_name
from junctor.language.expressions.nodes import (
    Argument,
    Call,
    Chain,
    Empty,
    Expression,
    Keyword,
    Literal,
    Path,
    Template,
    Unary,
)
from junctor.language.expressions.parse import parse
from junctor.language.expressions.paths import Steps, as_step, collect, walk
from junctor.language.expressions.scope import FAILED, Env, Evaluate
from junctor.language.values import to_text

__all__ = ["compile_argument", "compile_parsed", "compile_template", "constant"]

Slots = Mapping[int, int]
_ERROR = ("error",)


def compile_template(text: str, slots: Slots) -> Evaluate:
    """The compiled template; ``slots`` says where in ``env`` each module's bundle is.

    A text that is one expression keeps its value's type; anything else is text. A module without a
    slot is null; ``slots[FAILED]`` is that of the module whose error handler this stands in. Raises
    `ExpressionError` for syntax, unknown functions and unknown names.
    """
    if "{{" not in text:
        return always(text)
    return compile_parsed(parse(text), slots)


def compile_argument(text: str, slots: Slots) -> Evaluate:
    """As `compile_template`, but a text that is one list path gives the whole list."""
    template = parse(text)
    match template.parts:
        case (Path() as path,):
            return _list_path(path, slots) if path.is_list else _path(path, slots)
    return compile_parsed(template, slots)


def compile_parsed(template: Template, slots: Slots) -> Evaluate:
    """The compiled form of a parsed template."""
    match template.parts:
        case ():
            return always("")
        case (str() as text,):
            return always(text)
        case (part,):
            assert not isinstance(part, str)
            return _compile(part, slots)
    texts: list[str] = [""]
    parts: list[Evaluate] = []
    for part in template.parts:
        if isinstance(part, str):
            texts[-1] += part
            continue
        evaluate = _compile(part, slots)
        if constant(evaluate):
            texts[-1] += to_text(evaluate([]))
        else:
            parts.append(evaluate)
            texts.append("")
    return join(texts, parts)


def _compile(node: Expression, slots: Slots) -> Evaluate:
    match node:
        case Literal(value):
            return always(value)
        case Keyword(name):
            return KEYWORD_VALUES[name]
        case Path():
            return _path(node, slots)
        case Call():
            return _call(node, slots)
        case Unary(operator, operand):
            return unary(operator, _compile(operand, slots))
        case Chain(level, first, rest):
            start = _compile(first, slots)
            steps = [(operator, _compile(operand, slots)) for operator, operand in rest]
            evaluate = logical(start, steps) if level <= 2 else chained(start, steps)
            return folded(evaluate, [start, *(operand for _, operand in steps)])


def _fixed(path: Path) -> Steps | None:
    """The steps, if none is computed."""
    steps = tuple([step.to for step in path.steps])
    return steps if all(step is None or isinstance(step, str | int) for step in steps) else None  # type: ignore[return-value]  # just tested


def _computed(path: Path, slots: Slots) -> Callable[[Env], Steps]:
    """The steps of a path with expressions in brackets."""
    parts = [
        always(step.to)
        if step.to is None or isinstance(step.to, str | int)
        else _as_step(_compile(step.to, slots))
        for step in path.steps
    ]
    return lambda env: tuple([part(env) for part in parts])


def _as_step(evaluate: Evaluate) -> Evaluate:
    return lambda env: as_step(evaluate(env))


def _root(path: Path, slots: Slots) -> Evaluate | None:
    """Where a path starts; ``None`` for a module that is not there."""
    if path.root == "var":
        return lambda env: env[0].variables
    if path.root == "error":
        return _error(path, slots)
    if isinstance(path.root, str):
        raise unknown_name(path.root, path.position)
    if not isinstance(path.root, int):
        return _compile(path.root, slots)
    slot = slots.get(path.root)
    return None if slot is None else lambda env: env[slot]


def _error(path: Path, slots: Slots) -> Evaluate:
    """The failed module's error, inside its handler."""
    slot = slots.get(FAILED)
    if slot is None:
        raise ExpressionError(
            "'error' is known only inside an error handler. Elsewhere write the failed module's "
            "number before it: 1.error.message.",
            position=path.position,
            found="error",
            expected="a module's number",
            name="error",
        )
    return lambda env: walk(env[slot], _ERROR)


def _path(path: Path, slots: Slots) -> Evaluate:
    start, steps = _root(path, slots), _fixed(path)
    if start is None:
        return always(None)
    if steps is None:
        computed = _computed(path, slots)
        return lambda env: walk(start(env), computed(env))
    if not isinstance(path.root, int) or not all(isinstance(step, str) for step in steps):
        return lambda env: walk(start(env), steps)
    slot = slots[path.root]
    match steps:
        case ():
            return lambda env: env[slot]
        case (a,):

            def path1(env: Env) -> Any:
                try:
                    return env[slot][a]
                except (KeyError, TypeError, IndexError):
                    return walk(env[slot], steps)

            return path1
        case (a, b):

            def path2(env: Env) -> Any:
                try:
                    return env[slot][a][b]
                except (KeyError, TypeError, IndexError):
                    return walk(env[slot], steps)

            return path2
        case (a, b, c):

            def path3(env: Env) -> Any:
                try:
                    return env[slot][a][b][c]
                except (KeyError, TypeError, IndexError):
                    return walk(env[slot], steps)

            return path3
    return lambda env: walk(env[slot], steps)


def _list_path(path: Path, slots: Slots) -> Evaluate:
    start, steps = _root(path, slots), _fixed(path)
    if start is None:
        return lambda _env: []
    if steps is None:
        computed = _computed(path, slots)
        return lambda env: collect(start(env), computed(env))
    return lambda env: collect(start(env), steps)


def _call(node: Call, slots: Slots) -> Evaluate:
    info = FUNCTIONS.get(node.name)
    if info is None:
        raise unknown_function(node.name, node.position)
    given = node.arguments
    while given and isinstance(given[-1], Empty) and len(given) > info.least:
        given = given[:-1]
    _check_count(info, len(given), node.position)
    if info.lazily:
        operands = [_argument(each, Parameter("value", "any"), slots) for each in given]
        return folded(guarded(info.implementation(operands), info.name, node.position), operands)
    operands = [
        converted(_argument(each, info.parameter(index), slots), info.parameter(index))
        for index, each in enumerate(given)
    ]
    evaluate = applied(info, operands, node.position)
    zoned = any(info.parameter(index).kind == "date" for index in range(len(given)))
    return evaluate if info.impure or info.scoped or zoned else folded(evaluate, operands)


def _check_count(info: FunctionInfo, count: int, position: int) -> None:
    if info.least <= count and (info.most is None or count <= info.most):
        return
    wanted = f"at least {info.least}" if count < info.least else f"at most {info.most}"
    raise ExpressionError(
        f"{info.signature} takes {wanted} arguments, not {count}.",
        position=position,
        found=str(count),
        expected=f"{wanted} arguments",
        name=info.name,
    )


def _argument(node: Argument, parameter: Parameter, slots: Slots) -> Evaluate:
    if isinstance(node, Empty):
        return always(None)
    if parameter.many and isinstance(node, Path) and node.is_list:
        return _list_path(node, slots)
    return _compile(node, slots)
