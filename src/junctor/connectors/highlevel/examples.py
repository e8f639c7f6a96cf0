"""What HighLevel's events hold, and one of each, so that fields can be mapped before one came.

``events.json`` has the names and types that the vendor's webhook pages publish, compiled by
``tools/highlevel_events.py``; the values are ours. For events that only its newer pages list, see
`assumptions.LIKE`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from junctor.connectors.highlevel.assumptions import BARE, ENVELOPE, LIKE
from junctor.language.connector import Example
from junctor.language.examples import example_of

__all__ = ["examples_of", "fields_of", "type_of"]

_STRING = {"type": "string"}
_SENT = {"timestamp": {"type": "string", "format": "date-time"}}
_TYPES = {
    "AppInstall": "INSTALL",
    "AppUninstall": "UNINSTALL",
    "AppUpdate": "UPDATE",
    "PlanChange": "PLAN_CHANGE",
    "ConversationUnreadWebhook": "ConversationUnreadUpdate",
    "ProviderOutboundMessage": "SMS",
}


def type_of(event: str) -> str:
    """What the payload of an event says in ``type``."""
    return _TYPES.get(event, event)


@cache
def _published() -> Mapping[str, Any]:
    file = files("junctor.connectors.highlevel") / "events.json"
    found: Mapping[str, Any] = msgspec.json.decode(file.read_bytes())
    return found


@cache
def fields_of(event: str) -> Mapping[str, Any]:
    """The fields of an event as JSON Schema, with those of the envelope that all events have."""
    page = _published().get(LIKE.get(event, event))
    own = page["properties"] if page is not None else dict.fromkeys(BARE, _STRING)
    return {
        "type": "object",
        "properties": {**own, **dict.fromkeys(ENVELOPE, _STRING), **_SENT},
    }


@cache
def _example(event: str) -> Example:
    schema = fields_of(event)
    bundle = example_of(schema, seed=event)
    if "type" in bundle:
        bundle["type"] = type_of(event)
    return Example(name=event, bundle=bundle, schema=schema)


def examples_of(events: Iterable[str]) -> tuple[Example, ...]:
    """One example of each of these events."""
    return tuple(_example(event) for event in events)
