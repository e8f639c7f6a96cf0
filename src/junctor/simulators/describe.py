"""A simulator's operations as an OpenAPI 3.1 document, made from its table of routes.

``GET /_sim/openapi.json`` serves it, so that other people's tools (fuzzers, proxies, generators of
clients) can work on a simulator. Paths, methods and path parameters come from the routes alone; a
vendor's `Description` adds what a handler takes. An operation without an entry there has a body of
any kind. Answers are described by their class of status only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from junctor.simulators.checks import Check, schema_of_object

if TYPE_CHECKING:
    from junctor.simulators.kit import Simulator
    from junctor.simulators.routes import Route

__all__ = ["Description", "Taken", "document"]

_NAMED = re.compile(r"\{(\w+)\}")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What an operation takes beside its path."""

    query: Sequence[str] = ()
    body: Mapping[str, Check] | None = None
    """The shape of the body; ``None``: any object, where the method has a body."""
    required: Iterable[str] = ()
    form: bool = False
    """The body is a form, not JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a vendor's routes don't say."""

    security: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Security schemes by name; each suffices."""
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Required headers and their values; of an empty list, the words of the route's note."""
    taken: Mapping[str, Taken] = field(default_factory=dict)
    """By operation."""
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Values that exist now: by the name of a parameter or field, or by the segment of the path
    before a parameter."""
    open: frozenset[str] = frozenset()
    """Operations that need no credentials."""


def document(simulator: Simulator) -> dict[str, Any]:
    """The document; known values are examples, so it changes with the simulator's state."""
    described = simulator.described()
    paths: dict[str, dict[str, Any]] = {}
    names: dict[str, int] = {}
    for route in simulator.routes():
        names[route.operation] = names.get(route.operation, 0) + 1
        number = names[route.operation]
        operation_id = route.operation if number == 1 else f"{route.operation}__{number}"
        paths.setdefault(route.path, {})[route.method.lower()] = {
            "operationId": operation_id,
            **_operation(route, described),
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{simulator.title} (simulated)",
            "version": "1",
            "description": "The operations that this simulator answers; not the vendor's own "
            "document.",
        },
        "servers": [{"url": simulator.base_url or "/"}],
        "security": [{name: []} for name in described.security],
        "paths": paths,
        "components": {"securitySchemes": {k: dict(v) for k, v in described.security.items()}},
    }


def _operation(route: Route, described: Description) -> dict[str, Any]:
    taken = described.taken.get(route.operation) or Taken()
    known = described.known
    parameters = [*_of_path(route.path, known)]
    parameters += [_parameter("query", name, known.get(name)) for name in taken.query]
    for name, values in described.headers.items():
        allowed = list(values) or route.note.split()
        parameters.append(
            {
                "name": name,
                "in": "header",
                "required": True,
                "schema": {"type": "string", "enum": allowed},
            }
        )
    made: dict[str, Any] = {
        "parameters": parameters,
        "responses": {
            "2XX": {"description": "Done"},
            "3XX": {"description": "Elsewhere"},
            "4XX": {"description": "Refused, in the vendor's shape"},
        },
    }
    if route.operation in described.open:
        made["security"] = []
    if route.method in _WITH_BODY or taken.body is not None:
        made["requestBody"] = _body(taken, known)
    return made


def _of_path(path: str, known: Mapping[str, Sequence[str]]) -> Iterable[dict[str, Any]]:
    segments = path.split("/")
    for index, segment in enumerate(segments):
        found = _NAMED.fullmatch(segment)
        if found:
            name = found[1]
            values = known[name] if name in known else known.get(segments[index - 1])
            yield _parameter("path", name, values)


def _parameter(place: str, name: str, values: Sequence[str] | None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if place == "path":
        schema["minLength"] = 1
    if values:
        schema["examples"] = list(values)
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def _body(taken: Taken, known: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    kind = _FORM if taken.form else _JSON
    if taken.body is None:
        return {"content": {kind: {"schema": {"type": "object"}}}}
    required = list(taken.required)
    schema = schema_of_object(taken.body, required)
    for name, values in known.items():
        if values and name in schema["properties"]:
            was = schema["properties"][name]
            shown = [[value] for value in values] if was.get("type") == "array" else list(values)
            schema["properties"][name] = {**was, "examples": shown}
    return {"required": bool(required), "content": {kind: {"schema": schema}}}
