"""What SignalWire sends to an address of ours: reading it, and telling one from another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from junctor.errors import DataError
from junctor.language.connector import Bundle, Delivery
from junctor.language.verifiers import signed_address

__all__ = [
    "ENDED",
    "FAX_ENDED",
    "SIGNED",
    "call_key",
    "call_of",
    "call_status",
    "fax_key",
    "incoming_call",
    "incoming_message",
    "message_status",
    "read",
    "recording_status",
]

UNANSWERED = frozenset({"", "created", "queued", "initiated", "ringing"})
"""States of a call that nobody has answered yet: which of them a delivery names does not matter."""
ENDED = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
FAX_ENDED = frozenset({"received", "delivered", "no-answer", "busy", "failed", "canceled"})

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


def call_key(sid: str, status: str, recording: str = "") -> str:
    """An incoming call in a state, or its recording, as one event."""
    if recording:
        return f"{sid}:recorded:{recording}"
    return f"{sid}:{'ringing' if status in UNANSWERED else status}:"


def incoming_call(delivery: Delivery) -> str | None:
    """What makes two deliveries the same event of a call or fax that comes in.

    The address is asked again, for the same call in a later state, where cXML of the user's own
    goes on there.
    """
    found = _safely(delivery)
    if found.get("FaxSid"):
        return fax_key(str(found["FaxSid"]), str(found.get("FaxStatus") or ""))
    sid, status = _known(found, "call", "CallSid", "CallStatus")
    return call_key(sid, status, str(found.get("RecordingSid") or "")) if sid else None


def fax_key(sid: str, status: str) -> str:
    """A fax that comes in, as one event until it has arrived or failed."""
    return f"fax:{sid}:{status if status in FAX_ENDED else ''}"


def incoming_message(delivery: Delivery) -> str | None:
    """The same of messages: each comes in once."""
    return _known(_safely(delivery), "message", "MessageSid", "")[0] or None


def call_status(delivery: Delivery) -> str | None:
    """The same of a call's states: it ends once, but may ring several times."""
    found = _safely(delivery)
    sid, status = _known(found, "call", "CallSid", "CallStatus")
    number = "" if status in ENDED else str(found.get("SequenceNumber") or "")
    return f"{sid}:{status}:{number}" if sid else None


def message_status(delivery: Delivery) -> str | None:
    """The same of a message's states."""
    sid, status = _known(_safely(delivery), "message", "MessageSid", "MessageStatus")
    return f"{sid}:{status}" if sid else None


def recording_status(delivery: Delivery) -> str | None:
    """The same of a recording's states, and of transcriptions of it."""
    found = _safely(delivery)
    names = ("RecordingSid", "RecordingStatus", "TranscriptionSid")
    key = ":".join(str(found.get(name) or "") for name in names)
    return key if found.get("RecordingSid") else None


def _known(found: Bundle, inner: str, name: str, state: str) -> tuple[str, str]:
    """Id and state, of a form or of SWML's JSON, where both are in a field of that name."""
    there = found.get(inner)
    if isinstance(there, dict):
        return str(there.get(f"{inner}_id") or ""), str(there.get(f"{inner}_state") or "")
    return str(found.get(name) or ""), str(found.get(state) or "")


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
