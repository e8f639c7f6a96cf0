"""What a simulated SignalWire project holds, in the shapes of the vendor's OpenAPI documents."""

from __future__ import annotations

import hashlib
import random
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from junctor.simulators.people import phone_number, uuid_text
from junctor.simulators.routes import Refused

__all__ = [
    "Outcome",
    "SignalWireState",
    "account_row",
    "between",
    "call_row",
    "fax_row",
    "keys",
    "matching",
    "message_row",
    "new_state",
    "recording_row",
    "shown_date",
    "shown_phone",
]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of calls and messages to a number."""

    call: str = "completed"
    message: str = "delivered"
    seconds: int = 20
    """How long an answered call lasts, in simulated seconds."""
    answered_by: str = "human"


@dataclass(slots=True)
class SignalWireState:
    """Rows by sid, oldest first."""

    numbers: dict[str, Row] = field(default_factory=dict)
    """In the REST API's shape; the Compatibility API shows the same rows in its own."""
    calls: dict[str, Row] = field(default_factory=dict)
    messages: dict[str, Row] = field(default_factory=dict)
    media: dict[str, list[Row]] = field(default_factory=dict)
    """By message."""
    recordings: dict[str, Row] = field(default_factory=dict)
    transcriptions: dict[str, Row] = field(default_factory=dict)
    faxes: dict[str, Row] = field(default_factory=dict)
    applications: dict[str, Row] = field(default_factory=dict)
    number_groups: dict[str, Row] = field(default_factory=dict)
    heard: dict[str, list[str]] = field(default_factory=dict)
    """By call: the cXML that it was handled with."""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """By number called."""

    def as_record(self) -> Row:
        """Plain data for the admin API."""
        return {
            "numbers": list(self.numbers.values()),
            "calls": list(self.calls.values()),
            "messages": list(self.messages.values()),
            "recordings": list(self.recordings.values()),
            "faxes": list(self.faxes.values()),
            "applications": list(self.applications.values()),
            "number_groups": list(self.number_groups.values()),
            "heard": self.heard,
        }

    def number_of(self, phone: str) -> Row | None:
        """One of the project's own numbers."""
        return next((row for row in self.numbers.values() if row["number"] == phone), None)


def keys(seed: int | None) -> dict[str, str]:
    """A project's id, token and signing key; always the same for the same seed."""

    def drawn(name: str, size: int) -> str:
        if seed is None:
            return secrets.token_hex(size)
        text = f"junctor simulator signalwire {name} {seed}"
        return hashlib.sha256(text.encode()).hexdigest()[: size * 2]

    project = drawn("project", 16)
    shown = "-".join((project[:8], project[8:12], project[12:16], project[16:20], project[20:]))
    return {
        "space": "example",
        "project_id": shown,
        "api_token": "PT" + drawn("token", 24),
        "signing_key": "PSK_" + drawn("signing", 16),
    }


def shown_date(moment: datetime) -> str:
    """RFC 2822, as the Compatibility API writes dates."""
    return format_datetime(moment.astimezone(UTC))


def shown_phone(phone: str) -> str:
    """``(202) 555-0142`` for an American number, else as it is."""
    if phone.startswith("+1") and len(phone) == 12:
        return f"({phone[2:5]}) {phone[5:8]}-{phone[8:]}"
    return phone


def new_state(chance: random.Random, now: datetime, project: str) -> SignalWireState:
    """Two numbers that answer with cXML, an application, a group, and a little history."""
    state = SignalWireState()
    application = application_row(chance, now, project, {"FriendlyName": "Reception"})
    state.applications[application["sid"]] = application
    for name in ("Front desk", "Campaigns"):
        row = number_row(chance, now, name)
        state.numbers[row["id"]] = row
    group = uuid_text(chance)
    state.number_groups[group] = {
        "id": group,
        "name": "Everyone",
        "sticky_sender": False,
        "phone_number_count": 2,
    }
    first = next(iter(state.numbers.values()))["number"]
    for back in range(6, 0, -1):
        then = now - timedelta(hours=back)
        row = call_row(chance, then, project, phone_number(chance), first, direction="inbound")
        row |= {"status": "completed", "duration": 30 * back, "price": 0.008 * back}
        row["start_time"] = shown_date(then)
        row["end_time"] = shown_date(then + timedelta(seconds=30 * back))
        state.calls[row["sid"]] = row
        message = message_row(
            chance, then, project, phone_number(chance), first, "Is anybody there?", "inbound"
        )
        state.messages[message["sid"]] = message
    call = next(iter(state.calls.values()))
    recording = recording_row(chance, now, project, call["sid"], seconds=14)
    state.recordings[recording["sid"]] = recording
    transcription = uuid_text(chance)
    state.transcriptions[transcription] = {
        "sid": transcription,
        "account_sid": project,
        "api_version": "2010-04-01",
        "recording_sid": recording["sid"],
        "date_created": shown_date(now),
        "date_updated": shown_date(now),
        "duration": 14,
        "price": None,
        "price_unit": "USD",
        "status": "completed",
        "transcription_text": "Hello, is anybody there?",
        "type": "fast",
    }
    fax = fax_row(chance, now, project, first, phone_number(chance))
    done = {"status": "delivered", "num_pages": "1", "price": "0.0105"}
    url = f"https://files.example.com/faxes/{fax['sid']}.tiff"
    state.faxes[fax["sid"]] = fax | done | {"media_url": url}
    return state


