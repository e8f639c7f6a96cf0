"""Bodies of HighLevel's 77 webhook events, for the admin API to send, and who signs them.

The fields are the vendor's, from the same file of facts that the connector has
(``connectors/highlevel/events.json``, compiled by ``tools/highlevel_events.py``). What is assumed
of events whose pages were not to be had is listed in the connector's ``assumptions.py`` and the
same here: *LIKE*, and type, location and id of all others. All that is sent has a ``type``, as the
vendor's envelope of 2025 has, also where its older examples do not show one.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from junctor.language.examples import example_of

__all__ = ["body_of", "names", "rsa_public", "rsa_sign", "type_of"]

_FACTS = Path(__file__).parents[1] / "connectors" / "highlevel" / "events.json"
_TYPES = {
    "AppInstall": "INSTALL",
    "AppUninstall": "UNINSTALL",
    "AppUpdate": "UPDATE",
    "ConversationUnreadWebhook": "ConversationUnreadUpdate",
    "PlanChange": "PLAN_CHANGE",
}
_LIKE = {
    "AppUpdate": "AppInstall",
    "ConversationUpdate": "ConversationUnreadWebhook",
    "UserDelete": "UserCreate",
    "UserUpdate": "UserCreate",
}
_OTHERS = (
    *("AppPaymentStatus", "ExternalAuthConnected", "SaaSPlanCreate", "VoiceAiCallEnd"),
    *(f"SupportTicket{verb}" for verb in ("Create", "Update", "Delete")),
    *(
        f"KnowledgeBase{verb}"
        for verb in (
            *("Create", "Update", "Delete", "FileChange", "FaqChange"),
            *("RichTextChange", "TableFileChange", "TrainedUrlChange"),
        )
    ),
)
_ENVELOPE = ("type", "timestamp", "webhookId", "appId", "versionId")
"""What is the event's, not its subject's: who sends it fills it in."""
_PLACES = frozenset({"locationId", "altId"})


@cache
def _facts() -> Mapping[str, Any]:
    found: Mapping[str, Any] = msgspec.json.decode(_FACTS.read_bytes())
    return found


def names() -> tuple[str, ...]:
    """Every published event."""
    return (*_facts(), *_LIKE, *_OTHERS)


def type_of(event: str) -> str:
    """What its ``type`` says; of what a provider is to send, the channel."""
    return "SMS" if event == "ProviderOutboundMessage" else _TYPES.get(event, event)


def body_of(event: str, location: str, seed: str) -> dict[str, Any]:
    """Its own fields, filled in; ids differ by ``seed``. None of an event that is not known."""
    schema = _facts().get(_LIKE.get(event, event))
    if schema is None:
        bare = {"id": {"type": "string"}} if event in _OTHERS else {}
        schema = {"type": "object", "properties": bare}
    body: dict[str, Any] = example_of(schema, seed=seed)
    for name in _ENVELOPE:
        body.pop(name, None)
    _put(body, location)
    if event in {"LocationCreate", "LocationUpdate"}:
        body["id"] = location
    if "locations" in body:
        body["locations"] = [location]
    return body


def _put(body: dict[str, Any], location: str) -> None:
    for key, value in body.items():
        if key in _PLACES:
            body[key] = location
        elif isinstance(value, dict):
            _put(value, location)


@cache
def _rsa() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def rsa_public() -> str:
    """The key of the older signatures, of this process, as `SigningKey.public`."""
    der = _rsa().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def rsa_sign(body: bytes) -> str:
    """The older signature (``X-WH-Signature``) over the raw body."""
    return base64.b64encode(_rsa().sign(body, PKCS1v15(), SHA256())).decode()
