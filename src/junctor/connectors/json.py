"""JSON: text to bundles and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec

from junctor.errors import DataError
from junctor.language.connector import Bundle, Connector, Field
from junctor.language.values import ERASE, IGNORE, plain, show

__all__ = ["json"]

json = Connector(name="json", label="JSON")


@json.transform("Parse JSON", name="ParseJSON")
def parse_json(
    json_: Annotated[str, Field(label="JSON string", multiline=True)],
    type_: Annotated[
        Any,
        Field(
            label="Data structure",
            help="Kept from imported blueprints; the text alone decides what comes out.",
            static=True,
            advanced=True,
        ),
    ] = None,
) -> Iterator[Bundle]:
    """Gives the fields of a JSON text; an array gives one bundle for each of its items."""
    del type_
    for item in _items(_decoded(json_)):
        yield item if isinstance(item, dict) else {"value": item}


def _items(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}"))
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        reason = str(error).replace("JSON is malformed: ", "")
        raise DataError(
            reason=f"{show(text)} is not valid JSON ({reason}); "
            "correct the text, or take a Markdown fence or comment away before"
        ) from error


@json.transform("Create JSON", name="CreateJSON", raw=True, schema=lambda: _CREATE)
def create_json(parameters: Mapping[str, Any], mapper: Mapping[str, Any]) -> Bundle:
    """Gives a JSON text made of the mapped fields."""
    values = plain(
        {
            name: value
            for name, value in mapper.items()
            if value is not IGNORE and value is not ERASE
        }
    )
    text = msgspec.json.encode(values)
    width = _INDENTS.get(str(parameters.get("space") or ""))
    if width is not None:
        text = msgspec.json.format(text, indent=width)
        if parameters.get("space") == "tab":
            text = b"\n".join(_tabbed(line) for line in text.split(b"\n"))
    return {"json": text.decode()}


_INDENTS: dict[str, int] = {"2": 2, "4": 4, "tab": 1}


def _tabbed(line: bytes) -> bytes:
    bare = line.lstrip(b" ")
    return b"\t" * (len(line) - len(bare)) + bare


_CREATE: Mapping[str, Any] = {
    "additionalProperties": True,
    "properties": {
        "space": {
            "title": "Indentation",
            "type": "string",
            "enum": ["", "2", "4", "tab"],
            "x-static": True,
            "x-advanced": True,
        },
    },
}
