"""Whether what was sent to Crisp was done, and the fingerprint by which a message is known.

A reminder can't be looked for (no route lists them), nor what the modules of the catalogue send:
the vendor's lists there have no date, or nothing to know one's own by.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import datetime, timedelta
from typing import Any

from junctor.connectors.crisp.account import WEBSITES, below
from junctor.connectors.crisp.dates import date_of, milliseconds
from junctor.connectors.crisp.reading import (
    conversations_since,
    messages_since,
    number,
    rows_of,
    stamp_of,
)
from junctor.language.connector import Asked, Bundle, Probe, Request, Response

__all__ = [
    "CONVERSATION_CREATED",
    "CONVERSATION_STARTED",
    "EVENT_ADDED",
    "MESSAGE_SENT",
    "PROFILE_ADDED",
    "WEBSITE_CREATED",
    "fingerprint_of",
    "fingerprinted",
]

EARLY = timedelta(seconds=10)
"""How much earlier than our clock says something may be dated."""
LATE = timedelta(minutes=5)
"""How much later: a request may wait for its turn and be under way."""
BEFORE = timedelta(minutes=15)
"""How much earlier the first of several requests may have been sent than the last."""
MOST_CONVERSATIONS = 100
"""More begun in those minutes are not looked through."""
MOST_EVENT_PAGES = 20
MOST_WEBSITE_PAGES = 100


def fingerprint_of(key: str) -> int:
    """A message's number from an operation's key: 48 bits, as Crisp's own have."""
    return int(key[:12], 16)


