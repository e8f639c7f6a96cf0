"""Known errors of the vendors' documents, each with its reason; nothing else is forgiven."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tools.conform.merging import Document, follow, operations

__all__ = ["PATCHES", "patched"]

Change = Callable[[Document], int]
"""Mends a document in place; how many places it has mended."""


def _swml(document: Document) -> int:
    """SWML is a language whose steps hold steps: Prism unfolds references, and so without end."""
    schemas = document["components"].get("schemas", {})
    found = [name for name in schemas if name.endswith((".SWMLMethod", ".SWMLAction"))]
    for name in found:
        schemas[name] = {}
    return len(found)


def _form_lists(document: Document) -> int:
    """A list in a form is its name, once for each: OpenAPI's default, which Prism must be told."""
    count = 0
    for _, _, operation in operations(document):
        for kind, content in _bodies(document, operation):
            if kind == "application/json":
                continue
            rows = _properties(document, content.get("schema", {}))
            lists = {name for name, each in rows.items() if _is_list(document, each)}
            if lists:
                said = dict.fromkeys(sorted(lists), _AS_FORM)
                content["encoding"] = {**said, **content.get("encoding", {})}
                count += 1
    return count


def _empty_bodies(document: Document) -> int:
    """Nothing filled in is an empty form, or no body; Prism takes both for a missing one."""
    count = 0
    for _, _, operation in operations(document):
        body = follow(document, operation.get("requestBody", {}))
        needs = any(_needed(document, row.get("schema")) for _, row in _bodies(document, operation))
        if body.get("required") and not needs:
            operation["requestBody"] = {**body, "required": False}
            count += 1
    return count


def _one_of_a_list(document: Document) -> int:
    """``enum: [[…]]`` of type number, where the choices are the texts within."""
    count = 0

    def walk(value: Any) -> None:
        nonlocal count
        if isinstance(value, list):
            for each in value:
                walk(each)
        elif isinstance(value, dict):
            choices = value.get("enum")
            if isinstance(choices, list) and len(choices) == 1 and isinstance(choices[0], list):
                value["enum"], value["type"] = choices[0], "string"
                count += 1
            for each in value.values():
                walk(each)

    walk(document)
    return count


def _rooms(document: Document) -> int:
    """``/video/rooms/{id}`` and ``/video/rooms/{name}`` are one address: it takes both."""
    found = document["paths"].get("/api/video/rooms/{id}", {}).get("get")
    if found is None:
        return 0
    for each in found["parameters"]:
        if each.get("name") == "id":
            each["schema"] = {"type": "string"}
    return 1


def _overlapping(document: Document) -> int:
    """``oneOf`` where several fit: what is one account of Facebook's is one of TikTok's, too, and a
    template of a text message has nothing that one of a mail must not have."""
    count = 0
    for row in _schemas(document):
        found = row.get("oneOf", ())
        parts = [str(each.get("$ref", "")) for each in found if isinstance(each, dict)]
        if any(part.endswith(name) for part in parts for name in OVERLAPPING):
            row["anyOf"] = row.pop("oneOf")
            count += 1
    return count


OVERLAPPING = (".AttachFBAccountDTO", ".GetSmsTemplateResponseSchema")
ASKED: dict[tuple[str, str], tuple[str, ...]] = {
    ("post", "/conversations/messages"): ("subType", "status"),
    ("post", "/conversations/messages/inbound"): ("contactId", "conversationProviderId"),
    ("post", "/conversations/messages/outbound"): ("conversationProviderId",),
    ("post", "/opportunities/search"): ("searchAfter", "additionalDetails"),
}
"""Fields of HighLevel's bodies that are marked as required and are none: the kind of a message and
its status are the vendor's to say, a conversation has its contact and provider already, and
``searchAfter`` is the other way to page beside ``page``."""


def _asked(document: Document) -> int:
    count = 0
    for (method, path), names in ASKED.items():
        for _, content in _bodies(document, document["paths"].get(path, {}).get(method, {})):
            schema = follow(document, content.get("schema", {}))
            kept = [name for name in schema.get("required", ()) if name not in names]
            count += len(schema.get("required", ())) - len(kept)
            schema["required"] = kept
    return count


def _lists_of_lists(document: Document) -> int:
    """``items: {type: array}`` with nothing in it, where the items are objects: their generator's
    way to write a list of a class it could not name."""
    return sum(_emptied(row) for row in _schemas(document) if row.get("items") == {"type": "array"})


def _emptied(schema: dict[str, Any]) -> int:
    schema["items"] = {}
    return 1


