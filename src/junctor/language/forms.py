"""Type hints become forms, and mapped values become arguments.

The form is a JSON Schema (draft 2020-12) with these words of ours:

    x-options    {"module", "value", "label"}: a search of the same connector gives the pick-list;
                 {"from"}: by field of the search, the field of this form that says it; {"needs"}:
                 those of them without which there is no list; {"with"}: what other fields hold
    x-multiline  a text of several lines
    x-advanced   shown only on request
    x-static     belongs to the blueprint's ``parameters`` and can't be mapped
    x-secret     sealed; never sent back to a page
    x-type       the language's name of the type, where JSON has none (date, buffer)
    x-example    what to show in an empty field

A field's name is its `Field.key`, or its Python name without a trailing underscore.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from junctor.errors import BundleInvalid, DataError, Fault
from junctor.language.coercers import Coercer, bare, coercer, optional
from junctor.language.connector import Field, ModuleDef, Secret
from junctor.language.files import Content
from junctor.language.values import ERASE, IGNORE, show

__all__ = ["Slot", "bind", "build", "fields_of", "form_of", "schema_of", "secrets_of", "slots_of"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
F = TypeVar("F")
_MISSING: Any = inspect.Parameter.empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One field of a form: an argument of a module, or a field of a connection or hook."""

    name: str
    """The Python name."""
    key: str
    """The name in blueprints and forms."""
    hint: Any
    """Its type, without ``Annotated`` and ``None``."""
    field: Field
    coerce: Coercer
    default: Any = _MISSING
    nullable: bool = False

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self.default is _MISSING


def schema_of(module: ModuleDef) -> dict[str, Any]:
    """The module's form. `Fault` if its author left a field without type or label."""
    if module.schema is not None:
        given = {"title": module.label, "description": module.help, **module.schema()}
        return {"$schema": _DIALECT, "type": "object", "properties": {}, "required": [], **given}
    fields = () if module.raw or _takes_no_form(module) else slots_of(module.function)
    return _object(fields, title=module.label, description=module.help, connector=module.connector)


def form_of(form: type, *, connector: str = "") -> dict[str, Any]:
    """The form of a connection or a hook: a frozen dataclass of annotated fields."""
    help_text = inspect.getdoc(form) or ""
    return _object(slots_of(form), title="", description=help_text, connector=connector)


def fields_of(form: type) -> Callable[[], Mapping[str, Any]]:
    """`ModuleDef.schema` of a module that gets its mapper whole and reads it by `build`."""

    def schema() -> Mapping[str, Any]:
        whole = _object(slots_of(form), title="", description="", connector="")
        return {"properties": whole["properties"], "required": whole["required"]}

    return schema


def secrets_of(form: type) -> frozenset[str]:
    """The keys of a form whose values must be sealed."""
    return frozenset(slot.key for slot in slots_of(form) if slot.hint is Secret)


def bind(
    module: ModuleDef,
    arguments: Any,
    parameters: Mapping[str, Any],
    *,
    zone: tzinfo = UTC,
) -> dict[str, Any]:
    """Keyword arguments of the module's function from an evaluated mapper.

    Values become the declared types; empty ones and ``ignore`` leave the default, ``erase`` gives
    ``None`` where the type allows it. Keys that the form doesn't have are left alone. `zone` is for
    dates written without one. Raises `BundleInvalid` naming field, value and mend.
    """
    mapper = arguments if isinstance(arguments, Mapping) else {}
    return dict(_filled(slots_of(module.function), mapper, parameters, zone))


def build(form: type[F], values: Mapping[str, Any], *, zone: tzinfo = UTC) -> F:
    """The account or settings object of a form, from values by key. `BundleInvalid` as `bind`."""
    return form(**dict(_filled(slots_of(form), values, values, zone)))


def _takes_no_form(module: ModuleDef) -> bool:
    return module.kind == "instant" or (module.kind == "trigger" and module.poll is None)


def slots_of(source: Callable[..., Any]) -> tuple[Slot, ...]:
    """The fields of a function's signature or of a dataclass."""
    return _slots(source)


