"""Every operation that has no module of its own made by hand, from the catalogue.

``catalogue/index.json`` says what a list of modules needs and is read at once; the fields of an
operation lie in a file per app, read when its form or its request is first asked for. The facts are
compiled by ``tools/catalogue_highlevel.py`` from the vendor's specification (CC0).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Annotated, Any

import msgspec

from junctor.connectors.highlevel.account import LOCATION, V3, highlevel, said
from junctor.connectors.highlevel.table import MADE, location
from junctor.language.calls import effect_of_method
from junctor.language.catalogue import Conventions, modules_from, words
from junctor.language.connector import (
    Effect,
    Field,
    ModuleDef,
    Multipart,
    Paging,
    Part,
    Request,
)
from junctor.language.files import Content, File
from junctor.language.signatures import Argument, Described

__all__ = ["operations", "register"]

OWN = ("locationId", "altId")
"""What is the connection's location unless the module says otherwise."""
BY_FUNCTIONS = {
    ("POST", "/contacts/search"),
    ("GET", "/contacts/"),
    ("GET", "/opportunities/search"),
    ("GET", "/conversations/search"),
    ("GET", "/conversations/{conversationId}/messages"),
    ("GET", "/conversations/messages/{messageId}/locations/{locationId}/recording"),
    (
        "GET",
        "/conversations/locations/{locationId}/messages/{messageId}/transcription/download",
    ),
}
"""Operations whose modules made by hand take several requests."""
READS = ("search", "validate", "filter-by")
"""In the last part of a POST's path: it only looks."""
PAGES = {
    "offset": Paging(style="offset", param="offset"),
    "skip": Paging(style="skip", param="skip"),
    "page": Paging(style="page", param="page", first=1),
}
_HERE = files("junctor.connectors.highlevel") / "catalogue"
_WHERE = Annotated[
    str,
    Field(
        label="Location ID", help="Empty: the connection's own.", advanced=True, options=location
    ),
]
Row = Mapping[str, Any]


def operations() -> Iterator[Row]:
    """The rows of the index, by column."""
    index = msgspec.json.decode((_HERE / "index.json").read_bytes())
    for row in index["operations"]:
        yield dict(zip(index["columns"], row, strict=True))


@lru_cache(maxsize=64)
def _fields(app: str) -> Mapping[str, Row]:
    found: Mapping[str, Row] = msgspec.json.decode((_HERE / f"{app}.json").read_bytes())
    return found


def _later(operation: Row) -> Described:
    """A module's function, made when it is first asked for its form or called."""

    @cache
    def whole() -> Callable[..., Any]:
        return _function(operation)

    def arguments() -> list[Argument]:
        found = inspect.signature(whole()).parameters.values()
        return [Argument(each.name, each.annotation, each.default) for each in found]

    return Described(
        lambda **given: _sent(operation, whole()(**given)),
        arguments,
        name=operation["name"],
        doc="",
    )


def _function(operation: Row) -> Callable[..., Any]:
    fields = _fields(operation["app"])[operation["key"]]
    query, body = dict(fields.get("query", {})), dict(fields.get("body", {}))
    rows: Mapping[str, Row] = body.get("properties", {})
    form = fields.get("form", "")
    binary = {
        key
        for key, each in rows.items()
        if form == "multipart" and (key == "file" or each.get("format") == "binary")
    }
    inner = {
        **body,
        "required": [key for key in body.get("required", ()) if key not in (*OWN, "altType")],
    }
    whole = {
        **operation,
        "query": query,
        "needs": [key for key in fields.get("needs", ()) if key not in (*OWN, "altType")],
        **({"body": inner if rows else body} if body else {}),
        "body_required": bool(rows) and operation["method"] != "DELETE",
        "result": "list" if operation["paging"] else "object",
    }
    conventions = Conventions(
        headers=_headers,
        error_text=said,
        filled={"locationId": LOCATION},
        known={
            "locationId": _WHERE,
            **{key: Annotated[Content, Field(label=words(key))] for key in binary},
        },
    )
    [made] = modules_from({"operations": [whole]}, "highlevel", conventions)
    return made.function


def _sent(operation: Row, request: Request) -> Request:
    """The same request with the location where it is asked for, and in the form it is asked for."""
    fields = _fields(operation["app"])[operation["key"]]
    query, rows = fields.get("query", {}), fields.get("body", {}).get("properties", {})
    form = fields.get("form", "")
    asked = {**dict(request.query), **_own(query, dict(request.query))}
    content: Any = request.json
    if isinstance(content, dict):
        content = {**content, **_own(rows, content)}
    more: dict[str, Any] = {"json": content}
    if form == "multipart":
        given = content if isinstance(content, dict) else {}
        more = {"body": Multipart(tuple(_part(name, value) for name, value in given.items()))}
    elif form:
        more = {"form": content}
    return Request(request.method, request.url, query=asked, headers=request.headers, **more)


def _own(asked: Row, given: Row) -> dict[str, Any]:
    made: dict[str, Any] = {key: LOCATION for key in OWN if key in asked and not given.get(key)}
    if "altType" in asked and not given.get("altType"):
        made["altType"] = "location"
    return made


def _part(name: str, value: Any) -> Part:
    if isinstance(value, bytes | File):
        return Part(name=name, data=value, filename=name)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return Part(name=name, data=text.encode())


def _headers(operation: Row) -> Mapping[str, str]:
    return {"Version": operation["version"] or V3}


def _module(operation: Row) -> ModuleDef:
    paged = operation["paging"]
    app = words(operation["app"].replace("-", "_"))
    shown = words(operation["name"])
    label = f"{app}: {shown[0].lower()}{shown[1:]}"
    old = " (deprecated)" if operation["deprecated"] else ""
    version = operation["version"] or V3
    scopes = operation["scopes"].replace(" ", ", ")
    needs = f" It needs the scope {scopes}." if scopes else ""
    return ModuleDef(
        connector="highlevel",
        name=operation["name"],
        label=label + old,
        kind="search" if paged else "action",
        function=_later(operation),
        help=f"{label}.\n\n`{operation['method']} {operation['path']}`, version {version}.{needs}",
        effect=_effect(operation),
        items=operation["items"] or None,
        paging=PAGES[paged] if paged else None,
        limit_field="limit" if paged else None,
        generated=True,
    )


def _effect(operation: Row) -> Effect:
    last = operation["path"].rstrip("/").rpartition("/")[2]
    if operation["method"] == "POST" and last.startswith(READS):
        return "read"
    return effect_of_method(operation["method"])


def register() -> None:
    """Adds a module for every operation that has none yet."""
    made = MADE | BY_FUNCTIONS
    for row in operations():
        if (row["method"], row["path"]) in made:
            continue
        # Where another operation has the name by hand, the app tells them apart.
        taken = row["name"] in highlevel.modules
        name = _free(row["name"], row["app"]) if taken else row["name"]
        highlevel.add(_module({**row, "key": row["name"], "name": name}))


def _free(name: str, app: str) -> str:
    first, *rest = app.split("-")
    return "".join([first, *(part.capitalize() for part in rest), name[0].upper(), name[1:]])
