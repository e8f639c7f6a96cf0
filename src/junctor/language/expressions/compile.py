"""Turns syntax trees into closures over ``env``: no eval, nothing parsed twice.

What doesn't look at ``env`` is evaluated once, here. The shapes that matter for speed (a path, a
text with one to three expressions, calls with one to three arguments) have closures of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from junctor.errors import DataError, ExpressionError, JunctorError
from junctor.language.expressions.functions.registry import (
    CONVERT,
    FUNCTIONS,
    FunctionInfo,
    Parameter,
    limited,
    unknown,
)
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
from junctor.language.expressions.operators import BINARY, negate
from junctor.language.expressions.parse import parse
from junctor.language.expressions.paths import Steps, as_step, collect, walk
from junctor.language.expressions.scope import Env, Evaluate
from junctor.language.values import ERASE, IGNORE, to_boolean, to_date, to_text

__all__ = ["compile_argument", "compile_parsed", "compile_template", "constant"]

Slots = Mapping[int, int]


def constant(evaluate: Evaluate) -> bool:
    """Whether it never looks at ``env``."""
    return getattr(evaluate, "constant", False)


def always(value: Any) -> Evaluate:
    """A constant."""

    def evaluate(_env: Env) -> Any:
        return value

    evaluate.constant = True  # type: ignore[attr-defined]  # functions carry attributes
    return evaluate


def compile_template(text: str, slots: Slots) -> Evaluate:
    """The compiled template; ``slots`` says where in ``env`` each module's bundle is.

    A text that is one expression keeps its value's type; anything else is text. A module without a
    slot is null. Raises `ExpressionError` for syntax, unknown functions and unknown names.
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
    return _join(texts, parts)


def _join(texts: list[str], parts: list[Evaluate]) -> Evaluate:
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

    def join(env: Env) -> str:
        out = [first]
        for part, text in pairs:
            x = part(env)
            out.append(x if x.__class__ is str else to_text(x))
            out.append(text)
        return "".join(out)

    return join


def _compile(node: Expression, slots: Slots) -> Evaluate:
    match node:
        case Literal(value):
            return always(value)
        case Keyword(name):
            return _KEYWORDS[name]
        case Path():
            return _path(node, slots)
        case Call():
            return _call(node, slots)
        case Unary(operator, operand):
            return _unary(operator, _compile(operand, slots))
        case Chain(level, first, rest):
            start = _compile(first, slots)
            steps = [(operator, _compile(operand, slots)) for operator, operand in rest]
            evaluate = _logic(start, steps) if level <= 2 else _chain(start, steps)
            return _folded(evaluate, [start, *(operand for _, operand in steps)])


def _folded(evaluate: Evaluate, operands: list[Evaluate]) -> Evaluate:
    """Its value, if it can't change; what fails or is a container is left for the evaluation."""
    if not all(constant(operand) for operand in operands):
        return evaluate
    try:
        value = evaluate([])
    except JunctorError:
        return evaluate
    return evaluate if isinstance(value, list | dict) else always(value)


# --- paths ---------------------------------------------------------------------------------------


def _fixed(path: Path) -> Steps | None:
    """The steps, if none is computed."""
    steps = tuple([step.to for step in path.steps])
    return steps if all(step is None or isinstance(step, str | int) for step in steps) else None  # type: ignore[return-value]  # just tested


def _computed(path: Path, slots: Slots) -> Callable[[Env], Steps]:
    """The steps of a path with expressions in brackets."""
    parts: list[Evaluate] = []
    for step in path.steps:
        if step.to is None or isinstance(step.to, str | int):
            parts.append(always(step.to))
        else:
            evaluate = _compile(step.to, slots)
            parts.append(lambda env, evaluate=evaluate: as_step(evaluate(env)))
    return lambda env: tuple([part(env) for part in parts])


def _root(path: Path, slots: Slots) -> Evaluate | None:
    """Where a path starts; ``None`` for a module that is not there."""
    if path.root == "var":
        return lambda env: env[0].variables
    if isinstance(path.root, str):
        raise ExpressionError(
            f"Unknown name '{path.root}'. A module's field is written as 1.name, a text in quotes.",
            position=path.position,
            found=path.root,
            expected="a module's number, a keyword, a function or var",
            name=path.root,
        )
    slot = slots.get(path.root)
    return None if slot is None else lambda env: env[slot]


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


