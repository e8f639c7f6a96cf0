"""What SignalWire sends to an address of ours: reading it, and telling one from another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from junctor.errors import DataError
from junctor.language.connector import Bundle, Delivery
from junctor.language.verifiers import signed_address

__all__ = ["SIGNED", "call_of", "once_per", "read"]

SIGNED = signed_address(
    headers=("X-SignalWire-Signature", "X-Twilio-Signature"),
    sha256_header="X-SignalWire-Sha256-Signature",
    secret="signing_key",  # noqa: S106  # the name of a setting
)
"""As the vendor's own validator does it, for forms as for JSON; also its alias, Twilio's header."""

_OURS = frozenset({"fallback", "recorded", "bodySHA256"})
"""Parameters of our own address, and of the signature."""


def read(delivery: Delivery) -> Bundle:
    """The parameters, whether they come as a form, in the query or as JSON; media as a list."""
    kind = delivery.headers.get("content-type", "").partition(";")[0].strip().lower()
    found: Any = {name: value for name, value in delivery.query if name not in _OURS}
    if delivery.body and kind.endswith("json"):
        found = delivery.json()
        if not isinstance(found, dict):
            raise DataError(reason="SignalWire's delivery is no collection of fields")
    elif delivery.body:
        text = delivery.body.decode("utf-8", "replace")
        found |= dict(parse_qsl(text, keep_blank_values=True))
    media = list(_media(found))
    return {**found, "Media": media} if media else dict(found)


def _media(found: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """``MediaUrl0``, ``MediaContentType0`` and so on, as rows; the parameters stay."""
    number = 0
    while isinstance(url := found.get(f"MediaUrl{number}"), str) and url:
        yield {"url": url, "contentType": str(found.get(f"MediaContentType{number}") or "")}
        number += 1


def once_per(*names: str) -> Callable[[Delivery], str | None]:
    """What makes two deliveries the same event: these of its parameters, the first of which it
    must have. What a number tells in SWML's form, JSON, is known by its id and state.
    """

    def dedup(delivery: Delivery) -> str | None:
        found = _safely(delivery)
        for name in ("call", "message"):
            inner = found.get(name)
            if isinstance(inner, dict):
                key = inner.get(f"{name}_id")
                return f"{key}:{inner.get(f'{name}_state', '')}" if key else None
        if not found.get(names[0]):
            return None
        return ":".join(str(found.get(name) or "") for name in names)

    return dedup


def call_of(delivery: Delivery) -> str | None:
    """The call that it is about, or the message: events of one are kept in their order."""
    found = _safely(delivery)
    for name in ("CallSid", "MessageSid", "FaxSid", "RecordingSid"):
        if found.get(name):
            return str(found[name])
    for name in ("call", "message"):
        inner = found.get(name)
        if isinstance(inner, dict) and inner.get(f"{name}_id"):
            return str(inner[f"{name}_id"])
    return None


def _safely(delivery: Delivery) -> Bundle:
    try:
        return read(delivery)
    except DataError:
        return {}
