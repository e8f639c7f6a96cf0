"""Calls a module's function with its evaluated mapper, as the function's signature says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any, get_type_hints

from junctor.engine.nodes import Evaluate
from junctor.errors import BundleInvalid
from junctor.language.connector import Field, ModuleDef

__all__ = ["binder"]

_FLOW = frozenset({"iterator", "repeater", "set_variables", "get_variables", "sleep"})
_ARGUMENTS = frozenset({"transform", "responder", "action", "search"})


def binder(definition: ModuleDef, parameters: Mapping[str, Any], arguments: Evaluate) -> Evaluate:
    """The function of a module that the engine itself calls, as a function of an env.

    Flow control and ``raw`` modules get (parameters, mapper); others get keyword arguments, static
    parameters among them. Raises `BundleInvalid` naming an argument that is required and absent.
    """
    function = definition.function
    if definition.kind in _FLOW or (definition.raw and definition.kind in _ARGUMENTS):
        return lambda env: function(parameters, arguments(env))
    if definition.kind not in _ARGUMENTS:
        return arguments
    return _keywords(function, parameters, arguments)


def _keywords(
    function: Callable[..., Any], parameters: Mapping[str, Any], arguments: Evaluate
) -> Evaluate:
    names, required, optional = _form(function)
    static = {names[key]: value for key, value in parameters.items() if key in names}

    def evaluate(env: list[Any]) -> Any:
        given = arguments(env)
        if not isinstance(given, dict):
            raise BundleInvalid(field="mapper", reason="it is not a collection of fields")
        call = dict(static)
        for key, value in given.items():
            name = names.get(key)
            # An empty field means its default; fields that the module does not know are left over
            # from other versions of it.
            if name is not None and (value is not None or name not in optional):
                call[name] = value
        for name, label in required.items():
            if name not in call:
                raise BundleInvalid(field=label, reason="a value is required")
        return function(**call)

    return evaluate


def _form(function: Callable[..., Any]) -> tuple[dict[str, str], dict[str, str], frozenset[str]]:
    """Field → argument; argument → label of required ones; arguments with a default."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError):
        hints = {}
    names: dict[str, str] = {}
    required: dict[str, str] = {}
    optional: set[str] = set()
    for name, parameter in signature(function).parameters.items():
        if parameter.kind in {Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL}:
            continue
        marks = getattr(hints.get(name), "__metadata__", ())
        shown = next((mark for mark in marks if isinstance(mark, Field)), None)
        key = shown.key if shown is not None and shown.key else name.removesuffix("_")
        names[key] = name
        if parameter.default is Parameter.empty:
            required[name] = shown.label if shown is not None else key
        else:
            optional.add(name)
    return names, required, frozenset(optional)
