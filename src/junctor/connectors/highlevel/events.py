"""What HighLevel tells a marketplace app: signed events of all kinds at one address."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, make_dataclass
from functools import partial
from typing import Annotated, Any, Literal

from junctor.connectors.highlevel.account import highlevel
from junctor.connectors.highlevel.app_hook import (
    VERIFY,
    AcceptRsa,
    PublicKey,
    RsaKey,
    app_of,
    payload_of,
    places_of,
)
from junctor.connectors.highlevel.assumptions import PUBLIC_KEY
from junctor.connectors.highlevel.event_types import EVENTS, FAMILIES, Family, events_of
from junctor.connectors.highlevel.examples import examples_of
from junctor.connectors.highlevel.missed import backfill, occurrence
from junctor.errors import BundleInvalid, DataError
from junctor.language.connector import Bundle, Delivery, Field, HookDef
from junctor.language.verifiers import check_public_key

__all__ = ["PUBLIC_KEY", "Common", "EventSettings"]

AT_DOOR = frozenset({"public_key", "accept_rsa", "rsa_key"})


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
    public_key: PublicKey = ""
    accept_rsa: AcceptRsa = False
    rsa_key: RsaKey = ""

    def __post_init__(self) -> None:
        """Refuses a key that no signature could be checked with, and a blank app."""
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
        return occurrence(payload_of(delivery))
    except DataError:
        return None


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
    event = payload_of(delivery)
    settings = delivery.settings
    app = app_of(settings.get("client_id"))
    if app and str(event.get("appId") or "") != app:
        return []
    place = str(settings.get("location_id") or "").strip()
    if place and place not in places_of(event):
        return []
    names = set(wanted)
    return [event] if not names or names & {*events_of(event), event.get("type")} else []


@highlevel.instant("Watch events", hook=_hook(EventSettings), examples=partial(examples_of, EVENTS))
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
    highlevel.instant(
        family.label,
        hook=_hook(settings, family.events),
        name=family.name,
        examples=partial(examples_of, family.events),
    )(_events_of(family))


def _events_of(family: Family) -> Callable[[Delivery], Iterable[Bundle]]:
    def events(delivery: Delivery) -> Iterable[Bundle]:
        return _wanted(delivery, delivery.settings.get("types") or family.events)

    events.__doc__ = f"Starts when {family.about}.\n\nEvents: {', '.join(family.events)}."
    return events


for _each in FAMILIES:
    _watch(_each)
