"""How simulated calls and messages go on: states, callbacks, and the cXML that they ask for."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from xml.etree.ElementTree import Element, ParseError

import msgspec
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from junctor.simulators.people import stranger, uuid_text
from junctor.simulators.signalwire_state import (
    Outcome,
    call_row,
    fax_row,
    message_row,
    recording_row,
    shown_date,
)

if TYPE_CHECKING:
    from junctor.simulators.signalwire import SignalWireSimulator

__all__ = [
    "InboundCalls",
    "InboundMessage",
    "OutcomeBody",
    "call_out",
    "come_in",
    "receive",
    "send_out",
]

Row = dict[str, Any]
RINGS = 2.0
"""Simulated seconds until a call is answered, or isn't."""
_FINAL = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})


class InboundCalls(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Calls that come in, one after another."""

    count: int = 1
    from_: str | None = None
    """By default a stranger each time."""
    to: str | None = None
    """One of the project's numbers; by default its first."""
    seconds: int = 20
    leaves_message: bool = True
    """Whether the caller speaks when a recording begins."""
    told: bool = True
    """Whether SignalWire's requests reach anybody; if not, the calls fail unheard."""

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 100_000:
            raise ValueError(f"count: {self.count} is not from 1 to 100,000")


class InboundMessage(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A text message that comes in."""

    body: str
    from_: str | None = None
    to: str | None = None
    media: tuple[str, ...] = ()
    """Addresses of its files."""
    times: int = 1
    """How often SignalWire tells of it; 0: nobody hears."""


class OutcomeBody(msgspec.Struct, forbid_unknown_fields=True):
    """What becomes of calls and messages to a number from now on."""

    to: str
    call: str = "completed"
    message: str = "delivered"
    seconds: int = 20
    answered_by: str = "human"

    def __post_init__(self) -> None:
        if self.call not in _FINAL:
            raise ValueError(f"call: {self.call!r} is none of {', '.join(sorted(_FINAL))}")
        if self.message not in {"delivered", "undelivered", "failed", "sent"}:
            raise ValueError(f"message: {self.message!r} is no final status")

    def outcome(self) -> Outcome:
        """The same, without the number."""
        return Outcome(
            call=self.call,
            message=self.message,
            seconds=self.seconds,
            answered_by=self.answered_by,
        )


def signed(key: str, url: str, form: Mapping[str, str]) -> dict[str, str]:
    """Headers of a form post: HMAC-SHA-1 of the address and the sorted parameters, in Base64, as
    the vendor's validator checks it.
    """
    text = url.partition("#")[0] + "".join(name + form[name] for name in sorted(form))
    made = base64.b64encode(hmac.digest(key.encode(), text.encode(), hashlib.sha1)).decode()
    return {
        "content-type": "application/x-www-form-urlencoded",
        "X-SignalWire-Signature": made,
        "X-Twilio-Signature": made,
    }


def tell(sim: SignalWireSimulator, event: str, url: str, form: Mapping[str, str], key: str) -> None:
    """A status callback: three attempts at most."""
    if url:
        body = urlencode(form).encode()
        headers = signed(sim.keys["signing_key"], url, form)
        sim.deliveries.send(event, url, body, key=key, headers=headers)


async def asked(
    sim: SignalWireSimulator, event: str, urls: tuple[str, ...], form: Mapping[str, str], key: str
) -> Element | None:
    """The cXML of the first address that gives some; the second is the fallback."""
    extra: dict[str, str] = {}
    for url in urls:
        if not url:
            continue
        given = {**form, **extra}
        answer = await sim.deliveries.ask(
            event,
            url,
            urlencode(given).encode(),
            key=key,
            headers=signed(sim.keys["signing_key"], url, given),
        )
        if answer.status != "delivered":
            extra = {"ErrorCode": "11200", "ErrorUrl": url}
            continue
        try:
            if answer.answer_type not in {"text/xml", "application/xml"}:
                raise ParseError(f"content type {answer.answer_type}")
            root: Element = fromstring(answer.answer, forbid_dtd=True)
            if root.tag != "Response":
                raise ParseError(f"root element {root.tag}")
        except (ParseError, DefusedXmlException):
            extra = {"ErrorCode": "12100", "ErrorUrl": url}
            continue
        sim.state.heard.setdefault(key, []).append(answer.answer.decode("utf-8", "replace"))
        return root
    return None


# Calls


def voice_form(call: Row) -> dict[str, str]:
    """The parameters of every request about a call."""
    return {
        "AccountSid": call["account_sid"],
        "ApiVersion": call["api_version"],
        "CallSid": call["sid"],
        "CallStatus": call["status"],
        "Direction": call["direction"],
        "From": call["from"],
        "To": call["to"],
    }


def move(sim: SignalWireSimulator, call: Row, status: str) -> None:
    """Puts a call into a state."""
    now = sim.clock.date()
    call["status"] = status
    call["date_updated"] = shown_date(now)
    if status == "in-progress":
        call["start_time"] = shown_date(now)
    if status in _FINAL:
        call["end_time"] = shown_date(now + timedelta(seconds=call["duration"]))
        if call["duration"]:
            call["price"] = round(0.008 * -(-call["duration"] // 60), 4)


def call_out(sim: SignalWireSimulator, form: Mapping[str, Any], events: tuple[str, ...]) -> Row:
    """A call that was asked for; it goes on in the background."""
    call = call_row(
        sim.chance,
        sim.clock.date(),
        sim.project,
        form["From"],
        form["To"],
        direction="outbound",
    )
    own = sim.state.number_of(form["From"])
    call["phone_number_sid"] = own["id"] if own else None
    sim.state.calls[call["sid"]] = call
    sim.deliveries.spawn(_goes_out(sim, call, dict(form), events))
    return call


async def _goes_out(
    sim: SignalWireSimulator, call: Row, form: dict[str, Any], events: tuple[str, ...]
) -> None:
    outcome = sim.state.outcomes.get(call["to"], Outcome())
    callback = form.get("StatusCallback", "")
    number = 0

    def told(event: str) -> None:
        nonlocal number
        if event in events:
            more = {"CallbackSource": "call-progress-events", "SequenceNumber": str(number)}
            number += 1
            body = {**voice_form(call), **more, "Timestamp": shown_date(sim.clock.date())}
            if event == "completed":
                body["CallDuration"] = str(call["duration"])
            tell(sim, "call_status", callback, body, call["sid"])

    told("initiated")
    await sim.clock.sleep(1.0)
    if call["status"] in _FINAL:
        told("completed")
        return
    move(sim, call, "ringing")
    told("ringing")
    await sim.clock.sleep(RINGS)
    if call["status"] not in _FINAL and outcome.call not in {"busy", "failed", "no-answer"}:
        move(sim, call, "in-progress")
        if form.get("MachineDetection", "none") != "none":
            call["answered_by"] = outcome.answered_by
        told("answered")
        urls = (form.get("Url", ""), form.get("FallbackUrl", ""))
        application = sim.state.applications.get(form.get("ApplicationSid", ""))
        if application is not None:
            urls = (application["voice_url"], application["voice_fallback_url"])
        root = await asked(sim, "call", urls, voice_form(call), call["sid"])
        await sim.clock.sleep(outcome.seconds)
        if root is not None and form.get("Record") == "true":
            recorded(sim, call, outcome.seconds, form.get("RecordingStatusCallback", ""))
        call["duration"] = outcome.seconds
    if call["status"] not in _FINAL:
        move(sim, call, outcome.call)
    told("completed")


def recording_url(sim: SignalWireSimulator, row: Row) -> str:
    """Where a recording is, as callbacks say it."""
    return f"{sim.origin}/api/laml/2010-04-01/Accounts/{sim.project}/Recordings/{row['sid']}"


def recorded(sim: SignalWireSimulator, call: Row, seconds: int, callback: str) -> Row:
    """A recording of a call is there; the callback is told."""
    row = recording_row(sim.chance, sim.clock.date(), sim.project, call["sid"], seconds=seconds)
    sim.state.recordings[row["sid"]] = row
    body = {
        "AccountSid": sim.project,
        "CallSid": call["sid"],
        "RecordingSid": row["sid"],
        "RecordingUrl": recording_url(sim, row),
        "RecordingStatus": "completed",
        "RecordingDuration": str(seconds),
        "RecordingChannels": "1",
        "RecordingSource": row["source"],
    }
    tell(sim, "recording", callback, body, row["sid"])
    return row


def come_in(sim: SignalWireSimulator, order: InboundCalls) -> list[Row]:
    """Calls to a number of the project, handled as the number says."""
    number = _own(sim, order.to)
    made = []
    for _ in range(order.count):
        call = call_row(
            sim.chance,
            sim.clock.date(),
            sim.project,
            order.from_ or stranger(sim.chance, ()),
            number["number"],
            direction="inbound",
        )
        call |= {"phone_number_sid": number["id"], "status": "ringing"}
        sim.state.calls[call["sid"]] = call
        if number["call_receive_mode"] == "fax":
            fax = fax_row(sim.chance, sim.clock.date(), sim.project, call["from"], call["to"])
            sim.state.faxes[call["sid"]] = fax | {
                "sid": call["sid"], "direction": "inbound", "status": "receiving",
            }  # fmt: skip
        sim.deliveries.spawn(_comes_in(sim, call, number, order))
        made.append(call)
    return made


async def _comes_in(sim: SignalWireSimulator, call: Row, number: Row, order: InboundCalls) -> None:
    urls = (number["call_request_url"] or "", number["call_fallback_url"] or "")
    if number["call_handler"] != "laml_webhooks" or not order.told:
        urls = ("", "")
    form = voice_form(call)
    if number["call_receive_mode"] == "fax":
        form = {**{k: form[k] for k in ("AccountSid", "ApiVersion", "From", "To")},
                "FaxSid": call["sid"]}  # fmt: skip
    root = await asked(sim, "call", urls, form, call["sid"])
    if root is None:
        move(sim, call, "failed")
    elif root.find("Reject") is not None:
        move(sim, call, "busy")
    else:
        move(sim, call, "in-progress")
        await _follows(sim, call, root, order)
        call["duration"] = order.seconds if len(root) else 0
        move(sim, call, "completed")
    if (fax := sim.state.faxes.get(call["sid"])) is not None:
        fax["status"] = "received" if call["status"] == "completed" else "failed"
    status = {name: voice_form(call)[name] for name in ("AccountSid", "CallSid", "From", "To")}
    status |= {
        "CallStatus": "failed" if call["status"] == "failed" else "completed",
        "CallDuration": str(call["duration"]),
        "Timestamp": shown_date(sim.clock.date()),
    }
    if order.told:
        tell(sim, "number_status", number["call_status_callback_url"] or "", status, call["sid"])


async def _follows(sim: SignalWireSimulator, call: Row, root: Element, order: InboundCalls) -> None:
    """Plays a document: a recording asks its action, or the same address again, what is next."""
    for _ in range(10):  # a document that records for ever would never end
        record = root.find("Record")
        await sim.clock.sleep(1.0)
        if record is None or not order.leaves_message:
            return
        row = recorded(sim, call, order.seconds, record.get("recordingStatusCallback", ""))
        number = sim.state.number_of(call["to"]) or {}
        form = {
            **voice_form(call),
            "RecordingSid": row["sid"],
            "RecordingUrl": recording_url(sim, row),
            "RecordingDuration": str(order.seconds),
        }
        urls = (record.get("action") or str(number.get("call_request_url") or ""),)
        after = await asked(sim, "action", urls, form, call["sid"])
        if after is None:
            return
        root = after


# Messages


def message_form(message: Row) -> dict[str, str]:
    """The parameters of every request about a message."""
    return {
        "AccountSid": message["account_sid"],
        "ApiVersion": message["api_version"],
        "Body": message["body"] or "",
        "From": message["from"],
        "MessageSid": message["sid"],
        "NumMedia": str(message["num_media"]),
        "To": message["to"],
    }


def send_out(sim: SignalWireSimulator, form: Mapping[str, Any], media: list[str]) -> Row:
    """A message that was asked for; it is sent in the background."""
    from_ = form.get("From") or next(iter(sim.state.numbers.values()))["number"]
    message = message_row(
        sim.chance,
        sim.clock.date(),
        sim.project,
        from_,
        form["To"],
        form.get("Body", ""),
        "outbound-api",
    )
    message["messaging_service_sid"] = form.get("MessagingServiceSid") or None
    _attach(sim, message, media)
    sim.state.messages[message["sid"]] = message
    callback = form.get("StatusCallback", "")
    application = sim.state.applications.get(form.get("ApplicationSid", ""))
    if application is not None:
        callback = callback or application["sms_status_callback"]
    sim.deliveries.spawn(_goes(sim, message, callback))
    return message


async def _goes(sim: SignalWireSimulator, message: Row, callback: str) -> None:
    final = sim.state.outcomes.get(message["to"], Outcome()).message
    for status in ("sent", final) if final != "sent" else ("sent",):
        await sim.clock.sleep(1.0)
        now = shown_date(sim.clock.date())
        message |= {"status": status, "date_updated": now, "date_sent": message["date_sent"] or now}
        if status in {"failed", "undelivered"}:
            message |= {"error_code": "30003", "error_message": "Unreachable destination handset"}
        else:
            message["price"] = round(0.004 * message["num_segments"], 4)
        form = {**message_form(message), "MessageStatus": status}
        form["NumSegments"] = str(message["num_segments"])
        if message["error_code"]:
            form["ErrorCode"] = message["error_code"]
        tell(sim, "message_status", callback, form, message["sid"])


def receive(sim: SignalWireSimulator, order: InboundMessage) -> Row:
    """A message to a number of the project; what its handler answers with may be a reply."""
    number = _own(sim, order.to)
    message = message_row(
        sim.chance,
        sim.clock.date(),
        sim.project,
        order.from_ or stranger(sim.chance, ()),
        number["number"],
        order.body,
        "inbound",
    )
    _attach(sim, message, list(order.media))
    sim.state.messages[message["sid"]] = message
    form = message_form(message)
    for index, url in enumerate(order.media):
        form |= {f"MediaUrl{index}": url, f"MediaContentType{index}": "image/jpeg"}
    for _ in range(order.times):
        sim.deliveries.spawn(_comes(sim, message, number, form))
    return message


async def _comes(sim: SignalWireSimulator, message: Row, number: Row, form: Row) -> None:
    urls = (number["message_request_url"] or "", number["message_fallback_url"] or "")
    if number["message_handler"] != "laml_webhooks":
        return
    root = await asked(sim, "message", urls, form, message["sid"])
    for reply in root.findall("Message") if root is not None else ():
        body = {"From": message["to"], "To": message["from"], "Body": reply.text or ""}
        send_out(sim, body, [])["direction"] = "outbound-reply"


def _attach(sim: SignalWireSimulator, message: Row, media: list[str]) -> None:
    message["num_media"] = len(media)
    sim.state.media[message["sid"]] = [
        {
            "sid": uuid_text(sim.chance),
            "account_sid": sim.project,
            "parent_sid": message["sid"],
            "content_type": "image/jpeg",
            "date_created": message["date_created"],
            "date_updated": message["date_created"],
        }
        for _ in media
    ]


def _own(sim: SignalWireSimulator, phone: str | None) -> Row:
    if phone is None:
        return next(iter(sim.state.numbers.values()))
    found = sim.state.number_of(phone)
    if found is None:
        raise ValueError(f"to: {phone!r} is no number of the project")
    return found
