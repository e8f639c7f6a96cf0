"""Schemas of an OpenAPI document as a catalogue's: flat, without references, bounded.

What a form can't show (a choice of shapes, a loop, the fifth level) becomes a collection of
anything: the user can still map one, and the vendor says what it thinks of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Resolver", "as_list", "as_mapping", "short"]

DEEPEST = 4
"""Levels of nested objects that a form shows."""
MOST_FIELDS = 500
"""Fields of one operation's body; what lies deeper is a collection of anything."""
MOST_CHOICES = 250
MOST_WORK = 3_000
"""Schemas that are looked at for one operation: combinations of combinations have no end."""
_HOPS = 50
_SIMPLE = {"string", "integer", "number", "boolean"}


def as_mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one: documents in practice have both."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def short(text: Any, most: int = 400) -> str:
    """A text on one line, shortened; empty if it is none."""
    if not isinstance(text, str):
        return ""
    # Cut before it is split: a description may be a book.
    line = " ".join(text[: most * 4].split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


class Resolver:
    """Follows a document's own references; no other document is ever fetched."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self.foreign: set[str] = set()
        """References to other documents, which were left out."""
        self._left, self._work = MOST_FIELDS, MOST_WORK

    def resolved(self, value: Any) -> Mapping[str, Any]:
        """The object that a reference stands for; empty if it leads nowhere, out, or in a ring."""
        found = as_mapping(value)
        for _ in range(_HOPS):
            pointer = found.get("$ref")
            if not isinstance(pointer, str):
                return found
            target = as_mapping(self._pointed(pointer))
            # OpenAPI 3.1 lets a few words stand beside a reference; they win.
            beside = {key: found[key] for key in ("description", "summary") if key in found}
            found = {**target, **beside}
        return {}

    def _pointed(self, pointer: str) -> Any:
        if not pointer.startswith("#"):
            if len(self.foreign) < 100:
                self.foreign.add(pointer[:200])
            return None
        here: Any = self._document
        for part in pointer[1:].split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(here, list) and key.isdigit() and len(key) < 7 and int(key) < len(here):
                here = here[int(key)]
            else:
                here = as_mapping(here).get(key)
        return here

    def begin(self) -> None:
        """Gives the next operation its fields and its share of work."""
        self._left, self._work = MOST_FIELDS, MOST_WORK

    def schema(self, value: Any, depth: int = 0, *, sent: bool = True) -> dict[str, Any]:
        """A schema in the catalogue's words. ``sent``: without fields that only answers have."""
        merged = self._merged(value, 0)
        kind, nullable = _kind(merged)
        out: dict[str, Any] = {}
        if kind == "object":
            out = self._object(merged, depth, sent=sent)
        elif kind == "array":
            out = {"type": "array", "items": {}}
            if depth < DEEPEST:
                out["items"] = self.schema(merged.get("items"), depth + 1, sent=sent)
        elif kind in _SIMPLE:
            out = {"type": kind}
        choices = _choices(merged, kind)
        if choices:
            out = {"type": kind, "enum": choices}
        if nullable and out:
            out["type"] = [out["type"], "null"]
        return {**out, **_words(merged)}

    def _object(self, merged: Mapping[str, Any], depth: int, *, sent: bool) -> dict[str, Any]:
        properties = as_mapping(merged.get("properties"))
        if not properties or depth >= DEEPEST or len(properties) > self._left:
            return {"type": "object"}
        self._left -= len(properties)
        rows = {}
        for name, each in properties.items():
            plain = self.resolved(each)
            if name and not (sent and plain.get("readOnly") is True):
                rows[name] = self.schema(plain, depth + 1, sent=sent)
        needed = [
            name
            for name in as_list(merged.get("required"))
            if isinstance(name, str) and name in rows
        ]
        return {"type": "object", "properties": rows, "required": list(dict.fromkeys(needed))}

    def _merged(self, value: Any, depth: int) -> Mapping[str, Any]:
        """The schema with its ``allOf`` in one; of ``oneOf`` and ``anyOf`` what all have in common.

        Objects of different shapes become one with all fields, of which those are required that
        every shape requires.
        """
        plain = self.resolved(value)
        self._work -= 1
        if len(as_mapping(plain.get("properties"))) > MOST_FIELDS:
            plain = {key: each for key, each in plain.items() if key != "properties"}
        if depth > DEEPEST or self._work < 0:
            return {key: plain[key] for key in ("type", "format", "description") if key in plain}
        every = [self._merged(each, depth + 1) for each in as_list(plain.get("allOf"))[:50]]
        out = dict(plain)
        for each in every:
            out = _both(out, each)
        for word in ("oneOf", "anyOf"):
            given = as_list(plain.get(word))[:50]
            if given:
                out = self._one_of(out, [self._merged(each, depth + 1) for each in given])
        return out

    def _one_of(self, base: dict[str, Any], variants: list[Mapping[str, Any]]) -> dict[str, Any]:
        rest = [each for each in variants if each.get("type") != "null"]
        nullable = len(rest) < len(variants)
        if len(rest) == 1:
            out = _both(base, rest[0])
        else:
            kinds = {_kind(each)[0] for each in rest}
            if len(kinds) != 1 or not rest:
                return {key: text for key, text in base.items() if key not in {"type", "enum"}}
            [kind] = kinds
            out = {**base, "type": kind}
            if kind == "object":
                fields: dict[str, Any] = {}
                for each in rest:
                    fields = {**as_mapping(each.get("properties")), **fields}
                common = set.intersection(
                    *({str(name) for name in as_list(each.get("required"))} for each in rest)
                )
                shape = {"properties": fields, "required": sorted(common)}
                out = _both({**base, "type": kind}, shape)
            elif kind in _SIMPLE and all(as_list(each.get("enum")) for each in rest):
                out["enum"] = [choice for each in rest for choice in as_list(each["enum"])]
        return {**out, "nullable": True} if nullable else out


def _both(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """One schema that says what both say; the first's words win."""
    out = {**second, **first}
    properties = {**as_mapping(second.get("properties")), **as_mapping(first.get("properties"))}
    if properties:
        out["properties"] = properties
    required = [*as_list(first.get("required")), *as_list(second.get("required"))]
    if required:
        out["required"] = [name for name in required if isinstance(name, str)]
    return out


def _kind(schema: Mapping[str, Any]) -> tuple[str, bool]:
    """The one JSON type of a schema (empty: any), and whether null is allowed, too."""
    said = schema.get("type")
    kinds = [each for each in as_list(said) if isinstance(each, str)]
    nullable = schema.get("nullable") is True or "null" in kinds
    rest = [each for each in kinds if each != "null"]
    kind = said if isinstance(said, str) else rest[0] if len(rest) == 1 else ""
    if not kind and not rest:
        if isinstance(schema.get("properties"), dict):
            kind = "object"
        elif "items" in schema:
            kind = "array"
    return (kind if kind in {*_SIMPLE, "object", "array"} else ""), nullable


def _choices(schema: Mapping[str, Any], kind: str) -> list[Any]:
    given = as_list(schema.get("enum"))
    if not given and "const" in schema:
        given = [schema["const"]]
    wanted: Any = {"string": str, "integer": int}.get(kind)
    if wanted is None or not given or len(given) > MOST_CHOICES:
        return []
    found = [each for each in given if type(each) is wanted]
    return list(dict.fromkeys(found))


def _words(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What a form shows of a field beside its type."""
    out: dict[str, Any] = {}
    if about := short(schema.get("description")):
        out["help"] = about
    if isinstance(schema.get("format"), str):
        out["format"] = schema["format"][:40]
    if isinstance(schema.get("contentMediaType"), str) and "format" not in out:
        out["format"] = "binary"
    examples = as_list(schema.get("examples"))
    given = {
        "example": schema.get("example", examples[0] if examples else None),
        "default": schema.get("default"),
        "maximum": schema.get("maximum"),
    }
    return out | {word: value for word, value in given.items() if _plain(value)}


def _plain(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 200)