def account_row(project: str, signing_key: str, token: str, now: datetime) -> Row:
    """The project; the addresses of what it has are added when it is shown."""
    return {
        "sid": project,
        "friendly_name": "Simulated",
        "status": "active",
        "auth_token": token,
        "date_created": shown_date(now),
        "date_updated": shown_date(now),
        "type": "Full",
        "owner_account_sid": project,
        "region_preference": "us",
        "subproject": False,
        "signing_key": signing_key,
    }


_HANDLING = (
    "calling_handler_resource_id", "call_status_callback_url", "call_laml_application_id",
    "call_dialogflow_agent_id", "call_relay_topic", "call_relay_topic_status_callback_url",
    "call_relay_script_url", "call_relay_context", "call_relay_context_status_callback_url",
    "call_relay_application", "call_relay_connector_id", "call_sip_endpoint_id",
    "call_verto_resource", "call_video_room_id", "call_fallback_url",
    "messaging_handler_resource_id", "message_request_url", "message_fallback_url",
    "message_laml_application_id", "message_relay_topic", "message_relay_context",
)  # fmt: skip


def number_row(chance: random.Random, now: datetime, name: str) -> Row:
    """A number, as the REST API shows it."""
    moment = now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        **dict.fromkeys(_HANDLING),
        "id": uuid_text(chance),
        "number": phone_number(chance),
        "name": name,
        "capabilities": ["voice", "sms", "mms", "fax"],
        "number_type": "longcode",
        "e911_address_id": None,
        "e911_status": None,
        "created_at": moment,
        "updated_at": moment,
        "next_billed_at": None,
        "call_handler": "laml_webhooks",
        "call_receive_mode": "voice",
        "call_request_url": "https://example.com/reception.xml",
        "call_request_method": "POST",
        "call_fallback_method": "POST",
        "call_status_callback_method": "POST",
        "message_handler": "laml_webhooks",
        "message_request_method": "POST",
        "message_fallback_method": "POST",
        "country_code": "US",
    }


def application_row(
    chance: random.Random, now: datetime, project: str, form: Mapping[str, str]
) -> Row:
    """A LaML application of what was given."""
    names = {
        "voice_url": "VoiceUrl", "voice_method": "VoiceMethod",
        "voice_fallback_url": "VoiceFallbackUrl", "voice_fallback_method": "VoiceFallbackMethod",
        "status_callback": "StatusCallback", "status_callback_method": "StatusCallbackMethod",
        "sms_url": "SmsUrl", "sms_method": "SmsMethod", "sms_fallback_url": "SmsFallbackUrl",
        "sms_fallback_method": "SmsFallbackMethod", "sms_status_callback": "SmsStatusCallback",
        "sms_status_callback_method": "SmsStatusCallbackMethod",
    }  # fmt: skip
    filled = {
        key: form.get(name, "POST" if name.endswith("Method") else "")
        for key, name in names.items()
    }
    return {
        "sid": uuid_text(chance),
        "account_sid": project,
        "api_version": "2010-04-01",
        "date_created": shown_date(now),
        "date_updated": shown_date(now),
        "friendly_name": form["FriendlyName"],
        **filled,
        "voice_caller_id_lookup": None,
        "message_status_callback": filled["sms_status_callback"],
    }


def call_row(
    chance: random.Random, now: datetime, project: str, from_: str, to: str, *, direction: str
) -> Row:
    """A call that has just been made."""
    unknown = (
        "parent_call_sid", "phone_number_sid", "start_time", "end_time", "price", "answered_by",
        "forwarded_from", "caller_name", "annotation", "group_sid", "audio_in_mos",
        "sip_result_code", "audio_rtt_avg", "audio_rtt_min", "audio_rtt_max",
        "audio_out_jitter_min", "audio_out_jitter_max", "audio_out_jitter_avg", "audio_out_lost",
    )  # fmt: skip
    return {
        **dict.fromkeys(unknown),
        "sid": uuid_text(chance),
        "account_sid": project,
        "date_created": shown_date(now),
        "date_updated": shown_date(now),
        "to": to,
        "formatted_to": shown_phone(to),
        "to_formatted": shown_phone(to),
        "from": from_,
        "formatted_from": shown_phone(from_),
        "from_formatted": shown_phone(from_),
        "status": "queued",
        "duration": 0,
        "price_unit": "USD",
        "direction": direction,
        "api_version": "2010-04-01",
    }