def _texts(document: Document) -> int:
    """``type: object`` with a text for its example (a date, an id) and no properties: a text."""
    count = 0
    for row in _schemas(document):
        example = row.get("example")
        text = isinstance(example, str) and example[:1] != "{" and "properties" not in row
        if row.get("type") == "object" and text:
            row["type"] = "string"
            count += 1
    return count


def _refusals(document: Document) -> int:
    """Version 3 refuses with ``error`` as an object; some of its documents show the older text."""
    count = 0
    for row in _schemas(document):
        rows = row.get("properties")
        if isinstance(rows, dict) and "statusCode" in rows and "error" in rows:
            rows["error"] = {}
            count += 1
    return count


def _within(document: Document) -> int:
    """The messages of a conversation come within ``messages``. Assumed, as in the double, which has
    it of the vendor's clients; the specification shows the inner part alone. The connector reads
    both."""
    content = _answer(document, "/conversations/{conversationId}/messages")
    if content is None:
        return 0
    inner = content["schema"]
    content["schema"] = {
        "type": "object",
        "required": ["messages"],
        "properties": {"messages": inner},
    }
    return 1


def _free_times(document: Document) -> int:
    """The map of days has the ``traceId`` that every answer has."""
    content = _answer(document, "/calendars/{calendarId}/free-slots")
    if content is None:
        return 0
    content["schema"]["properties"] = {"traceId": {"type": "string"}}
    return 1


def _typing(document: Document) -> int:
    """``isTyping`` is said to be a text, and shown as true."""
    rows = [row["isTyping"] for row in _schemas(document) if isinstance(row.get("isTyping"), dict)]
    for row in rows:
        row["type"] = "boolean"
    return len(rows)


def _answer(document: Document, path: str) -> dict[str, Any] | None:
    """What a GET answers, where the document says so; compiled facts don't."""
    found = document["paths"].get(path, {}).get("get", {}).get("responses", {}).get("200", {})
    content: dict[str, Any] | None
    content = follow(document, found).get("content", {}).get("application/json")
    return content


def _schemas(value: Any) -> list[dict[str, Any]]:
    """Every object of a document, in order."""
    found: list[dict[str, Any]] = []
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            found.append(each)
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return found


def _bodies(document: Document, operation: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    body = follow(document, operation.get("requestBody", {}))
    return list(body.get("content", {}).items())


def _properties(document: Document, schema: Any) -> dict[str, Any]:
    plain = follow(document, schema)
    rows = dict(plain.get("properties", {}))
    for part in (*plain.get("allOf", ()), *plain.get("anyOf", ()), *plain.get("oneOf", ())):
        rows = {**_properties(document, part), **rows}
    return rows


def _needed(document: Document, schema: Any) -> bool:
    plain = follow(document, schema or {})
    parts = (*plain.get("allOf", ()), *plain.get("anyOf", ()), *plain.get("oneOf", ()))
    return bool(plain.get("required")) or any(_needed(document, part) for part in parts)


def _is_list(document: Document, schema: Any) -> bool:
    plain = follow(document, schema)
    parts = (*plain.get("allOf", ()), *plain.get("anyOf", ()), *plain.get("oneOf", ()))
    return plain.get("type") == "array" or any(_is_list(document, part) for part in parts)


_AS_FORM = {"style": "form", "explode": True, "allowReserved": True}
_FORMS = "lists in forms repeat their name (OpenAPI's default, which Prism must be told)"
_EMPTY = "a body that needs nothing may be left out (Prism asks for one)"

PATCHES: dict[str, dict[str, Change]] = {
    "crisp": {},
    "toky": {},
    "signalwire": {
        "steps of SWML scripts, which hold scripts, are read as anything": _swml,
        _FORMS: _form_lists,
        _EMPTY: _empty_bodies,
        "a room is found by id or name at one address, which is there twice": _rooms,
    },
    "highlevel": {
        _FORMS: _form_lists,
        _EMPTY: _empty_bodies,
        "alternatives of which several fit are said to exclude each other": _overlapping,
        "fields that need not be sent are marked as required": _asked,
        "lists of objects are written as lists of lists": _lists_of_lists,
        "texts are written as objects, with a text for an example": _texts,
        "refusals of version 3 are shown as the older ones": _refusals,
        "a conversation's messages come within messages": _within,
        "free times come with a traceId beside the days": _free_times,
        "isTyping is a Boolean, written as a text": _typing,
        "choices are written as one choice, a list": _one_of_a_list,
    },
}


def patched(vendor: str, document: Document) -> tuple[Document, list[str]]:
    """The document without its known errors, and what was mended, with counts."""
    mended = copy.deepcopy(document)
    said = []
    for name, change in PATCHES.get(vendor, {}).items():
        count = change(mended)
        if count:
            said.append(f"{name}: {count}")
    return mended, said
