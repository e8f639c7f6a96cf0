"""What Toky tells by itself: calls, voicemails and text messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl

from junctor.connectors.toky.account import toky
from junctor.connectors.toky.assumptions import IDENTIFIERS
from junctor.connectors.toky.recovery import (
    ANSWERED,
    missed_calls,
    missed_messages,
    missed_voicemails,
)
from junctor.errors import DataError
from junctor.language.connector import (
    Backfill,
    Bundle,
    Delivery,
    HookDef,
    Registration,
    Request,
    Response,
    path,
)
from junctor.language.verifiers import key_in_url

__all__ = ["read"]


def read(delivery: Delivery) -> Bundle:
    """The payload, whether it comes as JSON or as a form: Toky does not say which."""
    kind = delivery.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return dict(
            parse_qsl(delivery.body.decode("utf-8", errors="replace"), keep_blank_values=True)
        )
    found = delivery.json() if delivery.body else dict(delivery.query)
    if not isinstance(found, dict):
        raise DataError(reason="Toky's delivery is no collection of fields")
    return found


def _identified(event: str) -> Callable[[Delivery], str | None]:
    def dedup(delivery: Delivery) -> str | None:
        try:
            payload = read(delivery)
        except DataError:
            return None
        for key in IDENTIFIERS:
            if payload.get(key):
                return f"{event}:{payload[key]}"
        return None

    return dedup


def _registration(event: str) -> Registration:
    return Registration(
        event=event,
        create=lambda url: Request("POST", "/webhooks", json={"event": event, "hook_url": url}),
        created=_created,
        listing=lambda: Request("GET", "/webhooks", query={"limit": "500", "offset": "0"}),
        listed=_listed,
        delete=lambda number: Request("DELETE", path("webhooks", number)),
    )


def _created(response: Response) -> str:
    found = response.json()
    if not isinstance(found, dict) or not found.get("id"):
        raise DataError(reason="Toky did not say the id of the new webhook")
    return str(found["id"])


def _listed(response: Response) -> Iterator[tuple[str, str, str]]:
    """Rows of a list, wherever it lies: its shape isn't documented."""
    found: Any = response.json()
    if isinstance(found, dict):
        found = found.get("results") or found.get("webhooks") or []
    for row in found if isinstance(found, list) else []:
        if isinstance(row, dict) and row.get("id"):
            yield str(row["id"]), str(row.get("hook_url") or ""), str(row.get("event") or "")


def _hook(event: str, backfill: Backfill) -> HookDef:
    # Toky signs nothing (no signature is documented): the unguessable address is the proof.
    return HookDef(
        verify=key_in_url(),
        dedup=_identified(event),
        register=_registration(event),
        backfill=backfill,
    )


@toky.instant("Watch new calls", hook=_hook("new_call", missed_calls()))
def watch_new_calls(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when there is a new call: who called whom, how it ended, and its recording."""
    return [read(delivery)]


@toky.instant(
    "Watch answered calls", hook=_hook("inbound_call_answered", missed_calls("inbound", ANSWERED))
)
def watch_answered_calls(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when an agent answers an inbound call, while it is going on."""
    return [read(delivery)]


@toky.instant("Watch ended calls", hook=_hook("inbound_call_ended", missed_calls("inbound")))
def watch_ended_calls(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when an inbound call has ended, answered or not."""
    return [read(delivery)]


@toky.instant("Watch outbound calls", hook=_hook("outbound_call", missed_calls("outbound")))
def watch_outbound_calls(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when an agent begins to call somebody."""
    return [read(delivery)]


@toky.instant(
    "Watch ended outbound calls", hook=_hook("outbound_call_ended", missed_calls("outbound"))
)
def watch_ended_outbound_calls(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when a call that an agent made has ended, answered or not."""
    return [read(delivery)]


@toky.instant("Watch new voicemails", hook=_hook("new_voicemail", missed_voicemails))
def watch_new_voicemails(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when somebody left a voicemail."""
    return [read(delivery)]


@toky.instant("Watch new text messages", hook=_hook("new_sms", missed_messages))
def watch_new_text_messages(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when a text message comes in."""
    return [read(delivery)]