def message_row(
    chance: random.Random,
    now: datetime,
    project: str,
    from_: str,
    to: str,
    body: str,
    direction: str,
) -> Row:
    """A message that has just been made, or has come in."""
    came_in = direction == "inbound"
    return {
        "sid": uuid_text(chance),
        "account_sid": project,
        "api_version": "2010-04-01",
        "body": body,
        "num_segments": max(1, -(-len(body) // 160)),
        "num_media": 0,
        "date_created": shown_date(now),
        "date_sent": shown_date(now) if came_in else None,
        "date_updated": shown_date(now),
        "direction": direction,
        "error_code": None,
        "error_message": None,
        "from": from_,
        "price": None,
        "price_unit": "USD",
        "status": "received" if came_in else "queued",
        "to": to,
        "messaging_service_sid": None,
    }


def recording_row(
    chance: random.Random, now: datetime, project: str, call_sid: str, *, seconds: int
) -> Row:
    """A finished recording of a call."""
    return {
        "sid": uuid_text(chance),
        "account_sid": project,
        "api_version": "2010-04-01",
        "call_sid": call_sid,
        "conference_sid": None,
        "channel": "1",
        "channels": "1",
        "date_created": shown_date(now),
        "date_updated": shown_date(now),
        "start_time": shown_date(now - timedelta(seconds=seconds)),
        "end_time": shown_date(now),
        "duration": seconds,
        "price": None,
        "price_unit": "USD",
        "source": "RecordVerb",
        "status": "completed",
        "error_code": None,
        "encryption_details": None,
        "trim": "trim-silence",
    }


def fax_row(chance: random.Random, now: datetime, project: str, from_: str, to: str) -> Row:
    """A fax that has just been queued. Its dates are ISO 8601, unlike all others."""
    moment = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "sid": uuid_text(chance),
        "account_sid": project,
        "api_version": "v1",
        "date_created": moment,
        "date_updated": moment,
        "direction": "outbound",
        "from": from_,
        "media_url": None,
        "media_sid": uuid_text(chance),
        "num_pages": None,
        "price": None,
        "price_unit": "USD",
        "quality": "fine",
        "status": "queued",
        "to": to,
        "duration": 0,
        "error_code": None,
        "error_message": None,
    }


# Filters


def matching(
    rows: Iterable[Row],
    query: Mapping[str, str],
    plain: Mapping[str, str],
    dates: Mapping[str, str],
) -> list[Row]:
    """The rows that a query's filters leave; ``plain`` and ``dates`` are keys by parameter."""
    found = list(rows)
    for name, key in plain.items():
        if query.get(name):
            found = [row for row in found if str(row.get(key) or "") == query[name]]
    for name, key in dates.items():
        for sign in ("", "<", ">"):
            if query.get(name + sign):
                wanted = _date(query[name + sign], name)
                found = [row for row in found if _compares(row.get(key), wanted, sign)]
    return found


def between(rows: list[Row], query: Mapping[str, str], after: str, until: str) -> list[Row]:
    """Rows, dated in ISO 8601, made later than one parameter says and not after the other."""
    for name, wanted in ((after, True), (until, False)):
        if query.get(name):
            moment, _ = _date(query[name], name)
            rows = [
                row
                for row in rows
                if (datetime.fromisoformat(row["date_created"]) > moment) is wanted
            ]
    return rows


def _date(text: str, name: str) -> tuple[datetime, bool]:
    """The date, and whether only its day counts."""
    try:
        if len(text) == 10:
            return datetime.fromisoformat(text).replace(tzinfo=UTC), True
        try:
            found = parsedate_to_datetime(text)
        except ValueError:
            found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(422, f"{name}: {text!r} is no date", code=21622) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC), False


def _compares(value: Any, wanted: tuple[datetime, bool], sign: str) -> bool:
    if not value:
        return False
    there = parsedate_to_datetime(value)
    moment, whole_day = wanted
    if whole_day:
        there = there.astimezone(UTC).replace(hour=0, minute=0, second=0)
    return there < moment if sign == "<" else there > moment if sign == ">" else there == moment
