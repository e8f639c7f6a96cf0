"""A scenario's inputs and outputs: what a run is started with, read by the specification.

The fields are those of Make's form specifications (``name``, ``type``, ``required``, ``default``,
``spec``, ``options``, ``multiple``, ``validate``). Values are coerced as mapped ones are; what
can't be is refused with its path, the value and what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from junctor.errors import DataError, InputInvalid
from junctor.language.connector import Bundle
from junctor.language.scenario import Scenario
from junctor.language.values import ERASE, IGNORE, coerce, show, to_array, to_text

__all__ = ["START", "defaults", "inputs_of", "read_inputs", "read_outputs"]

START = "scenario-service:StartSubscenario"
"""The trigger whose output are the run's inputs."""

Spec = Mapping[str, Any]
_MOST_LEVELS = 40
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")
_COLOR = re.compile(r"#?(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")


def inputs_of(scenario: Scenario) -> tuple[Spec, ...]:
    """The specification of a scenario's inputs.

    Its own, or, as some exports hold it only there, that of the output of its first module, if
    that is *Start a subscenario*.
    """
    if scenario.inputs:
        return scenario.inputs
    first = scenario.flow[0] if scenario.flow else None
    return first.interface if first is not None and first.module == START else ()


def read_inputs(
    specs: Sequence[Spec], data: Any, *, zone: tzinfo = UTC, strict: bool = True
) -> Bundle:
    """The inputs of a run that was given ``data``, with defaults for those left out.

    ``strict`` refuses inputs that the scenario does not name (people mistype); without it they are
    passed on (a scenario that calls another may say more). A scenario that names none takes any.
    Dates without a zone are in ``zone``. Raises `InputInvalid` with ``path``, ``reason`` and all
    ``problems``.
    """
    given = {} if data is None else data
    if not isinstance(given, Mapping):
        reason = f"{show(data)} is no collection; give an object with a value for each input"
        raise InputInvalid(path="data", reason=reason, problems=[])
    reader = _Reader(zone)
    made = reader.fields(specs, given, "", 0)
    if strict and specs:
        reader.strangers(specs, given)
    reader.settle()
    return made


def read_outputs(specs: Sequence[Spec], data: Mapping[str, Any], *, zone: tzinfo = UTC) -> Bundle:
    """What a module returns, coerced by the form it was given; other fields stay as they are.

    Nothing is required here: what is not mapped is not returned. Raises `InputInvalid`.
    """
    reader = _Reader(zone)
    known = {str(spec.get("name")): spec for spec in specs}
    made = {
        name: reader.value(known.get(name, {}), value, name, 0)
        for name, value in data.items()
        if value is not IGNORE
    }
    reader.settle()
    return made


def defaults(specs: Sequence[Spec], *, zone: tzinfo = UTC) -> Bundle:
    """The inputs of a run that nobody gave any: defaults, and null for the others."""
    reader = _Reader(zone)
    return {
        str(spec["name"]): reader.default(spec, "", 0)
        for spec in specs
        if isinstance(spec.get("name"), str)
    }


class _Reader:
    """Reads values and collects what is wrong with them."""

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone
        self.problems: list[dict[str, str]] = []

    def settle(self) -> None:
        """Raises what was found, the first problem as the error's own."""
        if self.problems:
            first = self.problems[0]
            raise InputInvalid(path=first["path"], reason=first["message"], problems=self.problems)

    def wrong(self, path: str, message: str) -> None:
        self.problems.append({"path": path, "message": message})

    def fields(
        self, specs: Sequence[Spec], given: Mapping[str, Any], path: str, level: int
    ) -> Bundle:
        """A collection by its fields; those the specification doesn't name come after them."""
        made: Bundle = {}
        for spec in specs:
            name = spec.get("name")
            if not isinstance(name, str) or not name:
                continue
            here = f"{path}.{name}" if path else name
            value = given.get(name)
            before = len(self.problems)
            if _missing(value, spec):
                made[name] = self.default(spec, here, level)
            else:
                made[name] = self.value(spec, value, here, level)
            known = len(self.problems) > before
            if spec.get("required") is True and not known and _missing(made[name], spec):
                self.wrong(here, f"it is required; give {_wanted(spec)}")
        rest = {name: value for name, value in given.items() if name not in made}
        return made | {name: value for name, value in rest.items() if value is not IGNORE}

    def strangers(self, specs: Sequence[Spec], given: Mapping[str, Any]) -> None:
        known = [str(spec["name"]) for spec in specs if spec.get("name")]
        for name in given:
            if name not in known:
                near = get_close_matches(str(name), known, 1)
                mend = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(known)}"
                self.wrong(str(name), f"the scenario has no such input; {mend}")

    def default(self, spec: Spec, path: str, level: int) -> Any:
        value = spec.get("default")
        if value is None or value == "":
            return None
        return self.value(spec, value, path or str(spec.get("name", "")), level)

    def value(self, spec: Spec, value: Any, path: str, level: int) -> Any:
        """One value as its field's type; null where it is wrong, which is then known."""
        if value is None or value is ERASE:
            return None
        kind = _kind(spec)
        try:
            if level > _MOST_LEVELS:
                raise DataError(reason=f"it is nested deeper than {_MOST_LEVELS} levels")
            if kind == "array":
                return self._array(spec, value, path, level)
            if kind == "collection":
                made = coerce(value, "collection", self.zone)
                return self.fields(_specs(spec.get("spec")), made, path, level + 1)
            if kind == "select":
                return _chosen(spec, value)
            check = _KINDS.get(kind)
            made = check(value) if check is not None else coerce(value, kind, self.zone)
            self._bounds(spec, made)
        except DataError as error:
            self.wrong(path, f"{error.params.get('reason', error.message)}; give {_wanted(spec)}")
            return None
        return made

    def _array(self, spec: Spec, value: Any, path: str, level: int) -> list[Any]:
        items = to_array(value)
        inner = spec.get("spec")
        if isinstance(inner, Mapping) and inner:
            element: Spec = inner
        elif isinstance(inner, list) and inner:
            element = {"type": "collection", "spec": inner}
        else:
            element = {"type": "any"}
        made = [
            self.value(element, item, f"{path}[{number}]", level + 1)
            for number, item in enumerate(items)
        ]
        self._bounds(spec, made)
        return made

    @staticmethod
    def _bounds(spec: Spec, value: Any) -> None:
        rules = spec.get("validate")
        if not isinstance(rules, Mapping):
            return
        for key, size in _sizes(value):
            bound = rules.get(key)
            if isinstance(bound, bool) or not isinstance(bound, int | float):
                continue
            if (size > bound) if key.startswith("max") else (size < bound):
                what = "items" if isinstance(value, list) else "characters"
                named = show(value) if isinstance(value, int | float) else f"{size} {what}"
                word = "more" if key.startswith("max") else "less"
                raise DataError(reason=f"{named} is {word} than {bound}")
        allowed = rules.get("enum")
        if isinstance(allowed, list) and allowed and value not in allowed:
            raise DataError(reason=f"{show(value)} is not one of: {_listed(allowed)}")


