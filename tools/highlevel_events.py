"""Compiles the fields of HighLevel's webhook events into the connector's facts: names and types.

python -m tools.highlevel_events SPECS   writes src/junctor/connectors/highlevel/events.json

SPECS is a folder with ``webhook_events.json``, the schemas and examples of the vendor's webhook
pages (GoHighLevel/highlevel-api-docs, CC0-1.0). Types come from a schema where there is one, else
from how an example is written; no value of an example is kept.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "src/junctor/connectors/highlevel/events.json"
_PLAIN = {"string", "number", "integer", "boolean"}
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]|$)")


def of_schema(schema: Any) -> dict[str, Any]:
    """A page's schema in the words of JSON Schema; nothing where it says nothing."""
    kind = schema.get("type") if isinstance(schema, dict) else None
    if isinstance(kind, dict):  # a field that is itself called "type"
        return {
            "type": "object",
            "properties": {key: of_schema(each) for key, each in schema.items()},
        }
    if isinstance(kind, list):  # a choice, perhaps of nothing
        kind = next((each for each in kind if each != "null"), None)
    if kind == "Date":
        return {"type": "string", "format": "date-time"}
    if isinstance(kind, str) and "/" in kind:
        return {"type": "string", "enum": kind.split("/")}
    if kind == "array":
        items = of_schema(schema.get("items") or {})
        return {"type": "array", "items": items}
    if kind == "object" or isinstance(schema.get("properties"), dict):
        rows = schema.get("properties") or {}
        return {"type": "object", "properties": {key: of_schema(row) for key, row in rows.items()}}
    return {"type": kind} if kind in _PLAIN else {}


def of_example(value: Any) -> dict[str, Any]:
    """The type of a value; a text that names a type stands for one."""
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int | float):
        return {"type": "number"}
    if isinstance(value, str):
        if value in _PLAIN:
            return {"type": value}
        return {"type": "string", **({"format": "date-time"} if _DATE.match(value) else {})}
    if isinstance(value, list):
        items: dict[str, Any] = {}
        for each in value:
            items = merged(items, of_example(each))
        return {"type": "array", "items": items}
    if isinstance(value, dict):
        rows = {key: of_example(each) for key, each in value.items() if key != "_unparsed"}
        return {"type": "object", "properties": rows}
    return {}


def merged(first: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What both say; where they differ, the first."""
    if not first or not other or first.get("type") != other.get("type"):
        return dict(first or other)
    if first["type"] == "object":
        rows = dict(first.get("properties", {}))
        for key, row in other.get("properties", {}).items():
            rows[key] = merged(rows.get(key, {}), row)
        return {"type": "object", "properties": rows}
    if first["type"] == "array":
        return {"type": "array", "items": merged(first.get("items", {}), other.get("items", {}))}
    return {**other, **first}


def compile_events(published: Mapping[str, Any]) -> dict[str, Any]:
    """Each event's fields."""
    out = {}
    for name in sorted(published):
        found: dict[str, Any] = {}
        for schema in published[name]["schemas"]:
            found = merged(found, of_schema(schema))
        for example in published[name]["examples"]:
            found = merged(found, of_example(example))
        out[name] = found
    return out


def main(specs: str) -> None:
    """Writes the file."""
    published = json.loads((Path(specs) / "webhook_events.json").read_text(encoding="utf-8"))
    facts = compile_events(published)
    lines = [f" {json.dumps(name)}: {json.dumps(facts[name])}" for name in facts]
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
