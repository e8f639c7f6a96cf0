"""Simulated calls and text messages of a Toky account, and the webhooks they cause."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from junctor.simulators.people import stranger
from junctor.simulators.toky_state import stamp

if TYPE_CHECKING:
    from junctor.simulators.toky import TokySimulator

__all__ = ["CallsBody", "SmsBody", "add_sms", "receive_sms", "simulate"]

CallKind = Literal["missed", "voicemail", "completed"]
KINDS: tuple[CallKind, ...] = ("missed", "voicemail", "completed")


class CallsBody(msgspec.Struct, forbid_unknown_fields=True):
    """``count`` inbound calls, ``rate`` a second (``None``: at once), the same for a ``seed``."""

    count: int = 1
    rate: float | None = None
    seed: int = 1
    kinds: tuple[CallKind, ...] = KINDS
    """What the calls become, in equal shares."""
    known: float = 0.5
    """The share of callers who are contacts."""
    duplicates: int = 0
    """How many of the calls, from the first, have their events sent twice."""
    caller: str | None = None
    """The other end of all calls."""
    direction: Literal["inbound", "outbound"] = "inbound"
    """Outbound calls are completed, or unsuccessful whatever else their kind says."""
    told: bool = True
    """Whether webhooks are sent; without, it is as if nobody could be reached."""

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 1_000_000:
            raise ValueError(f"count: {self.count} is not from 1 to 1,000,000")
        if self.rate is not None and self.rate <= 0:
            raise ValueError(f"rate: {self.rate} is not above 0; null means at once")
        if not self.kinds:
            raise ValueError("kinds: name at least one")
        if not 0 <= self.known <= 1:
            raise ValueError(f"known: {self.known} is not from 0 to 1")


class SmsBody(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A text message that arrives."""

    from_: str
    text: str
    to: str | None = None
    """One of the account's numbers; by default the first agent's."""
    told: bool = True
    """Whether webhooks are sent."""


def simulate(sim: TokySimulator, order: CallsBody) -> dict[str, Any]:
    """Makes the calls; with a rate, in the background. What was made, for the admin API."""
    chance = random.Random(order.seed)
    # Who calls is decided at once, so that what happens meanwhile changes nothing of it.
    plan = [_one_call(sim, chance, order) for _ in range(order.count)]
    if order.rate is None:
        for index, call in enumerate(plan):
            _happen(sim, call, twice=index < order.duplicates, told=order.told)
    else:
        sim.deliveries.spawn(_happen_slowly(sim, plan, order))
    return {
        "calls": len(plan),
        "kinds": {kind: sum(call["kind"] == kind for call in plan) for kind in KINDS},
        "known_callers": sum(call["contact"] is not None for call in plan),
        "callids": [call["callid"] for call in plan],
    }


def add_sms(sim: TokySimulator, direction: str, from_: str, to: str, text: str) -> dict[str, Any]:
    """Writes a text message into the history. Assumed: all field names but from, to and text."""
    row: dict[str, Any] = {
        "id": sim.state.number(),
        "from": from_,
        "to": to,
        "text": text,
        "direction": direction,
        "date": stamp(sim.clock.date()),
        "status": "sent" if direction == "outbound" else "received",
    }
    sim.state.sms.append(row)
    return row


def receive_sms(sim: TokySimulator, body: SmsBody) -> dict[str, Any]:
    """A text message arrives; sends ``new_sms`` (its payload is assumed)."""
    to = body.to or sim.state.agents[0]["phone_number"]
    row = add_sms(sim, "inbound", body.from_, to, body.text)
    payload = {
        "id": row["id"],
        "from_number": body.from_,
        "to_number": to,
        "text": body.text,
        "date": row["date"],
    }
    hooks = sim.emit("new_sms", str(row["id"]), payload) if body.told else 0
    return {"sms": row, "hooks": hooks}


def _one_call(sim: TokySimulator, chance: random.Random, order: CallsBody) -> dict[str, Any]:
    contacts = sim.state.contacts
    known = bool(contacts) and chance.random() < order.known
    phone = chance.choice(list(contacts)) if known else stranger(chance, contacts)
    phone = order.caller or phone
    kind = chance.choice(order.kinds)
    number = sim.state.number()
    return {
        # A running number: the same order twice makes different calls, with the same content.
        "callid": f"{sim.seed:04x}{number:08x}{chance.getrandbits(80):020x}",
        "number": number,
        "phone": phone,
        "contact": contacts.get(phone),
        "kind": kind,
        "outbound": order.direction == "outbound",
        "duration": 0 if kind == "missed" else chance.randrange(5, 600),
        "agent": chance.choice(sim.state.agents),
    }