@lru_cache(maxsize=4096)
def _slots(source: Callable[..., Any]) -> tuple[Slot, ...]:
    try:
        hints = get_type_hints(source, include_extras=True)
    except NameError as error:
        raise Fault(
            reason=f"{_name(source)} has a type hint that can't be read: {error}"
        ) from error
    return tuple(
        _slot(source, name, hints.get(name, _MISSING), default)
        for name, default in _defaults(source)
    )


def _defaults(source: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(source, type) and dataclasses.is_dataclass(source):
        for item in dataclasses.fields(source):
            made = item.default_factory
            default = item.default if made is dataclasses.MISSING else made()
            yield item.name, _MISSING if default is dataclasses.MISSING else default
    else:
        for parameter in inspect.signature(source).parameters.values():
            yield parameter.name, parameter.default


def _slot(source: Callable[..., Any], name: str, annotation: Any, default: Any) -> Slot:
    if annotation is _MISSING:
        raise Fault(reason=f"{_name(source)}: {name} has no type")
    hint, field = bare(annotation)
    if field is None:
        raise Fault(reason=f"{_name(source)}: {name} has no Field(label=…)")
    inner, nullable = optional(hint)
    return Slot(
        name=name,
        key=field.key or name.removesuffix("_"),
        hint=inner,
        field=field,
        coerce=coercer(inner),
        default=default,
        nullable=nullable,
    )


def _name(source: Callable[..., Any]) -> str:
    return f"{source.__module__}.{source.__qualname__}"


# Schemas

Around = Mapping[str, Field]
"""The fields that a field of a form stands among, by name: nearer ones in place of outer ones."""


def _object(
    slots: Iterable[Slot], *, title: str, description: str, connector: str
) -> dict[str, Any]:
    fields = tuple(slots)
    around = {slot.key: slot.field for slot in fields}
    schema: dict[str, Any] = {
        "$schema": _DIALECT,
        "type": "object",
        "title": title,
        "description": description,
        "properties": {slot.key: _property(slot, connector, around) for slot in fields},
        "required": [slot.key for slot in fields if slot.required],
    }
    return {key: value for key, value in schema.items() if value != ""}


def _property(slot: Slot, connector: str, around: Around) -> dict[str, Any]:
    schema = {**_schema(slot.hint, connector, around), **_said(slot.field, connector, around)}
    if slot.default is not _MISSING and slot.default not in (None, "", b"", [], {}):
        schema["default"] = slot.default
    return schema


def _said(field: Field, connector: str, around: Around) -> dict[str, Any]:
    """What a `Field` says, of a whole form or of a row."""
    schema: dict[str, Any] = {"title": field.label}
    words = {"description": field.help, "format": field.format}
    schema.update({name: text for name, text in words.items() if text})
    bounds = {"minimum": field.minimum, "maximum": field.maximum, "x-example": field.example}
    schema.update({name: value for name, value in bounds.items() if value is not None})
    if field.options is not None:
        schema["x-options"] = _options(field, field.options, connector, around)
    flags = {"multiline": field.multiline, "advanced": field.advanced, "static": field.static}
    schema.update({f"x-{name}": True for name, on in flags.items() if on})
    return schema


def _options(
    field: Field, search: Callable[..., Any], connector: str, around: Around
) -> dict[str, Any]:
    """Where a field's choices come from, and which other fields they depend on."""
    asked = {slot.key: slot for slot in slots_of(search)}
    lost = [key for key in (*field.options_from, *field.options_with) if key not in asked]
    lost += [name for name in field.options_from.values() if name not in around]
    if lost:
        raise Fault(
            reason=f"the pick-list of '{field.label}' by {_name(search)} names fields that there "
            f"are not: {', '.join(lost)}"
        )
    said = dict(field.options_from)
    for key, slot in asked.items():
        twin = around.get(key)
        if key in said or key in field.options_with or twin is None or twin is field:
            continue
        picked = slot.field.options is not None and slot.field.options is twin.options
        if slot.required or picked:
            said[key] = key
    needs = [
        name for key, name in said.items() if asked[key].required and key not in field.options_with
    ]
    made = {
        "module": f"{connector}:{_module_name(search)}",
        "value": field.option_value,
        "label": field.option_label,
    }
    more = {"from": said, "needs": needs, "with": dict(field.options_with)}
    return {**made, **{name: each for name, each in more.items() if each}}


def _module_name(function: Callable[..., Any]) -> str:
    name = getattr(function, "junctor_module", None)
    if name is None:
        raise Fault(reason=f"{_name(function)} gives options but is no module")
    return str(name)


_SIMPLE: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    bytes: {"type": "string", "contentEncoding": "base64", "x-type": "buffer"},
    datetime: {"type": "string", "format": "date-time", "x-type": "date"},
    Secret: {"type": "string", "format": "password", "writeOnly": True, "x-secret": True},
    Content: {"type": "string", "contentEncoding": "base64", "x-type": "buffer"},
    Any: {},
    object: {},
}


