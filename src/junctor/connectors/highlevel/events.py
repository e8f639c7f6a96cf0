"""What HighLevel tells a marketplace app: signed events of all kinds at one address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated

from junctor.connectors.highlevel.account import highlevel
from junctor.errors import DataError
from junctor.language.connector import Bundle, Delivery, Field, HookDef
from junctor.language.verifiers import check_public_key, ed25519

__all__ = ["PUBLIC_KEY"]

PUBLIC_KEY = "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg="
"""HighLevel's Ed25519 key for webhooks, from its integration guide (SubjectPublicKeyInfo)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSettings:
    """Which events to watch. The address goes into the webhook settings of the marketplace app."""

    types: Annotated[
        list[str],
        Field(
            label="Event types",
            help="Such as ContactCreate or InboundMessage; none: all.",
            example=["ContactCreate", "ContactUpdate"],
        ),
    ] = field(default_factory=list)
    public_key: Annotated[
        str,
        Field(
            label="Public key",
            help="Only if HighLevel has changed its key, or for tests: PEM or base64.",
            multiline=True,
            advanced=True,
        ),
    ] = ""

    def __post_init__(self) -> None:
        """Refuses a key that no signature could be checked with."""
        check_public_key("public_key", self.public_key)


def _event_id(delivery: Delivery) -> str | None:
    try:
        found = _payload(delivery).get("webhookId")
    except DataError:
        return None
    return str(found) if found else None


def _payload(delivery: Delivery) -> Bundle:
    found = delivery.json()
    if not isinstance(found, dict):
        raise DataError(reason="HighLevel's event is no collection of fields")
    return found


@highlevel.instant(
    "Watch events",
    hook=HookDef(
        verify=ed25519(header="X-GHL-Signature", public_key=PUBLIC_KEY),
        dedup=_event_id,
        settings=EventSettings,
    ),
)
def watch_events(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when something happens in HighLevel, such as a new contact or an inbound message."""
    event = _payload(delivery)
    wanted = delivery.settings.get("types") or ()
    return [event] if not wanted or event.get("type") in wanted else []