# --- keywords ------------------------------------------------------------------------------------

_KEYWORDS: dict[str, Evaluate] = {
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
}


# --- operators -----------------------------------------------------------------------------------


def _unary(operator: str, operand: Evaluate) -> Evaluate:
    evaluate: Evaluate
    if operator == "!":
        evaluate = lambda env: not to_boolean(operand(env))  # noqa: E731  # one of two closures
    else:
        evaluate = lambda env: negate(operand(env))  # noqa: E731  # one of two closures
    return _folded(evaluate, [operand])


def _chain(first: Evaluate, rest: list[tuple[str, Evaluate]]) -> Evaluate:
    if len(rest) == 1:
        operation, operand = BINARY[rest[0][0]], rest[0][1]
        if constant(operand):
            fixed = operand([])
            return lambda env: operation(first(env), fixed)
        return lambda env: operation(first(env), operand(env))
    steps = tuple((BINARY[operator], operand) for operator, operand in rest)

    def chain(env: Env) -> Any:
        value = first(env)
        for operation, operand in steps:
            value = operation(value, operand(env))
            if value.__class__ is str:
                limited(value)
        return value

    return chain


def _logic(first: Evaluate, rest: list[tuple[str, Evaluate]]) -> Evaluate:
    operands = (first, *(operand for _, operand in rest))
    if rest[0][0] == "&":
        return lambda env: all(to_boolean(operand(env)) for operand in operands)
    return lambda env: any(to_boolean(operand(env)) for operand in operands)


# --- calls ---------------------------------------------------------------------------------------


def _call(node: Call, slots: Slots) -> Evaluate:
    info = FUNCTIONS.get(node.name)
    if info is None:
        raise unknown(node.name, node.position)
    given = node.arguments
    while given and isinstance(given[-1], Empty) and len(given) > info.least:
        given = given[:-1]
    _check_count(info, len(given), node.position)
    if info.lazily:
        operands = [_argument(each, Parameter("value", "any"), slots) for each in given]
        return _folded(_guarded(info.implementation(operands), info.name), operands)
    operands = [
        _converted(_argument(each, info.parameter(index), slots), info.parameter(index))
        for index, each in enumerate(given)
    ]
    evaluate = _applied(info, operands)
    zoned = any(info.parameter(index).kind == "date" for index in range(len(given)))
    return evaluate if info.impure or info.scoped or zoned else _folded(evaluate, operands)


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


def _converted(evaluate: Evaluate, parameter: Parameter) -> Evaluate:
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
    return _folded(convert_text if kind == "text" else convert, [evaluate])


def _applied(info: FunctionInfo, operands: list[Evaluate]) -> Evaluate:
    """The call, with a closure for each usual number of arguments."""
    call, name = info.implementation, info.name
    if info.scoped:
        operands = [lambda env: env[0], *operands]
    match operands:
        case (a,):

            def call1(env: Env) -> Any:
                try:
                    return call(a(env))
                except Exception as error:
                    raise failed(name, error) from error

            return call1
        case (a, b):

            def call2(env: Env) -> Any:
                try:
                    return call(a(env), b(env))
                except Exception as error:
                    raise failed(name, error) from error

            return call2
        case (a, b, c):

            def call3(env: Env) -> Any:
                try:
                    return call(a(env), b(env), c(env))
                except Exception as error:
                    raise failed(name, error) from error

            return call3
    fixed = tuple(operands)
    return _guarded(lambda env: call(*[operand(env) for operand in fixed]), name)


def _guarded(evaluate: Evaluate, name: str) -> Evaluate:
    def guarded(env: Env) -> Any:
        try:
            return evaluate(env)
        except Exception as error:
            raise failed(name, error) from error

    return guarded


def failed(name: str, error: Exception) -> JunctorError:
    """The language's own error for whatever a function raised; the innermost call is named."""
    if isinstance(error, JunctorError):
        if "function" in error.params or not isinstance(error, DataError):
            return error
        reason = error.params.get("reason", error.message)
    elif isinstance(error, RecursionError):
        reason = "the value is nested too deeply"
    else:
        reason = str(error) or error.__class__.__name__
    return DataError(reason=f"{name}: {reason}", function=name)
