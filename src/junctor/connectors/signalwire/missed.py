"""What SignalWire would have told while nobody listened, made from its lists.

A row becomes the parameters that the delivery would have had; where SignalWire's list does not say
which calls named an address, all are given, if the hook's settings say so.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from junctor.connectors.signalwire.account import LAML
from junctor.connectors.signalwire.deliveries import ENDED, FAX_ENDED, call_key, fax_key
from junctor.connectors.signalwire.fields import dated
from junctor.connectors.signalwire.handlers import Event
from junctor.connectors.signalwire.listing import (
    ORIGIN,
    listed,
    made_at,
    whole,
)
from junctor.connectors.signalwire.lists import FAXES, RECORDINGS, REST
from junctor.language.connector import Bundle, Missed, Request, Response, path
from junctor.language.recovery import ADDRESS

__all__ = [
    "missed_call_states",
    "missed_calls",
    "missed_message_states",
    "missed_messages",
    "missed_recordings",
]

CALLS, MESSAGES = f"{LAML}/Calls", f"{LAML}/Messages"
LONGEST_CALL = timedelta(days=1)
"""How long before it ended a call, or its recording, may have begun."""
LONGEST_MESSAGE = timedelta(days=3)
"""The same of messages: they wait for up to two days, and then for the carrier's word."""

Settings = Mapping[str, Any]
Missing = Generator[Request, Response, list[Missed]]


def _numbers(event: Event, settings: Settings) -> Generator[Request, Response, set[str]]:
    """Which numbers send to the hook: the one it set up, those with its address, and those of
    applications with its address.
    """
    rows = yield from whole(f"{REST}/phone_numbers", "data", "links.next", page_size="1000")
    applications: set[str] = set()
    if any(row.get(event.application) for row in rows):
        those = yield from whole(f"{LAML}/Applications", "applications", "next_page_uri")
        applications = {
            str(row.get("sid")) for row in those if _names(row, event.of_application, settings)
        }
    own = settings.get("number")
    return {
        str(row.get("number"))
        for row in rows
        if (own and row.get("id") == own)
        or _names(row, event.of_number, settings)
        or row.get(event.application) in applications
    }


def _names(row: Bundle, keys: tuple[str, ...], settings: Settings) -> bool:
    """Whether one of these fields is the hook's address."""
    address = str(settings.get(ADDRESS) or "")
    return bool(address) and any(
        urlsplit(str(row.get(key) or "")).path.endswith(address) for key in keys
    )


def _of(numbers: set[str]) -> dict[str, str]:
    """The filter that one number makes."""
    return {"To": next(iter(numbers))} if len(numbers) == 1 else {}


# Calls


def missed_calls(event: Event, since: datetime, settings: Settings) -> Missing:
    """Calls and faxes that came in to the hook's numbers, and messages that callers left."""
    numbers = yield from _numbers(event, settings)
    if not numbers:
        return []
    if settings.get("receive") == "fax":
        return (yield from _missed_faxes(numbers, since))
    rows = yield from listed(CALLS, "calls", since, **_of(numbers))
    calls = {str(row["sid"]): row for row in _incoming(rows, numbers)}
    found = [
        Missed(body=call_event(row), at=made_at(row), key=call_key(sid, ""), form=True)
        for sid, row in calls.items()
    ]
    if settings.get("answer") != "record":
        return found
    for row in (yield from listed(RECORDINGS, "recordings", since)):
        call = calls.get(str(row.get("call_sid")))
        if call is not None and row.get("status") == "completed":
            event_of = {**call_event(call), **_recording(row)}
            key = call_key(str(call["sid"]), "", str(row["sid"]))
            found.append(Missed(body=event_of, at=made_at(row), key=key, form=True))
    return found


def _missed_faxes(numbers: set[str], since: datetime) -> Missing:
    rows = yield from listed(FAXES, "faxes", since, **_of(numbers))
    return [
        Missed(body=fax_event(row), at=made_at(row), key=fax_key(str(row["sid"]), ""), form=True)
        for row in _incoming(rows, numbers)
    ]


def _incoming(rows: list[Bundle], numbers: set[str]) -> list[Bundle]:
    return [row for row in rows if row.get("direction") == "inbound" and row.get("to") in numbers]


def call_event(row: Bundle) -> Bundle:
    """A call as the parameters of a request about it; its state is the one that it has now."""
    return _filled(
        AccountSid=row.get("account_sid"),
        ApiVersion=row.get("api_version"),
        CallSid=row.get("sid"),
        CallStatus=row.get("status"),
        Direction=row.get("direction"),
        From=row.get("from"),
        To=row.get("to"),
        ParentCallSid=row.get("parent_call_sid"),
        CallDuration=row.get("duration") if row.get("status") in ENDED else None,
    )


