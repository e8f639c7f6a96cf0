"""Example values from JSON Schema: what a field of this name and type may hold.

Pure and deterministic: the same schema gives the same example, so that forms, documentation and
tests show the same person. Everything is made up; telephone numbers and names of hosts are of those
that are reserved for it (555-01XX, RFC 2606).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

__all__ = ["DATE", "example_of", "fits", "id_of"]

DATE = "2026-01-15T09:30:00.000Z"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TEXTS: tuple[tuple[str, str], ...] = (
    (r"e-?mail(to|from)?$|^(sender|recipient)$", "ada@example.com"),
    (r"phone|fax|extension", "+12025550143"),
    (r"first_?name", "Ada"),
    (r"last_?name|surname", "Lovelace"),
    (r"company_?name|business", "Example Company"),
    (r"(url|uri|website|logo|image|photo|link)$", "https://example.com/1"),
    (r"domain|host$", "example.com"),
    (r"-ip$|^ip", "192.0.2.1"),
    (r"postal_?code|zip", "10001"),
    (r"address", "1 Example Street"),
    (r"city", "New York"),
    (r"^state$", "NY"),
    (r"country", "US"),
    (r"currency", "USD"),
    (r"time_?zone", "America/New_York"),
    (r"direction", "inbound"),
    (r"(^|_|[a-z])(date|at|time|date(added|updated)|dateofbirth)$", DATE),
    (r"name|title|subject|label", "Example"),
    (r"body|message|notes?$|description|html|text", "An example."),
    (r"number", "1001"),
)
_READ = tuple((re.compile(pattern, re.IGNORECASE), text) for pattern, text in _TEXTS)
_ID = re.compile(r"(^|_|-)id$|[a-z]Ids?$|^(assignedTo|users|owners|followers|locations)$")


def id_of(name: str, seed: str = "") -> str:
    """Twenty letters and digits, always the same for the same name."""
    number = int.from_bytes(sha256(f"{seed} {name}".encode()).digest(), "big")
    out = []
    for _ in range(20):
        number, digit = divmod(number, len(_ALPHABET))
        out.append(_ALPHABET[digit])
    return "".join(out)


def example_of(schema: Mapping[str, Any], name: str = "", *, seed: str = "") -> Any:
    """A value that fits the schema; ``name`` is its field's. Ids differ by ``seed``."""
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        rows = schema.get("properties", {})
        return {key: example_of(row, key, seed=seed) for key, row in rows.items()}
    if kind == "array":
        items = schema.get("items") or {}
        return [example_of(items, name, seed=seed)] if items else []
    if kind == "boolean":
        return True
    if kind in {"number", "integer"}:
        return 1
    return _text(schema, name, seed) if kind == "string" else None


def _text(schema: Mapping[str, Any], name: str, seed: str) -> str:
    if schema.get("format") == "date-time":
        return DATE
    if _ID.search(name):
        return id_of(name, seed)
    for pattern, text in _READ:
        if pattern.search(name):
            return text
    return "example"


def fits(value: Any, schema: Mapping[str, Any], path: str = "") -> list[str]:
    """Where a value is not of the schema's types, or has a field that the schema does not know."""
    if schema.get("enum") and value not in schema["enum"]:
        return [f"{path or 'value'}: {value!r} is none of {schema['enum']}"]
    kind = schema.get("type")
    wanted: Any = {
        "object": dict,
        "array": list,
        "string": str,
        "boolean": bool,
        "integer": int,
        "number": (int, float),
    }.get(str(kind), object)
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind in {"integer", "number"}):
        return [f"{path or 'value'}: {value!r} is no {kind}"]
    if kind == "array":
        items = schema.get("items") or {}
        return [line for each in value for line in fits(each, items, f"{path}[]")]
    if kind == "object" and "properties" in schema:
        rows = schema["properties"]
        unknown = [f"{path}.{key}: no such field" for key in value if key not in rows]
        known = (fits(value[key], rows[key], f"{path}.{key}") for key in value if key in rows)
        return unknown + [line for lines in known for line in lines]
    return []
