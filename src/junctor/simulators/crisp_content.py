"""Validation of what is written to a simulated Crisp: messages and people profiles.

Shapes follow the types of the vendor's library for Node (crisp-api 11.3.0). Assumed: that unknown
keys are refused, which keeps a client honest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from junctor.simulators import checks
from junctor.simulators.checks import Check, schema_of_object, taking
from junctor.simulators.kit import Refused

__all__ = [
    "META",
    "PROFILE",
    "check_content",
    "check_message",
    "check_profile",
    "message_shape",
    "require",
]


@taking(type="number")
def number(value: Any) -> str | None:
    """A number."""
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    return None if fits else "must be a number"


def anything(_value: Any) -> str | None:
    """Whatever it is."""
    return None


def within(shape: Mapping[str, Check], required: Iterable[str] = ()) -> Check:
    """An object of a shape."""
    needed = tuple(required)

    @taking(**schema_of_object(shape, needed))
    def check(value: Any) -> str | None:
        if not isinstance(value, dict):
            return "must be an object"
        found = checks.problems(value, shape, needed)
        return f"is not valid ({'; '.join(found)})" if found else None

    return check


def rows(shape: Mapping[str, Check], required: Iterable[str] = ()) -> Check:
    """A list of objects of a shape."""
    one = within(shape, required)

    @taking(type="array", items=schema_of_object(shape, required))
    def check(value: Any) -> str | None:
        if not isinstance(value, list):
            return "must be an array"
        return next((message for message in map(one, value) if message), None)

    return check


@taking(type="array", items={"type": "number"})
def numbers(value: Any) -> str | None:
    """A list of numbers."""
    if not isinstance(value, list):
        return "must be an array"
    return next((message for message in map(number, value) if message), None)


@taking(type="string", pattern="^https?://")
def uri(value: Any) -> str | None:
    """An address."""
    fits = isinstance(value, str) and value.startswith(("http://", "https://"))
    return None if fits else "must be a URL"


@taking(type="string", pattern="^(chat|email|urn:.*)$")
def origin(value: Any) -> str | None:
    """Where a message comes from."""
    fits = isinstance(value, str) and (value in {"chat", "email"} or value.startswith("urn:"))
    return None if fits else "must be chat, email or a URN"


_CHOICE = within(
    {
        "value": checks.filled,
        "label": checks.filled,
        "icon": checks.text,
        "selected": checks.boolean,
        "action": within({"type": checks.filled, "target": checks.filled}),
    },
    ("value", "label"),
)
_CARD: Mapping[str, Check] = {
    "title": checks.filled,
    "description": checks.text,
    "image": uri,
    "actions": rows({"label": checks.filled, "url": uri}),
}


@taking(type="array", minItems=1, items=checks.schema_of(_CHOICE))
def _choices(value: Any) -> str | None:
    if not isinstance(value, list) or not value:
        return "must be an array that is not empty"
    return next((message for message in map(_CHOICE, value) if message), None)


_CONTENT: Mapping[str, Check] = {
    "text": checks.filled,
    "note": checks.filled,
    "file": within(
        {"name": checks.filled, "url": uri, "type": checks.filled}, ("name", "url", "type")
    ),
    "animation": within({"url": uri, "type": checks.filled}, ("url", "type")),
    "audio": within({"url": uri, "type": checks.filled, "duration": number}, ("url", "type")),
    "picker": within(
        {
            "id": checks.filled,
            "text": checks.text,
            "choices": _choices,
            "required": checks.boolean,
        },
        ("id", "choices"),
    ),
    "field": within(
        {
            "id": checks.filled,
            "text": checks.text,
            "explain": checks.text,
            "value": checks.text,
            "required": checks.boolean,
        },
        ("id", "explain"),
    ),
    "carousel": within({"text": checks.text, "targets": rows(_CARD, ("title",))}, ("targets",)),
    "event": within({"namespace": checks.filled, "text": checks.text}, ("namespace",)),
}

_MESSAGE: Mapping[str, Check] = {
    "type": checks.one_of(*_CONTENT),
    "from": checks.one_of("user", "operator"),
    "origin": origin,
    "content": anything,
    "fingerprint": checks.whole(0, 2**53),
    "mentions": checks.texts,
    "user": within(
        {"type": checks.text, "nickname": checks.text, "avatar": uri, "user_id": checks.text}
    ),
    "original": within({"original_id": checks.text, "type": checks.text, "content": anything}),
    "translated": checks.boolean,
    "references": rows({"type": checks.text, "name": checks.text, "target": checks.text}),
    "properties": checks.mapping,
    "timestamp": number,
    "stealth": checks.boolean,
    "automated": checks.boolean,
}

_GEOLOCATION = within(
    {
        "country": checks.nullable(checks.text),
        "region": checks.nullable(checks.text),
        "city": checks.nullable(checks.text),
        "coordinates": within(
            {"latitude": checks.nullable(number), "longitude": checks.nullable(number)}
        ),
    }
)


def _texts_of(*names: str) -> dict[str, Check]:
    return {name: checks.nullable(checks.text) for name in names}


PROFILE: Mapping[str, Check] = {
    "email": checks.email,
    "person": within(
        {
            **_texts_of("nickname", "gender", "phone", "address", "description"),
            "avatar": checks.nullable(uri),
            "website": checks.nullable(uri),
            "timezone": checks.nullable(number),
            "profiles": rows({"type": checks.text, "handle": checks.text, "url": checks.text}),
            "employment": within(_texts_of("name", "domain", "title", "role", "seniority")),
            "geolocation": _GEOLOCATION,
            "locales": checks.texts,
        }
    ),
    "company": within(
        {
            **_texts_of("name", "legal_name", "domain", "description"),
            "url": checks.nullable(uri),
            "timezone": checks.nullable(number),
            "phones": checks.texts,
            "emails": checks.texts,
            "geolocation": _GEOLOCATION,
            "metrics": within(
                {
                    name: checks.nullable(number)
                    for name in ("employees", "market_cap", "raised", "arr")
                }
            ),
            "tags": checks.texts,
        }
    ),
    "segments": checks.texts,
    "notepad": checks.nullable(checks.text),
    "active": checks.nullable(number),
}

META: Mapping[str, Check] = {
    **_texts_of("nickname", "email", "phone", "address", "subject", "avatar", "ip", "origin"),
    "segments": checks.texts,
    "data": checks.mapping,
    "device": checks.mapping,
    "connection": checks.mapping,
}
"""The details of a conversation."""


def require(
    body: Mapping[str, Any], shape: Mapping[str, Check], required: Iterable[str] = ()
) -> None:
    """`Refused` 400 with all that is wrong with a body."""
    found = checks.problems(body, shape, tuple(required))
    if found:
        raise Refused(400, "invalid_data", said="; ".join(found))


def check_content(kind: str, content: Any) -> None:
    """The content of a message of a type."""
    message = _CONTENT[kind](content)
    if message is not None:
        raise Refused(400, "invalid_data", said=f"content {message}")


def message_shape() -> Mapping[str, Check]:
    """What a new message may hold."""
    contents = [checks.schema_of(check) for check in _CONTENT.values()]
    return {**_MESSAGE, "content": taking(anyOf=contents)(anything)}


def check_message(body: Mapping[str, Any]) -> None:
    """A new message."""
    require(body, _MESSAGE, ("type", "from", "origin", "content"))
    check_content(body["type"], body["content"])


def check_profile(body: Mapping[str, Any], required: Iterable[str] = ()) -> None:
    """A people profile."""
    require(body, PROFILE, required)
