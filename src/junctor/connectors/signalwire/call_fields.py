"""The fields of a call that is made or changed. Bounds and choices are the vendor's own."""

from __future__ import annotations

from typing import Annotated, Literal

from junctor.connectors.signalwire.fields import HttpMethod
from junctor.connectors.signalwire.lists import list_applications, number_field
from junctor.language.connector import Field


def _address(label: str, key: str, help_text: str = "") -> Field:
    """Where something else than the call's own cXML is asked for or told."""
    return Field(label=label, key=key, help=help_text, format="uri", advanced=True)


def _between(least: int, most: int, label: str, help_text: str, key: str = "") -> Field:
    """A number that the vendor bounds."""
    return Field(label=label, key=key, help=help_text, minimum=least, maximum=most, advanced=True)


Identifier = Annotated[
    Literal["url", "applicationSid"] | None,
    Field(
        label="Call identifier",
        key="callIdentifier",
        help="What says how the call goes: an address that answers with cXML, or an application "
        "of the project. Left empty, it is whichever of the two is filled in.",
    ),
]
Application = Annotated[
    str,
    Field(
        label="Application SID",
        key="applicationSid",
        help="An application of the project: in its dashboard under LaML, Apps.",
        options=list_applications,
        option_value="sid",
        option_label="friendly_name",
    ),
]
CallUrl = Annotated[
    str,
    Field(
        label="Call URL",
        key="callUrl",
        help="Answers with the cXML that says what happens in the call.",
        format="uri",
        example="https://example.com/call.xml",
    ),
]
From = Annotated[str, number_field("From", "A number of the project, or a SIP address.")]
To = Annotated[
    str,
    Field(
        label="To",
        help="A phone number or a SIP address. Without a country code it belongs to the "
        "connection's country.",
        format="phone",
        example="+12025550142",
    ),
]
CallerId = Annotated[
    str,
    Field(
        label="Caller ID",
        key="callerId",
        help="The number that is shown, if not From: in E.164 form, or what identifies a SIP "
        "caller.",
        advanced=True,
    ),
]
FallbackMethod = Annotated[
    HttpMethod | None, Field(label="Fallback method", key="fallbackMethod", advanced=True)
]
FallbackUrl = Annotated[
    str,
    _address(
        "Fallback URL",
        "fallbackUrl",
        "Asked for cXML if the call URL fails. Not used with an application.",
    ),
]
Detection = Annotated[
    Literal["Enable", "DetectMessageEnd", "none"] | None,
    Field(
        label="Machine detection",
        key="machineDetection",
        help="Whether to find out if a person or a machine answered: at once (Enable), or for a "
        "machine at the end of its greeting (DetectMessageEnd).",
        advanced=True,
    ),
]
DetectionTimeout = Annotated[
    int | None,
    _between(
        1, 120, "Machine detection timeout", "In seconds; 30 if empty.", "machineDetectionTimeout"
    ),
]
Method = Annotated[
    HttpMethod | None,
    Field(
        label="Method",
        help="Of the request to the call URL. Not used with an application.",
        advanced=True,
    ),
]
Record = Annotated[
    bool | None, Field(label="Record", help="Whether to record the call.", advanced=True)
]
Channels = Annotated[
    Literal["mono", "dual"] | None,
    Field(
        label="Recording channels",
        key="recordingChannels",
        help="Both sides in one channel, or each in its own.",
        advanced=True,
    ),
]
RecordingCallback = Annotated[
    str,
    _address(
        "Recording status callback",
        "recordingStatusCallback",
        "Told when the recording is ready; the address of a *Watch recordings* trigger will do.",
    ),
]
RecordingEvents = Annotated[
    list[Literal["in-progress", "completed", "absent"]],
    Field(
        label="Recording status callback events",
        key="recordingStatusCallbackEvent",
        help="None: completed.",
        advanced=True,
    ),
]
RecordingMethod = Annotated[
    HttpMethod | None,
    Field(
        label="Recording status callback method", key="recordingStatusCallbackMethod", advanced=True
    ),
]
SipUser = Annotated[
    str,
    Field(
        label="SIP username",
        key="sipAuthUsername",
        help="For a SIP address that wants one.",
        advanced=True,
    ),
]
SipPassword = Annotated[
    str, Field(label="SIP password", key="sipAuthPassword", format="password", advanced=True)
]
Digits = Annotated[
    str,
    Field(
        label="Send digits",
        key="sendDigits",
        help="Keys to press once the call is connected: 0 to 9, # and *; w waits half a "
        "second, W a whole one.",
        example="ww1234#",
        advanced=True,
    ),
]
StatusCallback = Annotated[
    str,
    _address(
        "Status callback",
        "statusCallback",
        "Told of the call's progress; the address of a *Watch call status* trigger will do.",
    ),
]
StatusEvents = Annotated[
    list[
        Literal[
            "initiated", "ringing", "answered", "completed", "ringing_forwarded", "ringing_queued"
        ]
    ],
    Field(
        label="Status callback events",
        key="statusCallbackEvent",
        help="None: completed.",
        advanced=True,
    ),
]
StatusMethod = Annotated[
    HttpMethod | None,
    Field(label="Status callback method", key="statusCallbackMethod", advanced=True),
]
Timeout = Annotated[
    int | None, _between(1, 600, "Timeout", "Seconds that it may ring; 60 if empty.")
]
Trim = Annotated[
    Literal["trim-silence", "do-not-trim"] | None,
    Field(label="Trim", help="Whether silence at both ends of a recording goes.", advanced=True),
]

# What follows is not in Make's module.

SpeechThreshold = Annotated[
    int | None,
    _between(
        1000,
        6000,
        "Speech threshold",
        "Milliseconds of voice that only a machine speaks for; 2,400 if empty.",
        "machineDetectionSpeechThreshold",
    ),
]
SpeechEnd = Annotated[
    int | None,
    _between(
        500,
        5000,
        "Speech end threshold",
        "Milliseconds of silence after which the voice has finished; 1,200 if empty.",
        "machineDetectionSpeechEndThreshold",
    ),
]
SilenceTimeout = Annotated[
    int | None,
    _between(
        2000,
        10_000,
        "Silence timeout",
        "Milliseconds to wait for a voice; 5,000 if empty.",
        "machineDetectionSilenceTimeout",
    ),
]
WordsThreshold = Annotated[
    int | None,
    _between(
        1,
        100,
        "Words threshold",
        "So many words that only a machine says; 6 if empty.",
        "machineWordsThreshold",
    ),
]
Background = Annotated[
    bool | None,
    Field(
        label="Detect in the background",
        key="asyncAmd",
        help="The call goes on while it is found out who answered.",
        advanced=True,
    ),
]
BackgroundCallback = Annotated[
    str, _address("Background detection callback", "asyncAmdStatusCallback")
]
BackgroundMethod = Annotated[
    HttpMethod | None,
    Field(
        label="Background detection callback method",
        key="asyncAmdStatusCallbackMethod",
        advanced=True,
    ),
]
PartialResults = Annotated[
    bool | None,
    Field(
        label="Partial results of detection",
        key="asyncAmdPartialResults",
        help="Whether the callback is told while it is not yet sure.",
        advanced=True,
    ),
]
Track = Annotated[
    Literal["inbound", "outbound", "both"] | None,
    Field(label="Recording track", key="recordingTrack", advanced=True),
]
HighestPrice = Annotated[
    float | None,
    Field(
        label="Highest price per minute",
        key="maxPricePerMinute",
        help="In US dollars; a dearer call is not made.",
        minimum=0,
        advanced=True,
    ),
]