def fingerprinted(arguments: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The arguments with a fingerprint, if the user gave none."""
    if arguments.get("fingerprint") is not None:
        return arguments
    return {**arguments, "fingerprint": fingerprint_of(key)}


def _near(row: Bundle, at: datetime, key: str = "timestamp", early: timedelta = EARLY) -> bool:
    """Whether a row is dated about then."""
    date = date_of(row.get(key))
    return date is not None and at - early <= date <= at + LATE


def _good(response: Response) -> bool:
    return 200 <= response.status < 300


def _data(response: Response) -> Bundle:
    answer = response.json()
    data = answer.get("data") if isinstance(answer, dict) else None
    return data if isinstance(data, dict) else {}


# Messages.


def _message_sent(arguments: Mapping[str, Any], at: datetime) -> Asked:
    """By its fingerprint. If there is none such but one that says the same at that time, Crisp may
    have given it a number of its own, and nothing can be told.
    """
    website, session = arguments["website_id"], arguments["session_id"]
    when = arguments.get("timestamp") or at
    fingerprint = arguments["fingerprint"]
    where = below(website, "conversation", session, "message", fingerprint)
    response = yield Request("GET", where, raises=False)
    if _good(response):
        # A number that the user gave may be that of an older message.
        same = _near(_data(response), when)
        return {"fingerprint": fingerprint} if same else None
    if response.status != 404:
        return None
    rows = yield from messages_since(website, session, when - EARLY)
    alike = any(_near(row, when) and _says(row, arguments) for row in rows)
    return None if alike else False


def _says(row: Bundle, arguments: Mapping[str, Any]) -> bool:
    if (row.get("from"), row.get("type")) != (arguments["from_"], arguments["type_"]):
        return False
    # What has no text is told by its kind alone: better not told than sent twice.
    plain = arguments["type_"] in {"text", "note"} and not arguments["content_data"]
    return not plain or row.get("content") == arguments["content"]


MESSAGE_SENT = Probe(ask=_message_sent)


# Conversations.


def _conversation_created(arguments: Mapping[str, Any], at: datetime) -> Asked:
    """Only a no can be told: an empty conversation may be of any visitor who came at that time."""
    rows = yield from _begun(arguments["website_id"], at, EARLY)
    return None if rows else False


def _conversation_started(arguments: Mapping[str, Any], at: datetime) -> Asked:
    """By the fingerprint of its first message. An empty conversation of that time may be one that
    was left half done: then nothing can be told.
    """
    website, fingerprint = arguments["website_id"], arguments["fingerprint"]
    rows = yield from _begun(website, at, BEFORE)
    if len(rows) > MOST_CONVERSATIONS:
        return None
    doubtful = False
    for row in rows:
        session = str(row.get("session_id"))
        messages = yield from messages_since(website, session, at - BEFORE)
        if any(message.get("fingerprint") == fingerprint for message in messages):
            return {"session_id": session, "fingerprint": fingerprint}
        wanted = (arguments["from_"], arguments["text"])
        doubtful |= not messages or any(
            (message.get("from"), message.get("content")) == wanted for message in messages
        )
    return None if doubtful else False


def _begun(
    website: str, at: datetime, early: timedelta
) -> Generator[Request, Response, list[Bundle]]:
    rows = yield from conversations_since(website, at - early, empty=True)
    return [row for row in rows if _near(row, at, "created_at", early)]


CONVERSATION_CREATED = Probe(ask=_conversation_created)
CONVERSATION_STARTED = Probe(ask=_conversation_started)


# People.


def _profile_added(arguments: Mapping[str, Any], at: datetime) -> Asked:
    """By its e-mail address, which can be there only once. An older or a later profile is not this
    one: had ours been added, it would be there instead.
    """
    where = below(arguments["website_id"], "people", "profile", arguments["email"])
    response = yield Request("GET", where, raises=False)
    if response.status == 404:
        return False
    if not _good(response):
        return None
    row = _data(response)
    person = row.get("person")
    if not number(row.get("created_at")) or not isinstance(person, dict):
        return None
    if not _near(row, at, "created_at"):
        return False
    name = arguments.get("full_name") or ""
    same = not name or person.get("nickname") == name
    return {"people_id": row["people_id"]} if same and row.get("people_id") else None


def _event_added(arguments: Mapping[str, Any], at: datetime) -> Asked:
    """By its text, data and colour, among the person's events of that time; one of the same text
    and other data may be this one as Crisp keeps it.
    """
    where = below(arguments["website_id"], "people", "events", arguments["people_id"], "list")
    first = milliseconds(at - EARLY)
    seen: list[Bundle] = []
    for page in range(1, MOST_EVENT_PAGES + 1):
        response = yield Request("GET", f"{where}/{page}", raises=False)
        if response.status == 404 and page == 1:
            return False  # nobody there to have an event
        if not _good(response):
            return None
        rows = [row for row in rows_of(response, "events") if row not in seen]
        seen += rows
        stamps = [stamp_of(row) for row in seen]
        # How many a page holds is not published, nor that the newest come first.
        if not rows or (stamps == sorted(stamps, reverse=True) and stamps[-1] < first):
            break
    else:
        return None
    alike = [row for row in seen if _near(row, at) and row.get("text") == arguments["text"]]
    wanted = (arguments["data"] or {}, arguments["color"])
    same = [row for row in alike if (row.get("data") or {}, row.get("color") or "") == wanted]
    if len(same) == len(alike) == 1:
        return {"error": False, "reason": "added"}
    return None if alike else False


PROFILE_ADDED = Probe(ask=_profile_added, sure_after=120.0)
EVENT_ADDED = Probe(ask=_event_added)


# Websites.


def _website_created(arguments: Mapping[str, Any], _at: datetime) -> Asked:
    """By its domain, which can be there only once; among the token's own for the ID."""
    domain = arguments["domain"]
    response = yield Request("HEAD", "/website", query={"domain": domain}, raises=False)
    if response.status == 404:
        return False
    seen: set[Any] = set()
    for page in range(1, MOST_WEBSITE_PAGES + 1):
        response = yield Request("GET", f"{WEBSITES}{page}", raises=False)
        if not _good(response):
            return None
        answer = response.json()
        data = answer.get("data") if isinstance(answer, dict) else None
        rows = [data] if isinstance(data, dict) else data if isinstance(data, list) else []
        new = [row for row in rows if isinstance(row, dict) and row.get("website_id") not in seen]
        for row in new:
            if (row.get("domain"), row.get("name")) == (domain, arguments["name"]):
                return {"website_id": row.get("website_id")}
        seen |= {row.get("website_id") for row in new}
        if not new:
            break
    return None


WEBSITE_CREATED = Probe(ask=_website_created)
