"""Calls: searching, making, changing and deleting them, and the trigger that polls."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from junctor.connectors.signalwire.account import LAML, signalwire
from junctor.connectors.signalwire.call_fields import (
    Application,
    Background,
    BackgroundCallback,
    BackgroundMethod,
    CallerId,
    CallUrl,
    Channels,
    Detection,
    DetectionTimeout,
    Digits,
    FallbackMethod,
    FallbackUrl,
    From,
    HighestPrice,
    Identifier,
    Method,
    PartialResults,
    Record,
    RecordingCallback,
    RecordingEvents,
    RecordingMethod,
    SilenceTimeout,
    SipPassword,
    SipUser,
    SpeechEnd,
    SpeechThreshold,
    StatusCallback,
    StatusEvents,
    StatusMethod,
    Timeout,
    To,
    Track,
    Trim,
    WordsThreshold,
)
from junctor.connectors.signalwire.fields import (
    NEW,
    PAGES,
    Depth,
    Limit,
    When,
    instant,
    needed,
    rows,
    when,
)
from junctor.connectors.signalwire.lists import number_field
from junctor.connectors.signalwire.probes import CALL_MADE
from junctor.errors import BundleInvalid
from junctor.language.connector import Field, Flow, Request, path

CALLS = f"{LAML}/Calls"

CallStatus = Literal[
    "queued", "ringing", "in-progress", "canceled", "completed", "busy", "failed", "no-answer"
]


@signalwire.search("Search calls", items="calls", paging=PAGES, limit_field="limit")
def search_calls(
    start_time_type: Annotated[
        When, Field(label="Start time is", key="startTimeType", help="Only with a start time.")
    ] = "at",
    start_time: Annotated[datetime | None, Field(label="Start time", key="startTime")] = None,
    end_time_type: Annotated[
        When,
        Field(label="End time is", key="endTimeType", help="Only with an end time.", advanced=True),
    ] = "at",
    end_time: Annotated[datetime | None, Field(label="End time", key="endTime")] = None,
    from_: Annotated[str, number_field("From", "Calls from this number.")] = "",
    to: Annotated[str, number_field("To", "Calls to this number.")] = "",
    parent_call_sid: Annotated[
        str,
        Field(label="Parent call SID", help="Legs that this call created.", key="parentCallSid"),
    ] = "",
    status: Annotated[CallStatus | None, Field(label="Status")] = None,
    limit: Limit = 10,
) -> Request:
    """Gives calls, newest first, with when, how long and what they cost.

    Times are compared to the second, in UTC.
    """
    del limit
    pairs = [("From", from_), ("To", to), ("ParentCallSid", parent_call_sid), ("Status", status)]
    if start_time is not None:
        pairs.append(when("StartTime", start_time_type, instant(start_time)))
    if end_time is not None:
        pairs.append(when("EndTime", end_time_type, instant(end_time)))
    return Request("GET", CALLS, query=rows(*pairs))


CallSid = Annotated[
    str,
    Field(
        label="Call SID",
        key="callSid",
        options=search_calls,
        option_value="sid",
        option_label="to_formatted",
    ),
]


@signalwire.module(
    "Watch new calls",
    kind="trigger",
    effect="read",
    items="calls",
    paging=PAGES,
    limit_field="depth",
    poll=NEW,
)
def watch_new_calls(
    from_: Annotated[str, number_field("From", advanced=True)] = "",
    to: Annotated[str, number_field("To", advanced=True)] = "",
    status: Annotated[CallStatus | None, Field(label="Status", advanced=True)] = None,
    limit: Limit = 10,
    depth: Depth = 1000,
) -> Request:
    """Starts when there is a new call, in or out.

    It looks by schedule; *Watch calls* hears of those that come in at once.
    With a status, a call is given once it is found in that status.
    """
    del limit, depth
    return Request("GET", CALLS, query=rows(("From", from_), ("To", to), ("Status", status)))


@signalwire.action("Get a call", effect="read")
def get_call(call_sid: CallSid) -> Request:
    """Gives a call: who, when, its status, duration, price and quality."""
    return Request("GET", CALLS + path(call_sid))


@signalwire.action("Create a call", effect="once", probe=CALL_MADE)
def create_call(
    from_: From,
    to: To,
    call_identifier: Identifier = None,
    application_sid: Application = "",
    call_url: CallUrl = "",
    caller_id: CallerId = "",
    fallback_method: FallbackMethod = None,
    fallback_url: FallbackUrl = "",
    machine_detection: Detection = None,
    machine_detection_timeout: DetectionTimeout = None,
    method: Method = None,
    record: Record = None,
    recording_channels: Channels = None,
    recording_status_callback: RecordingCallback = "",
    recording_status_callback_event: RecordingEvents = [],  # noqa: B006  # a form's default; `bind` copies it
    recording_status_callback_method: RecordingMethod = None,
    sip_auth_username: SipUser = "",
    sip_auth_password: SipPassword = "",
    send_digits: Digits = "",
    status_callback: StatusCallback = "",
    status_callback_event: StatusEvents = [],  # noqa: B006  # as above
    status_callback_method: StatusMethod = None,
    timeout: Timeout = None,
    trim: Trim = None,
    machine_detection_speech_threshold: SpeechThreshold = None,
    machine_detection_speech_end_threshold: SpeechEnd = None,
    machine_detection_silence_timeout: SilenceTimeout = None,
    machine_words_threshold: WordsThreshold = None,
    async_amd: Background = None,
    async_amd_status_callback: BackgroundCallback = "",
    async_amd_status_callback_method: BackgroundMethod = None,
    async_amd_partial_results: PartialResults = None,
    recording_track: Track = None,
    max_price_per_minute: HighestPrice = None,
) -> Request:
    """Calls somebody. What happens in the call is said by an application or an address."""
    application, url = _identified(call_identifier, application_sid, call_url, required=True)
    return Request(
        "POST",
        CALLS,
        form=rows(
            ("From", from_),
            ("To", to),
            ("ApplicationSid", application),
            ("Url", url),
            ("CallerId", caller_id),
            ("FallbackMethod", fallback_method),
            ("FallbackUrl", fallback_url),
            ("MachineDetection", machine_detection),
            ("MachineDetectionTimeout", machine_detection_timeout),
            ("Method", method),
            ("Record", record),
            ("RecordingChannels", recording_channels),
            ("RecordingStatusCallback", recording_status_callback),
            ("RecordingStatusCallbackEvent", " ".join(recording_status_callback_event)),
            ("RecordingStatusCallbackMethod", recording_status_callback_method),
            ("SipAuthUsername", sip_auth_username),
            ("SipAuthPassword", sip_auth_password),
            ("SendDigits", _digits(send_digits)),
            ("StatusCallback", status_callback),
            ("StatusCallbackEvent", list(status_callback_event)),
            ("StatusCallbackMethod", status_callback_method),
            ("Timeout", timeout),
            ("Trim", trim),
            ("MachineDetectionSpeechThreshold", machine_detection_speech_threshold),
            ("MachineDetectionSpeechEndThreshold", machine_detection_speech_end_threshold),
            ("MachineDetectionSilenceTimeout", machine_detection_silence_timeout),
            ("MachineWordsThreshold", machine_words_threshold),
            ("AsyncAmd", async_amd),
            ("AsyncAmdStatusCallback", async_amd_status_callback),
            ("AsyncAmdStatusCallbackMethod", async_amd_status_callback_method),
            ("AsyncAmdPartialResults", async_amd_partial_results),
            ("RecordingTrack", recording_track),
            ("MaxPricePerMinute", max_price_per_minute),
        ),
    )


@signalwire.action("Update a call", effect="idempotent")
def update_call(
    call_sid: CallSid,
    status: Annotated[
        Literal["canceled", "completed"] | None,
        Field(
            label="Status",
            help="completed hangs up; canceled only ends a call that nobody has answered yet.",
        ),
    ] = None,
    call_identifier: Identifier = None,
    application_sid: Application = "",
    call_url: CallUrl = "",
    from_: Annotated[From, Field(label="From", format="phone", advanced=True)] = "",
    to: Annotated[To, Field(label="To", format="phone", advanced=True)] = "",
    caller_id: CallerId = "",
    fallback_method: FallbackMethod = None,
    fallback_url: FallbackUrl = "",
    machine_detection: Detection = None,
    machine_detection_timeout: DetectionTimeout = None,
    method: Method = None,
    record: Record = None,
    recording_channels: Channels = None,
    recording_status_callback: RecordingCallback = "",
    recording_status_callback_event: RecordingEvents = [],  # noqa: B006  # as above
    recording_status_callback_method: RecordingMethod = None,
    sip_auth_username: SipUser = "",
    sip_auth_password: SipPassword = "",
    send_digits: Digits = "",
    status_callback: StatusCallback = "",
    status_callback_event: StatusEvents = [],  # noqa: B006  # as above
    status_callback_method: StatusMethod = None,
    timeout: Timeout = None,
    trim: Trim = None,
) -> Request:
    """Changes a call that is going on: sends it to other cXML, or hangs up.

    SignalWire documents that it takes status, call URL and method, fallback and status callback of
    a call that exists; the other fields are sent if they are filled in, and are of no use today.
    """
    application, url = _identified(call_identifier, application_sid, call_url, required=False)
    form = rows(
        ("Status", status),
        ("Url", url),
        ("Method", method),
        ("FallbackUrl", fallback_url),
        ("FallbackMethod", fallback_method),
        ("StatusCallback", status_callback),
        ("StatusCallbackMethod", status_callback_method),
        ("ApplicationSid", application),
        ("From", from_),
        ("To", to),
        ("CallerId", caller_id),
        ("MachineDetection", machine_detection),
        ("MachineDetectionTimeout", machine_detection_timeout),
        ("Record", record),
        ("RecordingChannels", recording_channels),
        ("RecordingStatusCallback", recording_status_callback),
        ("RecordingStatusCallbackEvent", " ".join(recording_status_callback_event)),
        ("RecordingStatusCallbackMethod", recording_status_callback_method),
        ("SipAuthUsername", sip_auth_username),
        ("SipAuthPassword", sip_auth_password),
        ("SendDigits", _digits(send_digits)),
        ("StatusCallbackEvent", list(status_callback_event)),
        ("Timeout", timeout),
        ("Trim", trim),
    )
    if not form:
        raise BundleInvalid(
            field="callUrl", reason="nothing is given to change; fill in a status or a call URL"
        )
    return Request("POST", CALLS + path(call_sid), form=form)


@signalwire.action("Delete a call", effect="idempotent")
def delete_call(call_sid: CallSid) -> Flow:
    """Removes a finished call from the project's log; one that goes on is refused (20009)."""
    yield Request("DELETE", CALLS + path(call_sid))
    return {"sid": call_sid, "deleted": True}


def _identified(
    identifier: str | None, application: str, url: str, *, required: bool
) -> tuple[str, str]:
    """Application and address, of which one is empty."""
    if identifier == "applicationSid":
        why = "the call is to be handled by an application; choose one"
        return (needed("applicationSid", application, why), "")
    if identifier == "url":
        return ("", needed("callUrl", url, "the call is to be handled by an address; give it"))
    if application and url:
        raise BundleInvalid(
            field="callIdentifier",
            reason="both an application and a call URL are given; say which of them counts",
        )
    if required and not application and not url:
        raise BundleInvalid(
            field="callUrl",
            reason="neither a call URL nor an application is given; one must say how the call goes",
        )
    return (application, url)


def _digits(text: str) -> str:
    """``SendDigits``: at most 32 keys."""
    bare = text.replace(" ", "")
    if len(bare) > 32 or any(letter not in "0123456789#*wW" for letter in bare):
        raise BundleInvalid(
            field="sendDigits",
            reason=f"{text[:40]!r} can't be dialled; use up to 32 of 0 to 9, #, *, w and W",
        )
    return bare
