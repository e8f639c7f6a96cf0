"""The one address of a marketplace app: whose an event is, which app's, and whether it is genuine.

Facts: the vendor's pages *Webhook Authentication*, *Webhook Integration Guide*, *AppInstall* and
*AppUninstall*; that a client ID begins with the app's ID is from its own SDK.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from junctor.connectors.highlevel.assumptions import HOOK_MAX_AGE, PUBLIC_KEY, RSA_KEY
from junctor.errors import DataError
from junctor.language.connector import AppHook, Bundle, Delivery, Field
from junctor.language.deliveries import Installed
from junctor.language.verifiers import check_public_key, ed25519, max_age
from junctor.language.verifiers_rsa import or_if, rsa_sha256

__all__ = [
    "APP_HOOK",
    "VERIFY",
    "AcceptRsa",
    "AppSettings",
    "PublicKey",
    "RsaKey",
    "app_of",
    "payload_of",
    "places_of",
]

_MILLISECONDS = 10**11
"""A time above it is in milliseconds: in seconds it would be the year 5138."""
_OF_THE_APP = {"INSTALL": True, "AppInstall": True, "UNINSTALL": False, "AppUninstall": False}


PublicKey = Annotated[
    str,
    Field(
        label="Public key",
        help="Only if HighLevel has changed its key, or for tests: PEM or base64.",
        multiline=True,
        advanced=True,
    ),
]
AcceptRsa = Annotated[
    bool,
    Field(
        label="Accept the older RSA signature",
        help="For events without the newer one. HighLevel has announced its end.",
        advanced=True,
    ),
]
RsaKey = Annotated[
    str,
    Field(label="RSA public key", help="As *Public key*.", multiline=True, advanced=True),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSettings:
    """What the app's address lets in."""

    public_key: PublicKey = ""
    accept_rsa: AcceptRsa = False
    rsa_key: RsaKey = ""
    accept_unnamed: Annotated[
        bool,
        Field(
            label="Accept events that name no app",
            help="HighLevel signs all apps' events with one key, so an event that does not say "
            "whose it is might be another app's. It says so since 2025.",
            advanced=True,
        ),
    ] = False

    def __post_init__(self) -> None:
        """Refuses a key that no signature could be checked with."""
        check_public_key("public_key", self.public_key)


def payload_of(delivery: Delivery) -> Bundle:
    """The event; `DataError` if it is no collection."""
    found = delivery.json()
    if not isinstance(found, dict):
        raise DataError(reason="HighLevel's event is no collection of fields")
    return found


def _sent(delivery: Delivery) -> float:
    """When it was sent, as it says; events that say nothing are as old as their arrival."""
    said = payload_of(delivery).get("timestamp")
    if isinstance(said, int | float) and not isinstance(said, bool):
        return said / 1000 if said > _MILLISECONDS else float(said)
    if isinstance(said, str) and said:
        moment = datetime.fromisoformat(said)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return delivery.received_at.timestamp()


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


def app_of(client_id: object) -> str:
    """An app's ID is what its client ID begins with."""
    return str(client_id or "").strip().partition("-")[0]


def places_of(event: Mapping[str, Any]) -> frozenset[str]:
    """The locations that an event is about."""
    inner, several = event.get("appointment"), event.get("locations")
    found = {event.get("locationId"), event.get("altId")}
    if isinstance(inner, dict):
        found.add(inner.get("locationId"))
    if isinstance(several, list):  # a user's
        found.update(each for each in several if isinstance(each, str))
    if event.get("type") in {"LocationCreate", "LocationUpdate"}:
        found.add(event.get("id"))
    return frozenset(value for value in found if isinstance(value, str) and value)


def _accounts(settings: Mapping[str, Any], allowed_by: str) -> tuple[str, ...]:
    """A sub-account's, or the agency's; of an agency's access to one sub-account both."""
    if not allowed_by:
        return ()
    place = str(settings.get("location_id") or "").strip()
    within = allowed_by.startswith("company:") and place
    return (f"location:{place}", allowed_by) if within else (allowed_by,)


def _concerns(delivery: Delivery) -> frozenset[str]:
    event = payload_of(delivery)
    company = event.get("companyId")
    locations = frozenset(f"location:{place}" for place in places_of(event))
    return locations | {f"company:{company}"} if isinstance(company, str) and company else locations


def _named(delivery: Delivery) -> str:
    return str(payload_of(delivery).get("appId") or "")


def _installed(delivery: Delivery) -> Installed | None:
    """An event with a location is about that one alone, though it may name its agency, too."""
    event = payload_of(delivery)
    installed = _OF_THE_APP.get(str(event.get("type")))
    if installed is None:
        return None
    accounts = _concerns(delivery)
    locations = frozenset(each for each in accounts if each.startswith("location:"))
    at = datetime.fromtimestamp(_sent(delivery), UTC)
    return Installed(accounts=locations or accounts, at=at, installed=installed)


APP_HOOK = AppHook(
    kind="oauth",
    app=lambda settings: app_of(settings.get("client_id")),
    accounts=_accounts,
    verify=VERIFY,
    named=_named,
    concerns=_concerns,
    installed=_installed,
    settings=AppSettings,
    unnamed="accept_unnamed",
    help="In HighLevel's marketplace, in your app's settings under Advanced Settings > Webhooks: "
    "enter the address as webhook URL, and switch on the events there.",
)