def _schema(hint: Any, connector: str, around: Around) -> dict[str, Any]:
    hint, field = bare(hint)
    hint, _ = optional(hint)
    schema = _typed(hint, connector, around)
    return schema if field is None else {**schema, **_said(field, connector, around)}


def _typed(hint: Any, connector: str, around: Around) -> dict[str, Any]:
    if hint in _SIMPLE:
        return dict(_SIMPLE[hint])
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        names = {str: "string", bool: "boolean", int: "integer"}
        return {"type": names[type(inner[0])], "enum": list(inner)}
    if hint is list or origin is list:
        items = _schema(inner[0], connector, around) if inner else {}
        return {"type": "array", "items": items}
    if hint in {dict, Mapping} or origin in {dict, Mapping}:
        more = (_schema(inner[1], connector, around) or True) if inner else True
        return {"type": "object", "additionalProperties": more}
    if typing.is_typeddict(hint):
        rows = get_type_hints(hint, include_extras=True)
        named = {name: bare(row)[1] for name, row in rows.items()}
        near = {**around, **{name: field for name, field in named.items() if field is not None}}
        return {
            "type": "object",
            "properties": {name: _schema(row, connector, near) for name, row in rows.items()},
            "required": sorted(hint.__required_keys__),
        }
    if origin in {Union, types.UnionType}:
        return {"anyOf": [_schema(item, connector, around) for item in inner]}
    raise Fault(reason=f"a form can't show the type {hint!r}")


# Values


def _filled(
    slots: tuple[Slot, ...],
    mapper: Mapping[str, Any],
    parameters: Mapping[str, Any],
    zone: tzinfo,
) -> Iterator[tuple[str, Any]]:
    for slot in slots:
        first, second = (parameters, mapper) if slot.field.static else (mapper, parameters)
        value = first.get(slot.key, IGNORE)
        if value is IGNORE:
            value = second.get(slot.key, IGNORE)
        if value is ERASE and slot.nullable:
            yield slot.name, None
            continue
        if value is IGNORE or value is ERASE or value is None or _blank(value, slot):
            if slot.required:
                raise _invalid(slot, "a value is required; map or type one")
            yield slot.name, _fresh(slot.default)
            continue
        yield slot.name, _checked(slot, value, zone)


def _blank(value: Any, slot: Slot) -> bool:
    if not isinstance(value, str):
        return False
    return not value or (slot.hint not in {str, Secret, Any} and not value.strip())


def _fresh(default: Any) -> Any:
    return default.copy() if isinstance(default, list | dict) else default


def _checked(slot: Slot, value: Any, zone: tzinfo) -> Any:
    try:
        made = slot.coerce(value, zone)
    except DataError as error:
        shown = "" if slot.hint is Secret else f" ({show(value)})"
        reason = str(error.params.get("reason", error.message))
        raise _invalid(slot, reason if show(value) in reason else f"{reason}{shown}") from error
    field = slot.field
    if field.minimum is not None and made < field.minimum:
        raise _invalid(slot, f"{show(made)} is too small; the least is {field.minimum:g}")
    if field.maximum is not None and made > field.maximum:
        raise _invalid(slot, f"{show(made)} is too large; the most is {field.maximum:g}")
    return made


def _invalid(slot: Slot, reason: str) -> BundleInvalid:
    return BundleInvalid(field=slot.key, reason=f"{reason} [{slot.field.label}]")
