"""The modules of a compiled OpenAPI document: forms from its facts, requests from the arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from junctor.errors import DataError
from junctor.language.calls import parsed
from junctor.language.catalogue import Types, help_of, label_of, words
from junctor.language.connector import (
    Field,
    Flow,
    ModuleDef,
    Multipart,
    Paging,
    Part,
    Request,
    path,
)
from junctor.language.files import Content, File, file_or_buffer
from junctor.language.signatures import REQUIRED, Argument, Described, identifier

__all__ = ["modules_of"]

Facts = Mapping[str, Any]

_FORMATS = {"date-time", "date", "email", "uri", "uuid"}
_BINARY = {"binary", "byte", "base64"}
_PARAMETER = re.compile(r"\{([^{}/]+)\}")
_TYPES = Types({})
_LIMIT = Argument(
    "limit",
    Annotated[int, Field(label="Limit", help="The most results per cycle.", minimum=1)],
    10,
)


def modules_of(compiled: Facts) -> Iterator[ModuleDef]:
    """A module for each operation."""
    # With accounts, addresses are below the connection's base URL, which may be another.
    base = "" if compiled["accounts"] else compiled["base_url"]
    for operation in compiled["operations"]:
        yield _module(operation, compiled["name"], base)


def _module(operation: Facts, connector: str, base: str) -> ModuleDef:
    call = _Call(operation, base)
    search = operation.get("search", False)
    paging = operation.get("paging")
    plain = search or operation["answer"] == "json"
    help_text = _help(operation)
    return ModuleDef(
        connector=connector,
        name=operation["name"],
        label=label_of(operation),
        kind="search" if search else "action",
        function=Described(
            call.request if plain else call.flow,
            call.arguments,
            name=identifier(operation["name"]),
            doc=help_text,
        ),
        help=help_text,
        effect="read" if search else operation["effect"],
        items=operation.get("items") or None,
        paging=Paging(**paging) if paging else None,
        limit_field="limit" if search else None,
        generated=True,
    )


def _help(operation: Facts) -> str:
    """What the document says of the operation, else what its name does."""
    said = operation.get("summary", "")
    place = f"`{operation['method']} {operation['path']}`."
    if len(said) > 10 and said[0].isascii() and said[0].isalpha():
        end = "" if said.endswith((".", "…", "!", "?")) else "."
        text = f"{said[0].upper()}{said[1:]}{end}\n\n{place}"
    else:
        text = help_of(operation)
        if len(text.split("\n")[0]) <= 10:
            text = f"Does the operation “{label_of(operation)}”.\n\n{place}"
    return f"{text}\n\nIts vendor calls it deprecated." if operation.get("deprecated") else text


class _Call:
    """One operation: which arguments it takes, and the request they make."""

    def __init__(self, operation: Facts, base: str) -> None:
        self._operation = operation
        self._base = base
        self._names: dict[tuple[str, str], str] = {}
        self._rows: list[Argument] = []
        paging = operation.get("paging") or {}
        # What the framework fills in is no field.
        self._own = {paging.get("param", ""), paging.get("limit_param", "")} - {""}

    def arguments(self) -> list[Argument]:
        """What the operation takes: first what must be filled in. Made once, when first needed."""
        if not self._rows:
            rows = [*self._params(), *self._body()]
            if self._operation.get("search"):
                rows.append(_LIMIT)
            self._rows = sorted(rows, key=lambda row: not row.required)
        return self._rows

    def flow(self, **given: Any) -> Flow:
        """The flow of an operation whose answer may be anything: its status, headers and body."""
        response = yield self.request(**given)
        return {
            "statusCode": response.status,
            "headers": dict(response.headers),
            "body": parsed(response) if response.body else None,
        }

    def request(self, **given: Any) -> Request:
        """The request of the operation. `DataError` on a value that can't be sent."""
        self.arguments()
        values = {
            slot: given[argument]
            for slot, argument in self._names.items()
            if given.get(argument, "") != "" and (given[argument] is not None or slot[0] == "body")
        }
        query: list[tuple[str, str]] = []
        headers: dict[str, str] = {}
        for row in self._operation["params"]:
            value = values.get((row["in"], row["name"]))
            if value is None or row["in"] == "path":
                continue
            if row["in"] == "query":
                query += _query(row, value)
            else:
                text = ",".join(text for _, text in _query({**row, "explode": False}, value))
                if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
                    raise DataError(reason=f"{row['name']}: a header can't hold a line break")
                headers[row["name"]] = text
        body = {name: value for (place, name), value in values.items() if place == "body"}
        sent = self._sent(body, headers)
        return Request(
            self._operation["method"],
            self._base + self._address(values),
            query=tuple(query),
            headers=headers,
            **sent,
        )

    def _address(self, values: Mapping[tuple[str, str], Any]) -> str:
        def quoted(match: re.Match[str]) -> str:
            value = values.get(("path", match[1]))
            if isinstance(value, list):
                value = ",".join(_text(each) for each in value)
            return path(None if value is None else _text(value))[1:]

        return _PARAMETER.sub(quoted, self._operation["path"])

    def _sent(self, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        facts = self._operation.get("body")
        if facts is None or (not body and not facts.get("required")):
            return {}
        whole = body.get("")
        kind, media = facts["kind"], facts["type"]
        if kind == "json":
            if "*" not in media and media != "application/json":
                headers["Content-Type"] = media
            return {"json": whole if ("body", "") in self._names else body}
        rows = whole if isinstance(whole, dict) else body
        if kind == "form":
            return {"form": tuple(pair for name in rows for pair in _form(name, rows[name]))}
        if kind == "multipart":
            return {"body": Multipart(tuple(self._parts(rows)))}
        headers["Content-Type"] = "application/octet-stream" if "*" in media else media
        whole = file_or_buffer(whole)
        given = isinstance(whole, bytes | File)
        content = whole if given else _text(whole or "").encode()
        return {"body": content}

    def _parts(self, rows: Mapping[str, Any]) -> Iterator[Part]:
        for name, value in rows.items():
            if name.endswith(_FILE_NAME) and name.removesuffix(_FILE_NAME) in rows:
                continue
            for each in map(file_or_buffer, value if isinstance(value, list) else [value]):
                if isinstance(each, bytes | File):
                    called = rows.get(name + _FILE_NAME) or "file"
                    yield Part(name, each, filename=str(called))
                elif isinstance(each, dict):
                    yield Part(name, _text(each).encode(), content_type="application/json")
                elif each is not None:
                    yield Part(name, _text(each).encode())

    # Arguments

    def _params(self) -> Iterator[Argument]:
        for row in self._operation["params"]:
            if row["in"] != "query" or row["name"] not in self._own:
                yield self._argument(row["in"], row["name"], row["schema"], needed=row["required"])

    def _body(self) -> Iterator[Argument]:
        facts = self._operation.get("body")
        if facts is None:
            return
        schema, kind = facts.get("schema", {}), facts["kind"]
        properties = schema.get("properties")
        if properties is None or kind in {"text", "bytes"}:
            hint: Any = {"text": str, "bytes": Content}.get(kind) or _TYPES.hint(schema)
            self._names["body", ""] = "body"
            shown = Field(label="Body", help=schema.get("help", ""), multiline=kind == "text")
            yield Argument(
                "body", Annotated[hint, shown], REQUIRED if facts.get("required") else ""
            )
            return
        required = set(schema.get("required", ())) if facts.get("required") else set()
        for name, each in properties.items():
            yield self._argument("body", name, each, needed=name in required)
            if kind == "multipart" and _is_file(each) and name + _FILE_NAME not in properties:
                row = {"type": "string", "help": "With its ending, such as photo.jpg."}
                yield self._argument("body", name + _FILE_NAME, row, needed=False)

    def _argument(self, place: str, name: str, schema: Facts, *, needed: bool) -> Argument:
        argument = identifier(name)
        kept = {"limit", "body"} if self._operation.get("search") else {"body"}
        if argument in self._names.values() or argument in kept:
            argument = f"{place}_{argument}"
        number, first = 1, argument
        while argument in self._names.values():
            number += 1
            argument = f"{first}{number}"
        self._names[place, name] = argument
        key = name if argument == identifier(name) and name != argument.removesuffix("_") else None
        hint = Content if _is_file(schema) and place == "body" else _TYPES.hint(schema)
        if not needed and place == "body" and hint is not Any:
            hint = hint | None
        return Argument(
            argument,
            Annotated[hint, _field(name, schema, key, advanced=not needed and place != "body")],
            REQUIRED if needed else "",
        )


_FILE_NAME = "_filename"
"""Beside a file of a multipart body: the field of its name."""


def _is_file(schema: Facts) -> bool:
    return schema.get("type") in ("string", ["string", "null"]) and schema.get("format") in _BINARY


def _field(name: str, schema: Facts, key: str | None, *, advanced: bool) -> Field:
    texts = [schema.get("help", "")]
    if "default" in schema:
        texts.append(f"If left empty, the vendor takes {_text(schema['default'])}.")
    wanted = schema.get("format")
    return Field(
        label=words(name),
        help=" ".join(text for text in texts if text),
        example=schema.get("example"),
        format=wanted if wanted in _FORMATS else None,
        key=key,
        advanced=advanced,
    )


def _query(row: Facts, value: Any) -> Iterator[tuple[str, str]]:
    """A parameter as its style says (specification 3.1, *Style values*)."""
    name, style = row["name"], row.get("style", "form")
    if style == "json":
        yield name, json.dumps(value, ensure_ascii=False, default=str)
    elif isinstance(value, dict):
        pairs = [(str(key), _text(each)) for key, each in value.items() if each is not None]
        if style == "deepObject":
            yield from ((f"{name}[{key}]", text) for key, text in pairs)
        elif row.get("explode"):
            yield from pairs
        else:
            yield name, ",".join(f"{key},{text}" for key, text in pairs)
    elif isinstance(value, list):
        texts = [_text(each) for each in value]
        if row.get("explode"):
            yield from ((name, text) for text in texts)
        elif texts:
            mark = {"spaceDelimited": " ", "pipeDelimited": "|"}.get(style, ",")
            yield name, mark.join(texts)
    else:
        yield name, _text(value)


def _form(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """A field of a form: a list repeats its name, an object is JSON, what was erased is empty."""
    for each in value if isinstance(value, list) else [value]:
        yield name, "" if each is None else _text(each)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return str(value)