async def _happen_slowly(sim: TokySimulator, plan: list[dict[str, Any]], order: CallsBody) -> None:
    assert order.rate is not None
    start = sim.clock.real()
    for index, call in enumerate(plan):
        # By the schedule, not by the last call: what one sleep loses the next makes up.
        wait = start + index / order.rate - sim.clock.real()
        if wait > 0:
            await sim.clock.sleep_real(wait)
        _happen(sim, call, twice=index < order.duplicates, told=order.told)


def _happen(sim: TokySimulator, call: dict[str, Any], *, twice: bool, told: bool) -> None:
    now = sim.clock.date()
    callid, outbound = call["callid"], call["outbound"]
    completed = call["kind"] == "completed"
    audio = None
    if completed or (call["kind"] == "voicemail" and not outbound):
        audio = f"{sim.origin}/audio/{callid}.mp3"
        sim.state.recordings[callid] = audio
    sim.state.cdrs.append(_record(call, now))
    payload = _payload(sim, call, stamp(now), audio or "")
    events = _events(call) if told else ()
    for _ in range(2 if twice else 1):
        for event in events:
            sim.emit(event, callid, payload)
    if call["kind"] == "voicemail" and not outbound:
        _leave_voicemail(sim, call, payload, told=told)


def _events(call: dict[str, Any]) -> tuple[str, ...]:
    if call["outbound"]:
        return ("new_call", "outbound_call", "outbound_call_ended")
    answered = ("inbound_call_answered",) if call["kind"] == "completed" else ()
    return ("new_call", *answered, "inbound_call_ended")


def _ends(call: dict[str, Any]) -> tuple[str, str]:
    ends = call["phone"], call["agent"]["phone_number"]
    return (ends[1], ends[0]) if call["outbound"] else ends


def _record(call: dict[str, Any], now: datetime) -> dict[str, Any]:
    """A call data record, with the fields that the vendor documents."""
    agent, completed = call["agent"], call["kind"] == "completed"
    from_, to = _ends(call)
    return {
        "id": call["number"],
        "callid": call["callid"],
        "from": from_,
        "to_number": to,
        "country": "US",
        "caller_id_used": from_ if call["outbound"] else "",
        "received_on_number": "" if call["outbound"] else to,
        "init_dt": stamp(now),
        "start_time": stamp(now),
        "end_time": stamp(now + timedelta(seconds=call["duration"])),
        "duration": str(call["duration"]),  # a text, as the vendor documents
        "agent_id": agent["email"] if completed or call["outbound"] else "",
        "to_agent": "" if call["outbound"] else agent["email"],
        "direction": "outbound" if call["outbound"] else "inbound",
        "web_call": "no",
        "disposition_code": "200" if completed else "487",
        "ivr_option_pressed": "",
    }


def _payload(sim: TokySimulator, call: dict[str, Any], date: str, audio: str) -> dict[str, Any]:
    """A call event (developer.toky.co, "Webhooks").

    Its states are documented but for ``voicemail``, which is assumed: a caller who left a message.
    """
    agent, contact, callid = call["agent"], call["contact"], call["callid"]
    outbound, completed = call["outbound"], call["kind"] == "completed"
    unanswered = "unsuccessful" if outbound else call["kind"]
    answering = completed or outbound
    from_, to = _ends(call)
    return {
        "callid": callid,
        "direction": "outbound" if outbound else "inbound",
        "web_call": "no",
        "agent": agent["email"] if answering else "",
        "agent_name": agent["fullname"] if answering else "",
        "duration": call["duration"],
        "state": "completed" if completed else unanswered,
        "from_number": from_,
        "to_number": to,
        "date": date,
        "record_url": f"{sim.origin}/calls/{callid}" if audio else "",
        "record_url_raw": audio,
        "caller_name": "",
        "caller_email": "",
        "caller_country": "US",
        "contact_name": contact["contact_name"] if contact else "",
        "contact_email": contact["email"] if contact else "",
    }


def _leave_voicemail(
    sim: TokySimulator, call: dict[str, Any], heard: dict[str, Any], *, told: bool
) -> None:
    # Assumed: a voicemail's fields are named as a call record's, its event's as a call event's.
    row = {
        "id": sim.state.number(),
        "callid": call["callid"],
        "from": call["phone"],
        "to_number": heard["to_number"],
        "duration": call["duration"],
        "created_at": heard["date"],
        "record_url": heard["record_url_raw"],
    }
    sim.state.voicemails.append(row)
    event = {key: value for key, value in row.items() if key != "from"}
    if told:
        sim.emit("new_voicemail", call["callid"], {**event, "from_number": call["phone"]})
