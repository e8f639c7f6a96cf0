"""OpenAPI documents as one: references across files and between documents made local.

Nothing here reads a file; documents come in as values and are never changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = [
    "METHODS",
    "Document",
    "Load",
    "Merged",
    "follow",
    "mended",
    "operations",
    "shape",
    "without_answers",
]

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
Document = dict[str, Any]
Load = Callable[[str], tuple[str, Document]]
"""Name and content of the document that a reference names, by the part before its ``#``."""


def shape(path: str) -> str:
    """A path without the names of its parameters: two spellings of one route are the same."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every (method, path, operation) of a document, methods in capitals."""
    for path, row in document.get("paths", {}).items():
        for method in METHODS:
            if method in row:
                yield method.upper(), path, row[method]


def follow(document: Mapping[str, Any], value: Any) -> Any:
    """What a local reference stands for; the value itself if it is none."""
    for _ in range(20):
        if not isinstance(value, dict) or "$ref" not in value:
            return value
        found = _target(document, str(value["$ref"]))
        value = {} if found is None else found
    return {}


def without_answers(document: Document) -> Document:
    """The same with one plain answer everywhere: for the side of requests alone."""
    answer = {"200": {"description": "Anything."}}
    paths = {
        path: {
            key: {**value, "responses": answer, "callbacks": {}} if key in METHODS else value
            for key, value in row.items()
        }
        for path, row in document["paths"].items()
    }
    return {**document, "paths": paths}


def mended(document: Document) -> tuple[Document, list[str]]:
    """The same without references to what isn't there (they mean: anything); and which they were.

    Components that nothing needs are left out.
    """
    lost: set[str] = set()
    kept: dict[str, Any] = {}

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(each) for each in value]
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if isinstance(reference, str) and reference not in kept:
            found = _target(document, reference)
            if found is None:
                lost.add(reference)
                return {}
            kept[reference] = None
            kept[reference] = walk(found)
        return {key: walk(each) for key, each in value.items()}

    paths = walk(document["paths"])
    components: dict[str, Any] = {}
    schemes = document.get("components", {}).get("securitySchemes")
    if schemes:
        components["securitySchemes"] = schemes
    for reference, row in kept.items():
        _, _, kind, name = reference.split("/")
        name = name.replace("~1", "/").replace("~0", "~")
        components.setdefault(kind, {})[name] = row
    return {**document, "paths": paths, "components": components}, sorted(lost)


def _target(document: Mapping[str, Any], reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        if not isinstance(found, dict):
            return None
        found = found.get(part.replace("~1", "/").replace("~0", "~"))
        if found is None:
            break
    return found


class Merged:
    """One document made of many. The first to have a method and path keeps it."""

    def __init__(self, title: str) -> None:
        self.document: Document = {
            "openapi": "3.0.3",
            "info": {"title": title, "version": "1"},
            "servers": [{"url": "/"}],
            "paths": {},
            "components": {},
        }
        self._paths: dict[str, str] = {}
        self._have: set[tuple[str, str]] = set()
        self._taken_in: set[str] = set()

    def add(self, name: str, content: Document, load: Load, *, version: str = "") -> int:
        """Takes the operations that are not there yet; how many. ``name`` prefixes components."""
        row_of: dict[str, dict[str, Any]] = self.document["paths"]
        taken = 0
        if version:
            self.document["openapi"] = version
        for method, path, operation in operations(content):
            route = shape(path)
            if (method, route) in self._have:
                continue
            self._have.add((method, route))
            kept = self._paths.setdefault(route, path)
            shared = content["paths"][path].get("parameters", [])
            whole = {**operation, "parameters": [*shared, *operation.get("parameters", [])]}
            if "security" not in whole and "security" in content:
                whole["security"] = content["security"]
            whole = self._local(whole, name, load)
            whole["parameters"] = _renamed(self.document, whole["parameters"], path, kept)
            whole["security"] = [
                {f"{name}.{key}": scopes for key, scopes in each.items()}
                for each in whole.get("security", ())
                if each  # an empty one means that none is needed
            ]
            whole.pop("operationId", None)
            whole.pop("callbacks", None)
            row_of.setdefault(kept, {})[method.lower()] = whole
            taken += 1
        if taken:
            schemes = content.get("components", {}).get("securitySchemes", {})
            kept_schemes = self.document["components"].setdefault("securitySchemes", {})
            kept_schemes.update({f"{name}.{key}": row for key, row in schemes.items()})
            self._take_components(name, content, load)
        return taken

    def _take_components(self, name: str, content: Document, load: Load) -> None:
        if name in self._taken_in:
            return
        self._taken_in.add(name)
        for kind, rows in content.get("components", {}).items():
            if kind == "securitySchemes" or not isinstance(rows, dict):
                continue
            kept = self.document["components"].setdefault(kind, {})
            for key, row in rows.items():
                kept[f"{name}.{key}"] = self._local(row, name, load)

    def _local(self, value: Any, name: str, load: Load) -> Any:
        if isinstance(value, list):
            return [self._local(each, name, load) for each in value]
        if not isinstance(value, dict):
            return value
        made = {
            key: self._local(each, name, load) for key, each in value.items() if key != "examples"
        }
        reference = value.get("$ref")
        if isinstance(reference, str):
            place, _, pointer = reference.partition("#")
            owner = name
            if place:
                owner, content = load(place)
                self._take_components(owner, content, load)
            parts = pointer.strip("/").split("/")
            if len(parts) == 3 and parts[0] == "components":
                made["$ref"] = f"#/components/{parts[1]}/{owner}.{parts[2]}"
        return made


def _renamed(document: Document, rows: list[Any], path: str, kept: str) -> list[Any]:
    """Parameters of a path under the names of its kept spelling; the last of a name counts."""
    named = dict(zip(_names(path), _names(kept), strict=True))
    made: dict[tuple[str, str], Any] = {}
    for each in rows:
        found = follow(document, each)
        if not isinstance(found, dict) or "name" not in found:
            continue
        name = found["name"]
        if found.get("in") == "path":
            if name not in named:
                continue
            name = named[name]
            found = {**found, "name": name, "required": True}
        made[found.get("in", ""), name.lower() if found.get("in") == "header" else name] = found
    for name in _names(kept):
        made.setdefault(
            ("path", name),
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}},
        )
    return list(made.values())


def _names(path: str) -> list[str]:
    return re.findall(r"\{([^}]*)\}", path)
