"""Plausible values from a description of them: what a module that can't run here would give out.

Pure and deterministic: the same description always gives the same sample. Descriptions are Make's
interface specifications, as blueprints carry them in ``metadata.interface`` and
``metadata.expect``: ``{name, type, label, spec, …}``, where ``spec`` describes a collection's
fields or an array's items (as a list or as one object). What no description names, but a later
mapping reads, is described by the mappings themselves: `fields_read`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from junctor.errors import ExpressionError
from junctor.language.connector import Bundle
from junctor.language.expressions.nodes import Call, Chain, Empty, Path, Unary
from junctor.language.expressions.parse import parse
from junctor.language.scenario import Condition, Module, Scenario

__all__ = ["Reads", "fields_read", "sample_bundle", "sample_value", "templates_of"]

WHEN = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
"""Every sampled date."""
ITEMS = 2
"""Items of a sampled array."""
DEEPEST = 12
"""Levels of a description that are followed."""

_COUNTED = frozenset({"__IMTINDEX__", "__IMTLENGTH__", "__ROW_NUMBER__"})
"""Numbers of bundles and rows: there is one."""

_TYPED: Mapping[str, Any] = {
    "boolean": True,
    "buffer": b"sample data",
    "cert": "sample certificate",
    "checkbox": True,
    "color": "#3366cc",
    "date": WHEN,
    "email": "ada@example.com",
    "file": "sample.pdf",
    "filename": "sample.pdf",
    "folder": "/sample",
    "integer": 42,
    "json": "{}",
    "number": 42,
    "path": "/sample",
    "port": 443,
    "time": "09:30",
    "timestamp": WHEN,
    "timezone": "UTC",
    "uinteger": 42,
    "url": "https://example.com/sample",
    "uuid": "2f1c8a52-6f0e-4a65-9d0b-3d1b0c5a7e11",
}

_NAMED: tuple[tuple[re.Pattern[str], Any], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), value)
    for pattern, value in (
        (r"^i$", 1),
        (r"e-?mail", "ada@example.com"),
        (r"phone|mobile|_number$|^(from|to|caller)$", "+12025550143"),
        (r"url|link|website|webhook", "https://example.com/sample"),
        (r"first_?\s?name", "Ada"),
        (r"last_?\s?name|surname", "Lovelace"),
        (r"file_?\s?name", "sample.pdf"),
        (r"^((full|contact|customer|caller|user|agent|sender|owner)_?\s?)?name$", "Ada Lovelace"),
        (r"(^|_)status_?code$", 200),
        (r"(date|_at|time)$|(created|updated|modified)(at)?$", WHEN),
        (r"count$|amount$|total|price|quantity|duration|size$|^age$", 42),
        (r"currency", "USD"),
        (r"country", "US"),
        (r"city", "London"),
        (r"uuid", _TYPED["uuid"]),
    )
)


def sample_bundle(interface: Iterable[Mapping[str, Any]], reads: Reads | None = None) -> Bundle:
    """A bundle as an interface describes it, and with whatever later mappings read of it."""
    made = _collection(interface, 0)
    return _with(made, reads) if reads is not None else made


def sample_value(spec: Mapping[str, Any], depth: int = 0) -> Any:
    """One value of a description; its own default or first option, if it has one."""
    if spec.get("name") in _COUNTED:
        return 1
    kind = str(spec.get("type") or "").partition(":")[0].lower()
    inner = spec.get("spec")
    if kind in {"array", "list"} or (kind == "" and isinstance(inner, list) and not spec):
        return _array(inner, depth)
    if kind == "collection" or (kind in {"", "any"} and inner):
        fields = inner if isinstance(inner, list) else [inner] if isinstance(inner, dict) else []
        return _collection(fields, depth + 1)
    default = spec.get("default")
    if isinstance(default, str | int | float | bool) and default != "":
        return default
    option = _first_option(spec.get("options"))
    if option is not None:
        return option
    if kind in _TYPED:
        return _TYPED[kind]
    return _by_name(spec)


def _collection(fields: Iterable[Any], depth: int) -> Bundle:
    if depth > DEEPEST:
        return {}
    made: Bundle = {}
    for each in fields:
        if isinstance(each, Mapping) and each.get("name") not in (None, ""):
            made[str(each["name"])] = sample_value(each, depth)
    return made


def _array(inner: Any, depth: int) -> list[Any]:
    if depth > DEEPEST:
        return []
    if isinstance(inner, list):
        if any(isinstance(each, Mapping) and each.get("name") for each in inner):
            return [_collection(inner, depth + 1) for _ in range(ITEMS)]
        inner = next((each for each in inner if isinstance(each, Mapping)), None)
    if not isinstance(inner, Mapping):
        return [f"sample {number}" for number in range(1, ITEMS + 1)]
    return [sample_value(inner, depth + 1) for _ in range(ITEMS)]


def _first_option(options: Any) -> Any:
    if isinstance(options, Mapping):
        options = options.get("store")
    first = options[0] if isinstance(options, list) and options else None
    if isinstance(first, Mapping):
        first = first.get("value")
    return first if isinstance(first, str | int | float | bool) else None


def _by_name(spec: Mapping[str, Any]) -> Any:
    name, label = str(spec.get("name") or ""), str(spec.get("label") or "")
    typed_as_text = bool(spec.get("type"))
    for pattern, value in _NAMED:
        if pattern.search(name):
            # What is said to be text stays text, whatever its name suggests.
            return value if isinstance(value, str) or not typed_as_text else _as_text(value)
    return f"sample {(label or name or 'text').strip()}"


def _as_text(value: Any) -> str:
    return "2026-01-15T09:30:00.000Z" if isinstance(value, datetime) else str(value)


@dataclass(slots=True)
class Reads:
    """What mappings read of one value: fields below it, and whether it is taken as a list."""

    fields: dict[str, Reads] = field(default_factory=dict)
    listed: bool = False
    expected: str | None = None
    """The first text that a filter or condition compares it with."""


def fields_read(scenario: Scenario) -> dict[int, Reads]:
    """What the mappings of a scenario read, by the id of the module they read it of."""
    found: dict[int, Reads] = {}
    for module in scenario.modules():
        for text in templates_of(module):
            for path in _paths(text):
                if isinstance(path.root, int):
                    _note(found.setdefault(path.root, Reads()), path)
        for condition in _conditions(module):
            _expect(found, condition)
    return found


def templates_of(module: Module) -> Iterator[str]:
    """Every template of a placed module: mapper, filters, conditions, grouping, outputs."""
    yield from _texts(module.mapper)
    yield from _texts(module.flags.get("groupBy"))
    yield from _texts(list(module.outputs))
    for condition in _conditions(module):
        yield from _texts([condition.a, condition.b])


def _conditions(module: Module) -> Iterator[Condition]:
    for given in (module.filter, *(branch.filter for branch in module.branches)):
        for group in given.groups if given is not None else ():
            yield from group


def _expect(found: dict[int, Reads], condition: Condition) -> None:
    """A text that a condition wants is the most telling sample of what it asks about."""
    wanted, asked = condition.b, condition.a
    if condition.operator not in _EQUAL or not isinstance(wanted, str) or "{{" in wanted:
        return
    paths = list(_paths(asked)) if isinstance(asked, str) else []
    if len(paths) == 1 and isinstance(paths[0].root, int) and wanted:
        reads = _note(found[paths[0].root], paths[0])
        if reads is not None and reads.expected is None:
            reads.expected = wanted


_EQUAL = frozenset({"text:equal", "text:equal:ci", "text:contain", "text:contain:ci"})


def _texts(value: Any) -> Iterator[str]:
    todo = [value]
    while todo:
        each = todo.pop()
        if isinstance(each, str):
            if "{{" in each:
                yield each
        elif isinstance(each, Mapping):
            todo.extend(each.values())
        elif isinstance(each, list | tuple):
            todo.extend(each)


def _paths(text: str) -> Iterator[Path]:
    try:
        todo: list[Any] = [part for part in parse(text).parts if not isinstance(part, str)]
    except ExpressionError:
        return
    while todo:
        match todo.pop():
            case Path(root, steps) as path:
                yield path
                todo.append(root)
                todo.extend(step.to for step in steps)
            case Call(_, arguments):
                todo.extend(each for each in arguments if not isinstance(each, Empty))
            case Unary(_, operand):
                todo.append(operand)
            case Chain(_, first, rest):
                todo.extend((first, *(operand for _, operand in rest)))
            case _:
                pass


def _note(reads: Reads, path: Path) -> Reads | None:
    for step in path.steps:
        if step.to is None or isinstance(step.to, int):
            reads.listed = True
        elif isinstance(step.to, str):
            reads = reads.fields.setdefault(step.to, Reads())
        else:
            return None
    return reads


def _with(value: Any, reads: Reads, name: str = "") -> Any:
    """The value with what is read of it and isn't there."""
    if not reads.fields:
        told = reads.expected is not None and (value is None or isinstance(value, str))
        return reads.expected if told else value
    if isinstance(value, list):
        items = value or [{} for _ in range(ITEMS)]
        return [_with(each if isinstance(each, dict) else {}, reads, name) for each in items]
    if not isinstance(value, dict):
        return value
    made = dict(value)
    for key, inside in reads.fields.items():
        made[key] = _with(made[key], inside, key) if key in made else _unknown(key, inside)
    return made


def _unknown(name: str, reads: Reads) -> Any:
    if reads.expected is not None:
        return reads.expected
    one = _with({}, reads, name) if reads.fields else sample_value({"name": name})
    return [one] if reads.listed else one