def _sizes(value: Any) -> Iterator[tuple[str, float]]:
    """Names of bounds, and what of the value they bound."""
    if isinstance(value, list):
        yield from (("minItems", len(value)), ("maxItems", len(value)))
    elif isinstance(value, str):
        yield from (("min", len(value)), ("max", len(value)))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from (("min", value), ("max", value))


def _missing(value: Any, spec: Spec) -> bool:
    if value is None or value is IGNORE or value is ERASE:
        return True
    if not isinstance(value, str) or value.strip():
        return False
    # A form's empty field; an empty text is a value only where none is required.
    return spec.get("required") is True or _kind(spec) not in {"text", "any"}


def _kind(spec: Spec) -> str:
    """The type's name: ``dynamic collection``, ``dynamicCollection`` and so on are a collection."""
    name = str(spec.get("type") or "any").partition(":")[0]
    plain = re.sub(r"[^a-z]", "", name.lower())
    return _NAMES.get(plain, plain)


_NAMES = {
    "dynamiccollection": "collection",
    "json": "any",
    "checkbox": "boolean",
    "radio": "select",
    "list": "array",
}


def _specs(value: Any) -> list[Spec]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _chosen(spec: Spec, value: Any) -> Any:
    options = spec.get("options")
    if isinstance(options, Mapping):
        options = options.get("store")
    known = [
        item.get("value") if isinstance(item, Mapping) else item
        for item in (options if isinstance(options, list) else [])
    ]

    def one(given: Any) -> Any:
        if not known or given in known:
            return given
        for each in known:  # forms give texts where the options are numbers
            if to_text(each) == to_text(given):
                return each
        raise DataError(reason=f"{show(given)} is not one of: {_listed(known)}")

    return [one(item) for item in to_array(value)] if spec.get("multiple") is True else one(value)


def _listed(values: Sequence[Any]) -> str:
    shown = ", ".join(to_text(each) for each in values[:20])
    return shown + ", …" if len(values) > 20 else shown


def _wanted(spec: Spec) -> str:
    """What would be right, for an error message."""
    kind = _kind(spec)
    return _MENDS.get(kind, f"a value of type {kind}")


_MENDS = {
    "any": "a value",
    "array": "an array",
    "boolean": "true or false",
    "collection": "an object",
    "color": "a colour such as #ff8800",
    "date": "a date such as 2026-01-31T09:30:00Z",
    "email": "an address such as name@example.com",
    "integer": "a whole number",
    "number": "a number",
    "select": "one of its options",
    "text": "a text",
    "uinteger": "a whole number from 0",
    "url": "an address such as https://example.com/",
    "uuid": "a UUID such as 0b5a1f7e-6a1c-4c8e-9d0a-2f6d3c1b7e55",
}


def _boolean(value: Any) -> bool:
    """Stricter than a mapping's, where every text but ``false`` is true: ``no`` is a mistake."""
    if isinstance(value, bool):
        return value
    found = {"true": True, "1": True, "false": False, "0": False}.get(
        to_text(value).strip().lower()
    )
    if found is None:
        raise DataError(reason=f"{show(value)} is neither true nor false")
    return found


def _matching(pattern: re.Pattern[str], what: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        text = to_text(value).strip()
        if len(text) > 2000 or pattern.fullmatch(text) is None:
            raise DataError(reason=f"{show(value)} is no {what}")
        return text

    return check


def _url(value: Any) -> str:
    text = to_text(value).strip()
    try:
        parts = urlsplit(text)
        good = bool(parts.scheme and parts.netloc) and not re.search(r"\s", text)
    except ValueError:
        good = False
    if not good:
        raise DataError(reason=f"{show(value)} is no complete address")
    return text


def _uuid(value: Any) -> str:
    text = to_text(value).strip()
    try:
        return str(UUID(text))
    except ValueError as error:
        raise DataError(reason=f"{show(value)} is no UUID") from error


_KINDS: Mapping[str, Callable[[Any], Any]] = {
    "boolean": _boolean,
    "color": _matching(_COLOR, "colour"),
    "email": _matching(_EMAIL, "e-mail address"),
    "url": _url,
    "uuid": _uuid,
}
