"""Whether something was done whose outcome was lost: it is looked for in the list of its kind.

All look for what was made about then. If somebody else made the same in those two minutes, it is
taken for this one; of two that look alike nobody can say which it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from junctor.connectors.signalwire.account import LAML, PROJECT
from junctor.connectors.signalwire.fields import created, dated
from junctor.connectors.signalwire.listing import Listing, listed, whole
from junctor.connectors.signalwire.lists import REST
from junctor.language.connector import Asked, Bundle, Probe, path

__all__ = ["CALL_MADE", "MADE", "MESSAGE_SENT"]

EARLY = timedelta(seconds=6)
"""How much earlier than our clock says something may be dated: dates have whole seconds."""
LATE = timedelta(minutes=2)
"""How much later."""

Given = Mapping[str, Any]


def _one(rows: list[Bundle], at: datetime) -> Bundle | bool | None:
    """The row that was made about then."""
    found = []
    for row in rows:
        date = created(row) or dated(row.get("created_at"))
        if date is None:
            return None  # any of them could be it
        if at - EARLY <= date <= at + LATE:
            found.append({key: value for key, value in row.items() if not key.startswith("$")})
    if not found:
        return False
    return found[0] if len(found) == 1 else None


def _called(given: Given, at: datetime) -> Asked:
    """Looks for the call by whom it was made to, and from where no other number was shown."""
    query = {"To": given["to"]}
    if not given.get("caller_id"):
        query["From"] = given["from_"]
    rows = yield from listed(f"{LAML}/Calls", "calls", at - EARLY, **query)
    return _one([row for row in rows if str(row.get("direction")).startswith("outbound")], at)


def _sent(given: Given, at: datetime) -> Asked:
    """Looks for the message by its ends and its text."""
    group = given.get("message_service_sid")
    query = {"To": given["to"]} if group else {"To": given["to"], "From": given["from_"]}
    rows = yield from listed(f"{LAML}/Messages", "messages", at - EARLY, **query)
    text = "" if given.get("content_type") == "mediaUrl" else given.get("body") or ""
    same = [
        row
        for row in rows
        if row.get("direction") == "outbound-api"
        and str(row.get("body") or "").strip() == text.strip()
        and (not group or row.get("messaging_service_sid") in {None, group})
    ]
    return _one(same, at)


CALL_MADE = Probe(ask=_called)
MESSAGE_SENT = Probe(ask=_sent)


def _within(
    place: str, key: str, *, newest_first: bool = False, **query: str
) -> Callable[[Given, datetime], Listing]:
    """A list of the Compatibility API, filtered by arguments; whole, if its order is unknown."""

    def rows(given: Given, at: datetime) -> Listing:
        project = path(given["AccountSid"])[1:] if given.get("AccountSid") else PROJECT
        where = LAML.replace(PROJECT, project) + place
        asked = {name: str(given[argument]) for name, argument in query.items()}
        if newest_first:
            return listed(where, key, at - EARLY, **asked)
        return whole(where, key, "next_page_uri", PageSize="1000", **asked)

    return rows


def _rest(where: str) -> Callable[[Given, datetime], Listing]:
    """A list of the REST API, all of it: in which order it comes is not said."""
    return lambda _given, _at: whole(where, "data", "links.next", page_size="1000")


def _probe(rows: Callable[[Given, datetime], Listing], **same: str) -> Probe:
    """Looks for a row whose fields are those arguments."""

    def ask(given: Given, at: datetime) -> Asked:
        found = yield from rows(given, at)
        wanted = {key: given.get(argument) for key, argument in same.items()}
        if None in wanted.values():
            return None  # SignalWire chose it
        return _one([row for row in found if {key: row.get(key) for key in same} == wanted], at)

    return Probe(ask=ask)


def _made() -> Iterator[tuple[str, Probe]]:
    named = {"friendly_name": "FriendlyName"}
    yield (
        "lamlCreateApplication",
        _probe(_within("/Applications", "applications", FriendlyName="FriendlyName"), **named),
    )
    yield "lamlCreateCxmlScript", _probe(_within("/LamlBins", "laml_bins"), name="Name")
    yield "lamlCreateQueue", _probe(_within("/Queues", "queues"), friendly_name="name")
    yield "lamlSendFax", _probe(_within("/Faxes", "faxes", newest_first=True, To="To", From="From"))
    yield (
        "lamlCreateRecording",
        _probe(
            _within("/Recordings", "recordings", newest_first=True, CallSid="CallSid"),
            call_sid="CallSid",
        ),
    )
    numbers = _within("/IncomingPhoneNumbers", "incoming_phone_numbers", PhoneNumber="PhoneNumber")
    yield "lamlCreateIncomingPhoneNumber", _probe(numbers)
    resources = "/api/fabric/resources"
    for name, where, key, argument in (
        ("purchasePhoneNumber", f"{REST}/phone_numbers", "number", "number"),
        ("createQueue", f"{REST}/queues", "friendly_name", "name"),
        ("createSubproject", "/api/projects", "name", "name"),
        ("createSipAddress", "/api/fabric/sip_addresses", "name", "name"),
        ("createWhatsappTemplate", "/api/messaging/whatsapp/templates", "name", "name"),
        ("createRoom", "/api/video/rooms", "name", "name"),
        ("createVideoConference", "/api/video/conferences", "display_name", "display_name"),
        ("createSubscriber", f"{resources}/subscribers", "display_name", "display_name"),
        ("createConferenceRoom", f"{resources}/conference_rooms", "display_name", "display_name"),
    ):
        yield name, _probe(_rest(where), **{key: argument})


MADE: Mapping[str, Probe] = dict(_made())
"""By operation of the catalogue: those that make something which a list then shows with its date.

Tokens, streams, verifications and commands to calls are in no list; of other lists it is not said
which field of a row is the name that was given.
"""
