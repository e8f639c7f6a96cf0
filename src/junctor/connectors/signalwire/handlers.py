"""What handles a number's calls and messages: taking it for a trigger, and giving it back.

A number has one address for each; a watch would silently replace an IVR. What was there is kept
with the hook and put back when the scenario stops (`PUT /api/relay/rest/phone_numbers/{id}`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from junctor.connectors.signalwire.assumptions import CLEARED, FALLBACK
from junctor.connectors.signalwire.lists import REST
from junctor.errors import DataError, Misconfigured
from junctor.language.connector import Request, Response, Takeover, path

__all__ = ["CALLED", "CALLS", "CALL_ENDED", "CALL_STATUS", "MESSAGED", "MESSAGES", "Event"]


@dataclass(frozen=True, slots=True)
class Event:
    """Where a number, or its application, says which address is told of an event."""

    of_number: tuple[str, ...]
    application: str
    """The number's application, which stands in place of an address."""
    of_application: tuple[str, ...]


CALLED = Event(
    ("call_request_url", "call_fallback_url"),
    "call_laml_application_id",
    ("voice_url", "voice_fallback_url"),
)
CALL_ENDED = Event(("call_status_callback_url",), "call_laml_application_id", ("status_callback",))
MESSAGED = Event(
    ("message_request_url", "message_fallback_url"),
    "message_laml_application_id",
    ("sms_url", "sms_fallback_url"),
)

_CALL_HANDLERS = frozenset(
    (
        "relay_context",
        "relay_topic",
        "relay_script",
        "relay_application",
        "relay_connector",
        "relay_sip_endpoint",
        "relay_verto_endpoint",
        "laml_webhooks",
        "laml_application",
        "dialogflow",
        "video_room",
    )
)
_MESSAGE_HANDLERS = frozenset(
    ("relay_context", "relay_topic", "relay_application", "laml_webhooks", "laml_application")
)
"""Those that the vendor's API lets us put back; newer ones (flows, agents) it only shows."""


def _takeover(
    event: str,
    kept: Callable[[str], bool],
    url: str,
    handlers: frozenset[str],
    take: Callable[[str, Mapping[str, Any]], Mapping[str, str]],
) -> Takeover:
    handler = f"{event}_handler"

    def read(response: Response) -> Mapping[str, Any]:
        found = response.json()
        if not isinstance(found, dict):
            raise DataError(reason="SignalWire did not say what handles the number")
        return {key: value for key, value in found.items() if kept(key) and value not in (None, "")}

    def check(before: Mapping[str, Any]) -> None:
        there = before.get(handler)
        if there and there not in handlers:
            raise Misconfigured(
                reason=f"the number is handled by {there}, which SignalWire's API could not put "
                "back; enter the hook's address in the number's settings by hand, or choose "
                "another number"
            )

    def give_back(place: str, before: Mapping[str, Any]) -> Request:
        emptied = dict.fromkeys((key for key in take("", {}) if key.endswith("_url")), CLEARED)
        return Request("PUT", _number(place), json={**emptied, **before})

    return Takeover(
        event=event,
        place=lambda settings: str(settings.get("number") or ""),
        look=lambda place: Request("GET", _number(place)),
        kept=read,
        check=check,
        url=lambda there: str(there.get(url) or ""),
        take=lambda place, address, settings: Request(
            "PUT", _number(place), json=dict(take(address, settings))
        ),
        give_back=give_back,
    )


def _number(place: str) -> str:
    return f"{REST}/phone_numbers" + path(place)


def _calls(address: str, settings: Mapping[str, Any]) -> Mapping[str, str]:
    return {
        "call_handler": "laml_webhooks",
        "call_receive_mode": str(settings.get("receive") or "voice"),
        "call_request_url": address,
        "call_request_method": "POST",
        "call_fallback_url": f"{address}?{FALLBACK}=1",
        "call_fallback_method": "POST",
    }


def _messages(address: str, settings: Mapping[str, Any]) -> Mapping[str, str]:
    del settings
    return {
        "message_handler": "laml_webhooks",
        "message_request_url": address,
        "message_request_method": "POST",
        "message_fallback_url": f"{address}?{FALLBACK}=1",
        "message_fallback_method": "POST",
    }


def _call_status(address: str, settings: Mapping[str, Any]) -> Mapping[str, str]:
    del settings
    return {"call_status_callback_url": address, "call_status_callback_method": "POST"}


_STATUS = frozenset({"call_status_callback_url", "call_status_callback_method"})

CALLS = _takeover(
    "call",
    lambda key: key.startswith("call_") and key not in _STATUS,
    "call_request_url",
    _CALL_HANDLERS,
    _calls,
)
MESSAGES = _takeover(
    "message",
    lambda key: key.startswith("message_"),
    "message_request_url",
    _MESSAGE_HANDLERS,
    _messages,
)
CALL_STATUS = _takeover(
    "call_status", _STATUS.__contains__, "call_status_callback_url", frozenset(), _call_status
)