def fax_event(row: Bundle) -> Bundle:
    """The same of a fax."""
    ended = row.get("status") in FAX_ENDED
    return _filled(
        AccountSid=row.get("account_sid"),
        FaxSid=row.get("sid"),
        FaxStatus=row.get("status"),
        From=row.get("from"),
        To=row.get("to"),
        NumPages=row.get("num_pages") if ended else None,
        MediaUrl=row.get("media_url"),
    )


def missed_call_states(event: Event, since: datetime, settings: Settings) -> Missing:
    """How calls to the hook's numbers ended; with ``everything``, all others, too."""
    numbers = yield from _numbers(event, settings)
    everything = bool(settings.get("everything"))
    if not numbers and not everything:
        return []
    only = {} if everything else _of(numbers)
    rows = yield from listed(CALLS, "calls", since - LONGEST_CALL, **only)
    found = []
    for row in rows:
        ended = dated(row.get("end_time")) or dated(row.get("date_updated")) or made_at(row)
        if row.get("status") not in ENDED or ended < since:
            continue
        body = {**call_event(row), "Timestamp": row.get("end_time") or row.get("date_updated")}
        if row in _incoming([row], numbers):  # a number tells of these two only
            body["CallStatus"] = "failed" if row["status"] == "failed" else "completed"
        elif not everything:
            continue
        for name, key in (("AudioInMos", "audio_in_mos"), ("SipResultCode", "sip_result_code")):
            body |= _filled(**{name: row.get(key)})
        found.append(Missed(body=body, at=ended, form=True))
    return found


# Messages


def missed_messages(event: Event, since: datetime, settings: Settings) -> Missing:
    """Messages that came in to the hook's numbers, with their files."""
    numbers = yield from _numbers(event, settings)
    if not numbers:
        return []
    rows = yield from listed(MESSAGES, "messages", since, **_of(numbers))
    found = []
    for row in _incoming(rows, numbers):
        body = message_event(row)
        if row.get("num_media"):
            where = MESSAGES + path(row["sid"], "Media")
            files = yield from whole(where, "media_list", "next_page_uri")
            for index, file in enumerate(files):
                body[f"MediaUrl{index}"] = f"{row[ORIGIN]}{file.get('uri') or ''}"
                body[f"MediaContentType{index}"] = file.get("content_type") or ""
        found.append(Missed(body=body, at=made_at(row), form=True))
    return found


def message_event(row: Bundle) -> Bundle:
    """A message as the parameters of a request about it."""
    return _filled(
        AccountSid=row.get("account_sid"),
        ApiVersion=row.get("api_version"),
        Body=row.get("body") or "",
        From=row.get("from"),
        MessageSid=row.get("sid"),
        NumMedia=row.get("num_media") or 0,
        NumSegments=row.get("num_segments"),
        To=row.get("to"),
    )


def missed_message_states(since: datetime, settings: Settings) -> Missing:
    """What became of messages that were sent, if ``everything`` is to be told of."""
    if not settings.get("everything"):
        return []
    rows = yield from listed(MESSAGES, "messages", since - LONGEST_MESSAGE)
    found = []
    for row in rows:
        changed = dated(row.get("date_updated")) or made_at(row)
        status = row.get("status")
        if changed < since or status not in {"sent", "delivered", "undelivered", "failed"}:
            continue
        if row.get("direction") != "inbound":
            more = _filled(MessageStatus=status, ErrorCode=row.get("error_code"))
            found.append(Missed(body={**message_event(row), **more}, at=changed, form=True))
    return found


# Recordings


def missed_recordings(since: datetime, settings: Settings) -> Missing:
    """Recordings that were finished, if ``everything`` is to be told of."""
    if not settings.get("everything"):
        return []
    rows = yield from listed(RECORDINGS, "recordings", since - LONGEST_CALL)
    found = []
    for row in rows:
        ended = dated(row.get("end_time")) or dated(row.get("date_updated")) or made_at(row)
        if row.get("status") in {"completed", "absent"} and ended >= since:
            found.append(Missed(body=_recording(row), at=ended, form=True))
    return found


def _recording(row: Bundle) -> Bundle:
    uri = str(row.get("uri") or "").removesuffix(".json")
    return _filled(
        AccountSid=row.get("account_sid"),
        CallSid=row.get("call_sid"),
        RecordingSid=row.get("sid"),
        RecordingUrl=f"{row[ORIGIN]}{uri}" if uri else None,
        RecordingStatus=row.get("status"),
        RecordingDuration=row.get("duration"),
        RecordingChannels=row.get("channels"),
        RecordingSource=row.get("source"),
    )


def _filled(**given: Any) -> Bundle:
    """What SignalWire says: parameters of a form are texts, and there only if they are known."""
    return {name: str(value) for name, value in given.items() if value is not None}
