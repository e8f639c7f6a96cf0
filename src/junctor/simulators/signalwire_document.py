"""What the operations of a simulated SignalWire project take, for its OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from junctor.simulators import checks
from junctor.simulators.checks import Check
from junctor.simulators.describe import Description, Taken

if TYPE_CHECKING:
    from junctor.simulators.signalwire_state import SignalWireState

__all__ = ["described"]

_PAGE = ("PageSize", "Page", "PageToken")
_METHOD = checks.one_of("GET", "POST")


def _texts(*names: str) -> dict[str, Check]:
    return dict.fromkeys(names, checks.text)


def _dated(name: str) -> tuple[str, str, str]:
    return name, f"{name}<", f"{name}>"


_CALL: Mapping[str, Check] = {
    **_texts(
        *("From", "To", "Url", "ApplicationSid", "FallbackUrl", "StatusCallback", "CallerId"),
        *("StatusCallbackEvent", "RecordingStatusCallback", "SendDigits", "Timeout"),
        "MachineDetectionTimeout",
    ),
    "Method": _METHOD,
    "FallbackMethod": _METHOD,
    "StatusCallbackMethod": _METHOD,
    "MachineDetection": checks.one_of("Enable", "DetectMessageEnd", "none"),
    "Record": checks.one_of("true", "false"),
    "RecordingChannels": checks.one_of("mono", "dual"),
    "Trim": checks.one_of("trim-silence", "do-not-trim"),
}
_CHANGE: Mapping[str, Check] = {
    **_texts("Url", "FallbackUrl", "StatusCallback"),
    "Status": checks.one_of("canceled", "completed"),
}
_MESSAGE = _texts(
    *("From", "To", "Body", "MediaUrl", "StatusCallback", "MessagingServiceSid"),
    *("ValidityPeriod", "ApplicationSid"),
)
_FAX: Mapping[str, Check] = {
    **_texts("From", "To", "MediaUrl", "StatusCallback"),
    "Quality": checks.one_of("standard", "fine", "superfine"),
}
_APPLICATION = _texts("FriendlyName", "VoiceUrl", "SmsUrl", "StatusCallback")
_NUMBER: Mapping[str, Check] = {
    **_texts("name", "call_handler", "call_receive_mode", "message_handler"),
    **_texts("call_request_url", "call_request_method", "message_request_url"),
}


def described(state: SignalWireState, project: str) -> Description:
    """The description, with what the project holds now."""
    available = Taken(query=("AreaCode", "InRegion", "InLocality", "Contains"))
    numbers = [row["number"] for row in state.numbers.values()]
    sids = {
        "Calls": state.calls,
        "Messages": state.messages,
        "Recordings": state.recordings,
        "Faxes": state.faxes,
        "phone_numbers": state.numbers,
    }
    return Description(
        security={"project": {"type": "http", "scheme": "basic"}},
        taken={
            "list_accounts": Taken(query=_PAGE),
            "list_applications": Taken(query=(*_PAGE, "FriendlyName")),
            "create_application": _form(_APPLICATION, "FriendlyName"),
            "list_all_calls": Taken(
                query=(*_PAGE, "From", "To", "ParentCallSid", "Status", *_dated("StartTime"))
            ),
            "create_a_call": _form(_CALL, "From", "To", "Url"),
            "update_a_call": _form(_CHANGE),
            "create_recording": _form({"RecordingChannels": checks.one_of("mono", "dual")}),
            "list_messages": Taken(query=(*_PAGE, "From", "To", "Status", *_dated("DateSent"))),
            "create_message": _form(_MESSAGE, "From", "To", "Body"),
            "update_message": _form({"Body": checks.text}),
            "list_media": Taken(query=_PAGE),
            "list_recordings": Taken(query=(*_PAGE, "CallSid", *_dated("DateCreated"))),
            "list_transcriptions": Taken(query=(*_PAGE, *_dated("DateCreated"))),
            "list_all_faxes": Taken(query=(*_PAGE, "From", "To")),
            "list_all_fax_media": Taken(query=_PAGE),
            "send_fax": _form(_FAX, "From", "To", "MediaUrl"),
            "search_local_available_phone_numbers": available,
            "search_toll_free_available_phone_numbers": available,
            "list_phone_numbers": Taken(
                query=("page_size", "page_number", "page_token", "filter_name", "filter_number")
            ),
            "update_phone_number": Taken(body=_NUMBER),
            "list_number_groups": Taken(query=("page_size", "page_number", "page_token")),
            "deliver_task": Taken(
                body={"context": checks.text, "message": checks.mapping}, required=("context",)
            ),
        },
        known={
            **{segment: list(rows)[:8] for segment, rows in sids.items()},
            "Media": [row["media_sid"] for row in state.faxes.values()][:8],
            "Accounts": [project],
            "AccountSid": [project],
            "ApplicationSid": list(state.applications),
            "MessagingServiceSid": list(state.number_groups),
            "Country": ["US"],
            "From": numbers,
            "To": ["+12025550143"],
            "Url": ["https://example.com/voice"],
            "MediaUrl": ["https://example.com/page.pdf"],
            "Body": ["", "Hello"],
            "SendDigits": ["1w2#"],
            "StatusCallbackEvent": ["answered"],
            "Timeout": ["30"],
            "call_handler": ["relay_context", "laml_webhooks"],
            "message_handler": ["laml_webhooks"],
            **{key: ["1", "1000"] for key in ("PageSize", "page_size")},
            **{key: ["0", "1"] for key in ("Page", "page_number")},
            **{
                name: ["2024-05-01"]
                for stem in ("StartTime", "DateSent", "DateCreated")
                for name in _dated(stem)
            },
        },
    )


def _form(shape: Mapping[str, Check], *required: str) -> Taken:
    return Taken(body=shape, required=required, form=True)
