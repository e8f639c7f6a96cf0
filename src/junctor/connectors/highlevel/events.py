"""What HighLevel tells a marketplace app: signed events of all kinds at one address."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, make_dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from junctor.connectors.highlevel.account import highlevel
from junctor.connectors.highlevel.assumptions import HOOK_MAX_AGE, PUBLIC_KEY, RSA_KEY
from junctor.connectors.highlevel.event_types import FAMILIES, Family, events_of
from junctor.connectors.highlevel.missed import backfill, occurrence
from junctor.errors import BundleInvalid, DataError
from junctor.language.connector import Bundle, Delivery, Field, HookDef
from junctor.language.verifiers import check_public_key, ed25519, max_age
from junctor.language.verifiers_rsa import or_if, rsa_sha256

__all__ = ["PUBLIC_KEY", "Common", "EventSettings"]

AT_DOOR = frozenset({"public_key", "accept_rsa", "rsa_key"})
_MILLISECONDS = 10**11
"""A time above it is in milliseconds: in seconds it would be the year 5138."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The address goes into the webhook settings of your marketplace app; choose its events there.

    HighLevel sends an app all its events to one address, from all locations that have installed it.
    """

    location_id: Annotated[
        str,
        Field(label="Location ID", help="Only events of this location. Empty: of all."),
    ] = ""
    client_id: Annotated[
        str,
        Field(
            label="Client ID of the app",
            help="Only events for this app: an event that names another, or none, is dropped. "
            "Empty: whatever HighLevel has signed.",
        ),
    ] = ""
    public_key: Annotated[
        str,
        Field(
            label="Public key",
            help="Only if HighLevel has changed its key, or for tests: PEM or base64.",
            multiline=True,
            advanced=True,
        ),
    ] = ""
    accept_rsa: Annotated[
        bool,
        Field(
            label="Accept the older RSA signature",
            help="For events without the newer one. HighLevel has announced its end.",
            advanced=True,
        ),
    ] = False
    rsa_key: Annotated[
        str,
        Field(label="RSA public key", help="As *Public key*.", multiline=True, advanced=True),
    ] = ""

    def __post_init__(self) -> None:
        """Refuses a key that no signature could be checked with."""
        check_public_key("public_key", self.public_key)
        if self.client_id and not self.client_id.strip():
            raise BundleInvalid(field="client_id", reason="it is blank; paste the app's client ID")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSettings(Common):
    """Which events to watch. The address goes into the webhook settings of the marketplace app."""

    types: Annotated[
        list[str],
        Field(
            label="Event types",
            help="Such as ContactCreate or InboundMessage; none: all.",
            example=["ContactCreate", "ContactUpdate"],
        ),
    ] = field(default_factory=list)


def _event_id(delivery: Delivery) -> str | None:
    try:
        return occurrence(_payload(delivery))
    except DataError:
        return None


def _sent(delivery: Delivery) -> float:
    """When it was sent, as it says; events that say nothing are as old as their arrival."""
    said = _payload(delivery).get("timestamp")
    if isinstance(said, int | float) and not isinstance(said, bool):
        return said / 1000 if said > _MILLISECONDS else float(said)
    if isinstance(said, str) and said:
        moment = datetime.fromisoformat(said)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return delivery.received_at.timestamp()


def _payload(delivery: Delivery) -> Bundle:
    found = delivery.json()
    if not isinstance(found, dict):
        raise DataError(reason="HighLevel's event is no collection of fields")
    return found


VERIFY = max_age(
    or_if(
        setting="accept_rsa",
        header="X-GHL-Signature",
        usual=ed25519(header="X-GHL-Signature", public_key=PUBLIC_KEY),
        other=rsa_sha256(header="X-WH-Signature", public_key=RSA_KEY),
    ),
    HOOK_MAX_AGE,
    timestamp=_sent,
)


def _hook(settings: type, events: tuple[str, ...] | None = None) -> HookDef:
    return HookDef(
        verify=VERIFY,
        dedup=_event_id,
        settings=settings,
        at_door=AT_DOOR,
        backfill=backfill(events),
    )


def _wanted(delivery: Delivery, wanted: Iterable[str]) -> list[Bundle]:
    """The event, if the hook's settings want it: by type, location and app."""
    event = _payload(delivery)
    settings = delivery.settings
    # An app's ID is what its client ID begins with.
    app = str(settings.get("client_id") or "").strip().partition("-")[0]
    if app and str(event.get("appId") or "") != app:
        return []
    place = str(settings.get("location_id") or "").strip()
    if place and place not in _places(event):
        return []
    names = set(wanted)
    return [event] if not names or names & {*events_of(event), event.get("type")} else []


def _places(event: Bundle) -> set[Any]:
    inner = event.get("appointment")
    found = {event.get("locationId"), event.get("altId")}
    if isinstance(inner, dict):
        found.add(inner.get("locationId"))
    if event.get("type") in {"LocationCreate", "LocationUpdate"}:
        found.add(event.get("id"))
    return {value for value in found if isinstance(value, str)}


@highlevel.instant("Watch events", hook=_hook(EventSettings))
def watch_events(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when something happens in HighLevel, such as a new contact or an inbound message."""
    return _wanted(delivery, delivery.settings.get("types") or ())


def _watch(family: Family) -> None:
    names: Any = Literal[family.events]
    settings = make_dataclass(
        f"{family.name[0].upper()}{family.name[1:]}",
        [
            (
                "types",
                Annotated[
                    list[names],
                    Field(label="Events", help="None: all of them."),
                ],
                field(default_factory=list),
            )
        ],
        bases=(Common,),
        frozen=True,
        kw_only=True,
    )
    settings.__doc__ = Common.__doc__
    settings.__module__ = __name__
    hook = _hook(settings, family.events)
    highlevel.instant(family.label, hook=hook, name=family.name)(_events_of(family))


def _events_of(family: Family) -> Callable[[Delivery], Iterable[Bundle]]:
    def events(delivery: Delivery) -> Iterable[Bundle]:
        return _wanted(delivery, delivery.settings.get("types") or family.events)

    events.__doc__ = f"Starts when {family.about}.\n\nEvents: {', '.join(family.events)}."
    return events


for _each in FAMILIES:
    _watch(_each)
